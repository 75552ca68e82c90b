/**
 * What `scan` judges by code and not by a rule of Sigma: spellings that only decoding shows, and records of formats that
 * no rule knows. Each judge says what it found under a rule of its own or of the shipped ones.
 */
import { findMention } from "../base/metadata-mention.js";
import type { Mention } from "../base/metadata-mention.js";
import { isImdsAddress } from "../base/addresses.js";
import { fieldOf } from "./log-record.js";
import type { Fields, LogRecord } from "./log-record.js";
import type { ForeignAccount } from "./account-forms.js";
import type { Wanted } from "./prefilter.js";
import type { Level } from "./sigma-rule.js";
import { SIGMA_RULES } from "./sigma-rules.js";

/** A rule as findings name it. */
export interface JudgeRule {
  readonly id: string;
  readonly title: string;
  readonly level: Level;
}

/** What a judge says of a record or a line. */
export interface Verdict {
  readonly rule: JudgeRule;
  /** What it looked at, and what it made of it: shown with the finding, secrets masked. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** For a foreign account: what the finding tells of it. Networks that have EC2 hosts have no part in such a verdict. */
  readonly foreign?: ForeignAccount;
}

/** A line after it was read. */
export interface ReadLine {
  /** As it stood, wrappers included; behind it, each in a line of its own, what was packed in it. */
  readonly text: string;
  /** What was read of it, from the outside to the inside; empty where no format was recognised. */
  readonly records: readonly LogRecord[];
  /** The columns of a row that no format read, by the names of the header. */
  readonly row?: Fields | undefined;
  readonly source: string;
  /** Number of the line on which it begins, from 1. */
  readonly line: number;
}

/** Judges records or lines beside the rules. */
export interface Judge {
  /** Which lines have to be read for it, besides those that name a metadata service. */
  readonly wanted?: readonly Wanted[];
  /** The position inside the first line in `from`..`to` that has to be read for it, or -1; where no texts say so. */
  readonly next?: (buffer: Buffer, from: number, to: number) => number;
  /** Asked for each record; `matched` are the ids of the rules that matched it. */
  readonly record?: (record: LogRecord, matched: readonly string[]) => readonly Verdict[];
  /** Asked once for each line that is read, recognised or not. */
  readonly line?: (line: ReadLine) => readonly Verdict[];
}

/** The shipped rule `web_imds_ssrf_attempt`, whose patterns see the usual spellings. */
const SSRF = {
  id: "5904c025-7dec-44bf-ad83-437ab741c75c",
  title: "Potential SSRF Against EC2 Instance Metadata Service",
};
/** The shipped rule `web_imds_ssrf_body`. */
const SSRF_BODY = {
  id: "371ad12b-efcf-4360-8e64-a1497470ab4b",
  title: "Potential SSRF Against EC2 Instance Metadata Service in Request Body",
};
const GENERIC: JudgeRule = {
  id: "a630c4f9-e291-4bda-937d-eda6e52b4362",
  title: "Record That Names EC2 Instance Metadata Address",
  level: "low",
};

const QUESTION: JudgeRule = {
  id: "7b0d3b0e-64a5-4f0c-8f55-0c8f3f1f6c0a",
  title: "DNS Query for Name of EC2 Instance Metadata Service",
  level: "low",
};
const REPORTED: JudgeRule = {
  id: "d3c9f6a2-1b6e-4b7d-9c38-5a2f0e7d4b11",
  title: "EC2 Instance Metadata Abuse Reported by Another Product",
  level: "high",
};

const BODIES = ["cs-body", "request_body"];
/** Fields that a client writes and a server may follow. */
const CLIENT_WRITES = [
  "cs-uri-stem",
  "cs-uri-query",
  "c-uri",
  "uri",
  "cs-referer",
  "referrer",
  ...BODIES,
  "cs-host",
  "host",
  "cs-user-agent",
  "c-useragent",
  "user_agent",
  "x-host-header",
  "x-forwarded-for",
  "message",
];
const CREDENTIALS = /security-credentials|user-data|api[/\\]+token|instance-identity|computeMetadata|credentials/i;

/**
 * Requests whose text names a metadata service in any spelling. An answer of 200 with bytes to a request for credentials
 * makes it high, any other answer of 200 medium, a refusal low.
 */
export const ssrfJudge: Judge = {
  record(record, matched) {
    // A request to the service itself is told by the rules on requests.
    if (matched.some((id) => id !== SSRF.id && id !== SSRF_BODY.id)) return [];
    if (record.source.category === "dns" || record.source.service === "dns") return questionVerdict(record);
    const names = isRequest(record) ? CLIENT_WRITES : ["c-uri"];
    for (const name of names) {
      const value = fieldOf(record.fields, name);
      const mention = typeof value === "string" ? findMention(value, { services: ["imds", "ecs", "eks"] }) : undefined;
      if (mention === undefined) continue;
      return [
        {
          rule: { ...(BODIES.includes(name) ? SSRF_BODY : SSRF), level: levelOf(record, String(value)) },
          fields: { [name]: value, ...mentionFields(mention) },
        },
      ];
    }
    // A header that the log has under a name of its own, in a place of its own.
    const mention = isRequest(record) ? findMention(record.text) : undefined;
    return mention === undefined
      ? []
      : [{ rule: { ...SSRF, level: levelOf(record, record.text) }, fields: mentionFields(mention) }];
  },
};

/** A name that holds the address leads there, whoever is asked for it. */
function questionVerdict(record: LogRecord): readonly Verdict[] {
  const query = fieldOf(record.fields, "query");
  const mention = typeof query === "string" ? findMention(query, { paths: false }) : undefined;
  return mention === undefined ? [] : [{ rule: QUESTION, fields: { query, ...mentionFields(mention) } }];
}

function isRequest({ source }: LogRecord): boolean {
  return source.category === "webserver" || source.category === "proxy" || source.service === "http";
}

function levelOf({ fields }: LogRecord, asked: string): Level {
  const status = Number(fieldOf(fields, "sc-status") ?? fieldOf(fields, "status_code"));
  const bytes = Number(fieldOf(fields, "sc-bytes") ?? fieldOf(fields, "response_body_len") ?? Number.NaN);
  if (!(status >= 200 && status < 300)) return "medium";
  return bytes > 0 && CREDENTIALS.test(asked) ? "high" : "medium";
}

function mentionFields(mention: Mention): Readonly<Record<string, string>> {
  return {
    found: mention.written,
    ...(mention.address !== undefined && { "found.address": mention.address }),
    ...(mention.layers > 0 && { "found.encoded": `${mention.layers} times percent-encoded` }),
  };
}

/** Where a record has its two ends, and the shipped rules on each. */
const ENDS: readonly (readonly [category: string, to: string, from: string, toRule: string, fromRule: string])[] = [
  ["firewall", "dst_ip", "src_ip", "net_firewall_imds_destination", "net_firewall_imds_responder"],
  [
    "network",
    "destination.ip",
    "source.ip",
    "network_connection_imds_destination",
    "network_connection_imds_responder",
  ],
  [
    "network_connection",
    "DestinationIp",
    "SourceIp",
    "net_connection_lnx_imds_destination",
    "network_connection_imds_responder",
  ],
];

/** Connections whose end is the address in a spelling that no rule lists, such as IPv6 with all its zeros. */
export const spellingJudge: Judge = {
  record(record, matched) {
    if (matched.length > 0) return [];
    const ends = ENDS.find(([category]) => category === record.source.category);
    if (ends === undefined) return [];
    const [, to, from, toRule, fromRule] = ends;
    for (const [name, file] of [
      [to, toRule],
      [from, fromRule],
    ] as const) {
      const value = fieldOf(record.fields, name);
      if (typeof value !== "string" || !isImdsAddress(value)) continue;
      const shipped = SIGMA_RULES.find((entry) => entry.file === file)?.rule;
      if (shipped === undefined) continue;
      return [{ rule: { id: shipped.id, title: shipped.title, level: shipped.level }, fields: { [name]: value } }];
    }
    return [];
  },
};

/** Records in which a field is the address, of a format that no rule reads. */
export const genericJudge: Judge = {
  record: (record) =>
    record.source.category === "generic" ? [{ rule: GENERIC, fields: { named: fieldOf(record.fields, "named") } }] : [],
};

/** Findings of Amazon GuardDuty and labels of AWS WAF that are about the metadata service, whatever else they name. */
const REPORTS = /InstanceCredentialExfiltration[\w.]{0,32}|MetadataDNSRebind|EC2MetaDataSSRF_\w{1,32}/;

/** What another product has found already: it says so in its own words, and not by the address. */
export const reportJudge: Judge = {
  wanted: [{ texts: ["instancecredentialexfiltration", "metadatadnsrebind", "ec2metadatassrf_"] }],
  record(record, matched) {
    if (matched.length > 0) return [];
    const report = REPORTS.exec(record.text)?.[0];
    if (report === undefined) return [];
    const { fields } = record;
    return [
      {
        rule: REPORTED,
        fields: {
          report,
          type: fieldOf(fields, "type"),
          title: fieldOf(fields, "title"),
          severity: fieldOf(fields, "severity"),
          count: fieldOf(fields, "service.count"),
          "userIdentity.accountId": fieldOf(fields, "accountId"),
          instance: fieldOf(fields, "resource.instanceDetails.instanceId"),
          user: fieldOf(fields, "resource.accessKeyDetails.userName"),
          from: fieldOf(fields, "service.action.awsApiCallAction.remoteIpDetails.ipAddressV4"),
          call: fieldOf(fields, "service.action.awsApiCallAction.api"),
          domain: fieldOf(fields, "service.action.dnsRequestAction.domain"),
        },
      },
    ];
  },
};
