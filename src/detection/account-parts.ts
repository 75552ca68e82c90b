/** Divides all key ids, or all account numbers, into parts that a rule each can judge. */
import { startOfKeyIds } from "../aws/access-key.js";

/** More accounts are split over several rules, each of which judges a part of all keys. */
export const MOST_ACCOUNTS_IN_RULE = 256;

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const DIGITS = "0123456789";

/** Parts of the letters behind `AKIA` and `ASIA`, with the starts of the keys of these accounts. */
export function partsByKey(accounts: readonly string[]): readonly Part[] {
  // The fifth letter of a key that tells its account is one of the upper half.
  return parts(accounts.map(startOfKeyIds), LETTERS, LETTERS.slice(16));
}

/** Parts of the numbers of all accounts, with these accounts. */
export function partsByNumber(accounts: readonly string[]): readonly Part[] {
  return parts(accounts, DIGITS, DIGITS);
}

/** What begins with one of the prefixes is judged by this part; `own` are the entries among it. */
export interface Part {
  readonly prefixes: readonly string[];
  readonly own: readonly string[];
  /** Whether there is no other. */
  readonly alone: boolean;
}

/** Parts whose prefixes together are the beginning of everything, with at most {@link MOST_ACCOUNTS_IN_RULE} entries each. */
function parts(entries: readonly string[], alphabet: string, firsts: string): readonly Part[] {
  if (entries.length <= MOST_ACCOUNTS_IN_RULE) return [{ prefixes: Array.from(firsts), own: entries, alone: true }];
  const leaves: { prefix: string; own: readonly string[] }[] = [];
  const divide = (prefix: string, own: readonly string[], letters: string): void => {
    for (const letter of letters) {
      const next = prefix + letter;
      const inside = own.filter((entry) => entry.startsWith(next));
      if (inside.length <= MOST_ACCOUNTS_IN_RULE) leaves.push({ prefix: next, own: inside });
      else divide(next, inside, alphabet);
    }
  };
  divide("", entries, firsts);
  const joined: { prefixes: string[]; own: string[] }[] = [];
  for (const { prefix, own } of leaves) {
    const last = joined.at(-1);
    if (last === undefined || last.own.length + own.length > MOST_ACCOUNTS_IN_RULE)
      joined.push({ prefixes: [prefix], own: [...own] });
    else {
      last.prefixes.push(prefix);
      last.own.push(...own);
    }
  }
  return joined.map((part) => ({ ...part, alone: false }));
}

/** Alternatives of a regular expression: single letters as a class. */
export function anyOf(texts: readonly string[]): string {
  const single = texts.filter((text) => text.length === 1).join("");
  const longer = texts.filter((text) => text.length > 1);
  if (longer.length === 0) return `[${single}]`;
  return `(?:${[...(single === "" ? [] : [`[${single}]`]), ...longer].join("|")})`;
}
