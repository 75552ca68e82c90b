/** Remembers who asked for a connection: by the time the address is dialled, the stack holds only Node itself. */
import { Socket as DatagramSocket } from "node:dgram";
import { Socket } from "node:net";
import type { Classifier } from "./classify.js";
import { isPlainQuad } from "./classify.js";
import type { CapturedStack } from "./refusal.js";
import { captureHere, writtenOut } from "./refusal.js";

const { apply } = Reflect;
const { isArray } = Array;
const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt) as (text: string, index: number) => number;
const includes = Function.prototype.call.bind(String.prototype.includes) as (text: string, part: string) => boolean;

/** The last capture, and the one before: a datagram that had to wait for its socket is sent once more, by Node itself. */
interface Asked {
  readonly last: CapturedStack;
  readonly before: CapturedStack | undefined;
}

/** Gives back what it is given, so that the private field of a class made from it is put onto that. */
const Given = function (target: object): object {
  return target;
} as unknown as new (target: object) => object;

/** What is remembered of a socket, on the socket itself: as hidden as in a WeakMap, and no work for the garbage collector. */
class Remembered extends Given {
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
  return stack !== undefined && found.before !== undefined && includes(stack, "clearQueue (node:dgram") ? writtenOut(found.before) : stack;
}

type Method = (this: object, ...args: unknown[]) => unknown;

/** Wraps the public ways to a connection, for their stack alone: nothing is decided here. */
export function watchCallers(classifier: Classifier): void {
  // A literal that is refused, or a name, of which only DNS knows. Other literals cost a few comparisons.
  const interesting = (host: unknown): boolean => {
    if (typeof host !== "string" || host === "" || host === "localhost") return false;
    // A name may begin with a digit (`169.254.169.254.nip.io`), and a resolver takes a number for an address.
    if (isPlainQuad(host)) return classifier.v4(host) !== undefined;
    return !looksLikeV6(host) || classifier.v6(host) !== undefined;
  };
  wrap(Socket.prototype, "connect", (args) => {
    // What net.connect has normalized is an array of options and callback.
    const first = isArray(args[0]) ? (args[0] as unknown[])[0] : args[0];
    return interesting(typeof first === "object" && first !== null ? (first as { host?: unknown }).host : args[1]);
  });
  // The first argument of send is the message; the address is the only other string.
  const addressed = (args: ArrayLike<unknown>): boolean => {
    for (let index = 1; index < args.length; index++) if (interesting(args[index])) return true;
    return false;
  };
  wrap(DatagramSocket.prototype, "send", addressed);
  wrap(DatagramSocket.prototype, "connect", addressed);
}

function looksLikeV6(host: string): boolean {
  for (let index = 0; index < 6; index++) if (charCodeAt(host, index) === 58) return true;
  return false;
}

function wrap(prototype: object, name: string, isInteresting: (args: ArrayLike<unknown>) => boolean): void {
  const original = (prototype as Record<string, Method>)[name] as Method;
  const replacement = {
    [name](this: object): unknown {
      if (isInteresting(arguments)) Remembered.put(this, { last: captureHere(replacement), before: Remembered.of(this)?.last });
      return apply(original, this, arguments as unknown as unknown[]);
    },
  }[name] as Method;
  Object.defineProperty(replacement, "length", { value: original.length, configurable: true });
  (prototype as Record<string, Method>)[name] = replacement;
}
