/** What the scanner reports of one match: which rule, where, and the fields that tell the story, without secrets. */
import { detailsOf } from "./finding-details.js";
import type { Answer, What, Who } from "./finding-details.js";
import { fieldOf } from "./log-record.js";
import type { LogRecord } from "./log-record.js";
import { detached, maskSecrets } from "../base/text.js";
import type { ForeignAccount } from "./account-forms.js";
import type { Correlated } from "./sigma-correlation.js";
import type { Level } from "./sigma-rule.js";

/** One match. Holds no secret that {@link maskSecrets} recognises. */
export interface ScanFinding extends Partial<ForeignAccount> {
  readonly rule: { readonly id: string; readonly title: string; readonly level: Level };
  /** Name of the file or stream. */
  readonly source: string;
  /** Line on which the record begins, from 1. */
  readonly line: number;
  /** ISO 8601, UTC, where the record tells. */
  readonly time?: string;
  /** Who asked, and whom: addresses as they were logged. */
  readonly from?: string;
  readonly to?: string;
  /** Who asked, what for, and how it went, as far as the log tells. Texts are masked and cut like the fields. */
  readonly who: Who;
  readonly what: What;
  readonly answer: Answer;
  /** Field -> value: what the rule looked at, and what an analyst asks next. Texts are cut after 512 characters. */
  readonly fields: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /**
   * For correlations: what the matches share, and how many there were. The other properties are those of the last one.
   */
  readonly correlated?: { readonly group: Readonly<Record<string, string>>; readonly count: number };
}

const CONTEXT = [
  "src_port",
  "dst_port",
  "action",
  "interface_in",
  "mac",
  "id.orig_p",
  "id.resp_p",
  "conn_state",
  "resp_bytes",
  "vlan",
  "resp_l2_addr",
  "source.port",
  "destination.port",
  "destination.bytes",
  "Image",
  "User",
  "DestinationPort",
  "CommandLine",
  "ParentImage",
  "method",
  "host",
  "uri",
  "status_code",
  "user_agent",
  "cs-method",
  "c-uri",
  "cs-uri-stem",
  "sc-status",
  "c-useragent",
  "cs-user-agent",
  "query",
  "qtype_name",
  "answers",
  "server_name",
  "arp.src_mac",
  "arp.dest_mac",
  "message",
  "code",
  "claimed.accountId",
  "claimed.roleName",
  "responder.mac",
  "caller.argv0",
  "eventName",
  "userAgent",
  "userIdentity.arn",
  "userIdentity.accountId",
  "recipientAccountId",
  "userIdentity.sessionContext.ec2RoleDelivery",
];
const LONGEST = 512;
const MOST_ELEMENTS = 16;

/** What a finding is made of: who matched or judged a record, and what that looked at. */
export interface Matched {
  readonly rule: { readonly id: string; readonly title: string; readonly level: Level };
  /** Names of the fields that decided. */
  readonly fields: readonly string[];
  /** What was made of them. */
  readonly made?: Readonly<Record<string, unknown>> | undefined;
}

/** The finding that a matching record makes. */
export function findingOf(matched: Matched, record: LogRecord, source: string, line: number): ScanFinding {
  const fields: Record<string, string | number | boolean | readonly string[]> = {};
  for (const name of new Set([...matched.fields, ...CONTEXT])) {
    const value = shown(fieldOf(record.fields, name));
    if (value !== undefined) fields[name] = value;
  }
  for (const [name, made] of Object.entries({ ...record.envelope, ...matched.made })) {
    const value = shown(made);
    if (value !== undefined) fields[name] ??= value;
  }
  const { who, what, answer } = detailsOf(record, matched.made);
  const from = who.address;
  const to = what.to;
  return {
    rule: ruleSummary(matched.rule),
    source,
    line,
    // Beyond the year 275760 there is no ISO form.
    ...(record.time !== undefined && Math.abs(record.time) <= 8.64e15 && { time: new Date(record.time).toISOString() }),
    ...(from !== undefined && { from: text(from) }),
    ...(to !== undefined && { to: text(to) }),
    who: masked(who),
    what: masked(what),
    answer: masked(answer),
    fields,
  };
}

/** The finding of a correlation that `last` completed. */
export function correlatedFinding({ rule, group, count }: Correlated, last: ScanFinding): ScanFinding {
  const masked = Object.fromEntries(Object.entries(group).map(([name, value]) => [name, text(value)]));
  return { ...last, rule: ruleSummary(rule), correlated: { group: masked, count } };
}

function ruleSummary({ id, title, level }: ScanFinding["rule"]): ScanFinding["rule"] {
  return { id, title, level };
}

/** The details as they may be shown. */
function masked<T extends Who | What | Answer>(details: T): T {
  const entries = Object.entries(details).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === "string" ? text(value) : value,
  ]);
  return Object.fromEntries(entries) as T;
}

function shown(value: unknown): string | number | boolean | readonly string[] | undefined {
  if (typeof value === "string") return text(value);
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (Array.isArray(value))
    return value
      .slice(0, MOST_ELEMENTS)
      .map((element: unknown) => text(typeof element === "string" ? element : (JSON.stringify(element) ?? "null")));
  return undefined;
}

/** A text of a log as it may be shown and kept: without secrets, cut, and holding on to nothing longer. */
export function text(value: string): string {
  // Masked before it is cut, or the cut could leave a secret too short to be recognised. What follows is not looked at.
  const masked = maskSecrets(value.slice(0, 8 * LONGEST));
  return detached(masked.length > LONGEST ? `${masked.slice(0, LONGEST)}...` : masked);
}
