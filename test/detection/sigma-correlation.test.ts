/** Correlations: counting within a stretch of time, order, groups, aliases and the limits of the memory. */
import { describe, expect, it } from "vitest";
import type { LogRecord } from "../../src/detection/log-record.js";
import { createCorrelator } from "../../src/detection/sigma-correlation.js";
import type { Correlation, CorrelationRule, DetectionRule } from "../../src/detection/sigma-rule.js";
import { fc } from "../support/properties.js";

const described = {
  status: "experimental",
  description: "Detects",
  references: [],
  author: "a",
  date: "2026-11-21",
  tags: [],
  falsepositives: [],
  level: "low",
} as const;

function correlationOf(correlation: Partial<Correlation>): CorrelationRule {
  return {
    ...described,
    title: "C",
    id: "c",
    correlation: {
      type: "event_count",
      rules: ["a"],
      "group-by": ["ip"],
      timespan: "10s",
      condition: { gte: 3 },
      ...correlation,
    },
  };
}

const base = (name: string): DetectionRule => ({
  ...described,
  title: name,
  id: `id-${name}`,
  name,
  logsource: {},
  detection: { condition: "x" },
});
const at = (seconds: number | undefined, fields: Record<string, unknown> = { ip: "h1" }): LogRecord => ({
  source: {},
  fields,
  text: "",
  time: seconds === undefined ? undefined : seconds * 1000,
});

/** Feeds `[rule, seconds, fields]` and returns after which of them the correlation came about. */
function run(
  correlation: Partial<Correlation>,
  events: readonly (readonly [string, number | undefined, Record<string, unknown>?])[],
): number[] {
  const correlator = createCorrelator([correlationOf(correlation)]);
  return events.flatMap(([name, time, fields], index) =>
    correlator.add(base(name), at(time, fields)).length > 0 ? [index] : [],
  );
}

describe("event_count", () => {
  it("counts within the time", () => {
    expect(
      run({}, [
        ["a", 0],
        ["a", 5],
        ["a", 10],
      ]),
    ).toEqual([2]);
    expect(
      run({}, [
        ["a", 0],
        ["a", 5],
        ["a", 10.001],
      ]),
    ).toEqual([]);
    expect(
      run({}, [
        ["a", 0],
        ["a", 50],
        ["a", 55],
        ["a", 60],
      ]),
    ).toEqual([3]);
  });
  it("starts anew once it has come about", () =>
    expect(
      run(
        {},
        [0, 1, 2, 3, 4, 5, 6].map((time) => ["a", time]),
      ),
    ).toEqual([2, 5]));
  it("takes records in any order", () =>
    expect(
      run({}, [
        ["a", 10],
        ["a", 0],
        ["a", 5],
      ]),
    ).toEqual([2]));
  it("keeps groups apart", () =>
    expect(
      run({}, [
        ["a", 0],
        ["a", 1, { ip: "h2" }],
        ["a", 2],
        ["a", 3, { ip: "h2" }],
      ]),
    ).toEqual([]));
  it("ignores other rules", () =>
    expect(
      run({}, [
        ["a", 0],
        ["b", 1],
        ["a", 2],
      ]),
    ).toEqual([]));
  it("joins several rules", () =>
    expect(
      run({ rules: ["a", "b"] }, [
        ["a", 0],
        ["b", 1],
        ["a", 2],
      ]),
    ).toEqual([2]));
  it("knows gt and eq", () => {
    expect(
      run({ condition: { gt: 1 } }, [
        ["a", 0],
        ["a", 1],
      ]),
    ).toEqual([1]);
    expect(
      run({ condition: { eq: 2 } }, [
        ["a", 0],
        ["a", 1],
      ]),
    ).toEqual([1]);
  });
  it("refers by id too", () => expect(run({ rules: ["id-a"], condition: { gte: 1 } }, [["a", 0]])).toEqual([0]));
});

describe("value_count", () => {
  const condition = { field: "mac", gte: 2 };
  it("counts different values", () => {
    expect(
      run({ type: "value_count", condition }, [
        ["a", 0, { ip: "i", mac: "x" }],
        ["a", 1, { ip: "i", mac: "x" }],
        ["a", 2, { ip: "i", mac: "y" }],
      ]),
    ).toEqual([2]);
    expect(
      run({ type: "value_count", condition }, [
        ["a", 0, { ip: "i", mac: "x" }],
        ["a", 11, { ip: "i", mac: "y" }],
      ]),
    ).toEqual([]);
  });
});

describe("temporal", () => {
  const rules = ["a", "b", "c"];
  it("wants each rule, in any order", () => {
    expect(
      run({ type: "temporal", rules, condition: { gte: 3 } }, [
        ["c", 0],
        ["a", 1],
        ["a", 2],
        ["b", 3],
      ]),
    ).toEqual([3]);
    expect(
      run({ type: "temporal", rules, condition: { gte: 3 } }, [
        ["c", 0],
        ["a", 1],
        ["b", 11],
      ]),
    ).toEqual([]);
  });
  it("wants the order where it is ordered", () => {
    expect(
      run({ type: "temporal_ordered", rules }, [
        ["c", 0],
        ["a", 1],
        ["b", 2],
        ["c", 3],
      ]),
    ).toEqual([3]);
    expect(
      run({ type: "temporal_ordered", rules }, [
        ["c", 0],
        ["b", 1],
        ["a", 2],
      ]),
    ).toEqual([]);
    expect(
      run({ type: "temporal_ordered", rules }, [
        ["a", 0],
        ["a", 5],
        ["b", 12],
        ["c", 14],
      ]),
    ).toEqual([3]);
    expect(
      run({ type: "temporal_ordered", rules }, [
        ["a", 0],
        ["b", 5],
        ["c", 14],
      ]),
    ).toEqual([]);
  });
  it("follows aliases", () => {
    const aliases = { host: { a: "src", b: "dst" } };
    expect(
      run({ type: "temporal", rules: ["a", "b"], "group-by": ["host"], aliases, condition: { gte: 2 } }, [
        ["a", 0, { src: "h" }],
        ["b", 1, { dst: "h" }],
      ]),
    ).toEqual([1]);
    expect(
      run({ type: "temporal", rules: ["a", "b"], "group-by": ["host"], aliases, condition: { gte: 2 } }, [
        ["a", 0, { src: "h" }],
        ["b", 1, { dst: "g" }],
      ]),
    ).toEqual([]);
  });
});

describe("limits", () => {
  it("forgets the group that was not seen for longest", () => {
    const correlator = createCorrelator([correlationOf({ condition: { gte: 2 } })], { groups: 2 });
    for (const ip of ["h1", "h2"]) correlator.add(base("a"), at(0, { ip }));
    correlator.add(base("a"), at(0, { ip: "h3" }));
    expect(correlator.forgotten()).toBe(1);
    expect(correlator.add(base("a"), at(1, { ip: "h1" }))).toEqual([]);
    expect(correlator.add(base("a"), at(1, { ip: "h3" }))).toHaveLength(1);
  });

  it("counts what it cannot place", () => {
    const correlator = createCorrelator([correlationOf({})]);
    correlator.add(base("a"), at(undefined));
    correlator.add(base("a"), at(0, {}));
    expect(correlator.unplaced()).toBe(2);
  });

  it.each<[string, Partial<Correlation>]>([
    ["timespan", { timespan: "soon" }],
    ["lt", { condition: { lt: 5 } }],
    ["a text", { condition: { gte: "many" } }],
    ["too many", { condition: { gte: 5000 } }],
    ["value_count without field", { type: "value_count", condition: { gte: 2 } }],
  ])("refuses %s", (_, correlation) => {
    expect(() => createCorrelator([correlationOf(correlation)])).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }),
    );
  });

  it("holds of many alike in a stretch of time what a later match can need, and no more", () => {
    const temporal = correlationOf({ type: "temporal", rules: ["a", "b"], condition: { gte: 2 } });
    const correlator = createCorrelator([temporal]);
    for (let ms = 0; ms < 500; ms++) correlator.add(base("a"), at(100 + ms / 100));
    expect(correlator.held()).toBe(2);
    for (let hour = 1; hour < 4; hour++) correlator.add(base("a"), at(3600 * hour));
    expect(correlator.held()).toBe(5);
    expect(correlator.add(base("b"), at(90))).toHaveLength(1);
  });

  it.each<Partial<Correlation>>([
    { type: "temporal", rules: ["a", "b", "c"], condition: { gte: 3 } },
    { type: "temporal_ordered", rules: ["a", "b", "c"], condition: { gte: 3 } },
    { type: "value_count", rules: ["a", "b", "c"], condition: { field: "rule", gte: 3 } },
    { type: "event_count", rules: ["a", "b", "c"], condition: { gte: 5 } },
  ])("says of $type what all matches together say", (correlation) => {
    const matches = fc.uniqueArray(
      fc.tuple(fc.integer({ min: 0, max: 99 }), fc.constantFrom("a", "a", "a", "b", "c")),
      { selector: ([time]) => time, maxLength: 40 },
    );
    const within = (kept: readonly (readonly [number, string])[], start: number) =>
      kept
        .filter(([time]) => time >= start && time - start <= 10)
        .toSorted(([left], [right]) => left - right)
        .map(([, rule]) => rule);
    const comesAbout = (rules: readonly string[]): boolean => {
      if (correlation.type === "event_count") return rules.length >= 5;
      if (correlation.type === "temporal_ordered") return /a.*b.*c/.test(rules.join(""));
      return new Set(rules).size === 3;
    };
    fc.assert(
      fc.property(matches, (events) => {
        let kept: (readonly [number, string])[] = [];
        const expected = events.flatMap(([time, rule], index) => {
          kept.push([time, rule]);
          if (!kept.some(([start]) => comesAbout(within(kept, start)))) return [];
          kept = [];
          return [index];
        });
        expect(
          run(
            correlation,
            events.map(([time, rule]) => [rule, time, { ip: "h", rule }]),
          ),
        ).toEqual(expected);
      }),
      { numRuns: 400 },
    );
  });

  it("says the same whatever the order of the records", () => {
    const events = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 12 });
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 6 }), (times, bound) => {
        const sorted = [...times].sort((a, b) => a - b);
        const expected = sorted.some(
          (start, index) => sorted.filter((time, other) => other >= index && time - start <= 10).length >= bound,
        );
        expect(
          run(
            { condition: { gte: bound } },
            times.map((time) => ["a", time]),
          ).length > 0,
        ).toBe(expected);
      }),
    );
  });
});
