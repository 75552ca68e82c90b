// @ts-check
/** Which mutants a run tries: all, a sample that is the same each time, or what an earlier run has not caught. */
import { createHash } from "node:crypto";
import { relative } from "node:path";

/** @typedef {import("./instrument.mjs").Mutant} Mutant */

/**
 * What makes a mutant the same one in another run, in another folder: its file, place, what stood there and what stands
 * there instead. A number is given anew each time.
 *
 * @param {Mutant} mutant @param {string} root of the package
 */
export function nameOf({ fileName, mutatorName, replacement, was, location: { start } }, root) {
  return JSON.stringify([relative(root, fileName), start.line, start.column, mutatorName, was, replacement]);
}

/**
 * So many of a hundred, told by their names: the same ones each time, whatever else is tried.
 *
 * @param {readonly Mutant[]} mutants @param {number} percent @param {string} root
 */
export function sampled(mutants, percent, root) {
  const drawn = (/** @type {Mutant} */ mutant) =>
    createHash("sha256").update(nameOf(mutant, root)).digest().readUInt32BE() / 2 ** 32;
  return percent === 100 ? mutants : mutants.filter((mutant) => drawn(mutant) * 100 < percent);
}

/**
 * By their number, with the test: those that an earlier run has caught. Tests were added since, or the run was not the
 * whole one; where a test was taken away or weakened this is not to be used.
 *
 * @param {readonly Mutant[]} mutants @param {{ name: string, caughtBy?: string }[]} earlier @param {string} root
 */
export function caughtEarlier(mutants, earlier, root) {
  const caught = new Map(earlier.flatMap(({ name, caughtBy }) => (caughtBy === undefined ? [] : [[name, caughtBy]])));
  return new Map(
    mutants.flatMap((mutant) => {
      const by = caught.get(nameOf(mutant, root));
      return by === undefined ? [] : [[mutant.id, by]];
    }),
  );
}
