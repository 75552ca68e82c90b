/**
 * Bun and Deno, installed from their registry: the chain works there as under Node.js, and there is no firewall, which
 * is said.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accountOf } from "../support/access-keys.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { ATTACKER_ACCOUNT } from "../support/impersonator.mjs";
import type { Serve } from "../support/machine.mjs";
import { canUnshare, createMachine } from "../support/machine.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PROGRAMS = fileURLToPath(new URL("./runtimes/", import.meta.url));
const ACCOUNT = "111122223333";
const REGION = "eu-central-1";
const able = canUnshare();
if (!able.ok) console.log(`interop (runtimes): skipped, no machines can be made here: ${able.reason}`);

interface Runtime {
  readonly name: "Bun" | "Deno";
  readonly package: string;
  /** Where a platform's package, one of many, has the binary. */
  readonly scope: string;
  readonly binary: string;
  readonly args: readonly string[];
  readonly preload: readonly string[];
  /** Whether the preload leads the stock SDK through a guard. */
  readonly leadsSdk: boolean;
}

const RUNTIMES: readonly Runtime[] = [
  {
    name: "Bun",
    package: "bun@1.4.5",
    scope: "@oven",
    binary: "bin/bun",
    args: [],
    preload: ["--preload", "imds-guard/register"],
    leadsSdk: false,
  },
  {
    name: "Deno",
    package: "deno@2.9.6",
    scope: "@deno",
    binary: "deno",
    args: ["run", "-A"],
    preload: ["run", "-A", "--preload", "./node_modules/imds-guard/dist/register.js"],
    leadsSdk: true,
  },
];

interface Step {
  readonly value?: unknown;
  readonly code?: string;
}

describe.skipIf(!able.ok).each(RUNTIMES)(
  "under $name",
  ({ name, package: wanted, scope, binary, args, preload, leadsSdk }) => {
    const signer = createSigner();
    let folder: string;
    let runtime: string | undefined;
    let unavailable = "";

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "imds-guard-runtimes-"));
      const [{ filename }] = JSON.parse(
        execFileSync("npm", ["pack", "--json", "--pack-destination", folder, "."], { cwd: ROOT, encoding: "utf8" }),
      ) as [{ filename: string }];
      writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
      for (const program of ["guarded.mjs", "stock.mjs"]) copyFileSync(join(PROGRAMS, program), join(folder, program));
      try {
        execFileSync(
          "npm",
          [
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            wanted,
            "@aws-sdk/credential-providers@3.1169.0",
            `file:${join(folder, filename)}`,
          ],
          { cwd: folder, stdio: "pipe" },
        );
        const platforms = join(folder, "node_modules", scope);
        runtime = readdirSync(platforms)
          .map((platform) => join(platforms, platform, binary))
          .find((path) => runs(path));
        unavailable = "no binary of it runs here";
      } catch (error) {
        unavailable =
          String((error as { stderr?: unknown }).stderr ?? error)
            .trim()
            .split("\n")[0] ?? "";
      }
      if (runtime === undefined)
        console.log(`interop (runtimes): ${name} skipped, ${wanted} cannot be had: ${unavailable}`);
    }, 600_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    function runs(path: string): boolean {
      try {
        console.log(
          `interop (runtimes): ${name} ${execFileSync(path, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n")[0]}`,
        );
        return true;
      } catch {
        return false;
      }
    }

    async function run(host: string, serve: Serve, program: string, steps: readonly string[] = [], execArgv = args) {
      const machine = await createMachine({ host });
      try {
        await machine.serve(serve);
        const order = JSON.stringify({ steps, certificates: { [REGION]: signer.publicKeyPem } });
        const result = await machine.run(join(folder, program), {
          node: runtime as string,
          execArgv: execArgv.map((arg) => arg.replace(/^\.\//, `${folder}/`)),
          args: [order],
          env: { IMDS_GUARD_PROBE: "off" },
          timeoutMs: 60_000,
        });
        if (result.json === undefined)
          throw new Error(
            `the program ended with ${result.exitCode ?? result.signal}: ${result.stderr.slice(0, 2_000)}`,
          );
        return {
          steps: result.json as Record<string, Step>,
          connections: result.sent.connections,
          stderr: result.stderr,
          seen: await machine.seen(),
        };
      } finally {
        await machine.close();
      }
    }

    const genuine: Serve = {
      kind: "genuine",
      privateKeyPem: signer.privateKeyPem,
      identity: { account: ACCOUNT, region: REGION },
    };
    const hostile: Serve = {
      kind: "behaviour",
      name: "flawless",
      persona: { account: ATTACKER_ACCOUNT, region: REGION },
    };

    it("gets proved credentials on EC2", async ({ skip }) => {
      if (runtime === undefined) skip(unavailable);
      const { steps, seen } = await run("ec2-nitro", genuine, "guarded.mjs", [
        "verdict",
        "credentials",
        "refreshed",
        "attestation",
        "chain",
        "region",
        "metadata",
      ]);
      expect(steps).toMatchObject({
        verdict: { value: "ec2" },
        attestation: { value: "bound" },
        region: { value: REGION },
        metadata: { value: expect.stringMatching(/^i-/) },
      });
      for (const door of ["credentials", "refreshed", "chain"])
        expect([door, accountOf(steps[door]?.value as string)]).toEqual([door, ACCOUNT]);
      expect(seen).toMatchObject({ withoutToken: 0 });
    });

    it("is refused off EC2, and nothing is sent", async ({ skip }) => {
      if (runtime === undefined) skip(unavailable);
      const { steps, connections } = await run("laptop", hostile, "guarded.mjs", [
        "verdict",
        "credentials",
        "chain",
        "region",
        "metadata",
      ]);
      const refused = { code: "ERR_IMDS_NOT_EC2" };
      expect(steps).toEqual({
        verdict: { value: "not-ec2" },
        credentials: refused,
        chain: refused,
        region: refused,
        metadata: refused,
      });
      expect(connections).toBe(0);
    });

    it.for([
      "flawless",
      "identity-absent",
      "identity-endless",
      "identity-hang",
      "v1-403",
      "redirect-302-credentials",
      "token-2mb",
    ])("takes nothing from an impersonator on EC2 (%s)", async (behaviour, { skip }) => {
      if (runtime === undefined) skip(unavailable);
      const { steps } = await run("ec2-nitro", { kind: "behaviour", name: behaviour }, "guarded.mjs", [
        "credentials",
        "chain",
      ]);
      for (const door of ["credentials", "chain"])
        expect([door, steps[door]]).toEqual([door, { code: expect.stringMatching(/^ERR_IMDS_/) }]);
    });

    it("has no firewall, and is told so", async ({ skip }) => {
      if (runtime === undefined) skip(unavailable);
      const { steps, stderr } = await run("ec2-nitro", genuine, "guarded.mjs", [
        "firewallOfGuard",
        "firewall",
        "fetch",
        "http",
        "net",
      ]);
      for (const installer of ["firewallOfGuard", "firewall"])
        expect([installer, steps[installer]?.value]).toEqual([
          installer,
          {
            mode: "off",
            allow: [],
            alreadyInstalled: false,
            notClosed: [expect.stringContaining(`anything: ${name}`)],
          },
        ]);
      expect(stderr).toContain(`imds-guard: error: There is no firewall in ${name}`);
      expect(stderr).toContain("[firewall.unavailable]");
      // Documented: these arrive.
      expect(steps).toMatchObject({ fetch: { value: 401 }, http: { value: 401 }, net: { value: "connected" } });
    });

    it("can check URLs", async ({ skip }) => {
      if (runtime === undefined) skip(unavailable);
      const { steps } = await run("ec2-nitro", genuine, "guarded.mjs", ["url"]);
      expect(steps).toEqual({ url: { code: "ERR_IMDS_URL_REFUSED" } });
    });

    it(
      leadsSdk
        ? "has its SDK led through a guard by the preload"
        : "does not have its SDK led through a guard by the preload, and is told so",
      async ({ skip }) => {
        if (runtime === undefined) skip(unavailable);
        const control = await run("laptop", hostile, "stock.mjs");
        for (const door of ["chain", "instance"])
          expect([door, accountOf(control.steps[door]?.value as string)]).toEqual([door, ATTACKER_ACCOUNT]);
        const { steps, stderr, connections } = await run("laptop", hostile, "stock.mjs", [], preload);
        expect(stderr).toContain("[firewall.unavailable]");
        if (leadsSdk) {
          expect(steps).toMatchObject({ instance: { code: "ERR_IMDS_NOT_EC2" } });
          expect(Object.values(steps).filter(({ value }) => value !== undefined)).toEqual([]);
          expect(connections).toBe(0);
        } else {
          expect(stderr).toContain("is not led through a guard");
          for (const door of ["chain", "instance"])
            expect([door, accountOf(steps[door]?.value as string)]).toEqual([door, ATTACKER_ACCOUNT]);
        }
      },
    );
  },
);
