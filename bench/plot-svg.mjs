// @ts-check
/**
 * Figures of the bench as one SVG that needs nothing else: ours beside stock for every row with a goal, on logarithmic
 * scales.
 */
import { goalText, number } from "./figures.mjs";
import { circumstances, escaped, LINE, MARGIN, page, text, wrapped } from "./svg.mjs";

/**
 * @typedef {import("./svg.mjs").Evaluated} Evaluated
 * @typedef {import("./svg.mjs").Figures} Figures
 * @typedef {{ readonly section: string, readonly row: Evaluated }} Plotted
 * @typedef {(value: number) => number} Scale
 */

/** Where bars begin and end, and where the values beside them stand. */
const [FROM, TO, VALUES] = [380, 780, 792];
const BAR = 12;
/** Characters that surely fit left of the bars. */
const LABEL_CHARACTERS = 54;

const LIGHT = ".ours { fill: #0b62c4 } .stock { fill: #ffffff; stroke: #6e7781 } .goal { stroke: #b35900 }";
const DARK = ".ours { fill: #58a6ff } .stock { fill: #0d1117; stroke: #9198a1 } .goal { stroke: #f0a04b }";

const UNITS = /** @type {Record<string, string>} */ ({ ms: "milliseconds", us: "microseconds", MiB: "mebibytes" });

/** The figure of ours with which a goal is just met. @param {Evaluated} row @param {Evaluated["goals"][number]} goal */
function threshold({ stock }, { of, value }) {
  if (of === "ours") return value;
  if (stock === undefined) return undefined;
  return of === "ratio" ? stock.median * value : stock.median / value;
}

/** @param {readonly Plotted[]} plotted */
function decades(plotted) {
  const values = plotted.flatMap(({ row }) => [
    row.ours.median,
    row.stock?.median,
    ...row.goals.map((goal) => threshold(row, goal)),
  ]);
  const logs = values
    .filter((value) => value !== undefined && value > 0)
    .map((value) => Math.log10(/** @type {number} */ (value)));
  if (logs.length === 0) return { low: 0, high: 1 };
  // A bar of the least value shall be seen, too.
  const low = Math.floor(Math.min(...logs) - 0.2);
  return { low, high: Math.max(Math.ceil(Math.max(...logs)), low + 1) };
}

/** @param {string} unit @param {readonly Plotted[]} plotted @param {number} top */
function panel(unit, plotted, top) {
  const { low, high } = decades(plotted);
  /** @type {Scale} */
  const at = (value) => (value <= 0 ? FROM : FROM + ((Math.log10(value) - low) / (high - low)) * (TO - FROM));
  const more = plotted.some(({ row }) => row.goals.some(({ of, bound }) => of !== "speedup" && bound === "at least"));
  /** @type {string[]} */
  const body = [];
  let y = top + 30;
  let section;
  for (const { section: title, row } of plotted) {
    if (title !== section)
      for (const line of wrapped(title, 130)) body.push(text(MARGIN, (y += LINE + 3), line, "faint section"));
    section = title;
    const drawn = rowOf(row, unit, at, y + 8);
    body.push(drawn.svg);
    y = drawn.bottom;
  }
  const every = Math.ceil((high - low) / 8);
  const grid = Array.from({ length: Math.floor((high - low) / every) + 1 }, (_, index) => low + index * every).map(
    (power) => {
      const x = at(10 ** power).toFixed(1);
      return `<line class="grid" x1="${x}" x2="${x}" y1="${top + 28}" y2="${y}"/>${text(Number(x), top + 22, number(10 ** power), "faint middle")}`;
    },
  );
  const head = text(MARGIN, top + 22, `${UNITS[unit] ?? unit}, ${more ? "more" : "less"} is better`, "unit");
  return { svg: `<g>${head}${grid.join("")}\n${body.join("\n")}</g>`, bottom: y + 14 };
}

/** @param {Evaluated} row @param {string} unit @param {Scale} at @param {number} top */
function rowOf(row, unit, at, top) {
  const labels = [
    ...wrapped(row.what, LABEL_CHARACTERS).map((line) => ({ line, style: "" })),
    ...row.goals.map((goal) => ({ line: `goal ${goalText(goal, unit)}`, style: "faint" })),
  ];
  const bars = [
    ["ours", row.ours, "imds-guard"],
    ["stock", row.stock, "stock SDK"],
  ].flatMap(([style, figure, name], index) => {
    if (typeof figure !== "object")
      return [text(VALUES, top + index * (BAR + 3) + BAR - 2, "stock: no such figure", "faint")];
    const shown = `${number(figure.median)} ${unit}`;
    const y = top + index * (BAR + 3);
    const width = Math.max(at(figure.median) - FROM, 2).toFixed(1);
    const tip = `<title>${escaped(`${name}: ${shown}, from ${number(figure.min)} to ${number(figure.max)} in ${number(figure.samples)} samples`)}</title>`;
    return [
      `<rect class="${String(style)}" x="${FROM}" y="${y}" width="${width}" height="${BAR}">${tip}</rect>${text(VALUES, y + BAR - 2, shown, index === 0 ? "" : "faint")}`,
    ];
  });
  const goals = row.goals.flatMap((goal) => {
    const value = threshold(row, goal);
    if (value === undefined || value <= 0) return [];
    const x = at(value).toFixed(1);
    return [`<line class="goal" stroke-width="2" x1="${x}" x2="${x}" y1="${top - 2}" y2="${top + BAR + 2}"/>`];
  });
  const lines = labels.map(({ line, style }, index) => text(MARGIN + 8, top + BAR - 2 + index * LINE, line, style));
  const height = Math.max(labels.length * LINE, bars.length * (BAR + 3));
  return { svg: `<g class="row">${lines.join("")}${bars.join("")}${goals.join("")}</g>`, bottom: top + height + 2 };
}

/**
 * Sections with points are drawn as curves: see `curves-svg.mjs`. @param {Figures} figures @returns {readonly
 * Plotted[]}
 */
export function barsOf({ sections }) {
  const plain = sections.filter(({ rows }) => rows.every(({ point }) => point === undefined));
  return plain.flatMap(({ title, rows }) =>
    rows.filter((row) => row.goals.length > 0).map((row) => ({ section: title, row })),
  );
}

/** @param {Figures} figures @returns {string} */
export function plot(figures) {
  const plotted = barsOf(figures);
  if (plotted.length === 0) throw new Error("none of these figures has a goal");
  return page({
    title: "imds-guard beside the stock AWS SDK",
    about: `${circumstances(figures)} Medians; each unit has a logarithmic scale of its own.`,
    light: LIGHT,
    dark: DARK,
    below(top) {
      let y = top + 36;
      const legend = [
        `<rect class="ours" x="${MARGIN}" y="${y - 21}" width="28" height="${BAR}"/>`,
        text(MARGIN + 36, y - 11, "imds-guard"),
        `<rect class="stock" x="150" y="${y - 21}" width="28" height="${BAR}"/>`,
        text(186, y - 11, "stock SDK, or Node.js without the preload"),
        `<line class="goal" stroke-width="2" x1="470" x2="470" y1="${y - 23}" y2="${y - 7}"/>`,
        text(480, y - 11, "the goal, for imds-guard"),
      ];
      const panels = [...new Set(plotted.map(({ row }) => row.unit))].map((unit) => {
        const drawn = panel(
          unit,
          plotted.filter(({ row }) => row.unit === unit),
          y,
        );
        y = drawn.bottom;
        return drawn.svg;
      });
      return { parts: [...legend, ...panels], bottom: y };
    },
  });
}
