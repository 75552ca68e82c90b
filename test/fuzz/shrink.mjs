// @ts-check
/** Makes an input smaller as long as it does what it is kept for. */

/**
 * Leaves out ever smaller pieces.
 *
 * @param {Buffer} input
 * @param {(candidate: Buffer) => Promise<boolean>} stillDoes
 * @param {number} runs at most
 * @returns {Promise<Buffer>}
 */
export async function shrink(input, stillDoes, runs) {
  let best = input;
  let left = runs;
  for (let size = best.length >> 1; size >= 1 && left > 0; size >>= 1) {
    for (let at = 0; at < best.length && left > 0;) {
      const candidate = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      left--;
      if (await stillDoes(candidate)) best = candidate;
      else at += size;
    }
  }
  return best;
}
