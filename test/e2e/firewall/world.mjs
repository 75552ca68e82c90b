// @ts-check
/**
 * A network namespace in which every spelling of the metadata addresses has somebody behind it who counts, and a relay
 * of each kind that leads there. Runs the probes it is told of, one process each, and prints what arrived. Another
 * program may be named; it gets the name of its probe as its argument, and prints JSON.
 */
import { execFileSync, spawn } from "node:child_process";
import dgram from "node:dgram";
import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * @typedef {{ probe: string, execArgv?: readonly string[], env?: Readonly<Record<string, string>> }} Task
 * @typedef {{ node: string, tasks: readonly Task[], outerNet: string, modules?: string | undefined, program?: string,
 * addresses?: readonly string[] }} Job
 * @typedef {{ probe: string, arrived: number, asked: number, outcome: any, stderr: string, code: number | null, signal:
 * string | null }} Result
 */

/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? "{}");
// Nothing of this may ever reach the real address of the machine it runs on.
if (readlinkSync("/proc/self/ns/net") === job.outerNet)
  throw new Error("refusing to run outside a network namespace of its own");

const PROGRAM = job.program ?? fileURLToPath(new URL("./probes.cjs", import.meta.url));
const V4 = ["169.254.169.254", "169.254.169.253", "169.254.169.123", "169.254.170.2", "169.254.170.23"];
const V6 = [
  "fd00:ec2::254",
  "fd00:ec2::253",
  "fd00:ec2::23",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1::a9fe:a9fe",
  "64:ff9b:1:a9fe:a9:fe00::",
  "2002:a9fe:a9fe::1",
  "::a9fe:a9fe",
  "::ffff:0:a9fe:a9fe",
  "2001:0:102:304:506:708:5601:5601",
  "2001:db8:1:2:0:5efe:a9fe:a9fe",
];
const ip = (/** @type {string[]} */ ...args) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
ip("link", "set", "lo", "up");
for (const address of V4) ip("address", "add", `${address}/32`, "dev", "lo");
for (const address of [...V6, ...(job.addresses ?? [])])
  ip("-6", "address", "replace", `${address}/128`, "dev", "lo", "nodad");
execFileSync("mount", ["--bind", hostsFile(), "/etc/hosts"]);

function hostsFile() {
  const path = join(mkdtempSync(join(tmpdir(), "imds-guard-world-")), "hosts");
  writeFileSync(
    path,
    "127.0.0.1 localhost\n::1 localhost\n169.254.169.254 instance-data metadata.test\nfd00:ec2::254 metadata6.test\n",
  );
  return path;
}

/** @type {(() => void)[]} */
const sentinels = [];
let arrived = 0;
/** Connections on which something was asked. */
let asked = 0;
const isMetadata = (/** @type {string | undefined} */ address) =>
  address !== undefined && !["127.0.0.1", "::1", "::ffff:127.0.0.1"].includes(address);

const web = http.createServer((request, response) => {
  request.resume();
  response.end("reached");
});
web.on("upgrade", (_, socket) => {
  socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
});
for (const port of [80, 443, 53]) {
  await listening(
    net
      .createServer((socket) => {
        socket.on("error", () => undefined);
        if (isMetadata(socket.localAddress)) {
          arrived += 1;
          socket.once("data", () => {
            asked += 1;
          });
        }
        web.emit("connection", socket);
      })
      .listen(port, "::"),
  );
}
for (const port of [53, 80]) {
  const udp = dgram.createSocket("udp6");
  // The kernel tells no destination; nothing else in this namespace sends to these ports.
  udp.on("message", (message) => {
    if (message.toString() === "sentinel") sentinels.shift()?.();
    else arrived += 1;
  });
  await new Promise((resolve) => {
    udp.bind(port, "::", () => {
      resolve(undefined);
    });
  });
}

/** A forward proxy: absolute-form and CONNECT. Decimal and other forms are its resolver's business, as in real ones. */
const proxy = http.createServer((request, response) => {
  const target = new URL(request.url ?? "", "http://127.0.0.1:1");
  const onward = http.request(
    {
      host: target.hostname.replace(/^\[|\]$/g, ""),
      port: target.port || 80,
      path: target.pathname,
      method: request.method,
      agent: false,
    },
    (answer) => {
      answer.pipe(response);
    },
  );
  onward.on("error", () => {
    response.statusCode = 502;
    response.end();
  });
  request.pipe(onward);
});
proxy.on("connect", (request, client) => {
  const target = new URL(`http://${request.url ?? ""}`);
  const onward = net.connect(Number(target.port || 80), target.hostname.replace(/^\[|\]$/g, ""), () => {
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    onward.pipe(client).pipe(onward);
  });
  onward.on("error", () => {
    client.destroy();
  });
  client.on("error", () => {
    onward.destroy();
  });
});
await listening(proxy.listen(3128, "127.0.0.1"));
/** Redirects to whatever the path names. */
await listening(
  http
    .createServer((request, response) => {
      response.writeHead(
        request.url?.startsWith("/ok") ? 200 : 307,
        request.url?.startsWith("/ok") ? {} : { Location: decodeURIComponent((request.url ?? "").slice(1)) },
      );
      response.end("redirecting");
    })
    .listen(8080, "127.0.0.1"),
);
const RELAY = join(mkdtempSync(join(tmpdir(), "imds-guard-relay-")), "relay");
const relay = (/** @type {net.Socket} */ client) => {
  const onward = net.connect(80, "169.254.169.254");
  client.on("error", () => {
    onward.destroy();
  });
  onward.on("error", () => {
    client.destroy();
  });
  client.pipe(onward).pipe(client);
};
await listening(net.createServer(relay).listen(RELAY));
await listening(net.createServer(relay).listen(8081, "127.0.0.1"));

/** @param {net.Server | http.Server} server */
function listening(server) {
  return new Promise((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
}

const home = mkdtempSync(join(tmpdir(), "imds-guard-home-"));
for (const task of job.tasks) {
  arrived = 0;
  asked = 0;
  const result = await run(task);
  await settled();
  process.stdout.write(`${JSON.stringify({ ...result, arrived, asked })}\n`);
}
rmSync(home, { recursive: true, force: true });
process.exit(0);

/** What a probe sent before its end is accepted before what is sent now: queues of the kernel keep their order. */
async function settled() {
  await Promise.all(
    [80, 443, 53].map(
      (port) =>
        new Promise((resolve, reject) => {
          const socket = net.connect(port, "::1", () => {
            socket.end("GET / HTTP/1.0\r\n\r\n");
          });
          socket.resume().on("close", resolve).on("error", reject);
        }),
    ),
  );
  const sender = dgram.createSocket("udp6");
  for (const port of [53, 80]) {
    await new Promise((resolve) => {
      sentinels.push(() => {
        resolve(undefined);
      });
      sender.send("sentinel", port, "::1");
    });
  }
  sender.close();
}

/** @param {Task} task @returns {Promise<Result>} */
function run({ probe, execArgv = [], env = {} }) {
  return new Promise((resolve) => {
    const child = spawn(job.node, [...execArgv, PROGRAM, probe], {
      cwd: home,
      env: {
        PATH: process.env["PATH"],
        HOME: home,
        RELAY,
        ...(job.modules !== undefined && { PROBE_MODULES: job.modules }),
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 30_000,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr = (stderr + chunk).slice(0, 4_000);
    });
    child.on("close", (code, signal) => {
      let outcome;
      try {
        outcome = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
      } catch {
        outcome = { unparsed: stdout.slice(0, 500) };
      }
      resolve({ probe, arrived: 0, asked: 0, outcome, stderr, code, signal });
    });
  });
}
