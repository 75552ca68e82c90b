/** The rules that judge one record at a time, ready to be asked, with the networks in which their matches are expected. */
import type { LogRecord, RecordSource } from "./log-record.js";
import type { Wanted } from "./prefilter.js";
import { compileRule, readsFrom } from "./sigma-evaluator.js";
import type { CompiledRule } from "./sigma-evaluator.js";
import { isDetectionRule } from "./sigma-rule.js";
import type { DetectionRule, LogSource, SigmaRule } from "./sigma-rule.js";
import { withSuppression } from "./suppression.js";
import type { Suppression } from "./suppression.js";

/** Rules to ask. */
export interface RuleSet {
  /** The rules that match, and whether one would have but for the networks that are expected to ask. */
  readonly match: (record: LogRecord) => { readonly matched: readonly CompiledRule[]; readonly suppressed: boolean };
  /** What a line has to hold for a rule to match, or `undefined` where that is not known of all of them. */
  readonly wanted: () => readonly Wanted[] | undefined;
}

interface Entry {
  readonly compiled: CompiledRule;
  /** Without the filter for networks, where there is one. */
  readonly unfiltered: CompiledRule | undefined;
}

/** Different log sources whose rules are remembered; the names come from the log. */
const MOST_SOURCES = 256;

/** @throws TypeError with code `ERR_INVALID_ARG_VALUE` for rules or suppression that cannot be used */
export function createRuleSet(rules: readonly SigmaRule[], suppress: Suppression): RuleSet {
  const entries = rules.filter(isDetectionRule).map((rule): Entry => {
    const filtered = withSuppression(rule, suppress);
    return { compiled: compileRule(filtered), unfiltered: filtered === rule ? undefined : compileRule(rule) };
  });
  const bySource = new Map<string, readonly Entry[]>();

  function entriesFor(source: RecordSource): readonly Entry[] {
    const key = `${source.category ?? ""}|${source.product ?? ""}|${source.service ?? ""}`;
    let found = bySource.get(key);
    if (found === undefined) {
      found = entries.filter(({ compiled }) => readsFrom(compiled.rule.logsource, source));
      if (bySource.size < MOST_SOURCES) bySource.set(key, found);
    }
    return found;
  }

  return {
    match(record) {
      const matched: CompiledRule[] = [];
      let suppressed = false;
      for (const { compiled, unfiltered } of entriesFor(record.source)) {
        if (compiled.matches(record)) matched.push(compiled);
        else if (unfiltered?.matches(record) === true) suppressed = true;
      }
      return { matched, suppressed };
    },
    wanted() {
      const wanted: Wanted[] = [];
      for (const { compiled } of entries) {
        if (compiled.literals === undefined) return undefined;
        wanted.push({ texts: compiled.literals, alsoNeeded: alsoNeededBy(compiled.rule) });
      }
      return wanted;
    },
  };
}

/**
 * What every record has that a rule of this log source reads, whichever format it is in: texts that are common in other
 * logs need not be looked at there.
 */
const ALSO_NEEDED: readonly (readonly [source: LogSource, bytes: readonly string[]])[] = [
  // The columns of TSV have no names in their lines. Without its quotes: a search that begins with one stops at each.
  [{ product: "zeek", service: "ssl" }, ["server_name", "sni", "\t"]],
  [{ product: "aws", service: "cloudtrail" }, ["eventSource"]],
];

function alsoNeededBy(rule: DetectionRule): readonly string[] | undefined {
  return shortPart(rule) ?? ALSO_NEEDED.find(([source]) => readsFrom(source, rule.logsource))?.[1];
}

/** Conditions under which a match is one of `selection`. */
const SELECTION_ALONE = /^selection(?: and not (?:(?:1|all) of )?[\w*]+)*$/;
/** What every writer of JSON leaves as it is, and case folding within ASCII. */
const PLAIN = /^[ -!#-)+->@-[\]-~]{2,7}$/;
/** Each doubles the ways in which a text is written. */
const MOST_LETTERS = 3;

/** A text too short to be searched for that every match contains: one that the only selection asks for. In any case. */
function shortPart({ detection }: DetectionRule): readonly string[] | undefined {
  const { selection } = detection;
  if (typeof selection !== "object" || Array.isArray(selection)) return undefined;
  if (!SELECTION_ALONE.test(detection.condition)) return undefined;
  for (const [key, value] of Object.entries(selection)) {
    if (!/^[^|]+\|contains$/.test(key) || typeof value !== "string" || !PLAIN.test(value)) continue;
    if (value.replace(/[^a-z]/gi, "").length <= MOST_LETTERS) return inEveryCase(value);
  }
  return undefined;
}

function inEveryCase(text: string): readonly string[] {
  return Array.from(text).reduce<readonly string[]>(
    (prefixes, char) => {
      const cases = [...new Set([char.toLowerCase(), char.toUpperCase()])];
      return prefixes.flatMap((start) => cases.map((one) => start + one));
    },
    [""],
  );
}
