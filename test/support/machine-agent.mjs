// @ts-check
/**
 * The program inside a machine: arranges its files, network and neighbours, runs clients and reads the kernel's
 * counters.
 */
import { execFileSync, fork, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** @typedef {import("node:child_process").ChildProcess} ChildProcess */

// The rig must never be able to reach the real address of the machine it runs on.
if (readlinkSync("/proc/self/ns/net") === process.env["RIG_OUTER_NET"] || process.env["RIG_OUTER_NET"] === undefined) {
  throw new Error("refusing to run outside a network namespace of its own");
}

const RESPONDER = fileURLToPath(new URL("./responder.mjs", import.meta.url));
const V4 = "169.254.169.254";
const V6 = "fd00:ec2::254";
const PEER_MAC = "02:00:00:00:fe:fe";
const MAX_OUTPUT = 4 * 1024 * 1024;

/** @type {import("./machine.mjs").Network} */
let network = "none";
/** @type {ChildProcess | undefined} the one who answers at the address */
let responder;
/** @type {Map<number, ChildProcess>} */
const clients = new Map();
let nextClient = 0;

/** @type {Record<string, (message: any) => unknown>} */
const commands = {
  host: ({ files }) => setHost(files),
  network: ({ network: wanted }) => setNetwork(wanted),
  serve: ({ serve }) => tellResponder({ what: "serve", serve }),
  seen: () => tellResponder({ what: "seen" }),
  run: ({ program, options }) => run(program, options),
  open: ({ program, options }) => open(program, options),
  tell: ({ client, message, timeoutMs }) => tell(client, message, timeoutMs),
  close: ({ client }) => {
    clients.get(client)?.kill("SIGKILL");
    clients.delete(client);
  },
  sent: () => counters(),
  command: ({ command, args }) => execFileSync(command, args, { encoding: "utf8", timeout: 10_000 }),
};

process.on("message", (/** @type {any} */ message) => {
  Promise.resolve()
    .then(() => commands[message.what]?.(message))
    .then((value) => {
      process.send?.({ id: message.id, value });
    })
    .catch((error) => {
      process.send?.({ id: message.id, error: String(error?.stack ?? error) });
    });
});
process.on("disconnect", () => {
  process.exit(0);
});
setTimeout(() => {
  process.exit(3);
}, Number(process.env["RIG_LIFETIME_MS"])).unref();

/** @param {Record<string, string>} files */
function setHost(files) {
  for (const name of readdirSync("/sys")) rmSync(`/sys/${name}`, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(`/${path}`), { recursive: true });
    writeFileSync(`/${path}`, content === "" || content.endsWith("\0") ? content : `${content}\n`);
  }
  // Every Linux has the directory; whether DMI is in it is another question.
  mkdirSync("/sys/class", { recursive: true });
}

/** @param {...string} args */
function ip(...args) {
  execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** IPv6 may be switched off in the kernel; the IPv4 address is the one that matters. @param {...string} args */
function ip6(...args) {
  try {
    ip("-6", ...args);
  } catch {
    return;
  }
}

/** @param {import("./machine.mjs").Network} wanted */
async function setNetwork(wanted) {
  const before = responder;
  responder = undefined;
  if (before !== undefined) {
    const ended = new Promise((resolve) => {
      before.once("exit", resolve);
    });
    before.kill("SIGKILL");
    await ended;
  }
  if (["neighbour", "silent", "no-arp"].includes(network)) removeLink();
  if (network === "self") {
    // 127.0.0.1 stays: programs serve each other there.
    ip("address", "delete", `${V4}/32`, "dev", "lo");
    ip6("address", "delete", `${V6}/128`, "dev", "lo");
  }
  for (const route of ["blackhole", "unreachable", "prohibit"].filter((kind) => kind === network)) {
    ip("route", "delete", route, `${V4}/32`);
    ip6("route", "delete", route, `${V6}/128`);
  }
  network = wanted;
  switch (wanted) {
    case "self":
      ip("address", "add", `${V4}/32`, "dev", "lo");
      ip6("address", "add", `${V6}/128`, "dev", "lo", "nodad");
      return startResponder(false);
    case "blackhole":
    case "unreachable":
    case "prohibit":
      ip("route", "add", wanted, `${V4}/32`);
      return ip6("route", "add", wanted, `${V6}/128`);
    case "neighbour":
      return acrossTheWire();
    case "silent":
    case "no-arp":
      ip("link", "add", "uplink", "type", "veth", "peer", "name", "peer", "address", PEER_MAC);
      ip("link", "set", "peer", "arp", "off", "up");
      hostSide();
      if (wanted === "silent") {
        ip("neighbour", "add", V4, "lladdr", PEER_MAC, "dev", "uplink");
        ip6("neighbour", "add", V6, "lladdr", PEER_MAC, "dev", "uplink");
      }
      return undefined;
    default:
      return undefined;
  }
}

/** The namespace of a neighbour that was ended takes both ends of the link with it, sooner or later. */
function removeLink() {
  try {
    ip("link", "delete", "uplink");
  } catch (error) {
    if (existsInterface("uplink")) throw error;
  }
}

/** @param {string} name */
function existsInterface(name) {
  return readFileSync("/proc/net/dev", "utf8").includes(`${name}:`);
}

function hostSide() {
  ip("link", "set", "uplink", "up");
  ip("address", "add", "192.0.2.10/24", "dev", "uplink");
  ip6("address", "add", "2001:db8::10/64", "dev", "uplink", "nodad");
  ip("route", "add", `${V4}/32`, "dev", "uplink");
  ip6("route", "add", `${V6}/128`, "dev", "uplink");
}

/** A neighbour in a network namespace of its own that has the address. */
async function acrossTheWire() {
  await startResponder(true);
  ip(
    "link",
    "add",
    "uplink",
    "type",
    "veth",
    "peer",
    "name",
    "peer",
    "address",
    PEER_MAC,
    "netns",
    String(responder?.pid),
  );
  hostSide();
  await tellResponder({
    what: "address",
    commands: [
      ["link", "set", "peer", "up"],
      ["address", "add", "192.0.2.1/24", "dev", "peer"],
      ["address", "add", `${V4}/32`, "dev", "peer"],
      ["-6", "address", "add", "2001:db8::1/64", "dev", "peer", "nodad"],
      ["-6", "address", "add", `${V6}/128`, "dev", "peer", "nodad"],
    ],
  });
}

/** @param {boolean} elsewhere in a network namespace of its own */
async function startResponder(elsewhere) {
  const [command, args] = elsewhere
    ? ["unshare", ["--net", "--", process.execPath, RESPONDER]]
    : [process.execPath, [RESPONDER]];
  responder = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  await tellResponder({ what: "hello" });
}

/** @param {object} message */
function tellResponder(message) {
  if (responder === undefined) throw new Error(`nobody can answer on a network of the kind ${network}`);
  return exchange(responder, message, 60_000).then(({ reply, timedOut }) => {
    if (timedOut || reply?.error !== undefined) throw new Error(`responder: ${reply?.error ?? "no reply"}`);
    return reply.value;
  });
}

/**
 * One message to a child and its reply. @param {ChildProcess} child @param {object} message @param {number} timeoutMs
 */
function exchange(child, message, timeoutMs) {
  return /** @type {Promise<{ reply: any, timedOut: boolean }>} */ (
    new Promise((resolve) => {
      const finish = (/** @type {any} */ reply, timedOut = false) => {
        clearTimeout(timer);
        child.off("message", onMessage);
        child.off("exit", onExit);
        resolve({ reply, timedOut });
      };
      const onMessage = (/** @type {any} */ reply) => {
        finish(reply);
      };
      const onExit = (/** @type {number | null} */ code, /** @type {string | null} */ signal) => {
        finish({ error: `ended with ${code ?? signal}`, ended: true });
      };
      const timer = setTimeout(() => {
        finish(undefined, true);
      }, timeoutMs);
      child.once("message", onMessage);
      child.once("exit", onExit);
      if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode, child.signalCode);
      else child.send(/** @type {any} */ (message));
    })
  );
}

/** @param {import("./machine.mjs").RunOptions} options */
function environment({ env = {} }) {
  return { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env };
}

/** @param {string} program @param {import("./machine.mjs").RunOptions} options */
async function run(program, options) {
  const before = counters();
  const began = performance.now();
  const child = spawn(
    options.node ?? process.execPath,
    [...(options.execArgv ?? []), program, ...(options.args ?? [])],
    {
      env: environment(options),
      cwd: options.cwd,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: options.timeoutMs ?? 20_000,
      killSignal: "SIGKILL",
    },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout = (stdout + chunk).slice(0, MAX_OUTPUT);
  });
  child.stderr.on("data", (chunk) => {
    stderr = (stderr + chunk).slice(0, MAX_OUTPUT);
  });
  const [exitCode, signal] = /** @type {[number | null, string | null]} */ (
    await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, name) => {
        resolve([code, name]);
      });
    })
  );
  const ms = performance.now() - began;
  return { exitCode, signal, timedOut: signal === "SIGKILL", stdout, stderr, ms, sent: difference(before, counters()) };
}

/** @param {string} program @param {import("./machine.mjs").RunOptions} options */
async function open(program, options) {
  const child = fork(program, [...(options.args ?? [])], {
    execPath: options.node ?? process.execPath,
    execArgv: [...(options.execArgv ?? [])],
    env: environment(options),
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const id = nextClient++;
  clients.set(id, child);
  return id;
}

/** @param {number} client @param {object} message @param {number} timeoutMs */
async function tell(client, message, timeoutMs) {
  const child = clients.get(client);
  if (child === undefined) throw new Error(`there is no client ${client}`);
  const before = counters();
  const began = performance.now();
  const { reply, timedOut } = await exchange(child, message, timeoutMs);
  return { reply, timedOut, ms: performance.now() - began, sent: difference(before, counters()) };
}

/** @returns {import("./machine.mjs").Sent} */
function counters() {
  // Two lines a protocol: names, then numbers.
  const lines = readFileSync("/proc/self/net/snmp", "utf8")
    .split("\n")
    .map((line) => line.split(/\s+/));
  const value = (/** @type {string} */ protocol, /** @type {string} */ name) => {
    const [names = [], numbers = []] = lines.filter(([first]) => first === `${protocol}:`);
    return Number(numbers[names.indexOf(name)] ?? 0);
  };
  const udp6 = /^Udp6OutDatagrams\s+(\d+)$/m.exec(readFileSync("/proc/self/net/snmp6", "utf8"))?.[1] ?? "0";
  return { connections: value("Tcp", "ActiveOpens"), datagrams: value("Udp", "OutDatagrams") + Number(udp6) };
}

/** @param {import("./machine.mjs").Sent} before @param {import("./machine.mjs").Sent} after */
function difference(before, after) {
  return { connections: after.connections - before.connections, datagrams: after.datagrams - before.datagrams };
}
