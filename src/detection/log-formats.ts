/** The table of log formats that are read: a new format is an entry and a sample. */
import type { LogFormat, Reading } from "./log-format.js";
import { JSON_FORMATS } from "./log-json.js";
import { LABELLED_FORMAT, PAIR_FORMATS } from "./log-pairs.js";
import { TABLE_FORMATS } from "./log-table.js";
import type { Fields } from "./log-record.js";
import { LOOSE_FORMATS, ROW_FORMAT, TEXT_FORMATS } from "./log-text.js";

const LINUX_SYSLOG = { product: "linux", service: "syslog" };

/** What is left of syslog and the kernel's log when no other format reads a line: messages of Linux. */
const SYSLOG: LogFormat = {
  name: "syslog",
  title: "syslog, the journal and the kernel's log",
  sources: [LINUX_SYSLOG],
  broad: true,
  recognised: "a time and a host in front, or a `MESSAGE` of the journal",
  open: (_now, _columns, named) => (line) =>
    named === true || SYSLOG_START.test(line)
      ? // When it was, the prefix tells.
        [{ source: LINUX_SYSLOG, fields: { message: line }, text: line }]
      : undefined,
};
const SYSLOG_START =
  /^(?:<\d{1,3}>(?:1 )?)?(?:\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-]\d\d:?\d\d)|[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d)[ :]|^\[ *\d+\.\d{6}\] /;

/** The message of a record that the journal exports as JSON: what is left when no other format reads it. */
export function journalMessage(fields: Fields, text: string): Reading {
  const message = fields["MESSAGE"];
  if (typeof message !== "string" || !Object.hasOwn(fields, "__REALTIME_TIMESTAMP")) return undefined;
  // Rules look for the name of the program, too: in the whole record, as in a line of syslog.
  return [{ source: LINUX_SYSLOG, fields: { message: text }, text }];
}

/** Formats that a whole line has to fit, in the order in which they are tried: before anything is peeled off it. */
export const LINE_FORMATS: readonly LogFormat[] = [...TABLE_FORMATS, ...TEXT_FORMATS, LABELLED_FORMAT];

/** Formats that are recognised by a part of a line, in the order in which they are tried: behind what it is wrapped in. */
export const LAST_FORMATS: readonly LogFormat[] = [
  ...PAIR_FORMATS.filter(({ name }) => name !== "pairs"),
  ...LOOSE_FORMATS,
  ...PAIR_FORMATS.filter(({ name }) => name === "pairs"),
  ROW_FORMAT,
  SYSLOG,
];

/** Every format. */
export const LOG_FORMATS: readonly LogFormat[] = [...JSON_FORMATS, ...LINE_FORMATS, ...LAST_FORMATS];

/** Names of every format, as `--format` takes them. */
export const FORMAT_NAMES: readonly string[] = LOG_FORMATS.map(({ name }) => name);

/** A name in {@link FORMAT_NAMES}. */
export type FormatName = string;

/** The format of a name, or `undefined`. */
export function formatOf(name: string): LogFormat | undefined {
  return LOG_FORMATS.find((format) => format.name === name);
}

export { JSON_FORMATS, ROW_FORMAT, SYSLOG };
