/** Readers for logs of one JSON object a line: Zeek, Suricata EVE, CloudTrail, events of imds-guard, Sysmon. */
import type { LogRecord, RecordSource } from "./log-record.js";

type Fields = Readonly<Record<string, unknown>>;

/** What a reader makes of a line: a record, nothing that rules look at, or no line of this format. */
export type ReadLine = LogRecord | "other" | "malformed";

/** Reads a line as a JSON object and hands it to `map`. */
export function jsonLine(map: (fields: Fields, text: string) => LogRecord | "other"): (line: string) => ReadLine {
  return (line) => {
    const fields = parseObject(line);
    return fields === undefined ? "malformed" : map(fields, line);
  };
}

/** The JSON object that a text is, or `undefined`. */
export function parseObject(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Milliseconds since the epoch of a number of seconds or an ISO 8601 text (also with `+0000` for the offset). */
export function timeOf(value: unknown): number | undefined {
  const seconds =
    typeof value === "number"
      ? value
      : typeof value === "string" && /^\d+(?:\.\d+)?$/.test(value)
        ? Number(value)
        : undefined;
  // `Date` holds 8.64e15 ms either way.
  if (seconds !== undefined) return seconds >= 0 && seconds < 8.64e12 ? seconds * 1000 : undefined;
  if (typeof value !== "string" || value.length > 40) return undefined;
  const time = Date.parse(value.replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
  return Number.isNaN(time) ? undefined : time;
}

const ZEEK_LOGS: readonly (readonly [service: string, marks: readonly string[]])[] = [
  ["conn", ["conn_state", "id.resp_h"]],
  ["http", ["trans_depth"]],
  ["dns", ["qclass"]],
  ["dns", ["query", "id.resp_h"]],
  ["ssl", ["server_name"]],
  ["ssl", ["cipher", "established"]],
];

/** Zeek's logs in JSON. Which log a record is of is told by `_path` where it is streamed, else by its fields. */
export function zeekJson(fields: Fields, text: string): LogRecord | "other" {
  const path = fields["_path"];
  const service =
    typeof path === "string"
      ? path
      : ZEEK_LOGS.find(([, marks]) => marks.every((mark) => Object.hasOwn(fields, mark)))?.[0];
  if (service === undefined) return "other";
  return { source: { product: "zeek", service }, fields, text, time: timeOf(fields["ts"]) };
}

/**
 * Suricata's EVE. What it says of HTTP, DNS and TLS goes under the names of Zeek's logs, whose rules read the same
 * wire.
 */
export function suricataEve(eve: Fields, text: string): LogRecord | "other" {
  const time = timeOf(eve["timestamp"]);
  const tuple = {
    "id.orig_h": eve["src_ip"],
    "id.orig_p": eve["src_port"],
    "id.resp_h": eve["dest_ip"],
    "id.resp_p": eve["dest_port"],
    vlan: eve["vlan"],
  };
  const zeek = (service: string, fields: Fields): LogRecord => ({
    source: { product: "zeek", service },
    fields: defined({ ...tuple, ...fields }),
    text,
    time,
  });
  const type = eve["event_type"];
  if (type === "flow")
    return { source: { category: "network", service: "connection" }, fields: defined(flow(eve)), text, time };
  if (type === "http") {
    const http = object(eve["http"]);
    return zeek("http", {
      method: http["http_method"],
      host: http["hostname"],
      uri: http["url"],
      status_code: http["status"],
      user_agent: http["http_user_agent"],
      client_header_names: list(http["request_headers"])
        .map((header) => object(header)["name"])
        .filter(isText),
    });
  }
  if (type === "dns") return zeek("dns", dns(object(eve["dns"])));
  if (type === "tls")
    return zeek("ssl", { server_name: object(eve["tls"])["sni"], version: object(eve["tls"])["version"] });
  if (type === "arp") return { source: { product: "suricata", service: "arp" }, fields: eve, text, time };
  return "other";
}

function flow(eve: Fields): Fields {
  const counts = object(eve["flow"]);
  return {
    "source.ip": eve["src_ip"],
    "source.port": eve["src_port"],
    "destination.ip": eve["dest_ip"],
    "destination.port": eve["dest_port"],
    "network.transport": eve["proto"],
    "network.protocol": eve["app_proto"],
    "network.state": counts["state"],
    "network.vlan.id": eve["vlan"],
    "source.bytes": counts["bytes_toserver"],
    "destination.bytes": counts["bytes_toclient"],
    "source.packets": counts["pkts_toserver"],
    "destination.packets": counts["pkts_toclient"],
  };
}

// Version 1 logs one answer a record, 2 adds `answers` and `grouped`, 3 puts the question into `queries`.
function dns(message: Fields): Fields {
  const question = object(list(message["queries"])[0] ?? message);
  const grouped = object(message["grouped"]);
  const answers = [
    message["rdata"],
    ...list(message["answers"]).map((answer) => object(answer)["rdata"]),
    ...Object.values(grouped).flatMap(list),
  ];
  return {
    query: question["rrname"],
    qtype_name: question["rrtype"],
    rcode_name: message["rcode"],
    answers: [...new Set(answers.filter(isText))],
  };
}

/** CloudTrail: one record. */
export function cloudtrail(fields: Fields, text: string): LogRecord | "other" {
  if (!isText(fields["eventName"]) || !isText(fields["eventSource"])) return "other";
  return { source: { product: "aws", service: "cloudtrail" }, fields, text, time: timeOf(fields["eventTime"]) };
}

/** Events of imds-guard, in its own encoding or as ECS documents. */
export function guardEvent(fields: Fields, text: string): LogRecord | "other" {
  const source: RecordSource = { category: "application", product: "imds_guard" };
  if (isText(fields["code"])) return { source, fields, text, time: timeOf(fields["time"]) };
  const ecs = object(fields["imds_guard"]);
  if (!isText(ecs["code"])) return "other";
  return { source, fields: { ...fields, ...ecs }, text, time: timeOf(fields["@timestamp"]) };
}

const SYSMON_CATEGORIES: Readonly<Record<string, string>> = { 1: "process_creation", 3: "network_connection" };

/**
 * Sysmon's events 1 and 3, flat, as Windows renders them (`Event.EventData`) or as Winlogbeat ships them
 * (`winlog.event_data`).
 */
export function sysmon(record: Fields, text: string): LogRecord | "other" {
  const event = object(record["Event"]);
  const winlog = object(record["winlog"]);
  const id = [record["EventID"], object(event["System"])["EventID"], winlog["event_id"]].find(
    (value) => value !== undefined,
  );
  const category = SYSMON_CATEGORIES[String(id)];
  if (category === undefined) return "other";
  const fields =
    [object(event["EventData"]), object(winlog["event_data"])].find((data) => Object.keys(data).length > 0) ?? record;
  const image = fields["Image"];
  const product = !isText(image) || image.includes("\\") ? "windows" : record["os"] === "macos" ? "macos" : "linux";
  const time = timeOf(isText(fields["UtcTime"]) ? `${fields["UtcTime"].replace(" ", "T")}Z` : record["@timestamp"]);
  return { source: { category, product }, fields, text, time };
}

function object(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
