/** What a process has one of, whichever copies of this package are in it. */
import { ownProperties } from "./own-properties.js";
import { EventEmitter } from "node:events";

/*
 * Test runners give each file a `globalThis` and a `process` of its own, and load a copy of this package for each. What
 * all of them share are the objects of Node's own modules, of which this one is always loaded.
 */
const shared: object = EventEmitter;

/** What {@link setProcessWide} left under this key, which is a registered symbol. Undefined where there is nothing. */
export function processWide(key: symbol): unknown {
  return Object.getOwnPropertyDescriptor(shared, key)?.value;
}

/** Leaves a value for every other copy. It stays for as long as the process lives; a second one is not taken. */
export function setProcessWide<Value>(key: symbol, value: Value): Value {
  const present = processWide(key) as Value | undefined;
  if (present !== undefined) return present;
  Object.defineProperty(shared, key, ownProperties({ value }));
  return value;
}
