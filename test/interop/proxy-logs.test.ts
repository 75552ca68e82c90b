/** The stock SDK signs with a stranger's key behind squid: the proxy's own log convicts the account. */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, expect, test } from "vitest";
import { createAccountJudge } from "../../src/detection/account-judge.js";
import { openLog } from "../../src/detection/log-stream.js";
import { scan } from "../../src/detection/scan.js";
import type { ScanFinding } from "../../src/detection/scan-finding.js";

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

test.skipIf(SQUID === undefined)(
  "squid's log convicts the account of the stock SDK's key",
  { timeout: 60_000 },
  async () => {
    const storage = createServer((request, response) => {
      request.resume().on("end", () => response.writeHead(200, { etag: '"x"' }).end());
    }).listen(0, "127.0.0.1");
    await once(storage, "listening");
    const { port: behind } = storage.address() as AddressInfo;
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
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
