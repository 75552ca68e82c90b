/** Formats of names with values in one line: firewalls' key=value, CEF, LEEF, and events of Windows in XML. */
import { DNS, FIREWALL, HOST_SOURCES, PROXY, WEBSERVER } from "./log-format.js";
import type { LogFormat, Reading } from "./log-format.js";
import { isAddress } from "./log-fields.js";
import { windowsEvent } from "./log-json.js";
import { pairsRecord } from "./pairs-record.js";
import type { Fields } from "./log-record.js";

/** More names than that are no record's. */
const MOST_PAIRS = 512;
// Also `Name(1003)=value` of Comware and `"name"=>"value"` of Ruby.
const PAIR =
  /(?<![^\s,;|({["])"?([A-Za-z_@][\w.@:-]{0,63})(?:\(\d{1,6}\))?"?=(?:>(?="))?("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;|)}\]]*)/g;
const COLON_PAIR = /([A-Za-z_][\w.@-]{0,63}):\s?"((?:[^"\\]|\\.)*)"(?=[;,\]\s}]|$)/g;

/** `Src IP: 10.0.0.1, Dst IP: 10.0.0.2` */
const LISTED_PAIR = /(?<=^|[,:;] )([A-Z][\w-]{0,31}(?: [A-Z][\w-]{0,31}){0,2}): ([^\s,;]{1,256})(?=[,;]|$)/g;
/** Names with values between separators, where values may hold spaces: `time:... TAB host:...`, `time=...|src=...`. */
const SEPARATED: readonly (readonly [separator: string, sign: string, lines: RegExp])[] = [
  ["\t", ":", /^(?:[A-Za-z_][\w.-]{0,63}:[^\t]{0,65536}\t){2}/],
  ["|", "=", /(?:[A-Za-z_][\w./-]{0,63}=[^|=]{0,256}\|){3}/],
];

function readSeparated(line: string): Fields | undefined {
  const form = SEPARATED.find(([separator, , lines]) => line.includes(separator) && lines.test(line));
  if (form === undefined) return undefined;
  const [separator, sign] = form;
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const part of line.split(separator, MOST_PAIRS)) {
    const at = part.indexOf(sign);
    const name = /[\w./-]+$/.exec(part.slice(0, Math.max(0, at)))?.[0];
    if (name !== undefined && !Object.hasOwn(fields, name)) fields[name] = part.slice(at + 1);
  }
  // The host of LTSV is who asked.
  return sign === ":" && isAddress(fields["host"])
    ? { ...fields, remote: fields["host"], host: fields["vhost"] }
    : fields;
}

/**
 * The pairs of a line: `name=value`, `name="a value"`, `name:"a value";`, `Name: value,`, and those of LTSV. The first of a
 * name counts.
 */
export function readPairs(line: string): Fields {
  const separated = readSeparated(line);
  if (separated !== undefined) return separated;
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  let count = 0;
  const add = (name: string, value: string): void => {
    if (count++ < MOST_PAIRS && fields[name] === undefined) fields[name] = value;
  };
  // Every line in which there is an equals sign comes here, and matchAll() makes a copy of the expression each time.
  PAIR.lastIndex = 0;
  for (let pair = PAIR.exec(line); pair !== null; pair = PAIR.exec(line)) {
    const value = pair[2]!;
    const quoted = value.startsWith('"') || value.startsWith("'");
    add(pair[1]!, quoted ? value.slice(1, -1) : value);
  }
  if (/ (?:IP|Addr\w{0,6}): /i.test(line))
    for (const [, name = "", value = ""] of line.matchAll(LISTED_PAIR)) add(name, value);
  if (line.includes(':"') || line.includes(': "'))
    for (const [, name = "", value = ""] of line.matchAll(COLON_PAIR)) add(name, value);
  return fields;
}

const CEF = /CEF:\s?\d(?:\.\d)?\|(?:(?:[^|\\]|\\.)*\|){6}/;

const CEF_NAME = /(?:^|\s)([A-Za-z_][\w.[\]-]{0,63})=/g;

/** The extension of CEF: a value ends where the next name begins. */
function cefPairs(extension: string): Fields {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  const escaped = extension.includes("\\=");
  CEF_NAME.lastIndex = 0;
  let next = CEF_NAME.exec(extension);
  for (let count = 0; next !== null && count < MOST_PAIRS; count++) {
    const name = next[1]!;
    const from = CEF_NAME.lastIndex;
    next = CEF_NAME.exec(extension);
    const value = extension.slice(from, next?.index).trim();
    fields[name] = escaped ? value.replaceAll("\\=", "=") : value;
  }
  return fields;
}

function cef(line: string): Reading {
  const mark = CEF.exec(line.slice(0, 65_536));
  if (mark === null) return undefined;
  const fields = cefPairs(line.slice(mark.index + mark[0].length));
  return pairsRecord({ ...fields, timestamp: fields["rt"] ?? fields["start"] }, line) ?? "other";
}

function leef(line: string): Reading {
  const mark = /LEEF:\s?[12](?:\.0)?\|(?:[^|]*\|){4}(?:(x?[0-9a-f]{1,6}|[^|\w\s])\|)?/i.exec(line.slice(0, 4_096));
  if (mark === null) return undefined;
  const body = line.slice(mark.index + mark[0].length);
  const hexCode = mark[1];
  const separator =
    hexCode === undefined
      ? "\t"
      : /^x?[0-9a-f]{2,6}$/i.test(hexCode)
        ? String.fromCharCode(Number.parseInt(hexCode.replace(/^x/i, ""), 16))
        : hexCode;
  const parts = body.includes(separator) ? body.split(separator) : body.split(/\s(?=[\w.-]+=)/);
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let index = 0; index < parts.length && index < MOST_PAIRS; index++) {
    const part = parts[index]!;
    const sign = part.indexOf("=");
    fields[part.slice(0, Math.max(0, sign)).trim()] = part.slice(sign + 1);
  }
  return pairsRecord({ ...fields, timestamp: fields["devTime"] }, line) ?? "other";
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w{2,4}));/gi,
    (all, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? all;
      const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : all;
    },
  );
}

/** One event of Windows' event log as XML: its id, and the data by their names. */
function windowsXml(line: string): Reading {
  if (!/<Event[ >]/.test(line.slice(0, 4_096))) return undefined;
  const id = /<EventID(?: [^>]{0,64})?>(\d{1,6})<\/EventID>/.exec(line)?.[1];
  if (id === undefined) return undefined;
  const data: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [, , name = "", value = ""] of line.matchAll(
    /<Data Name=(["'])([\w-]{1,64})\1>([^<]{0,65536})<\/Data>/g,
  )) {
    data[name] = unescaped(value);
  }
  const time = /<TimeCreated SystemTime=["']([^"']{1,40})["']/.exec(line)?.[1];
  const host = /<Computer>([^<]{1,255})<\/Computer>/.exec(line)?.[1];
  return windowsEvent({ EventID: id, EventData: data, timestamp: time, Computer: host, os: "windows" }, line);
}

/** A format of pairs that a product is known by. */
function product(name: string, title: string, recognised: string, mark: RegExp, holds?: LogFormat["holds"]): LogFormat {
  return {
    name,
    holds,
    title,
    sources: [FIREWALL, PROXY, WEBSERVER],
    recognised,
    open: () => (line) =>
      mark.test(line.slice(0, 16_384)) ? (pairsRecord(readPairs(line), line) ?? "other") : undefined,
  };
}

const CHECK_POINT = /\b(?:loguid|origin|ifdir)[:=]/;
const HAS_PAIRS = /=| (?:IP|Addr\w{0,6}): /i;

/** Formats of pairs, in the order in which they are tried. */
export const PAIR_FORMATS: readonly LogFormat[] = [
  {
    name: "windows-xml",
    title: "Sysmon and Windows audit, XML",
    sources: [...HOST_SOURCES, DNS],
    recognised: "`<Event>` with `<EventID>`",
    holds: ["<Event"],
    open: () => windowsXml,
  },
  {
    name: "cef",
    title: "CEF",
    sources: [FIREWALL, PROXY, WEBSERVER],
    recognised: "`CEF:0|`",
    holds: ["CEF:"],
    open: () => cef,
  },
  {
    name: "leef",
    title: "LEEF",
    sources: [FIREWALL, PROXY, WEBSERVER],
    recognised: "`LEEF:1.0|` or `LEEF:2.0|`",
    holds: ["|"],
    open: () => leef,
  },
  product(
    "fortigate",
    "FortiGate",
    "`devname` or `devid`, and `logid`",
    /\bdev(?:name|id)=.{0,400}\blogid=|\blogid=.{0,400}\btype=/,
    ["logid="],
  ),
  product("check-point", "Check Point", "`origin` or `loguid` with `src` and `dst`", CHECK_POINT, [CHECK_POINT]),
  product("f5-asm", "F5 BIG-IP ASM", "`ip_client` and `uri`", /\bip_client="/, ['ip_client="']),
  product("juniper", "Juniper SRX, structured", "`source-address` and `destination-address`", /\bsource-address="/, [
    'source-address="',
  ]),
  {
    name: "pairs",
    broad: true,
    title: "name=value lines: Sophos, SonicWall, WatchGuard, HAProxy, logfmt and others",
    sources: [FIREWALL, PROXY, WEBSERVER],
    recognised: "a source and a destination address, or a URL with a method or a status, under a usual name",
    holds: [HAS_PAIRS],
    open: () => (line) => (HAS_PAIRS.test(line) ? pairsRecord(readPairs(line), line) : undefined),
  },
];

/** Labelled values between tabs: a whole line has to fit. */
export const LABELLED_FORMAT = product(
  "ltsv",
  "LTSV, labelled values between tabs",
  "`label:value`, a tab and so on",
  SEPARATED[0]![2],
  ["\t"],
);

/** The columns of a row of a CSV, if there are as many as in its header. */
export function csvColumnsOf(header: readonly string[], line: string): readonly string[] | undefined {
  const columns = csvColumns(line, separatorOf(line));
  return columns.length === header.length ? columns : undefined;
}

/** Columns by the names of a header. */
export function csvFields(header: readonly string[], columns: readonly string[]): Fields {
  const fields: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let index = 0; index < columns.length; index++) fields[header[index]!] = columns[index]!;
  return fields;
}

/** The header of a CSV, if a line can be one: three names or more, none of them a number or an address. */
export function csvHeader(line: string): readonly string[] | undefined {
  if (line.length > 16_384) return undefined;
  const columns = csvColumns(line, separatorOf(line)).map((column) => column.trim());
  if (columns.length < 2 || columns.length > MOST_PAIRS) return undefined;
  return columns.every((column) => /^[A-Za-z_@#][\w .()/@:#-]{0,63}$/.test(column)) ? columns : undefined;
}

const SEPARATORS = [",", "\t", ";", "|"];

/** The one that a line has most of, the first of several that it has as many of. */
function separatorOf(line: string): string {
  let best = ",";
  let most = 0;
  for (const separator of SEPARATORS) {
    let count = 0;
    for (let at = line.indexOf(separator); at !== -1; at = line.indexOf(separator, at + 1)) count++;
    if (count > most) [best, most] = [separator, count];
  }
  return best;
}

function csvColumns(line: string, separator: string): readonly string[] {
  if (!line.includes('"')) return line.split(separator);
  const columns: string[] = [];
  let at = 0;
  while (at <= line.length) {
    if (line[at] === '"') {
      let end = at + 1;
      while (end < line.length && !(line[end] === '"' && line[end + 1] !== '"')) end += line[end] === '"' ? 2 : 1;
      columns.push(line.slice(at + 1, end).replaceAll('""', '"'));
      const next = line.indexOf(separator, end);
      if (next === -1) break;
      at = next + 1;
    } else {
      const next = line.indexOf(separator, at);
      columns.push(line.slice(at, next === -1 ? line.length : next));
      if (next === -1) break;
      at = next + 1;
    }
  }
  return columns;
}
