/** The way through profiles to one that a certificate gives credentials for, and what is after it. */
import { describe, expect, it } from "vitest";
import { RolesAnywhereError } from "../../src/base/errors.js";
import { createGuard } from "../../src/guard/create-guard.js";
import { certificateLinkOf, isAfterCertificate, routeToCertificate, routeToImds } from "../../src/sdk/ini.js";
import { inScene } from "./side-by-side.js";

type Profile = Readonly<Record<string, string>>;
type Profiles = Readonly<Record<string, Profile>>;
const BY_CERTIFICATE: Profile = { imds_guard_iot_endpoint: "x" };
const KEYS: Profile = { aws_access_key_id: "A", aws_secret_access_key: "s" };
const ROLE = "arn:aws:iam::111122223333:role/a";
const onTopOf = (source: string, more: Profile = {}): Profile => ({ role_arn: ROLE, source_profile: source, ...more });

it.each<[string, Profiles, { route: string[]; leaf: string } | undefined]>([
  ["no profile", {}, undefined],
  ["a profile that names none", { a: KEYS }, undefined],
  ["the profile itself", { a: BY_CERTIFICATE }, { route: [], leaf: "a" }],
  ["the profile itself beside keys", { a: { ...KEYS, ...BY_CERTIFICATE } }, { route: [], leaf: "a" }],
  ["its source", { a: onTopOf("b"), b: BY_CERTIFICATE }, { route: ["a"], leaf: "b" }],
  [
    "the source of its source",
    { a: onTopOf("b"), b: onTopOf("c"), c: BY_CERTIFICATE },
    { route: ["a", "b"], leaf: "c" },
  ],
  [
    "its source, whatever it names itself",
    { a: onTopOf("b", BY_CERTIFICATE), b: BY_CERTIFICATE },
    { route: ["a"], leaf: "b" },
  ],
  ["its source beside keys of its own", { a: onTopOf("b", KEYS), b: BY_CERTIFICATE }, { route: ["a"], leaf: "b" }],
  ["not a source that is not there", { a: onTopOf("b") }, undefined],
  ["not behind a source that has keys", { a: onTopOf("b"), b: onTopOf("c", KEYS), c: BY_CERTIFICATE }, undefined],
  [
    "behind a source that has half of the keys",
    { a: onTopOf("b"), b: onTopOf("c", { aws_access_key_id: "A" }), c: BY_CERTIFICATE },
    { route: ["a", "b"], leaf: "c" },
  ],
  ["not a source without a role", { a: { source_profile: "b" }, b: BY_CERTIFICATE }, undefined],
  [
    "not a source beside another one",
    { a: onTopOf("b", { credential_source: "Environment" }), b: BY_CERTIFICATE },
    undefined,
  ],
  [
    "itself where there are two sources",
    { a: onTopOf("b", { credential_source: "Environment", ...BY_CERTIFICATE }), b: {} },
    { route: [], leaf: "a" },
  ],
  ["not in a circle", { a: onTopOf("b"), b: onTopOf("a") }, undefined],
  ["itself in a circle", { a: onTopOf("b", BY_CERTIFICATE), b: onTopOf("a") }, { route: ["a", "b"], leaf: "a" }],
  ["what objects inherit is no profile", Object.create({ a: BY_CERTIFICATE }) as Profiles, undefined],
])("%s", (_, profiles, way) => {
  expect(routeToCertificate(profiles, "a")).toEqual(way);
});

it.each<[string, Profiles, string[] | undefined]>([
  [
    "its source beside keys of its own",
    { a: onTopOf("b", KEYS), b: { credential_source: "Ec2InstanceMetadata", role_arn: ROLE } },
    ["a", "b"],
  ],
  [
    "a source with half of the keys",
    { a: onTopOf("b"), b: { credential_source: "Ec2InstanceMetadata", role_arn: ROLE, aws_access_key_id: "A" } },
    ["a", "b"],
  ],
  [
    "a source with keys",
    { a: onTopOf("b"), b: { credential_source: "Ec2InstanceMetadata", role_arn: ROLE, ...KEYS } },
    undefined,
  ],
  ["a source of its own alone", { a: { credential_source: "Ec2InstanceMetadata" } }, undefined],
  [
    "a source that hands its own through",
    { a: onTopOf("b"), b: { credential_source: "Ec2InstanceMetadata" } },
    ["a", "b"],
  ],
  [
    "a source that hands another profile through",
    {
      a: onTopOf("b"),
      b: { credential_source: "Environment", source_profile: "c" },
      c: { credential_source: "Ec2InstanceMetadata" },
    },
    ["a", "b", "c"],
  ],
  ["another source", { a: { role_arn: ROLE, credential_source: "EcsContainer" } }, undefined],
  [
    "what objects inherit",
    Object.create({ a: { role_arn: ROLE, credential_source: "Ec2InstanceMetadata" } }) as Profiles,
    undefined,
  ],
])("by %s the way to IMDS", (_, profiles, route) => {
  expect(routeToImds(profiles, "a")).toEqual(route);
});

describe("what the environment adds to a profile that names a certificate", () => {
  const IOT: Profile = {
    imds_guard_iot_endpoint: "x.credentials.iot.eu-central-1.amazonaws.com",
    imds_guard_iot_role_alias: "a",
    imds_guard_iot_certificate: "/etc/device/tls.crt",
  };
  const KEY = { IMDS_GUARD_IOT_PRIVATE_KEY: "/etc/device/tls.key" };
  const OTHER_KIND = { IMDS_GUARD_ROLES_ANYWHERE_CERTIFICATE: "/etc/pki/tls.crt" };
  const WHOLE: Profile = { ...IOT, imds_guard_iot_private_key: "/etc/device/tls.key" };

  it.each<[string, Record<string, string>, Profile, string[], string | undefined, boolean]>([
    ["is anything where nobody named the profile", KEY, IOT, [], undefined, true],
    ["is anything where code named it", KEY, IOT, [], "a", true],
    ["is nothing where it is the source of another", KEY, IOT, ["b"], undefined, false],
    ["is another kind where nobody named the profile", OTHER_KIND, WHOLE, [], undefined, false],
    ["is no other kind where code named it", OTHER_KIND, WHOLE, [], "a", true],
    ["is no other kind where it is the source of another", OTHER_KIND, WHOLE, ["b"], undefined, true],
  ])("%s", async (_, env, profile, route, named, complete) => {
    await inScene({ env }, async () => {
      const guard = createGuard({ log: "off", probe: "off" });
      const link = certificateLinkOf(guard, { a: profile }, { route, leaf: "a" }, named);
      if (complete) expect(await link).toHaveProperty("get");
      else await expect(link).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_SETTINGS" });
      await guard.close();
    });
  });

  it("is nothing for a profile that is not there", async () => {
    await inScene({}, async () => {
      const guard = createGuard({ log: "off", probe: "off" });
      expect(await certificateLinkOf(guard, {}, { route: [], leaf: "a" }, undefined)).toBeUndefined();
      await guard.close();
    });
  });
});

describe("an error", () => {
  const ours = new RolesAnywhereError("ERR_ROLES_ANYWHERE_SETTINGS", "no", { advice: "" });
  const nested = (depth: number): Error => (depth === 0 ? ours : new Error("outer", { cause: nested(depth - 1) }));

  it.each<[string, unknown, boolean]>([
    ["of a certificate", ours, true],
    ["that one of a certificate caused", nested(1), true],
    ["that one of a certificate caused at last", nested(7), true],
    ["of too many causes", nested(8), false],
    ["of somebody else's", new Error("no"), false],
    ["that is a word", "no", false],
    ["that is nothing", null, false],
    ["whose cause is a word", new Error("no", { cause: "no" }), false],
  ])("%s", (_, error, expected) => {
    expect(isAfterCertificate(error)).toBe(expected);
  });
});
