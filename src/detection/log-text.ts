/**
 * Readers for logs of free text lines: squid, nginx and Apache access logs, and syslog with its packet filter lines.
 */
import type { ReadLine } from "./log-json.js";
import { timeOf } from "./log-json.js";

// time.ms elapsed client action/code size method URL user hierarchy/peer type
const SQUID =
  /^(\d{9,11}\.\d{3})\s+-?\d+\s+(\S+)\s+([A-Z_]+(?:\/\d{3})?)\s+-?\d+\s+(\S+)\s+(\S+)\s+(\S+)\s+([A-Z_]+(?:\/\S*)?)\s+\S+/;

/** Squid's native access log. */
export function squid(line: string): ReadLine {
  const parts = SQUID.exec(line);
  if (parts === null) return "malformed";
  const [, time, client, result, method, uri, user, hierarchy] = parts;
  const peer = hierarchy!.split("/")[1];
  const fields: Record<string, unknown> = {
    src_ip: client,
    "cs-method": method,
    "c-uri": uri,
    action: result!.split("/")[0],
  };
  const status = result!.split("/")[1];
  const host = hostOf(uri!);
  if (status !== undefined) fields["sc-status"] = Number(status);
  if (host !== undefined) fields["cs-host"] = host;
  if (peer !== undefined && peer !== "-" && peer !== "") fields["dst_ip"] = peer;
  if (user !== "-") fields["cs-username"] = user;
  return { source: { category: "proxy" }, fields, text: line, time: timeOf(time) };
}

/** The host of an absolute URL or of the target of a tunnel, as it is written. */
function hostOf(uri: string): string | undefined {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#[\]]+)/i.exec(uri)?.[1];
}

// [vhost[:port]] client ident user [time] "request" status bytes ["referer" "user agent"]
const COMBINED =
  /^(?:\S+ )?(\S+) (\S+) (\S+) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?/;
const REQUEST = /^([A-Za-z]+) (\S+)(?: (HTTP\/[\d.]+))?$/;

/**
 * The common and combined formats of Apache and nginx, with or without a virtual host in front. A forward proxy's
 * requests are of the proxy category.
 */
export function combined(line: string): ReadLine {
  const parts = COMBINED.exec(line);
  if (parts === null) return "malformed";
  const [, client, , user, when, request, status, bytes, referer, agent] = parts;
  const time = clfTime(when!);
  // Scanners send anything as a request line; the server logs it and the log is none the worse.
  const [, method, uri, version] = REQUEST.exec(request!) ?? [];
  if (method === undefined || uri === undefined) return "other";
  if (method === "CONNECT" || /^[a-z]+:\/\//i.test(uri)) {
    const fields = {
      src_ip: client,
      "cs-method": method,
      "c-uri": uri,
      "cs-host": hostOf(uri),
      "sc-status": Number(status),
      "c-useragent": agent,
    };
    return { source: { category: "proxy" }, fields, text: line, time };
  }
  const mark = uri.indexOf("?");
  const fields = {
    "c-ip": client,
    "cs-username": user,
    "cs-method": method,
    "cs-uri-stem": mark === -1 ? uri : uri.slice(0, mark),
    "cs-uri-query": mark === -1 ? "" : uri.slice(mark + 1),
    "cs-version": version,
    "sc-status": Number(status),
    "sc-bytes": Number(bytes),
    "cs-referer": referer,
    "cs-user-agent": agent,
  };
  return { source: { category: "webserver" }, fields, text: line, time };
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `10/Oct/2026:13:55:36 -0700` */
function clfTime(text: string): number | undefined {
  const parts = /^(\d{2})\/(\w{3})\/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{2})(\d{2})$/.exec(text);
  if (parts === null) return undefined;
  const [, day, month, year, clock, hours, minutes] = parts;
  return timeOf(`${year}-${String(MONTHS.indexOf(month!) + 1).padStart(2, "0")}-${day}T${clock}${hours}:${minutes}`);
}

const SYSLOG_TIME =
  /^(?:<\d{1,3}>(?:1 )?)?(?:(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))|([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d))/;
const PACKET = /(?:^|\s)SRC=(\S+) DST=(\S+) /;

/**
 * Lines of syslog, of the kernel log or of the journal as text. Those of a packet filter (`SRC=... DST=...`) are of the
 * firewall category, all others of Linux' syslog. A time without a year is taken for the latest such day up to `now`
 * and a day.
 */
export function syslog(now: () => number): (line: string) => ReadLine {
  return (line) => {
    const time = syslogTime(line, now);
    const packet = PACKET.exec(line);
    if (packet === null)
      return { source: { product: "linux", service: "syslog" }, fields: { message: line }, text: line, time };
    const rest = line.slice(packet.index);
    const pick = (name: string, from = rest): string | undefined =>
      new RegExp(`(?:^|\\s)${name}=(\\S+)`).exec(from)?.[1];
    const fields = {
      src_ip: packet[1],
      dst_ip: packet[2],
      src_port: pick("SPT"),
      dst_port: pick("DPT"),
      protocol: pick("PROTO"),
      interface_in: pick("IN", line),
      interface_out: pick("OUT", line),
      mac: pick("MAC", line),
    };
    return { source: { category: "firewall" }, fields, text: line, time };
  };
}

function syslogTime(line: string, now: () => number): number | undefined {
  const parts = SYSLOG_TIME.exec(line);
  if (parts === null) return undefined;
  const [, iso, month, day, clock] = parts;
  if (iso !== undefined) return timeOf(iso);
  const latest = now() + 86_400_000;
  const year = new Date(latest).getUTCFullYear();
  const at = (inYear: number): number | undefined =>
    timeOf(`${inYear}-${String(MONTHS.indexOf(month!) + 1).padStart(2, "0")}-${day!.padStart(2, "0")}T${clock}Z`);
  const time = at(year);
  return time !== undefined && time > latest ? at(year - 1) : time;
}

/** Whether a line looks like one of syslog, the journal or the kernel. */
export function looksLikeSyslog(line: string): boolean {
  return SYSLOG_TIME.test(line) || PACKET.test(line) || /^\[ *\d+\.\d{6}\] /.test(line);
}
