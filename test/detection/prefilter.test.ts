/** The quick look at raw bytes never passes over a line that a rule matches. */
import { describe, expect, it } from "vitest";
import { createLineSearch } from "../../src/detection/line-search.js";
import { LOG_FORMATS } from "../../src/detection/log-formats.js";
import { createLogReader } from "../../src/detection/log-reader.js";
import { createPrefilter } from "../../src/detection/prefilter.js";
import { createRuleSet } from "../../src/detection/rule-set.js";
import { sampleLines, SIGMA_RULES } from "./samples.js";
import type { DetectionRule } from "../../src/detection/sigma-rule.js";
import { fc } from "../support/properties.js";

const rules = createRuleSet(
  SIGMA_RULES.map(({ rule }) => rule),
  {},
);
const prefilter = createPrefilter(rules.wanted()!);
const headers = { texts: LOG_FORMATS.flatMap(({ headers: own }) => own ?? []) };

describe("the search for several texts", { timeout: 60_000 }, () => {
  const alphabet = fc.constantFrom(..."abAB12./");
  const needle = fc.array(alphabet, { minLength: 2, maxLength: 6 }).map((chars) => chars.join("").toLowerCase());
  const hay = fc.array(alphabet, { maxLength: 60 }).map((chars) => chars.join(""));

  it("finds the first text to end, and only what is there", () => {
    fc.assert(
      fc.property(
        fc.array(needle, { minLength: 1, maxLength: 5 }),
        hay,
        fc.nat(20),
        fc.nat(80),
        (needles, text, from, length) => {
          const buffer = Buffer.from(text);
          const to = Math.min(buffer.length, from + length);
          const at = createLineSearch(needles).next(buffer, from, to);
          const part = text.slice(from, to).toLowerCase();
          expect(at !== -1).toBe(needles.some((wanted) => part.includes(wanted)));
          if (at === -1) return;
          // The byte pointed at lies in an occurrence, and no occurrence ends before it.
          expect(
            needles.some((wanted) =>
              [...part.matchAll(new RegExp(`(?=${wanted.replace(/[./]/g, "\\$&")})`, "g"))].some(
                ({ index }) => from + index <= at && at < from + index + wanted.length,
              ),
            ),
          ).toBe(true);
          expect(needles.every((wanted) => !text.slice(from, at).toLowerCase().includes(wanted))).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("refuses texts that are too short", () => {
    expect(() => createLineSearch([])).toThrow(RangeError);
    expect(() => createLineSearch(["a"])).toThrow(RangeError);
  });
});

describe("a short text that every match contains", () => {
  const log = { product: "x" };
  const wantedOf = (detection: DetectionRule["detection"]) =>
    createRuleSet(
      [{ title: "x", id: "x", status: "test", level: "low", logsource: log, detection } as never],
      {},
    ).wanted()!;
  const selection = { "name|contains": "aB-", "other|contains": "something" };

  it("is looked for in every case", () => {
    const record = { source: log, fields: { name: "x Ab-", other: "Something" }, text: "x Ab- Something" };
    const detection = { selection, condition: "selection" };
    const custom = createRuleSet([{ title: "x", id: "x", level: "low", logsource: log, detection } as never], {});
    expect(custom.match(record).matched).toHaveLength(1);
    const line = Buffer.from(record.text);
    expect(createPrefilter(custom.wanted()!).next(line, 0, line.length)).not.toBe(-1);
  });

  it.each([
    ["selection", true],
    ["selection and not 1 of filter_*", true],
    ["(selection)or(other)", false],
    ["other and not selection", false],
    ["1 of selection*", false],
  ])("is needed by %s: %s", (condition, needed) => {
    const [wanted] = wantedOf({ selection, other: { "x|contains": "another" }, filter_a: { x: "thing" }, condition });
    expect(wanted!.alsoNeeded !== undefined).toBe(needed);
  });
});

describe("the prefilter", () => {
  it("can be made of all shipped rules", () => expect(rules.wanted()).toBeDefined());

  const samples = SIGMA_RULES.flatMap(({ file }) => [
    ...sampleLines(file, "positive"),
    ...sampleLines(file, "negative"),
  ]);
  // Values as rules look for them, spelled in other ways, put anywhere into real records.
  const spelled = fc.constantFrom(
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "fd00:ec2::254",
    "FD00:EC2::254",
    "fd00:0ec2:0000:0000:0000:0000:0000:0254",
    "PUT",
    "/LATEST/api/Token",
    "x-aws-ec2-metadata-token",
    "instance-data.corp",
    "reply",
    "1.0",
    "to\u212aen",
    "/latest/api/to\u212aen",
    "",
  );
  const jsonSlots = (value: unknown, path: (string | number)[] = []): (string | number)[][] =>
    typeof value === "object" && value !== null
      ? Object.entries(value).flatMap(([key, inner]) => jsonSlots(inner, [...path, key]))
      : [path];

  /** JSON as other writers write it: slashes and any character may be escaped. */
  const escapeSome = (json: string, picks: readonly number[]): string =>
    json.replace(/[a-zA-Z0-9/.:]/g, (char, at: number) => {
      const pick = picks[at % picks.length]!;
      if (char === "/" && pick % 3 === 0) return "\\/";
      return pick % 17 === 1 && /[a-z]/.test(char) ? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}` : char;
    });

  /** Titles of the rules that match a line. */
  function hits(line: string): string[] {
    const titles: string[] = [];
    createLogReader({ now: () => 0 }).read(line, 2, (record) => {
      const { matched } = rules.match(record());
      titles.push(...matched.map(({ rule }) => rule.title));
      return matched.length > 0;
    });
    return titles;
  }

  function missed(line: string): string[] {
    const bytes = Buffer.from(line);
    return prefilter.next(bytes, 0, bytes.length) === -1 ? hits(line) : [];
  }

  it("lets every sample through that a rule matches", () => {
    for (const line of samples) expect(missed(line), line).toEqual([]);
  });

  it("loses no match, whatever is written where and however it is escaped", () => {
    let matched = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...samples),
        fc.array(fc.tuple(fc.nat(60), spelled), { maxLength: 3 }),
        fc.array(fc.nat(200), { minLength: 7, maxLength: 31 }),
        fc.boolean(),
        (line, changes, picks, escape) => {
          let changed = line;
          if (line.startsWith("{")) {
            const value = JSON.parse(line) as Record<string, unknown>;
            const slots = jsonSlots(value);
            for (const [slot, text] of changes) {
              const path = slots[slot % slots.length]!;
              const holder = path
                .slice(0, -1)
                .reduce<Record<string | number, unknown>>((inner, key) => inner[key] as Record<string, unknown>, value);
              if (path.length > 0) holder[path.at(-1)!] = text;
            }
            changed = JSON.stringify(value);
            // Only inside texts may a character be escaped.
            if (escape) changed = changed.replace(/"(?:[^"\\]|\\.)*"/g, (text) => escapeSome(text, picks));
            JSON.parse(changed);
          } else {
            const words = line.split(" ");
            for (const [slot, text] of changes) words[slot % words.length] = text;
            changed = words.join(" ");
          }
          expect(missed(changed)).toEqual([]);
          if (hits(changed).length > 0) matched++;
        },
      ),
      { numRuns: 2000 },
    );
    // The property says something only where rules do match.
    expect(matched).toBeGreaterThan(200);
  }, 60_000);

  it("points into the first line of many that would be read alone", () => {
    const quiet = '{"ts":1,"id.resp_h":"203.0.113.9","note":"a\\"b\\\\n"}';
    const loud = fc.constantFrom(
      '{"uri":"\\/"}',
      '{"a":"\\u0061"}',
      '{"id.resp_h":"169.254.169.254"}',
      '{"a":"\\\\/"}',
      "\\",
      "",
      "x".repeat(3_000),
    );
    const lines = fc
      .array(fc.tuple(fc.nat(120), loud), { maxLength: 4 })
      .map((parts) => parts.flatMap(([count, line]) => [...Array.from({ length: count }, () => quiet), line]));
    const read = (line: string): boolean => prefilter.next(Buffer.from(line), 0, Buffer.byteLength(line)) !== -1;
    fc.assert(
      fc.property(lines, fc.boolean(), (all, ended) => {
        const buffer = Buffer.from(`before\n${all.join("\n")}${ended ? "\n" : ""}`);
        const at = prefilter.next(buffer, 7, buffer.length);
        const line = at === -1 ? undefined : buffer.toString("latin1", 7, at).split("\n").length - 1;
        expect(line).toBe(all.findIndex(read) === -1 ? undefined : all.findIndex(read));
      }),
      { numRuns: 500 },
    );
  });

  it("passes over lines that have nothing to do with it", () => {
    const conn = Buffer.from(
      '{"ts":1,"uid":"C","id.orig_h":"10.0.0.1","id.resp_h":"203.0.113.9","conn_state":"SF","note":"a\\"b\\n"}\n'.repeat(
        50,
      ),
    );
    expect(prefilter.next(conn, 0, conn.length)).toBe(-1);
  });

  it.each([
    "<166>2026-11-19T10:00:00Z ftd : %FTD-6-302014: Teardown TCP connection 1 for inside:10.0.0.5/5 to outside:10.0.0.6/80",
    "100%found",
    '{"version":5,"srcaddr":"10.0.0.5","dstaddr":"10.0.0.6","pkt-srcaddr":"10.0.0.5"}',
    '{"log":"{\\"srcaddr\\":\\"10.0.0.5\\"}"}',
  ])("passes over %s", (text) => {
    const line = Buffer.from(`${text}\n`);
    expect(createPrefilter([...rules.wanted()!, headers]).next(line, 0, line.length)).toBe(-1);
  });

  it.each([
    "version srcaddr dstaddr action",
    "version,dstaddr",
    '"version","srcaddr"',
    "version\tpkt-srcaddr\r",
    "version;srcaddr;x",
    'x|"dstaddr"|y',
  ])("stops at the header %j", (text) => {
    const line = Buffer.from(`${text}\n`);
    expect(createPrefilter([headers]).next(line, 0, line.length)).not.toBe(-1);
  });
});
