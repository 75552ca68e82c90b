/** Formats of one JSON object a record: sensors, clouds, hosts, proxies and what SIEMs export. */
import { once } from "../base/lazy.js";
import { FIREWALL, DNS, HOST_SOURCES, NETWORK, PROXY, WEBSERVER, hostSource, recordOf } from "./log-format.js";
import type { LogFormat, Made, Reading } from "./log-format.js";
import {
  address,
  connectionFields,
  endsOf,
  firewallFields,
  isAddress,
  mayMean,
  processFields,
  usualTime,
  valueOf,
  webFields,
} from "./log-fields.js";
import { fieldOf, firstOf, isText, list, object } from "./log-record.js";
import type { Fields, LogRecord, RecordSource } from "./log-record.js";
import { timeOf } from "./log-time.js";

/** The JSON value that a text is, or `undefined`. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const has = (fields: Fields, ...names: readonly string[]): boolean =>
  names.every((name) => fieldOf(fields, name) !== undefined);

/** Matches the names of fields, and those of what they are in. */
function namesOf(names: readonly string[]): (name: string) => boolean {
  const all = new Set(names.flatMap((name) => [name, name.split(".", 1)[0]!]));
  return (name) => all.has(name);
}

/** A format that an object is of when it has all fields of one of the lists. */
function entry(
  name: string,
  title: string,
  sources: readonly RecordSource[],
  marks: readonly (readonly string[])[],
  read: (fields: Fields, text: string) => Reading,
): LogFormat {
  return {
    name,
    title,
    sources,
    recognised: marks.map((names) => names.map((field) => `\`${field}\``).join(" and ")).join(", or "),
    names: namesOf(marks.map(([first]) => first!)),
    json: (fields, text, named) =>
      named === true || marks.some((names) => has(fields, ...names)) ? read(fields, text) : undefined,
  };
}

const one = (source: RecordSource, fields: Fields, text: string, time: number | undefined): readonly LogRecord[] => [
  recordOf(source, fields, text, time),
];

const ZEEK_LOGS: readonly (readonly [service: string, marks: readonly string[]])[] = [
  ["conn", ["conn_state", "id.resp_h"]],
  ["http", ["trans_depth"]],
  ["dns", ["qclass"]],
  ["dns", ["query", "id.resp_h"]],
  ["ssl", ["server_name"]],
  ["ssl", ["cipher", "established"]],
];
/** Logs whose own rules look at the addresses. */
const JUDGED_BY_ADDRESS: ReadonlySet<string> = new Set(["conn", "http", "arp"]);
export const ZEEK_SOURCES: readonly RecordSource[] = [
  ...["conn", "http", "dns", "ssl"].map((service): RecordSource => ({ product: "zeek", service })),
  NETWORK,
];

// Which log a record is of is told by `_path` where it is streamed, else by its fields.
function zeek(fields: Fields, text: string): Reading {
  const path = fields["_path"];
  const service =
    typeof path === "string"
      ? path
      : ZEEK_LOGS.find(([, marks]) => marks.every((mark) => Object.hasOwn(fields, mark)))?.[0];
  return zeekRecord(service, fields, text);
}

/** A record of one of Zeek's logs. Those whose addresses no rule looks at (files, notice, ssl, ...) tell a connection, too. */
export function zeekRecord(service: string | undefined, fields: Fields, text: string): Reading {
  const time = timeOf(fields["ts"]);
  const own = service === undefined ? [] : [{ source: { product: "zeek", service }, fields, text, time }];
  if (service !== undefined && JUDGED_BY_ADDRESS.has(service)) return own;
  // A file goes from `tx_hosts` to `rx_hosts`, who asked for it; `host` is what was seen to serve something.
  const ends = {
    from: fields["id.orig_h"] ?? fields["src"] ?? onlyOf(fields["rx_hosts"]),
    to: fields["id.resp_h"] ?? fields["dst"] ?? onlyOf(fields["tx_hosts"]) ?? fields["host"],
  };
  if (ends.from === undefined && ends.to === undefined) return own.length > 0 ? own : "other";
  const connection = {
    "source.ip": ends.from,
    "source.port": fields["id.orig_p"],
    "destination.ip": ends.to,
    "destination.port": fields["id.resp_p"] ?? fields["p"],
    "network.vlan.id": fields["vlan"],
    "rule.name": fields["note"] ?? fields["name"],
  };
  return [...own, recordOf(NETWORK, connection, text, time)];
}

function onlyOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value;
}

// What Suricata says of HTTP, DNS and TLS goes under the names of Zeek's logs, whose rules read the same wire.
function suricata(eve: Fields, text: string): Reading {
  const time = (): number | undefined => timeOf(eve["timestamp"]);
  const as = (service: string, fields: Fields): LogRecord => {
    const tuple = {
      "id.orig_h": eve["src_ip"],
      "id.orig_p": eve["src_port"],
      "id.resp_h": eve["dest_ip"],
      "id.resp_p": eve["dest_port"],
      vlan: eve["vlan"],
    };
    return recordOf({ product: "zeek", service }, { ...tuple, ...fields }, text, time());
  };
  const flow = (): LogRecord => recordOf(NETWORK, flowFields(eve), text, time());
  const http = object(eve["http"]);
  const records: Made[] = [];
  switch (eve["event_type"]) {
    case "arp":
      return [() => ({ source: { product: "suricata", service: "arp" }, fields: eve, text, time: time() })];
    case "dns":
      return [() => as("dns", suricataDns(object(eve["dns"]))), flow];
    case "tls": {
      const tls = object(eve["tls"]);
      return [() => as("ssl", { server_name: tls["sni"], version: tls["version"] }), flow];
    }
    default:
      // Alerts and files carry the request that they are about; everything with addresses is a flow at least.
      if (Object.keys(http).length > 0) records.push(() => as("http", suricataHttp(http)));
      if (eve["src_ip"] !== undefined || eve["dest_ip"] !== undefined) records.push(flow);
      return records.length > 0 ? records : "other";
  }
}

function suricataHttp(http: Fields): Fields {
  return {
    method: http["http_method"],
    host: http["hostname"],
    uri: http["url"],
    status_code: http["status"],
    user_agent: http["http_user_agent"],
    referrer: http["http_refer"],
    response_body_len: http["length"],
    request_body: http["http_request_body_printable"],
    client_header_names: list(http["request_headers"])
      .map((header) => object(header)["name"])
      .filter(isText),
  };
}

function flowFields(eve: Fields): Fields {
  const counts = { ...object(eve["netflow"]), ...object(eve["flow"]) };
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
    "rule.name": object(eve["alert"])["signature"],
  };
}

// Version 1 logs one answer a record, 2 adds `answers` and `grouped`, 3 puts the question into `queries`.
function suricataDns(message: Fields): Fields {
  const question = object(list(message["queries"])[0] ?? list(message["query"])[0] ?? message);
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

const EVENTS: RecordSource = { category: "application", product: "imds_guard" };

const guardEvents: LogFormat = {
  name: "events",
  whole: true,
  title: "events of imds-guard: its own encoding, ECS, OCSF",
  sources: [EVENTS],
  recognised: "`code`, `severity` and `caller`, or `imds_guard.code`, or `metadata.product.name` is imds-guard",
  names: namesOf(["code", "imds_guard", "metadata.product.name"]),
  json(fields, text, named) {
    if (isText(fields["code"]) && (named === true || has(fields, "severity", "caller")))
      return one(EVENTS, fields, text, timeOf(fields["time"]));
    const ecs = object(fields["imds_guard"]);
    if (isText(ecs["code"])) return one(EVENTS, { ...fields, ...ecs }, text, timeOf(fields["@timestamp"]));
    if (fieldOf(fields, "metadata.product.name") !== "imds-guard") return undefined;
    const code = fieldOf(fields, "metadata.event_code");
    return isText(code) ? one(EVENTS, { ...fields, code }, text, timeOf(fields["time"])) : "other";
  },
};

const SYSMON_CATEGORIES: Readonly<Record<string, "process_creation" | "network_connection">> = {
  1: "process_creation",
  3: "network_connection",
  // Windows' own audit: a new process, a connection that the filtering platform let through or blocked.
  4688: "process_creation",
  5156: "network_connection",
  5157: "network_connection",
};

/** Sysmon's event of a name that a process asked for. */
const DNS_QUERY = "22";
/** A piece of a script that PowerShell ran. */
const SCRIPT_BLOCK = "4104";

/**
 * Events of Sysmon and of Windows' audit by their own names: flat, as Windows renders them (`Event.EventData`), or as
 * Winlogbeat ships them (`winlog.event_data`, or the fields of ECS).
 */
export function windowsEvent(record: Fields, text: string): Reading {
  const system = object(fieldOf(record, "Event.System"));
  const winlog = object(record["winlog"]);
  const id = [
    record["EventID"],
    record["EventId"],
    eventNumber(system["EventID"]),
    winlog["event_id"],
    record["event_id"],
  ].find((value) => value !== undefined);
  const data =
    [object(fieldOf(record, "Event.EventData")), object(winlog["event_data"]), object(record["EventData"])].find(
      (candidate) => Object.keys(candidate).length > 0,
    ) ?? record;
  const merged = (): Fields => ({ ...record, ...data });
  if (String(id) === DNS_QUERY && isText(data["QueryName"] ?? record["QueryName"]))
    return [() => dnsRecord({ ...merged(), timestamp: data["UtcTime"] ?? record["timestamp"] }, text)];
  const script = data["ScriptBlockText"];
  if (String(id) === SCRIPT_BLOCK && isText(script)) {
    const own = { Image: "powershell.exe", CommandLine: script, User: record["User"], Script: data["Path"] };
    return one(hostSource("process_creation", own.Image), own, text, usualTime(record));
  }
  const category = SYSMON_CATEGORIES[String(id)];
  if (category === undefined) return "other";
  return [
    () => {
      const usual = category === "process_creation" ? processFields(merged()) : connectionFields(merged());
      // `parent` and `command_line` of ECS lie deeper than the names of Sysmon.
      const fields: Fields = { ...usual, ...data };
      const time =
        timeOf(data["UtcTime"]) ?? timeOf(fieldOf(record, "Event.System.TimeCreated.SystemTime")) ?? usualTime(record);
      const os = record["os"] ?? fieldOf(record, "host.os.type");
      return recordOf(hostSource(category, fields["Image"], os), fields, text, time);
    },
  ];
}

function eventNumber(value: unknown): unknown {
  return typeof value === "object" && value !== null ? firstOf(value as Fields, ["#text", "$t", "Value"]) : value;
}

const sysmon: LogFormat = {
  name: "sysmon",
  title: "Sysmon and Windows audit, JSON (also Winlogbeat)",
  sources: [...HOST_SOURCES, DNS],
  recognised: "`EventID`, `Event.System.EventID` or `winlog.event_id`",
  names: namesOf(["EventID", "winlog.event_id", "Event.System.EventID"]),
  json: (fields, text, named) =>
    named === true ||
    Object.hasOwn(fields, "EventID") ||
    has(fields, "winlog.event_id") ||
    has(fields, "Event.System.EventID")
      ? windowsEvent(fields, text)
      : undefined,
};

const cloudtrail: LogFormat = {
  name: "cloudtrail",
  whole: true,
  title: "AWS CloudTrail",
  sources: [{ product: "aws", service: "cloudtrail" }],
  recognised: "`eventSource` and `eventName`",
  names: namesOf(["eventSource", "eventName", "digestPublicKeyFingerprint"]),
  json(fields, text) {
    if (!Object.hasOwn(fields, "eventSource") && !Object.hasOwn(fields, "eventName")) {
      return Object.hasOwn(fields, "digestPublicKeyFingerprint") ? "other" : undefined;
    }
    if (!isText(fields["eventName"]) || !isText(fields["eventSource"])) return undefined;
    return one({ product: "aws", service: "cloudtrail" }, fields, text, timeOf(fields["eventTime"]));
  },
};

const guardduty: LogFormat = {
  name: "guardduty",
  whole: true,
  title: "Amazon GuardDuty findings",
  sources: [{ product: "aws", service: "guardduty" }],
  recognised: "`schemaVersion`, `type` and `service`, or the same in the case of the API",
  names: namesOf(["schemaVersion", "SchemaVersion"]),
  json(fields, text) {
    const lower = has(fields, "schemaVersion", "type", "resource");
    if (!lower && !has(fields, "SchemaVersion", "Type", "Resource", "Service")) return undefined;
    const own = lower ? fields : (lowerFirst(fields) as Fields);
    const time = timeOf(fieldOf(own, "service.eventLastSeen")) ?? timeOf(own["updatedAt"]);
    return one({ product: "aws", service: "guardduty" }, own, text, time);
  },
};

/** Names of an API answer as the events write them: `AccountId` -> `accountId`. */
function lowerFirst(value: unknown, depth = 0): unknown {
  if (depth > 16 || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((element) => lowerFirst(element, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name.charAt(0).toLowerCase() + name.slice(1),
      lowerFirst(inner, depth + 1),
    ]),
  );
}

const QUERY_TYPES = ["query_type", "dns.question.type", "rrtype", "qtype_name", "qtype", "QueryType", "QT"];

/** A question to DNS and its answer, of names with values. */
export function dnsRecord(fields: Fields, text: string): LogRecord {
  const query = valueOf(fields, "query_name");
  const answers = answersOf(valueOf(fields, "answer"));
  return recordOf(
    DNS,
    {
      src_ip: address(valueOf(fields, "src", ["IP"])),
      query: isText(query) ? query.replace(/\.$/, "") : query,
      record_type: firstOf(fields, QUERY_TYPES),
      answer: answers,
    },
    text,
    usualTime(fields) ?? timeOf(fields["query_timestamp"]),
  );
}

/** Addresses and names in an answer, however they are nested. */
function answersOf(value: unknown): unknown {
  if (typeof value === "string")
    return value
      .split(/[;,\s]+/)
      .map((part) => part.replace(/^::ffff:/i, ""))
      .filter((part) => part !== "");
  return list(value).map((answer) => {
    const fields = object(answer);
    return isText(answer) ? answer : (firstOf(fields, ["Rdata", "rdata", "data", "value", "address", "ip"]) ?? "");
  });
}

const webRecord = (fields: Fields, text: string): LogRecord => {
  const time = usualTime(fields);
  const target = valueOf(fields, "url");
  const method = valueOf(fields, "method");
  // A forward proxy's requests name the whole URL.
  const own = webFields(fields);
  if (isText(target) && (method === "CONNECT" || /^(?:[A-Z]+ )?[a-z]+:\/\/169|^[A-Z]+ https?:/.test(target))) {
    return recordOf(
      PROXY,
      {
        ...own,
        src_ip: own["c-ip"],
        "c-uri": target,
        "cs-host": own["cs-host"] ?? hostOf(target),
        "c-useragent": own["cs-user-agent"],
        dst_ip: address(valueOf(fields, "dst")),
      },
      text,
      time,
    );
  }
  return recordOf(WEBSERVER, own, text, time);
};

/** The host of an absolute URL or of the target of a tunnel, as it is written. */
export function hostOf(uri: string): string | undefined {
  return /^(?:[A-Z]{3,10} )?(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#[\]]+)/i.exec(uri)?.[1];
}

const firewallRecord = (fields: Fields, text: string): LogRecord =>
  recordOf(FIREWALL, firewallFields(fields), text, usualTime(fields) ?? timeOf(fields["start"]));

const falco: LogFormat = entry("falco", "Falco, JSON", HOST_SOURCES, [["rule", "output_fields"]], (fields, text) => {
  const named = once(() => falcoFields(object(fields["output_fields"])));
  const time = timeOf(fields["time"]);
  return (["network_connection", "process_creation"] as const).map(
    (category) => () => recordOf(hostSource(category, named()["Image"]), named(), text, time),
  );
});

function falcoFields(output: Fields): Fields {
  const ends = /^\[?([0-9a-f.:]+)\]?:(\d+)->\[?([0-9a-f.:]+)\]?:(\d+)$/i.exec(String(output["fd.name"] ?? ""));
  const own = {
    ...output,
    ...(ends && { SourceIp: ends[1], SourcePort: ends[2], DestinationIp: ends[3], DestinationPort: ends[4] }),
  };
  return { ...connectionFields(own), ...own };
}

const tetragon: LogFormat = entry(
  "tetragon",
  "Tetragon, JSON",
  HOST_SOURCES,
  [["process_kprobe.process"], ["process_exec.process"], ["process_tracepoint.process"]],
  (fields, text) => {
    const event = object(fields["process_kprobe"] ?? fields["process_exec"] ?? fields["process_tracepoint"]);
    const process = object(event["process"]);
    const socket = list(event["args"])
      .map((argument) =>
        object(object(argument)["sock_arg"] ?? object(argument)["skb_arg"] ?? object(argument)["sockaddr_arg"]),
      )
      .find((argument) => argument["daddr"] !== undefined || argument["addr"] !== undefined);
    const own = {
      Image: process["binary"],
      CommandLine: `${String(process["binary"] ?? "")} ${String(process["arguments"] ?? "")}`.trim(),
      ProcessId: process["pid"],
      User: process["uid"],
      SourceIp: socket?.["saddr"],
      SourcePort: socket?.["sport"],
      DestinationIp: socket?.["daddr"] ?? socket?.["addr"],
      DestinationPort: socket?.["dport"] ?? socket?.["port"],
      pod: fieldOf(process, "pod.name"),
      "k8s.pod.name": fieldOf(process, "pod.name"),
      "container.id": fieldOf(process, "pod.container.id") ?? process["docker"],
    };
    const time = timeOf(fields["time"]);
    const source = hostSource(socket === undefined ? "process_creation" : "network_connection", "/");
    return one(source, own, text, time);
  },
);

const hubble: LogFormat = entry(
  "hubble",
  "Hubble (Cilium), JSON",
  [NETWORK],
  [["flow.IP"], ["IP", "l4"]],
  (fields, text) => {
    const flow = Object.hasOwn(fields, "flow") ? object(fields["flow"]) : fields;
    const l4 = object(object(flow["l4"])["TCP"] ?? object(flow["l4"])["UDP"]);
    return one(
      NETWORK,
      {
        "source.ip": fieldOf(flow, "IP.source"),
        "source.port": l4["source_port"],
        "destination.ip": fieldOf(flow, "IP.destination"),
        "destination.port": l4["destination_port"],
        "network.state": flow["verdict"],
        pod: fieldOf(flow, "source.pod_name"),
        "k8s.pod.name": fieldOf(flow, "source.pod_name"),
      },
      text,
      timeOf(flow["time"]) ?? timeOf(fields["time"]),
    );
  },
);

const osquery: LogFormat = entry(
  "osquery",
  "osquery results",
  HOST_SOURCES,
  [
    ["columns", "name", "action"],
    ["columns", "hostIdentifier"],
  ],
  (fields, text) => {
    const columns = object(fields["columns"]);
    const category = has(columns, "remote_address") ? "network_connection" : "process_creation";
    const own = category === "network_connection" ? connectionFields(columns) : processFields(columns);
    return one(hostSource(category, own["Image"], fields["platform"]), own, text, timeOf(fields["unixTime"]));
  },
);

const laurel: LogFormat = entry(
  "laurel",
  "Linux audit in JSON: one object an event, as Laurel writes it",
  HOST_SOURCES,
  [["SYSCALL.exe"], ["SYSCALL.comm"]],
  (fields, text) => {
    const call = object(fields["SYSCALL"]);
    const socket = object(fields["SOCKADDR"]);
    const words = list(fieldOf(fields, "EXECVE.ARGV") ?? fieldOf(fields, "PROCTITLE.ARGV")).map(String);
    const own = {
      Image: call["exe"] ?? call["comm"],
      CommandLine: words.length > 0 ? words.join(" ") : undefined,
      ProcessId: call["pid"],
      User: call["UID"] ?? call["uid"],
      host: fields["NODE"],
      DestinationIp: socket["addr"],
      DestinationPort: socket["port"],
    };
    const time = timeOf(/^\d+\.\d+/.exec(String(fields["ID"]))?.[0]);
    const records = [];
    if (own.DestinationIp !== undefined) records.push(recordOf(hostSource("network_connection", "/"), own, text, time));
    if (own.CommandLine !== undefined) records.push(recordOf(hostSource("process_creation", "/"), own, text, time));
    return records.length > 0 ? records : "other";
  },
);

const ocsf: LogFormat = entry(
  "ocsf",
  "OCSF",
  [NETWORK, WEBSERVER, DNS, ...HOST_SOURCES],
  [["class_uid", "metadata"]],
  (fields, text) => {
    const time = timeOf(fields["time"]);
    switch (fields["class_uid"]) {
      case 4002:
        return [() => webRecord(fields, text)];
      case 4003:
        return [() => dnsRecord(fields, text)];
      case 1007: {
        const own = processFields(object(fields["process"]));
        const process = {
          CommandLine: fieldOf(fields, "process.cmd_line"),
          Image: fieldOf(fields, "process.file.path"),
          ParentImage: fieldOf(fields, "process.parent_process.file.path"),
        };
        return one(hostSource("process_creation", process.Image), { ...own, ...process }, text, time);
      }
      default:
        return has(fields, "dst_endpoint.ip") || has(fields, "src_endpoint.ip")
          ? [() => networkRecord(fields, text, time)]
          : "other";
    }
  },
);

function networkRecord(fields: Fields, text: string, time: number | undefined): LogRecord {
  return recordOf(
    NETWORK,
    {
      "source.ip": address(valueOf(fields, "src", ["source.ip", "source.address"])),
      "source.port": valueOf(fields, "srcPort"),
      "destination.ip": address(valueOf(fields, "dst", ["destination.ip", "destination.address"])),
      "destination.port": valueOf(fields, "dstPort"),
      "network.transport": fieldOf(fields, "network.transport"),
      "network.protocol": fieldOf(fields, "network.protocol"),
      "network.vlan.id": fieldOf(fields, "network.vlan.id"),
      "source.bytes": fieldOf(fields, "source.bytes"),
      "destination.bytes": fieldOf(fields, "destination.bytes"),
      "source.packets": fieldOf(fields, "source.packets"),
      "destination.packets": fieldOf(fields, "destination.packets"),
      user: fieldOf(fields, "user.name"),
      Image: valueOf(fields, "image"),
      ProcessId: valueOf(fields, "pid"),
      Computer: valueOf(fields, "device"),
      action: valueOf(fields, "action"),
    },
    text,
    time,
  );
}

/** Documents with the fields of ECS, whichever product they come from: one record for each thing that they tell. */
const ecs: LogFormat = {
  name: "ecs",
  title: "Elastic Common Schema",
  sources: [NETWORK, WEBSERVER, DNS, ...HOST_SOURCES],
  recognised: "`ecs.version`, or `@timestamp` with `event`, `source`, `destination`, `url` or `process`",
  names: namesOf(["@timestamp", "ecs.version"]),
  json(fields, text) {
    const named = has(fields, "ecs.version");
    const any = [
      "event",
      "event.kind",
      "source.ip",
      "destination.ip",
      "url.original",
      "url.full",
      "process.command_line",
    ];
    if (!named && !(has(fields, "@timestamp") && any.some((name) => has(fields, name)))) return undefined;
    const time = timeOf(fields["@timestamp"]);
    const records: Made[] = [];
    if (
      has(fields, "url") ||
      has(fields, "url.original") ||
      has(fields, "url.path") ||
      has(fields, "http.request.method")
    )
      records.push(() => webRecord(fields, text));
    if (has(fields, "dns") || has(fields, "dns.question.name")) records.push(() => dnsRecord(fields, text));
    if (has(fields, "process.command_line") || has(fields, "process.executable") || has(fields, "process.args")) {
      const image = fieldOf(fields, "process.executable") ?? fieldOf(fields, "process.name");
      const os = fieldOf(fields, "host.os.type") ?? fieldOf(fields, "host.os.family");
      if (has(fields, "destination.ip"))
        records.push(() => recordOf(hostSource("network_connection", image, os), connectionFields(fields), text, time));
      records.push(() => recordOf(hostSource("process_creation", image, os), processFields(fields), text, time));
    } else if (has(fields, "destination.ip") || has(fields, "source.ip"))
      records.push(() => networkRecord(fields, text, time));
    return records.length > 0 ? records : "other";
  },
};

const caddy = entry("caddy", "Caddy access log", [WEBSERVER], [["request.uri", "request.method"]], (fields, text) => [
  () => {
    const request = object(fields["request"]);
    const headers = object(request["headers"]);
    const merged = {
      ...fields,
      ...request,
      url: request["uri"],
      user_agent: headers["User-Agent"],
      referer: headers["Referer"],
    };
    return recordOf(WEBSERVER, webFields(merged), text, timeOf(fields["ts"]) ?? usualTime(fields));
  },
]);

/** A dissected packet: the fields of all its layers, by the names that Wireshark filters by. */
const tshark = entry(
  "tshark",
  "tshark -T json, tshark -T ek",
  ZEEK_SOURCES,
  [["layers.frame"], ["layers.ip"], ["layers.ipv6"]],
  (fields, text) => {
    const layers = Object.entries(object(fields["layers"])).flatMap(([layer, inner]) =>
      // With -T ek the name of a layer stands in front, and points are underscores: `ip_ip_src`.
      Object.entries(object(inner)).map(([name, value]): [string, unknown] => [
        (name.startsWith(`${layer}_${layer}_`) ? name.slice(layer.length + 1) : name).replaceAll(".", "_"),
        onlyOf(value),
      ]),
    );
    const packet = Object.fromEntries(layers);
    const time = timeOf(packet["frame_time_epoch"]) ?? timeOf(packet["frame_time"]) ?? timeOf(fields["timestamp"]);
    const ends = {
      from: firstOf(packet, ["ip_src", "ipv6_src"]),
      to: firstOf(packet, ["ip_dst", "ipv6_dst"]),
      fromPort: firstOf(packet, ["tcp_srcport", "udp_srcport"]),
      toPort: firstOf(packet, ["tcp_dstport", "udp_dstport"]),
    };
    const http = {
      "id.orig_h": ends.from,
      "id.orig_p": ends.fromPort,
      "id.resp_h": ends.to,
      "id.resp_p": ends.toPort,
      method: packet["http_request_method"],
      host: packet["http_host"],
      uri: packet["http_request_uri"],
      user_agent: packet["http_user_agent"],
    };
    const connection = {
      "source.ip": ends.from,
      "source.port": ends.fromPort,
      "destination.ip": ends.to,
      "destination.port": ends.toPort,
    };
    return [
      ...(http.method === undefined ? [] : one({ product: "zeek", service: "http" }, http, text, time)),
      recordOf(NETWORK, connection, text, time),
    ];
  },
);

const waf = entry(
  "aws-waf",
  "AWS WAF",
  [WEBSERVER],
  [
    ["httpRequest.uri", "webaclId"],
    ["httpRequest.uri", "formatVersion"],
  ],
  (fields, text) => [
    () => {
      const request = object(fields["httpRequest"]);
      const header = (name: string): unknown =>
        list(request["headers"])
          .map(object)
          .find((entry) => String(entry["name"]).toLowerCase() === name)?.["value"];
      const merged = {
        ...request,
        client_ip: request["clientIp"],
        user_agent: header("user-agent"),
        host: header("host"),
        referer: header("referer"),
        action: fields["action"],
      };
      return recordOf(WEBSERVER, webFields(merged), text, timeOf(fields["timestamp"]));
    },
  ],
);

/** JSON access logs by the names that proxies and load balancers give: what was asked for, and how or with what answer. */
const webJson: LogFormat = {
  name: "web-json",
  broad: true,
  title:
    "JSON access logs: nginx, Envoy, Istio, Traefik, HAProxy, API Gateway, Google and Azure load balancers, Cloudflare",
  sources: [WEBSERVER, PROXY],
  recognised: "a URL or path together with a method, a status or a client",
  names: (name) => mayMean(name, "url"),
  json(fields, text) {
    const url = valueOf(fields, "url");
    if (!isText(url)) return undefined;
    const method = valueOf(fields, "method");
    const status = valueOf(fields, "status");
    const request = /^[A-Z]{3,10} \S+ HTTP\//.test(url);
    const words = isText(method) && /^[A-Za-z]{3,10}$/.test(method);
    const client = address(valueOf(fields, "src", "client"));
    const answered = /^\d{3}$/.test(String(status)) || isAddress(client);
    if (!request && !words && !(/^(?:\/|https?:)/.test(url) && answered)) return undefined;
    return [() => webRecord(fields, text)];
  },
};

const vpcJson = entry(
  "vpc-flow-json",
  "VPC flow logs, JSON",
  [FIREWALL],
  [
    ["srcaddr", "dstaddr"],
    ["srcAddr", "dstAddr"],
  ],
  (fields, text) => [
    () => {
      const own = {
        ...firewallFields(fields),
        src_ip: firstOf(fields, ["pkt-srcaddr", "pkt_srcaddr", "pktSrcAddr", "srcaddr", "srcAddr"]),
        dst_ip: firstOf(fields, ["pkt-dstaddr", "pkt_dstaddr", "pktDstAddr", "dstaddr", "dstAddr"]),
      };
      return recordOf(FIREWALL, own, text, timeOf(fields["start"]) ?? usualTime(fields));
    },
  ],
);

const endpoint: LogFormat = {
  name: "endpoint",
  title: "connections and processes of endpoint agents (Defender, CrowdStrike, SentinelOne, Carbon Black and others)",
  sources: HOST_SOURCES,
  recognised: "a command line, or a process together with a remote address",
  names: (name) => mayMean(name, "image"),
  json(fields, text) {
    const command = valueOf(fields, "command");
    const image = valueOf(fields, "image");
    const remote = valueOf(fields, "dst");
    const source = (category: "network_connection" | "process_creation"): RecordSource =>
      hostSource(category, image, firstOf(fields, ["os", "platform", "event_platform", "os.type", "OSPlatform"]));
    const records: Made[] = [];
    if (isText(image) && isText(remote))
      records.push(() => recordOf(source("network_connection"), connectionFields(fields), text, usualTime(fields)));
    if (isText(command) && isText(image))
      records.push(() => recordOf(source("process_creation"), processFields(fields), text, usualTime(fields)));
    return records.length > 0 ? records : undefined;
  },
};

const dnsJson: LogFormat = {
  name: "dns-json",
  title: "DNS logs in JSON: Route 53 resolver, Sysmon 22, dnstap, CoreDNS and others",
  sources: [DNS],
  recognised: "a name that was asked for together with its type or its answer",
  names: (name) => mayMean(name, "query_name"),
  json(fields, text) {
    const query = valueOf(fields, "query_name");
    if (!isText(query) || !/^[\w.-]{1,255}$/.test(query)) return undefined;
    const typed = [...QUERY_TYPES, "record_type", "query_class"].some((name) => has(fields, name));
    if (!typed && valueOf(fields, "answer") === undefined) return undefined;
    return [() => dnsRecord(fields, text)];
  },
};

const firewallJson: LogFormat = {
  name: "flow-json",
  title: "flows and firewall decisions in JSON: Google VPC flow logs, NetFlow and IPFIX collectors, vendors' exports",
  sources: [FIREWALL],
  recognised: "a source and a destination address",
  names: (name) => mayMean(name, "dst"),
  json(fields, text) {
    const { src, dst } = endsOf(fields);
    return isAddress(src) && isAddress(dst) ? [() => firewallRecord(fields, text)] : undefined;
  },
};

const SURICATA_TYPES = new Set(
  "alert anomaly arp dhcp dns drop fileinfo flow ftp http http2 ike krb5 modbus mqtt netflow nfs packetinfo pgsql quic rdp rfb sip smb smtp snmp ssh stats tftp tls websocket".split(
    " ",
  ),
);

/** Formats of JSON objects, in the order in which they are tried. */
export const JSON_FORMATS: readonly LogFormat[] = [
  guardEvents,
  {
    name: "suricata",
    whole: true,
    title: "Suricata EVE",
    sources: [...ZEEK_SOURCES, { product: "suricata", service: "arp" }],
    recognised: "`timestamp` and an `event_type` of Suricata's",
    names: namesOf(["event_type"]),
    json: (fields, text, named) =>
      named === true ||
      (isText(fields["event_type"]) &&
        Object.hasOwn(fields, "timestamp") &&
        (SURICATA_TYPES.has(fields["event_type"]) || Object.hasOwn(fields, "flow_id")))
        ? suricata(fields, text)
        : undefined,
  },
  cloudtrail,
  guardduty,
  {
    name: "zeek-json",
    whole: true,
    title: "Zeek, JSON",
    sources: ZEEK_SOURCES,
    recognised: "`ts` and `id.orig_h` or `_path`",
    names: namesOf(["id.orig_h", "_path"]),
    json: (fields, text, named) =>
      named === true ||
      (Object.hasOwn(fields, "ts") && (Object.hasOwn(fields, "id.orig_h") || Object.hasOwn(fields, "_path")))
        ? zeek(fields, text)
        : undefined,
  },
  sysmon,
  falco,
  tetragon,
  hubble,
  osquery,
  laurel,
  ocsf,
  caddy,
  tshark,
  waf,
  vpcJson,
  ecs,
  dnsJson,
  webJson,
  endpoint,
  firewallJson,
];
