/** Copies that inherit nothing, and questions that what all objects inherit does not answer. */
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, test } from "vitest";
import {
  hasOwnKey,
  isPlainObject,
  ownProperties,
  ownPropertiesBut,
  ownProperty,
} from "../../src/base/own-properties.js";
import { fc } from "../support/properties.js";

const shared = Object.prototype as Record<string, unknown>;
afterEach(() => {
  delete shared["mode"];
});

describe("ownProperties", () => {
  test("has what the object has of its own, as it is now, and inherits nothing", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.anything()), (given) => {
        const own = ownProperties(given);
        expect(Object.getPrototypeOf(own)).toBeNull();
        expect(Object.keys(own)).toEqual(Object.keys(given));
        for (const key of Object.keys(given)) expect(own[key]).toBe(given[key]);
      }),
    );
  });

  test("keeps what is undefined, so that it is not inherited where the copy is spread", () => {
    shared["mode"] = "allow";
    const spread: { mode?: string } = { ...ownProperties({ mode: undefined }) };
    expect(spread.mode).toBeUndefined();
    expect(ownProperties<{ mode?: string }>({}).mode).toBeUndefined();
  });

  test("without one of them leaves the others, and the object itself", () => {
    const given = { guard: 1, profile: "a" };
    expect({ ...ownPropertiesBut(given, "guard") }).toEqual({ profile: "a" });
    expect(given).toEqual({ guard: 1, profile: "a" });
  });
});

describe("ownProperty", () => {
  test.each([
    ["of its own", { mode: "deny" }, "deny"],
    ["inherited from all objects", {}, undefined],
    ["inherited", Object.create({ mode: "deny" }), undefined],
    ["of its own, undefined", { mode: undefined }, undefined],
    ["of null", null, undefined],
    ["of undefined", undefined, undefined],
  ] as const)("%s", (_, object: { mode?: string } | null | undefined, expected) => {
    shared["mode"] = "allow";
    expect(ownProperty(object, "mode")).toBe(expected);
  });

  test("a key counts where it is the object's own", () => {
    shared["mode"] = "allow";
    expect(hasOwnKey({} as { mode?: string }, "mode")).toBe(false);
    expect(hasOwnKey({ mode: undefined }, "mode")).toBe(true);
  });
});

describe("isPlainObject", () => {
  test.each([
    ["a literal", {}, true],
    ["without a prototype", Object.create(null), true],
    ["of another realm", runInNewContext("({})"), true],
    ["a list", [], false],
    ["a list of another realm", runInNewContext("[]"), false],
    ["a Map", new Map(), false],
    ["a promise", Promise.resolve(), false],
    ["a date", new Date(0), false],
    ["an instance", new URL("http://x/"), false],
    ["what inherits from a literal", Object.create({}), false],
    ["a function", () => undefined, false],
    ["null", null, false],
    ["undefined", undefined, false],
    ["a word", "mode", false],
    ["a number", 5, false],
  ])("%s: %s", (_, value, expected) => {
    expect(isPlainObject(value)).toBe(expected);
  });
});
