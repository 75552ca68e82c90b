/** Which connections may pass: those that the guard itself marked. The set is reachable from this file only. */
import type { InstalledFirewall } from "../base/own-sockets.js";
import { FIREWALL, FIREWALL_PROTOCOL, handleOf } from "../base/own-sockets.js";
import type { NativePrototypes } from "./native-prototypes.js";

// Captured now, so that replacing a method of WeakSet later opens nothing.
const uncurried = Function.prototype.bind.bind(Function.prototype.call) as (
  method: unknown,
) => (...args: unknown[]) => unknown;
const addTo = uncurried(WeakSet.prototype.add) as (set: WeakSet<object>, value: object) => void;
const isIn = uncurried(WeakSet.prototype.has) as (set: WeakSet<object>, value: object) => boolean;
const { getOwnPropertySymbols, defineProperty, freeze } = Object;

const own = new WeakSet();

/** Whether a native handle or a request is the guard's own. */
export function isOwn(connection: object): boolean {
  return isIn(own, connection);
}

/** A connection itself, and the native handle it will dial or send through. */
function admit(connection: object): void {
  addTo(own, connection);
  const handle = handleOf(connection);
  if (handle !== undefined) addTo(own, handle);
}

/** The socket that a native handle belongs to. */
export function ownerOf(handle: object): object | undefined {
  const symbols = getOwnPropertySymbols(handle);
  for (let index = 0; index < symbols.length; index++) {
    const symbol = symbols[index] as symbol;
    if (symbol.description !== "owner_symbol") continue;
    // A server that is just about to listen has none yet, and says so with null.
    const owner = (handle as Record<symbol, unknown>)[symbol];
    return typeof owner === "object" && owner !== null ? owner : undefined;
  }
  return undefined;
}

/** Makes this copy the one that keeps the set. The property stays: a firewall is never taken away. */
export function publish<Extra extends object>(
  { tcp, udp, resolver }: NativePrototypes,
  extra: Extra,
): InstalledFirewall & Extra {
  const value = freeze({
    __proto__: null,
    protocol: FIREWALL_PROTOCOL,
    own: admit,
    ...extra,
  }) as unknown as InstalledFirewall & Extra;
  const descriptor = { __proto__: null, value, enumerable: false, writable: false, configurable: false };
  defineProperty(tcp, FIREWALL, descriptor);
  defineProperty(udp, FIREWALL, descriptor);
  defineProperty(resolver, FIREWALL, descriptor);
  return value;
}
