/**
 * Copies that inherit nothing. What others hand over is read through them, so that a property which data has put on
 * `Object.prototype` (prototype pollution, CWE-1321) is no option, no variable and no key of a profile.
 */

/** An object without a prototype that holds the own enumerable properties of `given`, as they are at this moment. */
export function ownProperties<T extends object>(object: T): T {
  return Object.assign(Object.create(null) as T, object);
}

/** The same without one of them. */
export function ownPropertiesBut<T extends object, K extends keyof T>(object: T, left: K): Omit<T, K> {
  const own = ownProperties(object);
  Reflect.deleteProperty(own, left);
  return own;
}

/** An own property, or undefined where there is none. */
export function ownProperty<T extends object, K extends keyof T>(
  object: T | null | undefined,
  key: K,
): T[K] | undefined {
  return object !== null && object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
}

/** An own `undefined` for each of these names (with spaces between them), where what is missing would be inherited. */
export function unsaid(names: string): object {
  return Object.fromEntries(names.split(" ").map((name) => [name, undefined]));
}

/** Whether a value of several shapes has the one with this own key. `in` would look at what all objects inherit. */
export function hasOwnKey<T extends object, K extends string>(
  value: T,
  key: K,
): value is Extract<T, { readonly [P in K]: unknown }> {
  return Object.hasOwn(value, key);
}

/** Whether a value is an object as a literal makes it, in whatever realm: it inherits from an `Object.prototype` alone. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
