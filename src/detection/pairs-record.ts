/** Reads names with values as what they are of: a request, a question to DNS, or traffic between two ends. */
import { endsOf, firewallFields, usualTime, valueOf, webFields } from "./log-fields.js";
import { FIREWALL, PROXY, WEBSERVER, recordOf } from "./log-format.js";
import type { Reading } from "./log-format.js";
import { dnsRecord, hostOf } from "./log-json.js";
import { isText } from "./log-record.js";
import type { Fields, LogRecord } from "./log-record.js";
import { timeOf } from "./log-time.js";

/** Reads pairs as what they are of: a request, a question to DNS, or traffic between two ends. */
export function pairsRecord(fields: Fields, line: string): Reading {
  const { src: source, dst: destination } = endsOf(fields);
  const time =
    usualTime(fields) ??
    timeOf(`${String(fields["date"])} ${String(fields["time"])}${isText(fields["tz"]) ? fields["tz"] : ""}`);
  const url = valueOf(fields, "url");
  const records = [];
  // Who was asked is a resolver, and the answer is what it is about.
  if (isText(fields["qname"]) && isText(fields["qtype"]))
    records.push(...(dnsRecord(fields, line) as readonly LogRecord[]));
  if (
    isText(url) &&
    /[/.:]/.test(url) &&
    (valueOf(fields, "method") !== undefined || valueOf(fields, "status") !== undefined || /^https?:/.test(url))
  ) {
    const own = webFields(fields);
    // What a firewall or a proxy saw on its way has a destination.
    records.push(
      destination === undefined && !/^https?:/.test(url)
        ? recordOf(WEBSERVER, own, line, time)
        : recordOf(
            PROXY,
            {
              ...own,
              src_ip: source,
              dst_ip: destination,
              "c-uri": url,
              "cs-host": own["cs-host"] ?? hostOf(url),
              "c-useragent": own["cs-user-agent"],
            },
            line,
            time,
          ),
    );
  }
  if (isText(source) && isText(destination)) records.push(recordOf(FIREWALL, firewallFields(fields), line, time));
  return records.length > 0 ? records : undefined;
}
