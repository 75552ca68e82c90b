import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instanceCredentialPolicies } from "../../src/detection/policies.js";
import { boundToVersionTwo } from "../../src/fleet/roles.js";

const deny = (condition: object, rest: object = {}): object => ({
  Statement: { Effect: "Deny", Action: "*", Resource: "*", Condition: condition, ...rest },
});
const allow = (...conditions: (object | undefined)[]): object => ({
  Statement: conditions.map((Condition) => ({ Effect: "Allow", Action: "s3:*", Resource: "*", Condition })),
});

describe("a policy", () => {
  it.each([
    ["denies below 2.0", deny({ NumericLessThan: { "ec2:RoleDelivery": "2.0" } }), true],
    ["denies below 2, in other letters", deny({ numericlessthanifexists: { "EC2:roledelivery": [2] } }), true],
    ["denies below 1.0", deny({ NumericLessThan: { "ec2:RoleDelivery": "1.0" } }), false],
    ["denies one action", deny({ NumericLessThan: { "ec2:RoleDelivery": "2.0" } }, { Action: "s3:GetObject" }), false],
    ["denies something else", deny({ Bool: { "aws:SecureTransport": "false" } }), false],
    ["allows from 2.0 on alone", allow({ NumericGreaterThanEquals: { "ec2:RoleDelivery": "2.0" } }), true],
    ["allows something without", allow({ NumericEquals: { "ec2:RoleDelivery": "2.0" } }, undefined), false],
    ["allows all", allow(undefined), false],
    ["says nothing", {}, false],
  ])("that %s", (_, document, bound) => {
    expect(boundToVersionTwo(JSON.stringify(document))).toBe(bound);
    expect(boundToVersionTwo(encodeURIComponent(JSON.stringify(document)))).toBe(bound);
  });

  it("of imds-guard policy role is seen", () => {
    const role = instanceCredentialPolicies().find(({ kind }) => kind === "role-policy");
    expect(boundToVersionTwo(role?.json)).toBe(true);
  });

  it("may be anything", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(boundToVersionTwo(text)).toBe(false);
      }),
    );
  });
});
