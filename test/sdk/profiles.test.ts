/** Settings, region and credentials are of one profile: that whose credentials are used. */
import { STSClient } from "@aws-sdk/client-sts";
import { describe, expect, it } from "vitest";
import { createGuard } from "../../src/sdk/application-guard.js";
import { fromIni } from "../../src/sdk/ini.js";
import { fromInstanceMetadata } from "../../src/sdk/instance-metadata.js";
import { MetadataService } from "../../src/sdk/metadata-service.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import { fromGuardedRegion } from "../../src/sdk/region.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { inScene } from "./side-by-side.js";

const OURS = "111122223333";
const STRANGER = "999988887777";

const keys = (account: string) => `aws_access_key_id = ${accessKeyIdFor(account)}\naws_secret_access_key = secret\n`;
/** The profile `prod` expects our account and holds a stranger's key; `ours` holds ours. */
const config = [
  `[default]\nregion = eu-north-1\n${keys(STRANGER)}`,
  `[profile prod]\nregion = ap-south-1\ndefaults_mode = in-region\nimds_guard_expected_accounts = ${OURS}\n${keys(STRANGER)}`,
  `[profile ours]\nregion = eu-west-1\nimds_guard_expected_accounts = ${OURS}\n${keys(OURS)}`,
].join("");

const UNEXPECTED = { code: "ERR_IMDS_ACCOUNT_UNEXPECTED", tryNextLink: false };
const called = (profile: string) => ({ callerClientConfig: { profile, region: () => Promise.resolve("x") } }) as never;

describe("the expected accounts of a profile hold", () => {
  it.each<[string, () => Promise<{ accessKeyId: string }>]>([
    ["for fromIni with that profile", () => fromIni({ profile: "prod" })()],
    ["for fromIni and a shared guard", () => fromIni({ profile: "prod", guard: createGuard() })()],
    ["for fromIni and a guard of another profile", () => fromIni({ profile: "prod", guard: { profile: "ours" } })()],
    ["for fromIni that a client of that profile calls", () => fromIni()(called("prod"))],
    ["for the chain with that profile", () => fromNodeProviderChain({ profile: "prod" })()],
    ["for the chain and a shared guard", () => fromNodeProviderChain({ profile: "prod", guard: createGuard() })()],
    ["for the chain that a client of that profile calls", () => fromNodeProviderChain()(called("prod"))],
    ["for the chain and a guard of that profile", () => fromNodeProviderChain({ guard: { profile: "prod" } })()],
    ["for clientConfig", () => createGuard().clientConfig({ profile: "prod" }).credentials()],
    [
      "for clientConfig of a guard of that profile",
      () => createGuard({ profile: "prod" }).clientConfig().credentials(),
    ],
  ])("%s", async (_, credentials) => {
    await inScene({ config }, async () => {
      await expect(credentials()).rejects.toMatchObject(UNEXPECTED);
    });
  });

  it("for a client of the SDK that names it", async () => {
    await inScene({ config }, async () => {
      for (const credentials of [fromIni(), fromNodeProviderChain()]) {
        const client = new STSClient({ region: "eu-central-1", profile: "prod", credentials });
        await expect(client.config.credentials()).rejects.toMatchObject(UNEXPECTED);
      }
    });
  });

  it("and those of no other", async () => {
    await inScene({ config }, async () => {
      const provider = fromNodeProviderChain({ guard: createGuard() });
      const accounts = [];
      for (const profile of ["default", "ours", "default", "ours"])
        accounts.push((await provider(called(profile))).accessKeyId);
      const [theirs, ours] = [accessKeyIdFor(STRANGER), accessKeyIdFor(OURS)];
      expect(accounts).toEqual([theirs, ours, theirs, ours]);
    });
  });

  it("in files at another place than those of a shared guard", async () => {
    await inScene({ config: "[default]\n", files: { elsewhere: config } }, async (home) => {
      const provider = fromIni({ profile: "prod", configFilepath: `${home}/elsewhere`, guard: createGuard() });
      await expect(provider()).rejects.toMatchObject(UNEXPECTED);
    });
  });
});

describe("a shared guard", () => {
  it("follows the mode of the profile that a provider names", async () => {
    const text = "[default]\n[profile shut]\nimds_guard_mode = deny\n";
    await inScene({ config: text }, async () => {
      const guard = createGuard();
      const init = { profile: "shut", guard };
      for (const asked of [
        fromInstanceMetadata(init),
        fromNodeProviderChain({ profile: "shut", guard }),
        () => new MetadataService(init).instanceId(),
      ])
        await expect(asked()).rejects.toMatchObject({ code: "ERR_IMDS_DISABLED" });
      await expect(fromGuardedRegion(init)()).rejects.toMatchObject({
        code: "ERR_IMDS_NO_REGION",
        message: expect.stringContaining("IMDS is disabled by mode deny") as string,
        advice: "Set AWS_REGION, or the profile key region.",
      });
    });
  });

  it("is closed with all its profiles", async () => {
    await inScene({ config }, async () => {
      const guard = createGuard();
      const provider = fromIni({ profile: "ours", guard });
      await provider();
      await guard.close();
      await expect(provider()).rejects.toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
      await expect(fromIni({ profile: "prod", guard })()).rejects.toMatchObject({ code: "ERR_IMDS_GUARD_CLOSED" });
    });
  });

  it("is no guard where it only looks like one", () => {
    const credentials = (): Promise<never> => Promise.reject(new Error("no guard"));
    expect(() => fromIni({ guard: { credentials } as never })).toThrow(TypeError);
  });
});

describe("clientConfig is of one profile", () => {
  const all = async (client: STSClient) => [
    await client.config.region(),
    (await client.config.credentials()).accessKeyId,
    await (client.config as unknown as { defaultsMode: () => Promise<string> }).defaultsMode(),
  ];

  it.each<[string, () => object, Record<string, string>]>([
    ["that the guard names", () => createGuard({ profile: "prod" }).clientConfig(), {}],
    ["that it names itself", () => createGuard().clientConfig({ profile: "prod" }), {}],
    ["that it names, and not the guard", () => createGuard({ profile: "x" }).clientConfig({ profile: "prod" }), {}],
    ["that the environment names", () => createGuard().clientConfig(), { AWS_PROFILE: "prod" }],
    [
      "that the client names as well",
      () => ({ ...createGuard().clientConfig({ profile: "prod" }), profile: "prod" }),
      {},
    ],
  ])("%s", async (_, configuration, env) => {
    await inScene({ config: config.replaceAll(OURS, STRANGER), env }, async () => {
      expect(await all(new STSClient(configuration()))).toEqual(["ap-south-1", accessKeyIdFor(STRANGER), "in-region"]);
    });
  });

  it("or an error: a client may not name another", async () => {
    await inScene({ config }, async () => {
      const client = new STSClient({ ...createGuard().clientConfig(), profile: "ours" });
      await expect(client.config.credentials()).rejects.toMatchObject({
        name: "CredentialsProviderError",
        code: "ERR_IMDS_GUARD_SETTING",
        message:
          'The client names profile "ours", and its clientConfig() is of profile "default". See docs/errors.md#ERR_IMDS_GUARD_SETTING',
        evidence: [{ source: "profile of the client", value: "ours", says: "another profile than that of its region" }],
        advice: 'Use clientConfig({ profile: "ours" }), so that region and credentials are of one profile.',
        tryNextLink: false,
      });
    });
  });

  it("or an error of its settings, at which a chain ends", async () => {
    await inScene({ config, env: { IMDS_GUARD_MODE: "denny" } }, async () => {
      for (const credentials of [createGuard().clientConfig().credentials, fromNodeProviderChain()])
        for (const call of [undefined, called("default")])
          await expect(credentials(call)).rejects.toMatchObject({
            name: "CredentialsProviderError",
            code: "ERR_IMDS_GUARD_SETTING",
            tryNextLink: false,
          });
    });
  });
});

describe("a profile that is named and does not exist", () => {
  it("is an event and a sentence in the refusal", async () => {
    await inScene({ config, env: { IMDS_GUARD_MODE: "deny" } }, async () => {
      const events: string[] = [];
      const guard = createGuard({ profile: "prd", onEvent: ({ code }) => events.push(code) });
      await expect(guard.credentials()).rejects.toMatchObject({
        code: "ERR_IMDS_DISABLED",
        message:
          'IMDS was not asked: IMDS is disabled by mode deny; and profile "prd", which is named, does not exist. See docs/errors.md#ERR_IMDS_DISABLED',
      });
      expect(events).toContain("settings.profile_missing");
    });
  });
});
