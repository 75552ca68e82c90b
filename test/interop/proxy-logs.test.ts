/** The stock SDK signs with a stranger's key behind a proxy: the proxy's own log convicts the account. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, expect, test } from "vitest";
import { createAccountJudge } from "../../src/detection/account-judge.js";
import { openLog } from "../../src/detection/log-stream.js";
import { scan } from "../../src/detection/scan.js";
import type { ScanFinding } from "../../src/detection/scan-finding.js";
import { freePort } from "../support/free-port.js";

const SQUID = ["/usr/sbin/squid", "/usr/local/sbin/squid"].find((path) => existsSync(path));
if (SQUID === undefined) process.stdout.write("skipped: squid is not here (Debian: apt-get install squid)\n");

const KEY = "ASIAY34FZKBOKMUTVV7A"; // of account 609629065308
const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const folder = mkdtempSync(join(tmpdir(), "imds-guard-squid-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function findingsOf(path: string, accounts: readonly string[]): Promise<ScanFinding[]> {
  const found: ScanFinding[] = [];
  await scan([{ name: "access.log", stream: openLog(path) }], {
    judges: [createAccountJudge({ accounts })],
    onFinding(finding) {
      if (finding.rule.id === "egress.foreign_account") found.push(finding);
    },
  });
  return found;
}

/** A stand-in for S3, and its port, which only the proxy is told. */
async function startStorage(): Promise<{ readonly storage: Server; readonly behind: number }> {
  const storage = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200, { etag: '"x"' }).end());
  }).listen(0, "127.0.0.1");
  await once(storage, "listening");
  return { storage, behind: (storage.address() as AddressInfo).port };
}

test.skipIf(SQUID === undefined)(
  "squid's log convicts the account of the stock SDK's key",
  { timeout: 60_000 },
  async () => {
    const { storage, behind } = await startStorage();
    const port = await freePort();
    const log = join(folder, "access.log");
    chmodSync(folder, 0o777);
    const config = join(folder, "squid.conf");
    // As a proxy that inspects TLS would log it: up to the signature.
    writeFileSync(
      config,
      [
        `http_port 127.0.0.1:${port} accel defaultsite=s3.eu-central-1.amazonaws.com no-vhost`,
        `cache_peer 127.0.0.1 parent ${behind} 0 no-query originserver`,
        "http_access allow all",
        "cache deny all",
        `pid_filename ${join(folder, "squid.pid")}`,
        `coredump_dir ${folder}`,
        `cache_log ${join(folder, "cache.log")}`,
        'logformat signed %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %un %Sh/%<a %mt "%{Authorization}>h"',
        `access_log stdio:${log} signed`,
        // As root it takes no other user than its own.
        ...(process.getuid?.() === 0 ? ["cache_effective_user proxy"] : []),
        "visible_hostname proxy.example",
        "pinger_enable off",
        "shutdown_lifetime 0 seconds",
        "strip_query_terms off",
        "",
      ].join("\n"),
    );
    const squid = spawn(SQUID!, ["-N", "-n", `guard${process.pid}`, "-f", config], { stdio: "ignore" });
    try {
      const client = new S3Client({
        endpoint: `http://127.0.0.1:${port}`,
        region: "eu-central-1",
        forcePathStyle: true,
        credentials: { accessKeyId: KEY, secretAccessKey: SECRET },
        maxAttempts: 10,
      });
      for (let tries = 0; tries < 100; tries++) {
        if (existsSync(join(folder, "squid.pid"))) break;
        await sleep(100);
      }
      await client.send(new PutObjectCommand({ Bucket: "b", Key: "k", Body: "x" }));
      await client.send(new GetObjectCommand({ Bucket: "b", Key: "k" }));
      client.destroy();
      await sleep(500);
      squid.kill("SIGTERM");
      await once(squid, "exit");
    } finally {
      squid.kill("SIGKILL");
      storage.close();
    }
    const written = readFileSync(log, "utf8");
    expect(written).toContain(KEY);
    const found = await findingsOf(log, ["111122223333"]);
    expect(found.length).toBeGreaterThanOrEqual(2);
    for (const finding of found) {
      expect(finding).toMatchObject({
        account: "609629065308",
        form: "sigv4",
        region: "eu-central-1",
        service: "s3",
        rule: { level: "high" },
        from: "127.0.0.1",
      });
      const signature = /Signature=([0-9a-f]{64})/.exec(written)![1]!;
      expect(JSON.stringify(found)).not.toContain(signature);
      expect(JSON.stringify(found)).not.toContain(KEY);
    }
    expect(await findingsOf(log, ["609629065308"])).toEqual([]);
  },
);

// Another folder may be named, which is then kept for the next time.
const kept = process.env["RIG_MITMPROXY"];
const venv = kept ?? join(folder, "mitmproxy");

/** Why there is no mitmproxy. */
function withoutMitmproxy(): string | undefined {
  if (existsSync(join(venv, "bin/mitmdump"))) return undefined;
  if (spawnSync("python3", ["-m", "venv", venv]).status !== 0) return "python3 with venv is not here";
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "mitmproxy"];
  return spawnSync(join(venv, "bin/python"), pip, { timeout: 300_000 }).status === 0
    ? undefined
    : "mitmproxy cannot be installed from PyPI";
}

/** As a proxy that inspects TLS is told to log: a line for each request, up to the signature. */
const ADDON = `
import json, re, time
class Log:
    def load(self, loader):
        loader.add_option("guard_log", str, "", "where to")
    def response(self, flow):
        from mitmproxy import ctx
        with open(ctx.options.guard_log, "a") as log:
            log.write(json.dumps({
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "client": flow.client_conn.peername[0], "method": flow.request.method,
                "url": re.sub("X-Amz-Signature=[0-9a-f]+", "X-Amz-Signature=-", flow.request.pretty_url),
                "authorization": flow.request.headers.get("authorization", "").split(", Signature")[0],
                "status": flow.response.status_code}) + "\\n")
addons = [Log()]
`;

test(
  "mitmproxy's log, its dump and its HAR convict the account, and the monitor that follows the log tells of it",
  { timeout: 400_000 },
  async (context) => {
    const missing = withoutMitmproxy();
    if (missing !== undefined) return context.skip(missing);
    const { storage, behind } = await startStorage();
    const port = await freePort();
    const metricsPort = await freePort();
    const [log, dump, har, addon] = ["proxy.jsonl", "dump.txt", "flows.har", "addon.py"].map((name) =>
      join(folder, name),
    ) as [string, string, string, string];
    writeFileSync(addon, ADDON);
    writeFileSync(log, "");
    const out = openSync(dump, "w");
    const settings = { confdir: join(folder, "conf"), guard_log: log, hardump: har, termlog_verbosity: "warn" };
    const mitmproxy = spawn(
      join(venv, "bin/mitmdump"),
      [
        ...["--mode", `reverse:http://127.0.0.1:${behind}`, "--listen-host", "127.0.0.1", "-p", String(port)],
        ...["-s", addon, "--flow-detail", "2"],
        ...Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]),
      ],
      { stdio: ["ignore", out, "inherit"], env: { ...process.env, PYTHONUNBUFFERED: "1" } },
    );
    const monitor = spawn(
      process.execPath,
      [
        ...[join(import.meta.dirname, "../../dist/cli.js"), "monitor", "--json", "--no-probe", "--no-dns"],
        ...["--log", log, "--accounts", "111122223333", "--metrics-port", String(metricsPort)],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    let events = "";
    let said = "";
    monitor.stdout.setEncoding("utf8").on("data", (text: string) => (events += text));
    monitor.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    let metrics = "";
    try {
      const authority = join(folder, "conf/mitmproxy-ca-cert.pem");
      for (let tries = 0; tries < 300 && !(existsSync(authority) && said.includes("watching")); tries++)
        await sleep(100);
      const client = new S3Client({
        endpoint: `https://127.0.0.1:${port}`,
        region: "eu-central-1",
        forcePathStyle: true,
        credentials: { accessKeyId: KEY, secretAccessKey: SECRET },
        maxAttempts: 10,
        requestHandler: { httpsAgent: new Agent({ ca: readFileSync(authority) }) },
      });
      await client.send(new PutObjectCommand({ Bucket: "b", Key: "k", Body: "x" }));
      await client.send(new GetObjectCommand({ Bucket: "b", Key: "k" }));
      client.destroy();
      for (let tries = 0; tries < 100; tries++) {
        metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
        if (/sigv4.* 2$/m.test(metrics)) break;
        await sleep(100);
      }
      mitmproxy.kill("SIGINT");
      monitor.kill("SIGINT");
      await Promise.all([once(mitmproxy, "exit"), once(monitor, "exit")]);
    } finally {
      mitmproxy.kill("SIGKILL");
      monitor.kill("SIGKILL");
      closeSync(out);
      storage.close();
    }
    for (const path of [log, dump, har]) {
      const found = await findingsOf(path, ["111122223333"]);
      expect(
        found.map(({ form }) => form),
        path,
      ).toEqual(["sigv4", "sigv4"]);
      expect(found[0], path).toMatchObject({ account: "609629065308", region: "eu-central-1", service: "s3" });
      expect(await findingsOf(path, ["609629065308"]), path).toEqual([]);
    }
    expect(metrics).toContain('imds_guard_foreign_account_total{account="609629065308",form="sigv4",level="high"} 2');
    expect(metrics).toContain('imds_guard_events_total{code="egress.foreign_account"} 1');
    const told = events
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { code: string })
      .filter(({ code }) => code === "egress.foreign_account");
    expect(told).toEqual([
      expect.objectContaining({ claimed: expect.objectContaining({ accountId: "609629065308" }) }),
    ]);
    expect(events).not.toContain(KEY);
  },
);
