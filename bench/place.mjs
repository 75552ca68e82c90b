// @ts-check
/**
 * Where a bench runs: in a machine of its own with the real metadata address, or, where no namespace can be had, on
 * loopback, where both packages are pointed at the responder by AWS's own endpoint variable.
 */
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canUnshare, createMachine } from "../test/support/machine.mjs";

/**
 * @typedef {import("../test/support/machine.mjs").Serve} Serve
 * @typedef {import("../test/support/machine.mjs").Network} Network
 *
 * @typedef {object} Place
 * @property {boolean} isolated whether the real address is there, in a namespace
 * @property {(client: string, order: object, options?: { env?: Record<string, string>, execArgv?: readonly string[] })
 * => Promise<any>} run
 *   one client program in a fresh process; its answer if it gives one, `totalMs` from start to exit, and what it `sent`
 * where the kernel of a machine counts
 * @property {(client: string, execArgv?: readonly string[]) => Promise<{ ask: (order: object) => Promise<any>, close:
 * () => Promise<void> }>} open
 * @property {(serve: Serve) => Promise<void>} serve
 * @property {() => Promise<any>} seen
 * @property {() => Promise<void>} close
 */

export { canUnshare };

const CLIENT_TIMEOUT_MS = 30_000;
const program = (/** @type {string} */ client) => fileURLToPath(new URL(`clients/${client}`, import.meta.url));

/** @param {{ host?: string, network?: Network, lifetimeMs?: number }} [options] @returns {Promise<Place>} */
export function openPlace(options = {}) {
  return canUnshare().ok ? inMachine(options) : onLoopback();
}

/**
 * Lends a place. @template T @param {{ host?: string, network?: Network, lifetimeMs?: number }} options @param {(place:
 * Place) => Promise<T>} work @returns {Promise<T>}
 */
export async function withPlace(options, work) {
  const place = await openPlace(options);
  try {
    return await work(place);
  } finally {
    await place.close();
  }
}

/** @param {{ host?: string, network?: Network, lifetimeMs?: number }} options @returns {Promise<Place>} */
async function inMachine(options) {
  const machine = await createMachine(options);
  return {
    isolated: true,
    run: async (client, order, { env = {}, execArgv = [] } = {}) => {
      const result = await machine.run(program(client), {
        args: [JSON.stringify(order)],
        env,
        execArgv,
        timeoutMs: CLIENT_TIMEOUT_MS,
      });
      return answerOf(client, result);
    },
    open: async (client, execArgv = []) => {
      const opened = await machine.open(program(client), { execArgv });
      return { ask: async (order) => (await opened.ask(order, CLIENT_TIMEOUT_MS)).reply, close: opened.close };
    },
    serve: machine.serve,
    seen: machine.seen,
    close: machine.close,
  };
}

/** @returns {Promise<Place>} */
async function onLoopback() {
  const home = mkdtempSync(join(tmpdir(), "imds-guard-bench-"));
  const responder = fork(fileURLToPath(new URL("loopback-responder.mjs", import.meta.url)));
  // Until somebody is served, nothing may be asked: port 1 of this machine, which refuses.
  let url = "http://127.0.0.1:1";
  const tell = async (/** @type {object} */ message) => {
    responder.send(message);
    const [reply] = await once(responder, "message");
    return reply;
  };
  const environment = (/** @type {Record<string, string>} */ env) => ({
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    USERPROFILE: home,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
    ...env,
  });
  return {
    isolated: false,
    run: async (client, order, { env = {}, execArgv = [] } = {}) => {
      const began = performance.now();
      const child = spawn(process.execPath, [...execArgv, program(client), JSON.stringify(order)], {
        env: environment(env),
        timeout: CLIENT_TIMEOUT_MS,
      });
      let stdout = "";
      let stderr = "";
      child.stdout.on("data", (chunk) => {
        stdout += chunk;
      });
      child.stderr.on("data", (chunk) => {
        stderr += chunk;
      });
      const [exitCode] = await once(child, "close");
      return answerOf(client, { stdout, stderr, exitCode, ms: performance.now() - began });
    },
    open: async (client, execArgv = []) => {
      const child = fork(program(client), [], {
        execArgv: [...execArgv],
        env: environment({}),
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      });
      return {
        ask: async (order) => {
          child.send(order);
          const [reply] = await once(child, "message");
          return reply;
        },
        close: async () => {
          child.kill("SIGKILL");
        },
      };
    },
    serve: async (serve) => {
      url = (await tell({ serve })).url ?? url;
    },
    seen: async () => (await tell({})).seen,
    close: async () => {
      responder.kill("SIGKILL");
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/**
 * @param {string} client @param {{ stdout: string, stderr: string, exitCode: number | null, ms: number, sent?:
 * import("../test/support/machine.mjs").Sent }} result
 */
function answerOf(client, { stdout, stderr, exitCode, ms, sent }) {
  if (exitCode !== 0) throw new Error(`${client} ended with ${exitCode}: ${stderr.slice(0, 2_000)}`);
  return { ...(stdout === "" ? {} : JSON.parse(stdout)), totalMs: ms, sent };
}
