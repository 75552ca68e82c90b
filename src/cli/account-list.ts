/** The accounts of one's own, as commands take them: a list, or a file with one. */
import { closeSync, openSync, readSync } from "node:fs";
import { isAccountId } from "../aws/access-key.js";
import { printable, terminalLine } from "../base/text.js";
import type { OptionSpec, OptionValues } from "./command.js";
import { UsageError } from "./command.js";

export const ACCOUNTS_OPTION: OptionSpec = {
  name: "accounts",
  value: "LIST",
  multiple: true,
  summary: "accounts of your own: 12-digit ids separated by commas, or @FILE",
};

/** Bytes of a file of accounts: 300,000 of them. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * The accounts that `--accounts` names, each once and in the order given; undefined where it was not given.
 * @throws UsageError for what is no account id, an empty list, or a file that cannot be read
 */
export function accountsOf(options: OptionValues): readonly string[] | undefined {
  const given = options["accounts"];
  if (given === undefined) return undefined;
  const accounts = new Set<string>();
  for (const value of given as readonly string[]) {
    const own = value.startsWith("@") ? accountsOfFile(value.slice(1)) : accountsIn(value, "--accounts");
    for (const account of own) accounts.add(account);
  }
  return [...accounts];
}

function accountsOfFile(path: string): readonly string[] {
  let text: string;
  try {
    text = readBounded(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--accounts: ${terminalLine(path)} cannot be read: ${(error as Error).message}`);
  }
  const lines = text.replace(/^\ufeff/, "").split("\n");
  return accountsIn(lines.map((line) => line.replace(/(?:^|\s)#.*/, "")).join("\n"), terminalLine(path));
}

function readBounded(path: string): string {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(MOST_BYTES + 1);
    let length = 0;
    for (let read = 1; read > 0 && length <= MOST_BYTES; length += read)
      read = readSync(file, buffer, length, buffer.length - length, null);
    if (length > MOST_BYTES)
      throw new UsageError(`--accounts: ${terminalLine(path)} has more than ${MOST_BYTES} bytes`);
    return buffer.toString("utf8", 0, length);
  } finally {
    closeSync(file);
  }
}

/** Also as AWS's tools write lists: JSON, tabs, and 1111-2222-3333. */
function accountsIn(text: string, where: string): readonly string[] {
  const words = text.split(/[\s,;[\]"']+/).filter((word) => word !== "");
  const accounts = words.map((word) => (/^\d{4}-\d{4}-\d{4}$/.test(word) ? word.replaceAll("-", "") : word));
  const wrong = accounts.filter((account) => !isAccountId(account));
  if (wrong.length > 0) {
    const more = wrong.length > 1 ? `, as are ${wrong.length - 1} more` : "";
    throw new UsageError(
      `${where}: ${printable(wrong[0]!, 40)} is no account id${more}`,
      "account ids have 12 digits, leading zeros included",
    );
  }
  if (accounts.length === 0) throw new UsageError(`${where} names no account`, "account ids have 12 digits");
  return accounts;
}
