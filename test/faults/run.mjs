// @ts-check
/**
 * The genuine service under faults: an application that asks all the time must not notice what it need not notice.
 *
 *   npm run faults                    all scenarios in full
 *   npm run faults -- --quick         the same, shorter
 *   npm run faults -- --json FILE     the figures as JSON, too
 *   npm run faults -- restarts month  only these
 *
 * Exit code 1: a goal was missed. 3: no machines can be made here.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { canUnshare, createMachine } from "../support/machine.mjs";
import { table, verdict } from "./table.mjs";

/**
 * @typedef {Awaited<ReturnType<typeof createMachine>>} Machine
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} program
 * @property {readonly (string | number)[]} args
 * @property {(machine: Machine) => Promise<readonly string[]>} [prepare] further arguments
 * @property {string} [limit] of a shell, before the program starts
 * @property {string} [skip] why not
 */

const { values: given, positionals } = parseArgs({
  options: { quick: { type: "boolean", default: false }, json: { type: "string" } },
  allowPositionals: true,
});
const able = canUnshare();
if (!able.ok) {
  process.stderr.write(`no machines can be made here: ${able.reason}\n`);
  process.exit(3);
}

const some = (/** @type {number} */ full, /** @type {number} */ quick) => (given.quick ? quick : full);
/** Loss on the way to the service and back. @param {number} share */
const losing = (share) => async (/** @type {Machine} */ machine) => {
  for (const chain of ["OUTPUT", "INPUT"]) {
    await machine.command("iptables", [
      "-A",
      chain,
      "-d",
      "169.254.169.254",
      "-m",
      "statistic",
      "--mode",
      "random",
      "--probability",
      String(share),
      "-j",
      "DROP",
    ]);
  }
  return [];
};
/** Delay and loss by the kernel's own means, where it has them. @param {readonly string[]} words */
const netem = (words) => async (/** @type {Machine} */ machine) => {
  await machine.command("tc", ["qdisc", "add", "dev", "lo", "root", "netem", ...words]);
  return [];
};

const tools = await toolsOfTheKernel();
/** @type {readonly Scenario[]} */
const SCENARIOS = [
  { name: "restarts", program: "restarts", args: [some(200, 20)] },
  { name: "partial answers", program: "storms", args: [some(60, 10), "cut", "empty", "reset"] },
  { name: "silence", program: "storms", args: [some(20, 3), "hang"] },
  { name: "429 and 503 storms", program: "storms", args: [some(60, 8), "429", "503", "500"] },
  { name: "401 storms", program: "storms", args: [some(60, 8), "401"] },
  { name: "packet loss 10 %", program: "loss", args: [some(60, 5), 0, 3_000], prepare: losing(0.05), ...tools.loss },
  {
    name: "packet loss 30 %",
    program: "loss",
    args: [some(20, 2), 0, 3_000],
    prepare: losing(0.16),
    ...(given.quick ? { skip: "too slow for the quick form" } : tools.loss),
  },
  { name: "late answers, 400 ms", program: "loss", args: [some(20, 4), 400, 3_000] },
  {
    name: "netem, 100 ms +- 80, loss 10 %",
    program: "loss",
    args: [some(30, 3), 0, 3_000],
    prepare: netem(["delay", "100ms", "80ms", "loss", "10%"]),
    ...tools.netem,
  },
  { name: "clock jumps", program: "clock", args: [some(10, 2)] },
  { name: "disk full of events", program: "disk-full", args: [some(200, 30)], prepare: tinyDisk },
  { name: "no descriptors (EMFILE)", program: "emfile", args: [some(40, 5)], limit: "ulimit -n 96" },
  { name: "DNS loss", program: "dns", args: [some(100, 10)], prepare: ownNameServer },
  { name: "crowd", program: "crowd", args: [5_000, some(20, 3)] },
  { name: "a month", program: "month", args: [some(31, 3)] },
];

const wanted = SCENARIOS.filter(
  ({ name, program }) =>
    positionals.length === 0 || positionals.some((word) => word === program || name.includes(word)),
);
if (wanted.length === 0) {
  process.stderr.write(`No scenario is called so; there are: ${SCENARIOS.map(({ name }) => name).join(", ")}\n`);
  process.exit(2);
}
const began = performance.now();
const results = await inLanes(wanted, availableParallelism(), async (scenario) => {
  if (scenario.skip !== undefined) return { name: scenario.name, skipped: scenario.skip };
  return { name: scenario.name, ...(await play(scenario)) };
});
const seconds = Math.round((performance.now() - began) / 1000);
const judged = results.map((result) => ({ ...result, ...verdict(result) }));
process.stdout.write(table(judged));
const missed = judged.filter(({ met }) => met === false).length;
const load = Number((loadavg()[0] ?? 0).toFixed(1));
process.stdout.write(
  `${judged.filter(({ met }) => met === true).length} scenarios met their goals, ${missed} missed, ${judged.filter(({ met }) => met === undefined).length} skipped, in ${seconds} s on ${availableParallelism()} cores, load ${load}, Node.js ${process.version}.\n`,
);
if (given.json !== undefined)
  writeFileSync(
    given.json,
    `${JSON.stringify({ node: process.version, seconds, load, form: given.quick ? "quick" : "full", scenarios: judged }, null, 2)}\n`,
  );
process.exitCode = missed === 0 ? 0 : 1;

/** @param {Scenario} scenario */
async function play({ program, args, prepare, limit }) {
  const machine = await createMachine({ host: "ec2-nitro", network: "self", lifetimeMs: 900_000 });
  try {
    // The service of a scenario is in the process of the scenario; nobody else may have the port.
    await machine.serve({ kind: "nobody" });
    const more = (await prepare?.(machine)) ?? [];
    const path = fileURLToPath(new URL(`scenarios/${program}.mjs`, import.meta.url));
    const flags = ["--expose-gc", "--max-semi-space-size=1"];
    const shell =
      limit === undefined
        ? { execArgv: flags }
        : { node: "sh", execArgv: ["-c", `${limit}; exec "$@"`, "sh", process.execPath, ...flags] };
    const result = await machine.run(path, { ...shell, args: [...args.map(String), ...more], timeoutMs: 600_000 });
    if (result.json === undefined)
      return { broken: `ended with ${result.exitCode ?? result.signal}: ${result.stderr.slice(-1_500)}` };
    return { ms: result.ms, ...result.json };
  } catch (error) {
    return { broken: String(error) };
  } finally {
    await machine.close();
  }
}

/** @param {Machine} machine */
async function tinyDisk(machine) {
  const folder = (
    await machine.command("sh", [
      "-c",
      'mkdir "$HOME/events" && mount -t tmpfs -o size=64k none "$HOME/events" && echo "$HOME/events"',
    ])
  ).trim();
  return [folder];
}

/** The scenario itself is the only name server. @param {Machine} machine */
async function ownNameServer(machine) {
  await machine.command("sh", [
    "-c",
    'echo "nameserver 127.0.0.1" > "$HOME/resolv.conf" && mount --bind "$HOME/resolv.conf" /etc/resolv.conf',
  ]);
  return [];
}

/**
 * What the kernel of this machine can lose packets with. @returns {Promise<Record<"loss" | "netem", { skip?: string
 * }>>}
 */
async function toolsOfTheKernel() {
  const machine = await createMachine({ lifetimeMs: 30_000 });
  const tried = async (/** @type {(machine: Machine) => Promise<unknown>} */ what) => {
    try {
      await what(machine);
      return {};
    } catch (error) {
      return {
        skip: String(/** @type {any} */ (error).message)
          .split("\n")
          .slice(0, 3)
          .join(" ")
          .slice(0, 160),
      };
    }
  };
  try {
    return { loss: await tried(losing(0.01)), netem: await tried(netem(["delay", "1ms"])) };
  } finally {
    await machine.close();
  }
}

/**
 * @template T, R @param {readonly T[]} items @param {number} lanes @param {(item: T) => Promise<R>} work @returns
 * {Promise<R[]>}
 */
async function inLanes(items, lanes, work) {
  /** @type {R[]} */
  const results = [];
  const rest = [...items.entries()];
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let next = rest.shift(); next !== undefined; next = rest.shift()) results[next[0]] = await work(next[1]);
    }),
  );
  return results;
}
