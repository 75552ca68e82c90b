/** Own properties of things that belong to others, whatever the program has put on `Object.prototype` meanwhile. */

const { defineProperty } = Object;

/** Makes `key` of `target` an own property that can be written and deleted again. */
export function defineOwn(target: object, key: PropertyKey, value: unknown, enumerable = false): void {
  // A descriptor inherits, too: a `get` on Object.prototype would make this one invalid.
  const descriptor = { __proto__: null, value, enumerable, writable: true, configurable: true };
  defineProperty(target, key, descriptor);
}

/** Gives a function that stands in for another the `name` or `length` of that, as functions have them. */
export function defineTrait(replacement: object, key: "name" | "length", value: unknown): void {
  const descriptor = { __proto__: null, value, enumerable: false, writable: false, configurable: true };
  defineProperty(replacement, key, descriptor);
}

/** Makes `key` of `target` an own accessor, which stays where `configurable` is false. */
export function defineAccessor(
  target: object,
  key: PropertyKey,
  {
    get,
    set,
    configurable,
  }: { get: () => unknown; set: (this: object, value: unknown) => void; configurable: boolean },
): void {
  const descriptor = { __proto__: null, get, set, configurable, enumerable: true };
  defineProperty(target, key, descriptor);
}
