/** Formats of free text lines: web servers and proxies, firewalls, hosts. */
import { DNS, FIREWALL, HOST_SOURCES, PROXY, WEBSERVER, firewallRecords, hostSource, recordOf } from "./log-format.js";
import type { LogFormat, Reading } from "./log-format.js";
import { once } from "../base/lazy.js";
import { requestTarget } from "./log-fields.js";
import { hostOf } from "./log-json.js";
import { quotedColumns } from "./log-table.js";
import { pairsRecord } from "./pairs-record.js";
import type { Fields, LogRecord, RecordSource } from "./log-record.js";
import { clfTime, timeOf } from "./log-time.js";

/** A reader of named values: the first group of an expression that is made of the name once. */
function picker(make: (name: string) => RegExp): (name: string, text: string) => string | undefined {
  const expressions = new Map<string, RegExp>();
  return (name, text) => {
    let expression = expressions.get(name);
    if (expression === undefined) expressions.set(name, (expression = make(name)));
    return expression.exec(text)?.[1];
  };
}

/** A format whose lines one expression takes apart. */
function pattern(
  name: string,
  title: string,
  recognised: string,
  source: RecordSource | readonly RecordSource[],
  read: (line: string) => Reading,
  marks: Pick<LogFormat, "broad" | "begins" | "holds"> = {},
): LogFormat {
  return {
    name,
    ...marks,
    title,
    sources: Array.isArray(source) ? source : [source as RecordSource],
    recognised,
    open: () => read,
  };
}

const RESULT = /^(?:TCP|UDP|NONE|ERR|TAG)_?[A-Z_]*\/(?:\d{3}|-)$/;
const METHOD = /^[A-Z]{3,16}(?:_[A-Z]+)?$/;

/**
 * Squid's access log: the native format and those that a `logformat` of one's own makes of the same parts (time, result
 * with status, method, URL, hierarchy with peer), in any order behind the time.
 */
export function squid(line: string): Reading {
  const time = /^(\d{9,11}\.\d{3})\s/.exec(line)?.[1];
  if (time === undefined) return undefined;
  const parts = line.slice(0, 65_536).split(/\s+/);
  const result = parts.findIndex((part) => RESULT.test(part));
  if (result === -1) return undefined;
  const method = parts.findIndex(
    (part, index) => index > result && METHOD.test(part) && /[:/.]/.test(parts[index + 1] ?? ""),
  );
  if (method === -1) return undefined;
  const uri = parts[method + 1]!;
  const client = parts.slice(1, result).find((part) => /^[\d.]{7,15}$|^[0-9a-f]*:[0-9a-f:.]+$/i.test(part)) ?? parts[2];
  const hierarchy = parts
    .slice(method)
    .find((part) => /^(?:[A-Z]+_)*(?:HIER_|DIRECT|NONE|PARENT|SIBLING)[A-Z_]*\//.test(part));
  const peer = hierarchy?.split("/")[1];
  const user = parts[method + 2];
  const status = parts[result]!.split("/")[1];
  return [
    recordOf(
      PROXY,
      {
        src_ip: client,
        "cs-method": parts[method],
        "c-uri": uri,
        action: parts[result]!.split("/")[0],
        "sc-status": status === undefined || status === "-" ? undefined : Number(status),
        "sc-bytes": Number(parts[result + 1]) || undefined,
        "cs-host": hostOf(uri),
        dst_ip: peer === undefined || peer === "-" || peer === "" ? undefined : peer,
        "cs-username": user === undefined || user === "-" || /^[\d.]+$/.test(user) ? undefined : user,
      },
      line,
      timeOf(time),
    ),
  ];
}

// [vhost[:port]] client ident user [time] "request" status bytes ["referer" "user agent"]
const COMBINED =
  /^(?!\d{4}-\d\d-\d\d)(?:\S+ )?(\S+) (\S+) ((?<= - )\S+(?: \S+){0,2}?|\S+) \[([^\]]{1,40})\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?/;
const REQUEST = /^([A-Za-z]+) (\S+)(?: (HTTP\/[\d.]+))?$/;

/**
 * The common and combined formats of Apache, nginx and what imitates them, with or without a virtual host in front. A
 * forward proxy's requests are of the proxy category.
 */
export function combined(line: string): Reading {
  const parts = COMBINED.exec(line);
  if (parts === null) return undefined;
  const [, client, , user, when, request, status, bytes, referer, agent] = parts;
  // Scanners send anything as a request line; the server logs it and the log is none the worse.
  const [, method, uri, version] = REQUEST.exec(request!) ?? [];
  if (method === undefined || uri === undefined) return "other";
  return requestRecord({ client, user, method, uri, version, status, bytes, referer, agent }, line, () =>
    clfTime(when!),
  );
}

interface Request {
  readonly client?: string | undefined;
  readonly user?: string | undefined;
  readonly method: string;
  readonly uri: string;
  readonly version?: string | undefined;
  readonly status?: string | undefined;
  readonly bytes?: string | undefined;
  readonly referer?: string | undefined;
  readonly agent?: string | undefined;
  readonly host?: string | undefined;
  readonly upstream?: string | undefined;
}

function requestRecord(request: Request, line: string, time: () => number | undefined, always = false): Reading {
  return [() => recordOfRequest(request, line, time(), always)];
}

function recordOfRequest(request: Request, line: string, time: number | undefined, always: boolean): LogRecord {
  const { client, user, method, uri, version, status, bytes, referer, agent, host, upstream } = request;
  const proxied = !always && (method === "CONNECT" || /^[a-z]+:\/\//i.test(uri));
  const target = proxied ? {} : requestTarget(uri);
  const fields = {
    "cs-method": method,
    "sc-status": numberOf(status),
    "sc-bytes": numberOf(bytes),
    "cs-referer": dashless(referer),
    "cs-username": dashless(user),
    [proxied ? "src_ip" : "c-ip"]: client,
    "c-uri": proxied ? uri : undefined,
    "cs-uri-stem": target["cs-uri-stem"],
    "cs-uri-query": target["cs-uri-query"],
    "cs-host": proxied ? (host ?? hostOf(uri)) : dashless(host),
    "cs-version": proxied ? undefined : version,
    [proxied ? "c-useragent" : "cs-user-agent"]: dashless(agent),
    [proxied ? "dst_ip" : "s-ip"]: upstream,
  };
  return recordOf(proxied ? PROXY : WEBSERVER, fields, line, time);
}

const numberOf = (text: string | undefined): number | undefined =>
  text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
const dashless = (text: string | undefined): string | undefined => (text === "-" ? undefined : text);

// type time elb client:port target:port 3 times status status received sent "request" "user agent" ...
const ALB =
  /^(?:(?:https?|h2|grpcs|wss?|tls|tcp) )?(\d{4}-\d\d-\d\dT[\d:.]+Z) (\S+) (\[?[0-9a-f.:]+\]?):\d+ (\S+) (?:-?[\d.]+ ){3}(\d{3}|-) (\d{3}|-) (\d+) (\d+) "([A-Z-]+) (\S+) (\S+)"(?: "([^"]*)")?/i;

// tls version time elb listener client:port target:port ...
const NLB =
  /^tls \d\.\d (\d{4}-\d\d-\d\dT[\d:.]+Z?) (net\/\S+) \S+ (\[?[0-9a-f.:]+\]?):(\d+) (\[?[0-9a-f.:]+\]?):(\d+) \S+ \S+ (\d+) (\d+) /i;

/** TLS connections of a network load balancer of AWS. */
function networkBalancer(line: string): Reading {
  const parts = NLB.exec(line);
  if (parts === null) return undefined;
  const [, time, , source, sourcePort, destination, destinationPort, received, sent] = parts;
  const fields = {
    src_ip: source,
    src_port: sourcePort,
    dst_ip: destination,
    dst_port: destinationPort,
    received,
    sent,
  };
  return [() => recordOf(FIREWALL, fields, line, timeOf(time))];
}

// time elb client:port target:port 3 times - - received sent "- - - "
const ELB_TCP =
  /^(\d{4}-\d\d-\d\dT[\d:.]+Z) \S+ (\[?[0-9a-f.:]+\]?):(\d+) (\[?[0-9a-f.:]+\]?):(\d+) (?:-?[\d.]+ ){3}- - (\d+) (\d+) "- - - "/i;

/** Application and classic load balancers of AWS: the URL is that of the balancer, so this is no proxy's. */
function loadBalancer(line: string): Reading {
  const tcp = ELB_TCP.exec(line);
  if (tcp !== null) {
    const [, time, source, sourcePort, destination, destinationPort, , sent] = tcp;
    const own = { src_ip: source, src_port: sourcePort, dst_ip: destination, dst_port: destinationPort };
    return [() => recordOf(FIREWALL, { ...own, "destination.bytes": sent }, line, timeOf(time))];
  }
  const parts = ALB.exec(line);
  if (parts === null) return undefined;
  const [, time, , client, target, status, , , sent, method, url, version, agent] = parts;
  const upstream = target === "-" ? undefined : target!.replace(/:\d+$/, "");
  const path = url!.replace(/^[a-z]+:\/\/[^/?]*/i, "") || "/";
  const request = {
    client,
    method: method!,
    uri: path,
    version,
    status,
    bytes: sent,
    agent,
    host: hostOf(url!),
    upstream,
  };
  return requestRecord(request, line, () => timeOf(time), true);
}

// [time] "METHOD path protocol" status ...
const ENVOY = /^\[(\d{4}-\d\d-\d\dT[\d:.]+Z)\] "([A-Z-]+) (\S+) (\S+)" (\d{1,3}) (\S+) /;

/** The default access log of Envoy and Istio as text: the client and the upstream are the addresses behind the quotes. */
function envoy(line: string): Reading {
  const parts = ENVOY.exec(line);
  if (parts === null) return undefined;
  const [, time, method, uri, version, status] = parts;
  const quoted = [...line.slice(parts[0].length).matchAll(/"([^"]{0,4096})"/g)].map((match) => match[1]);
  const ends = [...line.slice(parts[0].length).matchAll(/(?<![\w.])((?:\d{1,3}\.){3}\d{1,3}):\d{1,5}(?![\w.])/g)].map(
    (match) => match[1],
  );
  // Connections of TCP have no request: `"- - -"`.
  if (method === "-") {
    const own = { src_ip: ends.length > 1 ? ends.at(-1) : undefined, dst_ip: ends[0] };
    return ends.length === 0 ? "other" : [() => recordOf(FIREWALL, own, line, timeOf(time))];
  }
  const agent = quoted.find((text) => text !== undefined && /\//.test(text) && !/^\d/.test(text));
  // The default format of Envoy has the upstream alone, and in front of it what x-forwarded-for said.
  const client = ends.length > 1 ? ends.at(-1) : quoted.find((text) => ADDRESS.test(text ?? ""));
  const request = {
    method: method!,
    uri: uri!,
    version,
    status,
    agent,
    upstream: ends[0],
    client,
    host: quoted.at(-2),
  };
  return requestRecord(request, line, () => timeOf(time));
}

const HAPROXY =
  /^(\[?[0-9a-f.:]+\]?):(\d{1,5}) \[(\d\d\/\w{3}\/\d{4}:[\d:.]+)\] (\S+) (\S+) [-\d/+]+ (\d{3}|-1) \+?(\d+) .*"([A-Z]+) (\S+)(?: [^"]*)?"?$/i;

// client:port [time] frontend backend/server times bytes state ...
const HAPROXY_TCP =
  /^(\[?[0-9a-f.:]+\]?):(\d{1,5}) \[(\d\d\/\w{3}\/\d{4}:[\d:.]+)\] \S+ [^\s/]+\/(\S+)(?: (\[?[0-9a-f.:]{7,}\]?):(\d{1,5}))? -?\d+\/-?\d+\/\+?\d+ \+?(\d+) ([A-Za-z-]{2}) /i;

/** The HTTP and the TCP log of HAProxy. */
function haproxy(line: string): Reading {
  const parts = HAPROXY.exec(line);
  if (parts === null) {
    const tcp = HAPROXY_TCP.exec(line);
    if (tcp === null) return undefined;
    const [, client, clientPort, time, server, address, port, bytes, state] = tcp;
    const own = { src_ip: client, src_port: clientPort, dst_ip: address ?? server, dst_port: port, action: state };
    return [() => recordOf(FIREWALL, { ...own, "destination.bytes": bytes }, line, clfTime(time!))];
  }
  const [, client, , time, , , status, bytes, method, uri] = parts;
  return requestRecord({ client, method: method!, uri: uri!, status, bytes }, line, () => clfTime(time!));
}

// owner bucket [time] address requester id operation key "request" status error bytes ...
const S3 =
  /^[0-9a-f]{64} \S+ \[([^\]]{11,40})\] (\S+) (\S+) \S+ [A-Z]+\.[A-Z._]+ \S+ "([A-Z]+) (\S+) (\S+)" (\d{3}|-) \S+ (\d+|-) \S+ \S+ \S+ "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"/;

function s3(line: string): Reading {
  const parts = S3.exec(line);
  if (parts === null) return undefined;
  const [, time, client, user, method, uri, version, status, bytes, referer, agent] = parts;
  return requestRecord(
    { client, user, method: method!, uri: uri!, version, status, bytes, referer, agent },
    line,
    () => clfTime(time!),
    true,
  );
}

// An IPv6 address has "::" or seven colons, which a time has not.
const IP = String.raw`(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[0-9a-f:]{0,42}(?:::|(?::[0-9a-f]{1,4}){7}))[0-9a-f]{0,4}:[0-9a-f:.]{1,42})`;
// Between them may stand the scheme and the host; the path may be in quotes of its own.
const REQUEST_IN_TEXT =
  /"?\b(GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT|PROPFIND|TRACE) {1,8}(?:https? [\w.:-]{1,255} (?="))?"?(\S{1,65536})(?: (HTTP\/[\d.]+))?/;
const ADDRESS = new RegExp(`^${IP}$`, "i");
const FIRST_IP = new RegExp(String.raw`(?<![\w.:])${IP}(?![\w.])(?!:[0-9a-f]{0,4}:[0-9a-f])`, "i");

/** Statuses that servers and proxies give; other numbers of three digits are counts. */
const STATUSES = String.raw`10[0-3]|20[0-8]|226|30[0-8]|4[0-4]\d|45[01]|49[4-9]|50\d|51[01]|52[0-7]|530`;
const STATUS_IN_TEXT = new RegExp(String.raw`(?:^|[\s"=:,])(${STATUSES})(?=[\s",;]|$)`);

/**
 * A request line in any text: the client is the last address before it or else the first one behind it, the status the
 * first number behind it that is one.
 */
function requestLine(line: string): Reading {
  const parts = REQUEST_IN_TEXT.exec(line);
  if (parts === null) return undefined;
  const [, method, target, version] = parts;
  const uri = target!.replace(/["',;]+$/, "");
  if (version === undefined && !/^(?:\/|https?:\/\/|[\w.-]+:\d+$|\[)/i.test(uri)) return undefined;
  const rest = line.slice(parts.index + parts[0].length, parts.index + parts[0].length + 256);
  const status = STATUS_IN_TEXT.exec(rest)?.[1];
  const client = FIRST_IP.exec(line.slice(0, parts.index))?.[0] ?? FIRST_IP.exec(rest)?.[0];
  // nginx' error log: whom it asked for the answer.
  const upstream = /\bupstream: "(?:[a-z]{2,8}:\/\/)?([^"/]{1,255})/.exec(rest)?.[1]?.replace(/:\d{1,5}$/, "");
  return requestRecord({ client, method: method!, uri, version, status, upstream }, line, () => timeIn(line));
}

/** A time that stands at the beginning of a line or in brackets. */
function timeIn(line: string): number | undefined {
  const head = line.slice(0, 200);
  const clf = /(?:\[|time:)(\d{1,2}\/\w{3}\/\d{4}[: ][\d:]{8}(?: [+-]\d{4})?)/.exec(head)?.[1];
  if (clf !== undefined) return clfTime(clf);
  const iso = /\d{4}[-/]\d\d[-/]\d\d(?:[T ]| - )\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?/.exec(head)?.[0];
  if (iso !== undefined) return timeOf(iso.replace(" - ", " "));
  // Suricata and Snort: the month first. BIND: the day first. Cisco: with a year, and mostly without a zone.
  const american = /^\d\d\/\d\d\/\d{4}-\d\d:\d\d:\d\d(?:\.\d{1,3})?/.exec(head)?.[0];
  if (american !== undefined) return timeOf(american);
  // ctime(3)
  const ctime = /^"?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d) (\d{4})\b/.exec(
    head,
  );
  if (ctime !== null) return timeOf(`${ctime[1]} ${ctime[2]} ${ctime[4]} ${ctime[3]}`);
  const words = /^(?:<\d{1,3}>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{4}) (\d\d:\d\d:\d\d)/.exec(head);
  if (words !== null) return timeOf(`${words[1]} ${words[2]} ${words[3]} ${words[4]}`);
  const dashed = /^(\d\d)-([A-Z][a-z]{2})-(\d{4}) (\d\d:\d\d:\d\d)/.exec(head);
  if (dashed !== null) return timeOf(`${dashed[2]} ${dashed[1]} ${dashed[3]} ${dashed[4]}`);
  const twelve = /^\d{1,2}\/\d{1,2}\/\d{4} \d{1,2}:\d\d:\d\d [AP]M/.exec(head)?.[0];
  if (twelve !== undefined) return timeOf(twelve);
  const checkPoint = /^ ?\d{1,2}[A-Z][a-z]{2}(?:19|20)\d\d \d\d:\d\d:\d\d/.exec(head)?.[0];
  if (checkPoint !== undefined) return timeOf(checkPoint.trim());
  return timeOf(/^\[(\d{10}(?:\.\d{1,9})?)\]/.exec(head)?.[1]);
}

const packetValue = picker((name) => new RegExp(String.raw`(?:^|\s)${name}=(\S+)`));
const PACKET = /(?:^|\s)SRC=(\S+) DST=(\S+) /;

/** Lines of a packet filter of Linux: iptables, nftables, UFW, firewalld. */
function netfilter(line: string): Reading {
  const packet = PACKET.exec(`${line} `);
  if (packet === null) return undefined;
  const rest = line.slice(packet.index);
  const fields = {
    src_ip: packet[1],
    dst_ip: packet[2],
    src_port: packetValue("SPT", rest),
    dst_port: packetValue("DPT", rest),
    protocol: packetValue("PROTO", rest),
    interface_in: packetValue("IN", line),
    interface_out: packetValue("OUT", line),
    mac: packetValue("MAC", line),
  };
  return [() => recordOf(FIREWALL, fields, line, timeIn(line))];
}

const CONNTRACK =
  /^(?:\[\d{10}\.\d+\]\s+)?(?:\[\w+\]\s+)?(?:ipv[46]\s+\d+\s+)?(?:tcp|udp|icmp|icmpv6|sctp|unknown)\s+\d+\s.*?\bsrc=(\S+) dst=(\S+)(?: sport=(\d+) dport=(\d+))?/;

function conntrack(line: string): Reading {
  const parts = CONNTRACK.exec(line.slice(0, 4_096));
  if (parts === null) return undefined;
  const state = /\b(SYN_SENT|SYN_RECV|ESTABLISHED|FIN_WAIT|TIME_WAIT|CLOSE|CLOSE_WAIT|LAST_ACK)\b/.exec(line)?.[1];
  const fields = { src_ip: parts[1], dst_ip: parts[2], src_port: parts[3], dst_port: parts[4], action: state };
  return [() => recordOf(FIREWALL, fields, line, timeIn(line))];
}

const CISCO = /%(?:ASA|FTD|PIX|FWSM|NGIPS|FDT)-(?:[\w-]+-)?\d-\d{6}: /;

/** Connections and denials of Cisco's ASA and Firepower. */
function cisco(line: string): Reading {
  const mark = CISCO.exec(line);
  if (mark === null) return undefined;
  const message = line.slice(mark.index + mark[0].length, mark.index + 16_384);
  const time = timeIn(line);
  // Security events are lists of names with values: `SrcIP: 10.0.1.20, DstIP: 10.0.100.30, ...`
  if (/\bSrcIP: /.test(message)) return pairsRecord({ ...listedPairs(message), timestamp: time }, line) ?? "other";
  const action = /^(?:access-list \S+ )?([\w-]+)/.exec(message)?.[1];
  const url = /\b(?:Accessed|denied) (?:\w+ )?URL (\S+)/.exec(message)?.[1];
  const visit = CISCO_VISIT.exec(message);
  if (visit !== null)
    return ciscoRecord({ ip: visit[1]! }, { ip: visit[2]! }, { action: "Accessed", url: visit[3] }, line, time);
  const icmp = CISCO_ICMP.exec(message)?.groups;
  if (icmp !== undefined) {
    const [from, to] = /^Built inbound/i.test(message) ? [icmp["far"], icmp["own"]] : [icmp["own"], icmp["far"]];
    return ciscoRecord({ ip: from! }, { ip: to! }, { action }, line, time);
  }
  const listed = endsInText(message) ?? endsBeside(message);
  if (listed === undefined) return undefined;
  return ciscoRecord(listed.from, listed.to, { action, url }, line, time);
}

function ciscoRecord(
  from: End,
  to: End,
  { action, url }: { readonly action: string | undefined; readonly url?: string | undefined },
  line: string,
  time: number | undefined,
): Reading {
  const fields = {
    src_ip: from.ip,
    src_port: from.port,
    dst_ip: to.ip,
    dst_port: to.port,
    interface_in: from.place,
    interface_out: to.place,
    action,
    "destination.bytes": /\bSYN Timeout/.test(line) ? 0 : /\bbytes (\d{1,15})\b/.exec(line)?.[1],
  };
  return firewallRecords(fields, { "c-uri": url === "" ? undefined : url }, line, time);
}

const CISCO_VISIT = new RegExp(String.raw`^(?:\S+@)?(${IP})(?:\(\S+\))? Accessed (?:\w+ )?URL (${IP}):(\S*)`, "i");
// ICMP has no ports, and its ends have names of their own.
const CISCO_ICMP = new RegExp(
  String.raw`\bfaddr (?<far>${IP})\/\d+(?:\([^)]*\))? gaddr ${IP}\/\d+ laddr (?<own>${IP})\/`,
  "i",
);

/** Names with values after a colon, as in `Name: value, Other Name: value`. */
function listedPairs(text: string): Fields {
  const pairs: [string, string][] = [];
  for (const part of text.split(/, (?=[A-Z][\w ]{0,40}: )/).slice(0, 256)) {
    const colon = part.indexOf(": ");
    if (colon > 0) pairs.push([part.slice(0, colon), part.slice(colon + 2)]);
  }
  return Object.fromEntries(pairs);
}

/** Columns of PAN-OS' TRAFFIC and THREAT logs, by their positions. */
function paloAlto(line: string): Reading {
  if (!/,(?:TRAFFIC|THREAT),/.test(line.slice(0, 200))) return undefined;
  const columns = quotedColumns(line.slice(0, 16_384), ",");
  const type = columns.findIndex((column) => column === "TRAFFIC" || column === "THREAT");
  const at = (offset: number): string | undefined => columns[type + offset];
  if (type !== 3 || !ADDRESS.test(at(4) ?? "")) return undefined;
  const url = columns[type] === "THREAT" && at(1) === "url" ? at(28) : undefined;
  const fields = {
    src_ip: at(4),
    dst_ip: at(5),
    user: at(9),
    src_port: at(21),
    dst_port: at(22),
    protocol: at(26),
    action: at(27),
  };
  return firewallRecords(fields, { "c-uri": url, "cs-host": hostOf(url ?? "") }, line, timeOf(at(3)));
}

/** pfSense and OPNsense: `filterlog` with columns by the version of IP. */
function filterlog(line: string): Reading {
  const mark = /filterlog(?:\[\d+\])?: /.exec(line);
  if (mark === null && !/^\d*,/.test(line)) return undefined;
  const columns = (mark === null ? line : line.slice(mark.index + mark[0].length)).split(",", 64);
  if (columns.length < 18 || !/^(?:pass|block|rdr|nat)$/.test(columns[6] ?? "") || !/^[46]$/.test(columns[8] ?? ""))
    return undefined;
  const at = columns[8] === "4" ? 18 : 15;
  const fields = {
    src_ip: columns[at],
    dst_ip: columns[at + 1],
    src_port: columns[at + 2],
    dst_port: columns[at + 3],
    action: columns[6],
    interface_in: columns[4],
  };
  return [() => recordOf(FIREWALL, fields, line, timeIn(line))];
}

/** One side of a connection as a text tells it. */
interface End {
  readonly ip: string;
  readonly port?: string | undefined;
  /** The interface, zone or pod in front of it. */
  readonly place?: string | undefined;
}

// `inside:10.0.0.5/443`, `inside/10.0.0.5(443)`, `(10.0.0.5)`, `[::1]:80`, `10.0.0.5.80`; a word in brackets may follow.
const END = (name: string): string =>
  String.raw`(?:(?<${name}Place>(?![0-9a-f]{0,4}:)[\w.-]{1,64})[:/])?[([]?(?<${name}Ip>${IP})[)\]]?` +
  String.raw`(?:[:/.#](?<${name}Port>\d{1,5})(?![\d.])|\((?<${name}Paren>\d{1,5})\)|\.(?:http|https|domain)\b)?`;
const BESIDE = String.raw`(?: ?\([^()]{1,128}\))?`;
const ARROW = String.raw`\s{0,8}(?:<?->|=>|-->|<?>|\u2192|\u21d2)\s{0,8}`;
/** What stands between the two ends, in the order in which it is looked for. */
const BETWEEN = [
  new RegExp(String.raw`(?<![\w.:])${END("from")}\)?${BESIDE}${ARROW}\(?${END("to")}(?!\w)`, "i"),
  new RegExp(
    String.raw`\b(?:from|src|source|saddr|faddr|client)(?: laddr)?[ :]{1,2}${END("from")}.{0,160}?[\s,](?:to|dst|dest|destination|daddr|laddr)[ :]{1,2}${END("to")}`,
    "i",
  ),
  // Only the other side is an address: a pod's name, say.
  new RegExp(
    String.raw`(?<![\w.:/-])(?<fromName>[\w./-]{1,128}?)(?::(?<fromPort>\d{1,5}))?${BESIDE}${ARROW}\(?${END("to")}(?!\w)`,
    "i",
  ),
];

/** Which of them looks for words; the others look for an arrow. */
const BY_WORDS = 1;
const TO_WORDS = /[\s,](?:to|dst|dest|destination|daddr|laddr)[ :]/i;
const ARROWS = /[>\u2192\u21d2]/;

/** What takes the two ends of a text apart, of those above. */
function formOfEnds(part: string): RegExp | undefined {
  const arrows = ARROWS.test(part);
  return BETWEEN.find((between, index) => (index === BY_WORDS ? TO_WORDS.test(part) : arrows) && between.test(part));
}

/** The two ends of a connection that a text tells by an arrow, or by the words `from` and `to`, `src` and `dst`. */
function endsInText(text: string): { readonly from: End; readonly to: End } | undefined {
  const part = text.slice(0, 16_384);
  const groups = formOfEnds(part)?.exec(part)?.groups;
  return groups && { from: endOf(groups, "from"), to: endOf(groups, "to") };
}

const EACH_END = new RegExp(String.raw`(?<![\w.:-])${END("one")}(?!\w)`, "gi");

/** The first two ends of a text that names neither: the one that serves has the low port, unless words tell otherwise. */
function endsBeside(text: string): { readonly from: End; readonly to: End } | undefined {
  const ends: End[] = [];
  for (const { groups } of text.slice(0, 2_048).matchAll(EACH_END)) {
    const end = endOf(groups!, "one");
    if (!ends.some(({ ip }) => ip === end.ip)) ends.push(end);
    if (ends.length === 2) break;
  }
  const [first, second] = ends;
  if (first === undefined || second === undefined) return undefined;
  const outbound = /^Built outbound/i.test(text);
  const backwards = Number(first.port ?? 65_535) < 1_024 && Number(second.port ?? 65_535) >= 1_024;
  return outbound || backwards ? { from: second, to: first } : { from: first, to: second };
}

/** tcpdump puts a dot before the port, Suricata a colon, also behind IPv6 addresses. */
function endOf(groups: Readonly<Record<string, string | undefined>>, name: string): End {
  const written = (groups[`${name}Ip`] ?? groups[`${name}Name`]!).replace(/(?<=[^:]):$/, "");
  const place = groups[`${name}Place`];
  const port = groups[`${name}Port`] ?? groups[`${name}Paren`];
  const joined =
    port === undefined
      ? (/^(.*:.*)\.(\d{1,5})$/.exec(written) ?? /^((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}):(\d{1,5})$/i.exec(written))
      : null;
  return joined === null ? { ip: written, port, place } : { ip: joined[1]!, port: joined[2], place };
}

/** Two ends with an arrow or words between: Suricata's and Snort's fast.log, Cisco IOS, Azure Firewall, tcpdump and others. */
function arrow(line: string): Reading {
  return formOfEnds(line.slice(0, 16_384)) === undefined ? undefined : [() => recordOfEnds(line)];
}

function recordOfEnds(line: string): LogRecord {
  const { from, to } = endsInText(line)!;
  const request = /: HTTP: ([A-Z]{3,8}) (\S+)/.exec(line);
  const isAddress = ADDRESS.test(from.ip);
  const fields = {
    src_ip: isAddress ? from.ip : undefined,
    pod: isAddress ? undefined : from.ip,
    src_port: from.port,
    dst_ip: to.ip,
    dst_port: to.port,
    action:
      /\b(?:Action: |action=)(\w+)/.exec(line)?.[1] ??
      /\b(denied|permitted|dropped|DROPPED|FORWARDED|DENIED)\b/.exec(line)?.[1],
    "cs-method": request?.[1],
    "c-uri": request?.[2],
  };
  return recordOf(FIREWALL, fields, line, timeIn(line));
}

const SOCKET_LINE = new RegExp(
  // ss leaves out the protocol where one was asked for.
  String.raw`^\s*(?:(?:tcp|udp)[46]?\s+|(?=[A-Z][A-Z0-9-]{2,14}\s+\d+\s+\d+\s))(?:([A-Z][A-Z0-9-]{2,14})\s+)?(?:\d+\s+\d+\s+)?${END("from")}\s+${END("to")}(?:\s+([A-Z][A-Z0-9_-]{2,14}))?(?:\s|$)`,
  "i",
);

/** Tables of sockets: ss, netstat (Linux, macOS, Windows). */
function socketLine(line: string): Reading {
  const parts = SOCKET_LINE.exec(line.slice(0, 4_096));
  if (parts === null) return undefined;
  const from = endOf(parts.groups!, "from");
  const to = endOf(parts.groups!, "to");
  const rest = line.slice(parts[0].length);
  const program = /"([^"]{1,128})",pid=(\d{1,10})/.exec(rest) ?? /(?:^|\s)(\d{1,10})\/(\S{1,128})/.exec(rest);
  const [name, pid] =
    program === null ? [] : /^\d+$/.test(program[1]!) ? [program[2], program[1]] : [program[1], program[2]];
  const own = {
    SourceIp: from.ip,
    SourcePort: from.port,
    DestinationIp: to.ip,
    DestinationPort: to.port,
    Image: name,
    ProcessId: pid ?? /^\s*(\d{1,10})\s*$/.exec(rest)?.[1],
    state: parts[1] ?? parts.at(-1),
  };
  return [() => recordOf(hostSource("network_connection", name ?? "/"), own, line, undefined)];
}

const STRACE = new RegExp(
  String.raw`\bsa_family=AF_INET6?, sin6?_port=htons\((\d{1,5})\), .{0,80}?inet_(?:addr\(|pton\(AF_INET6?, )"(${IP})"`,
  "i",
);

/** Calls with an address that strace has seen. */
function straceLine(line: string): Reading {
  const parts = STRACE.exec(line.slice(0, 4_096));
  if (parts === null) return undefined;
  const own = {
    DestinationIp: parts[2],
    DestinationPort: parts[1],
    ProcessId: /^(?:\[pid +)?(\d{1,10})\b/.exec(line)?.[1],
    state: / = -1 (E[A-Z]{3,16})\b/.exec(line)?.[1],
  };
  return [() => recordOf(hostSource("network_connection", "/"), own, line, timeIn(line))];
}

const ARP_WORDS = /\b(?:is.at|at|lladdr) [\da-f]/i;
const MAC = "[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}";
// tcpdump, tshark, arp -a, ip neighbour
const ARP_ANSWER = new RegExp(
  String.raw`\b(?:Reply |ARP \d{1,5} )(${IP}) is[- ]at (${MAC})|\((${IP})\) at (${MAC})|(?:^|\s)(${IP}) dev \S{1,32} lladdr (${MAC})`,
  "i",
);

/** Who has an address on the link, as answers and tables of neighbours tell it. */
function arpAnswer(line: string): Reading {
  // Without one of these there is no such answer, and the expression is slow to find that out.
  const parts = ARP_WORDS.test(line) ? ARP_ANSWER.exec(line.slice(0, 1_024)) : null;
  if (parts === null) return undefined;
  const [, replied, mac, listed, listedMac, neighbour, neighbourMac] = parts;
  const fields = {
    "arp.opcode": "reply",
    "arp.src_ip": replied ?? listed ?? neighbour,
    "arp.src_mac": mac ?? listedMac ?? neighbourMac,
  };
  return [() => recordOf({ product: "suricata", service: "arp" }, fields, line, timeIn(line))];
}

const TUPLE = new RegExp(
  String.raw`^(\d{10,13}),(${IP}),(${IP}),(\d{1,5}),(\d{1,5}),([TU]|\d{1,3}),([IO]),(\w{1,2})(?:,|$)`,
  "i",
);

/** One flow of Azure's flow logs, of network security groups and of virtual networks. */
function flowTuple(line: string): Reading {
  const parts = TUPLE.exec(line);
  if (parts === null) return undefined;
  const [, time, source, destination, sourcePort, destinationPort, , , action] = parts;
  const fields = { src_ip: source, dst_ip: destination, src_port: sourcePort, dst_port: destinationPort, action };
  return [() => recordOf(FIREWALL, fields, line, timeOf(time))];
}

const APACHE_ERROR =
  /^\[(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2} \d{1,2}) (\d\d:\d\d:\d\d)(?:\.\d+)? (\d{4})\] \[(?:(\w*):)?(\w+)\] /;

/** Apache's error log: what a module, a proxy say, ran into, and for which client. */
function apacheError(line: string): Reading {
  const parts = APACHE_ERROR.exec(line);
  if (parts === null) return undefined;
  const [, day, clock, year] = parts;
  const client = new RegExp(String.raw`\[client (${IP}):\d{1,5}\]`, "i").exec(line)?.[1];
  const fields = { "c-ip": client, message: line.slice(parts[0].length) };
  return [() => recordOf(WEBSERVER, fields, line, timeOf(`${day} ${year} ${clock}`))];
}

/** What each of the forms below has, and few other lines. */
const DNS_WORDS = /\bIN\b|\bis \S|query\[|'s? (?:wants|question)|wants '|question for '|\bPACKET\b/;
const DNS_ANSWER = new RegExp(
  String.raw`(?:\breply|\bcached|\bconfig|/etc/hosts) (\S{1,255}) is (${IP})` +
    String.raw`|(?:\bcache entry for (\S{1,255}) |^(\S{1,255}?)\.?[\t ]{1,8}\d{1,10}[\t ]{1,8})IN[\t ]{1,8}A(?:AAA)?[\t ]{1,8}(${IP})`,
  "im",
);
// dnsmasq, PowerDNS
const DNS_ASKED = new RegExp(
  String.raw`\bquery\[(\w{1,10})\] (\S{1,255}) from (${IP})` +
    String.raw`|\bquestion for '([^'|]{1,255})\|(\w{1,10})' from (${IP})` +
    String.raw`|\bRemote (${IP})(?::\d{1,5})?(?:<-\S{1,64})? wants '([^'|]{1,255})\|(\w{1,10})'`,
  "i",
);
// The DNS server of Windows writes the length of each label in front of it.
const DNS_WINDOWS = new RegExp(
  String.raw`\bPACKET .{0,40}(?:UDP|TCP) (?:Rcv|Snd) (${IP}) .{0,64}\] (\w{1,10}) {1,8}((?:\(\d{1,2}\)[^\s()]{1,63}){1,127})\(0\)`,
  "i",
);
// BIND, Unbound, CoreDNS
const DNS_QUESTION = new RegExp(
  String.raw`client (?:@\S+ )?(${IP})#\d+ \([^)]*\): query: (\S{1,255}) IN (\w+)` +
    String.raw`|\binfo: (${IP}) (\S{1,255}) ([A-Z]{1,10}) IN\b` +
    String.raw`|(${IP}):\d{1,5} - \d+ "([A-Z]{1,10}) IN (\S{1,255}) `,
  "i",
);

/** Questions to DNS servers and their answers as text: dnsmasq, Unbound, BIND, CoreDNS, systemd-resolved. */
function dnsText(line: string): Reading {
  const part = line.slice(0, 4_096);
  if (!DNS_WORDS.test(part)) return undefined;
  const answer = DNS_ANSWER.exec(part);
  if (answer !== null) {
    const own = { query: answer[1] ?? answer[3] ?? answer[4], answer: answer[2] ?? answer[5] };
    return [() => recordOf(DNS, own, line, timeIn(line))];
  }
  const question = DNS_ASKED.exec(part) ?? DNS_WINDOWS.exec(part);
  if (question !== null) return dnsQuestion(question, line);
  const asked = DNS_QUESTION.exec(part);
  if (asked === null) return undefined;
  const [, bind, bindName, bindType, unbound, unboundName, unboundType, core, coreType, coreName] = asked;
  const query = (bindName ?? unboundName ?? coreName)!.replace(/\.$/, "");
  const fields = { src_ip: bind ?? unbound ?? core, query, record_type: bindType ?? unboundType ?? coreType };
  return [() => recordOf(DNS, fields, line, timeIn(line))];
}

function dnsQuestion(parts: RegExpExecArray, line: string): Reading {
  const given = parts.slice(1).filter((part) => part !== undefined);
  const source = given.find((part) => ADDRESS.test(part));
  const record_type = given.find((part) => /^[A-Z]{1,5}\d{0,2}$/.test(part));
  const query = given
    .find((part) => part !== source && part !== record_type)
    ?.replace(/\(\d+\)/g, ".")
    .replace(/^\.|\.$/g, "");
  return [() => recordOf(DNS, { src_ip: source, query, record_type }, line, timeIn(line))];
}

// (request id) what happens: what it is about
const API_GATEWAY =
  /^\(?[0-9a-f][0-9a-f-]{6,35}\)? (Method request|Endpoint request|Sending request to|Endpoint response|Method response)(?: (path|query string|headers|body|URI)[^:]{0,40}:)? ?/;

/** Execution logs of Amazon API Gateway: each line tells one part of a request. */
function apiGateway(line: string): Reading {
  const parts = API_GATEWAY.exec(line);
  if (parts === null) return undefined;
  const [start, step, about = "URI"] = parts;
  const rest = line.slice(start.length);
  // What the gateway itself asks for.
  if (about === "URI") return [() => recordOf(PROXY, { "c-uri": rest, "cs-host": hostOf(rest) }, line, undefined)];
  const name = { path: "cs-uri-stem", "query string": "cs-uri-query", body: "cs-body" }[about] ?? "message";
  return [() => recordOf(WEBSERVER, { [name]: rest, step }, line, undefined)];
}

const PROXY_HINT = /host | connect | Request: /;
const PROXY_WORDS =
  /(?:^|\s)(?:Established connection to host|server connect|[0-9a-f]{4,16} Request:) "?([\w.[\]:-]{4,255}(?:\/\S{0,65536})?)"?/;

/** Where a proxy connected to, in its own words: tinyproxy, mitmproxy, Privoxy. */
function proxyWords(line: string): Reading {
  const parts = PROXY_HINT.test(line) ? PROXY_WORDS.exec(line) : null;
  if (parts === null) return undefined;
  const uri = parts[1]!.replace(/"$/, "");
  const client = FIRST_IP.exec(line.slice(0, parts.index))?.[0];
  return [() => recordOf(PROXY, { src_ip: client, "c-uri": uri, "cs-host": hostOf(uri) }, line, timeIn(line))];
}

const WINDOWS_TEXT = new RegExp(
  String.raw`\bSource ?(?:Ip|Address):\s{1,8}(?<from>${IP})\s.{0,200}?\bDestination ?(?:Ip|Address):\s{1,8}(?<to>${IP})(?=\s|$)`,
  "is",
);

const windowsValue = picker(
  (name) => new RegExp(String.raw`\b${name}:\s{1,8}(\S.{0,400}?)(?=\s+[A-Z]\w*(?: [A-Z]\w*){0,2}:|\t|\s*$)`, "s"),
);

/** Connections as Windows words them: Sysmon's and those of the filtering platform, rendered. */
function windowsText(line: string): Reading {
  const part = line.slice(0, 16_384);
  const ends = WINDOWS_TEXT.exec(part)?.groups;
  if (ends === undefined) return undefined;
  const pick = (name: string): string | undefined => windowsValue(name, part);
  const own = {
    Image: pick("(?:Image|Application Name)"),
    ProcessId: pick("Process ?I[dD]"),
    User: pick("User"),
    SourceIp: ends["from"],
    SourcePort: pick("Source ?Port"),
    DestinationIp: ends["to"],
    DestinationPort: pick("Destination ?Port"),
  };
  return [
    () =>
      recordOf(hostSource("network_connection", own.Image ?? "\\"), own, line, timeOf(pick("UtcTime")) ?? timeIn(line)),
  ];
}

/** A URL, a method in a column, or an address with something like an address or a port behind it. */
const ROW_HINT =
  /https?:\/\/|[\t,|]"?(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT|TRACE)"?[\t,|]|[\da-f][.:][\da-f:.]*[\da-f]"?[\s,|]"?[\d:a-f]/i;
/** The end of an address, and behind a space a port or the beginning of another. */
const SPACED_ENDS =
  /(?:\.\d{1,3}|::[\da-f:.]{0,42}|(?::[\da-f]{1,4}){7}[\da-f:.]{0,42})\s{1,64}(?:\d{1,5}\s|\d{1,3}\.\d|[\da-f]{0,4}:)/i;
const PORT = /^\d{1,5}$/;
/** The type of a question as Cisco Umbrella writes it, two columns before the name. */
const UMBRELLA_TYPE = /^\d{1,5} \([A-Z]{1,10}\)$/;
const STATUS = new RegExp(`^(?:${STATUSES})$`);
const METHODS = new Set("GET POST PUT HEAD DELETE OPTIONS PATCH CONNECT TRACE".split(" "));

const ROW_SEPARATORS = ["\t", ",", "|", " "];

/**
 * Columns without a header, between tabs, commas, bars or spaces: a method beside a URL, or two ends beside each other. In
 * prose, which has spaces too, the ends have to have their ports.
 */
function row(line: string): Reading {
  const part = line.slice(0, 65_536);
  if (!ROW_HINT.test(part)) return undefined;
  const separator = ROW_SEPARATORS.find((one) => hasMany(part, one));
  if (separator === undefined) return undefined;
  // Prose has spaces, too. In quotes there may be more of them.
  if (separator === " " && !part.includes('"') && !SPACED_ENDS.test(part)) return undefined;
  const columns = quotedColumns(part, separator)
    .map((column) => {
      const inner = column.trim();
      return inner.startsWith('"') ? inner.replace(/^"(.*)"$/, "$1") : inner;
    })
    .filter((column) => separator !== " " || column !== "");
  const asked = part.includes(" (") ? columns.findIndex((column) => UMBRELLA_TYPE.test(column)) : -1;
  if (asked !== -1 && columns.length > asked + 2) {
    const query = columns[asked + 2]!.replace(/\.$/, "");
    return [
      () =>
        recordOf({ category: "dns" }, { src_ip: columns.find((one) => ADDRESS.test(one)), query }, line, timeIn(line)),
    ];
  }
  if (separator === " ") return endsInRow(columns, true, line);
  const method = columns.findIndex(
    (column, index) => METHODS.has(column) && columns.slice(index + 1, index + 4).some(isTarget),
  );
  const url = columns.findIndex((column, index) =>
    method === -1 ? /^https?:\/\/\S+$/i.test(column) : index > method && isTarget(column),
  );
  if (url !== -1) {
    const client = columns.find((column) => ADDRESS.test(column));
    const own = { src_ip: client, "c-ip": client, "cs-method": columns[method], "c-uri": columns[url] };
    const status = columns.slice(url).find((column) => STATUS.test(column));
    return client === undefined
      ? undefined
      : [() => recordOf(PROXY, { ...own, "sc-status": status, "cs-host": hostOf(columns[url]!) }, line, timeIn(line))];
  }
  return endsInRow(columns, false, line);
}

function endsInRow(columns: readonly string[], withPorts: boolean, line: string): Reading {
  const ends = endsInColumns(columns, withPorts);
  if (ends === undefined) return undefined;
  const [from, to] = ends;
  return [
    () => {
      const action = columns.find((column) =>
        /^(?:allow|accept|permit|pass|deny|drop|block|reject)(?:ed|ped|ted)?$/i.test(column),
      );
      const own = { src_ip: from.ip, src_port: from.port, dst_ip: to.ip, dst_port: to.port, action };
      return recordOf(FIREWALL, own, line, timeIn(line));
    },
  ];
}

/** Whether there are six columns at least. */
function hasMany(line: string, separator: string): boolean {
  let at = -1;
  for (let count = 0; count < 5; count++) if ((at = line.indexOf(separator, at + 1)) === -1) return false;
  return true;
}

const isTarget = (column: string): boolean => /^(?:\/|https?:\/\/)\S*$/i.test(column);

/** Who asks has the high port, whichever of them stands first. */
function endsInColumns(columns: readonly string[], withPorts: boolean): readonly [End, End] | undefined {
  for (const [at, ip] of columns.entries()) {
    if (!ADDRESS.test(ip)) continue;
    const next = columns.slice(at + 1, at + 5);
    const found = [
      // address port address port
      [next[1], next[0], next[2]],
      // address address port port, and with a service between
      [next[0], next[1], next[2]],
      [next[0], next[2], next[3]],
    ].find(([other = "", port = "", otherPort = ""]) => ADDRESS.test(other) && PORT.test(port) && PORT.test(otherPort));
    if (found !== undefined) {
      const own: End = { ip, port: found[1] };
      const other: End = { ip: found[0]!, port: found[2] };
      return Number(own.port) < 1_024 && Number(other.port) >= 1_024 ? [other, own] : [own, other];
    }
    if (!withPorts && ADDRESS.test(next[0] ?? "")) return [{ ip }, { ip: next[0]! }];
  }
  return undefined;
}

/** Words of a command that keep their names; a command may have thousands. */
const MOST_AUDIT_WORDS = 10;

const auditWord = picker((name) => new RegExp(String.raw`\b${name}=("[^"]*"|\S+)`));
const AUDIT = /\btype=([A-Z_]+) msg=audit\(([\d/]+[ .]?[\d:.]*?):(\d+)\) ?:/;

/** What a call of the system was made by. */
interface AuditCall {
  readonly id: string;
  /** Worked out when a record that belongs to it is judged. */
  readonly fields: () => Fields;
}

/**
 * Records of the Linux audit: where a socket was connected to, and what was executed. The record of the call itself, which
 * comes before that of its address under the same number, tells who made it.
 */
function openAudit(): (line: string) => Reading {
  let call: AuditCall | undefined;
  return (line) => audit(line, call, (made) => (call = made));
}

function audit(line: string, call: AuditCall | undefined, keep: (call: AuditCall) => void): Reading {
  const mark = AUDIT.exec(line);
  if (mark === null) return undefined;
  const time = (): number | undefined => auditTime(mark[2]!);
  const pick = (name: string): string | undefined => auditValue(auditWord(name, line));
  const own = once((): Fields => {
    const fields = {
      Image: pick("exe"),
      ProcessId: pick("pid"),
      User: pick("UID") ?? pick("uid") ?? pick("auid"),
      comm: pick("comm"),
      action: mark[1] === "SYSCALL" && pick("success") === "no" ? "failed" : undefined,
    };
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  });
  const id = mark[3]!;
  if (mark[1] === "SYSCALL") keep({ id, fields: own });
  const shared = once((): Fields => ({ ...(call?.id === id ? call.fields() : {}), ...own(), "audit.id": id }));
  if (mark[1] === "SOCKADDR" || line.includes("saddr=")) {
    const end = socketAddress(/\bsaddr=([0-9A-F]+)/i.exec(line)?.[1]) ?? {
      DestinationIp: pick("laddr"),
      DestinationPort: pick("lport"),
    };
    if (end.DestinationIp === undefined) return "other";
    const fields = once(() => ({ ...shared(), type: mark[1], saddr: /\bsaddr=(\w+)/.exec(line)?.[1], ...end }));
    return [
      () => recordOf({ product: "linux", service: "auditd" }, fields(), line, time()),
      () => recordOf(hostSource("network_connection", "/"), fields(), line, time()),
    ];
  }
  if (mark[1] === "EXECVE") {
    const words = once(() => [...line.matchAll(/\ba\d+=("[^"]*"|\S+)/g)].map((match) => auditValue(match[1]) ?? ""));
    return [
      () => {
        const byName = words()
          .slice(0, MOST_AUDIT_WORDS)
          .map((word, index) => [`a${index}`, word] as const);
        const fields = { type: mark[1], ...shared(), ...Object.fromEntries(byName) };
        return recordOf({ product: "linux", service: "auditd" }, fields, line, time());
      },
      () =>
        recordOf(
          hostSource("process_creation", "/"),
          { ...shared(), Image: shared()["Image"] ?? words()[0], CommandLine: words().join(" ") },
          line,
          time(),
        ),
    ];
  }
  if (mark[1] === "PROCTITLE") {
    return [
      () => {
        const command = pick("proctitle")?.replaceAll("\0", " ");
        const fields = { ...shared(), Image: command?.split(" ")[0], CommandLine: command };
        return recordOf(hostSource("process_creation", "/"), fields, line, time());
      },
    ];
  }
  return "other";
}

/**
 * The record of the call that belongs to a record of the audit, out of the bytes before it. Nothing in that record names
 * the metadata service, so it is not read otherwise.
 */
export function auditCallBefore(line: string, before: string): string | undefined {
  const mark = line.includes("SOCKADDR") ? AUDIT.exec(line) : null;
  if (mark === null || mark[1] !== "SOCKADDR") return undefined;
  const at = before.lastIndexOf(`:${mark[3]!})`);
  if (at === -1) return undefined;
  const start = before.lastIndexOf("\n", at) + 1;
  const end = before.indexOf("\n", at);
  const found = before.slice(start, end === -1 ? undefined : end);
  return found.includes("type=SYSCALL") ? found : undefined;
}

/** Seconds since the epoch, or as `ausearch -i` shows it: day, month and year in the order of the host's language. */
function auditTime(text: string): number | undefined {
  const day = /^(\d\d)\/(\d\d)\/(\d{2,4}) (\d\d:\d\d:\d\d(?:\.\d+)?)$/.exec(text);
  if (day === null) return timeOf(text);
  const [, first, second, year, clock] = day;
  // Where it is not clear which is the month, no time is better than a wrong one.
  const month = Number(first) > 12 ? second : Number(second) > 12 || first === second ? first : undefined;
  const date = month === second ? first : second;
  return month === undefined
    ? undefined
    : timeOf(`${year!.length === 2 ? `20${year}` : year}-${month}-${date}T${clock}Z`);
}

/** A quoted text, or what the audit wrote in hexadecimal because of its characters. */
function auditValue(value: string | undefined): string | undefined {
  if (value === undefined || value === "?" || value === "(null)") return undefined;
  if (value.startsWith('"')) return value.slice(1, -1);
  return /^(?:[0-9A-F]{2}){3,}$/.test(value) ? Buffer.from(value, "hex").toString("utf8") : value;
}

/** A `sockaddr` of Linux in hexadecimal: family 2 (IPv4) or 10 (IPv6). */
function socketAddress(
  hex: string | undefined,
): { DestinationIp: string | undefined; DestinationPort?: string | undefined } | undefined {
  const bytes = hex === undefined ? undefined : Buffer.from(hex.slice(0, 56), "hex");
  if (bytes === undefined || bytes.length < 8) return undefined;
  const family = bytes.readUInt16LE(0);
  const port = String(bytes.readUInt16BE(2));
  if (family === 2) return { DestinationIp: bytes.subarray(4, 8).join("."), DestinationPort: port };
  if (family !== 10 || bytes.length < 24) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(8 + 2 * index).toString(16));
  return {
    DestinationIp: groups
      .join(":")
      .replace(/(?:^|:)0(?::0)+(?=:|$)/, ":")
      .replace(/^:(?!:)/, "::")
      .replace(/(?<!:):$/, "::"),
    DestinationPort: port,
  };
}

/** Formats of text lines, in the order in which they are tried. */
export const TEXT_FORMATS: readonly LogFormat[] = [
  pattern(
    "squid",
    "squid access log, native or of the same parts",
    "a time, a result such as `TCP_MISS/200`, a method and a URL",
    PROXY,
    squid,
    { begins: /\d/ },
  ),
  pattern(
    "access-log",
    "common and combined logs: Apache, nginx, Traefik and others",
    '`client ident user [time] "request" status bytes`',
    [WEBSERVER, PROXY],
    combined,
    { holds: ['] "'] },
  ),
  pattern(
    "aws-lb",
    "AWS load balancers (application, classic)",
    "times, ends, two statuses and a quoted request",
    WEBSERVER,
    loadBalancer,
    { begins: /[\dhgwt]/i },
  ),
  pattern("envoy", "Envoy and Istio access log, text", '`[time] "request" status flags`', [WEBSERVER, PROXY], envoy, {
    begins: /\[/,
    holds: ['] "'],
  }),
  pattern(
    "haproxy",
    "HAProxy HTTP log",
    '`client:port [time] frontend backend timers status bytes ... "request"`',
    [WEBSERVER, PROXY],
    haproxy,
    { begins: /[[\da-f.:]/i },
  ),
  pattern(
    "s3-access",
    "Amazon S3 server access log",
    "owner, bucket, `[time]`, address, operation and a quoted request",
    WEBSERVER,
    s3,
    { begins: /[\da-f]/ },
  ),
  pattern("conntrack", "conntrack -L, conntrack -E", "a protocol, `src=` and `dst=`", FIREWALL, conntrack, {
    begins: /[[istu]/,
    holds: ["src="],
  }),
  pattern("aws-nlb", "AWS network load balancers", "`tls`, a time and two ends", FIREWALL, networkBalancer, {
    begins: /t/i,
  }),
  pattern(
    "azure-flow",
    "Azure flow logs",
    "`time,address,address,port,port,protocol,direction,`",
    FIREWALL,
    flowTuple,
    { begins: /\d/, holds: [","] },
  ),
  pattern(
    "strace",
    "system calls that strace has seen",
    "`sa_family=AF_INET`, a port and an address",
    HOST_SOURCES,
    straceLine,
    { holds: ["sa_family=AF_INET"] },
  ),
  pattern(
    "arp",
    "who answers for an address: ARP in tcpdump and tshark, arp -a, ip neighbour",
    "`Reply address is-at MAC`, `(address) at MAC`, `address dev ... lladdr MAC`",
    { product: "suricata", service: "arp" },
    arpAnswer,
    { holds: [ARP_WORDS] },
  ),
  pattern("sockets", "tables of sockets: ss, netstat", "a protocol and two ends", HOST_SOURCES, socketLine, {
    begins: /[a-z]/i,
  }),
  pattern(
    "api-gateway",
    "Amazon API Gateway execution logs",
    "`(request id) Method request ...`, `Endpoint request URI: ...`",
    [WEBSERVER, PROXY],
    apiGateway,
    { begins: /[(\da-f]/ },
  ),
  pattern("apache-error", "Apache error log", "`[time] [module:level]`", WEBSERVER, apacheError, { begins: /\[/ }),
];

/** Formats that a part of a line is enough for, in the order in which they are tried. */
export const LOOSE_FORMATS: readonly LogFormat[] = [
  pattern("netfilter", "packet filter of Linux: iptables, nftables, UFW", "`SRC=` and `DST=`", FIREWALL, netfilter, {
    holds: ["SRC="],
  }),
  pattern("cisco", "Cisco ASA and Firepower", "`%ASA-` or `%FTD-` with two ends", [FIREWALL, PROXY], cisco, {
    holds: ["%"],
  }),
  pattern(
    "palo-alto",
    "Palo Alto TRAFFIC and THREAT, CSV",
    "`TRAFFIC` or `THREAT` in the fourth column",
    FIREWALL,
    paloAlto,
    { holds: [","] },
  ),
  pattern(
    "filterlog",
    "pfSense and OPNsense filterlog",
    "`filterlog` columns with an action and a version of IP",
    FIREWALL,
    filterlog,
    { holds: [","] },
  ),
  {
    ...pattern("auditd", "Linux audit", "`type=... msg=audit(...)`", HOST_SOURCES, () => undefined, {
      holds: ["msg=audit("],
    }),
    open: () => openAudit(),
  },
  pattern(
    "dns-text",
    "DNS as text: dnsmasq, Pi-hole, BIND, Unbound, CoreDNS, systemd-resolved",
    "`reply NAME is ADDRESS`, `query: NAME IN A` and the like",
    DNS,
    dnsText,
    { holds: [DNS_WORDS] },
  ),
  pattern(
    "windows-text",
    "connections as Windows words them: Sysmon, 5156, rendered",
    "`SourceIp: address ... DestinationIp: address`",
    HOST_SOURCES,
    windowsText,
    { holds: [/\bSource ?(?:Ip|Address):/i] },
  ),
  pattern(
    "arrow",
    "two ends in words: Suricata and Snort fast.log, Cisco IOS, Azure Firewall, Juniper, tcpdump",
    "`address -> address`, `from address ... to address`",
    FIREWALL,
    arrow,
    { broad: true, holds: [/[>\u2192\u21d2]|[\s,](?:to|dst|dest|destination|daddr|laddr)[ :]/i] },
  ),
  pattern(
    "request-line",
    "a request line in any text",
    "a method and a URL or a path",
    [WEBSERVER, PROXY],
    requestLine,
    { broad: true, holds: [/\b(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT|PROPFIND|TRACE) /] },
  ),
  pattern(
    "proxy-words",
    "proxies' own words: tinyproxy, mitmproxy, Privoxy",
    "`Established connection to host`, `server connect`, `Request:`",
    PROXY,
    proxyWords,
    { holds: [PROXY_HINT] },
  ),
];

/** What is left of lines that nothing else fits. */
export const ROW_FORMAT: LogFormat = pattern(
  "row",
  "columns without a header: WatchGuard, F5 AFM, CloudFront in real time, Umbrella, Zscaler and others",
  "a method beside a URL, or two addresses beside each other with their ports",
  [PROXY, FIREWALL],
  row,
  { broad: true, holds: [ROW_HINT] },
);
