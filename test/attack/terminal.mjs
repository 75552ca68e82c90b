// @ts-check
/** The matrix in a terminal: a line for each kind of attack, a column for each door, and what was missed. */
import { KINDS } from "./catalogue.mjs";
import { ENTRIES } from "./entries.mjs";
import { isLeak } from "./judge.mjs";

/** @typedef {import("./judge.mjs").Cell} Cell @typedef {ReturnType<typeof import("./judge.mjs").goalsOf>} Goals */

const COLOURED =
  process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined && process.env["TERM"] !== "dumb";
const MOST_MISSED = 40;

const paint = (/** @type {number} */ code, /** @type {string} */ text) =>
  COLOURED ? `\u001b[${code}m${text}\u001b[0m` : text;

/** Held of all, where held means: refused, or nothing but what is the instance's own. @param {readonly Cell[]} cells */
function held(cells) {
  const good = cells.filter(
    ({ status }) => status === "refused" || status === "rightful" || status === "conceded",
  ).length;
  return cells.length === 0 ? "-" : `${good}/${cells.length}`;
}

/** @param {readonly Cell[]} cells */
function fallen(cells) {
  const count = (/** @type {(cell: Cell) => boolean} */ which) => cells.filter(which).length;
  const parts = [
    [count(isLeak), "took"],
    [count(({ status }) => status === "hang"), "hung"],
    [count(({ status }) => status === "memory"), "memory"],
  ];
  return (
    parts
      .filter(([number]) => Number(number) > 0)
      .map(([number, what]) => `${number} ${what}`)
      .join(", ") || "none"
  );
}

/**
 * @param {readonly { name: string, kind: string }[]} attacks @param {readonly { name: string, ec2: boolean }[]} hosts
 * @param {readonly Cell[]} cells @param {readonly Cell[]} stock
 */
export function matrix(attacks, hosts, cells, stock) {
  const doors = [...ENTRIES.map(({ name }) => name), "probe"];
  const ec2 = new Set(hosts.filter((host) => host.ec2).map(({ name }) => name));
  const lines = [["kind", "attacks", "stock SDK", "where", ...doors]];
  for (const kind of KINDS) {
    const of = cells.filter((cell) => cell.kind === kind);
    const side = (/** @type {boolean} */ on) =>
      doors.map((door) => held(of.filter((cell) => cell.entry === door && ec2.has(cell.host) === on)));
    lines.push([
      kind,
      String(attacks.filter((attack) => attack.kind === kind).length),
      fallen(stock.filter((cell) => cell.kind === kind)),
      "off EC2",
      ...side(false),
    ]);
    lines.push(["", "", "", "on EC2", ...side(true)]);
  }
  const genuine = cells.filter(({ kind }) => kind === "genuine");
  lines.push([
    "genuine",
    "",
    "",
    "on EC2",
    ...doors.map((door) => held(genuine.filter(({ entry }) => entry === door))),
  ]);
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length))) ?? [];
  const text = lines.map((line) =>
    line
      .map((word, column) => word.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${text.map((line, index) => (index === 0 ? paint(1, line) : line)).join("\n")}\n\nHeld of all cells: refused with an event, or given nothing but what is the instance's own. The stock SDK is asked once for each attack.
${cells.filter(({ status }) => status === "conceded").length} cells are conceded: the victim's settings ask for no proof, and what it was told then is not held against it.\n`;
}

/** @param {Goals} goals */
export function goalLines(goals) {
  return `${goals.map(({ what, value, met, of }) => `${met ? paint(32, "met   ") : paint(31, "MISSED")}  ${String(value).padStart(4)} of ${of}  ${what}`).join("\n")}\n`;
}

/** @param {Goals} goals */
export function missedLines(goals) {
  const lines = goals.flatMap(({ what, missed }) =>
    missed
      .slice(0, MOST_MISSED)
      .map(
        (cell) =>
          `  ${what}: ${cell.attack} on ${cell.host} through ${cell.entry}: ${cell.status} ${cell.code ?? ""} ${Math.round(cell.ms)} ms, ${((cell.growth ?? 0) / 2 ** 20).toFixed(1)} MiB [${cell.events.join(", ")}]`,
      ),
  );
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}
