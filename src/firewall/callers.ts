/** Remembers who asked for a connection: by the time the address is dialled, the stack holds only Node itself. */
import { Socket as DatagramSocket } from "node:dgram";
import { Socket } from "node:net";
import type { Classifier } from "./classify.js";
import { stackHere } from "./refusal.js";

const { apply } = Reflect;
const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt) as (text: string, index: number) => number;
const asked = new WeakMap<object, string>();
const uncurried = Function.prototype.bind.bind(Function.prototype.call) as (method: unknown) => (...args: unknown[]) => unknown;
const remember = uncurried(WeakMap.prototype.set) as (map: WeakMap<object, string>, key: object, value: string) => void;
const recall = uncurried(WeakMap.prototype.get) as (map: WeakMap<object, string>, key: object) => string | undefined;

const includes = uncurried(String.prototype.includes) as (text: string, part: string) => boolean;

/** The stack of whoever asked `socket` to connect or send, if it was a call that could end at a metadata service. */
export function callerOf(socket: unknown): string | undefined {
  return typeof socket === "object" && socket !== null ? recall(asked, socket) : undefined;
}

type Method = (this: object, ...args: unknown[]) => unknown;

/** Wraps the two public ways to a connection, for their stack alone: nothing is decided here. */
export function watchCallers(classifier: Classifier): void {
  // A literal that is refused, or a name, of which only DNS knows. Other literals cost two comparisons.
  const interesting = (host: unknown): boolean => {
    if (typeof host !== "string" || host === "" || host === "localhost") return false;
    const first = charCodeAt(host, 0);
    if (first >= 48 && first <= 57 && classifier.v4(host) === undefined) return looksLikeV6(host) && classifier.v6(host) !== undefined;
    return !looksLikeV6(host) || classifier.v6(host) !== undefined;
  };
  wrap(Socket.prototype, "connect", (socket, first, second) => {
    const options = Array.isArray(first) ? (first as unknown[])[0] : first;
    const host = typeof options === "object" && options !== null ? (options as { host?: unknown }).host : second;
    return interesting(host) ? socket : undefined;
  });
  // The first argument of send is the message; the address is the only other string.
  wrap(DatagramSocket.prototype, "send", (socket, _, ...rest) => (rest.some((value) => interesting(value)) ? socket : undefined));
  wrap(DatagramSocket.prototype, "connect", (socket, _, address) => (interesting(address) ? socket : undefined));
}

function looksLikeV6(host: string): boolean {
  const end = host.length < 6 ? host.length : 6;
  for (let index = 0; index < end; index++) if (charCodeAt(host, index) === 58) return true;
  return false;
}

function wrap(prototype: object, name: string, pick: (self: object, ...args: unknown[]) => object | undefined): void {
  const original = (prototype as Record<string, Method>)[name] as Method;
  const replacement = {
    [name](this: object, ...args: unknown[]): unknown {
      const socket = pick(this, ...args);
      const stack = socket === undefined ? undefined : stackHere(replacement);
      // A datagram that had to wait for its socket is sent once more, by Node itself.
      if (socket !== undefined && stack !== undefined && !includes(stack, "clearQueue (node:dgram")) remember(asked, socket, stack);
      return apply(original, this, args);
    },
  }[name] as Method;
  Object.defineProperty(replacement, "length", { value: original.length, configurable: true });
  (prototype as Record<string, Method>)[name] = replacement;
}
