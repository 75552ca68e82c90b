/** What is on the prototype of all objects while something is loaded, and afterwards. */
import { afterEach, expect, it } from "vitest";
import { loadPlainly } from "../../src/base/plain-load.js";

const shared = Object.prototype as Record<string, unknown>;
const NAMES = ["stain-a", "stain-b", "stain-c", "fixed-for-a-while"];
afterEach(() => {
  for (const name of NAMES) Reflect.deleteProperty(shared, name);
});

it("hides what is enumerable for as long as it takes, and no longer", () => {
  Object.assign(shared, { "stain-a": "x", "stain-b": 1, "stain-c": "/" });
  const before = Object.getOwnPropertyDescriptors(shared);
  const seen = loadPlainly(() => NAMES.map((name) => name in {}));
  expect(seen).toEqual([false, false, false, false]);
  expect(Object.getOwnPropertyDescriptors(shared)).toEqual(before);
});

it("puts it back where loading fails", () => {
  shared["stain-a"] = "x";
  const failure = new Error("no such module");
  expect(() =>
    loadPlainly(() => {
      throw failure;
    }),
  ).toThrow(failure);
  expect(Object.getOwnPropertyDescriptor(shared, "stain-a")?.value).toBe("x");
});

it("keeps getters what they are, and leaves what is hidden from loops", () => {
  let readings = 0;
  const descriptor = Object.assign(Object.create(null) as object, {
    get: () => ++readings,
    enumerable: true,
    configurable: true,
  });
  Object.defineProperty(shared, "stain-c", descriptor);
  Object.defineProperty(shared, "fixed-for-a-while", { value: "method of a library", configurable: true });
  const seen = loadPlainly(() => [({} as Record<string, unknown>)["fixed-for-a-while"], "stain-c" in {}]);
  const after = Object.getOwnPropertyDescriptor(shared, "stain-c");
  for (const name of NAMES) Reflect.deleteProperty(shared, name);
  expect(seen).toEqual(["method of a library", false]);
  expect(readings).toBe(0);
  expect(after?.get).toBe((descriptor as PropertyDescriptor).get);
});
