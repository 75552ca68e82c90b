/** Readers for logs whose columns a header names: Zeek's TSV and VPC flow logs. */
import { timeOf } from "./log-json.js";
import type { ReadLine } from "./log-json.js";

/**
 * Zeek's logs as tab-separated values. The directives `#separator`, `#set_separator`, `#unset_field`, `#empty_field`,
 * `#path`, `#fields` and `#types` are followed wherever they stand.
 */
export function zeekTsv(): (line: string) => ReadLine {
  let separator = "\t";
  let setSeparator = ",";
  let unset = "-";
  let empty = "(empty)";
  let path = "";
  let names: readonly string[] = [];
  let types: readonly string[] = [];

  function directive(line: string): void {
    // "#separator \x09" stands before any other and is itself divided by a space.
    const named = /^#separator (.+)$/.exec(line);
    if (named !== null) {
      separator = unescape(named[1]!);
      return;
    }
    const [key, ...values] = line.split(separator);
    const value = values[0] ?? "";
    if (key === "#set_separator") setSeparator = value;
    else if (key === "#unset_field") unset = value;
    else if (key === "#empty_field") empty = value;
    else if (key === "#path") path = value;
    else if (key === "#fields") names = values;
    else if (key === "#types") types = values;
  }

  return (line) => {
    if (line.startsWith("#")) {
      directive(line);
      return "other";
    }
    const columns = line.split(separator);
    if (names.length === 0 || columns.length !== names.length) return "malformed";
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
    return { source: { product: "zeek", service: path }, fields, text: line, time: timeOf(fields["ts"]) };
  };
}

function unescape(text: string): string {
  return text.includes("\\x")
    ? text.replace(/\\x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text;
}

const VPC_DEFAULT =
  "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status".split(
    " ",
  );

/**
 * VPC flow logs as text: the columns of the default format (version 2) unless a header names others. `src_ip` and
 * `dst_ip` are those of the packet (`pkt-srcaddr`, `pkt-dstaddr`) where the log has them, else those of the interface.
 */
export function vpcFlow(): (line: string) => ReadLine {
  let names: readonly string[] = VPC_DEFAULT;
  return (line) => {
    const columns = line.trim().split(/ +/);
    if (columns.includes("srcaddr") || columns.includes("pkt-srcaddr")) {
      names = columns.map((name) => name.replaceAll("_", "-"));
      return "other";
    }
    if (columns.length !== names.length) return "malformed";
    const fields: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const [index, column] of columns.entries()) if (column !== "-") fields[names[index]!] = column;
    if (fields["log-status"] === "NODATA" || fields["log-status"] === "SKIPDATA") return "other";
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
    return { source: { category: "firewall" }, fields, text: line, time: timeOf(fields["start"]) };
  };
}

/** Whether a line looks like one of the default format of VPC flow logs, or like a header of any. */
export function looksLikeVpcFlow(line: string): boolean {
  const columns = line.trim().split(/ +/);
  if (columns.length > 3 && columns.every((column) => /^[a-z][a-z0-9_-]*$/.test(column)))
    return columns.some((column) => /^(?:pkt[-_])?srcaddr$/.test(column));
  return (
    columns.length === VPC_DEFAULT.length &&
    /^2 (?:\d{12}|unknown) eni-[0-9a-f]+ /.test(line) &&
    /(?:OK|NODATA|SKIPDATA)$/.test(line.trim())
  );
}
