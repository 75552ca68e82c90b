/** What a line must contain for a rule to match: the texts from which the quick search before parsing is built. */
import { foldCase } from "./log-record.js";

/**
 * Texts, in lower case, of which a matching line contains at least one (letters in any case, JSON escapes aside);
 * `undefined` when no such set is known, so that every line has to be read.
 */
export type Literals = readonly string[] | undefined;

/** Shorter texts are in nearly every line, so that searching for them would cost more than it saves. */
const SHORTEST = 4;

/** The longest part of `fixed` that stands in a log as it is: printable ASCII without what JSON escapes. */
export function literalOf(fixed: string): Literals {
  const parts = foldCase(fixed).split(/[^\x20-\x7e]|["\\]/);
  const longest = parts.reduce((best, part) => (part.length > best.length ? part : best), "");
  // A number has many spellings.
  return longest.length < SHORTEST || Number.isFinite(Number(longest)) ? undefined : [longest];
}

/** Either has to match: both sets, unless one is unknown. */
export function eitherOf(sets: readonly Literals[]): Literals {
  const known: string[] = [];
  for (const set of sets) {
    if (set === undefined) return undefined;
    known.push(...set);
  }
  return sets.length === 0 ? undefined : [...new Set(known)];
}

/** All have to match: the set that is best to search for, which is the one whose shortest text is longest. */
export function bestOf(sets: readonly Literals[]): Literals {
  let best: Literals;
  for (const set of sets) if (set !== undefined && (best === undefined || shortest(set) > shortest(best))) best = set;
  return best;
}

function shortest(set: readonly string[]): number {
  return set.reduce((least, text) => Math.min(least, text.length), Infinity);
}
