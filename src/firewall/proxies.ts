/**
 * Keeps requests for metadata services off proxies: there the destination is no address any more but text in a request.
 */
import { subscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { isOwn } from "./own-connections.js";
import type { Classifier, MetadataService } from "./classify.js";
import { isPlainQuad, serviceOf, serviceOfV4 } from "./classify.js";
import type { ConnectionRules } from "./connection-hooks.js";
import { defineAccessor, defineOwn } from "./define-own.js";
import { isLoaded } from "./loaded-builtins.js";
import { getBuiltinModule, nodeProcess, ownVariable } from "./node-process.js";
import { EACCES, stackHere } from "./refusal.js";

/** What is added to `NO_PROXY`: exact literals, because most clients know no networks there. */
const LITERALS = [
  "169.254.169.254",
  "[fd00:ec2::254]",
  "169.254.169.253",
  "169.254.170.2",
  "169.254.170.23",
  "[fd00:ec2::23]",
];

const DOT = 46;
const SLASH = 47;

const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt) as (text: string, index: number) => number;
const slice = Function.prototype.call.bind(String.prototype.slice) as (
  text: string,
  from: number,
  to: number,
) => string;
const exec = Function.prototype.call.bind(RegExp.prototype.exec) as (
  pattern: RegExp,
  text: string,
) => readonly (string | undefined)[] | null;
const { apply, ownKeys } = Reflect;
const { getPrototypeOf, hasOwn } = Object;
const canonicalUrl = URL;

/** What Node's HTTP client publishes, as far as it is looked at. */
interface HttpRequest {
  readonly agent?: unknown;
  readonly host?: unknown;
  readonly path?: unknown;
  readonly protocol?: unknown;
  getHeader?(name: string): unknown;
  destroy(error: Error): void;
}

/** What undici (and so `fetch`) publishes. */
interface UndiciRequest {
  readonly origin?: unknown;
  readonly path?: unknown;
  onError?(error: Error): void;
  onResponseError?(error: Error): void;
}

/** A metadata service that a request leads to. */
interface Found {
  readonly text: string;
  readonly service: MetadataService;
  /** What is written in the place of a path, where that names it: the host is a proxy's then. */
  readonly target: string | undefined;
}

/**
 * Extends `NO_PROXY` (both spellings where both are set) and ends requests that would leave through a proxy all the
 * same.
 */
export function keepOffProxies(rules: ConnectionRules): void {
  extendNoProxy();
  /** The last host that leads to no service, whatever is allowed: most requests go where the one before went. */
  let ordinary = "";
  const find = (host: string, path: unknown, port: () => number): Found | undefined => {
    // `GET http://host/...` and `CONNECT host:port` are how a client tells a proxy where to go.
    // What begins with a slash names no host, and nearly all requests do.
    if (typeof path === "string" && path !== "" && charCodeAt(path, 0) !== SLASH) {
      const text = authorityOf(path);
      const targeted = serviceOfHost(text, rules.classifier, () => portOf(path, isSecure(path)));
      if (targeted !== undefined) return { text, service: targeted, target: path };
    }
    if (host === ordinary) return undefined;
    if (isOrdinary(host)) {
      ordinary = host;
      return undefined;
    }
    const named = serviceOfHost(host, rules.classifier, port);
    return named === undefined ? undefined : { text: host, service: named, target: undefined };
  };
  const check = (request: HttpRequest): void => {
    const port = (): number => {
      const stated = request.getHeader?.("host");
      return portOf(typeof stated === "string" ? stated : "", request.protocol === "https:");
    };
    const found = find(typeof request.host === "string" ? request.host : "", request.path, port);
    if (found === undefined || isOwn(request) || (isRedirected(found, port()) && isPlainAgent(request.agent))) return;
    const error = refuse(rules, found, port(), check);
    if (error !== undefined) request.destroy(error);
  };
  // A request without an agent has a connection of its own making and is looked at when it is complete: only then can
  // the guard have marked it as its own.
  subscribe("http.client.request.created", (message) => {
    const { request } = message as { request: HttpRequest };
    if (request.agent) check(request);
  });
  // Node 20 does not publish that; there an agent would already be dialling its proxy when the request starts.
  if (Number.parseInt(nodeProcess.versions.node, 10) < 22) guardAgents(check);
  subscribe("http.client.request.start", (message) => check((message as { request: HttpRequest }).request));
  /** What is answered at the handle goes there, unless somebody else would dial. */
  function isRedirected({ text, service, target }: Found, port: number): boolean {
    return rules.redirect !== undefined && target === undefined && service === "imds" && port === 80 && isLiteral(text);
  }
  let last = { origin: "", host: "" };
  const dispatched = (message: unknown): void => {
    const { request } = message as { request: UndiciRequest };
    const origin =
      typeof request.origin === "string"
        ? request.origin
        : request.origin instanceof canonicalUrl
          ? request.origin.origin
          : "";
    if (origin !== last.origin) last = { origin, host: authorityOf(origin) };
    const port = (): number => portOf(origin, isSecure(origin));
    const found = find(last.host, request.path, port);
    // A proxy of undici's is asked by a path that names the target.
    if (found === undefined || isRedirected(found, port())) return;
    const error = refuse(rules, found, port(), dispatched);
    if (error === undefined) return;
    if (typeof request.onError === "function") request.onError(error);
    else request.onResponseError?.(error);
  };
  subscribe("undici:request:create", dispatched);
}

/** As `NO_PROXY` has it: another spelling could still be sent through a proxy of the environment. */
function isLiteral(host: string): boolean {
  return host === "169.254.169.254" || host === "fd00:ec2::254" || host === "[fd00:ec2::254]";
}

/** Whether an agent is Node's own and dials what it is asked for: no proxy, and no other host. */
function isPlainAgent(agent: unknown): boolean {
  if (typeof agent !== "object" || agent === null) return false;
  if (getPrototypeOf(agent) !== getBuiltinModule("node:http").Agent.prototype) return false;
  const { options = {} } = agent as { readonly options?: object };
  return !leadsElsewhere(agent) && !leadsElsewhere(options);
}

/** A method of its own, another host, or what is known of a proxy. */
function leadsElsewhere(holder: object): boolean {
  return ownKeys(holder).some((key) => {
    const value = (holder as Record<string | symbol, unknown>)[key];
    const name = typeof key === "string" ? key : (key.description ?? "");
    return typeof value === "function" || (Boolean(value) && /^(?:host|hostname|path|socketPath)$|proxy/i.test(name));
  });
}

interface AgentPrototype {
  addRequest: (this: object, request: AgentRequest, ...rest: unknown[]) => unknown;
}
type AgentRequest = HttpRequest & { readonly destroyed: boolean; onSocket(socket: null): void };

/** Looks at a request before its agent does. What was refused is destroyed and goes to no agent. */
function guardAgents(check: (request: HttpRequest) => void): void {
  const guarded = (original: AgentPrototype["addRequest"]): AgentPrototype["addRequest"] =>
    function addRequest(request) {
      check(request);
      if (!request.destroyed) return apply(original, this, arguments as unknown as [AgentRequest]);
      // A request says why it was destroyed when it is given its socket.
      return request.onSocket(null);
    };
  if (isLoaded("_http_agent")) {
    const prototype = getBuiltinModule("node:http").Agent.prototype as unknown as AgentPrototype;
    prototype.addRequest = guarded(prototype.addRequest);
    return;
  }
  // Loading node:http takes longer than the rest of the firewall. When Node does, it assigns the method to a prototype
  // that inherits from this one, and so the assignment comes by here.
  defineAccessor(EventEmitter.prototype, "addRequest", {
    get: () => undefined,
    set(this: object, value: unknown) {
      const agents = typeof value === "function" && hasOwn(this, "createConnection");
      defineOwn(this, "addRequest", agents ? guarded(value as AgentPrototype["addRequest"]) : value, true);
    },
    configurable: true,
  });
}

/** `port` is that of the host. */
function refuse(
  rules: ConnectionRules,
  { text, service, target }: Found,
  port: number,
  below: (...args: never[]) => unknown,
): Error | undefined {
  if (target !== undefined) port = portOf(target, isSecure(target));
  const { blocked, cause } = rules.attempted({ literal: text, port, service, via: "http", stack: stackHere(below) });
  if (!blocked) return undefined;
  // The shape of a connection that the system refused.
  const error = new Error(`connect EACCES ${text}:${port}`, { cause });
  return Object.assign(error, { errno: EACCES, code: "EACCES", syscall: "connect", address: text, port });
}

function isSecure(url: string): boolean {
  return exec(/^https:/i, url) !== null;
}

/** The port in an authority or URL, else the protocol's own. */
function portOf(text: string, secure: boolean): number {
  const digits = exec(/^(?:[a-z]+:\/\/)?(?:[^/?#]*@)?(?:\[[^\]]*\]|[^:[\]/?#@]*):(\d+)(?:[/?#]|$)/i, text)?.[1];
  return digits === undefined ? (secure ? 443 : 80) : Number(digits);
}

/** Host of `http://host:port/...`, `host:port` or `host`, brackets and user info removed. */
function authorityOf(text: string): string {
  const authority = exec(/^(?:[a-z][a-z0-9+.-]*:\/\/)?([^/?#]*)/i, text)?.[1] ?? "";
  const host = exec(/(?:^|@)(?:\[([^\]]*)\]|([^@:[\]]*))(?::\d*)?$/, authority);
  return host?.[1] ?? host?.[2] ?? "";
}

/**
 * The service that a host leads to, in the forms too that only an agent, a proxy or its resolver would take for an
 * address.
 */
function serviceOfHost(host: string, classifier: Classifier, port: () => number): MetadataService | undefined {
  if (host === "" || isPlainName(host)) return undefined;
  const literal = serviceOfLiteral(host, classifier, port);
  // Parsing a URL costs more than everything else here, and most hosts that end in a number are written plainly.
  if (literal !== undefined || isPlainQuad(host)) return literal;
  const url = `http://${host}/`;
  return canonicalUrl.canParse(url) ? serviceOfLiteral(new canonicalUrl(url).hostname, classifier, port) : undefined;
}

/** Whether a host leads to no service by itself, found out without asking what is allowed at the moment. */
function isOrdinary(host: string): boolean {
  return isPlainName(host) || (isPlainQuad(host) && serviceOfV4(host) === undefined);
}

/**
 * Whether a host is a name, and so no address: only what ends in a number is one (WHATWG), once everything else is
 * undone that a URL may do to it. It is labels of letters, digits, `_` and `-`, the last of which begins with no digit;
 * a dot may stand behind it. Read by hand, because so many requests are asked this.
 */
export function isPlainName(host: string): boolean {
  const { length } = host;
  const end = length > 0 && charCodeAt(host, length - 1) === DOT ? length - 1 : length;
  let label = 0;
  for (let index = 0; index < end; index++) {
    const code = charCodeAt(host, index);
    if (code === DOT) {
      if (index === label) return false;
      label = index + 1;
    } else if (!isDigit(code) && !isLetterOrDash(code)) return false;
  }
  return label < end && !isDigit(charCodeAt(host, label));
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isLetterOrDash(code: number): boolean {
  return ((code | 32) >= 97 && (code | 32) <= 122) || code === 95 || code === 45;
}

function serviceOfLiteral(host: string, { v4, v6 }: Classifier, port: () => number): MetadataService | undefined {
  const literal = charCodeAt(host, 0) === 91 ? slice(host, 1, -1) : host;
  // Most hosts lead to none, whatever is allowed.
  if (serviceOf(literal) === undefined) return undefined;
  return v4(literal, port()) ?? v6(literal, port());
}

function extendNoProxy(): void {
  const { env } = nodeProcess;
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const value = ownVariable(name);
    // Lower case wins where both are set, so it is extended and not made.
    if (value === undefined && (name === "no_proxy" || ownVariable("no_proxy") !== undefined)) continue;
    if (value?.trim() === "*") continue;
    const present = (value ?? "")
      .split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== "");
    env[name] = [...present, ...LITERALS.filter((literal) => !present.includes(literal))].join(",");
  }
}
