/** What guards of several profiles have in common. */
import { describe, expect, it } from "vitest";
import { createFamily } from "../../src/guard/family.js";
import type { Living } from "../../src/guard/stages.js";

const living = (): Living => ({}) as Living;

describe("the life that members share", () => {
  it("is started once for the same settings, and apart for others", async () => {
    const family = createFamily();
    let started = 0;
    const start = (): Promise<Living> => {
      started += 1;
      return Promise.resolve(living());
    };
    const [one, same, other] = await Promise.all([
      family.life("a", start),
      family.life("a", start),
      family.life("b", start),
    ]);
    expect(one).toBe(same);
    expect(one).not.toBe(other);
    expect(started).toBe(2);
  });

  it("is started again by the next who asks where it could not start", async () => {
    const family = createFamily();
    const failing = (): Promise<Living> => Promise.reject(new Error("no name resolves"));
    await expect(family.life("a", failing)).rejects.toThrow("no name resolves");
    const lived = living();
    expect(await family.life("a", () => Promise.resolve(lived))).toBe(lived);
  });
});

describe("a finding", () => {
  it("is counted, and ends what all but its finder hold", () => {
    const family = createFamily();
    const dropped: string[] = [];
    const [one, two] = ["one", "two"].map((name) => () => void dropped.push(name)) as [() => void, () => void];
    family.onFinding(one);
    family.onFinding(two);
    family.noteFinding(one);
    expect([family.findings(), dropped]).toEqual([1, ["two"]]);
    family.noteFinding();
    expect([family.findings(), dropped]).toEqual([2, ["two", "one", "two"]]);
  });
});
