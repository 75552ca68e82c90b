// @ts-check
/** One target in a thread of its own, watched: an input that never ends is found, confirmed and named. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { compileSources } from "../support/compiled-source.mjs";
import { blocksOf, wordsOf } from "./blocks.mjs";

/**
 * @typedef {import("./explore.mjs").Found} Found
 * @typedef {import("./explore.mjs").Finding} Finding
 *
 * @typedef {object} Prepared sources, compiled and read
 * @property {string} targetsUrl the module that exports `TARGETS`
 * @property {Readonly<Record<string, string>>} urls by name of the source
 * @property {(sources: readonly string[]) => import("./coverage.mjs").CoveredFile[]} filesOf
 * @property {(target: import("./targets.mjs").Target) => Uint8Array[]} wordsOf
 * @property {() => void} remove
 *
 * @typedef {object} Job
 * @property {string} targetsUrl
 * @property {string} target
 * @property {"explore" | "minimise" | "replay"} mode
 * @property {Readonly<Record<string, string>>} urls
 * @property {readonly import("./coverage.mjs").CoveredFile[]} files
 * @property {readonly Uint8Array[]} words
 * @property {readonly Uint8Array[]} inputs
 * @property {number} seed
 * @property {number | undefined} runs
 * @property {number | undefined} ms
 * @property {boolean} untilFound whether the first finding ends the search
 * @property {SharedArrayBuffer} share number of the input, its length, whether inputs are run; and from byte 16 the
 * input
 */

const TARGETS_URL = new URL("targets.mjs", import.meta.url).href;
/** What one input may take of the processor. Far more than any does, and then it is asked again. */
const DEADLINE_MS = 3_000;
/** A busy machine gives a thread its time late; one that waits for nothing takes none. */
const WAITS = 10;
const LOOK_MS = 50;
const MEMORY_MIB = 1_024;
const LARGEST_INPUT = 1024 * 1024;

/**
 * @param {readonly import("./targets.mjs").Target[]} targets
 * @param {{ targetsUrl?: string, from?: string }} [of] other targets, and the folder of their sources
 * @returns {Prepared}
 */
export function prepare(targets, { targetsUrl = TARGETS_URL, from } = {}) {
  const names = [...new Set(targets.flatMap(({ sources, also = [] }) => [...sources.map(moduleOf), ...also]))];
  const { urlOf, remove } = compileSources(names, from);
  const urls = Object.fromEntries(names.map((name) => [name, urlOf(name)]));
  const textOf = (/** @type {string} */ name) => readFileSync(fileURLToPath(urlOf(name)), "utf8");
  return {
    targetsUrl,
    urls,
    remove,
    filesOf: (sources) =>
      sources.map((source) => {
        const name = moduleOf(source);
        return { name, url: urlOf(name), blocks: blocksOf(textOf(name), source.split("#")[1]?.split(",")) };
      }),
    wordsOf: ({ words = [], sources }) => [
      ...words.map((word) => Buffer.from(word)),
      ...sources.flatMap((source) => wordsOf(textOf(moduleOf(source)))),
    ],
  };
}

const moduleOf = (/** @type {string} */ source) => source.split("#")[0] ?? source;

/**
 * Runs inputs of a target. What was found is told even if the thread had to be ended.
 *
 * @param {Prepared} prepared
 * @param {import("./targets.mjs").Target} target
 * @param {{ mode: Job["mode"], inputs?: readonly Uint8Array[], seed?: number, runs?: number | undefined, ms?: number |
 * undefined, deadlineMs?: number, untilFound?: boolean }} order
 * @returns {Promise<{ done?: any, executions: number, kept: Buffer[], findings: Finding[], outcomes: string[] }>}
 */
export async function play(
  prepared,
  target,
  { mode, inputs = [], seed = 1, runs, ms, deadlineMs = DEADLINE_MS, untilFound = false },
) {
  const share = new SharedArrayBuffer(16 + LARGEST_INPUT);
  const state = new Int32Array(share, 0, 4);
  /** @type {Job} */
  const workerData = {
    targetsUrl: prepared.targetsUrl,
    target: target.name,
    mode,
    urls: prepared.urls,
    files: prepared.filesOf(target.sources),
    words: prepared.wordsOf(target),
    inputs,
    seed,
    runs,
    ms,
    untilFound,
    share,
  };
  const worker = new Worker(new URL("worker.mjs", import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MIB },
  });
  const current = () => Buffer.from(Buffer.from(share, 16, Atomics.load(state, 1)));
  /** @type {{ done?: any, executions: number, kept: Buffer[], findings: Finding[], outcomes: string[] }} */
  const report = { executions: 0, kept: [], findings: [], outcomes: [] };
  const ended = new Promise((resolve) => {
    worker.on("message", ({ kept, finding, outcome, done }) => {
      if (kept !== undefined) report.kept.push(Buffer.from(kept));
      if (finding !== undefined) report.findings.push(asFinding(finding));
      if (outcome !== undefined) report.outcomes.push(String(outcome));
      if (done !== undefined) report.done = done;
    });
    worker.on("error", (error) => {
      const kind =
        /** @type {NodeJS.ErrnoException} */ (error).code === "ERR_WORKER_OUT_OF_MEMORY" ? "memory" : "uncaught";
      report.findings.push({
        kind,
        signature: `${kind} ${error.name}`,
        message: String(error.stack ?? error),
        input: current(),
      });
    });
    worker.on("exit", resolve);
  });

  let seen = -1;
  let since = now();
  let asking = false;
  const watch = setInterval(() => {
    const number = Atomics.load(state, 0);
    if (number !== seen || Atomics.load(state, 2) === 0) {
      seen = number;
      since = now();
    } else if (!asking && (now().used - since.used > deadlineMs || now().passed - since.passed > deadlineMs * WAITS)) {
      asking = true;
      void decide(number).finally(() => (asking = false));
    }
  }, LOOK_MS);

  /** Only what hangs a second time does hang. @param {number} number */
  async function decide(number) {
    const input = current();
    if (
      mode !== "replay" &&
      (await play(prepared, target, { mode: "replay", inputs: [input], deadlineMs: deadlineMs * 2 })).findings.every(
        ({ kind }) => kind !== "hang",
      )
    ) {
      since = now();
      return;
    }
    if (Atomics.load(state, 0) !== number) return;
    report.findings.push({ kind: "hang", signature: "hang", message: `no end within ${deadlineMs} ms`, input });
    await worker.terminate();
  }

  await ended;
  clearInterval(watch);
  // Findings of the search itself were made small at its end.
  if (report.done?.findings !== undefined)
    report.findings = [
      ...report.done.findings.map(asFinding),
      ...report.findings.filter(({ kind }) => kind !== "error" && kind !== "violation"),
    ];
  report.executions = report.done?.executions ?? Atomics.load(state, 0);
  return report;
}

/** Milliseconds of the processor's time that this process has used, most of it for the inputs, and of the clock's. */
function now() {
  const { user, system } = process.cpuUsage();
  return { used: (user + system) / 1_000, passed: performance.now() };
}

/** Buffers arrive as plain arrays of bytes. @param {Finding} finding @returns {Finding} */
function asFinding(finding) {
  return { ...finding, input: Buffer.from(finding.input) };
}
