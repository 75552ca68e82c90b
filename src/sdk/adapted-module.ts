/**
 * A module of the AWS SDK with some of its members replaced: a copy of its exports, so that nothing is ever assigned
 * into somebody's module. Builds of the SDK differ in what their exports are: plain values, or getters that cannot be
 * changed.
 */
import { noteAdapted } from "../base/adapted-modules.js";

/** Member -> what makes its stand-in out of the original. */
export type Replacements = Readonly<Record<string, (original: never) => unknown>>;

type Replace = (original: unknown) => unknown;

const { apply, getOwnPropertyDescriptor, getPrototypeOf, ownKeys, setPrototypeOf } = Reflect;
const { create, defineProperty, hasOwn, isExtensible, preventExtensions } = Object;

/**
 * A copy of `exports`: the same prototype and every own property as it was described, getters as getters, with each
 * member of `replacements` replaced. An object that merely inherits would lose its names for `import *` and for spread.
 * @throws TypeError where one of them is no function, nor a getter, of `exports`
 */
export function withMembers<Exports extends object>(exports: Exports, replacements: Replacements): Exports {
  for (const name of ownKeys(replacements) as string[]) {
    const own = describe(exports, name);
    if (typeof own?.get !== "function" && typeof own?.value !== "function")
      throw new TypeError(`the module has no function ${name}`);
  }
  const copy = create(getPrototypeOf(exports)) as Exports;
  for (const key of ownKeys(exports)) {
    const own = describe(exports, key) as PropertyDescriptor;
    const replace =
      typeof key === "string" && hasOwn(replacements, key) ? (replacements[key] as unknown as Replace) : undefined;
    defineProperty(copy, key, replace === undefined ? own : replaced(own, exports, replace));
  }
  noteAdapted(copy, exports);
  return isExtensible(exports) ? copy : preventExtensions(copy);
}

/** Without a prototype: what somebody added to that of all objects would count as part of the description. */
function describe(object: object, key: PropertyKey): PropertyDescriptor | undefined {
  const own = getOwnPropertyDescriptor(object, key);
  if (own !== undefined) setPrototypeOf(own, null);
  return own;
}

/** A getter is asked when it is read, as before: some load a module then. */
function replaced(own: PropertyDescriptor, exports: object, replace: Replace): PropertyDescriptor {
  const { get } = own;
  if (get === undefined) {
    own.value = replace(own.value);
    return own;
  }
  let original: unknown;
  let standIn: unknown;
  own.get = (): unknown => {
    const current: unknown = apply(get, exports, []);
    if (typeof current !== "function") return current;
    if (current !== original) {
      standIn = replace(current);
      original = current;
    }
    return standIn;
  };
  return own;
}
