/** The scanner from bytes to summary: compression, chunks, damage, limits, secrets. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLog } from "../../src/detection/log-stream.js";
import { scan } from "../../src/detection/scan.js";
import type { ScanOptions } from "../../src/detection/scan.js";
import type { ScanFinding } from "../../src/detection/scan-finding.js";
import { LINES } from "./log-lines.js";
import { bytesOf, sampleLines, SIGMA_RULES } from "./samples.js";
import { fc } from "../support/properties.js";

const conn = (orig: string, resp: string, ts = 1795082400): string =>
  JSON.stringify({
    ts,
    uid: "C1",
    "id.orig_h": orig,
    "id.orig_p": 51234,
    "id.resp_h": resp,
    "id.resp_p": 80,
    proto: "tcp",
    conn_state: "S0",
    resp_bytes: 0,
  });
const NOISE = Array.from({ length: 40 }, (_, index) => conn(`10.20.30.${index}`, "203.0.113.80"));
const LOG = [
  ...NOISE,
  conn("10.20.30.40", "169.254.169.254"),
  ...NOISE,
  conn("10.20.30.41", "fd00:ec2::254", 1795082500),
  "",
].join("\n");

async function run(
  options: ScanOptions,
  ...sources: Parameters<typeof scan>[0] extends Iterable<infer S> | AsyncIterable<unknown> ? S[] : never
) {
  const findings: ScanFinding[] = [];
  const summary = await scan(sources, { onFinding: (finding) => void findings.push(finding), ...options });
  return { findings, summary };
}

async function* chunked(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

describe("a log", { timeout: 60_000 }, () => {
  it("is recognised, and its findings say what, where, who and when", async () => {
    const { findings, summary } = await run({}, { name: "conn.log", stream: bytesOf(LOG) });
    expect(
      findings.map(({ source, line, from, to, time, rule }) => ({ source, line, from, to, time, level: rule.level })),
    ).toEqual([
      {
        source: "conn.log",
        line: 41,
        from: "10.20.30.40",
        to: "169.254.169.254",
        time: "2026-11-19T10:00:00.000Z",
        level: "medium",
      },
      {
        source: "conn.log",
        line: 82,
        from: "10.20.30.41",
        to: "fd00:ec2::254",
        time: "2026-11-19T10:01:40.000Z",
        level: "medium",
      },
    ]);
    expect(findings[0]!.fields).toMatchObject({
      "id.resp_h": "169.254.169.254",
      "id.resp_p": 80,
      conn_state: "S0",
      resp_bytes: 0,
    });
    expect(summary).toMatchObject({
      lines: 82,
      bytes: LOG.length,
      malformed: 0,
      oversized: 0,
      findings: 2,
      highest: "medium",
      first: "2026-11-19T10:00:00.000Z",
      last: "2026-11-19T10:01:40.000Z",
      byRule: [{ name: "Connection to EC2 Instance Metadata Address - Zeek", level: "medium", count: 2 }],
      bySource: [
        { name: "10.20.30.40", count: 1 },
        { name: "10.20.30.41", count: 1 },
      ],
      byDestination: [
        { name: "169.254.169.254", count: 1 },
        { name: "fd00:ec2::254", count: 1 },
      ],
      sources: [{ name: "conn.log", format: "zeek-json", lines: 82, findings: 2 }],
    });
  });

  it("says the same in chunks of any size, with and without the quick look", async () => {
    const whole = (await run({}, { name: "x", stream: bytesOf(LOG) })).findings;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5000 }), fc.boolean(), async (size, thorough) => {
        const { findings, summary } = await run({ thorough }, { name: "x", stream: chunked(Buffer.from(LOG), size) });
        expect(findings).toEqual(whole);
        expect(summary.lines).toBe(82);
      }),
      { numRuns: 30 },
    );
  });

  it("may have a byte order mark, carriage returns and no newline at its end", async () => {
    const { findings, summary } = await run(
      {},
      { name: "x", stream: bytesOf(`\ufeff${LOG.trimEnd().replaceAll("\n", "\r\n")}`) },
    );
    expect(findings).toHaveLength(2);
    expect(summary).toMatchObject({ lines: 82, malformed: 0 });
  });

  it("may be empty", async () => {
    const { summary } = await run({}, { name: "x", stream: bytesOf() }, { name: "y", stream: bytesOf("\n\n  \n") });
    expect(summary).toMatchObject({ lines: 3, findings: 0, malformed: 0, unjudged: 0 });
    for (const source of summary.sources) expect(source).not.toHaveProperty("failure");
  });

  it("of an unknown format is told and passed over; the next one is read", async () => {
    const { summary } = await run(
      {},
      { name: "x", stream: bytesOf("what is this\nand this\n") },
      { name: "y", stream: bytesOf(LOG) },
    );
    expect(summary.sources[0]).toMatchObject({
      name: "x",
      failure: { code: "ERR_SCAN_FORMAT", advice: expect.stringContaining("zeek-json") },
    });
    expect(summary.sources[0]).not.toHaveProperty("format");
    expect(summary.findings).toBe(2);
  });

  it("is read in the format that is named, by the source or for all", async () => {
    const line = "free text with arpwatch and 169.254.169.254 in it\n";
    expect((await run({ format: "syslog" }, { name: "x", stream: bytesOf(line) })).findings).toHaveLength(1);
    expect(
      (await run({ format: "squid" }, { name: "x", stream: bytesOf(line), format: "syslog" })).findings,
    ).toHaveLength(1);
    expect((await run({ format: "squid" }, { name: "x", stream: bytesOf(line) })).summary).toMatchObject({
      malformed: 1,
      findings: 0,
    });
  });

  it("is read while it grows: a finding does not wait for more", async () => {
    let told!: () => void;
    const found = new Promise<void>((resolve) => (told = resolve));
    async function* growing(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`${conn("10.20.30.40", "169.254.169.254")}\n`);
      await found;
      yield Buffer.from(`${NOISE[0]!}\n`);
    }
    const summary = await scan([{ name: "x", stream: growing() }], { onFinding: () => told() });
    expect(summary).toMatchObject({ findings: 1, lines: 2 });
  });
});

describe("a record document of CloudTrail", () => {
  const records = [
    ...sampleLines("aws_cloudtrail_imdsv1_session", "positive"),
    ...sampleLines("aws_cloudtrail_imdsv1_session", "negative"),
  ].map((line) => JSON.parse(line) as object);

  it.each([undefined, 2])("is cut into its records (indent %s)", async (indent) => {
    const text = JSON.stringify({ Records: records }, null, indent);
    for (const size of [7, 100, 65536]) {
      const { findings, summary } = await run({}, { name: "ct.json", stream: chunked(Buffer.from(text), size) });
      expect(findings).toHaveLength(2);
      const begins = indent === undefined ? 0 : text.lastIndexOf("\n    {", text.indexOf("DescribeInstances")) + 1;
      expect(findings[1]!.line).toBe(text.slice(0, begins).split("\n").length);
      expect(summary.malformed).toBe(0);
    }
  });

  it.each([undefined, 2])("is judged behind the records that are read in any case (indent %s)", async (indent) => {
    const harmless = { eventSource: "s3.amazonaws.com", eventName: "ListBuckets", awsRegion: "eu-central-1" };
    const many = [...Array.from({ length: 40 }, () => harmless), ...records];
    const text = JSON.stringify({ Records: many }, null, indent);
    const { findings, summary } = await run({}, { name: "ct.json", stream: bytesOf(text) });
    expect(findings).toHaveLength(2);
    expect(summary.unjudged).toBe(0);
  });

  it.each([
    ["CloudTrail", JSON.stringify({ Records: records })],
    ["a list", JSON.stringify(records)],
    ["XML", `<Events>\n${LINES["windows-xml"]!}\n${LINES["windows-xml"]!}\n</Events>\n`],
  ])("has no malformed part for what stands around its records (%s)", async (_, text) => {
    const { summary } = await run({ thorough: true }, { name: "document", stream: bytesOf(text) });
    expect(summary.malformed).toBe(0);
  });

  it("that breaks off keeps what was read", async () => {
    const text = JSON.stringify({ Records: records }).slice(0, -900);
    const { findings, summary } = await run({}, { name: "ct.json", stream: bytesOf(text) });
    expect(findings).toHaveLength(2);
    expect(summary.malformed).toBe(1);
  });
});

describe("compression", { timeout: 60_000 }, () => {
  it.each([1, 3, 1000])("gzip is recognised in chunks of %i", async (size) => {
    const { findings, summary } = await run({}, { name: "x.gz", stream: chunked(zlib.gzipSync(LOG), size) });
    expect(findings).toHaveLength(2);
    expect(summary.bytes).toBe(LOG.length);
  });

  it("gzip of several members is read to its end", async () => {
    const half = LOG.indexOf("\n", LOG.length / 2) + 1;
    const content = Buffer.concat([zlib.gzipSync(LOG.slice(0, half)), zlib.gzipSync(LOG.slice(half))]);
    expect((await run({}, { name: "x.gz", stream: bytesOf(content) })).summary).toMatchObject({
      lines: 82,
      findings: 2,
    });
  });

  it("gzip that breaks off is told, and what was read of it counts", async () => {
    const content = zlib.gzipSync(
      Buffer.concat([
        Buffer.from(LOG),
        Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7919) % 251)),
      ]),
    );
    const { findings, summary } = await run(
      {},
      { name: "x.gz", stream: chunked(content.subarray(0, -20), 512) },
      { name: "y", stream: bytesOf(LOG) },
    );
    expect(summary.sources[0]!.failure).toMatchObject({ code: "Z_BUF_ERROR" });
    expect(
      findings.filter(({ source }) => source === "x.gz").length +
        findings.filter(({ source }) => source === "y").length,
    ).toBe(4);
  });

  const compress = (zlib as { zstdCompressSync?: (data: string) => Buffer }).zstdCompressSync;
  it.skipIf(compress === undefined).each([1, 5, 1000])(
    "Zstandard is read where Node.js has it, all of its frames, in chunks of %i",
    async (size) => {
      const half = LOG.indexOf("\n", LOG.length / 2) + 1;
      const skippable = Buffer.from("5a2a4d1803000000616263", "hex");
      const empty = compress!("");
      const contents = [
        [compress!(LOG)],
        [compress!(LOG.slice(0, half)), skippable, empty, compress!(LOG.slice(half)), skippable],
        [skippable, compress!(LOG)],
      ];
      for (const content of contents) {
        expect((await run({}, { name: "x.zst", stream: chunked(Buffer.concat(content), size) })).summary).toMatchObject(
          { lines: 82, findings: 2 },
        );
      }
    },
  );

  it.skipIf(compress === undefined)("Zstandard that is damaged or followed by something else is told", async () => {
    const content = compress!(LOG);
    const skippableCut = Buffer.concat([content, Buffer.from("502a4d1810000000aabb", "hex")]);
    for (const damaged of [
      content.subarray(0, -6),
      content.subarray(0, 5),
      skippableCut,
      Buffer.concat([content, Buffer.from("garbage")]),
    ]) {
      const { summary } = await run({}, { name: "x.zst", stream: bytesOf(damaged) });
      expect(summary.sources[0]!.failure, damaged.length.toString()).toMatchObject({
        code: expect.stringMatching(/^Z/),
        advice: expect.stringContaining("damaged"),
      });
    }
  });

  it.skipIf(compress !== undefined)("Zstandard is refused with a way out where Node.js has it not", async () => {
    const { summary } = await run({}, { name: "x.zst", stream: bytesOf(Buffer.from("28b52ffd2000010000", "hex")) });
    expect(summary.sources[0]!.failure).toMatchObject({
      code: "ERR_SCAN_ZSTD",
      advice: expect.stringContaining("zstd -dc"),
    });
  });
});

describe("files", () => {
  let folder = "";
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "imds-guard-scan-"))));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("are opened when their turn comes, and one that is not there is told", async () => {
    writeFileSync(join(folder, "conn.log.gz"), zlib.gzipSync(LOG));
    const names = [join(folder, "absent.log"), join(folder, "conn.log.gz"), folder];
    const { summary } = await run({}, ...names.map((name) => ({ name, stream: openLog(name) })));
    expect(summary.sources.map(({ failure, findings }) => [failure?.code, findings])).toEqual([
      ["ENOENT", 0],
      [undefined, 2],
      ["EISDIR", 0],
    ]);
  });
});

describe("limits and damage", { timeout: 60_000 }, () => {
  it("counts malformed lines that had to be read, or with `thorough` all", async () => {
    const text = `${LOG}{"broken": 169.254.169.254\nnot json\n`;
    expect((await run({}, { name: "x", stream: bytesOf(text) })).summary).toMatchObject({
      malformed: 1,
      findings: 2,
      lines: 84,
    });
    expect((await run({ thorough: true }, { name: "x", stream: bytesOf(text) })).summary).toMatchObject({
      malformed: 2,
      findings: 2,
      lines: 84,
    });
  });

  it("passes over lines that are too long", async () => {
    const long = JSON.stringify({
      ts: 1,
      "id.orig_h": "10.0.0.1",
      "id.resp_h": "169.254.169.254",
      conn_state: "S0",
      pad: "x".repeat(5000),
    });
    expect(
      (await run({ maxLineBytes: 1000 }, { name: "x", stream: bytesOf(`${LOG}${long}\n`) })).summary,
    ).toMatchObject({ oversized: 1, findings: 2 });
  });

  it("reads anything without failing", async () => {
    const real = SIGMA_RULES.flatMap(({ file }) => sampleLines(file, "positive"));
    const piece = fc.oneof(
      fc.constantFrom(...real).map((line) => Buffer.from(`${line}\n`)),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      fc.string().map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), fc.integer({ min: 1, max: 400 }), async (pieces, size) => {
        const content = Buffer.concat(pieces);
        const { findings, summary } = await run({}, { name: "x", stream: chunked(content, size) });
        expect(summary.findings).toBe(findings.length);
      }),
      { numRuns: 100 },
    );
  });
});

describe("secrets", () => {
  it("stand in no finding", async () => {
    const token = "AQAEAJk7nQh3Zp0uT4kqv1dX2lYb8sWcRmEo5gHfJ6tKiLzN9xBvDA==";
    const lines = [
      `1795082400.123 47 10.0.0.1 TCP_MISS/200 1843 GET http://169.254.169.254/latest/meta-data/?token=${encodeURIComponent(token)} - HIER_DIRECT/169.254.169.254 text/html`,
      `10.0.0.1 - - [19/Nov/2026:10:00:00 +0000] "GET /f?url=http://169.254.169.254/&X-aws-ec2-metadata-token=${token} HTTP/1.1" 200 612 "-" "${token}"`,
      `Nov 19 10:00:00 web1 arpwatch: new station 169.254.169.254 with ${token}`,
    ];
    const { findings } = await run(
      {},
      ...lines.map((line, index) => ({ name: String(index), stream: bytesOf(`${line}\n`) })),
    );
    expect(new Set(findings.map(({ source }) => source)).size).toBe(3);
    expect(JSON.stringify(findings)).not.toContain(token.slice(0, 30));
  });
});

describe("options", () => {
  it("report levels from `low` on, or as wanted", async () => {
    const lines = sampleLines("zeek_ssl_aws_api_call", "positive").join("\n");
    expect((await run({}, { name: "x", stream: bytesOf(lines) })).findings).toEqual([]);
    expect((await run({ minLevel: "informational" }, { name: "x", stream: bytesOf(lines) })).findings).toHaveLength(3);
    expect((await run({ minLevel: "critical" }, { name: "x", stream: bytesOf(LOG) })).findings).toEqual([]);
  });

  it("correlate across sources with what is not reported", async () => {
    const [answer, call] = sampleLines("correlation_zeek_imds_answer_then_aws_call", "positive");
    const { findings, summary } = await run(
      { minLevel: "critical" },
      { name: "conn", stream: bytesOf(answer!) },
      { name: "ssl", stream: bytesOf(call!) },
    );
    expect(findings).toMatchObject([
      { source: "ssl", correlated: { group: { "id.orig_h": "10.20.30.40" }, count: 2 } },
    ]);
    expect(summary.highest).toBe("critical");
  });

  it("take rules of one's own", async () => {
    const own = {
      ...SIGMA_RULES.find(({ file }) => file === "zeek_conn_imds_destination")!.rule,
      detection: { selection: { conn_state: "S0" }, condition: "selection" },
    };
    expect((await run({ rules: [own] }, { name: "x", stream: bytesOf(LOG) })).findings).toHaveLength(82);
    expect((await run({ rules: [] }, { name: "x", stream: bytesOf(LOG) })).summary).toMatchObject({
      findings: 0,
      lines: 82,
    });
  });

  it("tell the progress, and wait for a promise of onFinding", async () => {
    const reads: number[] = [];
    const order: string[] = [];
    await scan([{ name: "x", stream: chunked(Buffer.from(LOG), 1000) }], {
      onProgress: ({ read, bytes }) => (reads.push(read), expect(bytes).toBe(read)),
      async onFinding({ line }) {
        order.push(`begin ${line}`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`end ${line}`);
      },
    });
    expect(reads.at(-1)).toBe(LOG.length);
    expect(order).toEqual(["begin 41", "end 41", "begin 82", "end 82"]);
  });

  it("stop at a signal, also while a source is silent", async () => {
    const controller = new AbortController();
    const silent = new Readable({ read: () => undefined });
    const promise = scan([{ name: "x", stream: silent }], { signal: controller.signal });
    setImmediate(() => controller.abort(new Error("enough")));
    await expect(promise).rejects.toThrow("enough");
    expect(silent.destroyed).toBe(true);
  });
});
