// @ts-check
/**
 * What the pictures of the bench have in common: text, the circumstances in words, and a page that knows both themes.
 */

/**
 * @typedef {import("./figures.mjs").Evaluated} Evaluated
 * @typedef {{ readonly node: string, readonly platform: string, readonly cpu: string, readonly cores: number }} Machine
 *
 * @typedef {object} Figures What `bench/run.mjs --json` writes.
 * @property {string} measured the day, ISO 8601
 * @property {Machine} machine
 * @property {boolean} namespaces
 * @property {readonly { readonly title: string, readonly rows: readonly Evaluated[] }[]} sections
 */

export const WIDTH = 960;
export const MARGIN = 24;
export const LINE = 15;

// Both themes are in the file: where it is shown as an image, no style of the page reaches it.
const LIGHT = `.page { fill: #ffffff } .grid { stroke: #d8dee4 }
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.faint { fill: #59636e } .head { font-size: 18px; font-weight: 600 } .unit { font-size: 14px; font-weight: 600 } .section { font-style: italic } .end { text-anchor: end } .middle { text-anchor: middle }`;
const DARK = `.page { fill: #0d1117 } .grid { stroke: #30363d }
text { fill: #e6edf3 } .faint { fill: #9198a1 }`;

const NUMBERS = [
  "no",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
  "ten",
  "eleven",
  "twelve",
];
const SYSTEMS = /** @type {Record<string, string>} */ ({
  linux: "Linux",
  darwin: "macOS",
  win32: "Windows",
  freebsd: "FreeBSD",
  openbsd: "OpenBSD",
});
const PROCESSORS = /** @type {Record<string, string>} */ ({ x64: "64-bit x86", arm64: "64-bit ARM" });

/** @param {string} line */
export const escaped = (line) =>
  line.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** When, and on what, as a sentence. @param {Figures} figures */
export function circumstances({ measured, machine, namespaces }) {
  const day = new Intl.DateTimeFormat("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  }).format(new Date(measured));
  const [system = "", processor = ""] = machine.platform.split(" ");
  const cores = `${NUMBERS[machine.cores] ?? machine.cores} ${machine.cores === 1 ? "core" : "cores"}`;
  const where = namespaces ? "in network namespaces" : "on loopback, without network namespaces";
  return `Measured on ${day} with Node.js ${machine.node.replace(/^v/, "")} under ${SYSTEMS[system] ?? system}, ${cores} of a ${PROCESSORS[processor] ?? processor} processor (${machine.cpu}), ${where}.`;
}

/** @param {string} line @param {number} most @returns {string[]} */
export function wrapped(line, most) {
  const lines = [""];
  for (const word of line.split(" ")) {
    const last = lines.length - 1;
    const longer = lines[last] === "" ? word : `${lines[last]} ${word}`;
    if (longer.length <= most || lines[last] === "") lines[last] = longer;
    else lines.push(word);
  }
  return lines;
}

/** @param {number} x @param {number} y @param {string} line @param {string} [style] */
export function text(x, y, line, style) {
  return `<text x="${x}" y="${y}"${style ? ` class="${style}"` : ""}>${escaped(line)}</text>`;
}

/**
 * The whole file. `below` is drawn under the title and the lines that say what it is; it is told where that begins.
 *
 * @param {{ title: string, about: string, light: string, dark: string, below: (top: number) => { parts: readonly
 * string[], bottom: number } }} page
 */
export function page({ title, about, light, dark, below }) {
  const said = wrapped(about, 140);
  const { parts, bottom } = below(40 + said.length * LINE);
  const height = bottom + 10;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title about">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="about">${escaped(about)}</desc>`,
    `<style>\n${LIGHT}\n${light}\n@media (prefers-color-scheme: dark) {\n${DARK}\n${dark}\n}\n</style>`,
    `<rect class="page" width="${WIDTH}" height="${height}"/>`,
    text(MARGIN, 34, title, "head"),
    ...said.map((line, index) => text(MARGIN, 54 + index * LINE, line, "faint")),
    ...parts,
    "</svg>\n",
  ].join("\n");
}
