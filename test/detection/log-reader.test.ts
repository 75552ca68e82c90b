/** Reading a line in the way in which the line before was read. */
import { describe, expect, it } from "vitest";
import { createLogReader } from "../../src/detection/log-reader.js";
import { JSON_FORMATS, LOG_FORMATS } from "../../src/detection/log-formats.js";
import { parseJson } from "../../src/detection/log-json.js";
import { object } from "../../src/detection/log-record.js";
import { peelPrefix } from "../../src/detection/log-wrappers.js";
import { CORPUS, contentOf } from "./corpus.js";
import { LINES, WRAPPERS } from "./log-lines.js";
import { sampleLines, SIGMA_RULES } from "./samples.js";

const NOW = Date.UTC(2026, 10, 21, 12);
const AROUND = Object.entries(WRAPPERS);
/** What stands in a list, is packed, or is behind words of somebody's is looked for anew in each line. */
const ANEW = new Set([
  ...["filter-log-events", "subscription", "subscription, packed", "firehose", "splunk", "loki", "insights"],
  ...["original", "journald, as bytes", "prose"],
]);
const IN_PLACE = AROUND.filter(([name]) => !ANEW.has(name));
const BROAD = new Set(LOG_FORMATS.filter(({ broad }) => broad === true).map(({ name }) => name));
/** The one element of a list in it is what was read. */
const LISTED = new Set(["flow-json"]);

const open = () => createLogReader({ now: () => NOW });
const formatOf = (line: string): string | undefined => open().read(line, 2, () => true).format;

describe("reading a line as the line before", () => {
  it.each(AROUND)("tells the format that it has, or nothing (%s around both)", (around, wrap) => {
    const wrong: string[] = [];
    let told = 0;
    for (const [first, before] of Object.entries(LINES)) {
      const reader = open();
      reader.read(wrap(before), 2, () => true);
      for (const [name, line] of Object.entries(LINES)) {
        const again = reader.readAgain(wrap(line));
        if (again === undefined) continue;
        told++;
        if (again !== formatOf(wrap(line))) wrong.push(`${name} behind ${first}: ${again}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(told > 0).toBe(!ANEW.has(around) || around === "prose");
  });

  it.each(IN_PLACE)("knows each format again but those that read lines of others, too (%s around)", (_, wrap) => {
    for (const [name, line] of Object.entries(LINES)) {
      const reader = open();
      const { format } = reader.read(wrap(line), 2, () => true);
      const expected = format === undefined || BROAD.has(format) || LISTED.has(name) ? undefined : format;
      expect(reader.readAgain(wrap(line)), name).toBe(expected);
    }
  });

  it("has nothing to go by before a line was read, and behind one that nothing reads", () => {
    const reader = open();
    const line = LINES["netfilter"]!;
    expect(reader.readAgain(line)).toBeUndefined();
    reader.read("of no format", 2, () => true);
    expect(reader.readAgain(line)).toBeUndefined();
  });

  it("goes by several lines before, so that a log may have records of several formats", () => {
    const reader = open();
    const lines = ["aws-nlb", "conntrack", "dns-text"].map((name) => WRAPPERS["docker"]!(LINES[name]!));
    for (const line of lines) reader.read(line, 2);
    for (const line of [...lines, ...lines]) expect(reader.readAgain(line)).toBe(formatOf(line));
  });

  it("leaves a document of ECS that tells nothing to a reading of what is in it", () => {
    const reader = open();
    const line = WRAPPERS["original"]!(LINES["aws-nlb"]!);
    expect(reader.read(line, 2).format).toBe("aws-nlb");
    expect(reader.readAgain(line)).toBeUndefined();
  });

  it("leaves what is broken, and what stands elsewhere, to a reading of its own", () => {
    const reader = open();
    const line = JSON.stringify({ event_type: "flow", timestamp: "2026-11-19T10:00:00Z", src_ip: "10.0.0.1" });
    expect(reader.read(line, 2, () => true).format).toBe("suricata");
    expect(reader.readAgain(line)).toBe("suricata");
    for (const other of [line.slice(0, -1), `[${line}]`, `web | ${line}`, "", "{", "{}"])
      expect(reader.readAgain(other), other).toBeUndefined();
  });
});

describe("reading a line of which no record is asked for", () => {
  it.each(AROUND)("tells what it is, as with its records (%s around)", (_, wrap) => {
    for (const [name, line] of Object.entries(LINES)) {
      const { judged, malformed, format } = open().read(wrap(line), 2, () => true);
      const outcome = open().read(wrap(line), 2);
      expect({ judged: outcome.judged, malformed: outcome.malformed, format: outcome.format }, name).toEqual({
        judged,
        malformed,
        format,
      });
    }
  });
});

describe("what tells objects of a format apart", () => {
  const corpus = CORPUS.flatMap((sample) => contentOf(sample).split("\n"));
  const samples = SIGMA_RULES.flatMap(({ file }) => [
    ...sampleLines(file, "positive"),
    ...sampleLines(file, "negative"),
  ]);
  const objects = [...corpus, ...samples, ...Object.values(LINES)]
    .map((line) => parseJson(line))
    .flatMap((value) => [value, ...innerOf(value)])
    .map(object)
    .filter((fields) => Object.keys(fields).length > 0);

  it.each(JSON_FORMATS.map((one) => [one.name, one] as const))("is in each object that is read as %s", (_, one) => {
    const own = objects.filter((fields) => one.json!(fields, "") !== undefined);
    expect(own.length).toBeGreaterThan(0);
    for (const fields of own) expect(Object.keys(fields).some(one.names!), JSON.stringify(fields)).toBe(true);
  });
});

/** The objects in a value. */
function innerOf(value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap((inner: unknown) => [inner, ...innerOf(inner)]);
}

describe("what tells lines of a format apart", () => {
  const corpus = CORPUS.flatMap((sample) => contentOf(sample).split("\n"));
  const samples = SIGMA_RULES.flatMap(({ file }) => [
    ...sampleLines(file, "positive"),
    ...sampleLines(file, "negative"),
  ]);
  const bare = [...corpus, ...samples, ...Object.values(LINES)]
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const lines = [...new Set(bare.flatMap((line) => [line, ...peelPrefix(line).map(({ text }) => text.trim())]))];

  it.each(
    LOG_FORMATS.filter(({ begins, holds }) => begins !== undefined || holds !== undefined).map(
      (one) => [one.name, one] as const,
    ),
  )("is in each line that is read as %s", (_, { begins, holds = [], open: opened }) => {
    const read = opened!(() => NOW);
    const own = lines.filter((line) => line !== "" && read(line) !== undefined);
    expect(own.length).toBeGreaterThan(0);
    for (const line of own) {
      expect(begins?.test(line[0]!) ?? true, line).toBe(true);
      for (const part of holds) expect(line).toMatch(part);
    }
  });
});
