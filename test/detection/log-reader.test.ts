/** Reading a line in the way in which the line before was read. */
import { describe, expect, it } from "vitest";
import { createLogReader } from "../../src/detection/log-reader.js";
import { LOG_FORMATS } from "../../src/detection/log-formats.js";
import { peelPrefix } from "../../src/detection/log-wrappers.js";
import { CORPUS, contentOf } from "./corpus.js";
import { LINES, WRAPPERS } from "./log-lines.js";
import { sampleLines, SIGMA_RULES } from "./samples.js";

const NOW = Date.UTC(2026, 10, 21, 12);
const AROUND = ["none", "syslog-3164", "docker", "cri"].map((name) => [name, WRAPPERS[name]!] as const);
const BROAD = new Set(LOG_FORMATS.filter(({ broad }) => broad === true).map(({ name }) => name));
/** The one element of a list in it is what was read. */
const LISTED = new Set(["flow-json"]);

const open = () => createLogReader({ now: () => NOW });
const formatOf = (line: string): string | undefined => open().read(line, 2, () => true).format;

describe("reading a line as the line before", () => {
  it.each(AROUND)("tells the format that it has, or nothing (%s around both)", (_, wrap) => {
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
    expect(told).toBeGreaterThan(0);
  });

  it.each(AROUND)("knows each format again but those that read lines of others, too (%s around)", (_, wrap) => {
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
      for (const part of holds) expect(line).toContain(part);
    }
  });
});
