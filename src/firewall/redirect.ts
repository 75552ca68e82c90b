/**
 * Leads connections to the metadata address to a responder of the guard, where a setting allows it. Decided at the
 * native handle, as everything is: what the program asks for stays as it was written, and nobody but the connections
 * that were led here is answered there.
 */
import { setImmediate } from "node:timers";
import { handleOf } from "../base/own-sockets.js";
import type { NativePrototypes } from "./native-prototypes.js";
import { EACCES } from "./refusal.js";

/** Where connections are led. */
export interface Answers {
  /** The port of the responder on 127.0.0.1, or undefined where nobody may be answered on this host. Never rejects. */
  readonly port: () => Promise<number | undefined>;
  /** Announces one connection from this local port, for as long as `isOurs` says that the port is this process's. */
  readonly expect: (localPort: number, isOurs: () => boolean) => void;
}

/** One connection that was asked for. */
export interface Dial {
  readonly handle: object;
  readonly owner: object;
  readonly request: object;
}

/** Leads a connection; calls `refuse` where that cannot be. */
export type Redirect = (dial: Dial, refuse: () => void) => void;

type Native = (this: object, ...args: unknown[]) => unknown;

const { apply } = Reflect;
const soon = setImmediate;
const LOOPBACK = "127.0.0.1";

/** Takes the native methods before the hooks are put over them. `answers` is made with the first connection. */
export function createRedirect({ tcp }: Pick<NativePrototypes, "tcp">, answers: () => Answers): Redirect {
  const { bind, connect, getsockname } = tcp as Record<"bind" | "connect" | "getsockname", Native>;
  let made: Answers | undefined;
  const localPort = (handle: object): number | undefined => {
    const found = { __proto__: null } as { port?: unknown };
    const status = apply(getsockname, handle, [found]);
    return status === 0 && typeof found.port === "number" ? found.port : undefined;
  };
  /** 0, or the system's complaint. */
  const dial = ({ handle, request }: Dial, port: number, expect: Answers["expect"]): unknown => {
    // A socket that the program bound to an address of its own stays where it is.
    const bound = apply(bind, handle, [LOOPBACK, 0]);
    if (bound !== 0) return bound;
    const local = localPort(handle);
    if (local === undefined) return EACCES;
    const status = apply(connect, handle, [request, LOOPBACK, port]);
    // The port is this socket's by now, and before anything that is accepted is looked at.
    if (status === 0) expect(local, () => localPort(handle) === local);
    return status;
  };
  return (wanted, refuse) => {
    const later = (port: number | undefined): void => {
      const { handle, owner } = wanted;
      // Given up meanwhile.
      if (handleOf(owner) !== handle || (owner as { destroyed?: unknown }).destroyed === true) return;
      if (port === undefined || made === undefined || dial(wanted, port, made.expect) !== 0) refuse();
    };
    try {
      made ??= answers();
      made.port().then(later, () => later(undefined));
    } catch {
      soon(() => later(undefined));
    }
  };
}
