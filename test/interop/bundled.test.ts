/** An application that is one file, SDK included, under the preload: refused, and what mends it. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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
const PROGRAMS = fileURLToPath(new URL("./bundled/", import.meta.url));
const ACCOUNT = "111122223333";
const REGION = "eu-central-1";
const able = canUnshare();
if (!able.ok) console.log(`interop (bundled): skipped, no machines can be made here: ${able.reason}`);

/** What is bundled -> the bundler's options. */
const AS_MODULES = [
  "--format=esm",
  "--outdir=modules",
  "--out-extension:.js=.mjs",
  "--splitting",
  "--banner:js=import { createRequire as requiring } from 'node:module'; const require = requiring(import.meta.url);",
];
const BUNDLES = {
  everything: ["stock.mjs", "--format=cjs", "--outfile=everything.cjs"],
  "everything, minified": ["stock.mjs", "--format=cjs", "--minify", "--outfile=minified.cjs"],
  "all but the SDK": [
    "stock.mjs",
    "--format=cjs",
    "--external:@aws-sdk/*",
    "--external:@smithy/*",
    "--outfile=external.cjs",
  ],
  "the guard too": ["guarded.mjs", "--format=cjs", "--outfile=guarded.cjs"],
  "the guard too, as modules": ["guarded.mjs", ...AS_MODULES],
  "the preload too": ["preloading.mjs", "--format=cjs", "--outfile=preloading.cjs"],
  "the preload too, as modules": ["preloading.mjs", ...AS_MODULES],
} as const;

describe.skipIf(!able.ok)("an application in one file", () => {
  const signer = createSigner();
  let folder: string;
  let preload: string;

  beforeAll(() => {
    expect(existsSync(join(ROOT, "dist", "register.cjs")), "build first").toBe(true);
    folder = mkdtempSync(join(tmpdir(), "imds-guard-bundled-"));
    const [{ filename }] = JSON.parse(
      execFileSync("npm", ["pack", "--json", "--pack-destination", folder, "."], { cwd: ROOT, encoding: "utf8" }),
    ) as [{ filename: string }];
    for (const file of readdirSync(PROGRAMS)) copyFileSync(join(PROGRAMS, file), join(folder, file));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", private: true }));
    writeFileSync(join(folder, "key.pem"), signer.publicKeyPem);
    const packages = [
      "esbuild@0.27.7",
      "@aws-sdk/client-s3@3.1169.0",
      "@aws-sdk/credential-providers@3.1169.0",
      `file:${join(folder, filename)}`,
    ];
    execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", ...packages], {
      cwd: folder,
      stdio: "pipe",
    });
    for (const [entry, ...options] of Object.values(BUNDLES))
      execFileSync(
        join(folder, "node_modules/.bin/esbuild"),
        [entry, "--bundle", "--platform=node", "--log-level=error", ...options],
        { cwd: folder, stdio: "pipe" },
      );
    preload = join(folder, "node_modules/imds-guard/dist/register.cjs");
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function run(
    file: string,
    {
      host = "ec2-nitro",
      serve = genuine,
      preloaded = true,
    }: { host?: string; serve?: Serve; preloaded?: boolean } = {},
  ) {
    const machine = await createMachine({ host });
    try {
      await machine.serve(serve);
      const env = { IMDS_GUARD_PROBE: "off", IMDS_GUARD_CERTIFICATES: `${REGION}=${join(folder, "key.pem")}` };
      const result = await machine.run(join(folder, file), {
        env,
        execArgv: preloaded ? ["-r", preload] : [],
        timeoutMs: 60_000,
      });
      if (result.json === undefined)
        throw new Error(
          `the application ended with ${result.exitCode ?? result.signal}: ${result.stderr.slice(0, 2_000)}`,
        );
      return {
        outcome: result.json as { key?: string; error?: string; code?: string },
        stderr: result.stderr,
        seen: (await machine.seen()) as { total?: number; connections?: number; withoutToken?: number },
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

  it("works without the preload, and for an impersonator too (control)", async () => {
    const { outcome } = await run("everything.cjs", { preloaded: false });
    expect(accountOf(outcome.key)).toBe(ACCOUNT);
    const fallen = await run("everything.cjs", { preloaded: false, host: "laptop", serve: hostile });
    expect(accountOf(fallen.outcome.key)).toBe(ATTACKER_ACCOUNT);
  });

  it.each(["everything.cjs", "minified.cjs"])(
    "is refused under the preload, on EC2 and elsewhere, and the event says where it asked from (%s)",
    async (file) => {
      for (const { outcome, stderr, seen } of [await run(file), await run(file, { host: "laptop", serve: hostile })]) {
        expect(outcome.key).toBeUndefined();
        expect(outcome.error).toBeTypeOf("string");
        expect(stderr).toContain("[firewall.connection_blocked]");
        expect(stderr).toContain(file);
        expect(seen.total ?? seen.connections).toBe(0);
      }
    },
  );

  it.each(["preloading.cjs", "modules/preloading.mjs"])(
    "has the firewall where the preload is in it (%s)",
    async (file) => {
      const { outcome, stderr, seen } = await run(file, { preloaded: false });
      expect(outcome).toEqual({ code: "EACCES", error: "ERR_IMDS_CONNECTION_BLOCKED" });
      expect(stderr).toContain("[firewall.connection_blocked]");
      expect(seen.total).toBe(0);
    },
  );

  it.each([
    ["external.cjs", "the SDK is left out of the bundle"],
    ["guarded.cjs", "its client is given a guard's configuration"],
    ["modules/guarded.mjs", "the same, in ES modules"],
  ])("is served under the preload where %s: %s", async (file) => {
    const { outcome, seen } = await run(file);
    expect([outcome, accountOf(outcome.key)]).toEqual([outcome, ACCOUNT]);
    expect(seen).toMatchObject({ withoutToken: 0 });
    const refused = await run(file, { host: "laptop", serve: hostile });
    expect(refused.outcome.key).toBeUndefined();
    expect(refused.seen.connections).toBe(0);
  });
});
