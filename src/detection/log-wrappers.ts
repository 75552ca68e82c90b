/**
 * What collectors put around a line of a log: prefixes of syslog, containers and cloud tools, and JSON envelopes. Each is
 * peeled off, so that the line inside finds its own reader.
 */
import { usualTime } from "./log-fields.js";
import { fieldOf, isText, object } from "./log-record.js";
import type { Fields } from "./log-record.js";
import { monthNumber, timeOf, yearlessTime } from "./log-time.js";

/** What a wrapper said of the line in it. */
export interface Envelope {
  /** Milliseconds since the epoch. */
  readonly time?: number | undefined;
  /** `host`, `app`, `pod`, `container`, `stream`. */
  readonly origin: Readonly<Record<string, string>>;
}

/** A line out of its wrapper. */
export interface Peeled {
  readonly text: string;
  /** What it was in, and the text with that in front: from them {@link Wrapper.envelope} tells what was said of it. */
  readonly wrapper: Wrapper;
  readonly whole: string;
}

/** One wrapper of text. */
export interface Wrapper {
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Matches the first character of each text that has it in front. */
  readonly begins: RegExp;
  /** A text without this in front, or `undefined` where nothing or nothing else is there. */
  readonly peel: (text: string) => string | undefined;
  /** What is said in front of a text that has this there: it is asked for seldom. */
  readonly envelope: (text: string, now: () => number) => Envelope;
}

/** `begins` matches the first character of whatever the pattern does: most prefixes are told apart by it. */
function prefix(
  name: string,
  title: string,
  begins: RegExp,
  pattern: RegExp,
  read: (groups: Readonly<Record<string, string | undefined>>) => Record<string, string | undefined> = () => ({}),
): Wrapper {
  // Groups with names take longer to hand over than all the rest of a match.
  const end = new RegExp(pattern.source.replace(/\(\?<(?![=!])\w+>/g, "(?:"), `${pattern.flags}y`);
  return {
    name,
    title,
    begins,
    peel(text) {
      end.lastIndex = 0;
      if (!end.test(text) || end.lastIndex === 0 || end.lastIndex === text.length) return undefined;
      return text.slice(end.lastIndex);
    },
    envelope(text, now) {
      const groups = pattern.exec(text)?.groups ?? {};
      return { time: timeIn(groups, now), origin: known(read(groups)) };
    },
  };
}

function timeIn(groups: Readonly<Record<string, string | undefined>>, now: () => number): number | undefined {
  const { iso, month, day = "", clock = "", year, firstYear = year } = groups;
  if (iso !== undefined) return timeOf(iso);
  if (month === undefined) return undefined;
  return firstYear === undefined
    ? yearlessTime(month, day, clock, now())
    : timeOf(`${firstYear}-${monthNumber(month)}-${day.padStart(2, "0")}T${clock}Z`);
}

const ISO = String.raw`(?<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)`;
const BSD = String.raw`(?:(?<firstYear>\d{4}) )?(?<month>[A-Z][a-z]{2}) {1,2}(?<day>\d{1,2})(?: (?<year>\d{4}))? (?<clock>\d\d:\d\d:\d\d)(?:\.\d{1,6})?(?: [A-Z]{3,4})?`;

/** Prefixes, in the order in which they are tried. */
export const WRAPPERS: readonly Wrapper[] = [
  // 57 <34>1 2026-...: RFC 6587, section 3.4.1
  prefix("octet-count", "syslog, octet-counted", /\d/, /^\d{1,7} (?=<\d{1,3}>)/),
  prefix(
    "syslog-5424",
    "syslog (RFC 5424)",
    /</,
    new RegExp(
      String.raw`^<\d{1,3}>1 (?:-|${ISO}) (?<host>\S{1,255}) (?<app>\S{1,255}) (?<pid>\S{1,128}) \S{1,255} ` +
        // Structured data may hold the record itself, as that of Juniper's and Check Point's firewalls: it is left.
        String.raw`(?:- ?|(?=\[))\ufeff?`,
    ),
    ({ host, app, pid }) => ({ host, app, pid }),
  ),
  prefix(
    "syslog-data",
    "syslog (RFC 5424)",
    /\[/,
    /^\[(?![\d.]{1,20}\])[\w@.-]{1,64}(?: [\w@.-]{1,64}="[^"\\]{0,1024}")*\] (?=\S)/,
  ),
  prefix(
    "syslog-3164",
    "syslog (RFC 3164), journal as text",
    /[<\dA-Z]/,
    new RegExp(
      String.raw`^(?:<\d{1,3}>)?${BSD}:? (?:(?<host>[\w.:-]{1,255}) )?(?:(?<app>[\w./@()-]{1,128})?(?:\[(?<pid>\d{1,10})\])? ?:(?!\d) ?)?`,
    ),
    ({ host, app, pid }) => ({ host, app, pid }),
  ),
  // With a time that other wrappers have as well, only what names a program is syslog.
  prefix(
    "syslog-iso",
    "syslog with ISO 8601 times, journal as text",
    /[<\d]/,
    new RegExp(
      String.raw`^(?:<\d{1,3}>)?(?<iso>\d{4}-\d\d-\d\dT[\d:.,]{8,18}(?:Z|[+-]\d\d:?\d\d)?) ` +
        String.raw`(?<host>[\w.:-]{1,255}) (?<app>[\w./@()-]{1,128})?(?:\[(?<pid>\d{1,10})\])? ?: ?`,
    ),
    ({ host, app, pid }) => ({ host, app, pid }),
  ),
  prefix(
    "syslog-epoch",
    "syslog (RFC 5424) with seconds since the epoch, as of Meraki",
    /</,
    /^<\d{1,3}>1 (?<iso>\d{10}\.\d{1,9}) (?<host>\S{1,255}) /,
    ({ host }) => ({ host }),
  ),
  prefix("priority", "syslog priority", /</, /^<\d{1,3}>:? ?/),
  prefix(
    "syslog-sequence",
    "sequence numbers in front of syslog, as of Cisco's routers and switches",
    /\d/,
    /^\d{1,10}: (?:[\w.-]{1,64}: )?[*.]?(?=[A-Z][a-z]{2} {1,2}\d)/,
  ),
  prefix(
    "syslog-points",
    "syslog of Sophos UTM",
    /\d/,
    /^(?<iso>\d{4}:\d\d:\d\d-\d\d:\d\d:\d\d) (?<host>\S{1,255}) (?<app>[\w./-]{1,128})\[(?<pid>\d{1,10})\]: /,
    ({ host, app, pid }) => ({ host, app, pid }),
  ),
  prefix(
    "routeros",
    "times of RouterOS",
    /[a-z]/i,
    /^(?<month>[a-z]{3})\/(?<day>\d\d)(?:\/(?<year>\d{4}))? (?<clock>\d\d:\d\d:\d\d) /i,
  ),
  prefix("epoch", "seconds since the epoch", /\d/, /^(?<iso>\d{10}(?:\.\d{1,9})?)[\t ]{1,4}(?=\S)/),
  prefix(
    "level",
    "a level and a time in front, as of tinyproxy",
    /[A-Z]/,
    new RegExp(String.raw`^[A-Z]{4,8} {1,8}${BSD} \[(?<pid>\d{1,10})\]: `),
    ({ pid }) => ({ pid }),
  ),
  prefix(
    "cri",
    "CRI (containerd, CRI-O)",
    /\d/,
    new RegExp(String.raw`^${ISO} (?<stream>stdout|stderr) [FP](?::[FP])* `),
    ({ stream }) => ({
      stream,
    }),
  ),
  prefix("compose", "docker compose logs", /[\w.-]/, /^(?<container>[\w.-]{1,128}) +\| /, ({ container }) => ({
    container,
  })),
  prefix(
    "kubectl",
    "kubectl logs --prefix",
    /\[/,
    /^\[pod\/(?<pod>[\w.-]{1,253})\/(?<container>[\w.-]{1,128})\] /,
    (origin) => ({
      pod: origin["pod"],
      container: origin["container"],
    }),
  ),
  // 2026-... web/i-0123 message, as `aws logs tail` writes it.
  prefix(
    "time",
    "a time in front, as of an export of CloudWatch Logs",
    /[[\d]/,
    new RegExp(String.raw`^\[?${ISO}\]?[\t ,|:]{1,4}`),
  ),
  prefix(
    "aws-logs-tail",
    "aws logs tail",
    /\d/,
    new RegExp(String.raw`^${ISO} (?<stream>[\w./:$\[\]#*@-]{1,512}) (?=\S)`),
    ({ stream }) => ({ stream }),
  ),
  prefix("kernel-time", "seconds since the start, of the kernel", /\[/, /^\[ {0,8}\d{1,8}\.\d{6}\] /),
  prefix(
    "grep",
    "a file name in front, as of grep",
    /[\w./-]/,
    /^(?:\.{0,2}\/)?[\w.-]{1,128}(?:\/[\w.-]{1,128}){0,16}\.(?:log|json|jsonl|txt|gz)(?:\.\d)?:(?:\d{1,9}:)?/,
  ),
];

const BY_CHARACTER: (readonly Wrapper[])[] = [];

/** No prefix begins with a character beyond ASCII. */
function beginningWith(code: number): readonly Wrapper[] {
  if (!(code < 128)) return [];
  return (BY_CHARACTER[code] ??= WRAPPERS.filter(({ begins }) => begins.test(String.fromCharCode(code))));
}

/** The text without its outermost prefix, in each way in which it can be read. */
export function peelPrefix(text: string): readonly Peeled[] {
  const found: Peeled[] = [];
  for (const wrapper of beginningWith(text.charCodeAt(0))) {
    const peeled = wrapper.peel(text);
    if (peeled !== undefined) found.push({ text: peeled, wrapper, whole: text });
  }
  return found;
}

const TIME_NAMES = [
  "@timestamp",
  "timestamp",
  "time",
  "ts",
  "eventTime",
  "event_time",
  "__REALTIME_TIMESTAMP",
  "_SOURCE_REALTIME_TIMESTAMP",
  "date",
  "datetime",
  "TimeGenerated",
  "ingestionTime",
  "receiveTimestamp",
];
const ORIGIN_NAMES: Readonly<Record<string, readonly string[]>> = {
  host: [
    "_HOSTNAME",
    "host.name",
    "hostname",
    "host",
    "kubernetes.host",
    "agent.name",
    "Computer",
    "source_host",
    "logsource",
  ],
  app: ["SYSLOG_IDENTIFIER", "_COMM", "syslog.appname", "appname", "program", "process.name", "container_name"],
  pod: ["kubernetes.pod_name", "kubernetes.pod.name", "k8s.pod.name", "resource.labels.pod_name", "pod"],
  container: ["kubernetes.container_name", "kubernetes.container.name", "container.name", "CONTAINER_NAME"],
  stream: ["logStream", "logStreamName", "@logStream", "stream"],
};

/** What an object around a line says of it. */
export function envelopeOf(fields: Fields): Envelope {
  let time: number | undefined;
  for (const name of TIME_NAMES) {
    if (time === undefined) time = timeOf(fieldOf(fields, name));
  }
  time ??= usualTime(fields);
  const origin: Record<string, string | undefined> = {};
  for (const [name, from] of Object.entries(ORIGIN_NAMES)) {
    origin[name] = from.map((field) => fieldOf(fields, field)).find(isText);
  }
  return { time, origin: known(origin) };
}

/** What the inner wrapper says first; what it leaves out, the outer one says. */
export function joined(outer: Envelope, inner: Envelope): Envelope {
  return { time: inner.time ?? outer.time, origin: { ...outer.origin, ...inner.origin } };
}

/** Properties whose elements are records of their own: of documents, exports and deliveries. */
const LISTS = new Set([
  "Records",
  "records",
  "Events",
  "events",
  "logEvents",
  "Findings",
  "findings",
  "value",
  "results",
  "result",
  "hits",
  "items",
  "entries",
  "logs",
  "messages",
  "rows",
  "streams",
  "values",
  "data",
  "flowRecords",
  "flows",
  "flowGroups",
  "flowTuples",
  "resourceLogs",
  "scopeLogs",
  "logRecords",
  "snapshot",
]);

const NO_LISTS: readonly (readonly unknown[])[] = [];

/** The lists of an object whose elements are records. */
export function recordLists(fields: Fields): readonly (readonly unknown[])[] {
  let lists: (readonly unknown[])[] | undefined;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (Array.isArray(value) && LISTS.has(name)) (lists ??= []).push(value);
  }
  return lists ?? NO_LISTS;
}

/** Whether elements of a list of that name are records of their own. */
export function isRecordList(name: string): boolean {
  return LISTS.has(name);
}

/**
 * A list that holds a field each: as CloudWatch Logs Insights answers, `[{ field, value }, ...]`, or as OpenTelemetry
 * writes attributes, `[{ key, value: { stringValue } }, ...]`.
 */
export function fieldPairs(elements: readonly unknown[]): Fields | undefined {
  if (elements.length === 0 || elements.length > 1_024) return undefined;
  const pairs: [string, unknown][] = [];
  for (const element of elements) {
    const { field, key, value } = object(element);
    if (isText(field)) pairs.push([field, value]);
    else if (isText(key) && typeof value === "object" && value !== null) pairs.push([key, Object.values(value)[0]]);
    else return undefined;
  }
  return Object.fromEntries(pairs);
}

function known(origin: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(origin).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== "-"),
  );
}
