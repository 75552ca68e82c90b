// @ts-check
/** The figures of a mutation run as text. */
import { readFileSync } from "node:fs";
import { relative } from "node:path";

/**
 * @typedef {import("./instrument.mjs").Mutant} Mutant
 * @typedef {object} Outcome
 * @property {Map<string, string>} caught mutant -> the test that caught it
 * @property {Set<string>} reached by a test
 * @property {Set<string>} evaluated in a test that passed with the mutant
 * @property {Set<string>} loaded reached when a file was loaded
 * @property {{ doubtful: string, by: string }[]} doubtful
 * @property {string[]} unrepeatable tests
 * @property {string[]} spoilt tests that failed bare, after mutants of others
 * @property {{ broken: string, file: string, why: string }[]} broken
 * @typedef {{ name: string, mutants: number, caught: number, unreached: number, score: number }} Row
 */

/** @param {readonly Mutant[]} mutants @param {Outcome} outcome @param {string} root */
export function scores(mutants, outcome, root) {
  const path = (/** @type {Mutant} */ { fileName }) => relative(root, fileName);
  return {
    rooms: rows(mutants, outcome, (mutant) => path(mutant).split("/")[1] ?? ""),
    files: rows(mutants, outcome, path),
  };
}

/**
 * @param {readonly Mutant[]} mutants @param {Outcome} outcome @param {(mutant: Mutant) => string} nameOf @returns
 * {Row[]}
 */
function rows(mutants, outcome, nameOf) {
  const names = [...new Set(mutants.map(nameOf))];
  return names.map((name) => {
    const of = mutants.filter((mutant) => nameOf(mutant) === name);
    const caught = of.filter(({ id }) => outcome.caught.has(id)).length;
    return {
      name,
      mutants: of.length,
      caught,
      unreached: of.filter(({ id }) => !outcome.reached.has(id)).length,
      score: (100 * caught) / of.length,
    };
  });
}

/** @param {{ rooms: readonly Row[], files: readonly Row[] }} figures */
export function table({ rooms, files }) {
  const line = (/** @type {Row} */ { name, mutants, caught, unreached, score }) =>
    `${name.padEnd(40)} ${String(mutants).padStart(6)} ${String(caught).padStart(6)} ${String(unreached).padStart(9)} ${score.toFixed(1).padStart(6)} %`;
  return [
    `${"".padEnd(40)} ${"all".padStart(6)} ${"caught".padStart(6)} ${"unreached".padStart(9)}  score`,
    ...files.map(line),
    ...rooms.map(line),
  ].join("\n");
}

/**
 * Each mutant that lives, as its line and what became of it. @param {readonly Mutant[]} mutants @param {Outcome}
 * outcome @param {string} root
 */
export function survivors(mutants, outcome, root) {
  return mutants
    .filter(({ id }) => !outcome.caught.has(id))
    .map(({ id, fileName, location: { start, end }, mutatorName, replacement }) => {
      const lines = readFileSync(fileName, "utf8").split("\n");
      const was =
        start.line === end.line
          ? (lines[start.line] ?? "").slice(start.column, end.column)
          : `${(lines[start.line] ?? "").slice(start.column)} ...`;
      return `${relative(root, fileName)}:${start.line + 1}:${start.column + 1} ${mutatorName}${outcome.reached.has(id) ? "" : ", reached by no test"}\n  - ${was}\n  + ${replacement.replace(/\s+/g, " ").slice(0, 200)}`;
    })
    .join("\n");
}
