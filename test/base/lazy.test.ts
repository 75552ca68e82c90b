import { inspect } from "node:util";
import { expect, test } from "vitest";
import { ImdsRefusedError } from "../../src/base/errors.js";
import { asGuardError } from "../../src/sdk/provider-error.js";
import { defineLazy } from "../../src/base/lazy.js";

test("works once, at the first reading, and leaves a plain value", () => {
  let times = 0;
  const target = defineLazy({ name: "a" }, "told", () => ({ times: (times += 1) }));
  expect(times).toBe(0);
  expect(Object.keys(target)).toEqual(["name", "told"]);
  expect(target.told).toBe(target.told);
  expect(times).toBe(1);
  expect(Object.getOwnPropertyDescriptor(target, "told")).toEqual({
    value: { times: 1 },
    enumerable: true,
    configurable: true,
    writable: true,
  });
  expect(inspect(target)).toBe("{ name: 'a', told: { times: 1 } }");
});

test("of a frozen object it works once, too", () => {
  let times = 0;
  const target = Object.freeze(defineLazy({}, "told", () => (times += 1)));
  expect([target.told, target.told, times]).toEqual([1, 1, 1]);
});

test("what throws is tried again", () => {
  let times = 0;
  const target = defineLazy({}, "told", () => {
    times += 1;
    if (times === 1) throw new Error("not yet");
    return times;
  });
  expect(() => target.told).toThrow("not yet");
  expect(target.told).toBe(2);
});

test("an error is short where it is printed, with the advice in front, and whole where it is logged", () => {
  const evidence = Array.from({ length: 30 }, (_, n) => ({ source: `s${n}`, value: "a\nb", says: `fact ${n}` }));
  const refused = () =>
    new ImdsRefusedError("ERR_IMDS_NOT_EC2", "no", {
      advice: "do this",
      evidence: () => evidence,
      cause: new Error("x"),
    });
  for (const error of [refused(), asGuardError(new Error(refused().message), refused())]) {
    const lines = inspect(error).split("\n");
    expect(lines.length).toBeLessThanOrEqual(12);
    expect(lines[1]).toBe("  advice: do this");
    expect(lines[2]).toBe("  evidence: s0 = a\\u000ab: fact 0");
    expect(lines).toContain("  26 more in error.evidence");
    // As Node prints what nobody caught.
    expect(inspect(error, { customInspect: false })).not.toContain("[Getter]");
    expect(JSON.parse(JSON.stringify({ error }))).toMatchObject({
      error: {
        code: "ERR_IMDS_NOT_EC2",
        kind: "refused",
        message: "no. See docs/errors.md#ERR_IMDS_NOT_EC2",
        advice: "do this",
        evidence,
      },
    });
    // As pino and winston copy it.
    expect({ ...error }).toMatchObject({ code: "ERR_IMDS_NOT_EC2", kind: "refused", advice: "do this", evidence });
  }
});
