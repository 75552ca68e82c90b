/** Reads names with values as what they are of: a request, a question to DNS, or traffic between two ends. */
import { endsOf, firewallFields, usualTime, valueOf, webFields } from "./log-fields.js";
import { FIREWALL, PROXY, WEBSERVER, recordOf } from "./log-format.js";
import type { Made, Reading } from "./log-format.js";
import { dnsRecord, hostOf } from "./log-json.js";
import { isText } from "./log-record.js";
import type { Fields, LogRecord } from "./log-record.js";
import { timeOf } from "./log-time.js";

/** Reads pairs as what they are of: a request, a question to DNS, or traffic between two ends. */
export function pairsRecord(fields: Fields, line: string): Reading {
  const records: Made[] = [];
  // Who was asked is a resolver, and the answer is what it is about.
  if (isText(fields["qname"]) && isText(fields["qtype"])) records.push(() => dnsRecord(fields, line));
  const url = valueOf(fields, "url");
  if (
    isText(url) &&
    /[/.:]/.test(url) &&
    (valueOf(fields, "method") !== undefined || valueOf(fields, "status") !== undefined || /^https?:/.test(url))
  )
    records.push(() => requestRecord(fields, url, line));
  const { src, dst } = endsOf(fields);
  if (isText(src) && isText(dst))
    records.push(() => recordOf(FIREWALL, firewallFields(fields), line, timeOfPairs(fields)));
  return records.length > 0 ? records : undefined;
}

function requestRecord(fields: Fields, url: string, line: string): LogRecord {
  const { src, dst } = endsOf(fields);
  const own = webFields(fields);
  // What a firewall or a proxy saw on its way has a destination.
  if (dst === undefined && !/^https?:/.test(url)) return recordOf(WEBSERVER, own, line, timeOfPairs(fields));
  const asked = {
    ...own,
    src_ip: src,
    dst_ip: dst,
    "c-uri": url,
    "cs-host": own["cs-host"] ?? hostOf(url),
    "c-useragent": own["cs-user-agent"],
  };
  return recordOf(PROXY, asked, line, timeOfPairs(fields));
}

function timeOfPairs(fields: Fields): number | undefined {
  return (
    usualTime(fields) ??
    timeOf(`${String(fields["date"])} ${String(fields["time"])}${isText(fields["tz"]) ? fields["tz"] : ""}`)
  );
}
