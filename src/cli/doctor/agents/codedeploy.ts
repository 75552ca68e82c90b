/** CodeDeploy agent: without its on-premises file it takes region, host id and credentials from IMDS. */
import type { Machine } from "../check.js";
import { readText } from "../check.js";
import type { Agent, Judgement } from "./agent.js";
import { ON_EC2, unreadable } from "./agent.js";

function placesOf({ system: { platform, env } }: Machine): {
  readonly file: string;
  readonly signs: readonly string[];
} {
  if (platform === "win32") {
    const data = `${env["ProgramData"] ?? "C:\\ProgramData"}\\Amazon\\CodeDeploy`;
    return { file: `${data}\\conf.onpremises.yml`, signs: [`${data}\\conf.yml`, data] };
  }
  return {
    file: "/etc/codedeploy-agent/conf/codedeploy.onpremises.yml",
    signs: ["/etc/codedeploy-agent", "/opt/codedeploy-agent"],
  };
}

export const codedeploy: Agent = {
  id: "codedeploy",
  name: "CodeDeploy agent",
  signs: (machine) => placesOf(machine).signs,
  judge(machine): Judgement[] {
    if (machine.host.verdict === "ec2") return [ON_EC2];
    const { file } = placesOf(machine);
    const read = readText(machine.system, file);
    if (read.kind === "unknown") return [unreadable(file, read.why, "whether it is registered on premises")];
    const text = read.kind === "text" ? read.text : "";
    // Keys stand there as YAML or as Ruby symbols (":region:"); their values may be secrets and are not looked at.
    const has = (key: string): boolean => new RegExp(`^\\s*:?${key}:[ \\t]*\\S`, "m").test(text);
    if (has("region") && (has("iam_user_arn") || (has("iam_session_arn") && has("aws_credentials_file")))) {
      return [
        {
          status: "ok",
          says: `registered on premises by ${file}`,
          evidence: [{ source: file, says: "names region and identity" }],
        },
      ];
    }
    const why = read.kind === "absent" ? `${file} is missing` : `${file} names no region and identity`;
    return [
      {
        status: "finding",
        says: `would believe an impersonator: ${why}`,
        advice: ["register it as an on-premises instance"],
        fixes: [
          {
            title: "CodeDeploy agent: register on premises, with credentials of an IAM session that are renewed",
            file,
            text: "---\nregion: <region>\niam_session_arn: <arn of the session>\naws_credentials_file: <path of the credentials file>",
          },
        ],
      },
    ];
  },
};
