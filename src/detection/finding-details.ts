/** What an analyst asks of a finding: who, what, and whether it was answered. Out of whatever names the format gives these. */
import { isImdsAddress } from "../base/addresses.js";
import { fieldOf } from "./log-record.js";
import type { LogRecord } from "./log-record.js";

/** Who asked, as far as the record or what it was wrapped in tells. */
export interface Who {
  readonly address?: string;
  readonly port?: string;
  /** The host that logged it, or on which the process ran. */
  readonly host?: string;
  readonly user?: string;
  readonly process?: string;
  readonly pid?: string;
  readonly parent?: string;
  readonly pod?: string;
  readonly container?: string;
  /** Of CloudTrail: the identity that called. */
  readonly arn?: string;
}

/** What was asked for. */
export interface What {
  readonly to?: string;
  readonly port?: string;
  readonly method?: string;
  readonly url?: string;
  readonly userAgent?: string;
  readonly referrer?: string;
  readonly command?: string;
  /** A name that DNS was asked for, and what it answered. */
  readonly query?: string;
  readonly answers?: string;
  /** Of CloudTrail and GuardDuty: service and call. */
  readonly call?: string;
}

/** How it went. */
export interface Answer {
  /** Absent where the record does not tell. */
  readonly answered?: boolean;
  readonly status?: string;
  readonly bytes?: string;
  /** What the log calls the state of the connection, or what a firewall did with it. */
  readonly state?: string;
}

/** The details of one record. Values are not masked yet. */
export interface Details {
  readonly who: Who;
  readonly what: What;
  readonly answer: Answer;
}

const WHO: Readonly<Record<keyof Who, readonly string[]>> = {
  address: ["src_ip", "id.orig_h", "source.ip", "SourceIp", "c-ip", "sourceIPAddress", "arp.dest_ip", "from"],
  port: ["src_port", "id.orig_p", "source.port", "SourcePort"],
  host: ["Computer", "DeviceName", "ComputerName", "hostIdentifier", "instance"],
  user: ["User", "user", "cs-username", "userIdentity.userName", "userIdentity.sessionContext.sessionIssuer.userName"],
  process: ["Image", "comm", "caller.argv0"],
  pid: ["ProcessId", "caller.pid"],
  parent: ["ParentImage"],
  pod: ["pod", "k8s.pod.name"],
  container: ["container", "container.name", "container.id"],
  arn: ["userIdentity.arn"],
};
const WHAT: Readonly<Record<keyof What, readonly string[]>> = {
  to: ["dst_ip", "id.resp_h", "destination.ip", "DestinationIp", "cs-host", "arp.src_ip", "endpoint.address"],
  port: ["dst_port", "id.resp_p", "destination.port", "DestinationPort"],
  method: ["cs-method", "method"],
  url: ["c-uri"],
  userAgent: ["cs-user-agent", "c-useragent", "user_agent", "userAgent"],
  referrer: ["cs-referer", "referrer"],
  command: ["CommandLine"],
  query: ["query", "domain"],
  answers: ["answer", "answers"],
  call: ["call"],
};
const ANSWER: Readonly<Record<Exclude<keyof Answer, "answered">, readonly string[]>> = {
  status: ["sc-status", "status_code"],
  bytes: ["sc-bytes", "response_body_len", "destination.bytes", "resp_bytes"],
  state: ["conn_state", "network.state", "action", "state", "errorCode"],
};
/** Nobody answered, or somebody in between said no. */
const REFUSED =
  /^(?:S0|REJ|OTH|SYN[-_]SENT|new|deny|denied|drop|dropped|block|blocked|reject|rejected|D|B|no|failure)$|Deny|NONE_NONE/i;
const ANSWERED =
  /^(?:S1|S2|S3|SF|RSTO|RSTR|ESTAB(?:LISHED)?|TIME[-_]WAIT|FIN[-_]WAIT\S*|CLOSE[-_]WAIT|closed|established)$/i;

/** Reads the details of a record. `made` are fields that a judge has put beside those of the record. */
export function detailsOf(record: LogRecord, made: Readonly<Record<string, unknown>> = {}): Details {
  const pick = (names: readonly string[]): string | undefined => {
    for (const name of names) {
      const value = textOf(fieldOf(record.fields, name) ?? made[name]);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  const who = picked(WHO, pick);
  const what = picked(WHAT, pick);
  const answer = picked(ANSWER, pick);
  const { host, app, pid, pod, container } = record.envelope ?? {};
  const answered = wasAnswered(answer);
  return {
    who: {
      ...who,
      ...(who.host === undefined && host !== undefined && { host: host.replace(/:$/, "") }),
      // The program that wrote the line is not the one that asked, but for programs that log what they do themselves.
      ...(who.process === undefined && who.address === undefined && app !== undefined && { process: app }),
      ...(who.process === undefined && who.address === undefined && pid !== undefined && pid !== "-" && { pid }),
      ...(who.pod === undefined && pod !== undefined && { pod }),
      ...(who.container === undefined && container !== undefined && { container }),
    },
    what: whatOf(record, what, made),
    answer: { ...(answered !== undefined && { answered }), ...answer },
  };
}

function whatOf(record: LogRecord, picked: What, made: Readonly<Record<string, unknown>>): What {
  const what: What = { ...picked, ...urlOf(record, picked.url), ...commandOf(record, picked), ...callOf(record) };
  // Where a header, a parameter or an upstream names the service, it is whom the request was for.
  const upstream = textOf(record.fields["s-ip"]);
  if (upstream !== undefined && isImdsAddress(upstream)) return { ...what, to: upstream };
  const found = textOf(made["found"]);
  const shown = Object.values(what).some(
    (value) => typeof value === "string" && found !== undefined && value.includes(found),
  );
  return found === undefined || shown ? what : { ...what, to: textOf(made["found.address"]) ?? found };
}

/** The words of a command that the audit logs one by one. */
function commandOf({ fields }: LogRecord, { command }: What): { command?: string } {
  if (command !== undefined || fieldOf(fields, "type") !== "EXECVE") return {};
  const words: string[] = [];
  for (let word = textOf(fields["a0"]); word !== undefined; word = textOf(fields[`a${words.length}`])) words.push(word);
  return words.length === 0 ? {} : { command: words.join(" ") };
}

function picked<Name extends string>(
  table: Readonly<Record<Name, readonly string[]>>,
  pick: (names: readonly string[]) => string | undefined,
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  for (const [name, names] of Object.entries(table) as [Name, readonly string[]][]) {
    const value = pick(names);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** Of web servers and sensors the URL is put together again. */
function urlOf({ fields }: LogRecord, url: string | undefined): { url?: string } {
  if (url !== undefined) {
    const asked = textOf(fieldOf(fields, "cs-uri-query"));
    return { url: asked === undefined || url.includes("?") ? url : `${url}?${asked}` };
  }
  const stem = textOf(fieldOf(fields, "cs-uri-stem")) ?? textOf(fieldOf(fields, "uri"));
  if (stem === undefined) return {};
  const query = textOf(fieldOf(fields, "cs-uri-query"));
  const host = textOf(fieldOf(fields, "host"));
  const path = `${stem}${query === undefined ? "" : `?${query}`}`;
  return {
    url:
      fieldOf(fields, "uri") !== undefined && host !== undefined && path.startsWith("/")
        ? `http://${host}${path}`
        : path,
  };
}

function callOf({ fields }: LogRecord): { call?: string } {
  const name = textOf(fieldOf(fields, "eventName"));
  if (name === undefined) return {};
  const service = textOf(fieldOf(fields, "eventSource"))?.replace(".amazonaws.com", "");
  return { call: service === undefined ? name : `${service}:${name}` };
}

function wasAnswered({ status, bytes, state }: Answer): boolean | undefined {
  if (status !== undefined && /^[1-5]\d\d$/.test(status)) return true;
  if (state !== undefined && REFUSED.test(state)) return false;
  if (bytes !== undefined && Number(bytes) > 0) return true;
  if (state !== undefined && ANSWERED.test(state)) return true;
  return bytes === "0" ? false : undefined;
}

function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.slice(0, 16).map(String).join(", ");
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" && value !== "-" ? value : undefined;
}
