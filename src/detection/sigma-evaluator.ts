/** Compiles the Sigma rules that judge one record at a time. */
import type { LogRecord, RecordSource } from "./log-record.js";
import { parseCondition } from "./sigma-condition.js";
import type { Condition } from "./sigma-condition.js";
import { compileField, join, keywords } from "./sigma-field.js";
import type { Matcher } from "./sigma-field.js";
import type { Literals } from "./sigma-literals.js";
import { eitherOf } from "./sigma-literals.js";
import type { DetectionRule, FieldMap, LogSource, Search } from "./sigma-rule.js";

/** A rule ready to be asked. */
export interface CompiledRule {
  readonly rule: DetectionRule;
  /** Whether the record satisfies the condition. Does not look at the log source; never throws. */
  readonly matches: (record: LogRecord) => boolean;
  /** What the line of every matching record contains. */
  readonly literals: Literals;
  /** Names of the fields that the rule looks at, without modifiers. */
  readonly fields: readonly string[];
}

/**
 * Compiles a rule of the subset of Sigma 2.1.0 that the shipped rules use: field maps, lists of maps, keywords,
 * wildcards, the modifiers contains, startswith, endswith, all, cased, re (i, m, s), cidr, exists, fieldref, neq, gt,
 * gte, lt and lte, and the whole condition language. Comparison ignores the case of ASCII letters unless `cased` or
 * `re` says otherwise.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for anything outside the subset
 */
export function compileRule(rule: DetectionRule): CompiledRule {
  const searches = new Map<string, Matcher>();
  const fields = new Set<string>();
  for (const [name, search] of Object.entries(rule.detection)) {
    if (name !== "condition") searches.set(name, compileSearch(search as Search, fields));
  }
  const condition = parseCondition(rule.detection.condition, [...searches.keys()]);
  const { test, literals } = compileCondition(condition, searches);
  return { rule, matches: test, literals, fields: [...fields] };
}

/** Whether a rule for `wanted` reads records of `found`: everything that the rule names has to be the same. */
export function readsFrom(wanted: LogSource, found: RecordSource): boolean {
  return (
    (wanted.category === undefined || wanted.category === found.category) &&
    (wanted.product === undefined || wanted.product === found.product) &&
    (wanted.service === undefined || wanted.service === found.service)
  );
}

function compileSearch(search: Search, fields: Set<string>): Matcher {
  if (!isList(search)) return compileMap(search, fields);
  return join(
    search.map((item) => (typeof item === "object" ? compileMap(item, fields) : keywords([item], false))),
    false,
  );
}

function isList(search: Search): search is readonly (FieldMap | string | number)[] {
  return Array.isArray(search);
}

function compileMap(map: FieldMap, fields: Set<string>): Matcher {
  const matchers = Object.entries(map).map(([key, value]) => {
    const field = key.split("|")[0]!;
    if (field !== "") fields.add(field);
    return compileField(key, value);
  });
  return join(matchers, true);
}

function compileCondition(condition: Condition, searches: ReadonlyMap<string, Matcher>): Matcher {
  if (condition.kind === "search") return searches.get(condition.name)!;
  if (condition.kind === "not") {
    const { test } = compileCondition(condition.of, searches);
    return { test: (record) => !test(record), literals: undefined };
  }
  return join(
    condition.of.map((part) => compileCondition(part, searches)),
    condition.kind === "all",
  );
}

/** What the line of a record contains if any of the rules matches it. */
export function literalsOfAny(rules: readonly Pick<CompiledRule, "literals">[]): Literals {
  return eitherOf(rules.map(({ literals }) => literals));
}
