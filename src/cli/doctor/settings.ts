/** Settings of this user that open or shut the metadata service, and those that only look as if they did. */
import { isImdsGuardError } from "../../base/errors.js";
import { printable, shellExport } from "../../base/text.js";
import type { Profile } from "../../settings/config-files.js";
import { parseEndpoint } from "../../settings/endpoint.js";
import { profileIn } from "../../settings/environment.js";
import type { Settings } from "../../settings/options.js";
import type { Resolved } from "../../settings/resolve.js";
import type { Check, Machine } from "./check.js";

type Env = Readonly<Record<string, string | undefined>>;
type Line = Omit<Check, "section" | "id">;

/** Judges environment variables alone. */
export function judgeEnvironment(env: Env, machine: Machine): Check[] {
  const off = machine.host.verdict !== "ec2";
  const lines = [
    ...disabled(env, off),
    ...v1Disabled(env),
    ...endpoint(env["AWS_EC2_METADATA_SERVICE_ENDPOINT"], "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    ...proxies(env),
    ...region(env, off),
  ];
  return lines.map((line) => ({ section: "settings", id: "environment", ...line }));
}

/** Exactly `true` is understood by all; what other values do differs from SDK to SDK. */
function disabled(env: Env, off: boolean): Line[] {
  const value = env["AWS_EC2_METADATA_DISABLED"];
  const subject = "AWS_EC2_METADATA_DISABLED";
  const fix = ["$ export AWS_EC2_METADATA_DISABLED=true"];
  if (value === undefined || value === "") {
    return off
      ? [
          {
            subject,
            status: "open",
            says: "not set: AWS SDKs without this guard ask the metadata service",
            advice: fix,
          },
        ]
      : [];
  }
  if (value === "true") {
    const says =
      "shuts the default chain of every SDK; the JavaScript SDK still asks through fromInstanceMetadata, credential_source and MetadataService";
    return [
      {
        subject,
        status: off ? "ok" : "finding",
        says: off ? says : `${says}. On EC2 it keeps programs from their role`,
        ...(!off && { advice: ["unset it if programs here are meant to use the instance role"] }),
      },
    ];
  }
  if (value.toLowerCase() === "true")
    return [
      {
        subject,
        status: "finding",
        says: `is ${printable(value)}: most SDKs read that as true, not all; write it in lower case`,
        advice: fix,
      },
    ];
  if (value.toLowerCase() === "false") {
    const odd = `is ${printable(value)}: shuts nothing, though the JavaScript SDK then does not look up its region there`;
    return [{ subject, status: off ? "finding" : "ok", says: odd, ...(off && { advice: fix }) }];
  }
  return [
    {
      subject,
      status: "finding",
      says: `is ${printable(value)}: shuts the chain of the JavaScript SDK, and nothing in Python, Go and the AWS CLI, which know only true`,
      advice: fix,
    },
  ];
}

function v1Disabled(env: Env): Line[] {
  const value = env["AWS_EC2_METADATA_V1_DISABLED"];
  if (value === undefined || value === "") return [];
  if (value.toLowerCase() !== "true")
    return [
      {
        subject: "AWS_EC2_METADATA_V1_DISABLED",
        status: "finding",
        says: `is ${printable(value)}: only true has an effect`,
        advice: ["$ export AWS_EC2_METADATA_V1_DISABLED=true"],
      },
    ];
  return [
    {
      subject: "AWS_EC2_METADATA_V1_DISABLED",
      status: "ok",
      says: "shuts the fall-back to IMDSv1 only; an impersonator that speaks IMDSv2 is believed as before",
    },
  ];
}

/** Judges where an endpoint setting leads. */
function endpoint(text: string | undefined, subject: string): Line[] {
  if (text === undefined || text === "") return [];
  const parsed = parseEndpoint(text.trim());
  if ("problem" in parsed)
    return [
      {
        subject,
        status: "finding",
        says: `is ${printable(text)}, which cannot be used: ${parsed.problem}`,
        advice: [`unset ${subject}, or correct it`],
      },
    ];
  const where = `${parsed.host} port ${parsed.port}`;
  if (parsed.loopback && parsed.port === 1)
    return [
      { subject, status: "ok", says: `leads to ${where}, where nobody listens: shuts the service for every SDK` },
    ];
  if (parsed.loopback)
    return [
      {
        subject,
        status: "ok",
        says: `leads to ${where} on this machine; any local process may listen there`,
        advice: ["set IMDS_GUARD_EXPECTED_ACCOUNTS to your account ids"],
      },
    ];
  if (
    parsed.kind === "address" &&
    parsed.port === 80 &&
    (parsed.host === "169.254.169.254" || parsed.host === "fd00:ec2::254")
  )
    return [{ subject, status: "ok", says: "names the metadata address itself" }];
  return [
    {
      subject,
      status: "finding",
      says: `leads every AWS SDK of this user to ${where} for credentials`,
      advice: [`unset ${subject} unless that host is yours`],
    },
  ];
}

/** Who sends requests for link-local addresses to a proxy, and what exempts them. */
function proxies(env: Env): Line[] {
  const proxy = env["http_proxy"] || env["HTTP_PROXY"];
  const exempt = env["no_proxy"] || env["NO_PROXY"] || "";
  const name = env["http_proxy"] ? "http_proxy" : "HTTP_PROXY";
  if (!proxy) return [];
  const entries = exempt.split(/[\s,]+/);
  if (entries.includes("*") || entries.includes("169.254.169.254"))
    return [{ subject: name, status: "ok", says: "NO_PROXY exempts 169.254.169.254" }];
  const network = entries.find((entry) => /^169\.254\.[\d.]*\/\d+$/.test(entry));
  const node =
    /^(?:1|true)$/i.test(env["NODE_USE_ENV_PROXY"] ?? "") || /--use-env-proxy\b/.test(env["NODE_OPTIONS"] ?? "");
  const who = node ? "Node.js (NODE_USE_ENV_PROXY), Python and the AWS CLI send" : "Python and the AWS CLI send";
  const wrong =
    network === undefined ? "" : `; ${network} in NO_PROXY has no effect, since networks are not understood there`;
  return [
    {
      subject: name,
      status: "finding",
      says: `${who} metadata requests to that proxy, and believe what it answers${wrong}`,
      advice: [
        `$ ${shellExport(
          "NO_PROXY",
          [...entries.filter((entry) => entry !== ""), "169.254.169.254", "[fd00:ec2::254]"].join(","),
        )}`,
      ],
    },
  ];
}

function region(env: Env, off: boolean): Line[] {
  if (!off) return [];
  const lines: Line[] = [];
  if (env["AWS_DEFAULTS_MODE"] === "auto") {
    lines.push({
      subject: "AWS_DEFAULTS_MODE",
      status: "finding",
      says: "is auto: the JavaScript SDK asks the metadata service for a region, whatever region is set",
      advice: ["$ export AWS_DEFAULTS_MODE=standard"],
    });
  }
  return lines;
}

/** Profiles by name, as the SDK's loader reads them. */
export type Profiles = Readonly<Record<string, Profile>>;

/** Judges the profiles of both shared files. */
export function judgeProfiles(profiles: Profiles, env: Env, { host }: Machine): Check[] {
  const off = host.verdict !== "ec2";
  const lines: Line[] = Object.entries(profiles).flatMap(([name, profile]) => {
    const subject = `profile ${printable(name).slice(1, -1)}`;
    const found: Line[] = [];
    if (profile["credential_source"] === "Ec2InstanceMetadata" && off) {
      const open = env["AWS_EC2_METADATA_DISABLED"]
        ? ", and the JavaScript SDK does so although AWS_EC2_METADATA_DISABLED is set"
        : "";
      found.push({
        subject,
        status: "finding",
        says: `credential_source = Ec2InstanceMetadata: takes credentials from the metadata service${open}`,
        advice: ["remove it on hosts that are not EC2, or use this package's fromIni"],
      });
    }
    for (const source of sourceOf(name, profiles)) {
      if (off)
        found.push({
          subject,
          status: "finding",
          says: `source_profile leads to profile ${source}, which takes credentials from the metadata service`,
          advice: ["give it another source"],
        });
    }
    found.push(...endpoint(profile["ec2_metadata_service_endpoint"], `${subject}: ec2_metadata_service_endpoint`));
    if (profile["disable_ec2_metadata"] !== undefined) {
      found.push({
        subject,
        status: "ok",
        says: "disable_ec2_metadata: read by this guard and few SDKs; AWS_EC2_METADATA_DISABLED=true is read by all",
      });
    }
    return found;
  });
  const guard = Object.keys(profiles).length === 0 ? "none" : `${Object.keys(profiles).length}`;
  if (lines.length === 0)
    lines.push({
      subject: "profiles",
      status: "ok",
      says: `${guard} in the shared config files, and none leads to the metadata service`,
    });
  return lines.map((line) => ({ section: "settings", id: "profile", ...line }));
}

/** The profile with credential_source that a chain of source_profile ends in, if it does. */
function sourceOf(name: string, profiles: Profiles): string[] {
  const seen = new Set([name]);
  for (
    let at = profiles[name]?.["source_profile"];
    at !== undefined && !seen.has(at);
    at = profiles[at]?.["source_profile"]
  ) {
    if (!Object.hasOwn(profiles, at)) return [];
    if (profiles[at]?.["credential_source"] === "Ec2InstanceMetadata") return [at];
    seen.add(at);
  }
  return [];
}

/** Reads every profile; a file that cannot be used is a finding of its own. */
export async function checkProfiles(machine: Machine): Promise<Check[]> {
  const [{ readProfile }, { parseKnownFiles }] = await Promise.all([
    import("../../settings/config-files.js"),
    import("@smithy/shared-ini-file-loader"),
  ]);
  const { env } = machine.system;
  const { problem } = readProfile(profileIn(env), {}, machine.system);
  if (problem !== undefined) {
    return [
      {
        section: "settings",
        id: "profile",
        status: "finding",
        subject: "shared config files",
        says: problem.message,
        advice: [problem.advice],
      },
    ];
  }
  const [profiles, { judgeCertificates }] = await Promise.all([
    parseKnownFiles({ ignoreCache: true }),
    import("./certificates.js"),
  ]);
  return [...judgeProfiles(profiles, env, machine), ...(await judgeCertificates(profiles, machine))];
}

/** Judges what the settings of this guard come to for this user. */
export async function checkGuardSettings({ system, host }: Machine): Promise<Check[]> {
  const line = { section: "settings", id: "guard", subject: "imds-guard" } as const;
  const { resolveSettings } = await import("../../settings/resolve.js");
  let resolved: Resolved;
  try {
    resolved = await resolveSettings({}, system);
  } catch (error) {
    if (!isImdsGuardError(error)) throw error;
    return [{ ...line, status: "finding", says: error.message, advice: [error.advice] }];
  }
  const { decide } = await import("../../guard/decide.js");
  const { settings, problem } = resolved;
  if (problem !== undefined) return [{ ...line, status: "finding", says: problem.message, advice: [problem.advice] }];
  const decision = decide(settings, host);
  const said =
    decision.kind === "refuse"
      ? `refuses: ${decision.reason}`
      : `asks ${decision.target.host} port ${decision.target.port}, proof ${decision.proof}`;
  const first: Check = {
    ...line,
    status: "ok",
    says: `${said} (mode ${settings.mode})`,
  };
  const accounts = checkAccounts(settings);
  if (decision.kind === "refuse") return [first, accounts];
  // A loopback endpoint is a choice somebody made; mode allow without an account to expect leaves the door open.
  return [
    first,
    accounts,
    ...decision.notices.map((notice): Check => ({
      ...line,
      status: notice.code === "imds.endpoint_override_accepted" ? "ok" : "finding",
      says: notice.message,
      advice: [notice.advice],
    })),
  ];
}

const SHOWN_ACCOUNTS = 5;

/** Without a list, credentials of a stranger are like any others, here and in logs. */
function checkAccounts({ expectedAccounts: accounts, egress }: Settings): Check {
  const line = { section: "settings", id: "expected-accounts", subject: "expected accounts" } as const;
  const advice = [
    "Set imds_guard_expected_accounts (IMDS_GUARD_EXPECTED_ACCOUNTS). To begin such a list from a log:",
    "$ imds-guard scan --learn /var/log/squid/access.log > ours.txt",
  ];
  if (accounts.length === 0 && egress === "report")
    return { ...line, status: "finding", says: "none is set, so that egress = report looks at nothing", advice };
  if (accounts.length === 0)
    return { ...line, status: "ok", says: "none is set: keys of any account are as good as yours", advice };
  const more = accounts.length > SHOWN_ACCOUNTS ? ` and ${accounts.length - SHOWN_ACCOUNTS} more` : "";
  const signed = egress === "report" ? "and so are requests that leave" : "requests that leave are not (egress is off)";
  return {
    ...line,
    status: "ok",
    says: `${accounts.slice(0, SHOWN_ACCOUNTS).join(", ")}${more}: credentials are held against them, ${signed}`,
  };
}
