/** Log formats: recognition by content, the fields of each, and nothing thrown on anything. */
import { describe, expect, it } from "vitest";
import { FORMAT_NAMES } from "../../src/detection/log-formats.js";
import type { FormatName } from "../../src/detection/log-formats.js";
import { formatOfLine, readLines as read, sampleLines, scanLines, SIGMA_RULES } from "./samples.js";
import { fc } from "../support/properties.js";

function fieldsOf(format: FormatName, ...lines: string[]): Record<string, unknown> {
  const last = read(format, ...lines).at(-1);
  if (typeof last !== "object") throw new Error(`${format} made ${String(last)} of the line`);
  return { ...last.fields, $source: last.source, $time: last.time };
}

const ZEEK_TSV = [
  "#separator \\x09",
  "#set_separator\t,",
  "#empty_field\t(empty)",
  "#unset_field\t-",
  "#path\tdns",
  "#open\t2026-11-19-10-00-00",
  "#fields\tts\tuid\tid.orig_h\tid.resp_h\tquery\tanswers\trejected",
  "#types\ttime\tstring\taddr\taddr\tstring\tvector[string]\tbool",
];

describe("recognition", () => {
  const LINES: readonly (readonly [FormatName, string])[] = [
    ["zeek-tsv", ZEEK_TSV[0]!],
    ["zeek-json", '{"ts":1795082400.5,"uid":"C1","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2"}'],
    ["zeek-json", '{"_path":"http","ts":"2026-11-19T10:00:00.000000Z"}'],
    ["suricata", '{"timestamp":"2026-11-19T10:00:00.000000+0000","event_type":"flow"}'],
    [
      "cloudtrail",
      '{"Records":[{"eventVersion":"1.11","eventSource":"sts.amazonaws.com","eventName":"GetCallerIdentity"}]}',
    ],
    ["cloudtrail", '{"eventVersion":"1.11","eventSource":"sts.amazonaws.com","eventName":"GetCallerIdentity"}'],
    ["events", '{"id":"x","code":"imds.attested","severity":"info","caller":{"pid":1,"argv0":"x"}}'],
    ["sysmon", '{"EventID":3,"Image":"/usr/bin/node"}'],
    ["vpc-flow", "2 123456789012 eni-0a1b2c3d 10.0.0.1 10.0.0.2 49152 443 6 5 420 1795082400 1795082458 ACCEPT OK"],
    ["vpc-flow", "version account-id interface-id srcaddr dstaddr srcport dstport"],
    ["vpc-flow", "pkt-srcaddr pkt-dstaddr action flow-direction"],
    [
      "squid",
      "1795082400.123     47 10.0.0.1 TCP_MISS/200 1843 GET http://x.example/ - HIER_DIRECT/203.0.113.80 text/html",
    ],
    ["access-log", '10.0.0.1 - - [19/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 612'],
    [
      "access-log",
      'www.example.com:443 10.0.0.1 - bob [19/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8.4.0"',
    ],
    ["syslog", "Nov 19 10:00:00 web1 dhcpcd[613]: eth0: adding route"],
    ["syslog", "<13>1 2026-11-19T10:00:00.123Z web1 app - - - text"],
    ["syslog", "2026-11-19T10:00:00.123456+01:00 web1 kernel: text"],
    ["netfilter", "[81234.567890] IN=eth0 OUT= SRC=10.0.0.1 DST=10.0.0.2 LEN=60"],
  ];
  it.each(LINES)("%s: %s", (format, line) => expect(formatOfLine(line)).toBe(format));

  it.each(["", "hello", "{}", "[]", '{"a":1}', "<html>", "169.254.169.254", "a,b,c", "\u0000\u0001"])(
    "nothing: %j",
    (line) => expect(formatOfLine(line)).toBeUndefined(),
  );
});

describe("fields", () => {
  it("Zeek, tab-separated: header, sets, unset and empty fields, escapes", () => {
    const row = "1795082400.5\tC1\t10.0.0.1\t10.0.0.2\ta\\x2cb.example\t203.0.113.80,169.254.169.254\tF";
    expect(fieldsOf("zeek-tsv", ...ZEEK_TSV, row)).toMatchObject({
      "id.orig_h": "10.0.0.1",
      query: "a,b.example",
      answers: ["203.0.113.80", "169.254.169.254"],
      $source: { product: "zeek", service: "dns" },
      $time: 1795082400500,
    });
    const unset = fieldsOf("zeek-tsv", ...ZEEK_TSV, "1795082400.5\tC1\t10.0.0.1\t10.0.0.2\t-\t(empty)\tF");
    expect(unset).not.toHaveProperty("query");
    expect(unset).toMatchObject({ answers: [] });
  });

  it("Zeek, tab-separated: another separator, a header in the middle, a row that does not fit", () => {
    expect(
      fieldsOf("zeek-tsv", "#separator |", "#path|conn", "#fields|ts|id.resp_h", "#types|time|addr", "1|10.0.0.2"),
    ).toMatchObject({ "id.resp_h": "10.0.0.2" });
    expect(
      fieldsOf("zeek-tsv", ...ZEEK_TSV, "#path\tconn", "#fields\tts\tid.resp_h", "#types\ttime\taddr", "1\t10.0.0.2"),
    ).toMatchObject({ $source: { service: "conn" } });
    expect(read("zeek-tsv", "1\t2", ...ZEEK_TSV, "1\t2").filter((result) => result === "malformed")).toHaveLength(2);
    expect(read("zeek-tsv", "#close\t2026-11-19-11-00-00")).toEqual(["other"]);
  });

  it.each<[string, object, string]>([
    ["conn", { "id.resp_h": "x", conn_state: "SF" }, "conn"],
    ["http", { trans_depth: 1, method: "GET" }, "http"],
    ["dns", { query: "x", "id.resp_h": "y" }, "dns"],
    ["ssl", { server_name: "x" }, "ssl"],
    ["ssl without a name", { cipher: "x", established: true }, "ssl"],
    ["a named path", { _path: "dhcp" }, "dhcp"],
  ])("Zeek, JSON: %s", (_, fields, service) =>
    expect(fieldsOf("zeek-json", JSON.stringify({ ts: 1, ...fields }))).toMatchObject({
      $source: { product: "zeek", service },
      $time: 1000,
    }),
  );

  it("Suricata: flow, http, dns of all versions, tls, arp", () => {
    const eve = (rest: object): string =>
      JSON.stringify({
        timestamp: "2026-11-19T10:00:00.500000+0000",
        src_ip: "10.0.0.1",
        src_port: 5,
        dest_ip: "10.0.0.2",
        dest_port: 80,
        ...rest,
      });
    expect(
      fieldsOf(
        "suricata",
        eve({ event_type: "flow", vlan: [7], flow: { bytes_toclient: 912, pkts_toclient: 5, state: "closed" } }),
      ),
    ).toMatchObject({
      "source.ip": "10.0.0.1",
      "destination.ip": "10.0.0.2",
      "destination.bytes": 912,
      "network.vlan.id": [7],
      $time: 1795082400500,
      $source: { category: "network", service: "connection" },
    });
    expect(
      fieldsOf(
        "suricata",
        eve({
          event_type: "http",
          http: {
            hostname: "h",
            url: "/u",
            http_method: "PUT",
            status: 200,
            request_headers: [{ name: "X-aws-ec2-metadata-token", value: "s" }, 5],
          },
        }),
      ),
    ).toMatchObject({
      method: "PUT",
      host: "h",
      uri: "/u",
      status_code: 200,
      client_header_names: ["X-aws-ec2-metadata-token"],
      "id.resp_h": "10.0.0.2",
      $source: { product: "zeek", service: "http" },
    });
    expect(
      fieldsOf(
        "suricata",
        eve({ event_type: "dns", dns: { type: "answer", rrname: "q", rrtype: "A", rdata: "1.2.3.4" } }),
      ),
    ).toMatchObject({ query: "q", answers: ["1.2.3.4"] });
    expect(
      fieldsOf(
        "suricata",
        eve({
          event_type: "dns",
          dns: { version: 2, rrname: "q", answers: [{ rdata: "1.2.3.4" }], grouped: { A: ["1.2.3.4"], AAAA: ["::1"] } },
        }),
      ),
    ).toMatchObject({ answers: ["1.2.3.4", "::1"] });
    expect(
      fieldsOf(
        "suricata",
        eve({ event_type: "dns", dns: { version: 3, queries: [{ rrname: "q3", rrtype: "AAAA" }], answers: [] } }),
      ),
    ).toMatchObject({ query: "q3", qtype_name: "AAAA", answers: [] });
    expect(fieldsOf("suricata", eve({ event_type: "tls", tls: { sni: "sts.amazonaws.com" } }))).toMatchObject({
      server_name: "sts.amazonaws.com",
      $source: { service: "ssl" },
    });
    expect(
      fieldsOf("suricata", eve({ event_type: "arp", arp: { opcode: "reply", src_mac: "02:00:00:00:00:01" } })),
    ).toMatchObject({ arp: { opcode: "reply" }, $source: { product: "suricata", service: "arp" } });
    expect(read("suricata", '{"timestamp":"2026-11-19T10:00:00.5+0000","event_type":"stats"}')).toEqual(["other"]);
  });

  it("CloudTrail, own events, ECS documents, Sysmon", () => {
    expect(
      fieldsOf("cloudtrail", '{"eventName":"X","eventSource":"sts.amazonaws.com","eventTime":"2026-11-19T10:00:00Z"}'),
    ).toMatchObject({ $time: 1795082400000 });
    expect(read("cloudtrail", '{"digestPublicKeyFingerprint":"x"}')).toEqual(["other"]);
    expect(fieldsOf("events", '{"code":"imds.attested","time":"2026-11-19T10:00:00.000Z"}')).toMatchObject({
      code: "imds.attested",
      $time: 1795082400000,
    });
    expect(
      fieldsOf("events", '{"@timestamp":"2026-11-19T10:00:00.000Z","imds_guard":{"code":"imds.attested"}}'),
    ).toMatchObject({ code: "imds.attested" });
    expect(
      fieldsOf(
        "sysmon",
        '{"Event":{"System":{"EventID":1},"EventData":{"Image":"C:\\\\x.exe","UtcTime":"2026-11-19 10:00:00.123"}}}',
      ),
    ).toMatchObject({
      Image: "C:\\x.exe",
      $source: { category: "process_creation", product: "windows" },
      $time: 1795082400123,
    });
    expect(read("sysmon", '{"EventID":22}')).toEqual(["other"]);
  });

  it("VPC flow logs: default columns, those of a header, no data", () => {
    const line = "2 123456789012 eni-0a1b2c3d 10.0.0.1 10.0.0.2 49152 443 6 5 420 1795082400 1795082458 ACCEPT OK";
    expect(fieldsOf("vpc-flow", line)).toMatchObject({
      src_ip: "10.0.0.1",
      dst_ip: "10.0.0.2",
      dst_port: "443",
      action: "ACCEPT",
      $time: 1795082400000,
    });
    expect(
      fieldsOf("vpc-flow", "srcaddr dstaddr pkt-srcaddr pkt-dstaddr vpc-id", "10.0.0.1 10.0.0.2 - 10.0.9.9 vpc-1"),
    ).toMatchObject({ src_ip: "10.0.0.1", dst_ip: "10.0.9.9", "vpc-id": "vpc-1" });
    expect(
      read("vpc-flow", "2 123456789012 eni-0a1b2c3d - - - - - - - 1795082400 1795082458 - NODATA", "1 2 3"),
    ).toEqual(["other", "malformed"]);
  });

  it("squid", () => {
    expect(
      fieldsOf(
        "squid",
        "1795082400.123     47 10.0.0.1 TCP_DENIED/403 0 PUT http://[fd00:ec2::254]/latest/api/token bob HIER_NONE/- text/html",
      ),
    ).toMatchObject({
      src_ip: "10.0.0.1",
      "cs-method": "PUT",
      "c-uri": "http://[fd00:ec2::254]/latest/api/token",
      "cs-host": "[fd00:ec2::254]",
      "sc-status": 403,
      "cs-username": "bob",
      $time: 1795082400123,
    });
    expect(
      fieldsOf(
        "squid",
        "1795082400.123 47 10.0.0.1 TCP_TUNNEL/200 39 CONNECT 169.254.169.254:80 - HIER_DIRECT/169.254.169.254 -",
      ),
    ).toMatchObject({ "cs-host": "169.254.169.254", dst_ip: "169.254.169.254" });
    expect(read("squid", "hello")).toEqual(["malformed"]);
  });

  it("access logs: query, forward proxy, broken requests", () => {
    expect(
      fieldsOf(
        "access-log",
        '10.0.0.1 - bob [19/Nov/2026:11:00:00 +0100] "GET /a?b=c?d HTTP/1.1" 200 612 "http://r/" "a \\"b\\""',
      ),
    ).toMatchObject({
      "c-ip": "10.0.0.1",
      "cs-uri-stem": "/a",
      "cs-uri-query": "b=c?d",
      "cs-user-agent": 'a \\"b\\"',
      "sc-status": 200,
      $time: 1795082400000,
      $source: { category: "webserver" },
    });
    expect(
      fieldsOf("access-log", '10.0.0.1 - - [19/Nov/2026:10:00:00 +0000] "GET http://169.254.169.254/ HTTP/1.1" 200 6'),
    ).toMatchObject({ "cs-host": "169.254.169.254", $source: { category: "proxy" } });
    expect(
      read(
        "access-log",
        '10.0.0.1 - - [19/Nov/2026:10:00:00 +0000] "\\x16\\x03\\x01" 400 150 "-" "-"',
        '10.0.0.1 - - [x] "" 400 0',
        "x",
      ),
    ).toEqual(["other", "other", "malformed"]);
  });

  it("syslog: packets, other lines, times without a year", () => {
    expect(
      fieldsOf(
        "netfilter",
        "Nov 19 10:00:00 edge kernel: [1.000000] DROP IN=eth1 OUT=eth0 MAC=52:54:00 SRC=10.0.0.1 DST=169.254.169.254 LEN=60 PROTO=TCP SPT=5 DPT=80 WINDOW=1 SYN",
      ),
    ).toMatchObject({
      src_ip: "10.0.0.1",
      dst_ip: "169.254.169.254",
      src_port: "5",
      dst_port: "80",
      protocol: "TCP",
      interface_in: "eth1",
      mac: "52:54:00",
      $source: { category: "firewall" },
      $time: Date.UTC(2026, 10, 19, 10),
    });
    expect(fieldsOf("syslog", "Dec  1 10:00:00 web1 x: y")).toMatchObject({
      $time: Date.UTC(2025, 11, 1, 10),
      $source: { product: "linux", service: "syslog" },
    });
    expect(fieldsOf("syslog", "2026-11-19T11:00:00+01:00 web1 x: y")).toMatchObject({ $time: 1795082400000 });
    expect(fieldsOf("syslog", "anything")).toMatchObject({ $time: undefined });
  });
});

describe("on anything", { timeout: 60_000 }, () => {
  const real = SIGMA_RULES.flatMap(({ file }) => [...sampleLines(file, "positive"), ...sampleLines(file, "negative")]);
  const damaged = fc
    .tuple(fc.constantFrom(...real, ...ZEEK_TSV), fc.nat(400), fc.nat(400), fc.string({ maxLength: 8 }))
    .map(([line, from, length, text]) => line.slice(0, from) + text + line.slice(from + length));
  const any = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    damaged,
    fc.json({ maxDepth: 3 }),
    fc
      .dictionary(
        fc.constantFrom(
          "event_type",
          "dns",
          "flow",
          "http",
          "tls",
          "arp",
          "Event",
          "winlog",
          "EventID",
          "imds_guard",
          "code",
          "time",
          "eventName",
          "eventSource",
          "ts",
          "_path",
        ),
        fc.jsonValue({ maxDepth: 2 }),
      )
      .map((value) => JSON.stringify(value)),
  );

  it("no reader throws, and none invents a value", () => {
    fc.assert(
      fc.property(fc.constantFrom(...FORMAT_NAMES), fc.array(any, { maxLength: 4 }), (format, lines) => {
        for (const result of read(format, ...lines)) {
          if (typeof result === "string") continue;
          expect(result.time === undefined || Number.isFinite(result.time)).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("a message of the journal in JSON", () => {
  const exported = (message: string, program = "app") =>
    JSON.stringify({
      __REALTIME_TIMESTAMP: "1783252800123456",
      _HOSTNAME: "web1",
      SYSLOG_IDENTIFIER: program,
      MESSAGE: message,
    });

  it("is of syslog where no other format reads it", () => {
    expect(formatOfLine(exported("Accepted publickey for bob from 203.0.113.5 port 5 ssh2"))).toBe("syslog");
    expect(formatOfLine(exported('203.0.113.5 - - [19/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5'))).toBe(
      "access-log",
    );
  });

  it("is found by the rules for syslog, with the host and the time that are told around it", async () => {
    const message = "eth0: adding host route to 169.254.169.254 via 10.20.30.66";
    const { findings } = await scanLines([exported(message, "dhcpcd")]);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ time: "2026-07-05T12:00:00.123Z", rule: { level: "high" } });
  });
});
