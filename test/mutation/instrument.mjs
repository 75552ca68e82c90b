// @ts-check
/** Puts every mutant of a file into the file itself, each behind a switch, with the instrumenter of Stryker. */
import { readFileSync } from "node:fs";
import { Instrumenter } from "@stryker-mutator/instrumenter";

/**
 * @typedef {object} Mutant
 * @property {string} id
 * @property {string} fileName
 * @property {string} mutatorName
 * @property {string} replacement
 * @property {string} was what stands there in the source
 * @property {{ start: { line: number, column: number }, end: { line: number, column: number } }} location lines from 0,
 * as columns
 */

const silent = () => undefined;
const logger = {
  isTraceEnabled: () => false,
  isDebugEnabled: () => false,
  isInfoEnabled: () => false,
  isWarnEnabled: () => false,
  isErrorEnabled: () => false,
  isFatalEnabled: () => false,
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  fatal: silent,
};

/**
 * @param {readonly string[]} paths
 * @returns {Promise<{ sources: Record<string, string>, mutants: readonly Mutant[] }>} sources by path, still TypeScript
 */
export async function instrument(paths) {
  const instrumenter = new Instrumenter(logger);
  const files = paths.map((name) => ({ name, mutate: true, content: readFileSync(name, "utf8") }));
  const lines = new Map(files.map(({ name, content }) => [name, content.split("\n")]));
  const { files: made, mutants } = await instrumenter.instrument(files, {
    plugins: null,
    excludedMutations: [],
    ignorers: [],
  });
  return {
    sources: Object.fromEntries(made.map(({ name, content }) => [name, content])),
    mutants: mutants.map(({ id, fileName, mutatorName, replacement = "", location }) => ({
      id,
      fileName,
      mutatorName,
      replacement,
      was: textAt(lines.get(fileName) ?? [], location),
      location,
    })),
  };
}

/** @param {readonly string[]} lines @param {Mutant["location"]} location */
function textAt(lines, { start, end }) {
  const within = lines.slice(start.line, end.line + 1);
  // From the end, as the end may stand in the line of the start.
  within.push(within.pop()?.slice(0, end.column) ?? "");
  within[0] = within[0]?.slice(start.column) ?? "";
  return within.join("\n");
}
