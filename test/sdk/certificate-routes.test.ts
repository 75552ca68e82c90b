/** The way through profiles to one that a certificate gives credentials for, and what is after it. */
import { describe, expect, it } from "vitest";
import { RolesAnywhereError } from "../../src/base/errors.js";
import { isAfterCertificate, routeToCertificate, routeToImds } from "../../src/sdk/ini.js";

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
