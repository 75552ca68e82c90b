/**
 * What `scan` judges by code and not by a rule of Sigma: spellings that only decoding shows, and records of formats that
 * no rule knows. Each judge says what it found under a rule of its own or of the shipped ones.
 */
import { findMention } from "../base/metadata-mention.js";
import type { Mention } from "../base/metadata-mention.js";
import { fieldOf } from "./log-record.js";
import type { LogRecord } from "./log-record.js";
import type { ForeignAccount } from "./account-forms.js";
import type { Wanted } from "./prefilter.js";
import type { Level } from "./sigma-rule.js";

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
  /** As it stood, wrappers included. */
  readonly text: string;
  /** What was read of it, from the outside to the inside; empty where no format was recognised. */
  readonly records: readonly LogRecord[];
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
const GENERIC: JudgeRule = {
  id: "a630c4f9-e291-4bda-937d-eda6e52b4362",
  title: "Record That Names EC2 Instance Metadata Address",
  level: "low",
};

/** Fields that a client writes and a server may follow. */
const CLIENT_WRITES = [
  "cs-uri-stem",
  "cs-uri-query",
  "c-uri",
  "uri",
  "cs-referer",
  "referrer",
  "cs-body",
  "request_body",
  "cs-host",
  "host",
  "cs-user-agent",
  "c-useragent",
  "user_agent",
  "x-host-header",
  "x-forwarded-for",
];
const CREDENTIALS = /security-credentials|user-data|api[/\\]+token|instance-identity|computeMetadata|credentials/i;

/**
 * Requests whose text names a metadata service in any spelling. An answer of 200 with bytes to a request for credentials
 * makes it high, any other answer of 200 medium, a refusal low.
 */
export const ssrfJudge: Judge = {
  record(record, matched) {
    // A request to the service itself is told by the rules on requests.
    if (!isRequest(record) || matched.some((id) => id !== SSRF.id)) return [];
    for (const name of CLIENT_WRITES) {
      const value = fieldOf(record.fields, name);
      const mention = typeof value === "string" ? findMention(value, { services: ["imds", "ecs", "eks"] }) : undefined;
      if (mention === undefined) continue;
      return [
        {
          rule: { ...SSRF, level: levelOf(record, String(value)) },
          fields: { [name]: value, ...mentionFields(mention) },
        },
      ];
    }
    return [];
  },
};

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

/** Records in which a field is the address, of a format that no rule reads. */
export const genericJudge: Judge = {
  record: (record) =>
    record.source.category === "generic" ? [{ rule: GENERIC, fields: { named: fieldOf(record.fields, "named") } }] : [],
};
