/** The policies of the perimeter: what they say, and what is refused. */
import { describe, expect, it } from "vitest";
import { perimeterPolicies } from "../../src/detection/perimeter.js";

const accounts = ["111122223333", "444455556666"];

describe("perimeterPolicies", () => {
  it("lets only principals and resources of the accounts meet at an endpoint", () => {
    const [endpoint] = perimeterPolicies({ accounts });
    expect(endpoint?.document.Statement).toEqual([
      {
        Sid: "OurAccountsToOurResources",
        Effect: "Allow",
        Principal: "*",
        Action: "*",
        Resource: "*",
        Condition: { StringEquals: { "aws:PrincipalAccount": accounts, "aws:ResourceAccount": accounts } },
      },
    ]);
  });

  it("denies foreign principals at resources, and with endpoints whatever comes through others", () => {
    const statements = perimeterPolicies({ accounts, vpceIds: ["vpce-0123456789abcdef0"] })[2]!.document.Statement;
    expect(statements.map(({ Sid, Effect }) => [Sid, Effect])).toEqual([
      ["OnlyOurPrincipals", "Deny"],
      ["OnlyThroughOurEndpoints", "Deny"],
    ]);
  });

  it.each([
    [{ accounts: [] }],
    [{ accounts: ["1111"] }],
    [{ accounts, vpceIds: ["vpc-0123456789abcdef0"] }],
    [{ accounts, organizationId: "a1b2c3d4e5" }],
    [{ accounts: Array.from({ length: 1_000 }, (_, index) => String(index).padStart(12, "0")) }],
  ])("refuses %j", (options) => {
    expect(() => perimeterPolicies(options)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }));
  });
});
