/** What copies of the package share: by import and reload, and from a realm that a test runner would make and end. */
import { EventEmitter } from "node:events";
import { runInNewContext } from "node:vm";
import { beforeEach, expect, test, vi } from "vitest";

type ProcessWide = typeof import("../../src/base/process-wide.js");
const copy = (): Promise<ProcessWide> => import("../../src/base/process-wide.js");
const isOnShared = (key: symbol): boolean => Object.hasOwn(EventEmitter, key);

beforeEach(() => {
  vi.resetModules();
});

test("a second copy gets what the first made, and makes nothing itself", async () => {
  const key = Symbol.for(`imds-guard.test.${Math.random()}`);
  const first = await copy();
  vi.resetModules();
  const second = await copy();
  expect(second).not.toBe(first);
  const made = first.shareInProcess(key, "code", () => new Map([["by", "first"]]));
  const make = vi.fn(() => new Map<string, string>());
  expect(second.shareInProcess(key, "code", make)).toBe(made);
  expect(second.processWide(key)).toBe(made);
  expect(make).not.toHaveBeenCalled();
});

test("nothing inherited counts, and what is there is not taken away", async () => {
  const { processWide, shareInProcess } = await copy();
  const key = Symbol.for(`imds-guard.test.${Math.random()}`);
  Object.defineProperty(Object.prototype, key, { value: "planted", configurable: true });
  try {
    expect(processWide(key)).toBe(undefined);
  } finally {
    Reflect.deleteProperty(Object.prototype, key);
  }
  shareInProcess(key, "data", () => ({ ours: true }));
  expect(Reflect.deleteProperty(EventEmitter, key)).toBe(false);
  expect(Reflect.set(EventEmitter, key, "other")).toBe(false);
});

test("a realm that ends leaves data for all, and code only for itself", async () => {
  const [data, code] = [1, 2].map(() => Symbol.for(`imds-guard.test.${Math.random()}`)) as [symbol, symbol];
  // As a copy in another realm sees it: its Function.prototype is not that of Node's own modules.
  const realm = runInNewContext("({ Function, globalThis })") as Pick<typeof globalThis, "Function" | "globalThis">;
  vi.stubGlobal("Function", realm.Function);
  const inRealm = await copy().finally(() => vi.unstubAllGlobals());
  inRealm.shareInProcess(data, "data", () => new Set(["probed"]));
  inRealm.shareInProcess(code, "code", () => new Map());
  expect([isOnShared(data), isOnShared(code)]).toEqual([true, false]);
  expect(inRealm.processWide(code)).toBeInstanceOf(Map);
  Reflect.deleteProperty(globalThis, code);
});
