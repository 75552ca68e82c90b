/**
 * Options of connections and requests, written out. Node copies them into plain objects and takes what is missing there
 * from `Object.prototype`, where others may have put something: so whatever it knows is named.
 */
import type { ClientRequest, ClientRequestArgs } from "node:http";
import type { Socket, TcpNetConnectOpts } from "node:net";
import { ownProperties, unsaid } from "./own-properties.js";

/** What one request over a socket is about. */
export interface RequestOverSocket {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The most bytes of headers in the answer. */
  readonly maxHeaderSize: number;
  /** Whether Node writes the `host` header. */
  readonly setHost: boolean;
}

/**
 * A TCP connection. `host` is a name or an address, an IPv6 one with or without brackets. `autoSelectFamily` tries the
 * other addresses of a name; default: as the process has it.
 */
export function tcpOptions(host: string, port: number, autoSelectFamily?: boolean): TcpNetConnectOpts {
  const options = {
    ...unsaid("autoSelectFamilyAttemptTimeout blockList family fd handle hints keepAlive keepAliveInitialDelay"),
    ...unsaid("localAddress localPort lookup noDelay objectMode onread path readable signal timeout writable"),
    host: host.replace(/^\[(.*)\]$/, "$1"),
    port,
    autoSelectFamily,
    allowHalfOpen: false,
  };
  return options;
}

/** A request over this very socket: with an agent, a connection of the agent's would be used. */
export function requestOptions(socket: Socket, { headers, ...request }: RequestOverSocket): ClientRequestArgs {
  return {
    ...unsaid("_defaultAgent agent auth defaultPort highWaterMark hostname joinDuplicateHeaders localAddress lookup"),
    ...unsaid("protocol setDefaultHeaders signal socketPath timeout uniqueHeaders"),
    ...request,
    headers: ownProperties(headers),
    createConnection: () => socket,
    insecureHTTPParser: false,
  };
}

/**
 * Frees a socket or request of what it would inherit besides its options; call it in the turn in which it was made. Node
 * 20 keeps the listeners of a stream in an object that inherits what all objects do, where a property `timeout` would be
 * taken for a listener and end the process; a request without a `timeout` of its own takes that for one as well.
 */
export function detachInherited<Connection extends Socket | ClientRequest>(connection: Connection): Connection {
  const { _events: listeners } = connection as { readonly _events?: object };
  if (listeners !== undefined) Object.setPrototypeOf(listeners, null);
  return Object.assign(connection, { timeout: undefined });
}
