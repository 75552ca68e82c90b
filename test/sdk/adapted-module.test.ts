/** Copies of a module's exports, in every form in which the AWS SDK was ever built. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { withMembers } from "../../src/sdk/adapted-module.js";

type Sample = Record<string | symbol, unknown>;
const stock = (): string => "stock";
const ours = (): string => "ours";
const TAG = Symbol("tag");

/** Member `provider`, and others of every kind, as builds of the SDK have them. */
const BUILDS: Readonly<Record<string, () => Sample>> = {
  "plain values (rollup)": () => {
    const exports: Sample = { [TAG]: 1 };
    exports["provider"] = stock;
    exports["other"] = 2;
    return exports;
  },
  "getters that stay (esbuild)": () =>
    Object.defineProperties({} as Sample, {
      __esModule: { value: true },
      provider: { get: () => stock, enumerable: true },
      other: { get: () => 2, enumerable: true },
      [TAG]: { value: 1 },
    }),
  "getters that may be replaced (tsc)": () =>
    Object.defineProperties({} as Sample, {
      __esModule: { value: true },
      provider: { get: () => stock, enumerable: true, configurable: true },
      other: { get: () => 2, enumerable: true, configurable: true },
      [TAG]: { value: 1 },
    }),
  "a frozen object without a prototype": () =>
    Object.freeze(Object.assign(Object.create(null) as Sample, { provider: stock, other: 2, [TAG]: 1 })),
};

describe.each(Object.entries(BUILDS))("%s", (_, build) => {
  it("has ours in place of the member, and all else as it was", () => {
    const exports = build();
    const before = Object.getOwnPropertyDescriptors(exports);
    const copy = withMembers(exports, { provider: () => ours });
    expect(copy).not.toBe(exports);
    expect(copy["provider"]).toBe(ours);
    expect(copy["provider"]).toBe(copy["provider"]);
    expect({ ...copy }).toMatchObject({ provider: ours, other: 2 });
    expect(Reflect.ownKeys(copy)).toEqual(Reflect.ownKeys(exports));
    expect(Object.getPrototypeOf(copy)).toBe(Object.getPrototypeOf(exports));
    expect(Object.isFrozen(copy)).toBe(Object.isFrozen(exports));
    for (const key of Reflect.ownKeys(exports).filter((name) => name !== "provider"))
      expect(Reflect.getOwnPropertyDescriptor(copy, key)).toEqual(Reflect.getOwnPropertyDescriptor(exports, key));
    expect(Object.getOwnPropertyDescriptors(exports)).toEqual(before);
    expect(exports["provider"]).toBe(stock);
  });
});

it("reads no getter before the program does", () => {
  const read: string[] = [];
  const exports = Object.defineProperties(
    {},
    {
      provider: { get: () => (read.push("provider"), stock), enumerable: true },
      lazy: { get: () => read.push("lazy"), enumerable: true },
    },
  ) as Sample;
  const copy = withMembers(exports, { provider: (original) => [original] });
  expect(read).toEqual([]);
  expect(copy["provider"]).toEqual([stock]);
  expect(read).toEqual(["provider"]);
});

it("follows a getter whose member is there later", () => {
  let member: unknown;
  const exports = Object.defineProperty({} as Sample, "provider", { get: () => member });
  const copy = withMembers(exports, { provider: () => ours });
  expect(copy["provider"]).toBeUndefined();
  member = stock;
  expect(copy["provider"]).toBe(ours);
});

it.each([
  ["no such member", {}],
  ["one that is no function", { provider: 1 }],
  ["one that is inherited", Object.create({ provider: stock }) as object],
])("refuses %s", (_, exports) => {
  expect(() => withMembers(exports, { provider: () => ours })).toThrow(TypeError);
});

describe("with properties on the prototype of all objects", () => {
  const POLLUTION = { get: 1, set: 1, value: 1, writable: false, provider: 1, enumerable: true, configurable: true };
  afterEach(() => {
    for (const name of Object.keys(POLLUTION)) Reflect.deleteProperty(Object.prototype, name);
  });

  it.each(Object.entries(BUILDS))("is the same (%s)", (_, build) => {
    const exports = build();
    const inherited = Object.entries(POLLUTION).map(([name, value]) => ({ name, value }));
    for (const { name, value } of inherited)
      Object.defineProperty(
        Object.prototype,
        name,
        Object.assign(Object.create(null) as PropertyDescriptor, { value, configurable: true, writable: true }),
      );
    const copy = withMembers(exports, { provider: () => ours });
    for (const { name } of inherited) Reflect.deleteProperty(Object.prototype, name);
    expect(copy["provider"]).toBe(ours);
    expect(copy["other"]).toBe(2);
  });
});

it("keeps every property of any object", () => {
  const members = fc.dictionary(fc.string(), fc.anything(), { noNullPrototype: false });
  fc.assert(
    fc.property(members, fc.array(fc.string()), (values, hidden) => {
      const exports = { ...values, provider: stock };
      for (const name of hidden.filter((key) => key !== "provider"))
        Object.defineProperty(exports, name, { get: () => name, configurable: true });
      const copy = withMembers(exports, { provider: () => ours });
      expect(Object.getOwnPropertyDescriptors(copy)).toEqual({
        ...Object.getOwnPropertyDescriptors(exports),
        provider: { value: ours, writable: true, enumerable: true, configurable: true },
      });
    }),
  );
});

describe("a member that is made when it is read", () => {
  it("is replaced once for what it gives, anew for something else, and not at all where that is no function", () => {
    let current: unknown = stock;
    const made: unknown[] = [];
    const exports = Object.defineProperty({} as Sample, "provider", { get: () => current, enumerable: true });
    const replace = (original: unknown): (() => string) => {
      made.push(original);
      return () => "a stand-in";
    };
    const copy = withMembers(exports, { provider: replace });
    expect(made).toEqual([]);
    const first = copy["provider"];
    expect([copy["provider"] === first, made]).toEqual([true, [stock]]);
    current = ours;
    expect([copy["provider"] === first, made]).toEqual([false, [stock, ours]]);
    current = undefined;
    expect([copy["provider"], made.length]).toEqual([undefined, 2]);
  });
});

it.each([{}, { provider: 5 }, Object.create({ provider: stock })])(
  "says which function the module lacks: %j",
  (exports) => {
    expect(() => withMembers(exports as Sample, { provider: () => ours })).toThrow(
      new TypeError("the module has no function provider"),
    );
  },
);
