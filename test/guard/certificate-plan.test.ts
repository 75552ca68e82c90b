/** What settings of certificates come to, before anything is read or sent. */
import { describe, expect, test } from "vitest";
import type { AwsSettings } from "../../src/guard/certificate-plan.js";
import {
  authoritiesOf,
  incomplete,
  readCertificateSettings,
  roleAliasPlan,
  rolesAnywherePlan,
  sourcesOf,
} from "../../src/guard/certificate-plan.js";
import type { CertificateSettings } from "../../src/roles-anywhere/certificate-settings.js";
import { golden, refusalOf, wordingOf } from "../support/wording.js";
import { machine } from "./guarded-host.js";

const ACCOUNT = "111122223333";
const arn = (rest: string, region = "eu-central-1", partition = "aws"): string =>
  `arn:${partition}:rolesanywhere:${region}:${ACCOUNT}:${rest}`;
const ANCHOR = arn("trust-anchor/a-1");
const PROFILE = arn("profile/p-1");
const ROLE = `arn:aws:iam::${ACCOUNT}:role/app`;

const named = (text: string, setting: string): { text: string; setting: string } => ({ text, setting });
const file = (path: string): { file: string; setting: string } => ({ file: path, setting: "s" });

const COMPLETE: CertificateSettings = {
  certificate: file("/c.pem"),
  private_key: file("/k.pem"),
  trust_anchor_arn: named(ANCHOR, "the anchor"),
  profile_arn: named(PROFILE, "the profile"),
  role_arn: named(ROLE, "the role"),
};
const ALIAS: CertificateSettings = {
  certificate: file("/c.pem"),
  private_key: file("/k.pem"),
  endpoint: named("x.credentials.iot.eu-central-1.amazonaws.com", "the endpoint"),
  role_alias: named("my_alias=,@-1", "the alias"),
};

const aws = (env: Record<string, string> = {}, profile: AwsSettings["profile"] = {}, files = {}): AwsSettings => ({
  system: machine(files, env).system,
  profile,
});
const planOf = (more: Partial<CertificateSettings>, around = aws()): ReturnType<typeof rolesAnywherePlan>["plan"] =>
  rolesAnywherePlan({ ...COMPLETE, ...more }, around).plan;
const aliasOf = (more: Partial<CertificateSettings>): ReturnType<typeof roleAliasPlan>["plan"] =>
  roleAliasPlan({ ...ALIAS, ...more }, aws()).plan;

const said = (run: () => unknown): string => (refusalOf(run) as { message: string }).message;

describe("what environment and profile say", () => {
  test("is read by the words of the kind, trimmed, with the name of each setting", () => {
    const keys = {
      IMDS_GUARD_ROLES_ANYWHERE_CERTIFICATE: " ~/c.pem ",
      IMDS_GUARD_ROLES_ANYWHERE_PRIVATE_KEY: "/k~/x.pem",
      IMDS_GUARD_ROLES_ANYWHERE_ROLE_ARN: `${ROLE}\n`,
      IMDS_GUARD_ROLES_ANYWHERE_REGION: "  ",
      imds_guard_roles_anywhere_profile_arn: PROFILE,
      IMDS_GUARD_IOT_ROLE_ALIAS: "x",
    };
    const { system } = machine();
    expect(readCertificateSettings("roles-anywhere", keys, "environment", system)).toEqual({
      certificate: { file: "/home/nobody/c.pem", setting: "IMDS_GUARD_ROLES_ANYWHERE_CERTIFICATE" },
      private_key: { file: "/k~/x.pem", setting: "IMDS_GUARD_ROLES_ANYWHERE_PRIVATE_KEY" },
      role_arn: named(ROLE, "IMDS_GUARD_ROLES_ANYWHERE_ROLE_ARN"),
    });
    expect(readCertificateSettings("roles-anywhere", keys, "profile", system)).toEqual({
      profile_arn: named(PROFILE, "imds_guard_roles_anywhere_profile_arn"),
    });
    expect(readCertificateSettings("iot", keys, "environment", system)).toEqual({
      role_alias: named("x", "IMDS_GUARD_IOT_ROLE_ALIAS"),
    });
  });
});

describe("a plan for IAM Roles Anywhere", () => {
  test("has the region of the trust anchor, an hour, and AWS's endpoint", () => {
    expect(planOf({})).toEqual({
      trustAnchorArn: ANCHOR,
      profileArn: PROFILE,
      roleArn: ROLE,
      names: { trustAnchorArn: "the anchor", profileArn: "the profile", roleArn: "the role" },
      region: "eu-central-1",
      url: new URL("https://rolesanywhere.eu-central-1.amazonaws.com"),
      durationSeconds: 3_600,
      roleSessionName: undefined,
      proxy: true,
      ca: undefined,
    });
  });

  test("has what else was said", () => {
    const more = {
      region: named("us-east-1", "r"),
      duration: named("900", "d"),
      session_name: named("me", "n"),
      proxy: false,
    };
    expect(planOf(more)).toMatchObject({
      region: "us-east-1",
      url: new URL("https://rolesanywhere.us-east-1.amazonaws.com"),
      durationSeconds: 900,
      roleSessionName: "me",
      proxy: false,
    });
    expect(planOf({ endpoint: named("https://vpce.example:8443", "e") }).url.href).toBe("https://vpce.example:8443/");
  });

  test.each(["900", "43200"])("may last %s seconds", (text) => {
    expect(planOf({ duration: named(text, "d") }).durationSeconds).toBe(Number(text));
  });

  test.each(["899", "43201", "99", "100000", "3600s", "x3600", " 3600", "3.6e3", ""])("may not last %j", (text) => {
    expect(said(() => planOf({ duration: named(text, "d") }))).toMatch(/^d is ".*"; allowed: a whole number from 900/);
  });

  test.each(["ab", "x".repeat(64), "A_z0+=,.@-"])("may be called %s", (text) => {
    expect(planOf({ session_name: named(text, "n") }).roleSessionName).toBe(text);
  });

  test.each(["a", "x".repeat(65), "a b", "ab\n", "\nab", "a/b", ""])("may not be called %j", (text) => {
    expect(said(() => planOf({ session_name: named(text, "n") }))).toMatch(/^n is ".*"; allowed: 2 to 64 letters/);
  });

  const FIPS = "AWS_USE_FIPS_ENDPOINT";
  const DUAL = "AWS_USE_DUALSTACK_ENDPOINT";
  test.each<[string, Record<string, string>, Record<string, string>, string]>([
    ["FIPS by the environment", { [FIPS]: " TRUE " }, {}, "rolesanywhere-fips.eu-central-1.amazonaws.com"],
    ["FIPS by the profile", {}, { use_fips_endpoint: "true" }, "rolesanywhere-fips.eu-central-1.amazonaws.com"],
    [
      "the environment first",
      { [FIPS]: "false" },
      { use_fips_endpoint: "true" },
      "rolesanywhere.eu-central-1.amazonaws.com",
    ],
    [
      "an empty variable is none",
      { [FIPS]: "" },
      { use_fips_endpoint: "true" },
      "rolesanywhere-fips.eu-central-1.amazonaws.com",
    ],
    ["dual stack by the environment", { [DUAL]: "true" }, {}, "rolesanywhere.eu-central-1.api.aws"],
    ["dual stack by the profile", {}, { use_dualstack_endpoint: "True" }, "rolesanywhere.eu-central-1.api.aws"],
    ["both", { [FIPS]: "true" }, { use_dualstack_endpoint: "true" }, "rolesanywhere-fips.eu-central-1.api.aws"],
  ])("asks AWS's host: %s", (_, env, profile, host) => {
    expect(planOf({}, aws(env, profile)).url.host).toBe(host);
  });

  test("takes certificate, key and what belongs to them from where they were said", () => {
    const more = { intermediates: file("/i.pem"), passphrase_file: file("/p") };
    expect(rolesAnywherePlan({ ...COMPLETE, ...more }, aws()).sources).toEqual({
      certificate: file("/c.pem"),
      certificateChain: file("/i.pem"),
      privateKey: file("/k.pem"),
      passphrase: file("/p"),
    });
  });

  test("needs no key where somebody else signs", () => {
    const sign = (): Uint8Array => new Uint8Array();
    const { private_key: _, ...rest } = COMPLETE;
    expect(sourcesOf({ ...rest, sign }).privateKey).toEqual({ sign });
    expect(rolesAnywherePlan({ ...rest, sign }, aws()).sources.privateKey).toEqual({ sign });
  });
});

describe("a plan for a role alias of AWS IoT", () => {
  test("has its host in TLS, with or without a thing", () => {
    expect(aliasOf({})).toEqual({
      url: new URL("https://x.credentials.iot.eu-central-1.amazonaws.com"),
      roleAlias: "my_alias=,@-1",
      thingName: undefined,
      ca: undefined,
    });
    const thing = named("a:b_c-1", "t");
    expect(aliasOf({ thing_name: thing, endpoint: named("https://x.example:8443", "e") })).toMatchObject({
      url: new URL("https://x.example:8443"),
      thingName: "a:b_c-1",
    });
    expect(roleAliasPlan(ALIAS, aws()).sources).toMatchObject({
      certificate: file("/c.pem"),
      privateKey: file("/k.pem"),
    });
  });

  test.each(["x".repeat(128)])("has names of up to 128 characters", (text) => {
    expect(aliasOf({ role_alias: named(text, "a"), thing_name: named(text, "t") })).toMatchObject({
      roleAlias: text,
      thingName: text,
    });
  });

  test.each(["", "x".repeat(129), "a/b", "a b", "a\n", "\na", "a?b"])("has no alias %j", (text) => {
    expect(said(() => aliasOf({ role_alias: named(text, "a") }))).toMatch(/^a is ".*"; allowed: 1 to 128 letters/s);
  });

  test.each(["", "x".repeat(129), "a/b", "a b", "a\n", "\na", "a@b"])("has no thing %j", (text) => {
    expect(said(() => aliasOf({ thing_name: named(text, "t") }))).toMatch(/^t is ".*"; allowed: 1 to 128 letters/s);
  });
});

describe("whom to trust", () => {
  // One certificate in a bundle is enough for it to be one.
  const BEGIN = "# first\n-----BEGIN CERTIFICATE-----\n";
  const FILES = { "ca.pem": `${BEGIN}OURS`, "more.pem": "MORE", "home/nobody/ca.pem": `${BEGIN}AT HOME` };

  test.each<[string, Record<string, string>, Record<string, string>, string | undefined]>([
    ["as Node.js has it", {}, {}, undefined],
    ["more authorities alone change nothing here", { NODE_EXTRA_CA_CERTS: "/more.pem" }, {}, undefined],
    ["a bundle of the environment", { AWS_CA_BUNDLE: "/ca.pem" }, {}, `${BEGIN}OURS\n`],
    ["a bundle of the profile", {}, { ca_bundle: "/ca.pem" }, `${BEGIN}OURS\n`],
    ["the environment first", { AWS_CA_BUNDLE: "/ca.pem" }, { ca_bundle: "/missing.pem" }, `${BEGIN}OURS\n`],
    ["a bundle at home", { AWS_CA_BUNDLE: "~/ca.pem" }, {}, `${BEGIN}AT HOME\n`],
    ["a bundle and more", { AWS_CA_BUNDLE: "/ca.pem", NODE_EXTRA_CA_CERTS: "/more.pem" }, {}, `${BEGIN}OURS\n\nMORE\n`],
    ["more that is not there", { AWS_CA_BUNDLE: "/ca.pem", NODE_EXTRA_CA_CERTS: "/missing.pem" }, {}, `${BEGIN}OURS\n`],
  ])("%s", (_, env, profile, ca) => {
    const around = aws(env, profile, FILES);
    expect(authoritiesOf(around)).toBe(ca);
    expect(planOf({}, around).ca).toBe(ca);
  });

  test.each(["", "\n", "OURS", "x -----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----"])(
    "not a bundle of %j",
    (text) => {
      const around = aws({ AWS_CA_BUNDLE: "/ca.pem" }, {}, { "ca.pem": text });
      expect(said(() => authoritiesOf(around))).toMatch(/^AWS_CA_BUNDLE \(.*\) holds no certificate in PEM form/);
    },
  );
});

test("every sentence is the one that is kept", async () => {
  const without = (...words: (keyof CertificateSettings)[]): CertificateSettings =>
    Object.fromEntries(Object.entries({ ...COMPLETE, ...ALIAS }).filter(([word]) => !words.includes(word as never)));
  const texts = {
    "nothing of Roles Anywhere": refusalOf(() => rolesAnywherePlan({}, aws())),
    "no key": refusalOf(() => rolesAnywherePlan(without("private_key"), aws())),
    "no role, though somebody signs": refusalOf(() =>
      rolesAnywherePlan({ ...without("role_arn", "private_key"), sign: () => new Uint8Array() }, aws()),
    ),
    "nothing of AWS IoT": refusalOf(() => roleAliasPlan({}, aws())),
    "no alias": refusalOf(() => roleAliasPlan(without("role_alias"), aws())),
    "an ARN that is none": refusalOf(() => planOf({ role_arn: named("arn:aws:iam::1:role/x", "the role") })),
    "a region that is none": refusalOf(() => planOf({ region: named("nowhere", "the region") })),
    "an anchor in a region that is none": refusalOf(() =>
      planOf({
        trust_anchor_arn: named(arn("trust-anchor/a", "nowhere"), "the anchor"),
        profile_arn: named(arn("profile/p", "nowhere"), "the profile"),
      }),
    ),
    "a region of another partition": refusalOf(() => planOf({ region: named("cn-north-1", "the region") })),
    "a word that is no switch": refusalOf(() => planOf({}, aws({ AWS_USE_FIPS_ENDPOINT: "yes" }))),
    "a word of the profile that is no switch": refusalOf(() => planOf({}, aws({}, { use_dualstack_endpoint: "1" }))),
    "an endpoint in plain HTTP": refusalOf(() => planOf({ endpoint: named("http://x.example", "the endpoint") })),
    "IoT in plain HTTP": refusalOf(() => aliasOf({ endpoint: named("http://127.0.0.1", "the endpoint") })),
    "a bundle that is not there": refusalOf(() => planOf({}, aws({ AWS_CA_BUNDLE: "/missing.pem" }))),
    "a duration that is none": refusalOf(() => planOf({ duration: named("1h", "the duration") })),
    "a session name that is none": refusalOf(() => planOf({ session_name: named("a", "the name") })),
    "an alias that is none": refusalOf(() => aliasOf({ role_alias: named("a/b", "the alias") })),
    "a thing that is none": refusalOf(() => aliasOf({ thing_name: named("a/b", "the thing") })),
    "one word": wordingOf(incomplete("It", "iot", ["endpoint"])),
  };
  await expect(golden(texts)).toMatchFileSnapshot("golden/certificate-plans.json");
});
