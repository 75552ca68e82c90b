/** Who answers at the metadata addresses: asked over the network, without a secret. */
import { TOKEN_PATH } from "../../aws/imds-protocol.js";
import { IMDS_IPV4, IMDS_IPV6 } from "../../base/addresses.js";
import { ImdsUnavailableError } from "../../base/errors.js";
import { shellCommand } from "../../base/text.js";
import type { Responder } from "../../events/catalogue.js";
import type { ProbeResult } from "../../network/probe.js";
import type { Check, Machine } from "./check.js";
import { BLOCK_FIXES } from "./fixes.js";
import type { PlainAnswer } from "./plain-get.js";

/** Milliseconds for each question. */
export const PROBE_MS = 1_000;

const DNS_ADDRESSES = ["169.254.169.253", "fd00:ec2::253"];

/** What asking one metadata address came to. */
export interface Asked {
  readonly address: string;
  readonly answer: ProbeResult;
  /** Where somebody answered: what is known of them, and what they say to a request without a token. */
  readonly responder?: Responder | undefined;
  readonly plain?: PlainAnswer | undefined;
}

/** What the network told. */
export interface NetworkAnswers {
  readonly imds: readonly Asked[];
  readonly dns: readonly {
    readonly address: string;
    readonly outcome: "answers" | "nobody";
    readonly detail: string;
  }[];
}

/** Asks both IMDS addresses for a token (and keeps none), and Amazon's DNS addresses for a name. */
export async function askAround(machine: Machine): Promise<NetworkAnswers> {
  const [imds, dns] = await Promise.all([
    Promise.all([IMDS_IPV4, IMDS_IPV6].map((address) => askImds(address, machine))),
    Promise.all(DNS_ADDRESSES.map(askDns)),
  ]);
  return { imds, dns };
}

async function askImds(address: string, { system }: Machine): Promise<Asked> {
  const [{ probeImds }, { describeResponder }, { askWithoutToken }] = await Promise.all([
    import("../../network/probe.js"),
    import("../../network/responder.js"),
    import("./plain-get.js"),
  ]);
  // The probe is made for the background and holds no process; whoever waits for it has to.
  const hold = setTimeout(() => undefined, PROBE_MS * 4);
  try {
    const answer = await probeImds({ address, port: 80 }, { timeoutMs: PROBE_MS });
    if (answer.kind === "silent" || answer.kind === "refused") return { address, answer };
    const plain = await askWithoutToken(address, PROBE_MS);
    return { address, answer, plain, responder: await describeResponder(address, system) };
  } finally {
    clearTimeout(hold);
  }
}

async function askDns(address: string): Promise<NetworkAnswers["dns"][number]> {
  const { resolveHost } = await import("../../network/dns.js");
  const server = address.includes(":") ? `[${address}]:53` : `${address}:53`;
  try {
    const found = await resolveHost("instance-data.ec2.internal", { servers: [server], timeoutMs: PROBE_MS });
    return { address, outcome: "answers", detail: found.join(", ") };
  } catch (error) {
    if (!(error instanceof ImdsUnavailableError)) throw error;
    const value = error.evidence[0]?.value ?? "";
    // A code of the operating system means that nobody answered; anything else is an answer, if not a good one.
    return { address, outcome: /^E[A-Z]+$/.test(value) ? "nobody" : "answers", detail: value };
  }
}

/** Judges what came back. */
export function judgeAnswers({ imds, dns }: NetworkAnswers, machine: Machine): Check[] {
  return [...imds.map((asked) => judgeImds(asked, machine)), ...dns.flatMap((asked) => judgeDns(asked, machine) ?? [])];
}

function judgeImds(asked: Asked, machine: Machine): Check {
  const { address, answer, responder } = asked;
  const line = { section: "network", id: "imds-answer", subject: address } as const;
  const who = responder === undefined ? "" : whoIs(responder);
  const { verdict } = machine.host;
  switch (answer.kind) {
    case "silent":
      if (verdict === "ec2" && address === IMDS_IPV4) {
        return {
          ...line,
          status: "unknown",
          says: `no answer within ${PROBE_MS} ms`,
          advice: [
            "on EC2 it should: check hop limit (containers need 2), firewall and routes",
            hopLimitCommand(machine),
          ],
        };
      }
      return { ...line, status: "ok", says: `nobody answers (${PROBE_MS} ms)` };
    case "refused":
      if (verdict === "ec2" && address === IMDS_IPV4)
        return {
          ...line,
          status: "unknown",
          says: `cannot be reached: ${answer.code}`,
          advice: ["a rule or route of this host refuses it; programs here get no instance credentials"],
        };
      return { ...line, status: "ok", says: `cannot be reached: ${answer.code}` };
    case "imdsv2": {
      const evidence = [
        { source: `PUT ${TOKEN_PATH}`, value: "200", says: `a token of ${answer.tokenLength} characters` },
      ];
      const server = answer.server === undefined ? "" : `; calls itself ${answer.server}`;
      if (verdict === "ec2") return { ...line, status: "ok", says: `answers as IMDSv2${who}`, evidence };
      if (verdict === "unknown") {
        return {
          ...line,
          status: "unknown",
          says: `answers as IMDSv2${server}${who}, and this host could not be identified`,
          evidence,
          advice: ["trust it only with a proof: set IMDS_GUARD_EXPECTED_ACCOUNTS to your account ids"],
        };
      }
      return {
        ...line,
        status: "finding",
        says: `somebody answers as EC2's IMDSv2, and this host is not EC2${server}${who}`,
        evidence,
        ...against(responder),
      };
    }
    case "http":
      return judgeHttp(asked, { line, status: answer.status, cloud: answer.cloud, who }, machine);
    case "answers": {
      const status = verdict === "ec2" || machine.otherCloud !== undefined ? "unknown" : "finding";
      return {
        ...line,
        status,
        says: `somebody takes connections, and ${answer.detail}${who}`,
        ...(status === "finding" && against(responder)),
      };
    }
  }
}

interface HttpSeen {
  readonly line: Pick<Check, "section" | "id" | "subject">;
  readonly status: number;
  readonly cloud: "gcp" | "azure" | undefined;
  readonly who: string;
}

function judgeHttp(
  { plain, responder }: Asked,
  { line, status, cloud, who }: HttpSeen,
  { host, otherCloud, gateway }: Machine,
): Check {
  const evidence = [
    { source: `PUT ${TOKEN_PATH}`, value: String(status), says: "no token" },
    {
      source: "GET without token",
      value: String(plain?.status ?? "none"),
      says: plain?.shows === "nothing" ? "not IMDSv1" : `IMDSv1: shows ${plain?.shows}`,
    },
  ];
  if (plain !== undefined && plain.shows !== "nothing") {
    if (host.verdict === "ec2")
      return {
        ...line,
        status: "finding",
        says: `answers as IMDSv1 only, which no EC2 instance does${who}`,
        evidence,
        ...against(responder),
      };
    if (otherCloud === "OpenStack") {
      return {
        ...line,
        status: "ok",
        says: `${otherCloud}'s own metadata service, which imitates IMDSv1`,
        evidence,
        advice: ["AWS SDKs ask it too; set AWS_EC2_METADATA_DISABLED=true for programs that use them"],
      };
    }
    return {
      ...line,
      status: "finding",
      says: `somebody answers as IMDSv1${who}; SDKs without AWS_EC2_METADATA_V1_DISABLED take credentials from it`,
      evidence,
      ...against(responder),
    };
  }
  if (host.verdict === "ec2")
    return {
      ...line,
      status: "unknown",
      says: `answers HTTP ${status} to the token request${who}`,
      evidence,
      ...(status === 403 && { advice: ["403 means that the metadata service is switched off for this instance"] }),
    };
  const owner = otherCloud ?? (cloud === "gcp" ? "Google Cloud" : cloud === "azure" ? "Azure" : undefined);
  if (owner !== undefined)
    return { ...line, status: "ok", says: `the metadata service of ${owner}: HTTP ${status}, not IMDS`, evidence };
  if (gateway?.ours === true && status === 403)
    return { ...line, status: "ok", says: `the gateway of imds-guard refuses (HTTP 403): nothing gets out`, evidence };
  return {
    ...line,
    status: "finding",
    says: `somebody answers HTTP ${status} there${who}`,
    evidence,
    ...against(responder),
  };
}

function whoIs({ mac, interface: device, gateway, route }: Responder): string {
  const parts = [
    mac === undefined ? undefined : `MAC ${mac}`,
    gateway === undefined ? undefined : `gateway ${gateway}`,
    route ?? (device === undefined ? undefined : `on ${device}`),
  ];
  const known = parts.filter((part) => part !== undefined);
  return known.length === 0 ? "" : ` (${known.join(", ")})`;
}

function against(responder: Responder | undefined): Pick<Check, "advice" | "fixes"> {
  const own = responder?.route?.startsWith("local address") === true;
  if (own)
    return { advice: ["a program of this host answers; find it:", "$ ss -ltnp 'sport = :80'"], fixes: BLOCK_FIXES };
  const trace =
    responder?.mac === undefined ? "trace who has the address" : `trace the station with MAC ${responder.mac}`;
  return {
    advice: [`${trace}; block it here (--fix-plan); look for programs on this network that took credentials from it`],
    fixes: BLOCK_FIXES,
  };
}

function judgeDns({ address, outcome, detail }: NetworkAnswers["dns"][number], { host }: Machine): Check | undefined {
  const line = { section: "network", id: "dns-answer", subject: `${address} (DNS)` } as const;
  if (outcome === "nobody")
    return host.verdict === "ec2" ? undefined : { ...line, status: "ok", says: `nobody answers (${detail})` };
  if (host.verdict === "ec2") return { ...line, status: "ok", says: `answers (${detail})` };
  return {
    ...line,
    status: "finding",
    says: `somebody answers as Amazon's resolver (${detail})`,
    advice: ["only a VPC has a resolver there: trace it like an answer at the metadata address"],
    fixes: BLOCK_FIXES,
  };
}

/** What to run elsewhere, since an instance cannot see its own options. */
export function hopLimitCommand({ host }: Machine): string {
  // Pasted as it is, a name in angle brackets would be a redirection.
  const id = host.instanceId ?? "INSTANCE_ID";
  return `$ ${shellCommand(["aws", "ec2", "describe-instances", "--instance-ids", id, "--query", "Reservations[].Instances[].MetadataOptions"])}`;
}
