/** What a mutation run prints is what it found: who was caught, who was never reached, and where a survivor stands. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Mutant } from "./instrument.mjs";
import { scores, survivors, table } from "./table.mjs";

const root = mkdtempSync(join(tmpdir(), "imds-guard-table-"));
afterAll(() => rmSync(root, { recursive: true }));
const path = (name: string): string => join(root, "src", name);
mkdirSync(path("host"), { recursive: true });
writeFileSync(path("host/a.ts"), "// the first line\n  return a > 1;\n  if (b) {\n    c();\n  }\n");

/** Of a stretch that begins in this line, counted from 0 as by Stryker. */
function mutant(id: string, file: string, { line = 1, to = 1, end = 14, replacement = "true" } = {}): Mutant {
  return {
    id,
    fileName: path(file),
    mutatorName: "ConditionalExpression",
    replacement,
    was: "a > 1",
    location: { start: { line, column: 9 }, end: { line: to, column: end } },
  };
}

function outcome({ caught = [] as string[], reached = [] as string[] }): Parameters<typeof scores>[1] {
  return {
    caught: new Map(caught.map((id) => [id, "a test"])),
    reached: new Set(reached),
    evaluated: new Set(),
    loaded: new Set(),
    doubtful: [],
    broken: [],
    unrepeatable: [],
    spoilt: [],
  };
}

describe("the scores", () => {
  const mutants = [
    mutant("0", "host/a.ts"),
    mutant("1", "host/a.ts"),
    mutant("2", "host/b.ts"),
    mutant("3", "imds/c.ts"),
  ];
  const figures = scores(mutants, outcome({ caught: ["0", "2", "9"], reached: ["0", "1", "2"] }), root);

  test("are those of files and of rooms, in the order of the mutants", () => {
    expect(figures.files).toEqual([
      { name: "src/host/a.ts", mutants: 2, caught: 1, unreached: 0, score: 50 },
      { name: "src/host/b.ts", mutants: 1, caught: 1, unreached: 0, score: 100 },
      { name: "src/imds/c.ts", mutants: 1, caught: 0, unreached: 1, score: 0 },
    ]);
    expect(figures.rooms).toEqual([
      { name: "host", mutants: 3, caught: 2, unreached: 0, score: 200 / 3 },
      { name: "imds", mutants: 1, caught: 0, unreached: 1, score: 0 },
    ]);
  });

  test("are a table, files first, a line each", () => {
    expect(
      table(figures)
        .split("\n")
        .map((line) => line.trim().replace(/ +/g, " ")),
    ).toEqual([
      "all caught unreached score",
      "src/host/a.ts 2 1 0 50.0 %",
      "src/host/b.ts 1 1 0 100.0 %",
      "src/imds/c.ts 1 0 1 0.0 %",
      "host 3 2 0 66.7 %",
      "imds 1 0 1 0.0 %",
    ]);
  });

  test("are none where nothing was changed", () => {
    expect(scores([], outcome({}), root)).toEqual({ rooms: [], files: [] });
  });
});

describe("the survivors", () => {
  test("say where they stand, what was there and what became of it", () => {
    const mutants = [mutant("0", "host/a.ts"), mutant("1", "host/a.ts", { replacement: "a >=\n   1" })];
    expect(survivors(mutants, outcome({ caught: ["0"], reached: ["0", "1"] }), root)).toBe(
      "src/host/a.ts:2:10 ConditionalExpression\n  - a > 1\n  + a >= 1",
    );
  });

  test("of several lines are told by their first, and those that no test reaches as such", () => {
    const block = mutant("0", "host/a.ts", { line: 2, to: 4, end: 3, replacement: "{}" });
    expect(survivors([block], outcome({}), root)).toBe(
      "src/host/a.ts:3:10 ConditionalExpression, reached by no test\n  - { ...\n  + {}",
    );
  });

  test("are nothing where all were caught, and no longer than 200 characters", () => {
    expect(survivors([mutant("0", "host/a.ts")], outcome({ caught: ["0"] }), root)).toBe("");
    expect(
      survivors([mutant("0", "host/a.ts", { replacement: "x".repeat(1_000) })], outcome({}), root)
        .split("\n")
        .at(-1),
    ).toBe(`  + ${"x".repeat(200)}`);
  });
});
