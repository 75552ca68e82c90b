// @ts-check
/**
 * The gateway's daemon beside the service itself, asked by this program over new connections and over kept ones. The
 * packet filter is left out: the kernel leads a connection once, before it begins.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { withSockDiag } from "../../test/support/sock-diag.mjs";
import { order, report } from "./order.mjs";

/** @type {{ publicKeyPem: string, region: string, samples: number, seconds: number, callers: number }} */
const { publicKeyPem, region, samples, seconds, callers } = order();

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const USAGE = fileURLToPath(new URL("usage.cjs", import.meta.url));
const METADATA = "/latest/meta-data/instance-id";
const ROLE = "/latest/meta-data/iam/security-credentials/app-server";
const folder = mkdtempSync(join(tmpdir(), "imds-guard-bench-gateway-"));
const certificate = join(folder, "key.pem");
writeFileSync(certificate, publicKeyPem);

const usageFile = join(folder, "usage");

/**
 * The daemon as the unit of examples/systemd starts it. @param {number} port @param {readonly string[]} by words that
 * hand it a socket
 */
async function start(port, by) {
  const [name = "", ...words] = [...by, process.execPath, "--max-semi-space-size=1", "--max-old-space-size=64"];
  const daemon = spawn(name, [...words, "-r", USAGE, CLI, "gateway", "--json", "--port", String(port)], {
    env: {
      ...process.env,
      IMDS_GUARD_CERTIFICATES: `${region}=${certificate}`,
      IMDS_GUARD_LOG: "off",
      USAGE_FILE: usageFile,
    },
    stdio: ["ignore", "pipe", "ignore"],
  });
  process.once("exit", () => daemon.kill("SIGKILL"));
  const [ready] = /** @type {[Buffer]} */ (await once(daemon.stdout, "data"));
  return { daemon, owners: /** @type {string} */ (JSON.parse(ready.toString()).owners) };
}

/** @typedef {{ host: string, port: number }} Where */
const GATEWAY = { host: "127.0.0.1", port: 9_100 };
/** One that no socket was handed to, so that it reads the kernel's table. */
const READER = { host: "127.0.0.1", port: 9_101 };
const { daemon, owners } = await start(GATEWAY.port, withSockDiag() ?? []);
const SERVICE = { host: "169.254.169.254", port: 80 };
const kept = new Agent({ keepAlive: true, maxSockets: 32 });

/**
 * @param {Where} where @param {string} method @param {string} path @param {Record<string, string>} headers @param
 * {Agent | false} agent @returns {Promise<string>}
 */
async function ask(where, method, path, headers, agent) {
  try {
    return await exchange(where, method, path, headers, agent);
  } catch (error) {
    // A kept connection may end in the moment in which it is taken up again; every HTTP client asks once more.
    if (agent === false || /** @type {NodeJS.ErrnoException} */ (error).code !== "ECONNRESET") throw error;
    return exchange(where, method, path, headers, agent);
  }
}

/**
 * @param {Where} where @param {string} method @param {string} path @param {Record<string, string>} headers @param
 * {Agent | false} agent @returns {Promise<string>}
 */
function exchange(where, method, path, headers, agent) {
  return new Promise((resolve, reject) => {
    request({ ...where, method, path, headers, agent }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (piece) => (body += piece));
      response.on("end", () => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${method} ${path}: ${response.statusCode}`));
      });
    })
      .on("error", reject)
      .end();
  });
}

const tokenOf = (/** @type {Where} */ where) =>
  ask(where, "PUT", "/latest/api/token", { "X-aws-ec2-metadata-token-ttl-seconds": "21600" }, false);

/** Milliseconds of each of so many GETs. @param {Where} where @param {string} path @param {string} token @param {Agent | false} agent */
async function times(where, path, token, agent) {
  const measured = [];
  for (let done = 0; done < samples; done += 1) {
    const began = performance.now();
    await ask(where, "GET", path, { "X-aws-ec2-metadata-token": token }, agent);
    measured.push(performance.now() - began);
  }
  return measured;
}

const token = await tokenOf(GATEWAY);
const own = await tokenOf(SERVICE);
// Everybody at once, before anything is there.
const began = performance.now();
await Promise.all(
  Array.from({ length: callers }, () => ask(GATEWAY, "GET", ROLE, { "X-aws-ec2-metadata-token": token }, kept)),
);
const crowdMs = performance.now() - began;

// Once for nothing: code is compiled, answers are there.
await times(GATEWAY, METADATA, token, false);
await times(SERVICE, METADATA, own, false);
const answer = {
  crowdMs,
  direct: await times(SERVICE, METADATA, own, false),
  metadata: await times(GATEWAY, METADATA, token, false),
  metadataKept: await times(GATEWAY, METADATA, token, kept),
  credentials: await times(GATEWAY, ROLE, token, kept),
};

let asked = 0;
const until = performance.now() + seconds * 1_000;
const from = await usage();
await Promise.all(
  Array.from({ length: 32 }, async () => {
    while (performance.now() < until) {
      await ask(GATEWAY, "GET", METADATA, { "X-aws-ec2-metadata-token": token }, kept);
      asked += 1;
    }
  }),
);
const rate = asked / seconds;
// What one core would do, however much of it this program left to the daemon.
const to = await usage();
const perCore = asked / ((to.cpuMs - from.cpuMs) / 1_000);
kept.destroy();

const reader = await start(READER.port, []);
const its = await tokenOf(READER);
await times(READER, METADATA, its, false);
const metadataByTable = await times(READER, METADATA, its, false);
reader.daemon.kill("SIGKILL");
report({ ...answer, metadataByTable, owners, rate, perCore, memory: to.megabytes });

/** What the daemon has used so far. @returns {Promise<{ megabytes: number, cpuMs: number }>} */
async function usage() {
  const lines = () => (existsSync(usageFile) ? readFileSync(usageFile, "utf8").trim().split("\n") : []);
  const before = lines().length;
  daemon.kill("SIGUSR2");
  while (lines().length === before) await delay(5);
  return JSON.parse(lines().at(-1) ?? "");
}
