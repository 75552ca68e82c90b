/** Under which names logs keep the same things: addresses, ports, requests, users, processes. */
import { once } from "../base/lazy.js";
import { fieldOf, firstOf, saysSomething } from "./log-record.js";
import type { Fields } from "./log-record.js";
import { timeOf } from "./log-time.js";

/** Names of fields by what they hold. Compared exactly; a dot may stand for nesting. */
export const ALIASES = {
  src: [
    "src_ip",
    "srcip",
    "src",
    "source_ip",
    "sourceip",
    "source.ip",
    "source.address",
    "srcaddr",
    "srcAddr",
    "pkt-srcaddr",
    "pkt_srcaddr",
    "saddr",
    "SrcIP",
    "SrcIpAddr",
    "SourceIP",
    "SourceIp",
    "SourceAddress",
    "source_address",
    "source-address",
    "sourceAddress",
    "sourceIPAddress",
    "src_addr",
    "client.ip",
    "client_ip",
    "client_addr",
    "clientIp",
    "clientIP",
    "ClientIP",
    "c_ip",
    "c-ip",
    "cltip",
    "cip",
    "csip",
    "cliIP",
    "ip_client",
    "inbound_remote_addr",
    "src_ap",
    "src.ip.address",
    "ipv4_src_addr",
    "ipv6_src_addr",
    "sourceIPv4Address",
    "sourceIPv6Address",
    "flow.client.ip.addr",
    "flow.src.ip.addr",
    "principal.ip",
    "ClientPublicIP",
    "sourceIPs",
    "callerIpAddress",
    "CallerIpAddress",
    "LocalIP",
    "LocalAddressIP4",
    "local_address",
    "local_ip",
    "src_endpoint.ip",
    "connection.src_ip",
    "SourceIpAddress",
    "orig_h",
    "id.orig_h",
    "ip_src",
    "source",
    "downstream_remote_address",
    "ClientAddr",
    "ClientHost",
    "client",
    "fd.cip",
    "fd.lip",
    "InitiatorIP",
    "clientAddress",
    "peer_ip",
    "sa",
    "remote_addr",
    "remote_ip",
    "remoteAddr",
    "remoteIp",
    "src_host",
    "sip",
  ],
  dst: [
    "dst_ip",
    "dstip",
    "dst",
    "dest_ip",
    "destination_ip",
    "destinationip",
    "destination.ip",
    "destination.address",
    "dstaddr",
    "dstAddr",
    "pkt-dstaddr",
    "pkt_dstaddr",
    "daddr",
    "DstIP",
    "DstIpAddr",
    "DestinationIP",
    "DestinationIp",
    "DestAddress",
    "DestinationAddress",
    "destination_address",
    "destination-address",
    "destinationAddress",
    "dest",
    "dest_addr",
    "dst_addr",
    "server.ip",
    "server_ip",
    "RemoteIP",
    "RemoteAddressIP4",
    "RemoteAddressIP6",
    "remote_address",
    "netconn_remote_ip",
    "dst_endpoint.ip",
    "connection.dest_ip",
    "DestinationIpAddress",
    "resp_h",
    "id.resp_h",
    "ip_dst",
    "destination",
    "upstream_host",
    "upstream_addr",
    "dip",
    "fd.sip",
    "fd.rip",
    "hostname_ip",
    "ServerAddr",
    "ResponderIP",
    "remote_ip_address",
    "cdip",
    "dst_ap",
    "dst.ip.address",
    "ipv4_dst_addr",
    "ipv6_dst_addr",
    "destinationIPv4Address",
    "destinationIPv6Address",
    "flow.server.ip.addr",
    "flow.dst.ip.addr",
    "target.ip",
    "da",
    "sip",
  ],
  srcPort: [
    "src_port",
    "srcport",
    "spt",
    "sport",
    "s_port",
    "source.port",
    "SourcePort",
    "source-port",
    "source_port",
    "src_endpoint.port",
    "LocalPort",
    "local_port",
    "connection.src_port",
    "id.orig_p",
    "SrcPort",
    "fd.cport",
    "fd.lport",
    "src.port.number",
    "csport",
    "port_src",
    "l4_src_port",
    "sourceTransportPort",
    "flow.client.l4.port.id",
    "flow.src.l4.port.id",
    "principal.port",
    "SrcPortNumber",
    "sp",
  ],
  dstPort: [
    "dst_port",
    "dstport",
    "dest_port",
    "dpt",
    "dport",
    "d_port",
    "destination.port",
    "DestinationPort",
    "DestPort",
    "destination-port",
    "destination_port",
    "dst_endpoint.port",
    "RemotePort",
    "remote_port",
    "connection.dest_port",
    "id.resp_p",
    "DstPort",
    "fd.sport",
    "fd.rport",
    "dst.port.number",
    "cdport",
    "port_dst",
    "l4_dst_port",
    "destinationTransportPort",
    "flow.server.l4.port.id",
    "flow.dst.l4.port.id",
    "target.port",
    "DstPortNumber",
    "ServerPort",
    "dp",
  ],
  url: [
    "url",
    "uri",
    "originalRequestUriWithArgs",
    "request_uri",
    "requestUri",
    "RequestUri",
    "requestURI",
    "url.full",
    "url.address",
    "url.original",
    "http.url",
    "http_url",
    "http.uri",
    "full_url",
    "request_url",
    "requestUrl",
    "RequestUrl",
    "URL",
    "cs-uri",
    "c-uri",
    "request.uri",
    "request.url",
    "httpRequest.uri",
    "httpRequest.requestUrl",
    "RequestPath",
    "path",
    "rawPath",
    "ClientRequestURI",
    "ClientRequestPath",
    "http_request.url.url_string",
    "http_request.url.text",
    "resourcePath",
    "requestPath",
    "http.path",
    "http.target",
    "url.path",
    "request_path",
    "x-envoy-original-path",
    "downstream_request_path",
    "RemoteUrl",
    "request",
    "dstUrl",
    "requestContext.http.path",
    "cs-uri-stem",
    "target_url",
    "attributes.http.url",
    "attributes.url.full",
    "req.url",
    "l7.http.url",
    "uri_path",
    "http_request.url.path",
    "TargetUrl",
    "resource",
    "eurl",
    "target.url",
    "reqPath",
    "req",
  ],
  query: [
    "query_string",
    "queryString",
    "url.query",
    "args",
    "httpRequest.args",
    "cs-uri-query",
    "uri_query",
    "rawQueryString",
    "ClientRequestQuery",
    "requestQuery",
    "http_request.url.query_string",
    "querystring_parameters",
    "queryStr",
    "qstr",
    "query",
  ],
  method: [
    "method",
    "http_method",
    "request_method",
    "httpMethod",
    "requestMethod",
    "RequestMethod",
    "http.method",
    "http.request.method",
    "verb",
    "request.method",
    "httpRequest.httpMethod",
    "httpRequest.requestMethod",
    "ClientRequestMethod",
    "http_request.http_method",
    "cs-method",
    "HttpMethod",
    "requestContext.http.method",
    "req.method",
    "l7.http.method",
    "reqmethod",
    "network.http.method",
  ],
  status: [
    "status",
    "status_code",
    "statusCode",
    "response_code",
    "responseCode",
    "http.response.status_code",
    "http.status",
    "http.status_code",
    "sc-status",
    "DownstreamStatus",
    "OriginStatus",
    "EdgeResponseStatus",
    "httpRequest.status",
    "http_response.code",
    "HttpStatus",
    "httpStatus",
    "response.status",
    "res.statusCode",
    "l7.http.code",
    "http_status",
    "HTTPResponse",
    "http_response_code",
    "respcode",
    "httpStatusCode",
    "network.http.responseCode",
    "network.http.response_code",
    "http_code",
    "code",
  ],
  bytes: [
    "bytes_sent",
    "body_bytes_sent",
    "bytes",
    "resp_bytes",
    "response_size",
    "response.size",
    "responseLength",
    "http.response.body.bytes",
    "http.response.bytes",
    "DownstreamContentSize",
    "size",
    "sc-bytes",
    "EdgeResponseBytes",
    "httpRequest.responseSize",
    "http_response.length",
    "length",
    "destination.bytes",
    "response_body_len",
    "bytes_toclient",
    "bytes_out",
    "responseBytes",
    "rspContentLen",
    "resp_body_size",
    "sentBytes",
  ],
  /** Bytes that came back, of a connection. */
  received: [
    "rcvdbyte",
    "rcvd",
    "recv_bytes",
    "ResponderBytes",
    "bytes-from-server",
    "receivedBytes",
    "bytes_received",
    "server_bytes",
    "resp_bytes",
    "rcvd_bytes",
    "BytesReceived",
    "DstBytes",
    "obyt",
  ],
  agent: [
    "user_agent",
    "userAgent",
    "user_agent.original",
    "http_user_agent",
    "UserAgent",
    "useragent",
    "agent",
    "cs-user-agent",
    "cs(User-Agent)",
    "request_User-Agent",
    "ClientRequestUserAgent",
    "httpRequest.userAgent",
    "http_request.user_agent",
    "ua",
    "requestClientApplication",
    "requestContext.identity.userAgent",
    "http.useragent",
    "req.headers.user-agent",
  ],
  host: [
    "host",
    "http_host",
    "Host",
    "request_host",
    "RequestHost",
    "authority",
    ":authority",
    "http.host",
    "hostname",
    "vhost",
    "server_name",
    "cs-host",
    "cs(Host)",
    "ClientRequestHost",
    "request.host",
    "url.domain",
    "destination.domain",
    "http_request.url.hostname",
    "domainName",
    "requestContext.domainName",
    "RequestAddr",
    "dst_endpoint.hostname",
    "ReferencedHost",
    "originalHost",
    "dhost",
    "Fqdn",
    "reqHost",
    "requested_host",
  ],
  referer: [
    "referer",
    "http_referer",
    "referrer",
    "http.request.referrer",
    "cs-referer",
    "cs(Referer)",
    "request_Referer",
    "ClientRequestReferer",
    "httpRequest.referer",
    "http_request.referrer",
    "http_refer",
    "Referer",
  ],
  body: [
    "request_body",
    "body",
    "http.request.body.content",
    "requestBody",
    "post_data",
    "http_request_body_printable",
    "post_body",
    "payload",
    "payload_printable",
    "http.request.body",
  ],
  command: [
    "CommandLine",
    "command_line",
    "cmdline",
    "process.command_line",
    "proc.cmdline",
    "ProcessCommandLine",
    "process.cmd_line",
    "InitiatingProcessCommandLine",
    "process_command_line",
    "NewProcessCommandLine",
    "ProcessCmd",
    "command",
    "process.args",
  ],
  image: [
    "Image",
    "process.executable",
    "exe",
    "NewProcessName",
    "proc.exepath",
    "process.file.path",
    "Application",
    "ImageFileName",
    "InitiatingProcessFolderPath",
    "process_path",
    "process.path",
    "process.name",
    "proc.name",
    "binary",
    "process_name",
    "comm",
    "InitiatingProcessFileName",
    "FolderPath",
    "src.process.name",
    "ContextBaseFileName",
  ],
  parent: [
    "ParentImage",
    "process.parent.executable",
    "ParentProcessName",
    "proc.pname",
    "process.parent_process.file.path",
    "parent.binary",
  ],
  pid: ["ProcessId", "process.pid", "pid", "ProcessID", "proc.pid", "NewProcessId", "InitiatingProcessId"],
  user: [
    "User",
    "user.name",
    "user",
    "username",
    "userName",
    "SubjectUserName",
    "uid",
    "actor.user.name",
    "InitiatingProcessAccountName",
    "AccountName",
    "cs-username",
    "remote_user",
    "suser",
    "srcuser",
    "user_name",
    "ClientUsername",
    "auid",
    "login",
    "usrName",
    "src.process.user",
    "Email",
  ],
  query_name: [
    "query",
    "query_name",
    "dns.question.name",
    "rrname",
    "QueryName",
    "qname",
    "dns.rrname",
    "query.hostname",
    "QuestionName",
    "domain",
    "QH",
    "DomainName",
  ],
  answer: [
    "answers",
    "answer",
    "dns.answers",
    "dns.resolved_ip",
    "rdata",
    "QueryResults",
    "rdatas",
    "resolved_ip",
    "ipaddr",
    "IP4Records",
    "IP6Records",
  ],
  /** The host whose agent tells. */
  device: [
    "Computer",
    "DeviceName",
    "ComputerName",
    "hostIdentifier",
    "endpoint.name",
    "host.name",
    "src_instance.vm_name",
  ],
  action: [
    "action",
    "act",
    "event.action",
    "disposition",
    "Action",
    "DeviceAction",
    "verdict",
    "event.outcome",
    "rule_action",
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** A key of {@link ALIASES}. */
export type Meaning = keyof typeof ALIASES;

/** Meanings whose value is an address: what a name holds besides is passed over. */
const ADDRESSES: ReadonlySet<Meaning> = new Set(["src", "dst"]);
/** Meanings whose value may be an object. Others hold texts and numbers: `agent` and `url` are objects in ECS. */
const OBJECTS: ReadonlySet<Meaning> = new Set(["answer", "body", "query_name", "query"]);

/**
 * The value that a record has of a meaning, under whatever name: as the name is listed, or written otherwise (`SrcIP`,
 * `src-ip`, `src_ip`). Names of `first` come before: those that are given, or those of a request's client or of the own
 * side of a connection.
 */
export function valueOf(fields: Fields, meaning: Meaning, first?: "client" | "local" | readonly string[]): unknown {
  const fits = ADDRESSES.has(meaning) ? isAddressOrList : OBJECTS.has(meaning) ? undefined : isNoObject;
  if (typeof first === "object") {
    for (const name of first) {
      const value = fieldOf(fields, name);
      if (saysSomething(value) && fits?.(value) !== false) return value;
    }
  }
  const role = typeof first === "string" ? first : undefined;
  const named = namedIn(fields);
  const exact = firstThatFits(named.exact, role, fits) ?? firstThatFits(named.exact, meaning, fits);
  if (exact !== undefined) return exact;
  const alike = alikeIn(named, fields);
  return firstThatFits(alike, role, fits) ?? firstThatFits(alike, meaning, fits);
}

/** None of the candidates is null or undefined. */
function firstThatFits(
  candidates: Candidates,
  role: Role | undefined,
  fits: ((value: unknown) => boolean) | undefined,
): unknown {
  const list = role === undefined ? undefined : candidates.get(role);
  if (list !== undefined) for (const { value } of list) if (fits?.(value) !== false) return value;
  return undefined;
}

const isNoObject = (value: unknown): boolean => typeof value !== "object" || Array.isArray(value);

const isAddressOrList = (value: unknown): boolean =>
  Array.isArray(value) ? value.some(isAddress) : isAddress(address(value));

/** Whether a text is an IP address, of either version. */
export function isAddress(value: unknown): value is string {
  if (typeof value !== "string") return false;
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(value) || (value.includes(":") && /^[0-9a-f:.]{2,45}(?:%\w+)?$/i.test(value));
}

/** What a name can stand for. */
type Role = Meaning | "client" | "local" | "time";

/** A value that a record has for a role; the name that is listed first has the least rank. */
interface Candidate {
  readonly rank: number;
  readonly value: unknown;
}

/** What a record has for each role: the best first. */
type Candidates = Map<Role, Candidate[]>;

/** What a record has by the names as they are listed and by names that are written otherwise. */
interface Named {
  readonly exact: Candidates;
  alike?: Candidates;
}

/** A role of a name, and its place in the list of the role. */
type Place = readonly [role: Role, rank: number];

/** What a name can stand for. */
interface Roles {
  /** As it is written. */
  readonly exact: readonly Place[];
  /** By its letters and digits alone, in lower case. */
  readonly alike: readonly Place[];
  /** Whether an object of that name may hold more of them. */
  readonly holds: boolean;
}

const NONE: readonly Candidate[] = [];
const NO_ROLE: readonly Place[] = [];
/** What was asked for last is asked for again, for each of its fields. */
let last: { readonly fields: Fields; readonly named: Named } | undefined;
type Places = Map<string, Place[]>;

/** Names, as listed and plain, with what they can stand for; and the objects in which there may be more of them. */
interface Listed {
  readonly exact: Places;
  readonly plain: Places;
  readonly holders: ReadonlyMap<string, ReadonlySet<Role>>;
}

// Made when the first record asks: the lists stand further down.
const listedNames = once((): Listed => {
  const exact: Places = new Map();
  const plain: Places = new Map();
  const holders = new Map<string, Set<Role>>();
  const put = (places: Places, name: string, role: Role, rank: number): void => {
    const known = places.get(name);
    if (known === undefined) places.set(name, [[role, rank]]);
    else if (!known.some(([other]) => other === role)) known.push([role, rank]);
  };
  const lists = { ...ALIASES, client: CLIENTS, local: LOCAL, time: TIMES };
  for (const [role, names] of Object.entries(lists) as [Role, readonly string[]][]) {
    for (const [rank, name] of names.entries()) {
      put(exact, name, role, rank);
      put(plain, plainName(name), role, rank);
      for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
        const holder = name.slice(0, dot);
        holders.set(holder, (holders.get(holder) ?? new Set()).add(role));
      }
    }
  }
  return { exact, plain, holders };
});

/** Names of fields that are remembered: a log may name its fields as it likes. */
const MOST_NAMES = 4_096;
const ROLES = new Map<string, Roles>();

function rolesOf(name: string): Roles {
  let roles = ROLES.get(name);
  if (roles === undefined) {
    const { exact, plain, holders } = listedNames();
    roles = {
      exact: exact.get(name) ?? NO_ROLE,
      alike: plain.get(plainName(name)) ?? NO_ROLE,
      holds: holders.has(name),
    };
    if (ROLES.size < MOST_NAMES && name.length <= 64) ROLES.set(name, roles);
  }
  return roles;
}

/** Whether a field of that name, or one inside it, can be of that meaning. */
export function mayMean(name: string, meaning: Meaning): boolean {
  const { exact, alike } = rolesOf(name);
  const isOf = ([role]: Place): boolean => role === meaning;
  return exact.some(isOf) || alike.some(isOf) || listedNames().holders.get(name)?.has(meaning) === true;
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "");
}

/** What a record has under the listed names: its names are looked up, which are fewer. */
function namedIn(fields: Fields): Named {
  if (last?.fields !== fields) {
    const named: Named = { exact: new Map() };
    putNamed(named.exact, fields, "");
    putInOrder(named.exact);
    last = { fields, named };
  }
  return last.named;
}

function putNamed(exact: Candidates, holder: Fields, prefix: string): void {
  for (const key of Object.keys(holder)) {
    const name = prefix === "" ? key : `${prefix}.${key}`;
    const value = holder[key];
    const roles = rolesOf(name);
    for (const [role, rank] of roles.exact) keep(exact, role, prefix === "" ? 2 * rank : 2 * rank + 1, value);
    if (roles.holds && typeof value === "object" && value !== null && !Array.isArray(value))
      putNamed(exact, value as Fields, name);
  }
}

/** The same by names in lower case, letters and digits alone. */
function alikeIn(named: Named, fields: Fields): Candidates {
  if (named.alike === undefined) {
    named.alike = new Map();
    for (const key of Object.keys(fields))
      for (const [role, rank] of rolesOf(key).alike) keep(named.alike, role, rank, fields[key]);
    putInOrder(named.alike);
  }
  return named.alike;
}

function keep(candidates: Candidates, role: Role, rank: number, value: unknown): void {
  if (!saysSomething(value)) return;
  const known = candidates.get(role);
  if (known === undefined) candidates.set(role, [{ rank, value }]);
  else known.push({ rank, value });
}

function putInOrder(candidates: Candidates): void {
  for (const list of candidates.values()) if (list.length > 1) list.sort((one, other) => one.rank - other.rank);
}

/** The two ends of a connection, without ports and brackets. One name of an address is not both of them. */
export function endsOf(fields: Fields): { readonly src: unknown; readonly dst: unknown } {
  const src = address(valueOf(fields, "src"));
  const dst = address(valueOf(fields, "dst"));
  return { src, dst: dst === src ? undefined : dst };
}

/** The port behind an address, as in `10.0.0.1:80` and `10.0.0.1:80:WAN`. */
function portIn(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= 80
    ? /^(?:\[[0-9a-f:.%]+\]|\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})(?::|$)/i.exec(value)?.[1]
    : undefined;
}

/** The fields of a record of a firewall, by their Sigma names. */
export function firewallFields(fields: Fields): Fields {
  const { src, dst } = endsOf(fields);
  const service = firstOf(fields, ["service", "svc"]);
  return {
    src_ip: src,
    dst_ip: dst,
    src_port: valueOf(fields, "srcPort") ?? portIn(valueOf(fields, "src")),
    dst_port:
      valueOf(fields, "dstPort") ??
      portIn(valueOf(fields, "dst")) ??
      (/^\d{1,5}$/.test(String(service)) ? service : undefined),
    "destination.bytes": valueOf(fields, "received"),
    action: valueOf(fields, "action"),
    vlan: fields["vlan"],
    user: valueOf(fields, "user"),
    Image: valueOf(fields, "image"),
    Computer: valueOf(fields, "device"),
  };
}

/** The fields of a request that a web server answered, by their Sigma names. */
export function webFields(fields: Fields): Fields {
  const client = address(valueOf(fields, "src", "client"));
  const server = address(valueOf(fields, "dst"));
  const target = requestTarget(valueOf(fields, "url"), text(valueOf(fields, "query")));
  return {
    "cs-uri-stem": target["cs-uri-stem"],
    "cs-uri-query": target["cs-uri-query"],
    "c-ip": client,
    "cs-method": valueOf(fields, "method"),
    "cs-host": valueOf(fields, "host"),
    "sc-status": valueOf(fields, "status"),
    "sc-bytes": valueOf(fields, "bytes"),
    "cs-user-agent": text(valueOf(fields, "agent")),
    "cs-referer": text(valueOf(fields, "referer")),
    "cs-username": valueOf(fields, "user", ["cs-username", "remote_user"]),
    "cs-body": text(valueOf(fields, "body")),
    "s-ip": server === client ? undefined : server,
  };
}

/** The parts of what was asked for. */
export function requestTarget(url: unknown, query?: unknown): Fields {
  if (typeof url !== "string") return { "cs-uri-query": query };
  // `GET /path HTTP/1.1` in one field
  const target = /^[A-Z]{3,10} (\S+)/.exec(url)?.[1] ?? url;
  const mark = target.indexOf("?");
  return {
    "cs-uri-stem": mark === -1 ? target : target.slice(0, mark),
    "cs-uri-query": mark === -1 ? (query ?? "") : target.slice(mark + 1),
  };
}

/** Of a request, whoever else is named. */
const CLIENTS = [
  "c-ip",
  "client_ip",
  "remote_addr",
  "remote_ip",
  "client.ip",
  "clientIp",
  "ClientHost",
  "httpRequest.remoteIp",
  "identity.sourceIp",
  "requestContext.identity.sourceIp",
  "requestContext.http.sourceIp",
  "client.address",
  "remoteAddress",
  "req.remoteAddress",
  "sourceIPs",
  "remote",
  "fwd",
  "ip",
];

/** The own side of a connection, as an agent on the host names it. */
const LOCAL = ["SourceIp", "source.ip", "src_ip", "local_ip", "LocalIP", "local_address", "LocalAddressIP4"];

/** The fields of a connection that a process made, by the names of Sysmon. */
export function connectionFields(fields: Fields): Fields {
  return {
    ...processFields(fields),
    SourceIp: address(valueOf(fields, "src", "local")),
    SourcePort: valueOf(fields, "srcPort"),
    DestinationIp: address(valueOf(fields, "dst")),
    DestinationPort: valueOf(fields, "dstPort"),
  };
}

/** The fields of a process, by the names of Sysmon. */
export function processFields(fields: Fields): Fields {
  const command = valueOf(fields, "command");
  return {
    CommandLine: Array.isArray(command) ? command.join(" ") : command,
    Image: valueOf(fields, "image"),
    ParentImage: valueOf(fields, "parent"),
    ProcessId: valueOf(fields, "pid"),
    User: valueOf(fields, "user"),
  };
}

const TIMES = [
  "@timestamp",
  "timestamp",
  "time",
  "ts",
  "eventTime",
  "TimeCreated",
  "UtcTime",
  "start",
  "TimeGenerated",
  "date_time",
  "datetime",
  "StartTime",
  "time_local",
  "start_time",
  "msec",
  "_time",
  "requestTimeEpoch",
  "requestTime",
  "query_timestamp",
  "ContextTimeStamp",
  "rt",
  "devTime",
  "eventtime",
  "event_time",
  "receive_time",
  "generated_time",
  "time_iso8601",
  "date",
  "when",
  "requestReceivedTimestamp",
  "EdgeStartTimestamp",
  "startedDateTime",
  "timestamp_start",
  "time_flow_start_ns",
  "time_received_ns",
  "flowStartSeconds",
  "timeUnixNano",
  "started_at",
  "time_stamp",
  "reqTimeSec",
  "unixTime",
  "LogTimestamp",
  "query_time",
  "T",
  "metadata.event_timestamp",
  "metadata.eventTimestamp",
];
/** Numbers for earlier times are no times, but durations. */
const EARLIEST = Date.UTC(1973, 2, 3);

/** The time of a record, under the usual names. */
export function usualTime(fields: Fields): number | undefined {
  const named = namedIn(fields);
  for (const candidates of [named.exact, alikeIn(named, fields)]) {
    for (const { value } of candidates.get("time") ?? NONE) {
      const time = timeOf(value);
      // What is a small number took that long.
      if (time !== undefined && (typeof value !== "number" || time > EARLIEST)) return time;
    }
  }
  return undefined;
}

/** An address without brackets, prefix length, interface name and port around it. */
export function address(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 1 ? address(value[0]) : value.map(address);
  if (typeof value !== "string" || value.length > 80 || /^[\d.]+$/.test(value)) return value;
  const bare = value.trim();
  return (
    /^\[([0-9a-f:.%]+)\](?::\d{1,5})?$/i.exec(bare)?.[1] ??
    /^(\d{1,3}(?:\.\d{1,3}){3})(?:[:/]\d{1,5}(?::\S*)?)$/.exec(bare)?.[1] ??
    /^([0-9a-f:]+)\/\d{1,3}$/i.exec(bare)?.[1] ??
    bare
  );
}

function text(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 1 ? value[0] : value.join(" ");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}
