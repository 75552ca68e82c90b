// @ts-check
/**
 * Draws figures of the bench as docs/bench.svg.
 *
 *   npm run bench -- --json bench-figures.json && npm run bench:plot
 *   npm run bench:plot -- FIGURES.json PICTURE.svg
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { plot } from "./plot-svg.mjs";

const { positionals: [figures = "bench-figures.json", picture = "docs/bench.svg"] } = parseArgs({ allowPositionals: true });
let text;
try {
  text = readFileSync(figures, "utf8");
} catch (error) {
  process.stderr.write(`${figures} cannot be read (${/** @type {NodeJS.ErrnoException} */ (error).code}); npm run bench -- --json ${figures} writes it\n`);
  process.exit(2);
}
const svg = plot(JSON.parse(text));
mkdirSync(dirname(picture), { recursive: true });
writeFileSync(picture, svg);
process.stdout.write(`${picture}: ${(svg.length / 1024).toFixed(1)} KiB\n`);
