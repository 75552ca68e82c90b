/** Every way out of a Node process that we know of, with the firewall and without. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { createSigner } from "../support/identity-signer.mjs";
import { canUnshare } from "../support/machine.mjs";
import type { Pair, Probe } from "./firewall/worlds.js";
import { complaintsAbout, probesFor, REGISTER, runProbes } from "./firewall/worlds.js";
import { withMachine } from "./rig.js";

const able = canUnshare();
if (!able.ok) console.log(`e2e (firewall): skipped, no namespaces can be made here: ${able.reason}`);

/** Other Node binaries may be named, separated by colons. */
const NODES = process.env["IMDS_GUARD_NODES"]?.split(":") ?? [process.execPath];

describe.skipIf(!able.ok).each(NODES)("the firewall in %s", (node) => {
  const probes = able.ok ? probesFor(node, false) : [];
  let pairs: ReadonlyMap<string, Pair>;

  beforeAll(async () => {
    expect(existsSync(REGISTER), "build first").toBe(true);
    pairs = await runProbes(node, probes);
    const stopped = probes.filter((probe) => !probe.works && probe.documented === undefined);
    const arrived = [...pairs.values()].filter(({ bare }) => bare.arrived > 0).length;
    console.log(
      `e2e (firewall, ${node}): ${stopped.length} ways, ${arrived} arrive without the firewall; documented holes: ${probes.filter(({ documented }) => documented).length}`,
    );
  }, 1_200_000);

  it("knows at least 150 ways", () => {
    expect(probes.filter((probe) => !probe.works && probe.documented === undefined).length).toBeGreaterThanOrEqual(150);
  });

  const outcome = ({ name, ...rest }: Probe): unknown => {
    const pair = pairs.get(name);
    return pair === undefined
      ? ["was not run"]
      : complaintsAbout({ name, ...rest }, pair).map((what) => ({ what, ...pair }));
  };
  it.each(probes.filter((probe) => !probe.works && probe.documented === undefined))("stops $name", (probe) => {
    expect(outcome(probe)).toEqual([]);
  });
  it.each(probes.filter(({ documented }) => documented !== undefined))("does not stop $name ($documented)", (probe) => {
    expect(outcome(probe)).toEqual([]);
  });
  it.each(probes.filter(({ works }) => works))("$name", (probe) => {
    expect(outcome(probe)).toEqual([]);
  });
});

const PROGRAM = fileURLToPath(new URL("./firewall/program.mjs", import.meta.url));

describe.skipIf(!able.ok)("a firewall installed by code", () => {
  const AWS = createSigner();
  const REGION = "eu-central-1";
  const genuine = {
    kind: "genuine",
    privateKeyPem: AWS.privateKeyPem,
    identity: { account: "111122223333", region: REGION },
  } as const;

  const run = (order: object, env: Record<string, string> = {}, host = "ec2-nitro") =>
    withMachine({ host }, async (machine) => {
      await machine.serve(genuine);
      const result = await machine.run(PROGRAM, {
        args: [JSON.stringify({ certificates: { [REGION]: AWS.publicKeyPem }, ...order })],
        env: { IMDS_GUARD_PROBE: "off", ...env },
        timeoutMs: 60_000,
      });
      if (result.json === undefined)
        throw new Error(`the program ended with ${result.exitCode ?? result.signal}: ${result.stderr.slice(0, 2_000)}`);
      return result.json as {
        report: { mode: string; alreadyInstalled: boolean; notClosed: string[] };
        steps: Record<string, { value?: string; code?: string; cause?: string }>;
        events: { code: string; message: string; evidence: { source: string; value?: string }[] }[];
      };
    });

  it.each(["guard", "firewall"])(
    "(%s) lets the guard through and nobody else, and says what it cannot close",
    async (installer) => {
      const { report, steps, events } = await run({
        installer,
        steps: ["credentials", "fetch", "http", "worker", "child", "childSync", "keptAlive"],
      });
      expect(report).toMatchObject({ mode: "block", alreadyInstalled: false });
      expect(report.notClosed.join("\n")).toMatch(/keep-alive|open connection/);
      expect(steps["credentials"]?.value).toMatch(/^ASIA/);
      for (const step of ["fetch", "http", "worker", "child", "childSync"])
        expect([step, steps[step]]).toMatchObject([step, { code: "EACCES" }]);
      // Documented: a connection that was there before is nobody's new connection.
      expect(steps["keptAlive"]?.value).toBe("401");
      const blocked = events.filter(({ code }) => code === "firewall.connection_blocked");
      // One for each attempt of this thread; workers and children have their own.
      expect(blocked).toHaveLength(2);
      const sources = blocked[0]?.evidence.map(({ source, value }) => `${source}: ${value}`).join("\n") ?? "";
      expect(sources).toMatch(/^process: pid \d+$/m);
      expect(sources).toContain("program.mjs");
    },
  );

  it("is the same one however often it is asked for, and only ever gets stricter", async () => {
    const { report, steps } = await run({ installer: "twice", steps: ["http"] });
    expect(report).toMatchObject({ mode: "block", alreadyInstalled: true });
    expect(steps["http"]).toMatchObject({ code: "EACCES", cause: "ERR_IMDS_CONNECTION_BLOCKED" });
  });

  it("lets pass and says so in mode report", async () => {
    const { report, steps, events } = await run(
      { installer: "firewall", steps: ["http", "fetch"] },
      { IMDS_GUARD_FIREWALL: "report" },
    );
    expect(report.mode).toBe("report");
    expect([steps["http"]?.value, steps["fetch"]?.value]).toEqual(["401", "401"]);
    expect(events.map(({ code }) => code)).toContain("firewall.connection_seen");
  });

  it.each(["gcp", "azure", "openstack"])("lets %s pass where it is allowed", async (word) => {
    const { steps } = await run(
      { installer: "firewall", steps: ["http", "httpV6"] },
      { IMDS_GUARD_FIREWALL_ALLOW: word },
    );
    expect(steps["http"]?.value).toBe("401");
    expect(steps["httpV6"]?.code).toBe("EACCES");
  });

  it("is not there where a setting switches it off, and says so", async () => {
    const { report, steps } = await run({ installer: "firewall", steps: ["http"] }, { IMDS_GUARD_FIREWALL: "off" });
    expect(report.mode).toBe("off");
    expect(report.notClosed).toHaveLength(1);
    expect(steps["http"]?.value).toBe("401");
  });

  it("refuses a setting that nobody understands", async () => {
    const { steps } = await run({ installer: "firewall", steps: [] }, { IMDS_GUARD_FIREWALL: "blok" });
    expect(steps["install"]?.code).toBe("ERR_IMDS_GUARD_SETTING");
  });
});
