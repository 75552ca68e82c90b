// @ts-check
/**
 * Draws figures of the bench: those with a goal as docs/bench.svg, the cost curves as docs/bench-curves.svg. A picture
 * that the figures have nothing for is left as it is.
 *
 *   npm run bench -- --json bench-figures.json && npm run bench:plot
 *   npm run bench:plot -- FIGURES.json PICTURE.svg CURVES.svg
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { chartsOf, plotCurves } from "./curves-svg.mjs";
import { barsOf, plot } from "./plot-svg.mjs";

const {
  positionals: [file = "bench-figures.json", picture = "docs/bench.svg", curves = "docs/bench-curves.svg"],
} = parseArgs({ allowPositionals: true });
let text;
try {
  text = readFileSync(file, "utf8");
} catch (error) {
  process.stderr.write(
    `${file} cannot be read (${/** @type {NodeJS.ErrnoException} */ (error).code}); npm run bench -- --json ${file} writes it\n`,
  );
  process.exit(2);
}
const figures = JSON.parse(text);
if (barsOf(figures).length > 0) write(picture, plot(figures));
if (chartsOf(figures).length > 0) write(curves, plotCurves(figures));

/** @param {string} path @param {string} svg */
function write(path, svg) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, svg);
  process.stdout.write(`${path}: ${(svg.length / 1024).toFixed(1)} KiB\n`);
}
