/** Runs probes in namespaces of their own, each without a firewall and with it. */
import { execFileSync, spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PROBES = fileURLToPath(new URL("./probes.cjs", import.meta.url));
const WORLD = fileURLToPath(new URL("./world.mjs", import.meta.url));
/** The preload as a program gets it: an absolute path to the built file. */
export const REGISTER = fileURLToPath(new URL("../../../dist/register.cjs", import.meta.url));
const LANES = 3;

/** What probes.cjs says of a probe. */
export interface Probe {
  readonly name: string;
  readonly min?: number;
  readonly max?: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly lib?: string;
  readonly documented?: string;
  readonly works?: boolean;
  readonly tunnel?: boolean;
  readonly shape?: "any";
  readonly control?: false;
}

/** What became of a probe, once. */
export interface Run {
  /** Connections and datagrams at metadata addresses. */
  readonly arrived: number;
  /** Connections on which something was asked. */
  readonly asked: number;
  readonly outcome: {
    readonly value?: unknown;
    readonly code?: string;
    readonly uncaught?: boolean;
    readonly unparsed?: string;
  };
  readonly stderr: string;
  readonly code: number | null;
  readonly signal: string | null;
}

/** Without a firewall, and with it. */
export interface Pair {
  readonly bare: Run;
  readonly guarded: Run;
}

/** The probes that this Node runs: with `libraries`, those of third parties, else all others. */
export function probesFor(node: string, libraries: boolean): readonly Probe[] {
  const major = Number(execFileSync(node, ["-p", "process.versions.node.split('.')[0]"], { encoding: "utf8" }));
  const listed = JSON.parse(execFileSync(node, ["--no-warnings", PROBES, "--list"], { encoding: "utf8" })) as Record<
    string,
    Omit<Probe, "name">
  >;
  return Object.entries(listed)
    .map(([name, options]) => ({ name, ...options }))
    .filter(({ min = 0, max = 999, lib }) => min <= major && major <= max && (lib !== undefined) === libraries);
}

/** What a world is told: see world.mjs. */
export interface Job {
  readonly node: string;
  readonly tasks: readonly {
    readonly probe: string;
    readonly execArgv?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  }[];
  readonly modules?: string;
  /** What is run for each task, instead of the probes. */
  readonly program?: string;
  /** Further IPv6 addresses that count as the metadata service's. */
  readonly addresses?: readonly string[];
}

/** Makes a namespace, runs the tasks in it one after the other, and gives what became of each. */
export async function runWorld(job: Job): Promise<readonly Run[]> {
  const order = JSON.stringify({ ...job, outerNet: readlinkSync("/proc/self/ns/net") });
  const world = spawn("unshare", ["-Urnm", "--kill-child", "--fork", process.execPath, WORLD, order], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let complaints = "";
  world.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  world.stderr.on("data", (chunk: Buffer) => (complaints += chunk.toString()));
  await new Promise((resolve) => world.once("close", resolve));
  const lines = said.split("\n").filter(Boolean);
  if (lines.length !== job.tasks.length)
    throw new Error(`a world ended after ${lines.length} of ${job.tasks.length} probes: ${complaints.slice(0, 2_000)}`);
  return lines.map((line) => JSON.parse(line) as Run);
}

/** Runs every probe twice. `modules` is a folder in which third parties' packages are installed. */
export async function runProbes(
  node: string,
  probes: readonly Probe[],
  modules?: string,
): Promise<ReadonlyMap<string, Pair>> {
  const tasks = probes.flatMap(({ name, args = [], env = {} }) =>
    [false, true].map((guarded) => ({
      probe: name,
      guarded,
      execArgv: ["--no-warnings", ...args, ...(guarded ? ["-r", REGISTER] : [])],
      env: { ...env, ...(guarded && { IMDS_GUARD_LOG: "off" }) },
    })),
  );
  const pairs = new Map<string, { bare?: Run; guarded?: Run }>();
  await Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      // Both runs of a probe in one lane, one after the other.
      const mine = tasks.filter((__, index) => Math.floor(index / 2) % LANES === lane);
      const runs = await runWorld({ node, tasks: mine, ...(modules !== undefined && { modules }) });
      for (const [index, run] of runs.entries()) {
        const { probe = "", guarded = false } = mine[index] ?? {};
        pairs.set(probe, { ...pairs.get(probe), [guarded ? "guarded" : "bare"]: run });
      }
    }),
  );
  return pairs as ReadonlyMap<string, Pair>;
}

/** What is wrong with a pair, in words; nothing where it is as it has to be. */
export function complaintsAbout(probe: Probe, { bare, guarded }: Pair): readonly string[] {
  const refused = /EACCES|ERR_DNS_SET_SERVERS_FAILED/.test(JSON.stringify(guarded.outcome));
  const wrong: Readonly<Record<string, boolean>> = probe.works
    ? {
        "does not work even without the firewall": bare.outcome.value === undefined,
        "no longer works": guarded.outcome.value === undefined,
      }
    : probe.documented !== undefined
      ? {
          "does not arrive without the firewall": bare.arrived === 0,
          "is stopped: take it off the list of what is not": guarded.arrived === 0,
        }
      : {
          "does not arrive without the firewall": probe.control !== false && bare.arrived === 0,
          arrived: probe.tunnel ? guarded.asked > 0 : guarded.arrived > 0,
          "crashed the process": guarded.outcome.uncaught === true,
          hangs: guarded.signal !== null,
          "is not refused as the system refuses": probe.shape !== "any" && !refused,
        };
  return Object.entries(wrong).flatMap(([what, is]) => (is ? [what] : []));
}
