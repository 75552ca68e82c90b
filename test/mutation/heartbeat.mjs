// @ts-check
/**
 * What a process of tests is at, in a file of its own: one that falls silent can be asked no more, and its neighbours
 * know nothing of it.
 */
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";

/**
 * @typedef {object} Beat
 * @property {"bare" | "again" | "mutant" | "check" | "between" | "end"} phase of a try of a test; `between` tests; at
 * the `end` of all
 * @property {string} test its full name without its file, "" where there is none
 * @property {string} mutant the one that is tried, or whose traces are looked for in `check`; "" where there is none
 * @property {number | undefined} [patienceMs] when the next one is due at the latest; undefined: as for all
 * @property {boolean} tried whether this process has tried a mutant yet, which may have left something broken behind
 */

/** Written whole or not at all: a process may be ended at any moment. @param {string} path @param {Beat} now */
export function beat(path, now) {
  const draft = `${path}.next`;
  writeFileSync(draft, JSON.stringify(now));
  renameSync(draft, path);
}

/** @param {string} path @returns {Beat | undefined} undefined before the first */
export function lastBeat(path) {
  const text = unlessMissing(() => readFileSync(path, "utf8"));
  return text === undefined ? undefined : JSON.parse(text);
}

/**
 * When the last one was, in nanoseconds since 1970, rounded by the file system. @param {string} path @returns {bigint |
 * undefined}
 */
export function lastBeatAt(path) {
  return unlessMissing(() => statSync(path, { bigint: true }).mtimeNs);
}

/** @template T @param {() => T} read @returns {T | undefined} */
function unlessMissing(read) {
  try {
    return read();
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT") return undefined;
    throw error;
  }
}
