/** The last resort: an address of a metadata service in a field of any record. */
import { isImdsAddress } from "../base/addresses.js";
import { address, usualTime } from "./log-fields.js";
import type { Fields, LogRecord } from "./log-record.js";

/** Fields that are looked at, of a record that somebody may have made large. */
const MOST_LEAVES = 4_096;
const DEEPEST = 12;

/** Where in a record a value stands. */
export interface Leaf {
  /** Names joined by dots; elements of lists have the name of their list. */
  readonly name: string;
  readonly value: string | number | boolean;
}

/** The values of a record that are no objects, the first few thousand of them. */
export function leavesOf(fields: unknown): readonly Leaf[] {
  const leaves: Leaf[] = [];
  const visit = (value: unknown, name: string, depth: number): void => {
    if (leaves.length >= MOST_LEAVES || depth > DEEPEST) return;
    if (Array.isArray(value)) for (const element of value) visit(element, name, depth + 1);
    else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) visit(inner, name === "" ? key : `${name}.${key}`, depth + 1);
    } else if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      leaves.push({ name, value });
  };
  visit(fields, "", 0);
  return leaves;
}

const DESTINATION =
  /(?:^|[._\- ])(?:d(?:st|est|addr|ip)|dest(?:ination)?|remote|server|resp|target|upstream|peer|to|host(?:name)?)|daddr|dst|^server|RemoteIP|Destination/i;
const SOURCE =
  /(?:^|[._\- ])(?:s(?:rc|addr|ip)|source|client|local|orig|from|caller)|saddr|src|^client|LocalIP|Source/i;

/**
 * The record in which a field holds nothing but an address of a metadata service (with a port, brackets or a prefix
 * length, at most), or `undefined`. `named` are the fields that do; `src_ip` and `dst_ip` are guessed from their names.
 */
export function genericRecord(fields: Fields, text: string): LogRecord | undefined {
  const leaves = leavesOf(fields);
  const named = leaves.filter(({ value }) => typeof value === "string" && holdsAddress(value));
  if (named.length === 0) return undefined;
  const other = leaves.filter(({ value }) => typeof value === "string" && isOtherAddress(value));
  const answered = named.every(({ name }) => SOURCE.test(name) && !DESTINATION.test(name));
  const own = String(address(named[0]!.value));
  const peer = (other.find(({ name }) => (answered ? DESTINATION : SOURCE).test(name)) ?? other[0])?.value;
  const found = {
    named: [...new Set(named.map(({ name }) => name))].slice(0, 16),
    [answered ? "src_ip" : "dst_ip"]: own,
    [answered ? "dst_ip" : "src_ip"]: peer === undefined ? undefined : String(address(peer)),
  };
  return {
    source: { category: "generic" },
    fields: { ...Object.fromEntries(named.map(({ name, value }) => [name, value])), ...found },
    text,
    time: usualTime(fields),
  };
}

function holdsAddress(value: string): boolean {
  return value.length <= 80 && isImdsAddress(String(address(value)));
}

function isOtherAddress(value: string): boolean {
  const bare = String(address(value));
  return (
    value.length <= 80 &&
    (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(bare) || /^[0-9a-f]{1,4}:[0-9a-f:.]{2,}$/i.test(bare)) &&
    !isImdsAddress(bare)
  );
}
