/** The trust policy of a role for workloads with a certificate. */
import { describe, expect, test } from "vitest";
import { rolesAnywherePolicy } from "../../src/roles-anywhere/trust-policy.js";

const ANCHOR = "arn:aws-us-gov:rolesanywhere:us-gov-west-1:444455556666:trust-anchor/0a1b";

test("names the trust anchor, its account and the certificates", () => {
  const policy = rolesAnywherePolicy({
    trustAnchorArn: ANCHOR,
    commonNames: ["web-*.example.com", "db"],
    organizationalUnits: ["Platform Team"],
  });
  expect(policy.document).toEqual({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "RolesAnywhere",
        Effect: "Allow",
        Principal: { Service: "rolesanywhere.amazonaws.com" },
        Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        Condition: {
          ArnEquals: { "aws:SourceArn": ANCHOR },
          StringEquals: { "aws:SourceAccount": "444455556666" },
          StringLike: {
            "aws:PrincipalTag/x509Subject/CN": ["web-*.example.com", "db"],
            "aws:PrincipalTag/x509Subject/OU": ["Platform Team"],
          },
        },
      },
    ],
  });
  expect(policy).toMatchObject({ kind: "roles-anywhere-trust-policy", limit: 2_048 });
  expect(policy.json).toBe(JSON.stringify(policy.document));
  expect(policy.json.length).toBeLessThan(policy.limit);
  expect(policy.caveats.join("\n")).toContain("arn:aws-us-gov:iam::444455556666:role/ROLE");
  expect(policy.caveats.join("\n")).not.toMatch(/placeholder|Without a name/);
});

test("says what is left to do where nothing is known", () => {
  const { document, caveats } = rolesAnywherePolicy();
  const [statement] = document.Statement;
  expect(statement?.["Condition"]).toEqual({
    ArnEquals: { "aws:SourceArn": expect.stringContaining("111122223333:trust-anchor/") as string },
    StringEquals: { "aws:SourceAccount": "111122223333" },
  });
  expect(caveats.slice(0, 3)).toEqual([
    expect.stringMatching(/^The trust anchor is a placeholder: name yours with --trust-anchor\.$/),
    expect.stringMatching(/^Without a name every certificate of the trust anchor may take the role/),
    expect.stringMatching(/^Use it: aws iam create-role/),
  ]);
});

test("leaves out the kind of name that is not given", () => {
  const [statement] = rolesAnywherePolicy({ organizationalUnits: ["x"] }).document.Statement;
  expect(statement).toMatchObject({ Condition: { StringLike: { "aws:PrincipalTag/x509Subject/OU": ["x"] } } });
  expect(JSON.stringify(statement)).not.toContain("/CN");
});

describe("refuses", () => {
  test.each([
    ["trustAnchorArn", { trustAnchorArn: "arn:aws:iam::111122223333:role/x" }],
    ["commonNames", { commonNames: [""] }],
    ["commonNames", { commonNames: ["*"] }],
    ["commonNames", { commonNames: ["good", "x".repeat(257)] }],
    ["organizationalUnits", { organizationalUnits: ["a\nb"] }],
    ["organizationalUnits", { organizationalUnits: ['a"b'] }],
  ])("%s: %j", (option, options) => {
    expect(() => rolesAnywherePolicy(options)).toThrow(
      expect.objectContaining({
        name: "TypeError",
        code: "ERR_INVALID_ARG_VALUE",
        message: expect.stringContaining(option) as string,
      }) as Error,
    );
  });

  test("no name of 256 characters", () => {
    expect(rolesAnywherePolicy({ commonNames: ["x".repeat(256), "a b_.:/=+-@"] }).document).toBeDefined();
  });
});
