// @ts-check
/** Which blocks of some source files ran: the block coverage of V8, as Node.js gives it. */
import { Session } from "node:inspector";

/**
 * @typedef {object} CoveredFile
 * @property {string} name
 * @property {string} url
 * @property {readonly number[]} blocks where they begin, ascending
 *
 * @typedef {{ readonly startOffset: number, readonly endOffset: number, readonly count: number }} Range
 */

/**
 * Counts from now on, in this thread. Has to be called before the files are loaded: what was compiled before is not
 * counted. Blocks are numbered through all files.
 *
 * @param {readonly CoveredFile[]} files
 */
export function startCoverage(files) {
  const session = new Session();
  session.connect();
  /** Answers come at once. @param {string} method @param {object} [parameters] @returns {any} */
  const ask = (method, parameters = {}) => {
    /** @type {any} */
    let answer;
    session.post(method, parameters, (error, result) => {
      if (error) throw error;
      answer = result;
    });
    return answer;
  };
  ask("Profiler.enable");
  ask("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  let first = 0;
  const numbered = new Map(
    files.map(({ url, blocks }) => [url, { blocks, first: (first += blocks.length) - blocks.length }]),
  );

  return {
    total: first,
    /** The blocks that ran since the last call. @returns {number[]} */
    take() {
      /** @type {number[]} */
      const reached = [];
      for (const { url, functions } of ask("Profiler.takePreciseCoverage").result) {
        const file = numbered.get(url);
        if (file === undefined) continue;
        reachedIn(
          file.blocks,
          functions.flatMap((/** @type {{ ranges: Range[] }} */ { ranges }) => ranges),
          (index) => reached.push(file.first + index),
        );
      }
      return reached;
    },
    stop() {
      ask("Profiler.stopPreciseCoverage");
      session.disconnect();
    },
  };
}

/**
 * Of two ranges that hold a block the inner one counts; a function that did not run is a range of its own.
 *
 * @param {readonly number[]} blocks
 * @param {readonly Range[]} ranges
 * @param {(index: number) => void} onReached
 */
export function reachedIn(blocks, ranges, onReached) {
  const nested = ranges.toSorted((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  /** @type {Range[]} */
  const open = [];
  let next = 0;
  for (const [index, block] of blocks.entries()) {
    for (let range = nested[next]; range !== undefined && range.startOffset <= block; range = nested[++next]) {
      while (open.length > 0 && /** @type {Range} */ (open.at(-1)).endOffset <= range.startOffset) open.pop();
      open.push(range);
    }
    while (open.length > 0 && /** @type {Range} */ (open.at(-1)).endOffset <= block) open.pop();
    if ((open.at(-1)?.count ?? 0) > 0) onReached(index);
  }
}
