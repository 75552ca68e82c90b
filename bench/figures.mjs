// @ts-check
/** Samples to figures: medians, spreads, ratios, goals, and the table they are printed as. */

/**
 * @typedef {object} Goal
 * @property {"ours" | "ratio" | "speedup"} of `ratio` is ours by stock, `speedup` is stock by ours
 * @property {"at most" | "at least"} bound
 * @property {number} value
 *
 * @typedef {object} Row What was measured, ours beside the stock SDK's.
 * @property {string} what
 * @property {string} unit
 * @property {readonly number[]} ours
 * @property {readonly number[]} [stock]
 * @property {readonly Goal[]} [goals]
 * @property {string} [note]
 * @property {Point} [point] where it stands in a picture of curves
 *
 * @typedef {object} Point
 * @property {string} chart
 * @property {string} along what `x` counts
 * @property {number} x
 * @property {string} line
 *
 * @typedef {object} Extent How much is measured.
 * @property {boolean} short fewer points and runs, to see that it works
 * @property {boolean} large what takes minutes, too
 *
 * @typedef {object} Section
 * @property {string} title
 * @property {readonly Row[]} rows
 */

/** @param {number} value @returns {Goal} */
export const oursAtMost = (value) => ({ of: "ours", bound: "at most", value });
/** @param {number} value @returns {Goal} */
export const oursAtLeast = (value) => ({ of: "ours", bound: "at least", value });
/** @param {number} value @returns {Goal} */
export const ratioAtMost = (value) => ({ of: "ratio", bound: "at most", value });
/** @param {number} value @returns {Goal} */
export const ratioAtLeast = (value) => ({ of: "ratio", bound: "at least", value });
/** @param {number} value @returns {Goal} */
export const speedupAtLeast = (value) => ({ of: "speedup", bound: "at least", value });

/** @param {readonly number[]} samples */
export function median(samples) {
  const sorted = samples.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** A row with everything that follows from its samples. @param {Row} row */
export function evaluate(row) {
  const ours = summary(row.ours);
  const stock = row.stock === undefined ? undefined : summary(row.stock);
  const ratio = stock === undefined || stock.median === 0 ? undefined : ours.median / stock.median;
  const goals = (row.goals ?? []).map((goal) => {
    const value =
      goal.of === "ours" ? ours.median : goal.of === "ratio" ? ratio : ratio === undefined ? undefined : 1 / ratio;
    const met = value === undefined ? undefined : goal.bound === "at most" ? value <= goal.value : value >= goal.value;
    return { ...goal, met };
  });
  return {
    what: row.what,
    unit: row.unit,
    ours,
    stock,
    ratio,
    goals,
    ...(row.note !== undefined && { note: row.note }),
    ...(row.point !== undefined && { point: row.point }),
  };
}

/** @typedef {ReturnType<typeof evaluate>} Evaluated */

/** @param {readonly number[]} samples */
function summary(samples) {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), samples: samples.length };
}

/** Three significant digits, thousands grouped. @param {number} value */
export function number(value) {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return Number(value.toPrecision(3)).toString();
}

/** @param {ReturnType<typeof summary> | undefined} figure */
function shown(figure) {
  if (figure === undefined) return "-";
  const { median: middle, min, max, samples } = figure;
  return samples === 1 || min === max ? number(middle) : `${number(middle)} (${number(min)}-${number(max)})`;
}

/** A goal and what became of it. @param {Evaluated["goals"][number]} goal @param {string} unit */
export function goalText({ of, bound, value, met }, unit) {
  const sign = bound === "at most" ? "<=" : ">=";
  const what =
    of === "ours" ? `${sign} ${number(value)} ${unit}` : of === "ratio" ? `${sign} ${value} x` : `${value} x faster`;
  return `${what}: ${met === undefined ? "not measured" : met ? "met" : "MISSED"}`;
}

/** @param {number | undefined} ratio */
function ratioText(ratio) {
  if (ratio === undefined) return "-";
  return ratio > 0 && ratio < 0.05 ? `1/${number(Math.round(1 / ratio))}` : `${number(Number(ratio.toFixed(3)))} x`;
}

/** @param {string} title @param {readonly Evaluated[]} rows @returns {string} */
export function table(title, rows) {
  const head = ["", "unit", "imds-guard", "stock SDK", "ours/stock", "goal"];
  const lines = rows.map((row) => [
    row.what,
    row.unit,
    shown(row.ours),
    shown(row.stock),
    ratioText(row.ratio),
    row.goals.map((goal) => goalText(goal, row.unit)).join("; "),
  ]);
  const widths = head.map((name, column) => Math.max(...[head, ...lines].map((line) => (line[column] ?? name).length)));
  const format = (/** @type {string[]} */ line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  const notes = rows.filter((row) => row.note !== undefined).map((row) => `  ${row.what}: ${row.note}`);
  return [title, format(head), ...lines.map(format), ...notes, ""].join("\n");
}
