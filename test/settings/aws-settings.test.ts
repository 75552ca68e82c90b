/** AWS's own settings, by variable and by profile key. */
import { describe, expect, test } from "vitest";
import { readAwsSettings } from "../../src/settings/aws-settings.js";

const MODE = ["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode"] as const;
const ROLE = ["AWS_EC2_INSTANCE_PROFILE_NAME", "ec2_instance_profile_name"] as const;
const DEFAULTS = ["AWS_DEFAULTS_MODE", "defaults_mode"] as const;

describe.each([
  ["endpointMode", MODE, "IPv4", "IPv6"],
  ["roleName", ROLE, "a", "b"],
  ["defaultsMode", DEFAULTS, "auto", "legacy"],
] as const)("%s", (name, [variable, key], one, other) => {
  test("is the environment's, else the profile's, else nobody's", () => {
    expect(readAwsSettings({ [variable]: one }, { [key]: other })[name]).toBe(one);
    expect(readAwsSettings({}, { [key]: other })[name]).toBe(other);
    expect(readAwsSettings({ [key]: one }, { [variable]: other })[name]).toBeUndefined();
  });
});

test.each([
  ["endpointMode", MODE, "IPv6"],
  ["roleName", ROLE, "b"],
] as const)("an empty %s says nothing, and white space around one does not count", (name, [variable, key], word) => {
  expect(readAwsSettings({ [variable]: "" }, { [key]: ` ${word}\t` })).toMatchObject({ [name]: word });
  expect(readAwsSettings({ [variable]: "" }, { [key]: "" })).toMatchObject({ [name]: undefined, problem: undefined });
});

test("what cannot be understood takes nothing else along", () => {
  const env = { AWS_EC2_INSTANCE_PROFILE_NAME: "../x", AWS_EC2_METADATA_DISABLED: "true", AWS_REGION: "eu-west-1" };
  const profile = { defaults_mode: "auto", ec2_metadata_service_endpoint: "http://127.0.0.1" };
  expect(readAwsSettings(env, profile)).toEqual({
    disabledBy: "AWS_EC2_METADATA_DISABLED",
    region: "eu-west-1",
    defaultsMode: "auto",
    override: undefined,
    endpointMode: undefined,
    roleName: undefined,
    problem: expect.objectContaining({
      code: "ERR_IMDS_GUARD_SETTING",
      evidence: [{ source: "AWS_EC2_INSTANCE_PROFILE_NAME", says: "not one of: an instance profile or role name" }],
    }) as Error,
  });
});
