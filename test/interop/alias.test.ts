/** An application that keeps the SDK's own chain, with one line of npm `overrides`: its IMDS provider is ours. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accountOf } from "../support/access-keys.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { ATTACKER_ACCOUNT } from "../support/impersonator.mjs";
import { canUnshare, createMachine } from "../support/machine.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SDK = "3.1169.0";
const able = canUnshare();
if (!able.ok) console.log(`interop (alias): skipped, no machines can be made here: ${able.reason}`);

const signer = createSigner();
const APP = `
import { fromInstanceMetadata, fromNodeProviderChain } from "@aws-sdk/credential-providers";
const outcome = {};
for (const [name, provider] of Object.entries({ chain: fromNodeProviderChain(), instance: fromInstanceMetadata() })) {
  outcome[name] = await provider().then((credentials) => ({ key: credentials.accessKeyId }), (error) => ({ name: error.name, code: error.code }));
}
console.log(JSON.stringify(outcome));
`;

describe.skipIf(!able.ok)("as an override of @smithy/credential-provider-imds", () => {
  let folder: string;
  let app: string;
  let stock: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "imds-guard-alias-"));
    const pack = (path: string): string => {
      const [{ filename }] = JSON.parse(
        execFileSync("npm", ["pack", "--json", "--pack-destination", folder, path], { cwd: ROOT, encoding: "utf8" }),
      ) as [{ filename: string }];
      return `file:${join(folder, filename)}`;
    };
    const guard = pack(".");
    const alias = pack("./alias");
    app = install(
      "app",
      { "@aws-sdk/credential-providers": SDK, "imds-guard": guard, "imds-guard-credential-provider-imds": alias },
      { "@smithy/credential-provider-imds": alias },
    );
    stock = install("stock", { "@aws-sdk/credential-providers": SDK }, {});
    writeFileSync(join(folder, "key.pem"), signer.publicKeyPem);
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function install(name: string, dependencies: Record<string, string>, overrides: Record<string, string>): string {
    const place = join(folder, name);
    mkdirSync(place);
    writeFileSync(
      join(place, "package.json"),
      JSON.stringify({ name, private: true, type: "module", dependencies, overrides }),
    );
    writeFileSync(join(place, "app.mjs"), APP);
    execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], {
      cwd: place,
      stdio: "pipe",
    });
    return join(place, "app.mjs");
  }

  it("leaves no copy of the SDK's package behind", () => {
    const found = readdirSync(join(folder, "app", "node_modules"), { recursive: true, encoding: "utf8" }).filter(
      (path) => path.endsWith("credential-provider-imds/package.json"),
    );
    const names = found.map((path) =>
      execFileSync(
        process.execPath,
        ["-p", `require(${JSON.stringify(join(folder, "app", "node_modules", path))}).name`],
        { encoding: "utf8" },
      ).trim(),
    );
    expect(new Set(names)).toEqual(new Set(["imds-guard-credential-provider-imds"]));
  });

  it("keeps an impersonator's credentials from the SDK's own chain, which takes them without it", async () => {
    const machine = await createMachine({ host: "laptop" });
    try {
      await machine.serve({ kind: "behaviour", name: "flawless" });
      const control = await machine.run(stock);
      expect(accountOf(control.json.chain.key)).toBe(ATTACKER_ACCOUNT);
      const guarded = await machine.run(app, { env: { IMDS_GUARD_PROBE: "off" } });
      expect(guarded.json).toEqual({
        chain: { name: "CredentialsProviderError" },
        instance: { name: "CredentialsProviderError", code: "ERR_IMDS_NOT_EC2" },
      });
      expect(guarded.sent).toEqual({ connections: 0, datagrams: 0 });
    } finally {
      await machine.close();
    }
  });

  it("lets the SDK's own chain have its credentials on EC2", async () => {
    const machine = await createMachine({ host: "ec2-nitro" });
    try {
      await machine.serve({
        kind: "genuine",
        privateKeyPem: signer.privateKeyPem,
        identity: { account: "111122223333", region: "eu-central-1" },
      });
      const { json, stderr } = await machine.run(app, {
        env: { IMDS_GUARD_CERTIFICATES: `eu-central-1=${join(folder, "key.pem")}`, IMDS_GUARD_TIMEOUT: "15000" },
      });
      expect(accountOf(json.chain.key), stderr).toBe("111122223333");
      expect(accountOf(json.instance.key)).toBe("111122223333");
      expect((await machine.seen()).withoutToken).toBe(0);
    } finally {
      await machine.close();
    }
  });
});
