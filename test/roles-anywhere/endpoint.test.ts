/** Where Roles Anywhere is asked. */
import { describe, expect, test } from "vitest";
import { ownEndpoint, serviceEndpoint } from "../../src/roles-anywhere/endpoint.js";

describe("of AWS", () => {
  const choice = { region: "eu-central-1", partition: "aws", fips: false, dualStack: false };
  test.each([
    [choice, "https://rolesanywhere.eu-central-1.amazonaws.com/"],
    [{ ...choice, fips: true }, "https://rolesanywhere-fips.eu-central-1.amazonaws.com/"],
    [{ ...choice, dualStack: true }, "https://rolesanywhere.eu-central-1.api.aws/"],
    [{ ...choice, fips: true, dualStack: true }, "https://rolesanywhere-fips.eu-central-1.api.aws/"],
    [{ ...choice, region: "cn-north-1", partition: "aws-cn" }, "https://rolesanywhere.cn-north-1.amazonaws.com.cn/"],
  ])("%j", (given, url) => {
    expect(serviceEndpoint(given).href).toBe(url);
  });

  test("not in a region of another partition", () => {
    expect(() => serviceEndpoint({ ...choice, region: "cn-north-1" })).toThrow(
      expect.objectContaining({
        code: "ERR_ROLES_ANYWHERE_SETTINGS",
        message: expect.stringContaining(
          'Region "cn-north-1" is of partition aws-cn, and the trust anchor of "aws"',
        ) as string,
        evidence: [expect.objectContaining({ source: "trust anchor ARN" })],
      }) as Error,
    );
  });

  test("not by a dual stack that a partition does not have", () => {
    expect(() =>
      serviceEndpoint({ ...choice, region: "us-iso-east-1", partition: "aws-iso", dualStack: true }),
    ).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("Partition aws-iso has no dual-stack endpoints") as string,
        evidence: [expect.objectContaining({ source: "AWS_USE_DUALSTACK_ENDPOINT" })],
      }) as Error,
    );
  });
});

describe("of the user's own", () => {
  test.each([
    "https://proxy.example",
    "https://proxy.example/",
    "https://proxy.example:8443",
    "HTTPS://proxy.example",
    "https://[2001:db8::1]:8443",
    "http://127.0.0.1:8080",
    "http://127.9.9.9",
    "http://[::1]:8080/",
    "http://localhost:8080",
  ])("%s", (text) => {
    expect(ownEndpoint(text, "ENDPOINT").href).toBe(new URL(text).href);
  });

  test.each([
    ["", "it is no URL"],
    ["proxy.example", "it is no URL"],
    ["ftp://proxy.example", "it is not scheme, host and port alone"],
    ["https://proxy.example/path", "it is not scheme, host and port alone"],
    ["https://proxy.example?x=1", "it is not scheme, host and port alone"],
    ["https://user:secret-word@proxy.example", "it is not scheme, host and port alone"],
    ["https://proxy.example#x", "it is not scheme, host and port alone"],
    [" https://proxy.example", "it is not scheme, host and port alone"],
    ["http://proxy.example", "plain HTTP leaves this machine"],
    ["http://10.0.0.1", "plain HTTP leaves this machine"],
    ["http://[2001:db8::1]", "plain HTTP leaves this machine"],
    ["http://localhost.example", "plain HTTP leaves this machine"],
    ["http://169.254.169.254", "plain HTTP leaves this machine"],
  ])("not %j", (text, why) => {
    expect(() => ownEndpoint(text, "ENDPOINT")).toThrow(
      expect.objectContaining({
        code: "ERR_ROLES_ANYWHERE_SETTINGS",
        message: expect.stringMatching(
          new RegExp(`^ENDPOINT is .*: ${why}; allowed: https://HOST\\[:PORT\\], or http://127\\.0\\.0\\.1`),
        ) as string,
      }) as Error,
    );
    expect(() => ownEndpoint(text, "ENDPOINT")).not.toThrow(/secret-word/);
  });
});
