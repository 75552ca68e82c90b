/** Packed logs: archives of the usual programs (bzip2, Info-ZIP, Arrow) in test/detection/packed, and what is not read. */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openMembers } from "../../src/detection/log-stream.js";
import { scan } from "../../src/detection/scan.js";
import type { ScanSummary } from "../../src/detection/scan-summary.js";
import { fc } from "../support/properties.js";
import { bytesOf } from "./samples.js";

const file = (name: string): Buffer => readFileSync(new URL(`./packed/${name}`, import.meta.url));
const scanned = (bytes: Uint8Array): Promise<ScanSummary> => scan([{ name: "x", stream: bytesOf(bytes) }]);
const LINE = "2 123456789010 eni-1 10.20.4.85 169.254.169.254 20641 80 6 20 4249 1783252800 1783252860 ACCEPT OK\n";

describe("what is packed is read", () => {
  it.each([
    ["a.log.bz2", 24, 24, ["x"]],
    ["two.log.bz2", 48, 48, ["x"]],
    ["nested.zip", 39, 39, ["x:d/b.log.gz", "x:a.log"]],
    ["stream.zip", 24, 24, ["x:-"]],
    ["vpc-snappy.parquet", 3, 1, ["x"]],
    ["vpc-gzip.parquet", 3, 1, ["x"]],
  ] as const)("%s", async (name, lines, findings, sources) => {
    const summary = await scanned(file(name));
    expect(summary).toMatchObject({ lines, findings, unjudged: 0, malformed: 0 });
    expect(summary.sources.map((source) => source.name)).toEqual(sources);
    expect(summary.sources.filter(({ failure }) => failure !== undefined)).toEqual([]);
  });

  it.each([
    ["UTF-16, little end first", Buffer.from(`\ufeff${LINE}`, "utf16le")],
    ["UTF-16, big end first", Buffer.from(`\ufeff${LINE}`, "utf16le").swap16()],
    ["UTF-16 without a mark", Buffer.from(LINE, "utf16le")],
    ["UTF-16 without a mark, big end first", Buffer.from(LINE, "utf16le").swap16()],
    ["gzip in gzip", gzipSync(gzipSync(LINE))],
  ])("%s", async (_, bytes) => {
    expect(await scanned(bytes)).toMatchObject({ lines: 1, findings: 1, unjudged: 0, malformed: 0 });
  });
});

describe("what is not read is named", () => {
  it.each([
    ["d4c3b2a102000400", "packet capture"],
    ["0a0d0d0a", "packet capture"],
    ["456c6646696c650000", "EVTX"],
    ["fd377a585a000004", "xz"],
    ["53514c69746520666f726d6174203300", "SQLite"],
  ])("%s", async (hex, what) => {
    const [source] = (await scanned(Buffer.from(hex, "hex"))).sources;
    expect(source?.failure).toMatchObject({ code: "ERR_SCAN_BINARY" });
    expect(source?.failure?.message).toContain(what);
    expect(source?.failure?.advice).not.toBe("");
  });

  it("names the compression of a Parquet file that cannot be undone, and an archive inside something else", async () => {
    const [lz4] = (await scanned(file("vpc-lz4.parquet"))).sources;
    expect(lz4?.failure?.message).toContain("LZ4_RAW");
    const [zip] = (await scanned(gzipSync(file("stream.zip")))).sources;
    expect(zip?.failure).toMatchObject({ code: "ERR_SCAN_BINARY" });
  });
});

describe("what is damaged", () => {
  it.each(["a.log.bz2", "nested.zip", "stream.zip", "vpc-snappy.parquet"])(
    "%s ends, and is never quiet",
    async (name) => {
      const whole = file(name);
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 8, max: whole.length - 1 }),
          fc.nat(255),
          fc.boolean(),
          async (at, byte, cut) => {
            const bytes = Buffer.from(cut ? whole.subarray(0, at) : whole);
            if (!cut) bytes[at] = byte;
            const { findings, unjudged, malformed, sources } = await scanned(bytes);
            const told = findings + unjudged + malformed > 0 || sources.some(({ failure }) => failure !== undefined);
            // A part of an archive that lists nothing holds nothing either.
            if (!told && !cut) return;
            expect(told).toBe(true);
          },
        ),
        { numRuns: 60 },
      );
    },
  );

  it("a member that nobody reads to its end does not hold up the next", async () => {
    const names: (string | undefined)[] = [];
    for await (const { name } of openMembers(bytesOf(file("nested.zip")))) names.push(name);
    expect(names).toEqual(["d/b.log.gz", "a.log"]);
  });
});
