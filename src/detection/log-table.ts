/** Formats whose columns a header names or a version fixes: Zeek's TSV, VPC flow logs, W3C extended logs. */
import { FIREWALL, PROXY, WEBSERVER, recordOf } from "./log-format.js";
import type { LogFormat, Reading } from "./log-format.js";
import { firewallFields, requestTarget, valueOf } from "./log-fields.js";
import { ZEEK_SOURCES, zeekRecord } from "./log-json.js";
import type { LogRecord } from "./log-record.js";
import { timeOf } from "./log-time.js";

/**
 * Zeek's logs as tab-separated values. The directives `#separator`, `#set_separator`, `#unset_field`, `#empty_field`,
 * `#path`, `#fields` and `#types` are followed wherever they stand.
 */
function zeekTsv(): (line: string) => Reading {
  let separator = "\t";
  let setSeparator = ",";
  let unset = "-";
  let empty = "(empty)";
  let path = "";
  let names: readonly string[] = [];
  let types: readonly string[] = [];

  function directive(line: string): Reading {
    // "#separator \x09" stands before any other and is itself divided by a space.
    const named = /^#separator (.+)$/.exec(line);
    if (named !== null) {
      separator = unescape(named[1]!);
      return "other";
    }
    const [key, ...values] = line.split(separator);
    const value = values[0] ?? "";
    if (key === "#set_separator") setSeparator = value;
    else if (key === "#unset_field") unset = value;
    else if (key === "#empty_field") empty = value;
    else if (key === "#path") path = value;
    else if (key === "#fields") names = values;
    else if (key === "#types") types = values;
    else return key === "#open" || key === "#close" ? "other" : undefined;
    return "other";
  }

  return (line) => {
    if (line.startsWith("#")) return directive(line);
    if (names.length === 0) return undefined;
    const columns = line.split(separator);
    if (columns.length !== names.length) return columns.length > 3 ? "malformed" : undefined;
    const fields: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const [index, column] of columns.entries()) {
      if (column === unset) continue;
      const many = /^(?:vector|set)\[/.test(types[index] ?? "");
      fields[names[index]!] = many
        ? column === empty
          ? []
          : column.split(setSeparator).map(unescape)
        : column === empty
          ? ""
          : unescape(column);
    }
    return zeekRecord(path, fields, line);
  };
}

function unescape(text: string): string {
  return text.includes("\\x")
    ? text.replace(/\\x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text;
}

const words = (text: string): readonly string[] => text.split(" ");
const VPC_2 = words(
  "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status",
);
const VPC_3 = [...VPC_2, ...words("vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr")];
const VPC_4 = [...VPC_3, ...words("region az-id sublocation-type sublocation-id")];
const VPC_5 = [...VPC_4, ...words("pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path")];
const VPC_7 = [
  ...VPC_5,
  ...words(
    "ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id",
  ),
];
const VPC_8 = [...VPC_7, "reject-reason"];
const VPC_9 = [...VPC_8, "resource-id"];
const VPC_10 = [...VPC_9, "encryption-status"];
/** The columns of each version in the order in which AWS lists them, which is what "all fields" gives. */
const VPC_ORDERS = [VPC_2, VPC_3, VPC_4, VPC_5, VPC_7, VPC_8, VPC_9, VPC_10];
/** Those of a transit gateway, whose records are of version 6. */
const TRANSIT_6 = words(
  "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region flow-direction pkt-src-aws-service pkt-dst-aws-service",
);
const VPC_NAMES = new Set(VPC_10);

const VPC_START = /^\s*(?:[2-9]|10)[\s,]/;
const ADDRESS_NAME = /(?:src|dst)[-_]?addr/i;

/** The columns of a line that has no header, if they are in the order of AWS. */
function vpcOrder(columns: readonly string[]): readonly string[] | undefined {
  if (columns[0] === "6" && columns[1] === "TransitGateway")
    return columns.length === TRANSIT_6.length ? TRANSIT_6 : undefined;
  return /^(?:[2-9]|10)$/.test(columns[0]!) && /^(?:\d{12}|unknown)$/.test(columns[1] ?? "")
    ? VPC_ORDERS.find((order) => order.length === columns.length)
    : undefined;
}

/**
 * VPC flow logs as text, versions 2 to 10: the columns of a header, of `--fields`, or the order in which AWS lists them.
 * `src_ip` and `dst_ip` are those of the packet (`pkt-srcaddr`, `pkt-dstaddr`) where the log has them, else those of the
 * interface.
 */
function vpcFlow(header: readonly string[] | undefined): (line: string) => Reading {
  let named = header?.map((name) => name.replaceAll("_", "-"));
  return (line) => {
    const namesAddress = ADDRESS_NAME.test(line);
    if (!namesAddress && named === undefined && !VPC_START.test(line)) return undefined;
    const columns = line.trim().split(/[ \t]+|,/);
    if (
      namesAddress &&
      columns.some((column) => /^"?(?:pkt[-_])?(?:src|dst)[-_]?addr"?$/i.test(column)) &&
      columns.length > 1
    ) {
      named = columns.map((name) => name.replaceAll('"', "").replaceAll("_", "-").toLowerCase());
      return named.filter((name) => VPC_NAMES.has(name)).length > 1 ? "other" : undefined;
    }
    const names = named?.length === columns.length ? named : vpcOrder(columns);
    if (names === undefined) return named !== undefined && header !== undefined ? "malformed" : undefined;
    // Columns in an order of somebody's own would be read as others.
    const plausible = VPC_ADDRESSES.every((name) => {
      const column = columns[names.indexOf(name)];
      return column === undefined || /^(?:[\d.]+|[0-9a-f]*:[0-9a-f:.]*|-)$/i.test(unquoted(column));
    });
    if (!plausible) return named === undefined ? undefined : "malformed";
    if (/^(?:NODATA|SKIPDATA)$/.test(unquoted(columns[names.indexOf("log-status")] ?? ""))) return "other";
    return [() => vpcRecord(names, columns, line)];
  };
}

const unquoted = (column: string): string => (column.startsWith('"') ? column.replace(/^"(.*)"$/, "$1") : column);

const VPC_ADDRESSES = ["srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr"];

function vpcRecord(names: readonly string[], columns: readonly string[], line: string): LogRecord {
  const fields: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [index, column] of columns.entries()) {
    const value = unquoted(column);
    if (value !== "-") fields[names[index]!] = value;
  }
  const renamed = {
    src_ip: ["pkt-srcaddr", "srcaddr"],
    dst_ip: ["pkt-dstaddr", "dstaddr"],
    src_port: ["srcport"],
    dst_port: ["dstport"],
  };
  for (const [name, from] of Object.entries(renamed)) {
    const value = from.map((column) => fields[column]).find((found) => found !== undefined);
    if (value !== undefined) fields[name] = value;
  }
  return { source: FIREWALL, fields, text: line, time: timeOf(fields["start"]) };
}

/** What W3C logs call fields that Sigma names otherwise. */
const W3C_NAMES: Readonly<Record<string, string>> = {
  "cs(User-Agent)": "cs-user-agent",
  "cs(Referer)": "cs-referer",
  "cs(Host)": "cs-host",
  "x-host-header": "x-host-header",
  "s-computername": "host",
};

const W3C_START = /^\d{4}-\d\d-\d\d[ \t]\d\d:\d\d:\d\d[ \t]/;
const IIS = words(
  "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
);
const CLOUDFRONT = words(
  "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end",
);
/** The columns of products that nobody configured. */
const W3C_ORDERS: readonly (readonly string[])[] = [
  IIS,
  // With all fields that IIS offers
  words(
    "date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
  ),
  CLOUDFRONT,
  words(
    "date time action protocol src-ip dst-ip src-port dst-port size tcpflags tcpsyn tcpack tcpwin icmptype icmpcode info path",
  ),
];

/** Whether columns hold what their names say, as far as that can be seen. */
function fitsW3c(names: readonly string[], columns: readonly string[]): boolean {
  if (names.length !== columns.length) return false;
  return names.every((name, index) => {
    const column = columns[index]!;
    if (/^(?:c|s|src|dst)-ip$/.test(name)) return /^[\d.]{7,15}$|^[0-9a-f:]{2,39}$/i.test(column);
    if (name === "cs-method") return /^[A-Z]{3,16}$/.test(column);
    return name === "cs-uri-stem" ? column.startsWith("/") : true;
  });
}

/** W3C extended logs (IIS, CloudFront, proxies of Blue Coat's kind): columns are what `#Fields:` says. */
function w3c(header: readonly string[] | undefined): (line: string) => Reading {
  let names: readonly string[] | undefined = header;
  return (line) => {
    if (line.startsWith("#")) {
      const header = /^#Fields:[ \t]*(.+)$/i.exec(line)?.[1];
      // The fields of CloudFront are named with spaces between and logged with tabs.
      if (header !== undefined) names = header.trim().split(/[ \t,]+/);
      return header === undefined &&
        !/^#(?:Software|Version|Date|Start-Date|End-Date|Remark|Encoding|Time Format)\b/i.test(line)
        ? undefined
        : "other";
    }
    if (names === undefined && !W3C_START.test(line)) return undefined;
    const columns = quotedColumns(line, line.includes("\t") ? "\t" : " ");
    // Without its header, a line is read where it has the columns that a product writes if nobody changes them.
    const own = names ?? W3C_ORDERS.find((order) => fitsW3c(order, columns));
    if (own === undefined) return undefined;
    if (columns.length !== own.length) return names !== undefined && columns.length > 4 ? "malformed" : undefined;
    return [() => w3cRecord(own, columns, line)];
  };
}

/** What a line of such a log tells, by the names of its columns. */
function w3cRecord(names: readonly string[], columns: readonly string[], line: string): LogRecord {
  const fields: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [index, column] of columns.entries()) {
    if (column !== "-" && column !== "") fields[W3C_NAMES[names[index]!] ?? names[index]!] = column;
  }
  const time = timeOf(`${String(fields["date"])} ${String(fields["time"])}`);
  const stem = fields["cs-uri-stem"] ?? fields["cs-uri-path"];
  const uri = fields["cs-uri"] ?? fields["c-uri"];
  if (stem === undefined && uri === undefined && valueOf(fields, "dst") !== undefined)
    return recordOf(FIREWALL, firewallFields(fields), line, time);
  const proxied =
    fields["cs-uri-scheme"] !== undefined || fields["s-hierarchy"] !== undefined || fields["r-ip"] !== undefined;
  if (typeof uri === "string" || proxied) {
    const whole = uri ?? String(stem ?? "");
    const own = {
      ...fields,
      src_ip: fields["c-ip"],
      "c-uri": whole,
      // `s-ip` is the proxy's own.
      dst_ip:
        fields["r-ip"] ?? fields["s-supplier-ip"] ?? (fields["cs-host"] === undefined ? fields["s-ip"] : undefined),
      "c-useragent": fields["cs-user-agent"],
    };
    return recordOf(PROXY, own, line, time);
  }
  // What CloudFront and IIS log encoded once more: `+` and `%20` for spaces.
  return recordOf(
    WEBSERVER,
    fields["cs-uri-query"] === undefined ? { ...fields, ...requestTarget(stem) } : fields,
    line,
    time,
  );
}

/** Columns between separators; one in double quotes may hold them. */
export function quotedColumns(line: string, separator: string): readonly string[] {
  if (!line.includes('"')) return line.split(separator);
  const columns: string[] = [];
  for (let at = 0; at <= line.length;) {
    const quoted = line[at] === '"' ? line.indexOf('"', at + 1) : -1;
    const next = line.indexOf(separator, quoted === -1 ? at : quoted + 1);
    const end = next === -1 ? line.length : next;
    columns.push(quoted === -1 ? line.slice(at, end) : line.slice(at + 1, quoted));
    at = end + separator.length;
  }
  return columns;
}

/** Formats of columns, in the order in which they are tried. */
export const TABLE_FORMATS: readonly LogFormat[] = [
  {
    name: "zeek-tsv",
    title: "Zeek, tab-separated",
    sources: ZEEK_SOURCES,
    recognised: "`#separator` and `#fields`",
    open: () => zeekTsv(),
    headers: ["#separator", "#set_separator", "#unset_field", "#empty_field", "#path\t", "#fields\t", "#types\t"],
  },
  {
    name: "w3c",
    title: "W3C extended logs: IIS, CloudFront, web proxies, the firewall of Windows",
    sources: [WEBSERVER, PROXY, FIREWALL],
    recognised: "`#Fields:`",
    open: (_, columns) => w3c(columns),
    headers: ["#fields:"],
  },
  {
    name: "vpc-flow",
    title: "VPC flow logs, text",
    sources: [FIREWALL],
    recognised: "a header with `srcaddr` or `dstaddr`, or the columns of version 2 to 8 in AWS' order",
    open: (_, columns) => vpcFlow(columns),
    // As columns: in JSON they are the names of each record.
    headers: ["srcaddr", "dstaddr"].flatMap((name) =>
      [" ", ",", "\t", ";", "|", "\r", "\n"].flatMap((end) => [name + end, `${name}"${end}`]),
    ),
  },
];
