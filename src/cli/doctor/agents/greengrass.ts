/** Greengrass v2: components get credentials from its token exchange, where a role alias is configured. */
import type { Machine } from "../check.js";
import { readText } from "../check.js";
import type { Agent, Judgement } from "./agent.js";
import { ON_EC2, unreadable } from "./agent.js";
import { own, parseYaml } from "./documents.js";

function rootOf({ system: { platform } }: Machine): string {
  return platform === "win32" ? "C:\\greengrass\\v2" : "/greengrass/v2";
}

export const greengrass: Agent = {
  id: "greengrass",
  name: "Greengrass",
  signs: (machine) => [rootOf(machine)],
  judge(machine): Judgement[] {
    if (machine.host.verdict === "ec2") return [ON_EC2];
    const path =
      machine.system.platform === "win32"
        ? `${rootOf(machine)}\\config\\effectiveConfig.yaml`
        : `${rootOf(machine)}/config/effectiveConfig.yaml`;
    const read = readText(machine.system, path, 4 * 1024 * 1024);
    if (read.kind === "unknown") return [unreadable(path, read.why, "whether its components have a role")];
    if (read.kind === "absent")
      return [
        {
          status: "unknown",
          says: `installed, but ${path} is not there`,
          advice: ["start the nucleus once, and look again"],
        },
      ];
    const nucleus = own(own(parseYaml(read.text), "services"), "aws.greengrass.Nucleus");
    const alias = own(own(nucleus, "configuration"), "iotRoleAlias");
    if (typeof alias === "string" && /^[\w-]{1,128}$/.test(alias))
      return [
        {
          status: "ok",
          says: `components get credentials from the role alias ${alias} before they would ask the metadata service`,
        },
      ];
    return [
      {
        status: "finding",
        says: "components would believe an impersonator: no iotRoleAlias is configured, so their SDKs go on to the metadata service",
        advice: ["configure iotRoleAlias for the nucleus, or AWS_EC2_METADATA_DISABLED=true for the components"],
        fixes: [
          {
            title: "Greengrass: a role alias for the components (deployment configuration of aws.greengrass.Nucleus)",
            text: '{ "iotRoleAlias": "<name of the role alias>" }',
            file: "merge of the deployment",
          },
        ],
      },
    ];
  },
};
