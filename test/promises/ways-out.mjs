// @ts-check
/**
 * A program that tries to reach a metadata service by many ways, in a host of its own, with the firewall put on by the
 * preload or in code. Prints what became of each: "refused" where the firewall said so, "reached" where somebody answered.
 */
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { get } from "node:http";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";

const ADDRESS = "169.254.169.254";
const SELF = fileURLToPath(import.meta.url);
if (process.env["FIREWALL_BY"] === "code") {
  const { installFirewall } = await import("imds-guard/firewall");
  installFirewall();
}

/** @param {unknown} error */
const outcome = (error) => {
  const { code, cause } = /** @type {NodeJS.ErrnoException & { cause?: NodeJS.ErrnoException }} */ (error);
  return code === "EACCES" || cause?.code === "EACCES" ? "refused" : `failed: ${code ?? String(error)}`;
};

/** @param {(done: (result: string) => void) => void} attempt @returns {Promise<string>} */
const within = (attempt) =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve("silent"), 3_000);
    const done = (/** @type {string} */ result) => {
      clearTimeout(timer);
      resolve(result);
    };
    try {
      attempt(done);
    } catch (error) {
      done(outcome(error));
    }
  });

/** @param {object} options */
const byNet = (options) =>
  within((done) => {
    const socket = connect(/** @type {any} */ (options), () => {
      done("reached");
      socket.destroy();
    });
    socket.on("error", (error) => done(outcome(error)));
  });
/** @param {object} options */
const byHttp = (options) =>
  within((done) => {
    get(/** @type {any} */ (options), (response) => {
      response.resume();
      done("reached");
    }).on("error", (error) => done(outcome(error)));
  });
/** @param {string} host */
const byDatagram = (host) =>
  within((done) => {
    const socket = createSocket("udp4");
    const end = (/** @type {Error | null} */ error) => {
      done(error ? outcome(error) : "reached");
      socket.close();
    };
    socket.on("error", end);
    socket.send("x", 80, host, end);
  });
/** @param {object} options */
const byWorker = (options) =>
  within((done) => {
    const worker = new Worker(SELF, { workerData: "way", ...options });
    worker.on("message", done);
    worker.on("error", (error) => done(outcome(error)));
  });

/** An address that is no plain text: what is checked and what is used may be two readings of it. */
const lookup = (/** @type {string} */ _, /** @type {object} */ options, /** @type {Function} */ found) =>
  /** @type {{ all?: boolean }} */ (options).all === true
    ? found(null, [{ address: new String(ADDRESS), family: 4 }])
    : found(null, new String(ADDRESS), 4);

if (!isMainThread && workerData === "way") {
  const { parentPort } = await import("node:worker_threads");
  parentPort?.postMessage(await byNet({ host: ADDRESS, port: 80 }));
} else if (process.argv[2] === "way") {
  process.stdout.write(await byNet({ host: ADDRESS, port: 80 }));
} else {
  const child = (/** @type {Record<string, string>} */ env) =>
    spawnSync(process.execPath, [SELF, "way"], { env: { ...process.env, FIREWALL_BY: "", ...env }, encoding: "utf8" })
      .stdout;
  const ways = {
    net: await byNet({ host: ADDRESS, port: 80 }),
    "net, IPv4 mapped": await byNet({ host: `::ffff:${ADDRESS}`, port: 80 }),
    "net, one number": await byNet({ host: "2852039166", port: 80 }),
    "net, IPv6": await byNet({ host: "fd00:ec2::254", port: 80 }),
    // Node.js itself ends at these where nothing is in the way.
    ...(process.argv[2] !== "open" && {
      "net, lookup of a String object": await byNet({ host: "harmless.example", port: 80, lookup }),
      "http, lookup of a String object": await byHttp({ host: "harmless.example", lookup }),
    }),
    http: await byHttp({ host: ADDRESS }),
    fetch: await fetch(`http://${ADDRESS}/`).then(() => "reached", outcome),
    datagram: await byDatagram(ADDRESS),
    worker: await byWorker({}),
    "worker without an environment": await byWorker({ env: {} }),
    "worker with a limit": await byWorker({ resourceLimits: { maxOldGenerationSizeMb: 64 } }),
    child: child({}),
    "child without NODE_OPTIONS": child({ NODE_OPTIONS: "" }),
  };
  process.stdout.write(JSON.stringify(ways));
  process.exit(0);
}
