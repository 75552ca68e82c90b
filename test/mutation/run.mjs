// @ts-check
/**
 * Mutation score: how many small wrong changes of the sources the unit tests notice.
 *
 *   npm run mutation                          the rooms that decide and attest
 *   npm run mutation -- --rooms host,imds     these rooms
 *   npm run mutation -- src/host/verdict.ts   these files
 *   npm run mutation -- --json FILE           the figures and every survivor as JSON, too
 *   npm run mutation -- --sample 20           so many of a hundred mutants, the same ones each time
 *   npm run mutation -- --since FILE          what these figures of an earlier --json have as caught is not tried again:
 *                                             for tests that came since, and for none that was taken away
 *   npm run mutation -- --jobs 4              so many processes of tests at a time; 2 where nothing is said
 *   MUTATION_DEBUG=1 npm run mutation         what vitest prints in these processes, too
 *
 * The tests run in a network of their own, in which there is nothing but loopback: a mutant may well ask the real IMDS.
 * Constants that are made when a file is loaded have no switch that could be turned later, and are left out, as in
 * Stryker.
 *
 * Exit code 1: the score of a room is below 85 %, or its tests fail, hang or do not start without any mutant. 2: the
 * arguments are wrong. 3: no such network can be made here.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { canUnshare } from "../support/machine.mjs";
import { readArguments } from "./arguments.mjs";
import { entriesOf, note } from "./ledger.mjs";
import { caughtEarlier, nameOf, sampled } from "./selection.mjs";
import { scores, survivors, table } from "./table.mjs";
import { judge, watched } from "./watch.mjs";

/** @typedef {import("./table.mjs").Outcome} Outcome */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const GOAL = 85;
/**
 * A silence of 35 seconds is a hang: a little more than vitest lets a test take (vitest.config.mjs), which knows better
 * what went wrong. With a mutant a test says for itself how long it can take.
 */
const PATIENCE = { startMs: 120_000, silenceMs: 35_000, everyMs: 1_000 };
/** Processes of tests for one file of tests: a mutant that leaves something broken behind costs one. */
const MAX_STARTS = 20;
/** Takes long for what it would add to the others. */
const LEFT_OUT = "test/attest/mutations.test.ts";
/** Rooms whose tests go through the providers that programs call. */
const AT_DOORS = {
  "roles-anywhere": ["roles-anywhere", "iot-role-alias", "certificate-life", "certificate-profiles"].map(
    (name) => `sdk/${name}.test.ts`,
  ),
};

/**
 * Tests that give up root's rights for a while can do so only where there are other users: not in a namespace of users.
 */
const IN_ITS_OWN_NETWORK = [
  process.geteuid?.() === 0 ? "-n" : "-Urn",
  "--kill-child",
  "sh",
  "-c",
  'ip link set lo up && exec "$@"',
  "sh",
  process.execPath,
];

const wanted = asked();
const able = canUnshare();
if (!able.ok) {
  process.stderr.write(`no network of their own can be made for the tests: ${able.reason}\n`);
  process.exit(3);
}
// Late, as it takes a second to load.
const { instrument } = await import("./instrument.mjs");
const folder = mkdtempSync(join(tmpdir(), "imds-guard-mutation-"));
const ledger = join(folder, "ledger.jsonl");
let failed = false;
/** Processes of tests that were started: each has a heartbeat of its own. */
let processes = 0;
/** Those that run: each leads a group of its own, which no terminal ends. @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
  process.once(signal, () => {
    for (const { pid } of running) if (pid !== undefined) process.kill(-pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
    process.kill(process.pid, signal);
  });
try {
  const { sources, mutants: all } = await instrument(wanted.paths);
  const mutants = sampled(all, wanted.percent, ROOT);
  const wantedIds = new Set(mutants.map(({ id }) => id));
  writeFileSync(join(folder, "sources.json"), JSON.stringify(sources));
  writeFileSync(ledger, "");
  note(ledger, { leftOut: all.map(({ id }) => id).filter((id) => !wantedIds.has(id)) });
  const earlier = wanted.since === undefined ? [] : JSON.parse(readFileSync(wanted.since, "utf8")).mutants;
  for (const [caught, by] of caughtEarlier(mutants, earlier, ROOT)) note(ledger, { caught, by });
  const files = testsOf(wanted.rooms);
  process.stderr.write(
    `${mutants.length} mutants in ${Object.keys(sources).length} files, ${files.length} files of tests\n`,
  );
  const waiting = [...files];
  await Promise.all(
    Array.from({ length: wanted.jobs }, async () => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await tryAll(file);
    }),
  );
  const outcome = read();
  // What was reached and never again, when it was switched, was made when a test loaded its file.
  const switched = mutants.filter(
    ({ id }) =>
      outcome.caught.has(id) || outcome.evaluated.has(id) || !(outcome.reached.has(id) || outcome.loaded.has(id)),
  );
  const figures = scores(switched, outcome, ROOT);
  process.stdout.write(
    `${table(figures)}\n\n${survivors(switched, outcome, ROOT)}\n\n${mutants.length - switched.length} mutants of constants that are made at load were left out\n`,
  );
  for (const test of outcome.unrepeatable)
    process.stdout.write(`left out, for it fails when it is run again: ${test}\n`);
  const broken = new Set(
    outcome.broken.map(({ file, broken, why }) => `broken without any mutant: ${file}: ${broken}: ${why}\n`),
  );
  for (const line of broken) process.stdout.write(line);
  if (wanted.json !== undefined)
    writeFileSync(
      wanted.json,
      JSON.stringify(
        {
          figures,
          mutants: switched.map((mutant) => ({
            ...mutant,
            name: nameOf(mutant, ROOT),
            caughtBy: outcome.caught.get(mutant.id),
            reached: outcome.reached.has(mutant.id),
          })),
        },
        undefined,
        1,
      ),
    );
  failed = broken.size > 0 || figures.rooms.some(({ score }) => score < GOAL);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

function asked() {
  try {
    return readArguments(process.argv.slice(2), ROOT);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`${error.message.replaceAll("\n", " ")}\n`);
    process.exit(2);
  }
}

/**
 * The tests of the rooms, those named like a mutated file first. What only the tests of other rooms notice counts as
 * alive. @param {readonly string[]} rooms
 */
function testsOf(rooms) {
  const named = new Set(wanted.paths.map((path) => basename(path, ".ts")));
  const first = (/** @type {string} */ path) => (named.has(basename(path, ".test.ts")) ? 0 : 1);
  const doors = Object.entries(AT_DOORS).flatMap(([room, files]) => (rooms.includes(room) ? files : []));
  const all = rooms
    .map((room) => join(ROOT, "test", room))
    .flatMap((room) => readdirSync(room, { recursive: true, encoding: "utf8" }).map((name) => join(room, name)))
    .concat(doors.map((name) => join(ROOT, "test", name)));
  return all
    .filter((path) => path.endsWith(".test.ts") && path !== join(ROOT, LEFT_OUT))
    .sort()
    .sort((a, b) => first(a) - first(b));
}

/** @returns {Outcome} */
function read() {
  /** @type {Outcome} */
  const outcome = {
    caught: new Map(),
    reached: new Set(),
    evaluated: new Set(),
    loaded: new Set(),
    doubtful: [],
    broken: [],
    unrepeatable: [],
    spoilt: [],
  };
  for (const entry of entriesOf(ledger)) {
    if (entry.caught !== undefined) outcome.caught.set(entry.caught, entry.by);
    if (entry.reached !== undefined) for (const id of entry.reached) outcome.reached.add(id);
    if (entry.evaluated) outcome.evaluated.add(entry.passed);
    if (entry.loaded !== undefined) for (const id of entry.loaded) outcome.loaded.add(id);
    if (entry.doubtful !== undefined) outcome.doubtful.push(entry);
    if (entry.unrepeatable !== undefined) outcome.unrepeatable.push(entry.unrepeatable);
    if (entry.spoilt !== undefined) outcome.spoilt.push(entry.spoilt);
    if (entry.broken !== undefined) outcome.broken.push(entry);
  }
  return outcome;
}

/** One file of tests against every mutant that it reaches. @param {string} file */
async function tryAll(file) {
  const name = file.slice(ROOT.length);
  const started = performance.now();
  /** Already tried alone, by mutant and test. */
  const judged = new Set();
  /** Times that a test ended a process. */
  let ended = 0;
  let starts = 0;
  let more = true;
  while (more && starts++ < MAX_STARTS) {
    const caught = await tests(file);
    const open = read().doubtful.filter(
      ({ doubtful, by }) => by.startsWith(`${name}: `) && !judged.has(`${doubtful} ${by}`),
    );
    // What is not caught alone was the doing of another mutant, and nobody knows of which: it stays alive.
    for (const { doubtful, by } of open) {
      judged.add(`${doubtful} ${by}`);
      await tests(file, { mutant: doubtful, by });
    }
    const { unrepeatable, spoilt } = read();
    const now = [...unrepeatable, ...spoilt].filter((by) => by.startsWith(`${name}: `)).length;
    more = caught || open.length > 0 || now !== ended;
    ended = now;
  }
  process.stderr.write(
    `${name}: ${Math.round((performance.now() - started) / 1000)} s, ${read().caught.size} caught${more ? `, given up after ${MAX_STARTS} processes` : ""}\n`,
  );
}

/**
 * @param {string} file
 * @param {{ mutant: string, by: string }} [alone] the only mutant to try, and the test
 * @returns {Promise<boolean>} whether a mutant hung or ended it
 */
async function tests(file, alone) {
  const at = join(folder, `at-${++processes}`);
  const env = {
    ...process.env,
    CI: "true",
    MUTATION_FOLDER: folder,
    MUTATION_LEDGER: ledger,
    MUTATION_AT: at,
    ...(alone && { MUTATION_ONLY: alone.mutant, MUTATION_ONLY_IN: alone.by }),
  };
  const child = spawn(
    "unshare",
    [
      ...IN_ITS_OWN_NETWORK,
      "node_modules/vitest/vitest.mjs",
      "run",
      "--config",
      "test/mutation/vitest.config.mjs",
      file,
    ],
    { cwd: ROOT, env, stdio: process.env["MUTATION_DEBUG"] ? "inherit" : "ignore", detached: true },
  );
  running.add(child);
  const ending = await watched(child, at, PATIENCE);
  running.delete(child);
  const entry = judge(ending, file.slice(ROOT.length));
  if (entry !== undefined) note(ledger, entry);
  return entry !== undefined && "caught" in entry;
}
