import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { ImdsGuardError } from "../../src/base/errors.js";
import type { GuardOptions, Settings } from "../../src/settings/options.js";
import type { Resolved } from "../../src/settings/resolve.js";
import { snapshotOptions } from "../../src/settings/check-options.js";
import { resolveSettings } from "../../src/settings/resolve.js";
import { SETTINGS } from "../../src/settings/table.js";
import { makeHome } from "./home.js";
import { fc } from "../support/properties.js";

// Properties and processes of their own take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

type Env = Readonly<Record<string, string>>;

interface Sources {
  readonly options?: GuardOptions;
  readonly env?: Env;
  /** Lines of the profile that is read. */
  readonly profile?: string;
}

function resolve({ options = {}, env = {}, profile }: Sources): Promise<Resolved> {
  const home = makeHome(profile === undefined ? {} : { config: `[default]\n${profile}\n` });
  return resolveSettings(options, home.system(env));
}

const settings = async (sources: Sources): Promise<Settings> => (await resolve(sources)).settings;

async function failure(sources: Sources): Promise<ImdsGuardError> {
  const error: unknown = await resolve(sources).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ImdsGuardError)) throw new Error(`expected an error of the guard, got ${String(error)}`);
  expect([error.kind, error.code, error.tryNextLink]).toEqual(["settings", "ERR_IMDS_GUARD_SETTING", false]);
  return error;
}

/** What IMDS is shut by, other links being let alone. */
async function problem(sources: Sources): Promise<ImdsGuardError> {
  const { problem: found } = await resolve(sources);
  if (!found) throw new Error("there is no problem");
  expect([found.kind, found.tryNextLink]).toEqual(["settings", false]);
  return found;
}

test("nothing set is the defaults", async () => {
  const { settings: found, log, eventsFile, problem: none } = await resolve({});
  expect(found).toMatchObject({
    mode: "ec2-only",
    attestation: "auto",
    expectedAccounts: [],
    expectedRoles: [],
    expectedRegions: [],
    onUnknownAccount: "refuse",
    verifyWithSts: "off",
    override: undefined,
    endpointMode: undefined,
    emulator: "off",
    disabledBy: undefined,
    roleName: undefined,
    probe: "on",
    timeout: 3_000,
    maxRetries: 2,
    silenceMs: 60_000,
    sources: {},
  });
  expect(found.certificates.size).toBe(0);
  expect([log, eventsFile, none]).toEqual(["warning", undefined, undefined]);
});

/** For each setting that is taken from the first source: three values, as code and as text. */
const FIRST: readonly (readonly [keyof GuardOptions, string, string, readonly [unknown, string][]])[] = [
  [
    "probe",
    "IMDS_GUARD_PROBE",
    "imds_guard_probe",
    [
      ["off", "off"],
      ["on", "on"],
      ["off", "off"],
    ],
  ],
  [
    "timeout",
    "IMDS_GUARD_TIMEOUT",
    "imds_guard_timeout",
    [
      [100, "100"],
      [200, "200"],
      [300, "300"],
    ],
  ],
  [
    "silenceMs",
    "IMDS_GUARD_SILENCE_MS",
    "imds_guard_silence_ms",
    [
      [0, "0"],
      [3_600_000, "3600000"],
      [1, "1"],
    ],
  ],
  [
    "maxRetries",
    "IMDS_GUARD_MAX_RETRIES",
    "imds_guard_max_retries",
    [
      [0, "0"],
      [1, "1"],
      [2, "2"],
    ],
  ],
  [
    "mode",
    "IMDS_GUARD_MODE",
    "imds_guard_mode",
    [
      ["allow", "allow"],
      ["ec2-only", "ec2-only"],
      ["allow", "allow"],
    ],
  ],
  [
    "attestation",
    "IMDS_GUARD_ATTESTATION",
    "imds_guard_attestation",
    [
      ["off", "off"],
      ["auto", "auto"],
      ["off", "off"],
    ],
  ],
];

describe("the order of sources", () => {
  test.each(FIRST)("%s: code, then environment, then profile", async (name, variable, key, [a, b, c]) => {
    const [[inCode] = [], [inEnv, envText] = [], [inProfile, profileText] = []] = [a, b, c];
    const options = { [name]: inCode } as GuardOptions;
    const env = { [variable]: envText ?? "" };
    const profile = `${key} = ${profileText}`;
    const found = async (sources: Sources) => (await settings(sources))[name as keyof Settings];
    expect(await found({ options, env, profile })).toBe(inCode);
    expect(await found({ env, profile })).toBe(inEnv);
    expect(await found({ profile })).toBe(inProfile);
    expect(await found({ options: { [name]: undefined }, env: { [variable]: "" }, profile })).toBe(inProfile);
  });

  test("is told for each setting that is not at its default", async () => {
    const { sources } = await settings({
      options: { timeout: 100 },
      env: { IMDS_GUARD_PROBE: "off" },
      profile: "imds_guard_max_retries = 0",
    });
    expect(sources).toEqual({ timeout: "option", probe: "environment", maxRetries: "profile" });
  });

  test("every setting can be written in all three ways", () => {
    for (const { name, env, key } of SETTINGS) {
      expect([env, key]).toEqual([`IMDS_GUARD_${name.replace(/[A-Z]/g, "_$&").toUpperCase()}`, env.toLowerCase()]);
    }
  });

  test("the profile is the option's, else AWS_PROFILE's, else default; an empty name is none", async () => {
    const home = makeHome({
      config:
        "[default]\nimds_guard_timeout = 100\n[profile a]\nimds_guard_timeout = 200\n[profile b]\nimds_guard_timeout = 300\n",
    });
    const timeout = async (options: GuardOptions, env: Env) =>
      (await resolveSettings(options, home.system(env))).settings.timeout;
    expect(await timeout({}, {})).toBe(100);
    expect(await timeout({}, { AWS_PROFILE: "a" })).toBe(200);
    expect(await timeout({ profile: "b" }, { AWS_PROFILE: "a" })).toBe(300);
    expect(await timeout({ profile: "" }, { AWS_PROFILE: "a" })).toBe(200);
    expect(await timeout({}, { AWS_PROFILE: "" })).toBe(100);
    expect(await timeout({}, { AWS_PROFILE: "missing" })).toBe(3_000);
  });
});

describe("the strictest word", () => {
  test.each<[keyof GuardOptions, string, string, string, string]>([
    ["mode", "IMDS_GUARD_MODE", "imds_guard_mode", "deny", "allow"],
    ["attestation", "IMDS_GUARD_ATTESTATION", "imds_guard_attestation", "required", "off"],
    ["onUnknownAccount", "IMDS_GUARD_ON_UNKNOWN_ACCOUNT", "imds_guard_on_unknown_account", "refuse", "allow"],
    ["verifyWithSts", "IMDS_GUARD_VERIFY_WITH_STS", "imds_guard_verify_with_sts", "on", "off"],
  ])("of %s wins from whichever source", async (name, variable, key, strict, loose) => {
    for (const at of [0, 1, 2]) {
      const word = (index: number): string => (index === at ? strict : loose);
      const found = await settings({
        options: { [name]: word(0) },
        env: { [variable]: word(1) },
        profile: `${key} = ${word(2)}`,
      });
      expect(found[name as keyof Settings]).toBe(strict);
      expect(found.sources[name]).toBe(["option", "environment", "profile"][at]);
    }
    expect((await settings({ options: { [name]: loose } }))[name as keyof Settings]).toBe(loose);
  });

  test("holds for any combination", async () => {
    const words = fc.option(fc.constantFrom("ec2-only", "allow", "deny"), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(words, words, words, async (option, variable, key) => {
        const sources = {
          options: { mode: option },
          env: { ...(variable && { IMDS_GUARD_MODE: variable }) },
          profile: key ? `imds_guard_mode = ${key}` : "region = x",
        };
        const given = [option, variable, key].filter((word) => word !== undefined);
        expect((await settings(sources)).mode).toBe(given.includes("deny") ? "deny" : (given[0] ?? "ec2-only"));
      }),
      { numRuns: 64 },
    );
  });
});

describe("expected lists", () => {
  const A = "111122223333";
  const B = "444455556666";
  const C = "777788889999";

  test("narrow each other", async () => {
    const found = await settings({
      options: { expectedAccounts: [A, B, A] },
      env: { IMDS_GUARD_EXPECTED_ACCOUNTS: ` ${B} , ${C},${A}` },
      profile: `imds_guard_expected_accounts = ${B}`,
    });
    expect(found.expectedAccounts).toEqual([B]);
  });

  test.each([
    ["expectedRoles", "IMDS_GUARD_EXPECTED_ROLES", ["a", "b"], "b,c", ["b"]],
    ["expectedRegions", "IMDS_GUARD_EXPECTED_REGIONS", ["eu-west-1", "us-east-1"], "us-east-1", ["us-east-1"]],
  ] as const)("%s as well", async (name, variable, inCode, text, left) => {
    expect((await settings({ options: { [name]: inCode }, env: { [variable]: text } }))[name]).toEqual(left);
  });

  test("that have nothing in common are an error and not an empty list, which would expect anything", async () => {
    const error = await failure({ options: { expectedAccounts: [A] }, env: { IMDS_GUARD_EXPECTED_ACCOUNTS: B } });
    expect(error.message).toBe(
      `Nothing is left of expectedAccounts: its sources have no entry in common (guard.expectedAccounts = ${A}; IMDS_GUARD_EXPECTED_ACCOUNTS = ${B}). See docs/errors.md#ERR_IMDS_GUARD_SETTING`,
    );
    expect(error.advice).toBe(
      "Each source of an expected list can only narrow the others. Make them agree on at least one entry.",
    );
  });

  test("are never wider than any source says", async () => {
    const list = fc.option(fc.uniqueArray(fc.constantFrom(A, B, C), { minLength: 1 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(list, list, list, async (inCode, inEnv, inProfile) => {
        const given = [inCode, inEnv, inProfile].filter((one) => one !== undefined);
        const sources: Sources = {
          options: { expectedAccounts: inCode },
          env: { ...(inEnv && { IMDS_GUARD_EXPECTED_ACCOUNTS: inEnv.join() }) },
          profile: inProfile ? `imds_guard_expected_accounts = ${inProfile.join(" , ")}` : "region = x",
        };
        const left = [A, B, C].filter((account) => given.every((one) => (one as string[]).includes(account)));
        if (left.length === 0) {
          await failure(sources);
          return;
        }
        expect([...(await settings(sources)).expectedAccounts].sort()).toEqual(given.length === 0 ? [] : left);
      }),
      { numRuns: 80 },
    );
  });
});

describe("a wrong word", () => {
  test.each<[string, string, string]>([
    ["IMDS_GUARD_MODE", "alow", 'IMDS_GUARD_MODE is "alow"; allowed: ec2-only, allow, deny'],
    ["IMDS_GUARD_MODE", "DENY", 'IMDS_GUARD_MODE is "DENY"; allowed: ec2-only, allow, deny'],
    ["IMDS_GUARD_MODE", "true", 'IMDS_GUARD_MODE is "true"; allowed: ec2-only, allow, deny'],
    ["IMDS_GUARD_MODE", "  ", 'IMDS_GUARD_MODE is "  "; allowed: ec2-only, allow, deny'],
    ["IMDS_GUARD_ATTESTATION", "on", 'IMDS_GUARD_ATTESTATION is "on"; allowed: auto, required, off'],
    [
      "IMDS_GUARD_EXPECTED_ACCOUNTS",
      "11112222333",
      'IMDS_GUARD_EXPECTED_ACCOUNTS is "11112222333"; allowed: 12-digit AWS account ids, at least one and at most 256, separated by commas',
    ],
    ["IMDS_GUARD_EXPECTED_ACCOUNTS", "111122223333,", "12-digit AWS account ids"],
    ["IMDS_GUARD_EXPECTED_ACCOUNTS", "111122223333 444455556666", "12-digit AWS account ids"],
    [
      "IMDS_GUARD_EXPECTED_ACCOUNTS",
      Array.from({ length: 257 }, (_, i) => String(100_000_000_000 + i)).join(),
      "at most 256",
    ],
    ["IMDS_GUARD_EXPECTED_ROLES", "a/b", "role names"],
    ["IMDS_GUARD_EXPECTED_ROLES", "..", "role names"],
    ["IMDS_GUARD_EXPECTED_REGIONS", "EU", "region names"],
    ["IMDS_GUARD_EXPECTED_REGIONS", "eu-west-1.example.com", "region names"],
    ["IMDS_GUARD_ON_UNKNOWN_ACCOUNT", "ignore", "allowed: refuse, allow"],
    ["IMDS_GUARD_VERIFY_WITH_STS", "1", "allowed: on, off"],
    ["IMDS_GUARD_PROBE", "0", "allowed: on, off"],
    ["IMDS_GUARD_TIMEOUT", "49", "allowed: a whole number from 50 to 60000 (milliseconds)"],
    ["IMDS_GUARD_TIMEOUT", "60001", "50 to 60000"],
    ["IMDS_GUARD_TIMEOUT", "1e3", "50 to 60000"],
    ["IMDS_GUARD_TIMEOUT", "1000.5", "50 to 60000"],
    ["IMDS_GUARD_TIMEOUT", "0x100", "50 to 60000"],
    ["IMDS_GUARD_TIMEOUT", "-100", "50 to 60000"],
    ["IMDS_GUARD_TIMEOUT", "99999999999999999999", "50 to 60000"],
    ["IMDS_GUARD_MAX_RETRIES", "3", "from 0 to 2"],
    [
      "IMDS_GUARD_ENDPOINT",
      "169.254.169.254",
      'allowed: http://<IPv4, [IPv6] or host name>[:port], nothing behind it but "/"',
    ],
    ["IMDS_GUARD_ENDPOINT", "http://0xa9fea9fe", "allowed: http://"],
    ["IMDS_GUARD_EC2_INSTANCE_PROFILE_NAME", "../x", "an instance profile or role name"],
    ["IMDS_GUARD_LOG", "debug", "allowed: info, notice, warning, error, critical, off"],
    ["IMDS_GUARD_EVENTS_FILE", "a\0b", "a file path"],
    ["IMDS_GUARD_EVENT_FORMAT", "cef", "json, ecs, ocsf"],
    ["IMDS_GUARD_TELEMETRY", "otlp", "opentelemetry, off"],
    ["IMDS_GUARD_CERTIFICATES", "eu-west-1", "region=path pairs separated by commas"],
    ["IMDS_GUARD_CERTIFICATES", "../x=/tmp/y", "region=path pairs separated by commas"],
    ["IMDS_GUARD_CERTIFICATES", "eu-west-1=/a,eu-west-1=/b", "each region once"],
  ])("%s = %j", async (variable, text, expected) => {
    const error = await failure({ env: { [variable]: text } });
    expect(error.message).toContain(
      `${variable} is ${JSON.stringify(text).slice(0, 20)}`.slice(0, variable.length + 5),
    );
    expect(error.message).toContain(expected);
    expect(error.evidence[0]?.source).toBe(variable);
    expect(error.advice).toContain(variable);
    if (text.includes("\0") || text.trim() === "") return;
    const key = variable.toLowerCase();
    expect((await failure({ profile: `${key} = ${text}` })).evidence[0]?.source).toBe(key);
  });

  test("is an error also where a nearer source is right", async () => {
    expect((await failure({ options: { mode: "deny" }, env: { IMDS_GUARD_MODE: "denny" } })).message).toContain(
      "IMDS_GUARD_MODE",
    );
    expect((await failure({ options: { mode: "deny" }, profile: "imds_guard_mode = denny" })).message).toContain(
      "imds_guard_mode",
    );
  });

  test("is shown short and in plain letters", async () => {
    const { message } = await failure({ env: { IMDS_GUARD_MODE: `\u001b[31m\n${"x".repeat(5_000)}` } });
    expect(message).toMatch(/^[\x20-\x7e]{1,200}$/);
  });

  test("certificate files are read, and what is not readable is named", async () => {
    const home = makeHome();
    writeFileSync(join(home.directory, "eu.pem"), "PEM");
    mkdirSync(join(home.directory, "directory"));
    writeFileSync(join(home.directory, "large.pem"), "x".repeat(64 * 1024 + 1));
    const resolveWith = (path: string) =>
      resolveSettings({}, home.system({ IMDS_GUARD_CERTIFICATES: `eu-west-1 = ${join(home.directory, path)}` }));
    expect((await resolveWith("eu.pem")).settings.certificates).toEqual(new Map([["eu-west-1", "PEM"]]));
    for (const [path, kind] of [
      ["missing.pem", "absent"],
      ["directory", "unreadable"],
      ["large.pem", "too-large"],
    ] as const) {
      const whole = join(home.directory, path);
      const allowed = `readable PEM files of at most 64 KiB (eu-west-1: ${kind})`;
      for (const [written, failing] of [
        ["IMDS_GUARD_CERTIFICATES", resolveWith(path)],
        ["imds_guard_certificates", settings({ profile: `imds_guard_certificates = eu-west-1 = ${whole}` })],
      ] as const)
        await expect(failing).rejects.toMatchObject({
          code: "ERR_IMDS_GUARD_SETTING",
          evidence: [{ source: written, says: `not one of: ${allowed}` }],
        });
    }
  });

  test("given in code are texts, and no files are read", async () => {
    const certificates = { "eu-west-1": "PEM" };
    expect((await settings({ options: { certificates } })).certificates).toEqual(new Map([["eu-west-1", "PEM"]]));
  });
});

test.each([
  [{ AWS_REGION: "eu-west-1", AWS_DEFAULT_REGION: "eu-west-2" }, "region = eu-west-3", "eu-west-1"],
  [{ AWS_REGION: "", AWS_DEFAULT_REGION: "eu-west-2" }, "region = eu-west-3", "eu-west-2"],
  [{}, "region = eu-west-3", "eu-west-3"],
  [{}, "x = y", undefined],
])("the configured region of %j and a profile with %s is %s", async (env, profile, region) => {
  expect((await settings({ env, profile })).configuredRegion).toBe(region);
});

describe("an unknown name", () => {
  test.each([
    ["IMDS_GUARD_MODES", "; did you mean IMDS_GUARD_MODE?"],
    ["IMDS_GUARD_EXPECTED_ACCOUNT", "; did you mean IMDS_GUARD_EXPECTED_ACCOUNTS?"],
    ["imds_guard_mode", "; did you mean IMDS_GUARD_MODE?"],
    ["Imds_Guard_Mode", "; did you mean IMDS_GUARD_MODE?"],
    ["IMDS_GUARD_SOMETHING_ELSE_ALTOGETHER", ""],
  ])("of a variable: %s", async (name, hint) => {
    const error = await failure({ env: { [name]: "deny" } });
    expect(error.message).toBe(
      `"${name}" is no known environment variable${hint || "."} See docs/errors.md#ERR_IMDS_GUARD_SETTING`,
    );
    expect(error.advice).toContain("IMDS_GUARD_MODE, IMDS_GUARD_");
    expect(error.evidence).toEqual([{ source: name, says: "not a setting of imds-guard" }]);
  });

  test.each([
    ["imds_guard_mod = deny", '"imds_guard_mod" is no known key of profile default; did you mean imds_guard_mode?'],
    ["Imds_Guard_Mode = deny", "did you mean imds_guard_mode?"],
    ["IMDS_GUARD_MODE = deny", "did you mean imds_guard_mode?"],
    ["imds-guard-mode = deny", "did you mean imds_guard_mode?"],
    ["imdsguard_mode = deny", "did you mean imds_guard_mode?"],
    [
      "s3 =\n  imds_guard_mode = deny",
      '"s3.imds_guard_mode" is no known key of profile default; did you mean imds_guard_mode?',
    ],
    ["region =\n  a = b\n  Imds_guard_mode = deny", '"region.Imds_guard_mode" is no known key of profile default'],
  ])("of a key: %j", async (profile, message) => {
    expect((await failure({ profile })).message).toContain(message);
  });

  test("on Windows the case of a variable does not matter", async () => {
    const windows = (env: Env) => ({ ...makeHome().system(env), platform: "win32" as const });
    const mode = async (env: Env) => (await resolveSettings({}, windows(env))).settings.mode;
    expect(await mode({ Imds_Guard_Mode: "deny" })).toBe("deny");
    expect(await mode({ imds_guard_mode: "deny", IMDS_GUARD_MODE: "deny" })).toBe("deny");
    await expect(mode({ imds_guard_mode: "deny", IMDS_GUARD_MODE: "allow" })).rejects.toMatchObject({
      code: "ERR_IMDS_GUARD_SETTING",
      message:
        'IMDS_GUARD_MODE is set twice in different letters, to "deny" and "allow". See docs/errors.md#ERR_IMDS_GUARD_SETTING',
    });
    const { settings: found } = await resolveSettings({}, windows({ aws_ec2_metadata_disabled: "true" }));
    expect(found.disabledBy).toBe("AWS_EC2_METADATA_DISABLED");
  });

  test("of another profile is nobody's business here", async () => {
    const home = makeHome({ config: "[default]\nregion = x\n[profile other]\nimds_guard_mod = deny\n" });
    expect((await resolveSettings({}, home.system())).settings.mode).toBe("ec2-only");
    await expect(resolveSettings({ profile: "other" }, home.system())).rejects.toMatchObject({
      code: "ERR_IMDS_GUARD_SETTING",
    });
  });
});

describe("options in code", () => {
  const mistake = (options: unknown): TypeError & { code?: string } => {
    try {
      snapshotOptions(options as GuardOptions);
    } catch (error) {
      return error as TypeError;
    }
    throw new Error("accepted");
  };

  test.each<[unknown, string]>([
    [null, "guard is null; allowed: a plain object of options"],
    ["deny", 'guard is "deny"'],
    [[], "guard is an array"],
    [{ mode: "alow" }, 'guard.mode is "alow"; allowed: ec2-only, allow, deny'],
    [{ mode: null }, "guard.mode is null"],
    [{ mode: ["deny"] }, "guard.mode is an array"],
    [{ modus: "deny" }, 'guard is "modus"; allowed: did you mean mode? mode, attestation, expectedAccounts, '],
    [{ somethingElse: "deny" }, 'guard is "somethingElse"; allowed: mode, attestation, expectedAccounts, '],
    [{ expectedAccount: ["111122223333"] }, "did you mean expectedAccounts?"],
    [{ ExpectedAccounts: ["111122223333"] }, "did you mean expectedAccounts?"],
    [{ expectedAccounts: [] }, "guard.expectedAccounts is an array"],
    [{ expectedAccounts: "111122223333" }, 'guard.expectedAccounts is "111122223333"'],
    [{ expectedAccounts: [111122223333] }, "guard.expectedAccounts is an array"],
    [{ expectedAccounts: ["111122223333\n"] }, "guard.expectedAccounts is an array"],
    [{ timeout: "100" }, 'guard.timeout is "100"'],
    [{ timeout: Number.NaN }, "guard.timeout is NaN"],
    [{ timeout: Number.POSITIVE_INFINITY }, "guard.timeout is Infinity"],
    [{ timeout: 100.5 }, "guard.timeout is 100.5"],
    [{ timeout: -1 }, "guard.timeout is -1"],
    [{ maxRetries: 3 }, "guard.maxRetries is 3"],
    [{ endpoint: " http://localhost" }, "guard.endpoint is"],
    [{ endpoint: new URL("http://localhost") }, "guard.endpoint is an object"],
    [{ certificates: { "eu-west-1": "" } }, "guard.certificates is an object"],
    [{ certificates: ["x"] }, "guard.certificates is an array"],
    [{ probe: false }, "guard.probe is false"],
    [{ profile: 1 }, "guard.profile is 1; allowed: a profile name"],
    [{ onEvent: "x" }, 'guard.onEvent is "x"; allowed: a function'],
    [{ logger: "x" }, 'guard.logger is "x"; allowed: an object with debug, info, warn and error'],
    [{ logger: null }, "guard.logger is null"],
    [{ logger: [] }, "guard.logger is an array"],
    [{ stsCa: 5 }, "guard.stsCa is 5; allowed: certificates in PEM"],
    [{ stsCa: "/etc/ca.pem" }, "guard.stsCa is "],
    [{ stsCa: "x-----BEGIN CERTIFICATE-----" }, "guard.stsCa is "],
    [{ stsCa: "-----BEGIN CERTIFICATE-----x" }, "guard.stsCa is "],
    [{ stsProxy: 5 }, "guard.stsProxy is an object; allowed: http://[user:password@]host[:port]"],
    ...["proxy:3128", "https://proxy", "http://proxy/path", "http://proxy/?a", "http://proxy/#a"].map(
      (stsProxy): [unknown, string] => [{ stsProxy }, "guard.stsProxy is an object"],
    ),
  ])("%j", (options, message) => {
    const error = mistake(options);
    expect([error instanceof TypeError, error.code]).toEqual([true, "ERR_INVALID_ARG_VALUE"]);
    expect(error.message).toContain(message);
  });

  test("that are right, or absent, are taken", () => {
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const all: GuardOptions = {
      mode: "allow",
      attestation: "off",
      timeout: 50,
      endpoint: "http://localhost",
      profile: "x",
      onEvent: () => undefined,
      logger,
      stsCa: "CA\r\n-----BEGIN CERTIFICATE-----\r\nMII",
      stsProxy: "http://user:password@proxy:3128",
    };
    expect(snapshotOptions(all)).toEqual(all);
    expect(Object.isFrozen(snapshotOptions(all))).toBe(true);
    for (const options of [
      {},
      { stsCa: "-----BEGIN CERTIFICATE-----\nMII" },
      { stsProxy: "http://proxy/" },
      { mode: undefined, unknown: undefined } as GuardOptions,
    ])
      expect(() => snapshotOptions(options)).not.toThrow();
  });

  test("whatever is passed is taken or a TypeError", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.dictionary(
            fc.constantFrom(...SETTINGS.map(({ name }) => name), "profile", "onEvent", "logger", "__proto__"),
            fc.anything(),
          ),
        ),
        (options) => {
          try {
            snapshotOptions(options as GuardOptions);
          } catch (error) {
            expect((error as { code?: string }).code).toBe("ERR_INVALID_ARG_VALUE");
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("AWS's own settings", () => {
  test.each(["true", "TRUE", "True", " true ", "1", "0", "yes", "no", "FALSE?", "x"])(
    "AWS_EC2_METADATA_DISABLED=%j disables",
    async (text) => {
      expect((await settings({ env: { AWS_EC2_METADATA_DISABLED: text } })).disabledBy).toBe(
        "AWS_EC2_METADATA_DISABLED",
      );
      expect((await settings({ profile: `disable_ec2_metadata = ${text}` })).disabledBy).toBe("disable_ec2_metadata");
    },
  );

  test.each(["", "false", "FALSE", "False", " false "])("AWS_EC2_METADATA_DISABLED=%j does not", async (text) => {
    expect((await settings({ env: { AWS_EC2_METADATA_DISABLED: text } })).disabledBy).toBeUndefined();
    expect((await settings({ profile: `disable_ec2_metadata = ${text}` })).disabledBy).toBeUndefined();
  });

  test("what the profile disables the environment does not enable", async () => {
    expect(
      (await settings({ env: { AWS_EC2_METADATA_DISABLED: "false" }, profile: "disable_ec2_metadata = true" }))
        .disabledBy,
    ).toBe("disable_ec2_metadata");
  });

  test.each([
    ["IPv4", "IPv4"],
    ["ipv4", "IPv4"],
    ["IPV6", "IPv6"],
    ["ipV6", "IPv6"],
    [" IPv6 ", "IPv6"],
    ["", undefined],
  ])("endpoint mode %j is %s", async (text, mode) => {
    expect((await settings({ env: { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: text } })).endpointMode).toBe(mode);
    expect((await settings({ profile: `ec2_metadata_service_endpoint_mode = ${text}` })).endpointMode).toBe(mode);
  });

  test("the endpoint is the environment's, else the profile's", async () => {
    const profile = "ec2_metadata_service_endpoint = http://192.0.2.2:8080\nec2_metadata_service_endpoint_mode = IPv6";
    const env = {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: " http://192.0.2.1/ ",
      AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv4",
    };
    expect(await settings({ env, profile })).toMatchObject({
      override: {
        owner: "aws",
        setting: "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        endpoint: { host: "192.0.2.1", port: 80 },
      },
      endpointMode: "IPv4",
    });
    expect(await settings({ profile })).toMatchObject({
      override: {
        owner: "aws",
        setting: "ec2_metadata_service_endpoint",
        endpoint: { host: "192.0.2.2", port: 8_080 },
      },
      endpointMode: "IPv6",
    });
  });

  test.each<[Sources, string]>([
    [{ options: { endpoint: "http://127.0.0.1:1" } }, "guard.endpoint"],
    [{ env: { IMDS_GUARD_ENDPOINT: "http://127.0.0.1:1" } }, "IMDS_GUARD_ENDPOINT"],
    [{ profile: "imds_guard_endpoint = http://127.0.0.1:1" }, "imds_guard_endpoint"],
  ])("the guard's own endpoint wins over AWS's (%j)", async (sources, setting) => {
    const found = await settings({
      ...sources,
      env: { ...sources.env, AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://192.0.2.1" },
    });
    expect(found.override).toMatchObject({ owner: "guard", setting, endpoint: { host: "127.0.0.1" } });
  });

  test("the role name is the option's, else the environment's, else the profile's", async () => {
    const env = { AWS_EC2_INSTANCE_PROFILE_NAME: "from-env" };
    const profile = "ec2_instance_profile_name = from-profile";
    expect((await settings({ options: { ec2InstanceProfileName: "from-code" }, env, profile })).roleName).toBe(
      "from-code",
    );
    expect((await settings({ env, profile })).roleName).toBe("from-env");
    expect((await settings({ profile })).roleName).toBe("from-profile");
  });

  test.each(["true", "false", "x", ""])(
    "AWS_EC2_METADATA_V1_DISABLED=%j changes nothing: IMDSv1 is never used",
    async (text) => {
      const { sources, ...found } = await settings({
        env: { AWS_EC2_METADATA_V1_DISABLED: text },
        profile: "ec2_metadata_v1_disabled = true",
      });
      expect({ ...found, sources }).toEqual(await settings({}));
    },
  );

  test.each<[string, string, string, string]>([
    [
      "AWS_EC2_METADATA_SERVICE_ENDPOINT",
      "ec2_metadata_service_endpoint",
      "https://169.254.169.254",
      '(its scheme is "https")',
    ],
    [
      "AWS_EC2_METADATA_SERVICE_ENDPOINT",
      "ec2_metadata_service_endpoint",
      "http://user:pw@169.254.169.254",
      "(it contains user info)",
    ],
    [
      "AWS_EC2_METADATA_SERVICE_ENDPOINT",
      "ec2_metadata_service_endpoint",
      "http://169.254.169.254/latest",
      "(it has a path)",
    ],
    [
      "AWS_EC2_METADATA_SERVICE_ENDPOINT",
      "ec2_metadata_service_endpoint",
      "http://2852039166",
      "(its host is an address in decimal",
    ],
    [
      "AWS_EC2_METADATA_SERVICE_ENDPOINT",
      "ec2_metadata_service_endpoint",
      "http://[fe80::1%25eth0]",
      "(it contains a zone id",
    ],
    ["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode", "IPv5", "allowed: IPv4, IPv6"],
    [
      "AWS_EC2_INSTANCE_PROFILE_NAME",
      "ec2_instance_profile_name",
      "../../api/token",
      "an instance profile or role name",
    ],
  ])(
    "a wrong %s or %s shuts IMDS, names itself, and leaves other links alone",
    async (variable, key, text, expected) => {
      const fromEnv = await problem({ env: { [variable]: text } });
      const fromProfile = await problem({ profile: `${key} = ${text}` });
      expect(fromEnv.message).toBe(fromProfile.message.replace(key, variable));
      expect(fromEnv.message).toContain(`${variable} is ${JSON.stringify(text)}; allowed: `);
      expect(fromEnv.message).toContain(expected);
      expect(fromProfile.evidence[0]?.source).toBe(key);
    },
  );

  test("a NUL in an endpoint is shown escaped", async () => {
    expect(
      (await problem({ env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://169.254.169.254\0.example.com" } })).message,
    ).toContain("254\\u0000.example");
  });
});

describe("what somebody should know", () => {
  test("is a profile that is named and that no file has", async () => {
    const { warnings, settings: found } = await resolve({ env: { AWS_PROFILE: "missing" }, profile: "a = b" });
    expect(found.missingProfile).toBe("missing");
    expect(warnings).toEqual([
      {
        code: "settings.profile_missing",
        message: 'Profile "missing" is named, and no shared config file has it',
        evidence: [{ source: "profile", value: "missing", says: "in neither file" }],
        advice: "Correct the name, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, which tell where the files are.",
      },
    ]);
  });

  test.each<[Sources]>([
    [{}],
    [{ profile: "a = b" }],
    [{ options: { profile: "default" }, profile: "a = b" }],
    [{ env: { AWS_PROFILE: "default" }, profile: "a = b" }],
  ])("is nothing in %j", async (sources) => {
    const { warnings, settings: found } = await resolve(sources);
    expect([warnings, found.missingProfile]).toEqual([[], undefined]);
  });

  test("is a file in the home of another user, and that it lacks the profile", async () => {
    const home = makeHome({ config: "[default]\n" });
    vi.spyOn(process, "geteuid").mockReturnValue(4_242);
    try {
      const denied = { kind: "unreadable", code: "EACCES" } as const;
      const surroundings = home.system({ AWS_PROFILE: "missing" }, { [home.config]: denied });
      const { warnings, problem: none } = await resolveSettings({}, surroundings);
      expect([none, warnings.length, warnings[1]?.code]).toEqual([undefined, 2, "settings.profile_missing"]);
      expect(warnings[0]).toEqual({
        code: "settings.file_passed_over",
        message: `A shared config file in the home of another user is passed over: ${home.config} cannot be read`,
        evidence: [{ source: home.config, says: "it cannot be read (EACCES)" }],
        advice:
          "Set HOME to the home of this user, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE to files of its own.",
      });
    } finally {
      vi.restoreAllMocks();
    }
  });
});

describe("a config file that cannot be used", () => {
  test("shuts IMDS and leaves other links alone", async () => {
    const home = makeHome({ config: "[default]\nec2_metadata_service_endpoint: http://10.0.0.1\n" });
    const { settings: found, problem: said } = await resolveSettings(
      { mode: "allow", expectedAccounts: ["111122223333"] },
      home.system(),
    );
    expect(said?.code).toBe("ERR_IMDS_GUARD_CONFIG_FILE");
    expect(found.expectedAccounts).toEqual(["111122223333"]);
  });

  test("is an error for all where it mentions the guard", async () => {
    const home = makeHome({ config: "[default\nimds_guard_expected_accounts = 111122223333\n" });
    await expect(resolveSettings({}, home.system())).rejects.toMatchObject({
      code: "ERR_IMDS_GUARD_CONFIG_FILE",
      tryNextLink: false,
    });
  });
});

test("whatever the environment says, the answer is settings or an error of the guard", async () => {
  const home = makeHome();
  const names = [
    ...SETTINGS.map(({ env }) => env),
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_INSTANCE_PROFILE_NAME",
    "AWS_PROFILE",
  ];
  const word = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom("on", "off", "deny", "allow", "required", "100", "http://localhost", "111122223333", "a=b", ","),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...names), word, { maxKeys: 4, noNullPrototype: true }),
      async (env) => {
        const outcome = await resolveSettings({}, home.system(env)).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toMatchObject({ kind: "settings", tryNextLink: false });
        else if (env["IMDS_GUARD_MODE"]?.trim() === "deny") expect((outcome as Resolved).settings.mode).toBe("deny");
      },
    ),
    { numRuns: 150 },
  );
});
