// @ts-check
/**
 * Programs as people have them, on four kinds of hosts, with this package in every form in which it comes: versions of
 * the AWS SDK, test runners, bundlers, package managers and runtimes, from the package registry.
 *
 *   npm run test:programs                    all of it; writes docs/compatibility.md
 *   npm run test:programs -- --quick         a few of each kind
 *   npm run test:programs -- --only WORD     programs or forms whose name contains this
 *   npm run test:programs -- --json FILE     every run as data
 *   npm run test:programs -- --resume FILE   goes on where a run of this very build was cut off, and keeps FILE
 *
 * Installed programs are kept in IMDS_GUARD_PROGRAMS_CACHE, by default a temporary folder of this user. Exit code 1:
 * something failed. 3: no machines can be made here, or the registry is not reached.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { canUnshare } from "../support/machine.mjs";
import { createHosts, HOSTS } from "./hosts.mjs";
import { createInstalls, NotReached } from "./installs.mjs";
import { judgeStock } from "./judge.mjs";
import { page } from "./page.mjs";
import { allRows } from "./table.mjs";

/** @typedef {import("./table.mjs").Row} Row */
/** @typedef {{ host: string, wrong?: string, ms: number }} Cell */
/** @typedef {{ group: string, name: string, form: string, wrong?: string, skipped?: string, cells: Cell[] }} Result */

const PAGE = fileURLToPath(new URL("../../docs/compatibility.md", import.meta.url));
const INSTALLS_AT_ONCE = 2;

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    json: { type: "string" },
    resume: { type: "string" },
    list: { type: "boolean", default: false },
  },
});
const able = canUnshare();
if (!able.ok) {
  process.stderr.write(`programs: skipped, no machines can be made here: ${able.reason}\n`);
  process.exit(3);
}

const versions = await newestVersions();
const rows = (await allRows(versions.of)).filter(
  ({ name, form, quick }) =>
    (!given.quick || quick) && (given.only === undefined || `${name}, ${form}`.includes(given.only)),
);
if (given.list) {
  for (const { group, name, form } of rows) process.stdout.write(`${group}: ${name}, ${form}\n`);
  process.exit(0);
}

const began = Date.now();
const folder = mkdtempSync(join(tmpdir(), "imds-guard-hosts-"));
const hosts = await createHosts(folder);
const installs = createInstalls();
/** Controls: the same program without the guard, once for each host. @type {Map<string, Promise<import("./hosts.mjs").Ran>>} */
const controls = new Map();
/** @type {Result[]} */
const results = [];
const earlier = earlierResults();

const ready = prepareAll();
for (const [index, row] of rows.entries()) {
  const known = earlier.find(({ name, form, group }) => name === row.name && form === row.form && group === row.group);
  const result = known ?? (await tryRow(row, /** @type {Promise<string>} */ (ready[index])));
  results.push(result);
  if (known !== undefined) continue;
  process.stdout.write(`${line(result)}\n`);
  keep();
}
await hosts.close();
rmSync(folder, { recursive: true, force: true });

const skipped = results.filter((result) => result.skipped !== undefined);
const failed = results.filter((result) => result.skipped === undefined && !isGood(result));
const seconds = Math.round((Date.now() - began) / 1_000);
if (given.json !== undefined)
  writeFileSync(given.json, JSON.stringify({ versions: versions.known(), results }, undefined, 2));
if (!given.quick && given.only === undefined && skipped.length === 0)
  writeFileSync(PAGE, page(results, { date: new Date(), versions: versions.known(), node: process.version }));
process.stdout.write(
  `\nprograms: ${results.length - failed.length - skipped.length} passed, ${failed.length} failed, ${skipped.length} skipped in ${seconds} s\n`,
);
process.exitCode = failed.length > 0 ? 1 : skipped.length === results.length ? 3 : 0;

/** Those of a run that was cut off; a failure is tried again, and so is all where the build is another. @returns {Result[]} */
function earlierResults() {
  if (given.resume === undefined || !existsSync(given.resume)) return [];
  const { build, results: all } = JSON.parse(readFileSync(given.resume, "utf8"));
  return build === installs.build ? all.filter(isGood) : [];
}

function keep() {
  if (given.resume === undefined) return;
  const seen = new Set(results.map(({ name, form }) => `${name}, ${form}`));
  const others = earlier.filter(({ name, form }) => !seen.has(`${name}, ${form}`));
  writeFileSync(given.resume, JSON.stringify({ build: installs.build, results: [...results, ...others] }));
}

/** @param {Result} result */
function isGood({ wrong, skipped, cells }) {
  return wrong === undefined && skipped === undefined && cells.every((cell) => cell.wrong === undefined);
}

/** Starts the installs, a few at once, in the order in which they are needed. @returns {Promise<string>[]} */
function prepareAll() {
  /** @type {(() => void)[]} */
  const waiting = [];
  let running = 0;
  const next = () => {
    while (running < INSTALLS_AT_ONCE && waiting.length > 0) {
      running += 1;
      waiting.shift()?.();
    }
  };
  const installed = rows.map(
    ({ wants }) =>
      new Promise((resolve, reject) => {
        waiting.push(() => {
          installs
            .install(wants)
            .then(resolve, reject)
            .finally(() => {
              running -= 1;
              next();
            });
        });
      }),
  );
  // Each is awaited in its turn.
  for (const promise of installed) promise.catch(() => undefined);
  next();
  return /** @type {Promise<string>[]} */ (installed);
}

/** @param {Row} row @param {Promise<string>} installed @returns {Promise<Result>} */
async function tryRow(row, installed) {
  const { group, name, form } = row;
  const base = { group, name, form };
  /** @type {string} */
  let place;
  try {
    place = await installed;
    const wrong = await row.prepare?.(place);
    if (wrong !== undefined) return { ...base, wrong, cells: [] };
  } catch (error) {
    if (error instanceof NotReached)
      return { ...base, skipped: `the package registry is not reached: ${error.message.split("\n")[0]}`, cells: [] };
    return { ...base, wrong: String(/** @type {Error} */ (error).message), cells: [] };
  }
  const cells = await Promise.all(
    (row.hosts ?? HOSTS).map(async (host) => {
      const stock = await control(row, place, host);
      const unfit = stock === undefined ? undefined : judgeStock(stock, host);
      const { program, options } = row.start(place);
      const ran = await hosts.run(host, program, options);
      const wrong = unfit === undefined ? row.judge(ran, host, stock) : `without the guard: ${unfit}`;
      return { host, ms: Math.round(ran.ms), ...(wrong !== undefined && { wrong }) };
    }),
  );
  return { ...base, cells };
}

/** @param {Row} row @param {string} place @param {import("./hosts.mjs").Host} host */
function control(row, place, host) {
  // Where nobody answers there is nothing that the program could have without the guard.
  if (row.stock === undefined || host === "laptop" || host === "black hole") return undefined;
  const { program, options } = row.stock(place);
  const key = JSON.stringify([host, program, options]);
  let known = controls.get(key);
  if (known === undefined) controls.set(key, (known = hosts.run(host, program, options)));
  return known;
}

/** @param {Result} result */
function line({ name, form, wrong, skipped, cells }) {
  const title = `${name}, ${form}`.padEnd(52);
  if (skipped !== undefined) return `${title} skipped: ${skipped}`;
  if (wrong !== undefined) return `${title} FAILED: ${wrong}`;
  const bad = cells.filter((cell) => cell.wrong !== undefined);
  return bad.length === 0
    ? `${title} ok on ${cells.map(({ host }) => host).join(", ")}`
    : `${title} FAILED: ${bad.map((cell) => `${cell.host}: ${cell.wrong}`).join("; ")}`;
}

/** Asks the registry once for each package; where it is not reached, an earlier run's installs may still serve. */
async function newestVersions() {
  /** @type {Map<string, string>} */
  const known = new Map();
  const run = promisify(execFile);
  return {
    /** @param {string} name */
    async of(name) {
      let version = known.get(name);
      if (version === undefined) {
        version = await run("npm", ["view", `${name}@latest`, "version"], { timeout: 60_000 }).then(
          ({ stdout }) => stdout.trim(),
          () => "latest",
        );
        known.set(name, version);
      }
      return version;
    },
    known: () => Object.fromEntries([...known].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
