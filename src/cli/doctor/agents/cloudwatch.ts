/** CloudWatch agent: its mode is EC2 unless it was told that it runs on premises. */
import type { Machine } from "../check.js";
import { readText } from "../check.js";
import type { Agent, Judgement } from "./agent.js";
import { ON_EC2, unreadable } from "./agent.js";
import { own, parseToml, parseYaml } from "./documents.js";

function placesOf({ system: { platform, env } }: Machine): {
  readonly yaml: string;
  readonly common: string;
  readonly signs: readonly string[];
  readonly fetch: string;
} {
  if (platform === "win32") {
    const data = `${env["ProgramData"] ?? "C:\\ProgramData"}\\Amazon\\AmazonCloudWatchAgent`;
    return {
      yaml: `${data}\\amazon-cloudwatch-agent.yaml`,
      common: `${data}\\common-config.toml`,
      signs: [data],
      fetch: "amazon-cloudwatch-agent-ctl.ps1 -a fetch-config -m onPremise -s -c file:CONFIG",
    };
  }
  const base = "/opt/aws/amazon-cloudwatch-agent";
  return {
    yaml: `${base}/etc/amazon-cloudwatch-agent.yaml`,
    common: `${base}/etc/common-config.toml`,
    signs: [base],
    fetch: `${base}/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m onPremise -s -c file:CONFIG`,
  };
}

/**
 * The `mode` of the extension `entitystore` in the translated configuration (`ec2`, `onPremise`, `onPrem`, ...), or
 * `undefined` where there is none. Extensions may have names of their own behind a slash.
 */
export function modeOf(yaml: string): string | undefined {
  const extensions = own(parseYaml(yaml), "extensions");
  for (const name of Object.keys(extensions ?? {})) {
    if (name !== "entitystore" && !name.startsWith("entitystore/")) continue;
    const mode = own(own(extensions, name), "mode");
    if (typeof mode === "string") return mode;
  }
  return undefined;
}

/** Whether common-config.toml names a profile or a credentials file. */
export function namesCredentials(toml: string): boolean {
  const credentials = own(parseToml(toml), "credentials");
  return ["shared_credential_profile", "shared_credential_file"].some((name) => {
    const value = own(credentials, name);
    return typeof value === "string" && value !== "";
  });
}

export const cloudwatch: Agent = {
  id: "cloudwatch",
  name: "CloudWatch agent",
  signs: (machine) => placesOf(machine).signs,
  judge(machine): Judgement[] {
    if (machine.host.verdict === "ec2") return [ON_EC2];
    const { yaml, common, fetch } = placesOf(machine);
    const read = readText(machine.system, yaml);
    if (read.kind === "unknown") return [unreadable(yaml, read.why, "its mode")];
    if (read.kind === "text" && parseYaml(read.text) === undefined)
      return [{ status: "unknown", says: `${yaml} is no YAML, so its mode is not known` }];
    const mode = read.kind === "text" ? modeOf(read.text) : undefined;
    const evidence = [
      {
        source: yaml,
        value: mode,
        says: read.kind === "absent" ? "not there: the mode is ec2 by default" : "the mode",
      },
    ];
    if (mode === undefined || !/^onprem(ise)?$/i.test(mode)) {
      return [
        {
          status: "finding",
          says: `would believe an impersonator: its mode is ${mode ?? "not set, which means ec2"}`,
          evidence,
          advice: [`$ ${fetch}`],
          fixes: [{ title: "CloudWatch agent: on-premises mode", text: fetch }],
        },
      ];
    }
    const credentials = readText(machine.system, common);
    if (credentials.kind === "unknown")
      return [unreadable(common, credentials.why, "where it takes its credentials from")];
    const named = credentials.kind === "text" && namesCredentials(credentials.text);
    const from = named ? `the profile or file of ${common}` : "the profile AmazonCloudWatchAgent";
    return [{ status: "ok", says: `runs on premises (mode ${mode}), with credentials from ${from}`, evidence }];
  },
};
