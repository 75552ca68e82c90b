/** The gateway on whole hosts of root's: rules in the kernel, programs of several users, an impersonator, a container. */
import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { withSockDiag } from "../support/sock-diag.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PLACE = "/mnt";
/** How often the daemon is killed while programs ask. The nightly script says 200. */
const KILLS = Number(process.env["GATEWAY_KILLS"] ?? 20);
/** A machine on which much else runs starts a program in seconds. */
const PATIENCE_MS = 260_000 + KILLS * 6_000;

function able(): string | undefined {
  if (process.getuid?.() !== 0) return "it needs root, for programs of several users";
  for (const program of ["nft", "curl", "setpriv", "nsenter"]) {
    if (spawnSync(program, ["--version"]).error) return `it needs ${program}`;
  }
  const made = spawnSync("unshare", ["-nm", "sh", "-c", "ip link set lo up && nft -f - && mount -t tmpfs none /sys"], {
    input: "add table inet x\nadd chain inet x y { type nat hook output priority 0; }\n",
  });
  return made.status === 0 ? undefined : "no namespace with a packet filter can be made here";
}

const reason = able();
if (reason !== undefined) {
  const demanded = process.env["REQUIRE_NAMESPACES"] === "1" && process.getuid?.() === 0;
  if (demanded) throw new Error(`e2e (gateway): ${reason}`);
  console.log(`e2e (gateway): skipped: ${reason}`);
}

async function host(kind: "laptop" | "iptables" | "ec2"): Promise<Record<string, unknown>> {
  const script = `set -e
mount --bind "${ROOT}" ${PLACE}
mount -t tmpfs none /run; mount -t tmpfs none /sys
mount -t tmpfs -o mode=1777 none /tmp
exec "${process.execPath}" ${PLACE}/test/e2e/gateway/host.mjs ${kind} ${PLACE} ${KILLS}`;
  const { stdout } = await promisify(execFile)("unshare", ["-nm", "sh", "-c", script], {
    timeout: PATIENCE_MS,
    env: { PATH: process.env["PATH"] },
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe.skipIf(reason !== undefined)("the gateway", { timeout: PATIENCE_MS + 20_000 }, () => {
  it("refuses every program of a laptop on which somebody answers, and lets nothing reach him", async () => {
    const seen = await host("laptop");
    expect(seen).toMatchObject({ statusBefore: 1, install: 0, again: 0, statusAfter: 0, uninstall: 0, statusGone: 1 });
    // Rules without a daemon: the kernel refuses.
    expect([seen["unguarded"], seen["whenGone"]]).toEqual([0, 0]);
    expect(seen["wrongUser"]).toContain("the rules exempt");
    expect(seen["second"]).toContain("is none of ListenNetlink=inet-diag");
    expect(seen["second"]).toContain("is taken");
    expect(JSON.parse(seen["ready"] as string)).toMatchObject({ event: "ready", port: 9_100, owners: "/proc/net/tcp" });
    expect(seen["statuses"]).toEqual(Array.from({ length: 6 }, () => 403));
    expect(seen["agent"]).toBe(403);
    expect(seen["requests"]).toBeGreaterThan(0);
    // Refused by the daemon, or by the kernel where there is none.
    const during = seen["during"] as Record<string, number>;
    console.log(`e2e (gateway): ${KILLS} kills, answers by status: ${JSON.stringify(during)}`);
    expect(Object.keys(during).filter((status) => status !== "403" && status !== "0")).toEqual([]);
    expect(during["403"]).toBeGreaterThan(0);
    expect(seen["statusKilled"]).toBe(0);
    expect(seen["asked"]).toEqual(["PUT /latest/api/token imds-guard-probe/1"]);
    const log = seen["log"] as { user: string; status: number; path: string }[];
    expect(new Set(log.map(({ status }) => status))).toEqual(new Set([403]));
    expect(log.some(({ path }) => path === "/latest/dynamic/instance-identity/document")).toBe(true);
    expect(log.filter(({ user }) => user === "root").length).toBeGreaterThanOrEqual(3);
    const named = seen["named"] as { uid: number; program: string; pid: number }[];
    expect(named.map(({ uid, program }) => [uid, program])).toEqual([
      [0, "curl"],
      [33, "curl"],
      [1_500, "curl"],
    ]);
  });

  it.skipIf(spawnSync("iptables-save", ["--version"]).error !== undefined)(
    "does the same by iptables where there is no nft, and leaves nothing behind",
    async () => {
      const seen = await host("iptables");
      expect(seen).toMatchObject({ statusBefore: 1, install: { code: 0 }, again: 0, statusAfter: 0, uninstall: 0 });
      expect(seen).toMatchObject({ statusOfHalf: 1, statusGone: 1, left: false, open: 200, unguarded: 0 });
      expect((seen["rules"] as string[]).filter((rule) => rule === "-A OUTPUT -j IMDS_GUARD_OUTPUT")).toHaveLength(1);
      expect(seen["statuses"]).toEqual([403, 403, 403, 403]);
      expect(seen["asked"]).toEqual([]);
    },
  );

  it("answers on EC2 by the rules of each user, and for a container on a bridge", async () => {
    const seen = await host("ec2");
    expect(seen).toMatchObject({ check: 0, install: 0 });
    expect(seen["limitedByNft"]).toEqual([200, 200, 0, 200, 200, 0]);
    expect(seen["limitedByIptables"] ?? seen["limitedByNft"]).toEqual(seen["limitedByNft"]);
    const ROLE = "/latest/meta-data/iam/security-credentials/app-server";
    expect(seen["answers"]).toMatchObject({
      [`0 ${ROLE}`]: 200,
      [`33 ${ROLE}`]: 200,
      [`1500 ${ROLE}`]: 200,
      [`1600 ${ROLE}`]: 403,
      [`1700 ${ROLE}`]: 403,
      "1600 /latest/meta-data/instance-id": 200,
      "1600 /latest/meta-data/placement/region": 403,
      "1700 /latest/meta-data/placement/region": 200,
    });
    const owners = withSockDiag() === undefined ? "/proc/net/tcp" : "sock_diag";
    expect(JSON.parse(seen["ready"] as string)).toMatchObject({ refusing: null, owners });
    expect(seen["key"]).toBe(seen["expected"]);
    expect(seen["v6"]).toBe("i-0a1b2c3d4e5f60718");
    expect(seen["container"]).toEqual(["i-0a1b2c3d4e5f60718", 403, 403]);
    expect(seen["crowd"]).toEqual([200]);
    expect(seen["after"]).toBe(seen["before"]);
    expect(seen["reloaded"]).toEqual([200, 403]);
    expect(seen["kept"]).toEqual([200, true]);
    expect(seen["impersonated"]).not.toContain("i-0fedcba9876543210");
  });
});
