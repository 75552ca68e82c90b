// @ts-check
/** Keeps a corpus small: an input stays only for what no smaller one reaches. */
import { shrink } from "./shrink.mjs";

/** Most files of a corpus, and most bytes together. */
export const MOST_FILES = 40;
export const MOST_BYTES = 64 * 1_024;
const SHRINKING_RUNS = 60;

/**
 * @param {object} job
 * @param {import("./explore.mjs").Run} job.run
 * @param {{ take: () => number[] }} job.coverage
 * @param {readonly Buffer[]} job.seeds always there, so nothing is kept for what they reach
 * @param {readonly Buffer[]} job.inputs
 * @param {(input: Buffer) => void} [job.onRun]
 * @returns {Promise<readonly Buffer[]>}
 */
export async function minimise({ run, coverage, seeds, inputs, onRun }) {
  /** @param {Buffer} input @returns {Promise<readonly (string | number)[]>} blocks, and the outcome */
  const reachedBy = async (input) => {
    onRun?.(input);
    try {
      const outcome = await run(input);
      return [...coverage.take(), ...(typeof outcome === "string" ? [outcome] : [])];
    } catch {
      // What breaks a promise belongs to the findings.
      coverage.take();
      return [];
    }
  };
  coverage.take();
  /** @type {Set<string | number>} */
  const reached = new Set();
  // Twice: what runs once in a process is not what an input is kept for.
  for (const seed of [...seeds, ...seeds]) for (const what of await reachedBy(seed)) reached.add(what);
  const candidates = [];
  for (const input of unique(inputs)) candidates.push({ input, reaches: await reachedBy(input) });
  candidates.sort((a, b) => a.input.length - b.input.length || Buffer.compare(a.input, b.input));

  /** @type {Buffer[]} */
  const kept = [];
  // Blocks first, so that outcomes take what room is left.
  for (const counts of [(/** @type {string | number} */ what) => typeof what === "number", () => true]) {
    for (const { input, reaches } of candidates) {
      const mine = reaches.filter((what) => counts(what) && !reached.has(what));
      if (mine.length === 0 || kept.length === MOST_FILES) continue;
      const small = await shrink(
        input,
        async (candidate) => {
          const now = await reachedBy(candidate);
          return mine.every((what) => now.includes(what));
        },
        SHRINKING_RUNS,
      );
      if (kept.reduce((sum, { length }) => sum + length, small.length) > MOST_BYTES) continue;
      for (const what of await reachedBy(small)) reached.add(what);
      kept.push(small);
    }
  }
  return kept;
}

/** @param {readonly Buffer[]} inputs */
function unique(inputs) {
  return [...new Map(inputs.map((input) => [input.toString("latin1"), input])).values()];
}
