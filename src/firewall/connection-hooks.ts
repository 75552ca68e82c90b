/**
 * The one place that every connection of JavaScript passes: the prototypes of the native handles. There a destination
 * is a literal, after names, redirects, proxies of the library and every spelling; and no library has a way around it.
 */
import { setImmediate } from "node:timers";
import { callerOf } from "./caller-stacks.js";
import { isOwn, ownerOf } from "./own-connections.js";
import type { Classifier, MetadataService } from "./classify.js";
import { defineAccessor, defineOwn, defineTrait } from "./define-own.js";
import type { Redirect } from "./redirect.js";
import type { NativePrototypes } from "./native-prototypes.js";
import type { Attempt } from "./refusal.js";
import { EACCES, stackHere, withCause } from "./refusal.js";

/** What the hooks ask and tell. */
export interface ConnectionRules {
  readonly classifier: Classifier;
  /** Hears of every attempt. Says whether it is blocked, and the error that stands behind the refusal. Never throws. */
  readonly attempted: (attempt: Attempt) => { readonly blocked: boolean; readonly cause: Error | undefined };
  /** Answers connections to port 80 of the instance metadata service instead. */
  readonly redirect?: Redirect | undefined;
}

// Everything that decides, captured: whoever replaces a built-in later changes nothing.
const { apply } = Reflect;
const { isArray } = Array;
const soon = setImmediate;
const text = String;
const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt) as (text: string, index: number) => number;

type Native = (this: object, ...args: unknown[]) => unknown;
type Prototype = Record<string, Native>;

interface ConnectRequest {
  oncomplete?: (status: number, handle: object, request: object, readable: boolean, writable: boolean) => void;
}

/** Installs the hooks for as long as the thread lives; they can be neither replaced nor deleted. */
export function hookConnections(rules: ConnectionRules, prototypes: NativePrototypes): void {
  const { tcp, udp, resolver } = prototypes as Record<keyof NativePrototypes, Prototype>;
  hookConnect(tcp, "connect", rules.classifier.v4, rules);
  hookConnect(tcp, "connect6", rules.classifier.v6, rules);
  hookDatagrams(udp, "connect", 0, rules.classifier.v4, rules);
  hookDatagrams(udp, "connect6", 0, rules.classifier.v6, rules);
  hookDatagrams(udp, "send", 4, rules.classifier.v4, rules);
  hookDatagrams(udp, "send6", 4, rules.classifier.v6, rules);
  hookServers(resolver, rules);
}

function replace(prototype: Prototype, name: string, hook: Native): void {
  defineTrait(hook, "name", name);
  defineAccessor(prototype, name, {
    get: () => hook,
    // A handle may have a method of its own: for IPv6, Node gives a datagram handle `send6` under the name `send`.
    set(this: object, value: unknown) {
      if (this === prototype) throw new TypeError(`${name} is guarded by imds-guard`);
      defineOwn(this, name, value, true);
    },
    configurable: false,
  });
}

/**
 * An address as the operating system is given it. Node makes text of whatever stands there, once more for each reading;
 * made here, what is looked at is what is dialled.
 */
function asText(address: unknown): unknown {
  return (typeof address === "object" && address !== null) || typeof address === "function" ? text(address) : address;
}

function hookConnect(prototype: Prototype, name: string, classify: Classifier["v4"], rules: ConnectionRules): void {
  const native = prototype[name] as Native;
  const hook = function (this: object, ...args: unknown[]): unknown {
    const { 0: request, 2: port } = args;
    const address = asText(args[1]);
    if (args.length > 1) args[1] = address;
    const service = typeof address === "string" ? classify(address, portOf(port)) : undefined;
    if (service === undefined || isOwn(this)) return apply(native, this, args);
    const owner = ownerOf(this);
    const stack = callerOf(owner) ?? stackHere(hook as never);
    const attempted = (): ReturnType<ConnectionRules["attempted"]> =>
      rules.attempted({ literal: address as string, port: portOf(port), service, via: "tcp", stack });
    const fail = (cause: Error | undefined): void => {
      const complete = (request as ConnectRequest).oncomplete;
      if (typeof complete === "function")
        withCause(owner, cause, () =>
          apply(complete as Native, request as object, [EACCES, this, request, false, false]),
        );
    };
    if (rules.redirect !== undefined && owner !== undefined && service === "imds" && port === 80) {
      rules.redirect({ handle: this, owner, request: request as object }, () => fail(attempted().cause));
      return 0;
    }
    const { blocked, cause } = attempted();
    if (!blocked) return apply(native, this, args);
    // Later, as a real refusal comes: where the address was found without waiting, nobody listens for errors yet.
    soon(() => fail(cause));
    return 0;
  };
  replace(prototype, name, hook);
}

/** Datagrams fail at once, and Node hands that to the callback or emits it a tick later. */
function hookDatagrams(
  prototype: Prototype,
  name: string,
  at: number,
  classify: Classifier["v4"],
  rules: ConnectionRules,
): void {
  const native = prototype[name] as Native;
  const hook = function (this: object, ...args: unknown[]): unknown {
    const address = asText(args[at]);
    if (args.length > at) args[at] = address;
    const port = portOf(at === 0 ? args[1] : args[3]);
    const service = typeof address === "string" ? classify(address, port) : undefined;
    if (service === undefined || isOwn(this)) return apply(native, this, args);
    const stack = callerOf(ownerOf(this)) ?? stackHere(hook as never);
    const { blocked } = rules.attempted({ literal: address as string, port, service, via: "udp", stack });
    return blocked ? EACCES : apply(native, this, args);
  };
  replace(prototype, name, hook);
}

/**
 * `setServers` of c-ares takes `[family, address, port]` triples. What the system itself configured may be set again.
 */
function hookServers(prototype: Prototype, rules: ConnectionRules): void {
  const native = prototype["setServers"] as Native;
  const getServers = prototype["getServers"] as Native;
  const hook = function (this: object, servers: unknown, ...more: unknown[]): unknown {
    if (!isArray(servers) || isOwn(this)) return apply(native, this, arguments as never);
    const wanted: unknown[] = [];
    for (let index = 0; index < servers.length; index++) {
      const entry = (servers as unknown[])[index];
      if (!isArray(entry)) {
        defineOwn(wanted, index, entry, true);
        continue;
      }
      const { 0: family, 1: server, 2: port } = entry as readonly unknown[];
      const address = asText(server);
      defineOwn(wanted, index, [family, address, port], true);
      if (typeof address !== "string") continue;
      const classify = hasColon(address) ? rules.classifier.v6 : rules.classifier.v4;
      const service = classify(address, portOf(port));
      if (service === undefined || isConfigured(apply(getServers, this, []), address)) continue;
      const attempt: Attempt = {
        literal: address,
        port: portOf(port),
        service: service satisfies MetadataService,
        via: "dns-server",
        stack: stackHere(hook as never),
      };
      if (rules.attempted(attempt).blocked) return ARES_EREFUSED;
    }
    return apply(native, this, [wanted, ...more]);
  };
  replace(prototype, "setServers", hook);
}

/** c-ares: "DNS server refused query", the nearest it has; Node throws `ERR_DNS_SET_SERVERS_FAILED` for it. */
const ARES_EREFUSED = 6;

function isConfigured(present: unknown, address: string): boolean {
  if (!isArray(present)) return false;
  for (let index = 0; index < present.length; index++) {
    const entry = (present as unknown[])[index];
    if (isArray(entry) && entry[0] === address) return true;
  }
  return false;
}

function hasColon(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (charCodeAt(text, index) === 58) return true;
  return false;
}

function portOf(port: unknown): number | undefined {
  return typeof port === "number" ? port : undefined;
}
