/**
 * Finds the next of several texts in a buffer of bytes, ignoring the case of ASCII letters (Wu and Manber's algorithm).
 */

/** A search that can be repeated on any buffer. */
export interface LineSearch {
  /** Position of a byte inside the first occurrence that ends before `to`, or -1. */
  readonly next: (buffer: Uint8Array, from: number, to: number) => number;
  /** Index of a text that the last occurrence is of, or begins like: the first one in the order given. */
  readonly found: () => number;
}

/**
 * Longer texts are searched for by their beginning: more would not let the search jump further, as the shortest text
 * limits the jumps.
 */
const LONGEST = 32;

/**
 * Prepares the search for `texts`, lower case and at least two characters each.
 *
 * The last two bytes of a window as wide as the shortest text say how far the window may move without passing an
 * occurrence; only where that is nowhere the texts themselves are compared.
 */
export function createLineSearch(texts: readonly string[]): LineSearch {
  const kept = withoutImplied(texts);
  const indexOf = kept.map((text) => texts.findIndex((other) => other.slice(0, LONGEST) === text));
  const needles = kept.map((text) => Uint8Array.from(text, (char) => char.charCodeAt(0)));
  let found = -1;
  const width = needles.reduce((least, needle) => Math.min(least, needle.length), LONGEST);
  if (needles.length === 0 || width < 2) throw new RangeError("texts of at least two characters are needed");
  const shifts = new Uint8Array(65_536).fill(width - 1);
  const endingAt = new Map<number, { needle: Uint8Array; index: number }[]>();
  for (const [index, needle] of needles.entries()) {
    for (let at = 1; at < width; at++) {
      for (const pair of casesOf(needle[at - 1]!, needle[at]!)) {
        shifts[pair] = Math.min(shifts[pair]!, width - 1 - at);
        if (at === width - 1) endingAt.set(pair, [...(endingAt.get(pair) ?? []), { needle, index: indexOf[index]! }]);
      }
    }
  }

  function occursAt(buffer: Uint8Array, start: number, to: number, pair: number): boolean {
    for (const { needle, index } of endingAt.get(pair)!) {
      if (start + needle.length > to) continue;
      let at = 0;
      while (at < needle.length && lower(buffer[start + at]!) === needle[at]!) at++;
      if (at < needle.length) continue;
      found = index;
      return true;
    }
    return false;
  }

  return {
    found: () => found,
    next(buffer, from, to) {
      let end = from + width - 1;
      while (end < to) {
        const pair = (buffer[end - 1]! << 8) | buffer[end]!;
        const shift = shifts[pair]!;
        if (shift > 0) {
          end += shift;
          continue;
        }
        if (occursAt(buffer, end - width + 1, to, pair)) return end;
        end++;
      }
      return -1;
    },
  };
}

/** Texts that contain another of the texts need no search of their own. */
function withoutImplied(texts: readonly string[]): readonly string[] {
  const all = [...new Set(texts.map((text) => text.slice(0, LONGEST)))];
  return all.filter((text) => !all.some((other) => other !== text && text.includes(other)));
}

function casesOf(first: number, second: number): readonly number[] {
  return bothCases(first).flatMap((a) => bothCases(second).map((b) => (a << 8) | b));
}

function bothCases(byte: number): readonly number[] {
  return byte >= 0x61 && byte <= 0x7a ? [byte, byte - 32] : [byte];
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
}
