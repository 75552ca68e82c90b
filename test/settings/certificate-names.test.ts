/** Which profile keys and variables name credentials that a certificate gives. */
import { describe, expect, test } from "vitest";
import type { CertificateKind } from "../../src/settings/certificate-names.js";
import {
  CERTIFICATE_KEYS,
  CERTIFICATE_VARIABLES,
  CERTIFICATE_WORDS,
  HELPER_CHOICES,
  hasHelperLine,
  keyOf,
  kindsInEnvironment,
  kindsInProfile,
  namesCertificate,
  ownText,
  variableOf,
} from "../../src/settings/certificate-names.js";

const KINDS = ["roles-anywhere", "iot"] as const satisfies readonly CertificateKind[];
const HELPER = "/opt/aws_signing_helper credential-process --certificate /etc/tls.crt";

test("the names are those that are documented", () => {
  expect(CERTIFICATE_KEYS).toEqual([
    "imds_guard_roles_anywhere",
    "imds_guard_roles_anywhere_certificate",
    "imds_guard_roles_anywhere_private_key",
    "imds_guard_roles_anywhere_trust_anchor_arn",
    "imds_guard_roles_anywhere_profile_arn",
    "imds_guard_roles_anywhere_role_arn",
    "imds_guard_roles_anywhere_intermediates",
    "imds_guard_roles_anywhere_passphrase_file",
    "imds_guard_roles_anywhere_duration",
    "imds_guard_roles_anywhere_session_name",
    "imds_guard_roles_anywhere_region",
    "imds_guard_roles_anywhere_endpoint",
    "imds_guard_iot_endpoint",
    "imds_guard_iot_role_alias",
    "imds_guard_iot_certificate",
    "imds_guard_iot_private_key",
    "imds_guard_iot_thing_name",
    "imds_guard_iot_passphrase_file",
    "imds_guard_iot_intermediates",
  ]);
  expect(CERTIFICATE_VARIABLES).toEqual(CERTIFICATE_KEYS.map((key) => key.toUpperCase()));
  expect(HELPER_CHOICES).toEqual(["native", "helper"]);
});

describe.each(KINDS)("%s", (kind) => {
  const { naming, adding } = CERTIFICATE_WORDS[kind];

  test.each(naming)("is named by %s alone", (word) => {
    expect(kindsInProfile({ [keyOf(kind, word)]: "x" })).toEqual([kind]);
    expect(namesCertificate({ [keyOf(kind, word)]: "x" })).toBe(true);
    expect(kindsInEnvironment({ [variableOf(kind, word)]: "x" })).toEqual([kind]);
  });

  test.each(adding)("is not named by %s", (word) => {
    expect(kindsInProfile({ [keyOf(kind, word)]: "x" })).toEqual([]);
    expect(namesCertificate({ [keyOf(kind, word)]: "x" })).toBe(false);
    expect(kindsInEnvironment({ [variableOf(kind, word)]: "x" })).toEqual([]);
  });
});

test("both can be named, and nothing is named by what is empty, inherited or written as the other source has it", () => {
  const keys = { imds_guard_iot_endpoint: "x", imds_guard_roles_anywhere_certificate: "y" };
  const variables = { IMDS_GUARD_IOT_ENDPOINT: "x", IMDS_GUARD_ROLES_ANYWHERE_CERTIFICATE: "y" };
  expect(kindsInProfile(keys)).toEqual(KINDS);
  expect(kindsInEnvironment(variables)).toEqual(KINDS);
  for (const nothing of [{}, { imds_guard_iot_endpoint: " \t" }, Object.create(keys) as object, variables])
    expect(kindsInProfile(nothing as Record<string, string>)).toEqual([]);
  for (const nothing of [{}, { IMDS_GUARD_IOT_ENDPOINT: " \t" }, Object.create(variables) as object, keys])
    expect(kindsInEnvironment(nothing as Record<string, string>)).toEqual([]);
});

test.each<[Record<string, string>, boolean]>([
  [{ credential_process: HELPER }, true],
  [{ credential_process: HELPER, aws_access_key_id: "A" }, true],
  [{ credential_process: HELPER, aws_secret_access_key: "s" }, true],
  [{ credential_process: HELPER, role_arn: "" }, true],
  // What the SDK asks before a process.
  [{ credential_process: HELPER, aws_access_key_id: "A", aws_secret_access_key: "s" }, false],
  [{ credential_process: HELPER, role_arn: "arn:aws:iam::111122223333:role/a" }, false],
  [{ credential_process: HELPER, web_identity_token_file: "/token" }, false],
  [{ credential_process: "/usr/bin/other-helper" }, false],
  [{ credential_process: "" }, false],
  [{ comment: HELPER }, false],
  [{}, false],
])("a line of the helper in %j: %s", (profile, expected) => {
  expect(hasHelperLine(profile)).toBe(expected);
  expect(namesCertificate(profile)).toBe(expected);
});

test.each<[Record<string, string | undefined>, string | undefined]>([
  [{ a: "x" }, "x"],
  [{ a: " x " }, " x "],
  [{ a: " " }, undefined],
  [{ a: "" }, undefined],
  [{ a: undefined }, undefined],
  [{}, undefined],
  [Object.create({ a: "x" }) as Record<string, string>, undefined],
])("the own text of %j is %j", (keys, text) => {
  expect(ownText(keys, "a")).toBe(text);
});
