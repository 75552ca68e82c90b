// @ts-check
/** The figures of a run as lines for people. */

/**
 * @typedef {object} Result
 * @property {string} target
 * @property {number} executions
 * @property {number} perSecond
 * @property {number} reached blocks
 * @property {number} blocks
 * @property {readonly { source: string, reached: number, blocks: number, missed: readonly number[] }[]} sources
 * `missed` are lines of the compiled file
 * @property {number} outcomes
 * @property {{ files: number, bytes: number }} corpus
 * @property {number} added
 * @property {number} slowestMs
 * @property {readonly { kind: string, message: string, path: string }[]} findings
 */

const share = (/** @type {number} */ part, /** @type {number} */ whole) =>
  `${part} of ${whole} (${whole === 0 ? 100 : Math.floor((100 * part) / whole)} %)`;

const COLUMNS = ["target", "inputs", "a second", "blocks reached", "outcomes", "corpus", "new", "slowest", "findings"];

/** @param {Result} result */
const cellsOf = ({ target, executions, perSecond, reached, blocks, outcomes, corpus, added, slowestMs, findings }) => [
  target,
  executions.toLocaleString("en"),
  perSecond.toLocaleString("en"),
  share(reached, blocks),
  String(outcomes),
  `${corpus.files} (${Math.ceil(corpus.bytes / 1_024)} KiB)`,
  String(added),
  `${Math.round(slowestMs)} ms`,
  findings.length === 0 ? "-" : String(findings.length),
];

/** @param {readonly Result[]} results */
export function table(results) {
  const rows = [COLUMNS, ...results.map(cellsOf)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const findings = results.flatMap(({ target, findings }) =>
    findings.map(({ kind, message, path }) => `\n${target}: ${kind}, ${path}\n${message.replace(/^/gm, "  ")}\n`),
  );
  return `${lines.join("\n")}\n${findings.join("")}`;
}

/** @param {readonly Result[]} results */
export function summary(results) {
  const sum = (/** @type {(result: Result) => number} */ of) =>
    results.reduce((total, result) => total + of(result), 0);
  return `${sum(({ executions }) => executions).toLocaleString("en")} inputs to ${results.length} targets, ${share(
    sum(({ reached }) => reached),
    sum(({ blocks }) => blocks),
  )} blocks reached, ${sum(({ findings }) => findings.length)} findings`;
}
