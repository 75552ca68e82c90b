/** cloud-init: asks EC2's metadata only where DMI says EC2, unless it is configured otherwise. */
import type { Patient } from "../check.js";
import { readText } from "../check.js";
import type { Agent, Judgement } from "./agent.js";
import { ON_EC2, unreadable } from "./agent.js";

const MAIN = "/etc/cloud/cloud.cfg";
const MORE = "/etc/cloud/cloud.cfg.d";
const RESULT = "/run/cloud-init/result.json";

/** The configuration as one text, main file first, or what could not be read. */
function configuration({ system }: Patient): {
  readonly texts: readonly { readonly path: string; readonly text: string }[];
  readonly hidden: readonly Judgement[];
} {
  const listing = system.listDirectory(MORE);
  const hidden: Judgement[] =
    listing.kind === "unreadable" ? [unreadable(MORE, listing.code, "whether it asks everywhere")] : [];
  const names = listing.kind === "names" ? listing.names.filter((name) => name.endsWith(".cfg")) : [];
  const texts: { path: string; text: string }[] = [];
  for (const path of [MAIN, ...names.map((name) => `${MORE}/${name}`)]) {
    const read = readText(system, path);
    if (read.kind === "unknown") hidden.push(unreadable(path, read.why, "whether it asks everywhere"));
    if (read.kind === "text") texts.push({ path, text: read.text.replace(/^\s*#.*$/gm, "") });
  }
  return { texts, hidden };
}

export const cloudInit: Agent = {
  id: "cloud-init",
  name: "cloud-init",
  signs: () => [MAIN],
  judge(patient): Judgement[] {
    if (patient.host.verdict === "ec2") return [ON_EC2];
    const { texts, hidden } = configuration(patient);
    const findings: Judgement[] = [];
    for (const { path, text } of texts) {
      const strict = /^[ \t]*strict_id:[ \t]*["']?(\w+)/m.exec(text)?.[1];
      if (strict !== undefined && strict !== "true") {
        findings.push({
          status: "finding",
          says: `would believe an impersonator: strict_id is ${strict} in ${path}`,
          advice: ["set it to true, or remove it"],
          fixes: [disableEc2],
        });
      }
      if (/instance-data/.test(text))
        findings.push({
          status: "finding",
          says: `${path} names instance-data: whoever answers for that name is asked`,
          advice: ["remove it from metadata_urls"],
          fixes: [disableEc2],
        });
      const list = /^[ \t]*datasource_list:[ \t]*\[([^\]\n]*)\]/m.exec(text)?.[1];
      if (list !== undefined && /^\s*["']?Ec2["']?\s*(,\s*["']?None["']?\s*)?$/.test(list)) {
        findings.push({
          status: "finding",
          says: `${path} allows only the datasource Ec2, so it is used without a look at the hardware`,
          advice: ["name the datasource of this host instead"],
          fixes: [disableEc2],
        });
      }
    }
    findings.push(...judgeResult(patient));
    if (findings.length > 0) return findings;
    return hidden.length > 0
      ? hidden.slice(0, 1)
      : [{ status: "ok", says: "asks only where the hardware says EC2 (strict_id)" }];
  },
};

function judgeResult({ system, host }: Patient): Judgement[] {
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
