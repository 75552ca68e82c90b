/** Programs that bring an IMDS client of their own, in a process that answers them. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createSigner } from "../support/identity-signer.mjs";
import { canUnshare } from "../support/machine.mjs";
import { REGISTER } from "./firewall/worlds.js";
import { withMachine } from "./rig.js";

const able = canUnshare();
if (!able.ok) console.log(`e2e (firewall answers): skipped, no namespaces can be made here: ${able.reason}`);

/** Other Node binaries may be named, separated by colons. */
const NODES = process.env["IMDS_GUARD_NODES"]?.split(":") ?? [process.execPath];
const PROGRAM = fileURLToPath(new URL("./firewall/answers-program.mjs", import.meta.url));
const REGION = "eu-central-1";
const AWS = createSigner();
const KEY = join(mkdtempSync(join(tmpdir(), "imds-guard-key-")), "key.pem");
writeFileSync(KEY, AWS.publicKeyPem);

describe.skipIf(!able.ok).each(NODES)("firewallAnswers in %s", (node) => {
  const run = (steps: readonly string[], env: Record<string, string>, host = "ec2-nitro") =>
    withMachine({ host }, async (machine) => {
      await machine.serve({
        kind: "genuine",
        privateKeyPem: AWS.privateKeyPem,
        identity: { account: "111122223333", region: REGION },
      } as const);
      const result = await machine.run(PROGRAM, {
        node,
        execArgv: ["-r", REGISTER],
        args: [...steps],
        env: {
          IMDS_GUARD_PROBE: "off",
          IMDS_GUARD_LOG: "off",
          IMDS_GUARD_CERTIFICATES: `${REGION}=${KEY}`,
          ...env,
        },
        timeoutMs: 60_000,
      });
      if (result.json === undefined) throw new Error(`${result.exitCode ?? result.signal}: ${result.stderr}`);
      return result.json as Record<string, unknown>;
    });

  it("gives attested metadata by IMDSv2, and nothing else", async () => {
    const region = { status: 200, body: REGION };
    expect(
      await run(
        ["token", "region", "document", "fetch", "keepAlive", "mapped", "v6", "role", "credentials", "missing"].concat(
          ["userData", "identityCredentials", "doubled", "withoutToken", "forgedToken", "longTtl", "noTtl"],
          ["forwarded", "via", "named", "post"],
        ),
        { IMDS_GUARD_FIREWALL_ANSWERS: "metadata" },
      ),
    ).toMatchObject({
      token: 200,
      region,
      document: REGION,
      fetch: region,
      keepAlive: region,
      // Another spelling could still be sent through a proxy of the environment.
      mapped: { code: "EACCES" },
      v6: region,
      role: { status: 404 },
      credentials: { status: 404 },
      missing: { status: 404 },
      userData: { status: 404 },
      identityCredentials: { status: 404 },
      doubled: { status: 404 },
      withoutToken: { status: 401, body: "" },
      forgedToken: { status: 401, body: "" },
      longTtl: { status: 400 },
      noTtl: { status: 400 },
      forwarded: { status: 403 },
      via: { status: 403 },
      named: { status: 403 },
      post: { status: 405 },
    });
  });

  it("gives the guarded credentials by a second word, to code of the AWS SDK in a bundle, too", async () => {
    expect(
      await run(["role", "credentials", "otherRole", "bundledSdk"], { IMDS_GUARD_FIREWALL_ANSWERS: "credentials" }),
    ).toMatchObject({ role: { status: 200 }, credentials: "ASIA", otherRole: { status: 404 }, bundledSdk: "ASIA" });
  });

  it("answers nobody that the firewall did not lead there, and nothing but port 80", async () => {
    const refused = { code: "EACCES", cause: "ERR_IMDS_CONNECTION_BLOCKED" };
    expect(
      await run(["stranger", "otherPort", "proxyAgent"], { IMDS_GUARD_FIREWALL_ANSWERS: "credentials" }),
    ).toMatchObject({ stranger: { listening: true, bytes: 0 }, otherPort: refused, proxyAgent: refused });
  });

  it.each([
    ["off EC2", { IMDS_GUARD_FIREWALL_ANSWERS: "credentials" }, "laptop"],
    ["where it is off", { IMDS_GUARD_FIREWALL_ANSWERS: "off" }, "ec2-nitro"],
    ["where IMDS is denied", { IMDS_GUARD_FIREWALL_ANSWERS: "metadata", IMDS_GUARD_MODE: "deny" }, "ec2-nitro"],
  ])("refuses the connection %s", async (_, env, host) => {
    const refused = { code: "EACCES", cause: "ERR_IMDS_CONNECTION_BLOCKED" };
    expect(await run(["region", "withoutToken", "fetch"], env, host)).toMatchObject({
      withoutToken: refused,
      fetch: { code: "EACCES" },
    });
  });
});
