// @ts-check
/**
 * A host of a test's own making: user, mount, network and process namespaces without any privilege, a `/sys` that says
 * what the host is, the real metadata addresses on its network, and kernel counters of what left it.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hostKindOf } from "./host-kinds.mjs";

export { HOST_KINDS, hostKindOf } from "./host-kinds.mjs";

/**
 * What is behind 169.254.169.254 and fd00:ec2::254:
 * - `self`: the addresses are on the host's own loopback interface, and whoever is served answers there
 * - `neighbour`: another network namespace across a veth pair has them, and whoever is served answers there
 * - `silent`: a neighbour that takes every packet and never answers
 * - `no-arp`: on the link, but nobody answers the ARP request
 * - `blackhole`, `unreachable`, `prohibit`: a route of that kind
 * - `none`: no route
 *
 * @typedef {"self" | "neighbour" | "silent" | "no-arp" | "blackhole" | "unreachable" | "prohibit" | "none"} Network
 */

/**
 * @typedef {{ kind: "behaviour", name: string, persona?: Partial<import("./impersonator.mjs").Persona> }}
 * ServeBehaviour
 * @typedef {{ kind: "genuine", identity?: Partial<import("./imds-server.mjs").ImdsIdentity>,
 *   privateKeyPem?: string }} ServeGenuine the key signs the identity document; without it there is no signed one
 * @typedef {ServeBehaviour | ServeGenuine | { kind: "nobody" }} Serve
 */

/**
 * @typedef {object} Sent What the host sent, from the kernel's counters; answers of a server on the host are not in it.
 * @property {number} connections TCP connections begun (`ActiveOpens`), both families
 * @property {number} datagrams UDP datagrams, both families
 */

/**
 * @typedef {object} RunOptions
 * @property {readonly string[]} [args]
 * @property {Readonly<Record<string, string>>} [env] added to PATH and HOME, which is all there is otherwise
 * @property {string} [node] the Node.js binary; default this one
 * @property {readonly string[]} [execArgv]
 * @property {string} [cwd] default that of the test
 * @property {number} [timeoutMs] then it is killed; default 20,000
 *
 * @typedef {object} RunResult
 * @property {number | null} exitCode
 * @property {string | null} signal
 * @property {boolean} timedOut
 * @property {string} stdout
 * @property {string} stderr
 * @property {any} json stdout parsed, or undefined
 * @property {number} ms
 * @property {Sent} sent
 */

/**
 * @typedef {object} Client A program that stays and answers one message at a time over its IPC channel.
 * @property {(message: object, timeoutMs?: number) => Promise<{ reply: any, sent: Sent, ms: number, timedOut: boolean
 * }>} ask
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Machine
 * @property {(name: string) => Promise<void>} setHost
 * @property {(network: Network) => Promise<void>} setNetwork whoever was served is gone afterwards
 * @property {(serve: Serve) => Promise<void>} serve
 * @property {() => Promise<any>} seen what the one who is served saw since then
 * @property {(program: string, options?: RunOptions) => Promise<RunResult>} run
 * @property {(program: string, options?: RunOptions) => Promise<Client>} open
 * @property {() => Promise<Sent>} sent since the machine was made
 * @property {(command: string, args: readonly string[]) => Promise<string>} command runs a system command there, for
 * diagnosis
 * @property {() => Promise<void>} close
 */

export const IMDS_V4 = "169.254.169.254";
export const IMDS_V6 = "fd00:ec2::254";

const AGENT = fileURLToPath(new URL("./machine-agent.mjs", import.meta.url));
// --kill-child and the process namespace: when this process goes, everything in there goes, whatever it was doing.
const UNSHARE = ["--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--kill-child"];
const SETUP = 'mount -t tmpfs none /sys && mount -t tmpfs none "$HOME" && ip link set lo up && exec "$@"';

/** An empty directory that every machine covers with a file system of its own, so that nothing is left behind. */
function emptyHome() {
  const home = join(tmpdir(), `imds-guard-home-${process.getuid?.() ?? 0}`);
  mkdirSync(home, { recursive: true });
  return home;
}

/** @type {{ ok: true } | { ok: false, reason: string } | undefined} */
let known;

/**
 * Whether this system lets us make machines, and if not, why. @returns {{ ok: true } | { ok: false, reason: string }}
 */
export function canUnshare() {
  known ??= tryUnshare();
  // A suite that is skipped proves nothing: where they are demanded, it fails.
  if (!known.ok && process.env["REQUIRE_NAMESPACES"] === "1")
    throw new Error(`REQUIRE_NAMESPACES is 1, and no machines can be made here: ${known.reason}`);
  return known;
}

/** @returns {{ ok: true } | { ok: false, reason: string }} */
function tryUnshare() {
  if (process.platform !== "linux")
    return { ok: false, reason: `namespaces are a thing of Linux, this is ${process.platform}` };
  const tried = spawnSync(
    "unshare",
    [...UNSHARE, "sh", "-c", SETUP, "sh", "ip", "address", "add", `${IMDS_V4}/32`, "dev", "lo"],
    {
      timeout: 10_000,
      encoding: "utf8",
      env: { PATH: process.env["PATH"], HOME: emptyHome() },
    },
  );
  if (tried.error !== undefined) return { ok: false, reason: `unshare: ${tried.error.message}` };
  if (tried.status !== 0)
    return {
      ok: false,
      reason: tried.stderr.trim().split("\n").at(-1) || `unshare ended with ${tried.status ?? tried.signal}`,
    };
  return { ok: true };
}

/**
 * Makes a host. Close it; if this process dies first, the kernel ends everything in it.
 *
 * @param {{ host?: string, network?: Network, lifetimeMs?: number }} [options] default an `ec2-nitro` on a `self`
 * network for 300 s at most
 * @returns {Promise<Machine>}
 */
export async function createMachine({ host = "ec2-nitro", network = "self", lifetimeMs = 300_000 } = {}) {
  const able = canUnshare();
  if (!able.ok) throw new Error(`no namespaces here: ${able.reason}`);
  const agent = spawn("unshare", [...UNSHARE, "sh", "-c", SETUP, "sh", process.execPath, AGENT], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: emptyHome(),
      RIG_OUTER_NET: readlinkSync("/proc/self/ns/net"),
      RIG_LIFETIME_MS: String(lifetimeMs),
    },
  });
  let said = "";
  for (const stream of [agent.stdout, agent.stderr])
    stream?.on("data", (chunk) => {
      said = (said + chunk).slice(-4_000);
    });

  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  const waiting = new Map();
  let nextId = 0;
  agent.on("message", (/** @type {any} */ message) => {
    const waiter = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error !== undefined) waiter?.reject(new Error(message.error));
    else waiter?.resolve(message.value);
  });
  /** @type {Promise<void>} */
  const gone = new Promise((resolve) => {
    agent.once("exit", (code, signal) => {
      for (const { reject } of waiting.values()) reject(new Error(`the machine ended (${code ?? signal}): ${said}`));
      waiting.clear();
      resolve();
    });
  });
  const ask = (/** @type {string} */ what, /** @type {object} */ details = {}) =>
    new Promise((resolve, reject) => {
      if (!agent.connected) return reject(new Error(`the machine is gone: ${said}`));
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      agent.send({ id, what, ...details });
    });

  /** @type {Machine} */
  const machine = {
    setHost: async (name) => {
      await ask("host", { files: hostKindOf(name).files });
    },
    setNetwork: async (name) => {
      await ask("network", { network: name });
    },
    serve: async (serve) => {
      await ask("serve", { serve });
    },
    seen: () => ask("seen"),
    run: async (program, options = {}) => {
      const result = /** @type {RunResult} */ (await ask("run", { program, options }));
      return { ...result, json: parsed(result.stdout) };
    },
    open: async (program, options = {}) => {
      const client = await ask("open", { program, options });
      return {
        ask: (message, timeoutMs = 20_000) => /** @type {Promise<any>} */ (ask("tell", { client, message, timeoutMs })),
        close: async () => {
          await ask("close", { client });
        },
      };
    },
    sent: () => /** @type {Promise<Sent>} */ (ask("sent")),
    command: (command, args) => /** @type {Promise<string>} */ (ask("command", { command, args })),
    close: async () => {
      agent.kill("SIGKILL");
      await gone;
    },
  };
  try {
    await machine.setHost(host);
    await machine.setNetwork(network);
  } catch (error) {
    await machine.close();
    throw error;
  }
  return machine;
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
