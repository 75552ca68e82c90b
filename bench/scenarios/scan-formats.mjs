// @ts-check
/** What a scan of lines and documents costs in which nothing is found, for each format: as it is, and where every line is parsed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtApart } from "../build-modules.mjs";
import { oursAtLeast } from "../figures.mjs";
import { LOGGED, writeFormatLog } from "../format-logs.mjs";
import { inTurns } from "../packages.mjs";
import { withPlace } from "../place.mjs";
import { LIFETIME_MS, SCANNER, SHIPPED } from "./scan.mjs";

const MB = 1e6;
/** Large enough that the start and the compilation of the code weigh little. */
const SIZE = 60 * MB;

/** @param {import("../figures.mjs").Extent} extent @returns {Promise<import("../figures.mjs").Section>} */
export async function scanFormats({ short }) {
  const size = short ? SIZE / 10 : SIZE;
  const { urls: modules, remove } = await builtApart(SCANNER);
  const work = mkdtempSync(join(tmpdir(), "imds-guard-bench-"));
  try {
    const file = join(work, "lines.log");
    const logs = LOGGED.map((format) => ({
      format,
      plain: /** @type {number[]} */ ([]),
      parsed: /** @type {number[]} */ ([]),
    }));
    await withPlace({ host: "laptop", network: "none", lifetimeMs: LIFETIME_MS }, async (place) => {
      for (const { format, plain, parsed } of logs) {
        writeFormatLog(file, format, size);
        await inTurns(
          short ? 1 : 3,
          [plain, parsed].map((samples) => async () => {
            const order = { modules, file, rules: SHIPPED, thorough: samples === parsed };
            const answer = await place.run("scan.mjs", order);
            if (answer.findings > 0) throw new Error(`${answer.findings} findings in lines of ${format}`);
            samples.push(answer.bytes / MB / answer.cpuSeconds);
          }),
        );
      }
    });
    return {
      title: `Scanning ${size / MB} MB in which nothing is found, by format (start and compilation included)`,
      rows: logs.flatMap(({ format, plain, parsed }) => [
        { what: format, unit: "MB/s", ours: plain, goals: [oursAtLeast(150)] },
        { what: `${format}, every line parsed`, unit: "MB/s", ours: parsed, goals: [oursAtLeast(20)] },
      ]),
    };
  } finally {
    rmSync(work, { recursive: true, force: true });
    remove();
  }
}
