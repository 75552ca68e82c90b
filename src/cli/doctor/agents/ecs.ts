/** ECS agent: on a host of ECS Anywhere it has credentials of its own, and the instance role as a last resort. */
import type { Machine } from "../check.js";
import { readText } from "../check.js";
import type { Agent, Judgement } from "./agent.js";
import { ON_EC2, unreadable } from "./agent.js";

const FILES = ["/var/lib/ecs/ecs.config", "/etc/ecs/ecs.config"] as const;

/** A file of `NAME=value` lines, as systemd and Docker read them; later lines win. */
export function readEnvironmentFile(text: string): ReadonlyMap<string, string> {
  return new Map(
    [...text.matchAll(/^[ \t]*([A-Z][A-Z0-9_]*)=["']?([^"'\n]*?)["']?[ \t\r]*$/gm)].map(([, name = "", value = ""]) => [
      name,
      value,
    ]),
  );
}

export const ecs: Agent = {
  id: "ecs",
  name: "ECS agent",
  signs: () => ["/etc/ecs", "/var/lib/ecs"],
  judge(machine: Machine): Judgement[] {
    if (machine.host.verdict === "ec2") return [ON_EC2];
    const values = new Map<string, string>();
    const hidden: Judgement[] = [];
    for (const path of FILES) {
      const read = readText(machine.system, path);
      if (read.kind === "unknown") hidden.push(unreadable(path, read.why, "whether it runs as ECS Anywhere"));
      if (read.kind === "text") for (const [name, value] of readEnvironmentFile(read.text)) values.set(name, value);
    }
    const external = values.get("ECS_EXTERNAL")?.toLowerCase() === "true";
    if (!external && hidden.length > 0) return hidden.slice(0, 1);
    const fixes = [
      {
        title: "ECS agent: no instance role (append; then: systemctl restart ecs)",
        file: FILES[1],
        text: `${external ? "" : "ECS_EXTERNAL=true\n"}AWS_EC2_METADATA_DISABLED=true`,
      },
    ];
    if (!external) {
      return [
        {
          status: "finding",
          says: "would believe an impersonator: ECS_EXTERNAL=true is not set, so it takes this host for an instance",
          advice: ["install it with the ECS Anywhere script, or block the address"],
          fixes,
        },
      ];
    }
    if (values.get("AWS_EC2_METADATA_DISABLED") === "true")
      return [{ status: "ok", says: "runs as ECS Anywhere, and is told not to use the metadata service" }];
    return [
      {
        status: "finding",
        says: "runs as ECS Anywhere, and falls back to an instance role when its own credentials fail",
        advice: [`append AWS_EC2_METADATA_DISABLED=true to ${FILES[1]}`],
        fixes,
      },
    ];
  },
};
