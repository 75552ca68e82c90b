/** `node:crypto`, which costs milliseconds to load: whoever never verifies anything must not pay for it. */

/** Loads it, without a promise: options are checked in synchronous calls. */
export function nodeCrypto(): typeof import("node:crypto") {
  return process.getBuiltinModule("node:crypto");
}
