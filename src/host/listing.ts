/** What the one command that an operating system is asked lists, as facts. */
import type { CommandResult, System } from "../base/system.js";
import { type Fact, type SmbiosField, textFact, unreadable } from "./facts.js";
import type { HostEvidenceKind } from "./report.js";

/** Every command asked is a local listing that takes milliseconds. */
const COMMAND_TIMEOUT_MS = 2000;

/** Names and values as a command listed them. A name listed twice has two values. */
export type Listing = ReadonlyMap<string, readonly string[]>;

/** Name and value of the lines that match `pattern`, its two groups. */
export function listingOf(text: string, pattern: RegExp): Listing {
  return listing(
    text.split("\n").flatMap((line) => {
      const [, name, value] = pattern.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/** Collects `name, value` pairs without losing a repeated name. */
export function listing(pairs: Iterable<readonly [name: string, value: string]>): Listing {
  const map = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const values = map.get(name);
    if (values === undefined) map.set(name, [value]);
    else values.push(value);
  }
  return map;
}

/** The one command of an operating system that lists what the firmware told it. */
export interface Lister {
  readonly kind: HostEvidenceKind;
  readonly command: string;
  readonly args: readonly string[];
  /** What it is called where it failed. */
  readonly called: string;
  readonly parse: (stdout: string) => Listing;
  /** What the sources have in front of their names. Default nothing. */
  readonly within?: string;
}

/** Runs a lister and reads `names` (field -> name, which is looked up in lower case) as facts. */
export async function readListed<Field extends SmbiosField>(
  system: System,
  { kind, command, args, called, parse, within = "" }: Lister,
  names: Readonly<Record<Field, string>>,
): Promise<Record<Field, Fact>> {
  const result = await runListing(system, command, args);
  const values = result.kind === "output" ? parse(result.stdout) : undefined;
  const facts = Object.entries<string>(names).map(([field, name]) => [
    field,
    result.kind === "failed"
      ? unreadable(kind, within + name, `${called}: ${result.reason}`)
      : listedFact(kind, within + name, values?.get(name.toLowerCase())),
  ]);
  return Object.fromEntries(facts) as Record<Field, Fact>;
}

/** One name of a listing as a fact. A name with several values cannot be read as any of them. */
function listedFact(kind: HostEvidenceKind, source: string, values: readonly string[] | undefined): Fact {
  const [value, ...more] = values ?? [];
  if (value === undefined) return { kind, source, status: "absent" };
  if (more.some((other) => other !== value)) return unreadable(kind, source, "listed with different values");
  return textFact(kind, source, value);
}

/** Runs the one command of an operating system. A program that cannot even be started is one more way of failing. */
export async function runListing(system: System, command: string, args: readonly string[]): Promise<CommandResult> {
  try {
    return await system.run(command, args, COMMAND_TIMEOUT_MS);
  } catch (error) {
    // Starting a program may throw, e.g. ERR_ACCESS_DENIED under Node's permission model.
    return { kind: "failed", reason: (error as NodeJS.ErrnoException).code ?? "not started" };
  }
}
