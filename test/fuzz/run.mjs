// @ts-check
/**
 * Every parser under inputs that were made to get further into it: coverage-guided, by V8's own block coverage.
 *
 *   npm run fuzz                                        every target for 20 seconds
 *   npm run fuzz -- --target urls --time 600            one of them for longer; --target may be repeated
 *   npm run fuzz -- --seed 7 --runs 100000              the same inputs each time
 *   npm run fuzz -- --replay test/fuzz/findings/urls-x       one input
 *   npm run fuzz -- --minimise                          first the search, then only what reaches something stays in the
 * corpora
 *   npm run fuzz -- --no-keep --json FILE               leaves the corpora as they are; the figures as JSON, too
 *   npm run fuzz -- --list                              what there is
 *
 * Inputs that reach a new block or come to a new outcome are added to `test/fuzz/corpus/<target>/`, what breaks a promise to
 * `test/fuzz/findings/`. Exit code 1: something was found. 2: a setting cannot be used.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { addFinding, addToCorpus, readCorpus, replaceCorpus } from "./corpus.mjs";
import { readSettings, SettingError, targetOfFile } from "./settings.mjs";
import { summary, table } from "./table.mjs";
import { TARGETS } from "./targets.mjs";

/** @typedef {import("./table.mjs").Result} Result @typedef {import("./targets.mjs").Target} Target */

// Loads the compiler, which a wrong setting has no use for.
const session = () => import("./session.mjs");
const NAMES = TARGETS.map(({ name }) => name);
const settings = settingsOrExit();
if (settings.list) {
  for (const { name, sentence } of TARGETS) process.stdout.write(`${name}: ${sentence}\n`);
} else if (settings.replay !== undefined) {
  process.exitCode = await replay(settings.replay);
} else {
  process.exitCode = await search(
    TARGETS.filter(({ name }) => settings.targets.length === 0 || settings.targets.includes(name)),
  );
}

function settingsOrExit() {
  try {
    const read = readSettings(process.argv.slice(2), NAMES);
    if (read.replay !== undefined && read.targets.length === 0 && targetOfFile(read.replay, NAMES) === undefined) {
      throw new SettingError(
        `--replay is ${JSON.stringify(read.replay)}, whose name tells no target; add --target: ${NAMES.join(", ")}`,
      );
    }
    return read;
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

/** @param {string} path */
async function replay(path) {
  const target = /** @type {Target} */ (
    TARGETS.find(({ name }) => name === (settings.targets[0] ?? targetOfFile(path, NAMES)))
  );
  const { play, prepare } = await session();
  const prepared = prepare([target]);
  try {
    const { findings, outcomes } = await play(prepared, target, { mode: "replay", inputs: [readFileSync(path)] });
    process.stdout.write(
      findings.length === 0
        ? `${target.name}: ${outcomes.join()}\n`
        : findings.map(({ kind, message }) => `${target.name}: ${kind}\n${message}\n`).join(""),
    );
    return findings.length === 0 ? 0 : 1;
  } finally {
    prepared.remove();
  }
}

/** @param {readonly Target[]} targets */
async function search(targets) {
  const began = performance.now();
  const prepared = (await session()).prepare(targets);
  /** @type {Result[]} */
  const results = [];
  try {
    for (const target of targets) {
      if (process.stderr.isTTY)
        process.stderr.write(`\r\x1b[K${target.name} (${results.length + 1} of ${targets.length})`);
      results.push(await searchOne(prepared, target));
    }
  } finally {
    prepared.remove();
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }
  const seconds = Math.round((performance.now() - began) / 1_000);
  const load = Number((loadavg()[0] ?? 0).toFixed(1));
  process.stdout.write(
    `${table(results)}${summary(results)}, in ${seconds} s with seed ${settings.seed} on ${availableParallelism()} cores, load ${load}, Node.js ${process.version}.\n`,
  );
  if (settings.json !== undefined)
    writeFileSync(
      settings.json,
      `${JSON.stringify({ node: process.version, seconds, load, seed: settings.seed, targets: results }, null, 2)}\n`,
    );
  return results.every(({ findings }) => findings.length === 0) ? 0 : 1;
}

/** @param {import("./session.mjs").Prepared} prepared @param {Target} target @returns {Promise<Result>} */
async function searchOne(prepared, target) {
  const began = performance.now();
  const { play } = await session();
  const inputs = readCorpus(target.name);
  const { seed, runs, seconds } = settings;
  const { done, executions, kept, findings } = await play(prepared, target, {
    mode: "explore",
    inputs,
    seed,
    runs,
    ms: runs === undefined ? seconds * 1_000 : undefined,
  });
  const perSecond = Math.round(executions / ((performance.now() - began) / 1_000));
  if (settings.minimise) {
    const { done: small } = await play(prepared, target, { mode: "minimise", inputs: [...inputs, ...kept] });
    if (small !== undefined)
      replaceCorpus(
        target.name,
        small.map((/** @type {Uint8Array} */ bytes) => Buffer.from(bytes)),
      );
  } else if (settings.keep) addToCorpus(target.name, kept);
  const corpus = readCorpus(target.name);
  const sources = sourcesOf(prepared, target, new Set(done?.reached));
  return {
    target: target.name,
    executions,
    perSecond,
    sources,
    reached: sources.reduce((sum, { reached }) => sum + reached, 0),
    blocks: sources.reduce((sum, { blocks }) => sum + blocks, 0),
    outcomes: done?.outcomes.length ?? 0,
    corpus: { files: corpus.length, bytes: corpus.reduce((sum, { length }) => sum + length, 0) },
    added: kept.length,
    slowestMs: done?.slowest.ms ?? Number.NaN,
    findings: findings.map(({ kind, message, input }) => ({
      kind,
      message,
      path: relative(".", addFinding(target.name, input)),
    })),
  };
}

/** @param {import("./session.mjs").Prepared} prepared @param {Target} target @param {ReadonlySet<number>} reached */
function sourcesOf(prepared, target, reached) {
  let first = 0;
  return prepared.filesOf(target.sources).map(({ name, url, blocks }) => {
    const text = readFileSync(fileURLToPath(url), "utf8");
    const missed = blocks
      .filter((_, index) => !reached.has(first + index))
      .map((at) => text.slice(0, at).split("\n").length);
    first += blocks.length;
    return {
      source: `src/${name}.ts`,
      reached: blocks.length - missed.length,
      blocks: blocks.length,
      missed: [...new Set(missed)],
    };
  });
}
