/**
 * amazon-ssm-agent: takes the EC2 identity from whoever answers as IMDS, unless its order of identities says otherwise.
 */
import { statSync } from "node:fs";
import type { Stats } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseIni } from "../../../settings/ini.js";
import type { Machine } from "../check.js";
import { readText } from "../check.js";
import type { Agent, Judgement } from "./agent.js";
import { ON_EC2, unreadable } from "./agent.js";

/** What the agent tries where its configuration names nothing that it knows. */
export const DEFAULT_ORDER: readonly string[] = ["OnPrem", "EC2", "CustomIdentity"];

/**
 * The order of identities that the agent makes of its configuration file. Go reads keys in any case; values count as
 * written, unknown ones are dropped, and if none is left or the file is not JSON the default comes back, EC2 included.
 */
export function identityOrder(text: string | undefined): { readonly order: readonly string[]; readonly why: string } {
  if (text === undefined)
    return { order: DEFAULT_ORDER, why: "there is no configuration file, so the default order holds" };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { order: DEFAULT_ORDER, why: "the configuration file is not JSON, so the default order holds" };
  }
  const order = member(member(parsed, "identity"), "consumptionorder");
  if (!Array.isArray(order) || order.length === 0)
    return { order: DEFAULT_ORDER, why: "the configuration sets no order, so the default holds" };
  const known = order.filter((word) => typeof word === "string" && DEFAULT_ORDER.includes(word)) as string[];
  if (known.length === 0)
    return {
      order: DEFAULT_ORDER,
      why: `the configuration names ${JSON.stringify(order).slice(0, 80)}, which the agent does not know in that case, so the default order holds`,
    };
  return { order: known, why: `the configuration says ${known.join(", ")}` };
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value).find(([key]) => key.toLowerCase() === name)?.[1];
}

interface Places {
  readonly config: string;
  readonly data: string;
  readonly program: string;
  readonly restart: string;
}

function placesOf({ system: { platform, env } }: Machine): Places {
  if (platform !== "win32") {
    return {
      config: "/etc/amazon/ssm/amazon-ssm-agent.json",
      data: "/var/lib/amazon/ssm",
      program: "/usr/bin/amazon-ssm-agent",
      restart: "systemctl restart amazon-ssm-agent",
    };
  }
  const shared = `${env["ProgramData"] ?? "C:\\ProgramData"}\\Amazon\\SSM`;
  const programs = `${env["ProgramFiles"] ?? "C:\\Program Files"}\\Amazon\\SSM`;
  return {
    config: `${programs}\\amazon-ssm-agent.json`,
    data: shared,
    program: `${programs}\\amazon-ssm-agent.exe`,
    restart: "Restart-Service AmazonSSMAgent",
  };
}

export const ssm: Agent = {
  id: "ssm",
  name: "SSM Agent",
  signs: (machine) => {
    const { config, data, program } = placesOf(machine);
    return [program, config, data, "/snap/amazon-ssm-agent"];
  },
  judge(machine) {
    if (machine.host.verdict === "ec2") return [ON_EC2];
    return [judgeOrder(machine), ...judgeRunning(machine), ...judgeKey(machine), ...judgeSharedFile(machine)];
  },
};

function judgeOrder(machine: Machine): Judgement {
  const { config, data, restart } = placesOf(machine);
  const separator = machine.system.platform === "win32" ? "\\" : "/";
  const read = readText(machine.system, config);
  if (read.kind === "unknown") return unreadable(config, read.why, "its order of identities");
  const { order, why } = identityOrder(read.kind === "text" ? read.text : undefined);
  const evidence = [{ source: config, value: read.kind === "text" ? order.join(", ") : undefined, says: why }];
  if (!order.includes("EC2"))
    return { status: "ok", says: `takes no identity from the metadata service: ${why}`, evidence };
  const registration = readText(machine.system, `${data}${separator}registration`);
  const registered =
    registration.kind === "text" && /"ManagedInstanceID"\s*:\s*"mi-[0-9a-f]{8,17}"/i.test(registration.text);
  const first = registered && order.indexOf("OnPrem") === 0;
  const when = first
    ? "if its registration as a hybrid node breaks"
    : registration.kind === "unknown"
      ? "unless its registration as a hybrid node (not readable) comes first"
      : "as soon as somebody answers";
  return {
    status: "finding",
    says: `would believe an impersonator ${when}: ${why}`,
    evidence,
    advice: [`set Identity.ConsumptionOrder to ["OnPrem"] in ${config}`, `$ ${restart}`],
    fixes: [
      {
        title: `SSM Agent: only the identity of a hybrid node (merge into the file; then: ${restart})`,
        file: config,
        text: '{ "Identity": { "ConsumptionOrder": ["OnPrem"] } }',
      },
    ],
  };
}

/** What the running agent says it is. The file holds no secret. */
function judgeRunning(machine: Machine): Judgement[] {
  const { data } = placesOf(machine);
  const path =
    machine.system.platform === "win32"
      ? `${data}\\runtimeconfig\\identity_config.json`
      : `${data}/runtimeconfig/identity_config.json`;
  const read = readText(machine.system, path);
  if (read.kind === "absent") return [];
  if (read.kind === "unknown") return [unreadable(path, read.why, "the identity it runs with")];
  const type = /"IdentityType"\s*:\s*"(\w{1,32})"/i.exec(read.text)?.[1];
  const instance = /"InstanceId"\s*:\s*"([\w-]{1,64})"/i.exec(read.text)?.[1];
  const evidence = [{ source: path, value: type, says: "the identity that the agent runs with" }];
  if (type === "EC2" && machine.host.verdict === "not-ec2") {
    return [
      {
        status: "finding",
        says: `runs with an EC2 identity (${instance ?? "no instance id"}) on a host that is not EC2: it believed somebody`,
        evidence,
        advice: [
          "take it for compromised until it is clear who answered: look at its account in that identity's Systems Manager",
        ],
      },
    ];
  }
  return type === undefined
    ? []
    : [
        {
          status: "ok",
          says: `runs with the identity ${type}${instance === undefined ? "" : ` (${instance})`}`,
          evidence,
        },
      ];
}

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** The key with which the node signs. It is looked at, and never read. */
function judgeKey(machine: Machine): Judgement[] {
  const { data } = placesOf(machine);
  const windows = machine.system.platform === "win32";
  const path = windows ? `${data}\\Vault\\Store\\RegistrationKey` : `${data}/Vault/Store/RegistrationKey`;
  const stat = look(path);
  if (stat === "absent") return [];
  if (typeof stat === "string") return [unreadable(path, stat, "age and mode of its registration key")];
  const days = Math.max(0, Math.floor((machine.system.now() - stat.mtimeMs) / DAY));
  const mode = `0${(stat.mode & 0o777).toString(8)}`;
  const evidence = [{ source: path, value: mode, says: `was written ${days} days ago` }];
  if (!windows && (stat.mode & 0o077) !== 0)
    return [
      {
        status: "finding",
        says: `its registration key is open to others on this host (mode ${mode}): they can be this node elsewhere`,
        evidence,
        advice: [`$ chmod 600 ${path}`, "register the node anew if somebody may have read it"],
      },
    ];
  return [{ status: "ok", says: `its registration key is ${days} days old, mode ${mode}`, evidence }];
}

/** The file that the agent shares with other programs; Profile of its configuration. */
function judgeSharedFile(machine: Machine): Judgement[] {
  const { system } = machine;
  const { config } = placesOf(machine);
  const read = readText(system, config);
  const settings = read.kind === "text" ? profileSettings(read.text) : profileSettings("{}");
  const path = settings.path ?? join(process.getuid?.() === 0 ? homedir() : "/root", ".aws", "credentials");
  const stat = look(path);
  if (typeof stat === "string") return [];
  const found: Judgement[] = [];
  const mode = `0${(stat.mode & 0o777).toString(8)}`;
  if (system.platform !== "win32" && (stat.mode & 0o077) !== 0)
    found.push({
      status: "finding",
      says: `the credentials file ${path} is open to others on this host (mode ${mode})`,
      evidence: [{ source: path, value: mode, says: "is open to group or others" }],
      advice: [`$ chmod 600 ${path}`],
    });
  const file = readText(system, path);
  if (file.kind !== "text" || !temporaryKeyIn(file.text, settings.profile)) return found;
  const old = Math.floor((system.now() - stat.mtimeMs) / HOUR);
  const evidence = [
    {
      source: path,
      value: new Date(stat.mtimeMs).toISOString(),
      says: `profile ${settings.profile} holds keys that end`,
    },
  ];
  if (!settings.shared)
    found.push({
      status: "finding",
      says: `Profile.ShareCreds is false in ${config}, and ${path} still holds keys of a session: programs that rely on it fail when these end`,
      evidence,
      advice: ["set Profile.ShareCreds to true, or give those programs credentials of their own", "remove the section"],
    });
  else if (old >= 1)
    found.push({
      status: "finding",
      says: `${path} was last written ${old} h ago, and its keys live for an hour: the agent no longer renews them`,
      evidence,
      advice: ["$ systemctl status amazon-ssm-agent"],
    });
  else
    found.push({ status: "ok", says: `shares its credentials in ${path}, and renewed them within the hour`, evidence });
  return found;
}

/** What the agent's configuration says of sharing; Go reads keys in any case. */
export function profileSettings(text: string): {
  readonly shared: boolean;
  readonly profile: string;
  readonly path: string | undefined;
} {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  const given = member(parsed, "profile");
  const [share, name, path] = ["sharecreds", "shareprofile", "path"].map((key) => member(given, key));
  return {
    shared: share !== false,
    profile: typeof name === "string" && name !== "" ? name : "default",
    path: typeof path === "string" && path.startsWith("/") ? path : undefined,
  };
}

function temporaryKeyIn(text: string, profile: string): boolean {
  return parseIni(text, "credentials").some(
    (section) =>
      section.profile === profile &&
      section.entries.some(({ key, value }) => key === "aws_session_token" && value !== ""),
  );
}

/** The stat of a path; "absent", or the code of the system's error. */
function look(path: string): Stats | string {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? "absent";
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    return code === "ENOTDIR" ? "absent" : code;
  }
}
