/** IAM policies: valid JSON within the limits of AWS, and the conditions that were meant. */
import { describe, expect, it } from "vitest";
import { instanceCredentialPolicies } from "../../src/detection/policies.js";
import type { PolicyOptions } from "../../src/detection/policies.js";
import { fc } from "../support/properties.js";

const CASES: readonly (readonly [name: string, options: PolicyOptions])[] = [
  ["no options", {}],
  ["no binding to the address", { bindAddress: false }],
  ["named VPCs", { vpcIds: ["vpc-0123456789abcdef0", "vpc-01234567"] }],
  ["named VPCs and networks", { vpcIds: ["vpc-0123456789abcdef0"], sourceCidrs: ["203.0.113.0/24", "2001:db8::/48"] }],
  [
    "exempt principals",
    {
      exemptPrincipals: [
        "arn:aws:iam::123456789012:role/break-glass",
        "arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*",
      ],
    },
  ],
  ["another partition and other services", { partition: "aws-us-gov", resourceServices: ["s3", "dynamodb"] }],
];

describe.each(CASES)("policies with %s", (_, options) => {
  const policies = instanceCredentialPolicies(options);

  it("are three of different kinds, each valid JSON within its limit", () => {
    expect(policies.map(({ kind }) => kind)).toEqual([
      "service-control-policy",
      "resource-control-policy",
      "role-policy",
    ]);
    for (const { document, json, limit, caveats } of policies) {
      expect(JSON.parse(json)).toEqual(document);
      expect(Buffer.byteLength(json)).toBeLessThanOrEqual(limit);
      expect(caveats.length).toBeGreaterThan(3);
    }
  });

  it("only deny, and apply to sessions of instances alone", () => {
    for (const { document } of policies) {
      for (const statement of document.Statement) {
        expect(statement["Effect"]).toBe("Deny");
        const condition = JSON.stringify(statement["Condition"]);
        expect(condition).toMatch(/"ec2:SourceInstanceArn":"false"|"ec2:RoleDelivery":"2\.0"/);
      }
    }
  });

  it("follow the grammar of their kind", () => {
    const [service, resource, role] = policies;
    for (const statement of service!.document.Statement) expect(statement).not.toHaveProperty("Principal");
    for (const statement of role!.document.Statement) expect(statement).not.toHaveProperty("Principal");
    for (const statement of resource!.document.Statement) {
      // Resource control policies take "*" as principal only, no NotAction, and no bare "*" as action.
      expect(statement["Principal"]).toBe("*");
      expect(statement).not.toHaveProperty("NotAction");
      expect(statement["Action"]).toEqual(
        (options.resourceServices ?? ["s3", "sts", "kms", "sqs", "secretsmanager"]).map((name) => `${name}:*`),
      );
    }
    const sids = policies.flatMap(({ document }) => document.Statement.map((statement) => statement["Sid"]));
    for (const sid of sids) expect(sid).toMatch(/^[A-Za-z0-9]+$/);
  });
});

describe("conditions", () => {
  const statement = (options: PolicyOptions, sid: string): Record<string, Record<string, unknown>> =>
    instanceCredentialPolicies(options)[0]!.document.Statement.find((found) => found["Sid"] === sid)![
      "Condition"
    ] as Record<string, Record<string, unknown>>;

  it("tie credentials to the own VPC and address by variables of IAM", () => {
    expect(statement({}, "Ec2CredsOnlyInTheirVpc")).toEqual({
      StringNotEquals: { "aws:Ec2InstanceSourceVpc": "${aws:SourceVpc}" },
      Null: { "ec2:SourceInstanceArn": "false" },
      BoolIfExists: { "aws:ViaAWSService": "false" },
      ArnNotLikeIfExists: { "aws:PrincipalArn": "arn:aws:iam::*:role/aws:ec2-infrastructure" },
    });
    expect(statement({}, "Ec2CredsOnlyFromTheirIp")["StringNotEquals"]).toEqual({
      "aws:Ec2InstanceSourcePrivateIPv4": "${aws:VpcSourceIp}",
    });
  });

  it("name VPCs and networks where they are given", () => {
    expect(
      statement({ vpcIds: ["vpc-01234567"], sourceCidrs: ["203.0.113.0/24"] }, "Ec2CredsOnlyFromNamedNetworks"),
    ).toMatchObject({
      StringNotEqualsIfExists: { "aws:SourceVpc": "vpc-01234567" },
      NotIpAddressIfExists: { "aws:SourceIp": "203.0.113.0/24" },
    });
  });

  it("leave exempt principals alone in every statement of an organization", () => {
    const exempt = "arn:aws:iam::123456789012:role/break-glass";
    for (const { document } of instanceCredentialPolicies({ exemptPrincipals: [exempt] }).slice(0, 2)) {
      for (const found of document.Statement) expect(JSON.stringify(found["Condition"])).toContain(exempt);
    }
  });
});

describe("mistakes of the caller", { timeout: 60_000 }, () => {
  const WRONG: readonly (readonly [string, PolicyOptions])[] = [
    ["an empty list of VPCs", { vpcIds: [] }],
    ["no id of a VPC", { vpcIds: ["vpc-xyz"] }],
    ["networks without VPCs", { sourceCidrs: ["203.0.113.0/24"] }],
    ["no network", { vpcIds: ["vpc-01234567"], sourceCidrs: ["203.0.113.0/33"] }],
    ["no ARN", { exemptPrincipals: ["admin"] }],
    ["an ARN that would close the text", { exemptPrincipals: ['arn:aws:iam::123456789012:role/x"y'] }],
    ["no service", { resourceServices: ["*"] }],
    ["no services", { resourceServices: [] }],
    [
      "more than a policy holds",
      {
        exemptPrincipals: Array.from(
          { length: 40 },
          (_, index) => `arn:aws:iam::123456789012:role/${"x".repeat(100)}${index}`,
        ),
      },
    ],
  ];
  it.each(WRONG)("are told: %s", (_, options) => {
    expect(() => instanceCredentialPolicies(options)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }),
    );
  });

  it("are the only thing that is ever thrown", () => {
    const texts = fc.array(
      fc.oneof(fc.string(), fc.constantFrom("vpc-01234567", "203.0.113.0/24", "arn:aws:iam::*:role/x")),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(
        fc.record(
          { vpcIds: texts, sourceCidrs: texts, exemptPrincipals: texts, resourceServices: texts },
          { requiredKeys: [] },
        ),
        (options) => {
          try {
            for (const { json, document, limit } of instanceCredentialPolicies(options)) {
              expect(JSON.parse(json)).toEqual(document);
              expect(json.length).toBeLessThanOrEqual(limit);
            }
          } catch (error) {
            expect(error).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
          }
        },
      ),
    );
  });
});
