/** Reads names with values as what they are of: a request, or traffic between two ends. */
import { address, firewallFields, usualTime, valueOf, webFields } from "./log-fields.js";
import { FIREWALL, PROXY, WEBSERVER, recordOf } from "./log-format.js";
import type { Reading } from "./log-format.js";
import { hostOf } from "./log-json.js";
import { isText } from "./log-record.js";
import type { Fields } from "./log-record.js";
import { timeOf } from "./log-time.js";

/** Reads pairs as what they are of: a request, or traffic between two ends. */
export function pairsRecord(fields: Fields, line: string): Reading {
  const source = address(valueOf(fields, "src"));
  const destination = address(valueOf(fields, "dst"));
  const time =
    usualTime(fields) ??
    timeOf(`${String(fields["date"])} ${String(fields["time"])}${isText(fields["tz"]) ? fields["tz"] : ""}`);
  const url = valueOf(fields, "url");
  const records = [];
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
