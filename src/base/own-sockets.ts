/** How the guard's own sockets get past the firewall of this process, whichever copy of the package installed it. */

/**
 * Where an installed firewall is found: on the prototype of each kind of native handle. Of all objects these alone are
 * shared by everything in a thread: the preload, the application's import and a bundler's copy, two installed versions,
 * the realms of a test runner and vm contexts. Code that goes looking for it can pass itself off as the guard; such
 * code runs in this process with every right the guard has, and could as well read credentials from memory. A request
 * forged through any library (SSRF) runs no code and cannot.
 */
export const FIREWALL = Symbol.for("imds-guard.firewall");

/** What this version leaves at {@link FIREWALL}. Later ones add to it and change nothing that is there. */
export const FIREWALL_PROTOCOL = 1;

/** What an installed firewall of any version leaves at {@link FIREWALL}. It can add, and tells nothing. */
export interface InstalledFirewall {
  readonly protocol: number;
  /** Lets this socket, datagram socket, resolver or request pass. */
  readonly own: (connection: object) => void;
}

const { getOwnPropertyDescriptor, getOwnPropertySymbols, getPrototypeOf, hasOwn } = Object;

/**
 * Marks a socket or request as the guard's own. Call it in the same turn of the event loop in which it was made. A
 * request has no handle before it has its socket, which is named beside it.
 */
export function markOwn<Connection extends object>(connection: Connection, socket: object = connection): Connection {
  const handle = handleOf(socket);
  if (handle !== undefined) firewallAt(getPrototypeOf(handle))?.own(connection);
  return connection;
}

/** The firewall that was left on the prototype of a native handle. */
export function firewallAt(prototype: unknown): InstalledFirewall | undefined {
  if (typeof prototype !== "object" || prototype === null || !hasOwn(prototype, FIREWALL)) return undefined;
  return getOwnPropertyDescriptor(prototype, FIREWALL)?.value as InstalledFirewall | undefined;
}

/** The native handle of a stream socket, a resolver, or a datagram socket. */
export function handleOf(connection: object): object | undefined {
  const symbols = getOwnPropertySymbols(connection);
  for (let index = 0; index < symbols.length; index++) {
    const symbol = symbols[index] as symbol;
    if (symbol.description !== "state symbol") continue;
    // Of a datagram socket, whose `_handle` is deprecated: reading that prints a warning.
    const { handle } = (connection as Record<symbol, { handle?: unknown }>)[symbol] ?? {};
    if (typeof handle === "object" && handle !== null) return handle;
  }
  const { _handle: handle } = connection as { _handle?: unknown };
  return typeof handle === "object" && handle !== null ? handle : undefined;
}
