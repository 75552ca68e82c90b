// @ts-check
/** Random numbers that a seed repeats. */

/** @typedef {ReturnType<typeof createRandom>} Random */

/**
 * Tommy Ettinger's mulberry32: small, quick, and even enough to pick mutations. @param {number} seed a whole number
 * below 2 ** 32
 */
export function createRandom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  /** From 0 up to, not including, `limit`. @param {number} limit */
  const below = (limit) => Math.floor((next() / 2 ** 32) * limit);
  return {
    below,
    /** @param {number} from @param {number} to included */
    between: (from, to) => from + below(to - from + 1),
    /** One in so many. @param {number} many */
    oneIn: (many) => below(many) === 0,
    /** @template T @param {readonly T[]} list not empty @returns {T} */
    pick: (list) => /** @type {T} */ (list[below(list.length)]),
  };
}
