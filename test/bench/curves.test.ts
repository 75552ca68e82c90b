/** The curves of the bench: where points stand, which lines there are, and the rules and logs that are measured. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SaxesParser } from "saxes";
import { describe, expect, test } from "vitest";
import { apart, chartsOf, plotCurves } from "../../bench/curves-svg.mjs";
import { eveLine, writeEveLog } from "../../bench/eve-log.mjs";
import { evaluate, oursAtMost } from "../../bench/figures.mjs";
import { ruleSet } from "../../bench/rule-sets.mjs";
import { formatOf } from "../../src/detection/log-formats.js";
import { compileRule, literalsOfAny, readsFrom } from "../../src/detection/sigma-evaluator.js";
import type { SigmaRule } from "../../src/detection/sigma-rule.js";
import { isDetectionRule } from "../../src/detection/sigma-rule.js";
import { SIGMA_RULES } from "../../src/detection/sigma-rules.js";
import { formatOfLine } from "../detection/samples.js";

const point = (chart: string, line: string, x: number) => ({ point: { chart, along: "callers", x, line } });
const MEASURED = {
  measured: "2026-03-01",
  machine: { node: "v24.1.0", platform: "linux arm64", cpu: "Make & Model <7>", cores: 2 },
  namespaces: true,
  sections: [
    {
      title: "Many",
      rows: [
        { what: "1: each", unit: "us", ours: [90, 100, 110], stock: [1e6], ...point("Time <each>", "off", 1) },
        { what: "100: each", unit: "us", ours: [10], stock: [1e4], ...point("Time <each>", "off", 100) },
        { what: "10: each", unit: "us", ours: [32], ...point("Time <each>", "off", 10) },
        { what: "not drawn", unit: "ms", ours: [7], goals: [oursAtMost(8)] },
        {
          what: "1: sent",
          unit: "requests",
          ours: [0],
          stock: [3],
          goals: [oursAtMost(1)],
          ...point("Sent", "off", 1),
        },
        {
          what: "100: sent",
          unit: "requests",
          ours: [0],
          stock: [3],
          goals: [oursAtMost(1)],
          ...point("Sent", "off", 100),
        },
      ].map(evaluate),
    },
  ],
};

/** Attributes of every element of a name; throws for what is no well-formed XML. */
function elements(svg: string, wanted: string): readonly Readonly<Record<string, string>>[] {
  const found: Record<string, string>[] = [];
  const parser = new SaxesParser({ xmlns: true });
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes }) => {
    if (name === wanted)
      found.push(Object.fromEntries(Object.entries(attributes).map(([key, { value }]) => [key, value])));
  });
  parser.write(svg).close();
  return found;
}

describe("the picture", () => {
  const svg = plotCurves(MEASURED);

  test("a line of ours and one of stock for each name, in the order of x, in charts of their own", () => {
    const charts = chartsOf(MEASURED).map(({ title, unit, lines }) => ({
      title,
      unit,
      lines: lines.map(({ name, points }) => [name, points.map(({ x, figure }) => [x, figure.median])]),
    }));
    expect(charts).toEqual([
      {
        title: "Time <each>",
        unit: "us",
        lines: [
          [
            "off",
            [
              [1, 100],
              [10, 32],
              [100, 10],
            ],
          ],
          [
            "stock, off",
            [
              [1, 1e6],
              [100, 1e4],
            ],
          ],
        ],
      },
      {
        title: "Sent",
        unit: "requests",
        lines: [
          [
            "off",
            [
              [1, 0],
              [100, 0],
            ],
          ],
          [
            "stock, off",
            [
              [1, 3],
              [100, 3],
            ],
          ],
        ],
      },
    ]);
  });

  test("both scales are logarithmic, and nothing at all has a place of its own", () => {
    const [one, ten, hundred, stock, stockHundred, nothing, , three] = elements(svg, "circle").map(({ cx, cy }) => ({
      x: Number(cx),
      y: Number(cy),
    }));
    expect(ten!.x - one!.x).toBeCloseTo(hundred!.x - ten!.x, 0);
    const decade = hundred!.y - one!.y;
    expect(one!.y - stock!.y).toBeCloseTo(4 * decade, 0);
    expect(stockHundred!.y - stock!.y).toBeCloseTo(2 * decade, 0);
    expect(nothing!.y).toBeGreaterThan(three!.y);
    for (const { cx, cy } of elements(svg, "circle"))
      expect([cx, cy].map(Number).every((at) => at > 0 && at < 960)).toBe(true);
  });

  test("it says when and on what, needs nothing else, and knows both themes", () => {
    expect(svg).toContain("Measured on 1 March 2026 with Node.js 24.1.0");
    expect(svg).toContain("off, 1 callers: 100 us, from 90 to 110 in 3 samples");
    expect(svg).toContain("@media (prefers-color-scheme: dark)");
    expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(
      /https?:|href|<script|url\(|NaN|undefined/,
    );
  });

  test("no points are no picture", () => {
    expect(() => plotCurves({ ...MEASURED, sections: [] })).toThrow("none of these figures is a point of a curve");
  });

  test.each([
    { wanted: [10, 50, 90], placed: [10, 50, 90] },
    { wanted: [50, 50, 50], placed: [50, 63, 76] },
    { wanted: [99, 100, 98], placed: [87, 100, 74] },
    { wanted: [], placed: [] },
  ])("labels wanted at $wanted stand at $placed", ({ wanted, placed }) => {
    expect(apart(wanted, 100)).toEqual(placed);
  });

  test("npm run bench:plot draws curves apart, and leaves the other picture alone", () => {
    const folder = mkdtempSync(join(tmpdir(), "imds-guard-curves-"));
    try {
      const [input, bars, curves] = [
        join(folder, "figures.json"),
        join(folder, "bench.svg"),
        join(folder, "curves.svg"),
      ];
      writeFileSync(input, JSON.stringify(MEASURED));
      execFileSync(process.execPath, ["bench/plot.mjs", input, bars, curves]);
      expect(existsSync(bars)).toBe(false);
      expect(readFileSync(curves, "utf8")).toBe(svg);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("what is scanned", () => {
  const reads = (rule: SigmaRule): boolean =>
    isDetectionRule(rule) && formatOf("suricata")!.sources.some((source) => readsFrom(rule.logsource, source));
  const literals = (rules: readonly SigmaRule[]): number =>
    literalsOfAny(rules.filter(isDetectionRule).map(compileRule))!.length;

  test("the rules that read the log come first", () => {
    const readers = SIGMA_RULES.filter(({ rule }) => reads(rule)).length;
    for (const count of [1, 2, readers]) expect(ruleSet(SIGMA_RULES, count, reads).every(reads)).toBe(true);
    expect(new Set(ruleSet(SIGMA_RULES, SIGMA_RULES.length, reads))).toEqual(
      new Set(SIGMA_RULES.map(({ rule }) => rule)),
    );
  });

  test("copies are rules of other names that look for other texts", () => {
    const all = SIGMA_RULES.length;
    const rules = ruleSet(SIGMA_RULES, 3 * all, reads);
    expect(new Set(rules.map(({ id }) => id)).size).toBe(3 * all);
    const names = rules.flatMap(({ name }) => (name === undefined ? [] : [name]));
    expect(new Set(names).size).toBe(names.length);
    const readers = rules.filter(reads);
    expect(literals(readers)).toBeGreaterThan(2 * literals(readers.slice(0, readers.length / 3)));
  });

  test("the log is of Suricata, in whole lines of which a few are matched", () => {
    const folder = mkdtempSync(join(tmpdir(), "imds-guard-eve-"));
    try {
      const file = join(folder, "eve.json");
      writeEveLog(file, 100_000);
      const text = readFileSync(file, "utf8");
      expect(text.length).toBeGreaterThanOrEqual(100_000);
      expect(text.endsWith("}\n")).toBe(true);
      expect(text.split("\n", 20).map((line) => formatOfLine(line))).toEqual(
        Array.from({ length: 20 }, () => "suricata"),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(
      Array.from({ length: 20_000 }, (_, index) => eveLine(index)).filter((line) => line.includes("169.254.169.254")),
    ).toHaveLength(2);
  });
});
