/** cloud-init: asks EC2's metadata only where DMI says EC2, unless it is configured otherwise. */
import type { Machine } from "../check.js";
import { readText } from "../check.js";
import { terminalLine } from "../../../base/text.js";
import type { Agent, Judgement } from "./agent.js";
import { ON_EC2, unreadable } from "./agent.js";
import { own, parseYaml } from "./documents.js";

const MAIN = "/etc/cloud/cloud.cfg";
const MORE = "/etc/cloud/cloud.cfg.d";
const RESULT = "/run/cloud-init/result.json";
/** What the script that chooses the datasource before cloud-init starts is told (ds-identify). */
const IDENTIFY = "/etc/cloud/ds-identify.cfg";
const COMMAND_LINE = "/proc/cmdline";

/** The configuration as one text, main file first, or what could not be read. */
function configuration({ system }: Machine): {
  readonly texts: readonly { readonly path: string; readonly text: string }[];
  readonly hidden: Judgement[];
} {
  const listing = system.listDirectory(MORE);
  const hidden: Judgement[] =
    listing.kind === "unreadable" ? [unreadable(MORE, listing.code, "whether it asks everywhere")] : [];
  const names = listing.kind === "names" ? listing.names.filter((name) => name.endsWith(".cfg")) : [];
  const texts: { path: string; text: string }[] = [];
  for (const path of [MAIN, ...names.map((name) => `${MORE}/${name}`)]) {
    const read = readText(system, path);
    if (read.kind === "unknown") hidden.push(unreadable(path, read.why, "whether it asks everywhere"));
    if (read.kind === "text") texts.push({ path, text: read.text });
  }
  return { texts, hidden };
}

export const cloudInit: Agent = {
  id: "cloud-init",
  name: "cloud-init",
  signs: () => [MAIN],
  judge(machine): Judgement[] {
    if (machine.host.verdict === "ec2") return [ON_EC2];
    const { texts, hidden } = configuration(machine);
    const findings: Judgement[] = [];
    for (const { path, text } of texts) {
      const config = parseYaml(text);
      if (config === undefined && text.trim() !== "") {
        hidden.push({ status: "unknown", says: `${path} is no YAML, so whether it asks everywhere is not known` });
        continue;
      }
      const ec2 = own(own(config, "datasource"), "Ec2");
      const strict = own(ec2, "strict_id");
      if (strict !== undefined && strict !== true && String(strict).toLowerCase() !== "true") {
        findings.push({
          status: "finding",
          says: `would believe an impersonator: strict_id is ${terminalLine(String(strict)).slice(0, 40)} in ${path}`,
          advice: ["set it to true, or remove it"],
          fixes: [disableEc2],
        });
      }
      const urls = own(ec2, "metadata_urls");
      if (Array.isArray(urls) && urls.some((url) => String(url).includes("instance-data")))
        findings.push({
          status: "finding",
          says: `${path} names instance-data: whoever answers for that name is asked`,
          advice: ["remove it from metadata_urls"],
          fixes: [disableEc2],
        });
      const sources = namesOf(own(config, "datasource_list"));
      if (onlyEc2(sources)) findings.push(allowsOnlyEc2(path));
    }
    findings.push(...identified(machine));
    findings.push(...judgeResult(machine));
    if (findings.length > 0) return findings;
    return hidden.length > 0
      ? hidden.slice(0, 1)
      : [{ status: "ok", says: "asks only where the hardware says EC2 (strict_id)" }];
  },
};

/** A datasource list as cloud-init takes it: a list, or one name. */
function namesOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : typeof value === "string" ? value.split(/[\s,]+/) : []).map(String);
}

/** Whether Ec2 is what is left when "None", which asks nobody, is taken away. */
function onlyEc2(names: readonly string[]): boolean {
  const asking = names.filter((name) => name !== "" && name !== "None");
  return asking.length > 0 && asking.every((name) => name === "Ec2");
}

function allowsOnlyEc2(path: string): Judgement {
  return {
    status: "finding",
    says: `${path} allows only the datasource Ec2, so it is used without a look at the hardware`,
    advice: ["name the datasource of this host instead"],
    fixes: [disableEc2],
  };
}

/** What ds-identify and the kernel's command line say before any configuration is read. */
function identified({ system }: Machine): Judgement[] {
  const findings: Judgement[] = [];
  const file = readText(system, IDENTIFY);
  if (file.kind === "text") {
    const datasources = /^\s*datasource:\s*["']?([\w,\s]{1,128}?)["']?\s*$/m.exec(file.text)?.[1];
    if (onlyEc2(namesOf(datasources))) findings.push(allowsOnlyEc2(IDENTIFY));
    if (
      /^\s*ci\.di\.ec2_strict_id\s*=\s*(?:false|warn)/m.test(file.text) ||
      /^\s*policy:.*\bmaybe=all\b/m.test(file.text)
    )
      findings.push({
        status: "finding",
        says: `${IDENTIFY} loosens the look at the hardware`,
        advice: ["remove ec2_strict_id and maybe=all from it"],
        fixes: [disableEc2],
      });
  }
  const line = readText(system, COMMAND_LINE);
  const chosen =
    line.kind === "text" ? /(?:^|\s)(?:ci\.ds|ci\.datasource)=([\w,]{1,64})/.exec(line.text)?.[1] : undefined;
  if (onlyEc2(namesOf(chosen)))
    findings.push({
      ...allowsOnlyEc2(COMMAND_LINE),
      advice: ["remove ci.ds=Ec2 from the kernel's command line"],
      fixes: [],
    });
  return findings;
}

function judgeResult({ system, host }: Machine): Judgement[] {
  const read = readText(system, RESULT);
  const datasource =
    read.kind === "text" ? /"datasource"\s*:\s*"([\w. [\]=/:-]{1,128})/.exec(read.text)?.[1] : undefined;
  if (datasource === undefined || !/Ec2/.test(datasource) || host.verdict !== "not-ec2") return [];
  return [
    {
      status: "finding",
      says: `took its data from ${datasource} on a host that is not EC2: it believed somebody`,
      evidence: [{ source: RESULT, value: datasource, says: "the datasource of this boot" }],
      advice: ["user data from there ran as root: take this host for compromised until it is clear who answered"],
    },
  ];
}

const disableEc2 = {
  title: "cloud-init: never the EC2 datasource",
  file: `${MORE}/99-no-ec2.cfg`,
  text: "datasource_list: [ NoCloud, ConfigDrive, None ]\ndatasource: { Ec2: { strict_id: true } }",
};
