/**
 * Programs that know nothing of imds-guard behind the gateway: boto3, the AWS CLI and the AWS SDK for Go, unchanged, as
 * several users, on a laptop with an impersonator and on EC2.
 */
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import type { Installed } from "./clients/install.js";
import { installClients } from "./clients/install.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const GENUINE = accessKeyIdFor("111122223333", "genuine");
// Where the repository and the clients' folder are on the hosts, readable for every user.
const PLACE = "/mnt";
const CLIENTS = "/srv";

const kept = process.env["RIG_CLIENTS"];
const folder = kept ?? mkdtempSync(join(tmpdir(), "imds-guard-gateway-clients-"));
const reason = missing();
const { clients, lasting }: Installed = reason === undefined ? installClients(folder) : { clients: [], lasting: [] };
if (reason !== undefined) console.log(`interop (gateway): skipped, ${reason}`);

function missing(): string | undefined {
  if (process.getuid?.() !== 0) return "programs of several users need root";
  if (!existsSync(join(ROOT, "dist/cli.js"))) return "dist/cli.js is not built";
  for (const program of ["nft", "setpriv", "unshare"])
    if (spawnSync(program, ["--version"]).error) return `${program} is not installed`;
  const made = spawnSync("unshare", ["-nm", "sh", "-c", "nft add table inet x"]);
  return made.status === 0 ? undefined : "no namespace with a packet filter can be made here";
}

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Seen {
  readonly install: number;
  readonly runs: Readonly<Record<string, Run>>;
  readonly asked: readonly string[];
  readonly log: readonly { readonly user: string; readonly uid: number; readonly status: number }[];
  readonly lasting: readonly (Run & { readonly name: string })[];
  readonly roleRequests: number;
  readonly withoutToken: number;
}

async function host(kind: "clients-laptop" | "clients-ec2"): Promise<Seen> {
  chmodSync(folder, 0o755);
  const script = `set -e
mount --bind "${ROOT}" ${PLACE}; mount --bind "${folder}" ${CLIENTS}
mount -t tmpfs none /run; mount -t tmpfs none /sys; mount -t tmpfs -o mode=1777 none /tmp
exec "${process.execPath}" ${PLACE}/test/e2e/gateway/host.mjs ${kind} ${PLACE}`;
  const there = (text: string) => text.replaceAll(folder, CLIENTS).replaceAll(ROOT.replace(/\/$/, ""), PLACE);
  const given = clients.map(({ name, command }) => ({
    name,
    command: command.map(there),
    lasting: lasting.some((client) => client.name === name),
  }));
  const { stdout } = await promisify(execFile)("unshare", ["-nm", "sh", "-c", script], {
    timeout: 280_000,
    maxBuffer: 16 * 1024 * 1024,
    env: { PATH: process.env["PATH"], GATEWAY_CLIENTS: JSON.stringify(given) },
  });
  return JSON.parse(stdout) as Seen;
}

describe.skipIf(reason !== undefined || clients.length === 0)("programs of other people behind the gateway", () => {
  afterAll(() => {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  });

  it("get nothing on a laptop, and nothing of them reaches the impersonator", { timeout: 300_000 }, async () => {
    const { install, runs, asked, log } = await host("clients-laptop");
    expect(install).toBe(0);
    expect(Object.keys(runs)).toHaveLength(clients.length * 3);
    for (const [name, { code, stdout }] of Object.entries(runs)) {
      expect({ name, failed: code !== 0 }).toEqual({ name, failed: true });
      expect(stdout, name).not.toMatch(/A[KS]IA[A-Z2-7]{16}/);
    }
    expect(asked).toEqual([]);
    expect(log.length).toBeGreaterThan(0);
    expect(new Set(log.map(({ status }) => status))).toEqual(new Set([403]));
  });

  it("get on EC2 what the rules give their users, renewed while they run", { timeout: 300_000 }, async () => {
    const seen = await host("clients-ec2");
    for (const { name, keyIn } of clients) {
      for (const uid of [0, 33, 1_500]) {
        const { stdout, stderr } = seen.runs[`${name} as ${uid}`] as Run;
        expect(keyIn.exec(stdout)?.[1], `${name} as ${uid}: ${stderr}`).toBe(GENUINE);
      }
      const refused = seen.runs[`${name} as 1600`] as Run;
      expect({ key: keyIn.exec(refused.stdout)?.[1], failed: refused.code !== 0 }).toEqual({
        key: undefined,
        failed: true,
      });
    }
    // However many programs asked, the service saw one exchange of one SDK.
    expect(seen.roleRequests).toBe(1);
    expect(seen.lasting.length).toBe(lasting.length);
    for (const { name, code, stdout, stderr } of seen.lasting) {
      const tokens = [...stdout.matchAll(/"token": ?"([^"]+)"/g)].map(([, token]) => token);
      expect({ name, code, times: tokens.length }, stderr + stdout).toEqual({ name, code: 0, times: 6 });
      // botocore takes keys near their end as an outage, and asks again minutes later; Go's SDK asks at their end.
      if (name.includes("Go")) expect(new Set(tokens).size, stdout).toBeGreaterThan(2);
    }
    expect(seen.withoutToken).toBe(0);
  });
});
