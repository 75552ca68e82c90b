/** Options that several words of `imds-guard fleet` share, read once. */
import { isConfiguredRegion } from "../aws/region.js";
import { printable } from "../base/text.js";
import type { ExceptionTag } from "../fleet/instances.js";
import { readTag } from "../fleet/instances.js";
import { accountsOf } from "./account-list.js";
import type { OptionValues } from "./command.js";
import { textsOf, UsageError } from "./command.js";
import { wholeNumber } from "./numbers.js";

const DEFAULT_DAYS = 14;
/** CloudWatch keeps sums of an hour for 455 days. */
const MOST_DAYS = 455;
const MOST_RATE = 20;
const DEFAULT_RATE = 5;

/** What is looked at. */
export interface FleetScope {
  readonly regions: readonly string[] | "all";
  readonly accounts: readonly string[];
  readonly role: string | undefined;
  readonly days: number;
  readonly exceptionTag: ExceptionTag;
  readonly evidence: readonly string[];
  readonly profile: string | undefined;
}

/** @throws UsageError */
export function scopeOf(options: OptionValues): FleetScope {
  const regions = listOf(options, "regions");
  const wrong = regions.find((name) => !isConfiguredRegion(name));
  if (wrong !== undefined)
    throw new UsageError(`--regions names ${printable(wrong)}; allowed: names such as eu-central-1, or all`);
  if (regions.length === 0 && options["regions"] !== undefined)
    throw new UsageError("--regions names no region", "name regions, or all");
  return {
    regions: regions.length === 0 || regions.includes("all") ? "all" : regions,
    accounts: accountsOf(options) ?? [],
    role: roleOf(options["role"]),
    days: wholeNumber(options["days"], "days", 1, MOST_DAYS) ?? DEFAULT_DAYS,
    exceptionTag: tagOf(options["exception"]),
    evidence: textsOf(options, "evidence"),
    profile: textOf(options["profile"]),
  };
}

/** @throws UsageError */
export function rateOf(options: OptionValues): number {
  return wholeNumber(options["rate"], "rate", 1, MOST_RATE) ?? DEFAULT_RATE;
}

/** An option's text, if it was given. */
export function textOf(value: OptionValues[string]): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** @throws UsageError */
export function roleOf(value: OptionValues[string]): string | undefined {
  const role = textOf(value)?.replace(/^\//, "");
  if (role !== undefined && !/^[\w+=,.@/-]{1,576}$/.test(role))
    throw new UsageError(`--role is ${printable(role)}; allowed: the name of a role, with its path where it has one`);
  return role;
}

/** Words of an option that takes lists and may be repeated; empty ones are none. */
function listOf(options: OptionValues, name: string): readonly string[] {
  const words = textsOf(options, name).flatMap((text) => text.split(",").map((word) => word.trim()));
  return [...new Set(words.filter((word) => word !== ""))];
}

function tagOf(value: OptionValues[string]): ExceptionTag {
  if (typeof value !== "string") return { key: "IMDS", value: "v1" };
  const tag = readTag(value);
  if (tag === undefined) throw new UsageError(`--exception is ${printable(value)}; allowed: KEY=VALUE`);
  return tag;
}
