/**
 * The quick look at raw bytes that decides which lines are worth parsing. It never passes over a line that a rule
 * matches.
 */
import { createLineSearch } from "./line-search.js";
import type { LogFormat } from "./log-formats.js";
import { literalsOfAny } from "./sigma-evaluator.js";
import type { CompiledRule } from "./sigma-evaluator.js";

/** Says where to look. */
export interface Prefilter {
  /** Position inside the first line in `from`..`to` that has to be read, or -1. */
  readonly next: (buffer: Buffer, from: number, to: number) => number;
}

/**
 * A prefilter for lines of `format` and the rules that read it, or `undefined` when each line has to be read because a
 * rule has no text that every match contains.
 */
export function createPrefilter(format: LogFormat, rules: readonly CompiledRule[]): Prefilter | undefined {
  const literals = literalsOfAny(rules);
  if (literals === undefined) return undefined;
  const search = createLineSearch([...literals, ...format.headers]);
  if (!format.escapes) return search;
  return {
    // In windows of whole lines, ever wider: either search alone might go far, and go there again from each line that
    // the other stops at.
    next(buffer, from, to) {
      for (let start = from, width = FIRST_WINDOW; start < to; width *= 2) {
        const newline = start + width < to ? buffer.indexOf(NEWLINE, start + width) : -1;
        const end = newline === -1 ? to : Math.min(newline + 1, to);
        const found = search.next(buffer, start, end);
        const escaped = nextEscape(buffer, start, found === -1 ? end : found);
        if (found !== -1 || escaped !== -1) return escaped === -1 ? found : escaped;
        start = end;
      }
      return -1;
    },
  };
}

/** Bytes; a few lines. */
const FIRST_WINDOW = 1_024;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;

/**
 * The first escape behind which a plain character may hide: of JSON `\u0061` and `\/`, of Zeek `\x61`. The other
 * escapes of JSON stand for characters that no text of the search contains.
 */
function nextEscape(buffer: Buffer, from: number, to: number): number {
  // Searching the part alone: a search of the whole buffer would go on behind `to`.
  const part = buffer.subarray(from, to);
  for (let at = part.indexOf(BACKSLASH); at !== -1; at = part.indexOf(BACKSLASH, at + 2)) {
    const kind = part[at + 1];
    if (kind === 0x75 || kind === 0x78 || kind === 0x2f) return from + at;
  }
  return -1;
}
