/** The log formats that can be scanned: how each is recognised by its content, and how its lines become records. */
import type { RecordSource } from "./log-record.js";
import { cloudtrail, guardEvent, jsonLine, parseObject, suricataEve, sysmon, zeekJson } from "./log-json.js";
import type { ReadLine } from "./log-json.js";
import { looksLikeVpcFlow, vpcFlow, zeekTsv } from "./log-table.js";
import { combined, looksLikeSyslog, squid, syslog } from "./log-text.js";

/** Every format, in the order in which they are tried. */
export const FORMAT_NAMES = [
  "zeek-tsv",
  "zeek-json",
  "suricata",
  "cloudtrail",
  "events",
  "sysmon",
  "vpc-flow",
  "squid",
  "access-log",
  "syslog",
] as const;

/** One of {@link FORMAT_NAMES}. */
export type FormatName = (typeof FORMAT_NAMES)[number];

/** One format. */
export interface LogFormat {
  readonly name: FormatName;
  /** For people. */
  readonly title: string;
  /** Which logs records of this format are of. A service that is left out can be any. */
  readonly sources: readonly RecordSource[];
  /** Whether one line is enough to know the format. */
  readonly recognises: (line: string) => boolean;
  /** A reader for one stream: it may keep what a header said. */
  readonly open: (now: () => number) => (line: string) => ReadLine;
  /** Whether a character may be written as an escape (`\\u0061`, `\\/`, `\\x61`) that the reader resolves. */
  readonly escapes: boolean;
  /** Texts that mark the lines which the reader has to see although no rule looks for them. */
  readonly headers: readonly string[];
}

const json =
  (test: (fields: Readonly<Record<string, unknown>>) => boolean) =>
  (line: string): boolean => {
    const fields = line.startsWith("{") ? parseObject(line) : undefined;
    return fields !== undefined && test(fields);
  };

const zeekSources = ["conn", "http", "dns", "ssl"].map((service): RecordSource => ({ product: "zeek", service }));

/** Format by name. */
export const LOG_FORMATS: Readonly<Record<FormatName, LogFormat>> = {
  "zeek-tsv": {
    name: "zeek-tsv",
    title: "Zeek, tab-separated",
    sources: zeekSources,
    escapes: true,
    open: () => zeekTsv(),
    recognises: (line) => line.startsWith("#separator ") || /^#(?:fields|path)\t/.test(line),
    headers: ["#separator", "#set_separator", "#unset_field", "#empty_field", "#path", "#fields", "#types"],
  },
  "zeek-json": {
    name: "zeek-json",
    title: "Zeek, JSON",
    sources: zeekSources,
    escapes: true,
    headers: [],
    open: () => jsonLine(zeekJson),
    recognises: json(
      (fields) => Object.hasOwn(fields, "ts") && (Object.hasOwn(fields, "id.orig_h") || Object.hasOwn(fields, "_path")),
    ),
  },
  suricata: {
    name: "suricata",
    title: "Suricata EVE",
    escapes: true,
    headers: [],
    open: () => jsonLine(suricataEve),
    sources: [...zeekSources, { category: "network", service: "connection" }, { product: "suricata", service: "arp" }],
    recognises: json((fields) => Object.hasOwn(fields, "event_type") && Object.hasOwn(fields, "timestamp")),
  },
  cloudtrail: {
    name: "cloudtrail",
    title: "AWS CloudTrail",
    sources: [{ product: "aws", service: "cloudtrail" }],
    escapes: true,
    headers: [],
    open: () => jsonLine(cloudtrail),
    recognises: (line) =>
      /^\{\s*"Records"\s*:\s*\[?/.test(line) ||
      json((fields) => Object.hasOwn(fields, "eventVersion") && Object.hasOwn(fields, "eventSource"))(line),
  },
  events: {
    name: "events",
    title: "events of imds-guard",
    sources: [{ category: "application", product: "imds_guard" }],
    escapes: true,
    headers: [],
    open: () => jsonLine(guardEvent),
    recognises: json(
      (fields) =>
        (Object.hasOwn(fields, "code") && Object.hasOwn(fields, "severity") && Object.hasOwn(fields, "caller")) ||
        Object.hasOwn(fields, "imds_guard"),
    ),
  },
  sysmon: {
    name: "sysmon",
    title: "Sysmon, JSON",
    escapes: true,
    headers: [],
    open: () => jsonLine(sysmon),
    sources: ["process_creation", "network_connection"].flatMap((category) =>
      ["linux", "windows", "macos"].map((product) => ({ category, product })),
    ),
    recognises: json(
      (fields) => Object.hasOwn(fields, "EventID") || Object.hasOwn(fields, "winlog") || Object.hasOwn(fields, "Event"),
    ),
  },
  "vpc-flow": {
    name: "vpc-flow",
    title: "VPC flow logs",
    sources: [{ category: "firewall" }],
    escapes: false,
    headers: ["srcaddr"],
    open: () => vpcFlow(),
    recognises: looksLikeVpcFlow,
  },
  squid: {
    name: "squid",
    title: "squid access log",
    sources: [{ category: "proxy" }],
    escapes: false,
    headers: [],
    open: () => squid,
    recognises: (line) => typeof squid(line) === "object",
  },
  "access-log": {
    name: "access-log",
    title: "nginx or Apache access log",
    sources: [{ category: "webserver" }, { category: "proxy" }],
    escapes: false,
    headers: [],
    open: () => combined,
    recognises: (line) => combined(line) !== "malformed",
  },
  syslog: {
    name: "syslog",
    title: "syslog and kernel log",
    sources: [{ category: "firewall" }, { product: "linux", service: "syslog" }],
    escapes: false,
    headers: [],
    open: syslog,
    recognises: looksLikeSyslog,
  },
};

/** The format that the first of `lines` to be recognised is of, or `undefined`. */
export function detectFormat(lines: readonly string[]): FormatName | undefined {
  for (const line of lines) {
    const found = FORMAT_NAMES.find((name) => LOG_FORMATS[name].recognises(line));
    if (found !== undefined) return found;
  }
  return undefined;
}
