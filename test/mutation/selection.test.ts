/** Which mutants are tried is told by what they are, and not by the number that a run gives them. */
import { describe, expect, test } from "vitest";
import type { Mutant } from "./instrument.mjs";
import { caughtEarlier, nameOf, sampled } from "./selection.mjs";

const mutant = (id: string, given: Partial<Mutant> & { line?: number; root?: string } = {}): Mutant => {
  const { line = 1, root = "/here", ...rest } = given;
  const location = { start: { line, column: 0 }, end: { line, column: 5 } };
  return { id, fileName: `${root}/src/a.ts`, mutatorName: "X", replacement: "true", was: "a > b", location, ...rest };
};

describe("a name", () => {
  test("is the same in another run and in another folder", () => {
    expect(nameOf(mutant("1"), "/here")).toBe(nameOf(mutant("7", { root: "/there" }), "/there"));
  });

  test.each([
    ["place", { line: 2 }],
    ["file", { fileName: "/here/src/b.ts" }],
    ["kind", { mutatorName: "Y" }],
    ["code", { was: "a < b" }],
    ["replacement", { replacement: "false" }],
  ])("is another one for another %s", (_, given) => {
    expect(nameOf(mutant("1", given), "/here")).not.toBe(nameOf(mutant("1"), "/here"));
  });
});

describe("a sample", () => {
  const all = Array.from({ length: 1_000 }, (_, at) => mutant(String(at), { line: at }));

  test("of a hundred percent is everything", () => {
    expect(sampled(all, 100, "/here")).toBe(all);
  });

  test("is about as large as was asked, and the same each time", () => {
    const some = sampled(all, 20, "/here");
    expect(some.length).toBeGreaterThan(150);
    expect(some.length).toBeLessThan(250);
    expect(sampled([...all].reverse(), 20, "/here")).toEqual([...some].reverse());
  });

  test("holds each smaller one", () => {
    const some = new Set(sampled(all, 20, "/here"));
    expect(sampled(all, 10, "/here").every((one) => some.has(one))).toBe(true);
  });
});

test("what an earlier run has caught has the number of this one", () => {
  const name = (line: number): string => nameOf(mutant("9", { line, root: "/there" }), "/there");
  const earlier = [{ name: name(1), caughtBy: "a test" }, { name: name(2) }, { name: name(3), caughtBy: "another" }];
  const now = [mutant("1", { line: 2 }), mutant("2", { line: 1 }), mutant("3", { line: 4 })];
  expect([...caughtEarlier(now, earlier, "/here")]).toEqual([["2", "a test"]]);
});
