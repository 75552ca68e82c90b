/**
 * An application that knows nothing of imds-guard, started with the preload: the stock SDK, every door it has to IMDS.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessKeyIdFor, accountOf } from "../support/access-keys.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { ATTACKER_ACCOUNT } from "../support/impersonator.mjs";
import { canUnshare, createMachine } from "../support/machine.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const REGISTER = join(ROOT, "dist", "register.cjs");
const APP = fileURLToPath(new URL("../programs/apps/", import.meta.url));
const SDK = "3.1169.0";
const DEPENDENCIES = {
  "@aws-sdk/client-s3": SDK,
  "@aws-sdk/client-sts": SDK,
  "@aws-sdk/credential-providers": SDK,
  "@aws-sdk/ec2-metadata-service": "3.1162.0",
  "aws-sdk": "2.1693.0",
};
const ACCOUNT = "111122223333";
const STRANGER = "999988887777";
const REGION = "eu-central-1";
const HOSTILE_REGION = "us-west-2";
const able = canUnshare();
if (!able.ok) console.log(`interop (preload): skipped, no machines can be made here: ${able.reason}`);

type Door =
  | "chain"
  | "instance"
  | "ini"
  | "keys"
  | "temporary"
  | "s3"
  | "sts"
  | "region"
  | "auto"
  | "metadata"
  | "metadataRegion"
  | "v2"
  | "v2Metadata"
  | "ssrf";
type Outcome = Readonly<Record<Door, { readonly value?: string; readonly error?: string; readonly code?: string }>>;

describe.skipIf(!able.ok)("under the preload", () => {
  const signer = createSigner();
  let folder: string;
  let env: Record<string, string>;

  beforeAll(() => {
    expect(existsSync(REGISTER), "build first").toBe(true);
    folder = mkdtempSync(join(tmpdir(), "imds-guard-preload-"));
    // A place that is no default of anything, and a space in its name.
    const place = join(folder, "an app");
    mkdirSync(place);
    writeFileSync(
      join(place, "package.json"),
      JSON.stringify({ name: "app", private: true, dependencies: DEPENDENCIES }),
    );
    execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], {
      cwd: place,
      stdio: "pipe",
    });
    for (const file of ["doors.cjs", "doors.mjs"]) copyFileSync(join(APP, file), join(place, file));
    writeFileSync(join(folder, "key.pem"), signer.publicKeyPem);
    writeFileSync(
      join(folder, "config"),
      `[profile role]\nrole_arn = arn:aws:iam::${ACCOUNT}:role/x\ncredential_source = Ec2InstanceMetadata\nregion = ${REGION}\n`,
    );
    // Not where it is found by itself: the chain would take it.
    writeFileSync(
      join(folder, "keys"),
      `[profile keys]\naws_access_key_id = ${accessKeyIdFor(STRANGER)}\naws_secret_access_key = secret\n`,
    );
    env = {
      IMDS_GUARD_CERTIFICATES: `${REGION}=${join(folder, "key.pem")}`,
      IMDS_GUARD_PROBE: "off",
      AWS_CONFIG_FILE: join(folder, "config"),
    };
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  type Machine = Awaited<ReturnType<typeof createMachine>>;

  async function run(
    machine: Machine,
    app: string,
    execArgv: readonly string[],
    doors: readonly Door[] = [],
    more: Record<string, string> = {},
  ): Promise<{ outcome: Outcome; connections: number; stderr: string }> {
    const result = await machine.run(join(folder, "an app", app), {
      env: { ...env, ...more },
      execArgv,
      args: doors,
      timeoutMs: 120_000,
    });
    if (result.json === undefined)
      throw new Error(
        `the application ended with ${result.exitCode ?? result.signal}: ${result.stderr.slice(0, 2_000)}`,
      );
    return { outcome: result.json as Outcome, connections: result.sent.connections, stderr: result.stderr };
  }

  const PRELOADS = [
    ["doors.cjs", "-r", ["-r", REGISTER]],
    ["doors.mjs", "-r", ["-r", REGISTER]],
    ["doors.mjs", "--import", ["--import", join(ROOT, "dist", "register.js")]],
  ] as const;

  it.each(PRELOADS)("%s with %s works on EC2 through every door but the forged one", async (app, _, execArgv) => {
    const machine = await createMachine();
    try {
      await machine.serve({
        kind: "genuine",
        privateKeyPem: signer.privateKeyPem,
        identity: { account: ACCOUNT, region: REGION },
      });
      const { outcome, stderr } = await run(machine, app, execArgv);
      for (const door of ["chain", "instance", "ini", "v2"] as const)
        expect([door, accountOf(outcome[door].value ?? "")]).toEqual([door, ACCOUNT]);
      for (const door of ["s3", "sts"] as const) {
        const [key = "", region] = (outcome[door].value ?? "").split(" ");
        expect([door, accountOf(key), region]).toEqual([door, ACCOUNT, REGION]);
      }
      expect(outcome).toMatchObject({
        region: { value: REGION },
        metadataRegion: { value: REGION },
        v2Metadata: { value: REGION },
        auto: { value: "cross-region" },
      });
      expect(outcome.metadata.value).toMatch(/^i-/);
      expect(outcome.ssrf).toMatchObject({ error: "TypeError", code: "EACCES" });
      // One line for the forged request, and nothing else: a healthy host is silent.
      expect(stderr.split("\n").filter((line) => line.startsWith("imds-guard:"))).toEqual([
        expect.stringContaining("[firewall.connection_blocked]"),
      ]);
      expect(await machine.seen()).toMatchObject({ withoutToken: 0 });
    } finally {
      await machine.close();
    }
  });

  it("prints nothing where nothing is wrong", async () => {
    const machine = await createMachine();
    try {
      await machine.serve({
        kind: "genuine",
        privateKeyPem: signer.privateKeyPem,
        identity: { account: ACCOUNT, region: REGION },
      });
      // What Node and the SDK have to say, they say without the preload too.
      const doors = ["chain", "s3", "region", "metadata"] as const;
      const said = async (execArgv: readonly string[]) =>
        (await run(machine, "doors.mjs", ["--pending-deprecation", ...execArgv], doors)).stderr.replace(
          /node:\d+/g,
          "node",
        );
      expect(await said(["-r", REGISTER])).toBe(await said([]));
    } finally {
      await machine.close();
    }
  });

  const HOSTILE = {
    kind: "behaviour",
    name: "flawless",
    persona: { account: ATTACKER_ACCOUNT, region: HOSTILE_REGION },
  } as const;

  it("falls without it (control)", async () => {
    const machine = await createMachine({ host: "laptop" });
    try {
      await machine.serve(HOSTILE);
      const { outcome, connections } = await run(machine, "doors.mjs", []);
      for (const door of ["chain", "instance", "ini", "v2"] as const)
        expect([door, accountOf(outcome[door].value ?? "")]).toEqual([door, ATTACKER_ACCOUNT]);
      expect(outcome).toMatchObject({ region: { value: HOSTILE_REGION }, metadataRegion: { value: HOSTILE_REGION } });
      expect(outcome.ssrf.value).toBeTypeOf("string");
      expect(connections).toBeGreaterThan(20);
    } finally {
      await machine.close();
    }
  });

  const elsewhere = [
    ["laptop", "self"],
    ["dell-server", "neighbour"],
    ["laptop", "silent"],
    ["laptop", "blackhole"],
  ] as const;
  it.each(
    elsewhere.flatMap(([host, network]) =>
      PRELOADS.map(([app, how, execArgv]) => [host, network, app, how, execArgv] as const),
    ),
  )("on a %s (%s) %s with %s leaks nothing and sends nothing", async (host, network, app, _, execArgv) => {
    const machine = await createMachine({ host, network });
    try {
      if (network === "self" || network === "neighbour") await machine.serve(HOSTILE);
      const { outcome, connections } = await run(machine, app, execArgv);
      const { auto, ...rest } = outcome;
      expect(Object.entries(rest).filter(([, { value }]) => value !== undefined)).toEqual([]);
      expect(auto.value).toBe("standard");
      expect(outcome.instance.code).toBe("ERR_IMDS_NOT_EC2");
      expect(connections).toBe(0);
    } finally {
      await machine.close();
    }
  });

  it.each(PRELOADS)("%s with %s takes nothing from an impersonator on EC2", async (app, _, execArgv) => {
    const machine = await createMachine();
    try {
      await machine.serve(HOSTILE);
      const { outcome } = await run(machine, app, execArgv);
      const { auto, ...rest } = outcome;
      expect(Object.entries(rest).filter(([, { value }]) => value !== undefined)).toEqual([]);
      expect(auto.value).toBe("standard");
    } finally {
      await machine.close();
    }
  });

  it.each(PRELOADS)(
    "%s with %s holds keys of every link of the chain against the expected accounts",
    async (app, _, execArgv) => {
      const machine = await createMachine({ host: "laptop" });
      try {
        const doors = ["chain", "s3", "sts", "keys", "temporary"] as const;
        const keysOf = (account: string) => ({
          AWS_ACCESS_KEY_ID: accessKeyIdFor(account),
          AWS_SECRET_ACCESS_KEY: "secret",
          AWS_REGION: REGION,
          AWS_CONFIG_FILE: join(folder, "keys"),
          ROLE_KEY: accessKeyIdFor(account, "role"),
        });
        const accounts = ({ outcome }: Awaited<ReturnType<typeof run>>) =>
          doors.map((door) => outcome[door].code ?? accountOf((outcome[door].value ?? "").split(" ")[0]));
        const expected = { IMDS_GUARD_EXPECTED_ACCOUNTS: ACCOUNT };
        // Without an expectation every key is as good as any.
        expect(accounts(await run(machine, app, execArgv, doors, keysOf(STRANGER)))).toEqual(doors.map(() => STRANGER));
        const ours = await run(machine, app, execArgv, doors, { ...keysOf(ACCOUNT), ...expected });
        expect(accounts(ours)).toEqual([ACCOUNT, ACCOUNT, ACCOUNT, "ERR_IMDS_ACCOUNT_UNEXPECTED", ACCOUNT]);
        const { outcome, stderr } = await run(machine, app, execArgv, doors, { ...keysOf(STRANGER), ...expected });
        for (const door of doors)
          expect([door, outcome[door]]).toMatchObject([
            door,
            { error: "CredentialsProviderError", code: "ERR_IMDS_ACCOUNT_UNEXPECTED" },
          ]);
        expect(stderr).toContain("[credentials.account_unexpected]");
        const role = await run(machine, app, execArgv, ["temporary"], {
          ...keysOf(ACCOUNT),
          ROLE_KEY: accessKeyIdFor(STRANGER),
          ...expected,
        });
        expect(role.outcome.temporary).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
      } finally {
        await machine.close();
      }
    },
  );
});
