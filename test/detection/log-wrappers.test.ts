/** Prefixes that collectors put in front of lines. */
import { describe, expect, it } from "vitest";
import { WRAPPERS } from "../../src/detection/log-wrappers.js";
import { fc } from "../support/properties.js";
import { LINES, WRAPPERS as AROUND } from "./log-lines.js";

/** A prefix of each kind, and what is left behind it. */
const PREFIXES: Readonly<Record<string, readonly [prefix: string, rest: string]>> = {
  "octet-count": ["57 ", "<34>1 text"],
  "syslog-5424": ["<34>1 2026-11-19T10:00:00.000Z web01 app 123 ID47 - ", "text"],
  "syslog-data": ['[origin ip="192.0.2.1"] ', "text"],
  "syslog-3164": ["<190>Sep 14 00:59:13 web01 app[12]: ", "text"],
  "syslog-iso": ["2026-11-19T10:00:00.123456+01:00 web1 app[12]: ", "text"],
  "syslog-epoch": ["<134>1 1763719200.123456789 mx64 ", "text"],
  priority: ["<13>", "text"],
  "syslog-sequence": ["000123: router: *", "Sep 14 00:59:13 text"],
  "syslog-points": ["2026:11:19-10:00:00 utm ulogd[4711]: ", "text"],
  routeros: ["sep/14/2026 00:59:13 ", "text"],
  epoch: ["1763719200.123 ", "text"],
  level: ["INFO      Sep 14 00:59:13.123 [12]: ", "text"],
  cri: ["2026-11-19T10:00:00.123456789Z stdout F ", "text"],
  compose: ["web_1  | ", "text"],
  kubectl: ["[pod/web-5d/web] ", "text"],
  time: ["[2026-11-19 10:00:00,123] ", "text"],
  "aws-logs-tail": ["2026-11-19T10:00:00.000000+00:00 web/i-0123 ", "text"],
  "kernel-time": ["[   12.345678] ", "text"],
  grep: ["./var/log/app.log.1:12:", "text"],
};
const TEXTS = Object.values(AROUND).flatMap((wrap) => Object.values(LINES).map((line) => wrap(line)));

describe.each(WRAPPERS.map((wrapper) => [wrapper.name, wrapper] as const))("%s", (name, { peel, begins }) => {
  it("is peeled off, and is nothing where nothing is behind it", () => {
    const [prefix, rest] = PREFIXES[name]!;
    expect(peel(prefix + rest)).toBe(rest);
    expect(peel(rest)).toBeUndefined();
    expect(begins.test(prefix.charAt(0))).toBe(true);
  });

  it("begins with what it says it begins with, wherever a line is cut and whatever stands in front", () => {
    const prefixes = Object.values(PREFIXES).map(([prefix]) => prefix);
    const text = fc
      .tuple(fc.constantFrom("", ...prefixes), fc.constantFrom(...TEXTS, ...prefixes), fc.nat(200))
      .map(([before, line, at]) => before + line.slice(at % line.length));
    const cut = fc.tuple(text, fc.nat(8)).map(([whole, at]) => whole.slice(at));
    fc.assert(
      fc.property(cut, (line) => peel(line) === undefined || begins.test(line.charAt(0))),
      { numRuns: 1_000 },
    );
  });
});
