// @ts-check
/** What a scan of a log costs by the size of the log and the number of rules. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtApart } from "../build-modules.mjs";
import { writeEveLog } from "../eve-log.mjs";
import { number } from "../figures.mjs";
import { inTurns } from "../packages.mjs";
import { withPlace } from "../place.mjs";

/** Not part of the public face, so it is built apart. */
export const SCANNER = ["scan", "log-stream", "log-formats", "sigma-evaluator", "sigma-rules"].map(
  (name) => `detection/${name}`,
);
const MB = 1e6;
const PROCESSES = 3;
/** Large logs on a slow machine. */
export const LIFETIME_MS = 1_800_000;
/** The package has 33; what is more are copies that look for other texts. */
export const SHIPPED = 33;
const RULES = [1, 2, 4, 8, 16, SHIPPED, 2 * SHIPPED, 4 * SHIPPED];
const FEW_RULES = [1, 8, SHIPPED];
/** So many lines are enough to tell them apart in a picture. */
const DRAWN = [1, 8, SHIPPED, 4 * SHIPPED];

/**
 * @typedef {object} Log
 * @property {number} megabytes
 * @property {boolean} thorough whether every line is parsed, as if each had a text that some rule looks for
 * @property {string} name
 */

/** @param {import("../figures.mjs").Extent} extent @returns {Promise<import("../figures.mjs").Section[]>} */
export async function scan({ short, large }) {
  const sizes = short ? [1, 10] : large ? [1, 10, 100, 400] : [1, 10, 100];
  const logs = [
    ...sizes.map((megabytes) => ({ megabytes, thorough: false, name: `${megabytes} MB` })),
    { megabytes: 10, thorough: true, name: "10 MB, all parsed" },
  ];
  const { urls: modules, remove } = await builtApart(SCANNER);
  const work = mkdtempSync(join(tmpdir(), "imds-guard-bench-"));
  try {
    for (const megabytes of sizes) writeEveLog(join(work, `${megabytes}.json`), megabytes * MB);
    return await withPlace({ host: "laptop", network: "none", lifetimeMs: LIFETIME_MS }, async (place) => {
      const measured = logs.map((log) => ({
        log,
        sets: (short ? FEW_RULES : RULES).map((rules) => ({ rules, answers: /** @type {Answer[]} */ ([]) })),
      }));
      await inTurns(
        short ? 1 : PROCESSES,
        measured.flatMap(({ log, sets }) =>
          sets.map(({ rules, answers }) => async () => {
            answers.push(
              await place.run("scan.mjs", {
                modules,
                file: join(work, `${log.megabytes}.json`),
                rules,
                thorough: log.thorough,
              }),
            );
          }),
        ),
      );
      return measured.map(({ log, sets }) => section(log, sets));
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
    remove();
  }
}

/**
 * @typedef {{ bytes: number, lines: number, findings: number, cpuSeconds: number, peakRss: number, reading: number }}
 * Answer
 */

/**
 * @param {Log} log @param {readonly { rules: number, answers: readonly Answer[] }[]} sets @returns
 * {import("../figures.mjs").Section}
 */
function section(log, sets) {
  const rows = sets.flatMap(({ rules, answers }) => {
    const named = `${rules} ${rules === 1 ? "rule" : "rules"}`;
    const of = (/** @type {(answer: Answer) => number} */ figure) => answers.map(figure);
    const bySize = (/** @type {string} */ chart) =>
      DRAWN.includes(rules) && !log.thorough
        ? { point: { chart, along: "megabytes of log", x: log.megabytes, line: named } }
        : {};
    return [
      {
        what: `${named}: processor time`,
        unit: "s",
        ours: of(({ cpuSeconds }) => cpuSeconds),
        ...bySize("Scanning a log: processor time by size"),
      },
      {
        what: `${named}: throughput`,
        unit: "MB/s",
        ours: of(({ bytes, cpuSeconds }) => bytes / MB / cpuSeconds),
        point: { chart: "Scanning a log: throughput by number of rules", along: "rules", x: rules, line: log.name },
      },
      {
        what: `${named}: peak RSS`,
        unit: "MiB",
        ours: of(({ peakRss }) => peakRss),
        ...bySize("Scanning a log: peak RSS of the process by size"),
      },
    ];
  });
  const [{ lines = 0 } = {}] = sets[0]?.answers ?? [];
  const reading = sets.map(({ answers }) => answers[0]?.reading).join(", ");
  return {
    title: `Scanning ${log.megabytes} MB of Suricata EVE${log.thorough ? ", every line parsed" : ""} (${number(lines)} lines; of the rules ${reading} read this log)`,
    rows,
  };
}
