// @ts-check
/** What all processes of a run have found out, a line of JSON each. */
import { appendFileSync, readFileSync } from "node:fs";

/** @param {string} path @param {object} entry */
export function note(path, entry) {
  appendFileSync(path, `${JSON.stringify(entry)}\n`);
}

/**
 * Without the line that another process is just writing: what is in the middle of it may be seen in parts. @param
 * {string} path @returns {any[]}
 */
export function entriesOf(path) {
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}
