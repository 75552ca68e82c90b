/** How the guard's own sockets get past the firewall of this process, whichever copy of the package installed it. */

/**
 * Where an installed firewall is found. A registered symbol, because the preload and the application's import are often
 * two copies of the package (CommonJS and ESM, or two installs), which share nothing else. Code that goes looking for
 * it can pass itself off as the guard; such code runs in this process with every right the guard has, and could as well
 * read credentials from memory. A request forged through any library (SSRF) runs no code and cannot.
 */
export const FIREWALL = Symbol.for("imds-guard.firewall");

/** What an installed firewall leaves at {@link FIREWALL}. It can add, and tells nothing. */
export interface InstalledFirewall {
  /** Lets this socket, datagram socket or request pass. */
  readonly own: (connection: object) => void;
}

/** Marks a socket or request as the guard's own. Call it in the same turn of the event loop in which it was made. */
export function markOwn<Connection extends object>(connection: Connection): Connection {
  (globalThis as { [FIREWALL]?: InstalledFirewall })[FIREWALL]?.own(connection);
  return connection;
}
