/** What is worked out when somebody asks for it: explanations that most callers never look at, tables that few need. */
import { ownProperties } from "./own-properties.js";

/**
 * Defines `key` of `target` so that `work` runs at the first reading; from then on it is a plain value. Returns
 * `target`.
 */
export function defineLazy<T extends object, K extends string, V>(
  target: T,
  key: K,
  work: () => V,
): T & { readonly [P in K]: V } {
  let done: { readonly value: V } | undefined;
  const get = (): V => {
    done ??= { value: work() };
    // Of a frozen object it stays an accessor.
    Reflect.defineProperty(
      target,
      key,
      ownProperties({ ...done, enumerable: true, configurable: true, writable: true }),
    );
    return done.value;
  };
  return Object.defineProperty(target, key, ownProperties({ get, enumerable: true, configurable: true })) as T & {
    readonly [P in K]: V;
  };
}

/** `work`, done at the first call; from then on its result. */
export function once<T>(work: () => T): () => T {
  let done: { readonly value: T } | undefined;
  return () => (done ??= { value: work() }).value;
}
