/**
 * Loads what others wrote where data put properties on `Object.prototype` (prototype pollution, CWE-1321). The loader
 * of Node.js, its modules and those of the SDK read plain objects when something is loaded: an inherited `get` is then
 * part of a property, and an inherited `path` makes a URL none. A program that had loaded all of it before lives on, and
 * one that loads it now fails.
 */

const { defineProperty, getOwnPropertyDescriptor, keys, prototype: shared, setPrototypeOf } = Object;
const { deleteProperty } = Reflect;

/** Calls `load`, which waits for nothing; until it is done nothing enumerable is on `Object.prototype`. */
export function loadPlainly<T>(load: () => T): T {
  const names = keys(shared);
  if (names.length === 0) return load();
  // Taking an array apart asks its iterator for `return`, which may be among them.
  const taken: { readonly name: string; readonly found: PropertyDescriptor }[] = [];
  for (const name of names) {
    const found = setPrototypeOf(getOwnPropertyDescriptor(shared, name) ?? {}, null) as PropertyDescriptor;
    if (found.configurable === true) taken.push({ name, found });
  }
  for (const { name } of taken) deleteProperty(shared, name);
  try {
    return load();
  } finally {
    for (const { name, found } of taken) defineProperty(shared, name, found);
  }
}
