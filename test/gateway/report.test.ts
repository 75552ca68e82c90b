/** The report on an access log: who asks for what, IMDSv1 first. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { recordOf } from "../../src/gateway/access-log.js";
import { reportOf } from "../../src/gateway/report.js";
import type { Exchange } from "../../src/gateway/responder.js";
import type { Caller } from "../../src/gateway/rules.js";
import { exchange } from "./exchange.js";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-report-"));
  path = join(folder, "access.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

const line = (given: Partial<Exchange> = {}, who: Partial<Caller> = {}, time = 1_000): string =>
  JSON.stringify(recordOf(exchange(given, who), time));
const reportOn = (...lines: readonly string[]) => {
  writeFileSync(path, lines.join("\n"));
  return reportOf(path);
};
const ROW = {
  program: "curl",
  user: "web",
  unit: "",
  v1: 0,
  v2: 1,
  denied: 0,
  paths: ["/latest/meta-data/mac"],
  morePaths: 0,
  last: "1970-01-01T00:00:01.000Z",
};

describe("the report", () => {
  it("adds up what a program of a user asked for", async () => {
    expect(
      await reportOn(
        line({ version: 1, path: "/long" }, {}, 2_000),
        line({ outcome: "denied", path: "/s" }, {}, 3_000),
        line({ outcome: "refused", path: "/s" }, {}, 1_000),
        line({ outcome: "malformed", path: "/mid" }),
        line({ outcome: "unavailable", path: "/mid" }),
      ),
    ).toEqual({
      rows: [{ ...ROW, v1: 1, v2: 4, denied: 2, paths: ["/s", "/mid", "/long"], last: "1970-01-01T00:00:03.000Z" }],
      requests: 5,
      notUnderstood: 0,
      notTold: 0,
    });
  });

  const CONTAINER = "0123456789ab".padEnd(64, "c");
  it.each<[Partial<Caller>, object]>([
    [{}, {}],
    [{ program: undefined }, { program: "unknown" }],
    [{ user: undefined }, { user: "1500" }],
    [{ user: undefined, uid: undefined }, { user: "unknown" }],
    [{ user: undefined, uid: 0 }, { user: "0" }],
    [{ unit: "web.service", container: CONTAINER }, { unit: "web.service" }],
    [{ container: CONTAINER }, { unit: "0123456789ab" }],
    [{ bridge: "br0" }, { user: "10.0.0.5 on br0" }],
  ])("names a caller with %j", async (who, expected) => {
    expect((await reportOn(line({}, who))).rows).toEqual([{ ...ROW, ...expected }]);
  });

  it.each<[number, Partial<Caller>, Partial<Caller>]>([
    [2, {}, { program: "wget" }],
    [2, {}, { user: "batch" }],
    [2, {}, { uid: 1_600 }],
    [2, {}, { unit: "web.service" }],
    [2, { bridge: "br0" }, { bridge: "br0", address: "10.0.0.6" }],
    [1, {}, { address: "10.0.0.6" }],
    [1, {}, { pid: 8 }],
  ])("has %i rows for %j and %j", async (rows, one, other) => {
    expect((await reportOn(line({}, one), line({}, other))).rows).toHaveLength(rows);
  });

  it("has those first who ask by version 1, then those who ask most, then by name", async () => {
    const asking = (program: string, v1: number, v2: number): string[] => [
      ...Array.from({ length: v1 }, () => line({ version: 1 }, { program })),
      ...Array.from({ length: v2 }, () => line({}, { program })),
    ];
    const { rows } = await reportOn(
      ...asking("c", 0, 1),
      ...asking("much", 0, 3),
      ...asking("a", 0, 1),
      ...asking("b", 0, 1),
      ...asking("old", 1, 0),
      ...asking("older", 2, 0),
    );
    expect(rows.map(({ program }) => program)).toEqual(["older", "old", "much", "a", "b", "c"]);
  });

  it("shows sixteen paths of each, and counts the others", async () => {
    const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
    const { rows } = await reportOn(...[...paths, "/0", "/15", "/19"].map((each) => line({ path: each })));
    expect(rows).toMatchObject([
      { paths: paths.slice(0, 16).sort((a, b) => a.length - b.length), morePaths: 5, v2: 23 },
    ]);
  });

  it("tells a thousand callers apart, and counts the requests of others", async () => {
    const lines = Array.from({ length: 1_002 }, (_, index) => line({}, { program: `p${index}` }));
    const { rows, requests, notTold } = await reportOn(...lines, lines[0]!, lines[1_001]!);
    expect([rows.length, requests, notTold]).toEqual([1_000, 1_004, 3]);
    expect(rows[0]).toMatchObject({ program: "p0", v2: 2 });
  });

  const RECORD = JSON.parse(line()) as object;
  const changed = (change: object): string => JSON.stringify({ ...RECORD, ...change });
  it.each<[boolean, string]>([
    [true, line()],
    [true, changed({ version: 1 })],
    [true, line().padEnd(8 * 1_024)],
    [false, line().padEnd(8 * 1_024 + 1)],
    [false, changed({ version: 3 })],
    [false, changed({ version: "1" })],
    [false, changed({ path: undefined })],
    [false, changed({ time: 5 })],
    [false, "null"],
    [false, "[]"],
    [false, "5"],
    [false, " "],
    [false, line().slice(0, -1)],
  ])("understands (%s) %j", async (understood, text) => {
    const { requests, notUnderstood } = await reportOn("", text, "");
    expect([requests, notUnderstood]).toEqual(understood ? [1, 0] : [0, 1]);
  });

  it("reads what was rotated, the oldest first, however lines end", async () => {
    for (const index of [6, 5, 3, 1]) writeFileSync(`${path}.${index}`, `${line({ path: `/${index}` })}\r\n`);
    const { rows, requests, notUnderstood } = await reportOn(line({ path: "/0" }));
    expect([requests, notUnderstood]).toEqual([4, 0]);
    expect(rows[0]?.paths).toEqual(["/5", "/3", "/1", "/0"]);
  });

  it("fails where the log is not there, or one of its files cannot be read", async () => {
    await expect(reportOf(path)).rejects.toMatchObject({ code: "ENOENT" });
    mkdirSync(`${path}.2`);
    await expect(reportOn(line())).rejects.toMatchObject({ code: "EISDIR" });
  });
});
