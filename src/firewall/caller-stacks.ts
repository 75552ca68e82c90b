/** Remembers who asked for a connection: by the time the address is dialled, the stack holds only Node itself. */
import { ownerOf } from "./own-connections.js";
import type { Classifier } from "./classify.js";
import { isPlainQuad } from "./classify.js";
import { defineOwn, defineTrait } from "./define-own.js";
import { isLoaded } from "./loaded-builtins.js";
import type { NativePrototypes } from "./native-prototypes.js";
import { getBuiltinModule } from "./node-process.js";
import type { CapturedStack } from "./refusal.js";
import { captureHere, writtenOut } from "./refusal.js";

const { apply } = Reflect;
const { isArray } = Array;
const { assign, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, hasOwn } = Object;
const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt) as (text: string, index: number) => number;
const includes = Function.prototype.call.bind(String.prototype.includes) as (text: string, part: string) => boolean;

/**
 * The last capture, and the one before: a datagram that had to wait for its socket is sent once more, by Node itself.
 */
interface Asked {
  readonly last: CapturedStack;
  readonly before: CapturedStack | undefined;
}

/**
 * A constructor that returns its argument, so that a private field of a class derived from it is put onto that object.
 */
const ReturnsArgument = function (target: object): object {
  return target;
} as unknown as new (target: object) => object;

/**
 * What is remembered of a socket, on the socket itself: as hidden as in a WeakMap, and no work for the garbage
 * collector.
 */
class Remembered extends ReturnsArgument {
  #asked: Asked;

  private constructor(socket: object, asked: Asked) {
    super(socket);
    this.#asked = asked;
  }

  static of(socket: object): Asked | undefined {
    return #asked in socket ? socket.#asked : undefined;
  }

  static put(socket: object, asked: Asked): void {
    if (#asked in socket) socket.#asked = asked;
    else new Remembered(socket, asked);
  }
}

/** The stack of whoever asked `socket` to connect or send, if it was a call that could end at a metadata service. */
export function callerOf(socket: unknown): string | undefined {
  const found = typeof socket === "object" && socket !== null ? Remembered.of(socket) : undefined;
  if (found === undefined) return undefined;
  const stack = writtenOut(found.last);
  return stack !== undefined && found.before !== undefined && includes(stack, "clearQueue (node:dgram")
    ? writtenOut(found.before)
    : stack;
}

type Method = (this: object, ...args: unknown[]) => unknown;

/** What is waited for. */
interface FirstHandles {
  readonly prototypes: Pick<NativePrototypes, "tcp" | "udp">;
  readonly onFirstSocket?: (() => void) | undefined;
}

/**
 * Wraps the public ways to a connection, for their stack alone: nothing is decided here. Given the prototypes of the
 * handles it waits for the first handle of each kind: loading the modules that make them takes a program longer than
 * everything else of the firewall, and many never need them.
 */
export function rememberCallers(classifier: Classifier, first?: FirstHandles): void {
  // A literal that is refused, or a name, of which only DNS knows. Other literals cost a few comparisons.
  const interesting = (host: unknown): boolean => {
    if (typeof host !== "string" || host === "" || host === "localhost") return false;
    // A name may begin with a digit (`169.254.169.254.nip.io`), and a resolver takes a number for an address.
    if (isPlainQuad(host)) return classifier.v4(host) !== undefined;
    return !looksLikeV6(host) || classifier.v6(host) !== undefined;
  };
  const streams = (): void => {
    const { Socket } = getBuiltinModule("node:net");
    wrap(Socket.prototype, "connect", (args) => {
      // What net.connect has normalized is an array of options and callback.
      const options = isArray(args[0]) ? (args[0] as unknown[])[0] : args[0];
      return interesting(
        typeof options === "object" && options !== null ? (options as { host?: unknown }).host : args[1],
      );
    });
  };
  // The first argument of send is the message; the address is the only other string.
  const addressed = (args: ArrayLike<unknown>): boolean => {
    for (let index = 1; index < args.length; index++) if (interesting(args[index])) return true;
    return false;
  };
  const datagrams = (): void => {
    const { Socket } = getBuiltinModule("node:dgram");
    wrap(Socket.prototype, "send", addressed);
    wrap(Socket.prototype, "connect", addressed);
  };
  // A TLS socket has a handle of its own kind, so what is watched is what all kinds have in common.
  atFirstHandle(first && ownerOfMethod(first.prototypes.tcp), "net", () => {
    streams();
    first?.onFirstSocket?.();
  });
  atFirstHandle(first?.prototypes.udp, "dgram", datagrams);
}

/** What Node asks every handle for, once it belongs to a socket and before anything is looked up or dialled. */
const ASKED_FIRST = "getAsyncId";

/** The prototype in the chain of `prototype` that has the method itself. */
function ownerOfMethod(prototype: object): object | undefined {
  for (let at: object | null = prototype; at !== null; at = getPrototypeOf(at) as object | null)
    if (hasOwn(at, ASKED_FIRST)) return at;
  return undefined;
}

/**
 * Runs `then` at the first handle that `module` makes, or at once where no handle can tell or the module is there
 * already.
 */
function atFirstHandle(prototype: object | undefined, module: "net" | "dgram", then: () => void): void {
  const original = prototype && (prototype as Record<string, Method>)[ASKED_FIRST];
  if (original === undefined || isLoaded(module)) return then();
  const before = getOwnPropertyDescriptor(prototype as object, ASKED_FIRST);
  const value = function getAsyncId(this: object): unknown {
    if (isLoaded(module)) {
      if (before === undefined) delete (prototype as Record<string, unknown>)[ASKED_FIRST];
      else defineProperty(prototype as object, ASKED_FIRST, assign({ __proto__: null }, before));
      try {
        then();
        // Whoever made this handle is on the stack now, within a call that the wrapper came too late for.
        const owner = ownerOf(this);
        if (owner !== undefined) Remembered.put(owner, { last: captureHere(value), before: undefined });
      } catch {
        // A stack that nobody can tell must not be the end of the program's own call.
      }
    }
    return apply(original, this, []);
  };
  defineOwn(prototype as object, ASKED_FIRST, value, true);
}

function looksLikeV6(host: string): boolean {
  for (let index = 0; index < 6; index++) if (charCodeAt(host, index) === 58) return true;
  return false;
}

function wrap(prototype: object, name: string, isInteresting: (args: ArrayLike<unknown>) => boolean): void {
  const original = (prototype as Record<string, Method>)[name] as Method;
  const replacement = {
    [name](this: object): unknown {
      if (isInteresting(arguments))
        Remembered.put(this, { last: captureHere(replacement), before: Remembered.of(this)?.last });
      return apply(original, this, arguments as unknown as unknown[]);
    },
  }[name] as Method;
  defineTrait(replacement, "length", original.length);
  (prototype as Record<string, Method>)[name] = replacement;
}
