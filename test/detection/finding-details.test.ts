/** Who, what, when and whether it was answered: of each kind of log. */
import { describe, expect, it } from "vitest";
import { scan } from "../../src/detection/scan.js";
import type { ScanFinding } from "../../src/detection/scan-finding.js";
import { CORPUS, contentOf } from "./corpus.js";
import { bytesOf } from "./samples.js";

async function firstOf(file: string, line: number): Promise<ScanFinding | undefined> {
  const sample = CORPUS.find((one) => one.file === `${file}.log`)!;
  const findings: ScanFinding[] = [];
  await scan([{ name: "x", stream: bytesOf(contentOf(sample)) }], { onFinding: (one) => void findings.push(one) });
  return findings.find((one) => one.line === line);
}

describe("a finding tells", () => {
  const TABLE: readonly (readonly [file: string, line: number, details: object])[] = [
    [
      "nginx-combined",
      1,
      {
        time: "2026-07-05T10:00:00.000Z",
        who: { address: "203.0.113.7" },
        what: {
          method: "GET",
          url: "/fetch?url=http://169.254.169.254/latest/meta-data/iam/security-credentials/",
          userAgent: "curl/8.5.0",
        },
        answer: { answered: true, status: "200", bytes: "318" },
      },
    ],
    ["haproxy", 1, { who: { address: "203.0.113.7", host: "lb1" }, answer: { status: "200", bytes: "2750" } }],
    [
      "falco",
      1,
      {
        who: {
          address: "10.20.4.85",
          user: "root",
          process: "/usr/bin/curl",
          pid: "1234",
          pod: "web-7d",
          container: "web",
        },
        what: { to: "169.254.169.254", port: "80", command: "curl http://169.254.169.254/" },
      },
    ],
    ["auditd", 2, { who: { user: "1001", process: "/usr/bin/node", pid: "1234" }, answer: { state: "failed" } }],
    [
      "zeek-conn",
      10,
      { who: { address: "10.20.4.85", port: "39731" }, answer: { answered: true, bytes: "410", state: "SF" } },
    ],
    ["zeek-conn", 9, { answer: { answered: false, state: "S0" } }],
    ["hosts", 3, { who: { address: "10.4.5.6" }, what: { to: "169.254.169.254", port: "80" } }],
    ["hosts", 4, { who: { process: "curl", pid: "4120" }, answer: { answered: true, state: "ESTAB" } }],
    ["hosts", 5, { rule: { level: "high" }, fields: { "arp.src_mac": "00:11:22:33:44:55" } }],
    ["vendors", 2, { time: "2026-11-29T10:11:12.000Z", answer: { status: "200" } }],
    ["vendors", 4, { who: { address: "10.4.5.6", process: "curl" } }],
    ["vendors", 5, { what: { query: "x.example.org", answers: "169.254.169.254" } }],
    ["vendors", 6, { who: { user: "root", process: "curl" } }],
    ["vendors", 7, { what: { method: "GET", url: "http://169.254.169.254/latest/meta-data/" } }],
    ["vendors", 8, { who: { user: "root", process: "curl", host: "srv-7" } }],
    // Beside the time there is how long it took.
    ["vendors", 10, { time: "2026-11-29T10:11:12.123Z" }],
    ["conntrack", 2, { answer: { answered: false, state: "SYN_SENT" } }],
    ["fortigate", 1, { time: "2026-07-05T12:00:00.123Z", answer: { answered: false, state: "deny" } }],
    [
      "cloudtrail",
      1,
      {
        who: {
          address: "203.0.113.9",
          user: "WebRole",
          arn: "arn:aws:sts::123456789012:assumed-role/WebRole/i-0123456789abcdef0",
        },
        what: { call: "sts:GetCallerIdentity", userAgent: "aws-cli/2.15" },
      },
    ],
    [
      "route53-resolver",
      1,
      { who: { address: "10.20.4.85" }, what: { query: "rebind.example.net", answers: "169.254.169.254" } },
    ],
    ["cisco-ftd", 1, { who: { address: "10.20.4.85", user: "corp\\bob" }, answer: { status: "200" } }],
    ["sockets", 1, { who: { process: "node", pid: "1234" } }],
    ["guardduty", 1, { who: { address: "203.0.113.9", user: "WebRole" }, what: { call: "ListBuckets" } }],
    // ICMP built outbound goes from `laddr` to `faddr`; a year that is written counts.
    ["cisco-asa", 2, { time: "2026-04-29T12:59:50.000Z", answer: { answered: false, bytes: "0" } }],
    [
      "cisco-asa",
      16,
      { rule: { level: "medium" }, who: { address: "10.20.4.85" }, what: { to: "169.254.169.254" }, answer: {} },
    ],
    ["haproxy", 2, { who: { address: "10.20.4.85", port: "33318" }, what: { to: "169.254.169.254" } }],
    ["haproxy", 3, { what: { to: "169.254.169.254", port: "80" }, answer: { answered: true, bytes: "212" } }],
    ["envoy", 3, { who: { address: "10.20.4.85" }, what: { to: "169.254.169.254" } }],
    ["api-gateway", 4, { what: { url: "http://169.254.169.254/latest/meta-data/" } }],
    [
      "watchguard",
      2,
      {
        time: "2026-07-05T12:00:01.000Z",
        who: { address: "10.20.4.85", port: "43211" },
        what: { to: "169.254.169.254", port: "80" },
        answer: { answered: false, state: "Deny" },
      },
    ],
    ["f5", 1, { who: { address: "203.0.113.7" }, answer: { status: "200" } }],
    ["f5", 2, { who: { address: "10.20.4.85", port: "43210" }, answer: { answered: false } }],
    ["rows", 1, { who: { address: "10.20.4.85" }, what: { url: "http://169.254.169.254/latest/meta-data/" } }],
    ["iis-plain", 1, { who: { address: "203.0.113.7" }, answer: { status: "200" } }],
    ["proxies", 3, { who: { address: "10.20.4.85" }, what: { to: "169.254.169.254" } }],
    ["proxies", 5, { who: { address: "203.0.113.7" }, time: "2026-07-05T12:00:03.000Z" }],
    ["applications", 1, { who: { address: "203.0.113.7" }, time: "2026-07-05T12:00:00.000Z" }],
    ["applications", 3, { who: { address: "203.0.113.7" } }],
    ["applications", 5, { who: { address: "203.0.113.7" }, time: "2026-07-05T12:00:04.000Z" }],
    ["collectors", 8, { who: { address: "10.20.4.85", process: "C:\\x\\curl.exe" }, what: { port: "80" } }],
    ["collectors", 9, { who: { address: "10.20.4.85" }, what: { to: "169.254.169.254" } }],
    ["collectors", 11, { who: { address: "10.20.4.85", user: "bob@a.example" }, answer: { status: "200" } }],
    ["dns-text", 9, { who: { address: "10.20.4.85" }, what: { query: "a.169-254-169-254.sslip.io" } }],
    // A header or an upstream that names the service: it is whom the request was for.
    ["nginx-error", 1, { what: { to: "169.254.169.254" } }],
  ];
  it.each(TABLE)("%s, line %i", async (file, line, details) => {
    expect(await firstOf(file, line)).toMatchObject(details);
  });
});

describe("findings that are alike", () => {
  const lines = (count: number, step: number): string =>
    Array.from({ length: count }, (_, index) =>
      JSON.stringify({
        ts: 1_783_252_800 + index * step,
        "id.orig_h": `10.0.0.${index % 3}`,
        "id.resp_h": "169.254.169.254",
        conn_state: "S0",
        proto: "tcp",
      }),
    ).join("\n");

  it("are told once, with how often, from when to when", async () => {
    const { groups, ungrouped } = await scan([{ name: "x", stream: bytesOf(lines(30, 1)) }]);
    expect(ungrouped).toBe(0);
    expect(groups.filter(({ rule }) => rule.level === "medium").slice(0, 3)).toMatchObject([
      {
        count: 10,
        answered: 0,
        unanswered: 10,
        first: "2026-07-05T12:00:00.000Z",
        last: "2026-07-05T12:00:27.000Z",
        line: 1,
      },
      { count: 10, line: 2 },
      { count: 10, line: 3 },
    ]);
  });

  it.each([1, 60, 3_600, 86_400 * 40])(
    "every %i seconds make a timeline of few slices, in which all are",
    async (step) => {
      const { timeline, findings } = await scan([{ name: "x", stream: bytesOf(lines(500, step)) }]);
      expect(timeline.slices.length).toBeLessThanOrEqual(96);
      const counted = timeline.slices
        .flatMap(({ levels }) => Object.values(levels))
        .reduce((sum, count) => sum + count, 0);
      expect(counted + timeline.untimed).toBe(findings);
    },
  );
});
