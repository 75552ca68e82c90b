/** The agents on this host: which are there, and whether each would believe an impersonator. */
import { cloudInit } from "./agents/cloud-init.js";
import { cloudwatch } from "./agents/cloudwatch.js";
import { codedeploy } from "./agents/codedeploy.js";
import { ecs } from "./agents/ecs.js";
import { eksHybrid } from "./agents/eks-hybrid.js";
import { greengrass } from "./agents/greengrass.js";
import { ssm } from "./agents/ssm.js";
import { systemdImdsd } from "./agents/systemd-imdsd.js";
import type { Check, Machine } from "./check.js";
import { anyOf, exists } from "./check.js";

const AGENTS = [ssm, cloudwatch, codedeploy, ecs, eksHybrid, greengrass, cloudInit];
/** A part of the system and no agent of AWS's: that it is not there is no news. */
const UNMENTIONED = [systemdImdsd];

/** Judges every agent that is here. Those that are not share one line; where it cannot be told, that is said. */
export function checkAgents(machine: Machine): Check[] {
  const absent: string[] = [];
  const checks = [...AGENTS, ...UNMENTIONED].flatMap((agent): Check[] => {
    const line = { section: "agents", id: `agent-${agent.id}`, subject: agent.name } as const;
    const signs = agent.signs(machine);
    const here = anyOf(signs.map((path) => exists(machine.system, path)));
    if (here === undefined)
      return [
        {
          ...line,
          status: "unknown",
          says: `whether it is installed cannot be told: ${signs.join(", ")} cannot be looked at`,
        },
      ];
    if (here) return agent.judge(machine).map((judgement) => ({ ...line, ...judgement }));
    if (!UNMENTIONED.includes(agent)) absent.push(agent.name);
    return [];
  });
  if (absent.length > 0)
    checks.push({
      section: "agents",
      id: "agents-absent",
      status: "ok",
      subject: "not installed",
      says: absent.join(", "),
    });
  return checks;
}
