/** What a process has one of, whichever copies of this package are in it. */
import { EventEmitter } from "node:events";
import { ownProperties } from "./own-properties.js";

/*
 * Test runners give each file a `globalThis` and a `process` of its own, and load a copy of this package for each. What
 * all of them share are the objects of Node's own modules, of which this one is always loaded.
 */
const shared: object = EventEmitter;

/** Whether this copy lives as long as the process. A test runner ends the realms that it makes, with all their code. */
const inMainRealm = Object.getPrototypeOf(EventEmitter) === Function.prototype;

/** What a copy left under this key. Undefined where there is nothing. */
export function processWide(key: symbol): unknown {
  return valueAt(shared, key) ?? valueAt(globalThis, key);
}

/**
 * What is shared under a key, made where there is nothing. The key is a registered symbol with the number of the
 * protocol that the value keeps: later versions add to it and change nothing that is there. `data` needs no code of its
 * maker, and is left for the whole process by any copy; `code` is left for all by a copy of the main realm, and by any
 * other for its own realm.
 */
export function shareInProcess<Value extends object>(key: symbol, kind: "data" | "code", make: () => Value): Value {
  const present = processWide(key);
  if (present !== undefined) return present as Value;
  const value = make();
  Object.defineProperty(kind === "data" || inMainRealm ? shared : globalThis, key, ownProperties({ value }));
  return value;
}

function valueAt(holder: object, key: symbol): unknown {
  return Object.getOwnPropertyDescriptor(holder, key)?.value;
}
