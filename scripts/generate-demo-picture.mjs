// @ts-check
/**
 * Draws what `npm run demo` prints of an impersonated laptop as docs/demo.svg, colours included. Needs a system on which
 * the demo makes hosts of its own; with the demo's output on standard input, it draws that.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FIRST = "1. A laptop";
const NEXT = "2. An EC2";
const COLUMNS = 80;
const [CHARACTER, LINE, MARGIN] = [7.8, 18, 20];
/** Codes of the terminal (ECMA-48, select graphic rendition) as attributes; light on dark, readable on either page. */
const ATTRIBUTES = /** @type {Record<string, string>} */ ({
  1: 'fill="#ffffff" font-weight="bold"',
  2: 'fill="#9aa4b2"',
  31: 'fill="#ff8f8f"',
  32: 'fill="#7ee2a8"',
});

const printed = execFileSync(process.execPath, ["examples/demo/demo.mjs"], {
  cwd: ROOT,
  encoding: "utf8",
  env: { ...process.env, FORCE_COLOR: "1" },
});
const lines = printed.split("\n");
const plain = lines.map((line) => line.replace(/\u001b\[\d*m/g, ""));
const from = plain.findIndex((line) => line.startsWith(FIRST));
const to = plain.findIndex((line) => line.startsWith(NEXT));
if (from === -1 || to === -1) throw new Error("the demo did not print the hosts that are drawn: are there namespaces?");
const shown = ["\u001b[1m$ npm run demo\u001b[0m", "", ...lines.slice(from, to)];
while (shown.at(-1)?.trim() === "") shown.pop();

const width = Math.ceil(COLUMNS * CHARACTER + 2 * MARGIN);
const height = shown.length * LINE + 2 * MARGIN;
const text = shown.map((line, index) => {
  const spans = pieces(line).map(
    ({ words, code, column }) =>
      `<tspan x="${(MARGIN + column * CHARACTER).toFixed(1)}" ${ATTRIBUTES[code] ?? ""}>${escape(words)}</tspan>`,
  );
  return `<text y="${MARGIN + (index + 1) * LINE - 5}" xml:space="preserve">${spans.join("")}</text>`;
});
const title = "Output of npm run demo: the stock chain takes an impersonator's credentials, the guarded chain refuses";
writeFileSync(
  `${ROOT}docs/demo.svg`,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${title}">
<title>${title}</title>
<rect width="100%" height="100%" rx="8" fill="#10151f"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" fill="#dde3ec">
${text.join("\n")}
</g>
</svg>
`,
);

/** Runs of one colour, and the column at which each begins; every word is placed, so that no font moves a table. @param {string} line */
function pieces(line) {
  const found = [];
  let code = "";
  let column = 0;
  for (const part of line.split(/(\u001b\[\d*m)/)) {
    const sequence = /^\u001b\[(\d*)m$/.exec(part);
    if (sequence !== null) {
      code = sequence[1] ?? "";
      continue;
    }
    for (const match of part.matchAll(/\S+(?: \S+)*/g))
      found.push({ words: match[0], code, column: column + match.index });
    column += part.length;
  }
  return found;
}

/** @param {string} words */
function escape(words) {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
