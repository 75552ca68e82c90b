// @ts-check
/** How the demo looks: plain words in 80 columns, colour only where a person watches a terminal, or where FORCE_COLOR asks for it. */

const WIDTH = 80;
const LABEL = 16;
const LEFT = 30;
const RIGHT = WIDTH - LABEL - LEFT - 4;
const FORCED = process.env["FORCE_COLOR"] !== undefined && process.env["FORCE_COLOR"] !== "0";
const COLOURED =
  FORCED || (process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined && process.env["TERM"] !== "dumb");

/** @typedef {"bad" | "good" | "quiet" | "strong"} Tone */
/** @typedef {string | { text: string, tone: Tone }} Cell */

const CODES = { bad: 31, good: 32, quiet: 2, strong: 1 };

/** @param {string} text @param {Tone | undefined} tone */
function paint(text, tone) {
  return COLOURED && tone !== undefined ? `\u001b[${CODES[tone]}m${text}\u001b[0m` : text;
}

/** @param {string} text @param {number} width @returns {string[]} */
function wrap(text, width) {
  /** @type {string[]} */
  const lines = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    // Only a word that is longer than a line is broken.
    for (const piece of word.match(new RegExp(`.{1,${width}}`, "g")) ?? [""]) {
      if (line !== "" && line.length + 1 + piece.length > width) {
        lines.push(line);
        line = piece;
      } else {
        line = line === "" ? piece : `${line} ${piece}`;
      }
    }
  }
  return [...lines, line];
}

/** @param {string} text */
export function title(text) {
  process.stdout.write(`\n${paint(text, "strong")}\n${"-".repeat(Math.min(text.length, WIDTH))}\n`);
}

/** @param {string} text @param {Tone} [tone] */
export function paragraph(text, tone) {
  for (const line of wrap(text, WIDTH)) process.stdout.write(`${paint(line, tone)}\n`);
}

/** A fact with a name, below a table. @param {string} name @param {string} text @param {Tone} [tone] */
export function fact(name, text, tone) {
  wrap(text, WIDTH - LABEL - 2).forEach((line, index) => {
    process.stdout.write(`${(index === 0 ? name : "").padEnd(LABEL)}  ${paint(line, tone)}\n`);
  });
}

/** The two chains side by side. @param {readonly (readonly [label: string, stock: Cell, guarded: Cell])[]} rows */
export function sideBySide(rows) {
  /** @type {readonly (readonly [string, Cell, Cell])[]} */
  const all = [["", { text: "stock SDK chain", tone: "strong" }, { text: "guarded chain", tone: "strong" }], ...rows];
  for (const [label, left, right] of all) {
    const [l, r] = [left, right].map((cell) => (typeof cell === "string" ? { text: cell, tone: undefined } : cell));
    const lefts = wrap(l?.text ?? "", LEFT);
    const rights = wrap(r?.text ?? "", RIGHT);
    for (let index = 0; index < Math.max(lefts.length, rights.length); index += 1) {
      const cells = [
        (index === 0 ? label : "").padEnd(LABEL),
        paint((lefts[index] ?? "").padEnd(LEFT), l?.tone),
        paint(rights[index] ?? "", r?.tone),
      ];
      process.stdout.write(`${cells.join("  ").trimEnd()}\n`);
    }
  }
}
