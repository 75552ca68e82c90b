// @ts-check
/**
 * A host of its own, made of namespaces, on which the gateway runs: started by gateway.test.ts under `unshare -nm` as
 * root, with the repository bound to a place that every user can read. Prints what was seen as one line of JSON.
 */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createSigner } from "../../support/identity-signer.mjs";
import { startImdsServer } from "../../support/imds-server.mjs";
import { withSockDiag } from "../../support/sock-diag.mjs";

const [, , kind = "laptop", root = "", kills = "20"] = process.argv;
const CLI = `${root}/dist/cli.js`;
const DAEMON = 65_534;
const ROLE = "/latest/meta-data/iam/security-credentials/";

/** @param {string} program @param {string[]} args */
const run = (program, ...args) => execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** What commands find on their PATH; a host without nft gets another one. */
let programs = process.env["PATH"] ?? "";

/** @param {string[]} args */
function cli(...args) {
  try {
    return {
      code: 0,
      out: execFileSync(process.execPath, [CLI, ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, PATH: programs },
      }),
    };
  } catch (error) {
    const { status, stdout, stderr } = /** @type {{ status: number, stdout: string, stderr: string }} */ (error);
    return { code: status, out: stdout + stderr };
  }
}

/** On instances the daemon is handed a socket of sock_diag, as by its unit; elsewhere it reads the kernel's table. */
const handedOver = kind.endsWith("ec2") ? (withSockDiag() ?? []) : [];

/** What the unit grants, so that programs of other users can be named. */
const CAPABILITIES = "+sys_ptrace,+dac_read_search";

/** @param {Record<string, string>} env @param {string[]} args @param {number} uid @param {string[]} rights of setpriv */
function spawnDaemon(env, args, uid = DAEMON, rights = []) {
  const child = spawn(
    "setpriv",
    [
      `--reuid=${uid}`,
      `--regid=${uid}`,
      "--clear-groups",
      ...rights,
      ...handedOver,
      process.execPath,
      CLI,
      "gateway",
      "--json",
      ...args,
    ],
    {
      env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
  const ready = Promise.race([
    once(child.stdout, "data").then(([line]) => String(line)),
    once(child, "exit").then(() => ""),
  ]);
  return { child, ready, said: () => said };
}

/** One that serves, or has ended. @param {Parameters<typeof spawnDaemon>} how */
async function startDaemon(...how) {
  const daemon = spawnDaemon(...how);
  return { ...daemon, ready: await daemon.ready };
}

/** @param {import("node:child_process").ChildProcess} child @param {number} ms within which it ends */
async function killWithin(child, ms) {
  const ended = once(child, "exit");
  await new Promise((resolve) => setTimeout(resolve, Math.random() * ms));
  child.kill("SIGKILL");
  await ended;
}

/** @param {number} uid @param {string} method @param {string} url @param {Record<string, string>} headers @param {string[]} before */
function curl(uid, method, url, headers = {}, before = []) {
  const args = [
    "-g",
    "-s",
    "--path-as-is",
    "-m",
    "60",
    "-X",
    method,
    "-w",
    "\n%{http_code}",
    ...Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
    url,
  ];
  const [program = "", ...rest] = [
    ...before,
    "setpriv",
    `--reuid=${uid}`,
    `--regid=${uid}`,
    "--clear-groups",
    "curl",
    ...args,
  ];
  return new Promise((resolve) => {
    execFile(program, rest, { encoding: "utf8" }, (_error, stdout) => {
      const at = stdout.lastIndexOf("\n");
      resolve({ status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) });
    });
  });
}

/** IMDSv2 as a client speaks it. @param {number} uid @param {string} path @param {string} host @param {string[]} before */
async function get(uid, path, host = "169.254.169.254", before = []) {
  const token = await curl(
    uid,
    "PUT",
    `http://${host}/latest/api/token`,
    { "X-aws-ec2-metadata-token-ttl-seconds": "60" },
    before,
  );
  if (token.status !== 200) return token;
  return curl(uid, "GET", `http://${host}${path}`, { "X-aws-ec2-metadata-token": token.body }, before);
}

const seen = /** @type {Record<string, unknown>} */ ({});
mkdirSync("/run/imds-guard", { recursive: true });
run("ip", "link", "set", "lo", "up");
run("ip", "addr", "add", "169.254.169.254/32", "dev", "lo");
// Without a look for duplicates, during which nothing can listen there.
run("ip", "addr", "add", "fd00:ec2::254/128", "dev", "lo", "nodad");
const dmi = "/sys/class/dmi/id";
mkdirSync(dmi, { recursive: true });
const onEc2 = kind.endsWith("ec2");
const vendor = onEc2 ? "Amazon EC2" : "LENOVO";
for (const name of ["sys_vendor", "bios_vendor", "board_vendor", "chassis_vendor"])
  writeFileSync(`${dmi}/${name}`, `${vendor}\n`);
if (onEc2) writeFileSync(`${dmi}/board_asset_tag`, "i-0a1b2c3d4e5f60718\n");

const listen = [
  { host: "169.254.169.254", port: 80 },
  { host: "fd00:ec2::254", port: 80 },
];

/** An impersonator, and what was asked of it. */
async function startImpersonator() {
  /** @type {string[]} */
  const asked = [];
  for (const { host, port } of listen) {
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers["user-agent"] ?? ""}`);
      response.end("x".repeat(56));
    });
    await new Promise((resolve) => server.listen(port, host, () => resolve(undefined)));
  }
  return asked;
}

/** @param {import("node:child_process").ChildProcess} child */
async function stop(child) {
  child.kill("SIGTERM");
  await once(child, "exit");
}

/** Lines of an access log. @param {string} path */
const linesOf = (path) =>
  existsSync(path)
    ? readFileSync(path, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
    : [];

/** Programs of other people, as JSON in a variable. @returns {{ name: string, command: string[], lasting: boolean }[]} */
const clientsGiven = () => JSON.parse(process.env["GATEWAY_CLIENTS"] ?? "[]");

/** @param {number} uid @param {readonly string[]} command */
function runAs(uid, command) {
  const args = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", ...command];
  const env = { PATH: process.env["PATH"], HOME: "/nonexistent" };
  return new Promise((resolve) => {
    execFile("setpriv", args, { encoding: "utf8", env, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? -1), stdout, stderr: stderr.slice(-400) });
    });
  });
}

/** Every program as each user. @param {readonly number[]} users */
async function runAll(users) {
  const runs = /** @type {Record<string, unknown>} */ ({});
  for (const { name, command } of clientsGiven())
    for (const uid of users) runs[`${name} as ${uid}`] = await runAs(uid, command);
  return runs;
}

if (kind === "clients-laptop") {
  const asked = await startImpersonator();
  seen["install"] = cli("gateway", "install", "--user", String(DAEMON)).code;
  const daemon = await startDaemon({ IMDS_GUARD_PROBE: "off" }, ["--access-log", "/tmp/access.jsonl"]);
  seen["runs"] = await runAll([0, 33, 1_500]);
  seen["asked"] = [...asked];
  await stop(daemon.child);
  seen["log"] = linesOf("/tmp/access.jsonl");
} else if (kind === "clients-ec2") {
  const signer = createSigner();
  writeFileSync("/tmp/key.pem", signer.publicKeyPem);
  const service = await startImdsServer({ listen, signDocument: (document) => signer.sign(document) });
  writeFileSync(
    "/tmp/rules.toml",
    '[[rule]]\nuser = 1500\nrole = "app-server"\n\n[[rule]]\nuser = [0, 33]\nrole = true\n',
  );
  seen["install"] = cli("gateway", "install", "--user", String(DAEMON)).code;
  const daemon = await startDaemon({ IMDS_GUARD_CERTIFICATES: "eu-central-1=/tmp/key.pem" }, [
    "--rules",
    "/tmp/rules.toml",
    "--access-log",
    "/tmp/access.jsonl",
  ]);
  seen["ready"] = daemon.ready;
  seen["runs"] = await runAll([0, 33, 1_500, 1_600]);
  seen["roleRequests"] = service.counters.byRequest[`GET ${ROLE}app-server`];
  // Keys that end while programs use them; each renewal brings another token.
  service.set({ expiresInMs: 4_000 });
  await stop(daemon.child);
  const second = await startDaemon({ IMDS_GUARD_CERTIFICATES: "eu-central-1=/tmp/key.pem" }, [
    "--rules",
    "/tmp/rules.toml",
  ]);
  let turn = 0;
  const turning = setInterval(
    () =>
      service.set({ sessionToken: `IQoJb3JpZ2luX2VjE${"A".repeat(300)}turn${String((turn += 1)).padStart(4, "0")}` }),
    1_000,
  );
  seen["lasting"] = await Promise.all(
    clientsGiven()
      .filter(({ lasting }) => lasting)
      .map(async ({ name, command }) => ({
        name,
        .../** @type {object} */ (await runAs(1_500, [...command, "6", "2000"])),
      })),
  );
  clearInterval(turning);
  seen["withoutToken"] = service.counters.withoutToken;
  await stop(second.child);
  seen["log"] = linesOf("/tmp/access.jsonl");
} else if (kind === "iptables") {
  // A host without nft: what iptables is there does it.
  const asked = await startImpersonator();
  mkdirSync("/tmp/bin");
  for (const name of ["iptables", "ip6tables", "iptables-restore", "ip6tables-restore"])
    symlinkSync(execFileSync("which", [name], { encoding: "utf8" }).trim(), `/tmp/bin/${name}`);
  programs = "/tmp/bin";
  seen["statusBefore"] = cli("gateway", "status").code;
  seen["install"] = cli("gateway", "install", "--user", String(DAEMON));
  seen["again"] = cli("gateway", "install", "--user", String(DAEMON)).code;
  seen["rules"] = run("iptables-save", "-t", "nat")
    .split("\n")
    .filter((line) => line.startsWith("-A"));
  seen["statusAfter"] = cli("gateway", "status").code;
  // As whoever installed them would have left it, had he been ended between the two programs.
  run("ip6tables", "-t", "nat", "-D", "OUTPUT", "-j", "IMDS_GUARD_OUTPUT");
  seen["statusOfHalf"] = cli("gateway", "status").code;
  cli("gateway", "install", "--user", String(DAEMON));
  seen["unguarded"] = (await curl(0, "GET", "http://169.254.169.254/latest/meta-data/")).status;
  const daemon = await startDaemon({ IMDS_GUARD_PROBE: "off" }, []);
  const statuses = [];
  for (const uid of [0, 1_500])
    for (const host of ["169.254.169.254", "[fd00:ec2::254]"])
      statuses.push((await get(uid, "/latest/meta-data/", host)).status);
  seen["statuses"] = statuses;
  seen["asked"] = [...asked];
  await stop(daemon.child);
  seen["uninstall"] = cli("gateway", "uninstall").code;
  seen["statusGone"] = cli("gateway", "status").code;
  seen["left"] = run("iptables-save", "-t", "nat").includes("IMDS_GUARD");
  seen["open"] = (await curl(0, "GET", "http://169.254.169.254/latest/meta-data/")).status;
} else if (kind === "laptop") {
  const asked = await startImpersonator();
  seen["statusBefore"] = cli("gateway", "status").code;
  seen["install"] = cli("gateway", "install", "--user", String(DAEMON)).code;
  seen["again"] = cli("gateway", "install", "--user", String(DAEMON)).code;
  seen["statusAfter"] = cli("gateway", "status").code;
  seen["unguarded"] = (await curl(0, "GET", "http://169.254.169.254/latest/meta-data/")).status;
  seen["wrongUser"] = (await startDaemon({}, [], 1)).said();
  const daemon = await startDaemon({}, ["--access-log", "/tmp/access.jsonl"]);
  seen["ready"] = daemon.ready;
  // A unit that hands over something else than a socket of sock_diag.
  const wrong = ["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3</dev/null', "sh"];
  seen["second"] = (await startDaemon({}, [], DAEMON, wrong)).said();
  const statuses = [];
  for (const uid of [0, 33, 1_500])
    for (const host of ["169.254.169.254", "[fd00:ec2::254]"])
      statuses.push((await get(uid, "/latest/meta-data/", host)).status);
  seen["statuses"] = statuses;
  // The identity question of amazon-ssm-agent, as curl would ask it.
  seen["agent"] = (
    await curl(0, "GET", "http://169.254.169.254/latest/dynamic/instance-identity/document", {
      "User-Agent": "amazon-ssm-agent",
    })
  ).status;
  // Killed at any moment, over and over, while it serves and while it starts, and so is who puts the rules in place
  // again: what is asked meanwhile never reaches the responder.
  await stop(daemon.child);
  const started = performance.now();
  let { child: current } = await startDaemon({ IMDS_GUARD_PROBE: "off" }, []);
  const startMs = performance.now() - started;
  let asking = true;
  let requests = 0;
  const during = /** @type {Record<string, number>} */ ({});
  const load = (async () => {
    while (asking) {
      const answers = await Promise.all(
        [0, 33, 1_500].map((uid) => curl(uid, "GET", "http://169.254.169.254/latest/meta-data/")),
      );
      requests += answers.length;
      for (const { status } of answers) during[status] = (during[status] ?? 0) + 1;
    }
  })();
  for (let index = 0; index < Number(kills); index += 1) {
    await killWithin(current, index % 2 === 0 ? 250 : startMs);
    if (index % 5 === 0)
      await killWithin(spawn(process.execPath, [CLI, "gateway", "install", "--user", String(DAEMON)]), startMs);
    const next = spawnDaemon({ IMDS_GUARD_PROBE: "off" }, []);
    if (index % 2 === 1) await next.ready;
    current = next.child;
  }
  await killWithin(current, startMs);
  asking = false;
  await load;
  seen["during"] = during;
  seen["statusKilled"] = cli("gateway", "status").code;
  seen["requests"] = requests;
  seen["whenGone"] = (await curl(0, "GET", "http://169.254.169.254/latest/meta-data/")).status;
  seen["asked"] = [...asked];
  seen["log"] = linesOf("/tmp/access.jsonl");
  // As the unit runs it: with what it needs to name programs of other users.
  const rights = [`--inh-caps=${CAPABILITIES}`, `--ambient-caps=${CAPABILITIES}`];
  const naming = await startDaemon({ IMDS_GUARD_PROBE: "off" }, ["--access-log", "/tmp/named.jsonl"], DAEMON, rights);
  for (const uid of [0, 33, 1_500]) await curl(uid, "GET", "http://169.254.169.254/latest/meta-data/");
  await stop(naming.child);
  seen["named"] = linesOf("/tmp/named.jsonl");
  seen["uninstall"] = cli("gateway", "uninstall").code;
  seen["statusGone"] = cli("gateway", "status").code;
} else {
  const signer = createSigner();
  writeFileSync("/tmp/key.pem", signer.publicKeyPem);
  const service = await startImdsServer({ listen, signDocument: (document) => signer.sign(document) });
  // A container on a bridge.
  run("ip", "link", "add", "br-test", "type", "bridge");
  // What sysfs would say of it.
  mkdirSync("/sys/class/net/br-test/bridge", { recursive: true });
  run("ip", "addr", "add", "172.30.0.1/24", "dev", "br-test");
  run("ip", "link", "set", "br-test", "up");
  const sleeper = spawn("unshare", ["-n", "sleep", "600"]);
  run("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1");
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      run("ip", "link", "set", "v1", "netns", String(sleeper.pid));
      if (!run("ip", "-o", "link").includes(" v1@")) break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  run("ip", "link", "set", "v0", "master", "br-test", "up");
  const inside = ["nsenter", "-t", String(sleeper.pid), "-n"];
  /** @param {string[]} args */
  const ipInside = (...args) => run("nsenter", "-t", String(sleeper.pid), "-n", "ip", ...args);
  ipInside("link", "set", "lo", "up");
  ipInside("addr", "add", "172.30.0.9/24", "dev", "v1");
  ipInside("link", "set", "v1", "up");
  ipInside("route", "add", "default", "via", "172.30.0.1");

  writeFileSync(
    "/tmp/rules.toml",
    '[[rule]]\nuser = 1500\nrole = "app-server"\n\n[[rule]]\nuser = 1600\npaths = ["/latest/meta-data/instance-id"]\n\n[[rule]]\ncontainer = "172.30.0.9"\npaths = ["/latest/meta-data/instance-id"]\n',
  );
  // What doctor offers to those who want no gateway, as it prints it.
  const { fixPlan } = JSON.parse(cli("doctor", "--no-probe", "--fix-plan", "--json").out);
  const offered = (/** @type {RegExp} */ title) =>
    fixPlan
      .find((/** @type {{ title: string }} */ fix) => title.test(fix.title))
      .text.replaceAll("trusted-user", "1500");
  const byUser = async () => {
    const statuses = [];
    for (const host of ["169.254.169.254", "[fd00:ec2::254]"])
      for (const uid of [0, 1_500, 1_600])
        statuses.push(
          (await curl(uid, "PUT", `http://${host}/latest/api/token`, { "X-aws-ec2-metadata-token-ttl-seconds": "60" }))
            .status,
        );
    return statuses;
  };
  writeFileSync("/tmp/users.nft", offered(/with nftables/));
  run("nft", "-f", "/tmp/users.nft");
  seen["limitedByNft"] = await byUser();
  run("nft", "delete", "table", "inet", "imds_guard_users");
  if (existsSync("/usr/sbin/iptables")) {
    run("sh", "-ec", offered(/with iptables/));
    seen["limitedByIptables"] = await byUser();
    for (const tool of ["iptables", "ip6tables"]) run(tool, "-F");
  }
  seen["check"] = cli("gateway", "check", "/tmp/rules.toml").code;
  seen["install"] = cli("gateway", "install", "--user", String(DAEMON), "--bridges").code;
  const daemon = await startDaemon({ IMDS_GUARD_CERTIFICATES: "eu-central-1=/tmp/key.pem" }, [
    "--rules",
    "/tmp/rules.toml",
    "--bridges",
  ]);
  seen["ready"] = daemon.ready;
  const answers = /** @type {Record<string, unknown>} */ ({});
  for (const uid of [0, 33, 1_500, 1_600, 1_700]) {
    for (const path of ["/latest/meta-data/instance-id", "/latest/meta-data/placement/region", `${ROLE}app-server`])
      answers[`${uid} ${path}`] = (await get(uid, path)).status;
  }
  seen["answers"] = answers;
  seen["key"] = JSON.parse((await get(1_500, `${ROLE}app-server`)).body).AccessKeyId;
  seen["expected"] = service.identity.accessKeyId;
  seen["v6"] = (await get(1_500, "/latest/meta-data/instance-id", "[fd00:ec2::254]")).body;
  seen["container"] = [
    (await get(0, "/latest/meta-data/instance-id", undefined, inside)).body,
    (await get(0, "/latest/meta-data/mac", undefined, inside)).status,
    (await get(0, `${ROLE}app-server`, undefined, inside)).status,
  ];
  seen["before"] = service.counters.total;
  const crowd = await Promise.all(Array.from({ length: 100 }, () => get(1_500, `${ROLE}app-server`)));
  seen["crowd"] = [...new Set(crowd.map(({ status }) => status))];
  seen["after"] = service.counters.total;
  writeFileSync("/tmp/rules.toml", "[[rule]]\nuser = 1700\nrole = true\n");
  daemon.child.kill("SIGHUP");
  await new Promise((resolve) => setTimeout(resolve, 300));
  seen["reloaded"] = [(await get(1_700, `${ROLE}app-server`)).status, (await get(1_500, `${ROLE}app-server`)).status];
  writeFileSync("/tmp/rules.toml", "[[rule]]\nusr = 1700\n");
  daemon.child.kill("SIGHUP");
  await new Promise((resolve) => setTimeout(resolve, 300));
  seen["kept"] = [(await get(1_700, `${ROLE}app-server`)).status, daemon.said().includes("/tmp/rules.toml")];
  // Somebody else takes the address over: a key of another account, and no document of this instance.
  service.set({ account: "666666666666", instanceId: "i-0fedcba9876543210", region: "eu-central-1" });
  service.forgetTokens();
  seen["impersonated"] = (await get(0, "/latest/meta-data/instance-id")).body;
  sleeper.kill();
  await stop(daemon.child);
}
process.stdout.write(`${JSON.stringify(seen)}\n`);
process.exit(0);
