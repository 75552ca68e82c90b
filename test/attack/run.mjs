// @ts-check
/**
 * Attacks the guard, and the stock SDK beside it: every attack of the catalogue on every kind of host through every
 * door. In a folder of its own beside `bench/`: a program that people run for its figures, and no suite of the test
 * runner.
 *
 *   npm run attack                                    the whole matrix (half an hour on two cores that others used, too)
 *   npm run attack -- --quick                         a few of every kind, one host on and one off EC2
 *   npm run attack -- --json FILE --html FILE         every cell as data, and as a page
 *   npm run attack -- --only NAME                     attacks whose names contain this
 *   npm run attack -- --door NAME [--door NAME]       doors whose names contain one of these
 *
 * Exit code 1: a goal was missed. 2: no door has such a name. 3: no machines can be made here.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { canUnshare } from "../support/machine.mjs";
import { AWS } from "./catalogue.mjs";
import { ENTRIES, victimEnvironment } from "./entries.mjs";
import { carryOut } from "./field.mjs";
import { goalsOf, MAX_GROWTH } from "./judge.mjs";
import { makeCopies } from "./copies.mjs";
import { page } from "./page.mjs";
import { planOf } from "./plan.mjs";
import { genuineHost, probed, stock } from "./special.mjs";
import { goalLines, matrix, missedLines } from "./terminal.mjs";

/** @typedef {import("./judge.mjs").Cell} Cell */

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    html: { type: "string" },
    only: { type: "string" },
    door: { type: "string", multiple: true },
    lanes: { type: "string" },
  },
});
const doors = ENTRIES.filter(({ name }) => given.door?.some((part) => name.includes(part)) ?? true);
if (doors.length === 0) {
  process.stderr.write(
    `--door ${given.door?.join(" --door ")} names none of: ${ENTRIES.map(({ name }) => name).join(", ")}\n`,
  );
  process.exit(2);
}
const able = canUnshare();
if (!able.ok) {
  process.stderr.write(`no machines can be made here: ${able.reason}\n`);
  process.exit(3);
}

const files = mkdtempSync(join(tmpdir(), "imds-guard-attack-"));
process.once("exit", () => {
  rmSync(files, { recursive: true, force: true });
});
const path = (/** @type {string} */ name, /** @type {string} */ text) => {
  writeFileSync(join(files, name), text);
  return join(files, name);
};
const LEAF =
  "[profile leaf]\nrole_arn = arn:aws:iam::111122223333:role/leaf\ncredential_source = Ec2InstanceMetadata\n";
const LEAKY = "ec2_metadata_service_endpoint = http://2852039166\n";
const env = victimEnvironment({
  config: path("config", LEAF),
  certificate: path("aws.pem", AWS.publicKeyPem),
  copies: await makeCopies(files),
});
const leaky = path("leaky", `[default]\n${LEAKY}${LEAF}${LEAKY}`);

const began = performance.now();
const plan = planOf(given.quick, doors);
const wanted = (/** @type {{ name: string }} */ { name }) => given.only === undefined || name.includes(given.only);
/** @type {Cell[]} */
const cells = [];
/** @type {Cell[]} */
const stockCells = [];
const surroundings = {
  env,
  leaky,
  onCell: (/** @type {Cell} */ cell) => {
    cells.push(cell);
    tell();
  },
};
const besideIt = {
  env,
  leaky,
  onCell: (/** @type {Cell} */ cell) => {
    stockCells.push(cell);
  },
};
const [chain] = ENTRIES;
if (chain === undefined) throw new Error("there are no entry points");

const half = Math.ceil(plan.stock.length / 2);
await inLanes([
  ...[plan.stock.slice(0, half), plan.stock.slice(half)].map(
    (attacks) => () => stock(attacks.filter(wanted), besideIt),
  ),
  ...inThirds(plan.probed.filter(wanted)).map((attacks) => () => probed(attacks, chain, surroundings)),
  ...plan.genuine.map((host) => () => genuineHost(host, doors, surroundings)),
  ...plan.assignments.map(
    (assignment) => () => carryOut({ ...assignment, attacks: assignment.attacks.filter(wanted) }, surroundings),
  ),
]);
// Memory and time are measured alone: for those made to take much of either, and for whatever looked like it in
// company.
const crowd = cells.splice(0);
const suspicious = crowd.filter(
  ({ entry, status, growth = 0 }) =>
    entry !== "probe" && entry !== "exec" && (status === "hang" || growth > MAX_GROWTH),
);
const again = suspicious.flatMap(({ attack, host, entry }) => {
  const found = plan.attacks.find(({ name }) => name === attack);
  const door = ENTRIES.find(({ name }) => name === entry);
  return found === undefined || door === undefined ? [] : [{ host, entries: [door], attacks: [found], alone: true }];
});
// The probe has 200 ms; on a busy machine that is not long. What it missed in company it gets to see alone.
const unseen = crowd.filter(({ undetected }) => undetected === true).map(({ attack }) => attack);
await probed(
  plan.probed.filter(({ name }) => unseen.includes(name)),
  chain,
  surroundings,
);
await inLanes(
  [...plan.alone, ...again].map(
    (assignment) => () => carryOut({ ...assignment, attacks: assignment.attacks.filter(wanted) }, surroundings),
  ),
  2,
);
const same = (/** @type {Cell} */ left) => (/** @type {Cell} */ right) =>
  left.attack === right.attack && left.host === right.host && left.entry === right.entry;
const all = [...crowd.filter((cell) => !cells.some(same(cell))), ...cells];
if (process.stderr.isTTY === true) process.stderr.write("\r\u001b[K");

const goals = goalsOf(all);
const seconds = Math.round((performance.now() - began) / 1000);
const about = {
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
  cores: availableParallelism(),
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  load: Number((loadavg()[0] ?? 0).toFixed(1)),
  seconds,
  attacks: plan.attacks.filter(wanted).length,
  hosts: plan.hosts.map(({ name, sentence, ec2 }) => ({ name, sentence, ec2 })),
  entries: doors.map(({ name, sentence }) => ({ name, sentence })),
  form: given.quick ? "quick" : "full",
  cells: all.length,
};
process.stdout.write(
  `${matrix(plan.attacks.filter(wanted), plan.hosts, all, stockCells)}\n${goalLines(goals)}\n${missedLines(goals)}`,
);
process.stdout.write(
  `${about.attacks} attacks, ${all.length} cells of the guard and ${stockCells.length} of the stock SDK in ${seconds} s on ${about.cores} cores, load ${about.load}.\n`,
);
if (given.json !== undefined) {
  writeFileSync(
    given.json,
    `${JSON.stringify({ about, goals: goals.map(({ missed, ...goal }) => ({ ...goal, missed: missed.length })), attacks: plan.attacks.map(({ name, kind, sentence }) => ({ name, kind, sentence })), cells: all, stock: stockCells })}\n`,
  );
}
if (given.html !== undefined)
  writeFileSync(
    given.html,
    page({ about, goals, attacks: plan.attacks.filter(wanted), cells: all, stock: stockCells }),
  );
process.exitCode = goals.every(({ met }) => met) ? 0 : 1;

/** @template T @param {readonly T[]} items @returns {T[][]} */
function inThirds(items) {
  const size = Math.ceil(items.length / 3);
  return size === 0 ? [] : [items.slice(0, size), items.slice(size, 2 * size), items.slice(2 * size)];
}

/**
 * Most of the time somebody waits for a deadline, so more is under way at once than there are cores. @param {(() =>
 * Promise<void>)[]} works @param {number} [lanes]
 */
async function inLanes(works, lanes = Number(given.lanes ?? 3 * availableParallelism())) {
  const rest = [...works];
  await Promise.all(
    Array.from({ length: Math.min(lanes, rest.length) }, async () => {
      for (let work = rest.shift(); work !== undefined; work = rest.shift()) await work();
    }),
  );
}

function tell() {
  if (process.stderr.isTTY === true) process.stderr.write(`\r${cells.length} cells`);
}
