// @ts-check
/**
 * A program that installs the firewall itself, after it has already talked, and tells what became of each of its steps.
 */
import { execFile, spawnSync } from "node:child_process";
import http from "node:http";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { createGuard } from "imds-guard";
import { installFirewall } from "imds-guard/firewall";

const URL_V4 = "http://169.254.169.254/latest/meta-data/";
const HIT = fileURLToPath(new URL("./hit.cjs", import.meta.url));
const order = JSON.parse(process.argv[2] ?? "{}");
/** @type {object[]} */
const events = [];
const onEvent = (/** @type {any} */ event) => {
  events.push(event);
};
const guard = createGuard({ certificates: order.certificates, log: "off", onEvent });

/** @param {string} url @returns {Promise<string>} */
function get(url) {
  return new Promise((resolve, reject) => {
    http
      .get(url, (response) => {
        response.resume().on("end", () => {
          resolve(String(response.statusCode));
        });
      })
      .on("error", reject);
  });
}

/** @type {Record<string, () => Promise<string>>} */
const steps = {
  credentials: async () => (await guard.credentials()).accessKeyId,
  http: () => get(URL_V4),
  httpV6: () => get("http://[fd00:ec2::254]/latest/meta-data/"),
  fetch: async () => String((await fetch(URL_V4)).status),
  keptAlive: kept,
  worker: () =>
    new Promise((resolve, reject) => {
      new Worker(HIT, { execArgv: [], env: {} }).on("exit", (code) => {
        if (code === 0) resolve("arrived");
        else reject(exited(code));
      });
    }),
  child: () =>
    promisify(execFile)(process.execPath, [HIT], { env: {} }).then(
      () => "arrived",
      (error) => {
        throw exited(error.code);
      },
    ),
  childSync: async () => {
    const { status } = spawnSync(process.execPath, [HIT], { env: {} });
    if (status !== 0) throw exited(status);
    return "arrived";
  },
};

/** @param {unknown} code */
function exited(code) {
  return Object.assign(new Error(`exit ${code}`), { code: code === 13 ? "EACCES" : code });
}

/** @type {import("node:net").Socket | undefined} */
let line;
/** Speaks over the connection that was opened first, as the pools of HTTP clients do. @returns {Promise<string>} */
function kept() {
  const socket = line;
  return new Promise((resolve, reject) => {
    socket?.once("data", (chunk) => {
      resolve(/^HTTP\/1\.1 (\d+)/.exec(chunk.toString())?.[1] ?? "no HTTP");
    });
    socket?.once("error", reject);
    socket?.write("GET /latest/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
  });
}

/** @type {Record<string, object>} */
const outcomes = {};
let report;
try {
  if (order.steps.includes("keptAlive")) {
    const socket = connect(80, "169.254.169.254");
    line = socket;
    await new Promise((resolve) => {
      socket.once("connect", resolve);
    });
  }
  if (order.installer === "guard") report = await guard.installFirewall();
  else if (order.installer === "twice") {
    await guard.installFirewall();
    report = installFirewall({ mode: "report", onEvent });
  } else report = installFirewall({ onEvent });
} catch (error) {
  outcomes["install"] = { code: /** @type {any} */ (error).code };
}
for (const name of order.steps) {
  try {
    outcomes[name] = { value: await steps[name]?.() };
  } catch (error) {
    const { code, cause, message } = /** @type {any} */ (error);
    outcomes[name] = {
      code: code ?? cause?.code,
      cause: cause?.code === "EACCES" ? cause.cause?.code : cause?.code,
      message,
    };
  }
}
process.stdout.write(JSON.stringify({ report, steps: outcomes, events }));
process.exit(0);
