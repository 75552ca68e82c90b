/** Configuration files of AWS's agents, read as the agents read them. */
import { describe, expect, it } from "vitest";
import { modeOf, namesCredentials } from "../../../src/cli/doctor/agents/cloudwatch.js";
import { readEnvironmentFile } from "../../../src/cli/doctor/agents/ecs.js";
import { DEFAULT_ORDER, identityOrder } from "../../../src/cli/doctor/agents/ssm.js";
import { fc } from "../../support/properties.js";

describe("the order of identities of the SSM Agent", () => {
  it.each([
    [undefined, DEFAULT_ORDER],
    ["not JSON", DEFAULT_ORDER],
    ["[]", DEFAULT_ORDER],
    ["{}", DEFAULT_ORDER],
    ['{"Identity":{}}', DEFAULT_ORDER],
    ['{"Identity":{"ConsumptionOrder":"OnPrem"}}', DEFAULT_ORDER],
    ['{"Identity":{"ConsumptionOrder":[]}}', DEFAULT_ORDER],
    ['{"Identity":{"ConsumptionOrder":["Onprem"]}}', DEFAULT_ORDER],
    ['{"Identity":{"ConsumptionOrder":["onprem","EC2"]}}', ["EC2"]],
    ['{"Identity":{"ConsumptionOrder":["OnPrem"]}}', ["OnPrem"]],
    ['{"identity":{"CONSUMPTIONORDER":["OnPrem","CustomIdentity"]}}', ["OnPrem", "CustomIdentity"]],
  ])("%j -> %j", (text, order) => {
    expect(identityOrder(text).order).toEqual(order);
  });

  it("is never empty, and has EC2 in it wherever the file does not say otherwise", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const { order, why } = identityOrder(text);
        expect(order.length).toBeGreaterThan(0);
        expect(why).not.toBe("");
      }),
    );
  });
});

describe("the CloudWatch agent", () => {
  it.each([
    ["extensions:\n    entitystore:\n        mode: onPremise\n", "onPremise"],
    ['extensions:\n  entitystore:\n    mode: "ec2"\n', "ec2"],
    ["mode: onPremise\n", undefined],
    ["extensions: {}\n", undefined],
  ])("mode of %j", (yaml, mode) => {
    expect(modeOf(yaml)).toBe(mode);
  });

  it.each([
    ['[credentials]\n  shared_credential_profile = "x"\n', true],
    ['[credentials]\n  shared_credential_file = "/root/x"\n', true],
    ['# shared_credential_profile = "x"\n', false],
    ['shared_credential_profile = ""\n', false],
  ])("credentials in %j: %s", (toml, named) => {
    expect(namesCredentials(toml)).toBe(named);
  });
});

describe("the ECS agent", () => {
  it("reads a file of variables as its service does", () => {
    const values = readEnvironmentFile(
      "# ECS_EXTERNAL=false\nECS_EXTERNAL=true\r\n ECS_CLUSTER='main'\nECS_CLUSTER=\"other\"\nnot a line\n",
    );
    expect([...values]).toEqual([
      ["ECS_EXTERNAL", "true"],
      ["ECS_CLUSTER", "other"],
    ]);
  });
});
