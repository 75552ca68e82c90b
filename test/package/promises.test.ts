/** The ledger: each numbered promise of SECURITY.md has a test that tries to break it, and each such test a promise. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const TESTS = join(ROOT, "test/promises");

const numbersIn = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, number = ""]) => number);

const promised = numbersIn(readFileSync(join(ROOT, "SECURITY.md"), "utf8"), /^- \*\*(P\d+)\*\* /gm);
const tested = readdirSync(TESTS)
  .filter((name) => name.endsWith(".test.ts"))
  .flatMap((name) =>
    numbersIn(readFileSync(join(TESTS, name), "utf8"), /^\s*describe(?:\.\w+(?:\([^)]*\))?)*\(\s*["`](P\d+): /gm),
  );

describe("SECURITY.md and test/promises", () => {
  test("name the same promises", () => {
    expect([...new Set(tested)].toSorted()).toEqual(promised.toSorted());
  });

  test("number each promise once", () => {
    expect(promised).toEqual([...new Set(promised)]);
    expect(promised.length).toBeGreaterThan(10);
  });
});
