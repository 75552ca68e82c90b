/** What the SDK's own providers are led to, and what is left to them. */
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { GuardOptions } from "../../src/settings/options.js";
import { createGuard } from "../../src/guard/create-guard.js";
import { isForOwn } from "../../src/sdk/own-providers.js";
import type { ProviderKind } from "../../src/sdk/stock-providers.js";
import { leadingToOwn, saysThatItRemembers } from "../../src/sdk/stock-providers.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import type { Scene } from "./side-by-side.js";
import { inScene } from "./side-by-side.js";

const ACCOUNT = "111122223333";
const KEY = accessKeyIdFor(ACCOUNT);
const keysOf = (key: string): string =>
  `aws_access_key_id = ${key}\naws_secret_access_key = s\naws_session_token = t\n`;
const IN_FILE = keysOf(KEY);
const IN_ENVIRONMENT = { AWS_ACCESS_KEY_ID: accessKeyIdFor("444455556666"), AWS_SECRET_ACCESS_KEY: "s" };
const IOT = [
  "endpoint = x.credentials.iot.eu-central-1.amazonaws.com",
  "role_alias = a",
  "certificate = /etc/device/tls.crt",
  "private_key = /etc/device/tls.key",
]
  .map((line) => `imds_guard_iot_${line}\n`)
  .join("");
const HELPER = "credential_process = /opt/aws_signing_helper credential-process --certificate /x.crt\n";
const OPTIONS: GuardOptions = { log: "off", probe: "off" };

interface Case {
  readonly scene: Scene;
  readonly init?: object;
  readonly profile?: string;
  readonly call?: { readonly forceRefresh?: boolean };
}
const BOTH = [true, true] as const;
const NEITHER = [false, false] as const;

// Whether a profile's provider and a chain's are for this package.
const CASES: readonly (readonly [string, Case, readonly [profile: boolean, chain: boolean]])[] = [
  ["nothing", { scene: {} }, NEITHER],
  ["a profile without credentials", { scene: { config: "[default]\nregion = eu-west-1\n" } }, NEITHER],
  ["keys in the file", { scene: { credentials: `[default]\n${IN_FILE}` } }, BOTH],
  [
    "keys in the file, asked for anew",
    { scene: { credentials: `[default]\n${IN_FILE}` }, call: { forceRefresh: true } },
    BOTH,
  ],
  ["keys of another profile", { scene: { credentials: `[a]\n${IN_FILE}` } }, NEITHER],
  ["keys of the profile by name", { scene: { credentials: `[a]\n${IN_FILE}` }, profile: "a" }, BOTH],
  [
    "keys of the profile of the environment",
    { scene: { credentials: `[a]\n${IN_FILE}`, env: { AWS_PROFILE: "a" } } },
    BOTH,
  ],
  [
    "keys in the environment before those in the file",
    { scene: { credentials: `[default]\n${IN_FILE}`, env: IN_ENVIRONMENT } },
    [true, false],
  ],
  [
    "keys in the environment, and a profile by name",
    { scene: { credentials: `[a]\n${IN_FILE}`, env: IN_ENVIRONMENT }, profile: "a" },
    BOTH,
  ],
  [
    "keys in the environment, and a profile there",
    { scene: { credentials: `[a]\n${IN_FILE}`, env: { ...IN_ENVIRONMENT, AWS_PROFILE: "a" } } },
    BOTH,
  ],
  ...["ssoStartUrl", "ssoAccountId", "ssoRegion", "ssoRoleName", "ssoSession"].map(
    (name) =>
      [
        `keys in the file behind ${name}`,
        { scene: { credentials: `[default]\n${IN_FILE}` }, init: { [name]: "x" } },
        [true, false],
      ] as const,
  ),
  ["an empty sign-on", { scene: { credentials: `[default]\n${IN_FILE}` }, init: { ssoSession: "" } }, BOTH],
  [
    "keys in a file that options name",
    { scene: { files: { other: `[default]\n${IN_FILE}` } }, init: { filepath: "{HOME}/other" } },
    BOTH,
  ],
  [
    "keys in a config file that options name",
    { scene: { files: { other: `[default]\n${IN_FILE}` } }, init: { configFilepath: "{HOME}/other" } },
    BOTH,
  ],
  [
    "a certificate in the environment",
    { scene: { env: { IMDS_GUARD_IOT_ENDPOINT: "x.credentials.iot.eu-central-1.amazonaws.com" } } },
    [false, true],
  ],
  [
    "a certificate in the environment beside a profile by name",
    {
      scene: {
        config: "[profile a]\n",
        env: { IMDS_GUARD_IOT_ENDPOINT: "x.credentials.iot.eu-central-1.amazonaws.com" },
      },
      profile: "a",
    },
    NEITHER,
  ],
  ["a certificate of the profile", { scene: { config: `[default]\n${IOT}` } }, BOTH],
  [
    "a line of the helper, which is run",
    { scene: { config: `[default]\nimds_guard_roles_anywhere = helper\n${HELPER}` } },
    [false, true],
  ],
  ["a certificate of another profile", { scene: { config: `[profile a]\n${IOT}` } }, NEITHER],
  [
    "a certificate of a source",
    {
      scene: {
        config: `[default]\nrole_arn = arn:aws:iam::111122223333:role/a\nsource_profile = a\n[profile a]\n${IOT}`,
      },
    },
    BOTH,
  ],
];

const fill = (init: object | undefined, home: string): object | undefined =>
  init && (JSON.parse(JSON.stringify(init).replaceAll("{HOME}", home)) as object);

describe.each(CASES)("%s", (_, { scene, init, profile, call }, expected) => {
  it.each(["profile", "chain"] as const)(`is for the provider of a %s or left to the SDK`, async (kind) => {
    await inScene(scene, async (home) => {
      const guard = createGuard(profile === undefined ? OPTIONS : { ...OPTIONS, profile });
      try {
        const asked = { init: fill(init, home), profile, call };
        expect(await isForOwn(kind, guard, asked)).toBe(expected[kind === "profile" ? 0 : 1]);
      } finally {
        await guard.close();
      }
    });
  });
});

it.each(["profile", "chain"] as const)("settings that cannot be used end a %s", async (kind) => {
  await inScene({ env: { IMDS_GUARD_MODE: "denny" } }, async () => {
    const guard = createGuard(OPTIONS);
    await expect(isForOwn(kind, guard, { init: undefined, profile: undefined, call: undefined })).rejects.toMatchObject(
      {
        name: "CredentialsProviderError",
        code: "ERR_IMDS_GUARD_SETTING",
        tryNextLink: false,
      },
    );
    await guard.close();
  });
});

/** A factory of the SDK's, with what it and its providers were given. */
function stockFactory() {
  const inits: unknown[] = [];
  const calls: unknown[] = [];
  const factory = (init?: object) => {
    inits.push(init);
    return Object.assign(
      (call?: object) => {
        calls.push(call);
        return Promise.resolve({ accessKeyId: `stock-${calls.length}`, expiration: new Date("2040-01-01") });
      },
      { mark: 5, memoized: false },
    );
  };
  return { factory, inits, calls };
}

describe.each(["profile", "chain"] as const)("a provider of a %s", (kind: ProviderKind) => {
  const guards: (string | undefined)[] = [];
  const guardFor = ({ profile }: { readonly profile?: string | undefined }) => {
    guards.push(profile);
    return Promise.resolve(createGuard(profile === undefined ? OPTIONS : { ...OPTIONS, profile }));
  };

  it("says that it remembers, has what the SDK's has, and lets the SDK read its files again", () => {
    const { factory, inits } = stockFactory();
    for (const init of [undefined, { profile: "a", ignoreCache: false }]) {
      const provider = leadingToOwn(factory, kind, guardFor)(init);
      expect(Object.entries(provider)).toEqual([
        ["mark", 5],
        ["memoized", true],
      ]);
    }
    expect(inits).toEqual([{ ignoreCache: true }, { profile: "a", ignoreCache: true }]);
  });

  it("asks the SDK's for what is the SDK's, which is remembered once", async () => {
    await inScene({}, async () => {
      const { factory, calls } = stockFactory();
      const provider = leadingToOwn(factory, kind, guardFor)();
      // A program that calls it by itself is given what holds at that moment.
      expect([await provider(), await provider()].map(({ accessKeyId }) => accessKeyId)).toEqual([
        "stock-1",
        "stock-2",
      ]);
      const call = { forceRefresh: false };
      await provider(call);
      await provider(call);
      // The chain remembers for itself.
      expect(calls.slice(2)).toEqual(kind === "chain" ? [call, call] : [call]);
      expect(calls.slice(0, 2)).toEqual([undefined, undefined]);
      expect(calls[2]).toBe(call);
    });
  });

  it("gives keys in a file by the profile in play, and asks the SDK for none of them", async () => {
    const other = accessKeyIdFor("444455556666");
    const credentials = `[default]\n${IN_FILE}[a]\n${keysOf(other)}`;
    await inScene({ credentials }, async () => {
      const { factory, calls } = stockFactory();
      guards.length = 0;
      const provider = leadingToOwn(factory, kind, guardFor)({});
      const ask = async (profile?: string) =>
        (await provider((profile && { callerClientConfig: { profile } }) as object | undefined)).accessKeyId;
      expect([await ask(), await ask("a"), await ask(), await ask("a")]).toEqual([KEY, other, KEY, other]);
      expect(guards).toEqual([undefined, "a", undefined, "a"]);
      const last = leadingToOwn(factory, kind, guardFor)({});
      const inOrder = [await last({ callerClientConfig: { profile: "a" } } as object), await last()];
      expect(inOrder.map(({ accessKeyId }) => accessKeyId)).toEqual([other, KEY]);
      const named = leadingToOwn(factory, kind, guardFor)({ profile: "a" });
      expect((await named()).accessKeyId).toBe(other);
      expect(calls).toEqual([]);
    });
  });
});

it("a chain with a sign-on in its options is left to the SDK", async () => {
  await inScene({ credentials: `[default]\n${IN_FILE}` }, async () => {
    const { factory } = stockFactory();
    const guardFor = () => Promise.resolve(createGuard(OPTIONS));
    const ask = async (init: object) => (await leadingToOwn(factory, "chain", guardFor)(init)()).accessKeyId;
    expect([await ask({ ssoSession: "x" }), await ask({})]).toEqual(["stock-1", KEY]);
  });
});

it("a file is looked at once a second, and at once where a refresh is forced", async () => {
  await inScene({ credentials: "[default]\n" }, async (home) => {
    const guard = createGuard(OPTIONS);
    const ask = (call?: object) => isForOwn("profile", guard, { init: undefined, profile: undefined, call });
    expect(await ask()).toBe(false);
    const file = join(home, ".aws", "credentials");
    writeFileSync(file, `[default]\n${IN_FILE}`);
    const then = Date.now() / 1_000 - 60;
    utimesSync(file, then, then);
    expect([await ask({}), await ask({ forceRefresh: false })]).toEqual([false, false]);
    expect(await ask({ forceRefresh: true })).toBe(true);
    await guard.close();
  });
});

it("a provider that only says so gives what the SDK's gives", async () => {
  const { factory, inits, calls } = stockFactory();
  const init = { profile: "a" };
  const provider = saysThatItRemembers(factory)(init);
  expect(inits).toEqual([init]);
  expect(Object.entries(provider)).toEqual([
    ["mark", 5],
    ["memoized", true],
  ]);
  const call = {};
  expect([(await provider(call)).accessKeyId, (await provider()).accessKeyId]).toEqual(["stock-1", "stock-2"]);
  expect([calls.length, calls[0] === call, calls[1]]).toEqual([2, true, undefined]);
});
