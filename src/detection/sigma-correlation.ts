/** Evaluates correlation rules over the matches of other rules, with a bounded memory. */
import { createHash } from "node:crypto";
import { invalidArgument } from "../base/errors.js";
import { detached } from "../base/text.js";
import { fieldOf } from "./log-record.js";
import type { LogRecord } from "./log-record.js";
import type { CorrelationRule, DetectionRule } from "./sigma-rule.js";

/** A correlation that has come about. */
export interface Correlated {
  readonly rule: CorrelationRule;
  /** Field or alias -> the value that the matches share. */
  readonly group: Readonly<Record<string, string>>;
  /** Matches, different values or different rules, as the type of the rule counts. */
  readonly count: number;
}

/** Takes matches in any order and says which correlations each completes. */
export interface Correlator {
  readonly add: (rule: DetectionRule, record: LogRecord) => readonly Correlated[];
  /** Groups that were forgotten to stay within the limit, least recently seen first. */
  readonly forgotten: () => number;
  /** Matches that could not take part: their record has no time or lacks a field of the group. */
  readonly unplaced: () => number;
  /** Matches that are held at the moment. */
  readonly held: () => number;
}

/** Limits of the memory, for each correlation rule. */
export interface CorrelatorLimits {
  /** Default 10,000. */
  readonly groups?: number | undefined;
}

interface Match {
  readonly time: number;
  /** Which of the joined rules. */
  readonly rule: number;
  readonly value: string;
}

interface Compiled {
  readonly rule: CorrelationRule;
  readonly span: number;
  /** Name or id of a joined rule -> its position and the fields of its group, in the order of `group-by`. */
  readonly joined: ReadonlyMap<string, { readonly index: number; readonly fields: readonly string[] }>;
  readonly valueField: string | undefined;
  /** What is counted once however often it occurs; `undefined` where every match counts. */
  readonly keyOf: ((match: Match) => unknown) | undefined;
  readonly reached: (matches: readonly Match[]) => number | undefined;
  readonly groups: Map<string, Match[]>;
}

/** A group keeps its newest matches only; it has to be enough for the counts of the rules. */
const MATCHES_KEPT = 1_024;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Prepares correlation rules of the types event_count, value_count, temporal and temporal_ordered. Time is that of the
 * records. A group that has come about starts anew, so that a lasting state is told once for each time it is reached.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for a rule outside the subset: conditions other than `gt`, `gte`
 *   and `eq` cannot be known before the time is over
 */
export function createCorrelator(
  rules: readonly CorrelationRule[],
  { groups: mostGroups = 10_000 }: CorrelatorLimits = {},
): Correlator {
  const compiled = rules.map(compile);
  let forgotten = 0;
  let unplaced = 0;

  function addTo(correlation: Compiled, rule: DetectionRule, record: LogRecord): Correlated | undefined {
    const joined = correlation.joined.get(rule.name ?? rule.id) ?? correlation.joined.get(rule.id);
    if (joined === undefined) return undefined;
    const values = joined.fields.map((field) => textOf(fieldOf(record.fields, field)));
    const value = correlation.valueField === undefined ? "" : textOf(fieldOf(record.fields, correlation.valueField));
    if (record.time === undefined || value === undefined || values.includes(undefined)) {
      unplaced++;
      return undefined;
    }
    const key = JSON.stringify(values);
    const matches = correlation.groups.get(key) ?? [];
    // Taken out and put back, so that the first key of the map is the one that was not seen for longest.
    correlation.groups.delete(key);
    const match = { time: record.time, rule: joined.index, value };
    insert(matches, match);
    // What has newly come about has come about with this match, so that nothing further away than the time is looked
    // at.
    const [from, to] = [
      firstFrom(matches, match.time - correlation.span),
      firstAfter(matches, match.time + correlation.span),
    ];
    const near = matches.slice(from, to);
    const count = correlation.reached(near);
    if (count !== undefined) {
      const group = Object.fromEntries(
        correlation.rule.correlation["group-by"].map((name, index) => [name, values[index]!]),
      );
      return { rule: correlation.rule, group, count };
    }
    const { keyOf } = correlation;
    if (keyOf !== undefined) matches.splice(from, near.length, ...thinned(near, keyOf(match), keyOf, correlation.span));
    correlation.groups.set(key, matches);
    if (correlation.groups.size > mostGroups) {
      correlation.groups.delete(correlation.groups.keys().next().value!);
      forgotten++;
    }
    return undefined;
  }

  return {
    add: (rule, record) =>
      compiled.map((correlation) => addTo(correlation, rule, record)).filter((found) => found !== undefined),
    forgotten: () => forgotten,
    unplaced: () => unplaced,
    held: () =>
      compiled.reduce(
        (sum, { groups }) => [...groups.values()].reduce((count, matches) => count + matches.length, sum),
        0,
      ),
  };
}

function compile(rule: CorrelationRule): Compiled {
  const { type, rules, aliases, timespan, condition, "group-by": groupBy } = rule.correlation;
  const span = /^(\d{1,6})([smhd])$/.exec(timespan);
  if (span === null) throw invalidArgument("timespan", timespan, "a number followed by s, m, h or d");
  const spanMs = Number(span[1]) * UNITS[span[2]!]!;
  const valueField = type === "value_count" ? String(condition["field"]) : undefined;
  if (type === "value_count" && typeof condition["field"] !== "string")
    throw invalidArgument("condition.field", condition["field"], "the name of a field");
  const joined = new Map(
    rules.map((name, index) => [name, { index, fields: groupBy.map((group) => aliases?.[group]?.[name] ?? group) }]),
  );
  const enough = threshold(condition);
  const keyOf =
    type === "value_count"
      ? (match: Match) => match.value
      : type === "temporal"
        ? (match: Match) => match.rule
        : undefined;
  const reached = (matches: readonly Match[]): number | undefined => {
    if (type === "temporal_ordered") return inOrder(matches, rules.length, spanMs) ? rules.length : undefined;
    const count = mostWithin(matches, spanMs, keyOf);
    if (type === "temporal") return count === rules.length ? count : undefined;
    return enough(count) ? count : undefined;
  };
  return { rule, span: spanMs, joined, valueField, keyOf, reached, groups: new Map() };
}

function threshold(condition: Readonly<Record<string, unknown>>): (count: number) => boolean {
  const tests = Object.entries(condition)
    .filter(([key]) => key !== "field")
    .map(([key, bound]) => {
      if (typeof bound !== "number" || bound > MATCHES_KEPT)
        throw invalidArgument(`condition.${key}`, bound, `a number up to ${MATCHES_KEPT}`);
      if (key === "gt") return (count: number) => count > bound;
      if (key === "gte") return (count: number) => count >= bound;
      if (key === "eq") return (count: number) => count === bound;
      throw invalidArgument("condition", key, "gt, gte, eq");
    });
  return (count) => tests.every((test) => test(count));
}

/** Keeps the matches in the order of time; logs of several files do not come in it. */
function insert(matches: Match[], match: Match): void {
  matches.splice(firstAfter(matches, match.time), 0, match);
  if (matches.length > MATCHES_KEPT) matches.shift();
}

/** Position of the first match at `time` or later. */
function firstFrom(matches: readonly Match[], time: number): number {
  return search(matches, (match) => match.time >= time);
}

/** Position of the first match later than `time`. */
function firstAfter(matches: readonly Match[], time: number): number {
  return search(matches, (match) => match.time > time);
}

/** Position of the first match for which `holds`; it holds for all that follow. */
function search(matches: readonly Match[], holds: (match: Match) => boolean): number {
  let [low, high] = [0, matches.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(matches[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Without the matches of `key` that have one of the same key before and one behind them, no further than `span` from
 * each other: a stretch that has the middle one alone fits between these two, and can as well reach from one to the
 * other.
 */
function thinned(
  matches: readonly Match[],
  key: unknown,
  keyOf: (match: Match) => unknown,
  span: number,
): readonly Match[] {
  const same = matches.filter((match) => keyOf(match) === key);
  const dropped = new Set<Match>();
  for (let at = same.length - 2; at > 0; at--) {
    if (same[at + 1]!.time - same[at - 1]!.time > span) continue;
    dropped.add(same[at]!);
    same.splice(at, 1);
  }
  return dropped.size === 0 ? matches : matches.filter((match) => !dropped.has(match));
}

/** The most matches, or different keys of matches, in any stretch of time as long as `span`. */
function mostWithin(matches: readonly Match[], span: number, keyOf?: (match: Match) => unknown): number {
  const counts = new Map<unknown, number>();
  let first = 0;
  let most = 0;
  for (const [last, match] of matches.entries()) {
    while (match.time - matches[first]!.time > span) {
      const key = keyOf?.(matches[first]!);
      const left = counts.get(key)! - 1;
      if (left === 0) counts.delete(key);
      else counts.set(key, left);
      first++;
    }
    const key = keyOf?.(match);
    counts.set(key, (counts.get(key) ?? 0) + 1);
    most = Math.max(most, keyOf === undefined ? last - first + 1 : counts.size);
  }
  return most;
}

/** Whether the rules matched one after the other within `span`. */
function inOrder(matches: readonly Match[], rules: number, span: number): boolean {
  // For each rule, the latest start of a sequence that has got as far as this rule.
  const starts = new Array<number>(rules).fill(-Infinity);
  for (const { time, rule } of matches) {
    starts[rule] = rule === 0 ? time : Math.max(starts[rule]!, starts[rule - 1]!);
    if (rule === rules - 1 && time - starts[rule] <= span) return true;
  }
  return false;
}

/** Longer values are kept by their beginning and a digest: a log must not choose how much memory a group takes. */
const LONGEST_VALUE = 256;

function textOf(value: unknown): string | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const text = String(value);
  const kept =
    text.length > LONGEST_VALUE
      ? `${text.slice(0, LONGEST_VALUE - 64)}...${createHash("sha256").update(text).digest("hex")}`
      : text;
  return detached(kept);
}
