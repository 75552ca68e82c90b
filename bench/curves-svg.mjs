// @ts-check
/**
 * Cost curves of the bench as one SVG that needs nothing else: every row with a point, on scales that are logarithmic
 * both ways.
 */
import { number } from "./figures.mjs";
import { circumstances, escaped, LINE, MARGIN, page, text, WIDTH } from "./svg.mjs";

/**
 * @typedef {import("./svg.mjs").Figures} Figures
 * @typedef {import("./svg.mjs").Evaluated} Evaluated
 * @typedef {Evaluated["ours"]} Figure
 * @typedef {{ readonly name: string, readonly hue: number, readonly stock: boolean, readonly points: readonly {
 * readonly x: number, readonly figure: Figure }[] }} Line
 * @typedef {object} Chart
 * @property {string} title
 * @property {string} along
 * @property {string} unit
 * @property {readonly Line[]} lines
 */

const COLUMN = (WIDTH - 2 * MARGIN) / 2;
/** Of one chart: room for the values left of it and for the names of the lines right of it. */
const [LEFT, RIGHT, HEIGHT] = [66, 156, 190];
/** A title, a line that says what goes up and along, and the numbers below. */
const [ABOVE, BELOW] = [44, 46];
const LABEL_HEIGHT = 13;

/** One hue for a line of ours and that of the stock SDK beside it. */
const HUES = [
  ["#0b62c4", "#58a6ff"],
  ["#b35900", "#f0a04b"],
  ["#1a7f37", "#56d364"],
  ["#8250df", "#bc8cff"],
  ["#bf3989", "#f778ba"],
];
const styles = (/** @type {number} */ theme) =>
  HUES.map((hue, index) => `.c${index} { stroke: ${hue[theme]} } .d${index} { fill: ${hue[theme]} }`).join(" ");
const LIGHT = `path { fill: none } .stock { stroke-dasharray: 5 4 } .key { stroke: #59636e } .axis { stroke: #818b98 }\n${styles(0)}`;
const DARK = `.key { stroke: #9198a1 } .axis { stroke: #656c76 }\n${styles(1)}`;

/** Charts in the order in which their first rows come. @param {Figures} figures @returns {readonly Chart[]} */
export function chartsOf({ sections }) {
  const rows = sections
    .flatMap((section) => section.rows)
    .flatMap((row) => (row.point === undefined ? [] : [{ ...row, point: row.point }]));
  return [...new Set(rows.map(({ point }) => point.chart))].map((title) => {
    const own = rows.filter(({ point }) => point.chart === title);
    const lines = [...new Set(own.map(({ point }) => point.line))].flatMap((name, index) => {
      const points = own
        .filter(({ point }) => point.line === name)
        .toSorted((left, right) => left.point.x - right.point.x);
      const line = (/** @type {boolean} */ stock) => ({
        name: stock ? `stock, ${name}` : name,
        hue: index % HUES.length,
        stock,
        points: points.flatMap(({ point: { x }, ours, stock: beside }) =>
          stock ? (beside === undefined ? [] : [{ x, figure: beside }]) : [{ x, figure: ours }],
        ),
      });
      return [line(false), line(true)].filter(({ points: kept }) => kept.length > 0);
    });
    return {
      title,
      along: own[0]?.point.along ?? "",
      unit: [...new Set(own.map(({ unit }) => unit))].join(" or "),
      lines,
    };
  });
}

/**
 * A scale from `from` to `to`, in whole powers of ten. What is not above zero has no logarithm and is drawn at `from`,
 * where a line of its own is kept free for it.
 *
 * @param {readonly number[]} values @param {number} from @param {number} to
 */
function decadesOf(values, from, to) {
  const logs = values.filter((value) => value > 0).map(Math.log10);
  const low = logs.length === 0 ? 0 : Math.floor(Math.min(...logs) + 1e-9);
  const high = logs.length === 0 ? 1 : Math.max(Math.ceil(Math.max(...logs) - 1e-9), low + 1);
  const zero = values.some((value) => value <= 0);
  const start = zero ? from + (to - from) / (high - low + 1) : from;
  const at = (/** @type {number} */ value) =>
    value <= 0 ? from : start + ((Math.log10(value) - low) / (high - low)) * (to - start);
  return {
    at,
    ticks: [...(zero ? [0] : []), ...Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index))],
  };
}

/**
 * A scale from the least to the greatest of `values`, with a tick at each. @param {readonly number[]} values @param
 * {number} from @param {number} to
 */
function between(values, from, to) {
  const ticks = [...new Set(values)].toSorted((left, right) => left - right);
  const [low, high] = [Math.log10(ticks[0] ?? 1), Math.log10(ticks.at(-1) ?? 1)];
  return {
    at: (/** @type {number} */ value) =>
      high === low ? (from + to) / 2 : from + ((Math.log10(value) - low) / (high - low)) * (to - from),
    ticks,
  };
}

/**
 * Heights near `wanted` at which labels do not touch, in the same order. @param {readonly number[]} wanted @param
 * {number} bottom @returns {readonly number[]}
 */
export function apart(wanted, bottom) {
  const order = wanted.map((_, index) => index).toSorted((left, right) => (wanted[left] ?? 0) - (wanted[right] ?? 0));
  const placed = [...wanted];
  let last = -Infinity;
  for (const index of order) last = placed[index] = Math.max(placed[index] ?? 0, last + LABEL_HEIGHT);
  // What went too low pushes back up.
  let next = bottom + LABEL_HEIGHT;
  for (const index of order.toReversed()) next = placed[index] = Math.min(placed[index] ?? 0, next - LABEL_HEIGHT);
  return placed;
}

/** @param {Chart} chart @param {number} x @param {number} y */
function drawn({ title, along, unit, lines }, x, y) {
  const [left, right, top, bottom] = [x + LEFT, x + COLUMN - RIGHT, y + ABOVE, y + ABOVE + HEIGHT];
  const across = between(
    lines.flatMap(({ points }) => points.map((point) => point.x)),
    left,
    right,
  );
  const up = decadesOf(
    lines.flatMap(({ points }) => points.flatMap(({ figure }) => [figure.min, figure.median, figure.max])),
    bottom,
    top,
  );
  const place = (/** @type {number} */ value) => value.toFixed(1);
  const grid = [
    ...up.ticks.map(
      (tick) =>
        `<line class="grid" x1="${left}" x2="${right}" y1="${place(up.at(tick))}" y2="${place(up.at(tick))}"/>${text(left - 6, Number(place(up.at(tick) + 4)), number(tick), "faint end")}`,
    ),
    ...across.ticks.map(
      (tick) =>
        `<line class="grid" x1="${place(across.at(tick))}" x2="${place(across.at(tick))}" y1="${top}" y2="${bottom}"/>${text(Number(place(across.at(tick))), bottom + 16, short(tick), "faint middle")}`,
    ),
    `<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
  ];
  const names = apart(
    lines.map(({ points }) => up.at(points.at(-1)?.figure.median ?? 0)),
    bottom,
  );
  const curves = lines.map((line, index) => {
    const [hue, kind] = [`c${line.hue}`, line.stock ? " stock" : ""];
    const spots = line.points.map(({ x: along_, figure }) => ({
      at: { x: place(across.at(along_)), y: place(up.at(figure.median)) },
      along: along_,
      figure,
    }));
    const path = spots.map(({ at }, spot) => `${spot === 0 ? "M" : "L"}${at.x} ${at.y}`).join("");
    const marks = spots.map(({ at, along: along_, figure }) => {
      const spread =
        figure.max > figure.min
          ? `<line class="${hue}" opacity="0.45" x1="${at.x}" x2="${at.x}" y1="${place(up.at(figure.min))}" y2="${place(up.at(figure.max))}"/>`
          : "";
      const tip = `${line.name}, ${number(along_)} ${along}: ${number(figure.median)} ${unit}, from ${number(figure.min)} to ${number(figure.max)} in ${number(figure.samples)} samples`;
      return `${spread}<circle class="d${line.hue}" cx="${at.x}" cy="${at.y}" r="2.5"><title>${escaped(tip)}</title></circle>`;
    });
    const end = spots.at(-1)?.at ?? { x: "0", y: "0" };
    const beside = Number(place(names[index] ?? 0));
    const lead = `<line class="${hue}" opacity="0.45" x1="${end.x}" x2="${right + 8}" y1="${end.y}" y2="${beside}"/>`;
    return `<g class="curve"><path class="${hue}${kind}" stroke-width="1.8" d="${path}"/>${marks.join("")}${lead}${text(right + 11, beside + 4, line.name, `d${line.hue}`)}</g>`;
  });
  const head = `${text(x, y + 16, title, "unit")}${text(x, y + 32, unit, "faint")}${text(left, bottom + 32, along, "faint")}`;
  return `<g class="chart">${head}${grid.join("")}\n${curves.join("\n")}</g>`;
}

/** As a tick: 100,000 is 100k. @param {number} value */
function short(value) {
  return value >= 1_000 && value % 1_000 === 0 ? `${value / 1_000}k` : number(value);
}

/** @param {Figures} figures @returns {string} */
export function plotCurves(figures) {
  const charts = chartsOf(figures);
  if (charts.length === 0) throw new Error("none of these figures is a point of a curve");
  return page({
    title: "What imds-guard costs by how much it has to do",
    about: `${circumstances(figures)} Medians, with least and most as a stroke; all scales are logarithmic.`,
    light: LIGHT,
    dark: DARK,
    below(top) {
      const key = top + 12;
      const legend = [
        `<line class="key" stroke-width="1.8" x1="${MARGIN}" x2="${MARGIN + 28}" y1="${key}" y2="${key}"/>`,
        text(MARGIN + 36, key + 4, "imds-guard"),
        `<line class="key stock" stroke-width="1.8" x1="150" x2="178" y1="${key}" y2="${key}"/>`,
        text(186, key + 4, "stock SDK in the same situation"),
      ];
      const height = ABOVE + HEIGHT + BELOW;
      const first = key + LINE + 6;
      // Down the left column, then down the right one: what belongs together comes one after the other.
      const rows = Math.ceil(charts.length / 2);
      const parts = charts.map((chart, index) =>
        drawn(chart, MARGIN + Math.floor(index / rows) * COLUMN, first + (index % rows) * height),
      );
      return { parts: [...legend, ...parts], bottom: first + rows * height };
    },
  });
}
