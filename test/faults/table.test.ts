/** The fault runs judge rightly, so that a table without a miss means something. */
import { expect, test } from "vitest";
import { table, verdict } from "./table.mjs";

const fine = {
  name: "x",
  calls: 10,
  failed: 0,
  failedWithout: 0,
  stale: 0,
  refreshes: 5,
  requests: 10,
  perRefresh: 2,
  atMostPerRefresh: 4,
  left: 0,
  growth: 0.5,
  unhandled: 0,
  codes: [],
  missed: [],
  ms: 1_000,
};

test.each([
  ["nothing", {}, true],
  ["calls that failed where there was nothing to serve", { failedWithout: 3 }, true],
  ["a call that failed with valid credentials held", { failed: 1, codes: ["ERR_IMDS_TIMEOUT"] }, false],
  ["ended credentials", { stale: 1 }, false],
  ["no renewal at all", { refreshes: 0 }, false],
  ["too many requests", { perRefresh: 4.1 }, false],
  ["a socket that is left", { left: 1 }, false],
  ["memory", { growth: 2.1 }, false],
  ["a rejection that nobody handled", { unhandled: 1 }, false],
  ["a goal of the scenario's own", { missed: ["nothing was said"] }, false],
  ["a scenario that broke", { broken: "ended with 1" }, false],
  ["one that cannot be played here", { skipped: "no netem" }, undefined],
] as const)("%s", (_, change, met) => {
  const judged = verdict({ ...fine, ...change });
  expect(judged.met).toBe(met);
  expect(judged.missed.length === 0).toBe(met !== false);
});

test("what was missed and what was left out is said below the table", () => {
  const results = [
    { ...fine, stale: 2 },
    { name: "y", skipped: "no netem" },
  ].map((result) => ({ ...result, ...verdict(result) }));
  const text = table(results);
  expect(text).toContain("MISSED x: 2 calls were given ended credentials");
  expect(text).toContain("y: not here: no netem");
});
