import { inspect } from "node:util";
import { expect, test } from "vitest";
import { ImdsRefusedError, ImdsUnavailableError } from "../../src/base/errors.js";
import { dressAs } from "../../src/sdk/provider-error.js";
import { defineLazy } from "../../src/base/lazy.js";

test("works once, at the first reading, and leaves a plain value", () => {
  let times = 0;
  const target = defineLazy({ name: "a" }, "told", () => ({ times: (times += 1) }));
  expect(times).toBe(0);
  expect(Object.keys(target)).toEqual(["name", "told"]);
  expect(target.told).toBe(target.told);
  expect(times).toBe(1);
  expect(Object.getOwnPropertyDescriptor(target, "told")).toMatchObject({ value: { times: 1 }, enumerable: true });
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

test("an error shows evidence that was still to be gathered, wherever it is printed", () => {
  const details = { advice: "a", evidence: () => [{ source: "somewhere", says: "something" }] };
  const refused = () => new ImdsRefusedError("ERR_IMDS_NOT_EC2", "no", details);
  const shown = /evidence: \[ \{ source: 'somewhere', says: 'something' \} \]/;
  expect(inspect(refused())).toMatch(shown);
  expect(inspect({ deep: { error: refused() } }, { depth: 8 })).toMatch(shown);
  expect(inspect(new ImdsUnavailableError("ERR_IMDS_TIMEOUT", "late", { advice: "b", cause: refused() }))).toMatch(
    shown,
  );
  expect(inspect(dressAs(new Error("of the SDK"), refused())).match(new RegExp(shown, "g"))).toHaveLength(2);
  expect(JSON.stringify(refused())).toContain("something");
  expect(Object.keys(refused())).toEqual(
    Object.keys(new ImdsRefusedError("ERR_IMDS_NOT_EC2", "no", { advice: "a", evidence: [] })),
  );
});
