/** Keeps requests for metadata services off proxies: there the destination is no address any more but text in a request. */
import { subscribe } from "node:diagnostics_channel";
import { isOwn } from "./capability.js";
import type { Classifier, MetadataService } from "./classify.js";
import { isPlainQuad } from "./classify.js";
import type { HandleRules } from "./handles.js";
import { EACCES, stackHere } from "./refusal.js";

/** What is added to `NO_PROXY`: exact literals, because most clients know no networks there. */
const LITERALS = ["169.254.169.254", "[fd00:ec2::254]", "169.254.169.253", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt) as (text: string, index: number) => number;
const slice = Function.prototype.call.bind(String.prototype.slice) as (text: string, from: number, to: number) => string;
const exec = Function.prototype.call.bind(RegExp.prototype.exec) as (pattern: RegExp, text: string) => readonly (string | undefined)[] | null;
const { apply } = Reflect;
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

/** Extends `NO_PROXY` (both spellings where both are set) and ends requests that would leave through a proxy all the same. */
export function keepOffProxies(rules: HandleRules): void {
  extendNoProxy();
  /** The service that a host, or the target that is written in the place of a path, leads to; and where it says so. */
  const find = (host: string | undefined, path: unknown): { readonly text: string; readonly service: MetadataService } | undefined => {
    // `GET http://host/...` and `CONNECT host:port` are how a client tells a proxy where to go.
    const target = typeof path === "string" && path !== "" && charCodeAt(path, 0) !== 47 ? authorityOf(path) : undefined;
    const targeted = target === undefined ? undefined : serviceOfHost(target, rules.classifier);
    if (target !== undefined && targeted !== undefined) return { text: target, service: targeted };
    const named = host === undefined ? undefined : serviceOfHost(host, rules.classifier);
    if (host !== undefined && named !== undefined) return { text: host, service: named };
    return undefined;
  };
  const check = (request: HttpRequest): void => {
    const found = find(typeof request.host === "string" ? request.host : undefined, request.path);
    if (found === undefined || isOwn(request)) return;
    const stated = request.getHeader?.("host");
    const error = refuse(rules, found.text, portOf(typeof stated === "string" ? stated : "", request.protocol), found.service, check);
    if (error !== undefined) request.destroy(error);
  };
  // A request without an agent has a connection of its own making and is looked at when it is complete: only then can the
  // guard have marked it as its own.
  subscribe("http.client.request.created", (message) => {
    const { request } = message as { request: HttpRequest };
    if (request.agent) check(request);
  });
  // Node 20 does not publish that; there an agent would already be dialling its proxy when the request starts.
  if (Number.parseInt(process.versions.node, 10) < 22) guardAgents(check);
  subscribe("http.client.request.start", (message) => check((message as { request: HttpRequest }).request));
  const dispatched = (message: unknown): void => {
    const { request } = message as { request: UndiciRequest };
    const origin = typeof request.origin === "string" ? request.origin : request.origin instanceof canonicalUrl ? request.origin.origin : "";
    const found = find(authorityOf(origin), request.path);
    if (found === undefined) return;
    const error = refuse(rules, found.text, portOf(origin, exec(/^[a-z]+:/i, origin)?.[0]), found.service, dispatched);
    if (error === undefined) return;
    if (typeof request.onError === "function") request.onError(error);
    else request.onResponseError?.(error);
  };
  subscribe("undici:request:create", dispatched);
}

/** Looks at a request before its agent does. What was refused is destroyed and goes to no agent. */
function guardAgents(check: (request: HttpRequest) => void): void {
  const prototype = process.getBuiltinModule("node:http").Agent.prototype as unknown as { addRequest: (this: object, request: HttpRequest & { readonly destroyed: boolean; onSocket(socket: null): void }, ...rest: unknown[]) => unknown };
  const { addRequest: original } = prototype;
  prototype.addRequest = function addRequest(request, ...rest) {
    check(request);
    if (!request.destroyed) return apply(original, this, [request, ...rest]);
    // A request says why it was destroyed when it is given its socket.
    return request.onSocket(null);
  };
}

function refuse(rules: HandleRules, host: string, port: number, service: MetadataService, below: (...args: never[]) => unknown): Error | undefined {
  const { blocked, cause } = rules.attempted({ literal: host, port, service, way: "http", stack: stackHere(below) });
  if (!blocked) return undefined;
  // The shape of a connection that the system refused.
  const error = new Error(`connect EACCES ${host}:${port}`, { cause });
  return Object.assign(error, { errno: EACCES, code: "EACCES", syscall: "connect", address: host, port });
}

/** The port at the end of a host or origin, else the protocol's own. */
function portOf(text: string, protocol: unknown): number {
  const digits = exec(/^(?:[a-z]+:\/\/)?(?:\[[^\]]*\]|[^:[\]]*):(\d+)$/i, text)?.[1];
  return digits === undefined ? (protocol === "https:" ? 443 : 80) : Number(digits);
}

/** Host of `http://host:port/...`, `host:port` or `host`, brackets and user info removed. */
function authorityOf(text: string): string {
  const authority = exec(/^(?:[a-z][a-z0-9+.-]*:\/\/)?([^/?#]*)/i, text)?.[1] ?? "";
  const host = exec(/(?:^|@)(?:\[([^\]]*)\]|([^@:[\]]*))(?::\d*)?$/, authority);
  return host?.[1] ?? host?.[2] ?? "";
}

/** The service that a host leads to, in the forms too that only a proxy or its resolver would take for an address. */
function serviceOfHost(host: string, classifier: Classifier): MetadataService | undefined {
  if (host === "") return undefined;
  let lastLabel = 0;
  for (let index = 0; index < host.length; index++) {
    const code = charCodeAt(host, index);
    if (code === 58) return classifier.v6(charCodeAt(host, 0) === 91 ? slice(host, 1, -1) : host);
    // The label behind the last dot that has something behind it.
    if (code === 46 && index + 1 < host.length) lastLabel = index + 1;
  }
  const first = charCodeAt(host, lastLabel);
  // Only what ends in a number is an address (WHATWG); full-width digits are beyond ASCII.
  if ((first < 48 || first > 57) && first < 128) return undefined;
  const literal = classifier.v4(host);
  if (literal !== undefined) return literal;
  // Parsing a URL costs more than everything else here, and most hosts that end in a number are written plainly.
  if (isPlainQuad(host)) return undefined;
  const url = `http://${host}/`;
  return canonicalUrl.canParse(url) ? classifier.v4(new canonicalUrl(url).hostname) : undefined;
}

function extendNoProxy(): void {
  const { env } = process;
  for (const name of ["NO_PROXY", "no_proxy"]) {
    const given = env[name];
    // Lower case wins where both are set, so it is extended and not made.
    if (given === undefined && (name === "no_proxy" || env["no_proxy"] !== undefined)) continue;
    if (given?.trim() === "*") continue;
    const present = (given ?? "").split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
    env[name] = [...present, ...LITERALS.filter((literal) => !present.includes(literal))].join(",");
  }
}
