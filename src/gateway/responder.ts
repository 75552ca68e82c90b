/** The gateway's HTTP side: IMDSv2 as the service speaks it, with a limit on everything that a program can hold. */
import { MAX_TTL_SECONDS, TOKEN_HEADER, TTL_HEADER } from "../aws/imds-protocol.js";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { IMDS_IPV4, IMDS_IPV6, isLoopback, sameAddress } from "../base/addresses.js";
import type { CallerLookup } from "./callers.js";
import type { SocketOwner } from "./connection.js";
import { endsOf } from "./connection.js";
import type { MetadataPath } from "./paths.js";
import { readPath } from "./paths.js";
import type { Caller, GatewayRule } from "./rules.js";
import { judge } from "./rules.js";
import type { TokenMint } from "./tokens.js";
import type { Upstream } from "./upstream.js";

/** Connections held at once; a further one takes the place of one of the user that holds the most. */
const MAX_CONNECTIONS = 1_280;
/** Of these, connections of one user: who opens more loses its own, first those that have not asked yet. */
const MAX_CONNECTIONS_OF_USER = 1_024;
/** Connections that wait for this program to take them, as far as the kernel's own limit (`somaxconn`) goes. */
const BACKLOG = 4_096;
/** Bytes of a request's line and headers. */
const MAX_HEADER_BYTES = 8 * 1024;
/** Milliseconds in which a connection has to bring its request, and for which it may idle. */
const REQUEST_TIMEOUT_MS = 5_000;
/** Milliseconds after which a connection takes no further request; what is under way has {@link REQUEST_TIMEOUT_MS} more. */
const CONNECTION_TIMEOUT_MS = 60_000;

/** A request that was passed on by somebody carries one of these; the service refuses tokens to it. */
const FORWARDED = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via"];
/** Headers between neighbours, which no client of the service sends (RFC 9110 section 7.6.1). */
const HOP_BY_HOP = ["te", "trailer", "upgrade", "proxy-connection", "proxy-authorization", "transfer-encoding"];
/** The parser's complaints about more than it takes; all others are about the form. */
const TOO_LARGE: readonly string[] = ["HPE_HEADER_OVERFLOW", "HPE_CHUNK_EXTENSIONS_OVERFLOW"];

/** What became of a request. */
export type Outcome = "answered" | "refused" | "denied" | "malformed" | "unavailable";

/** One request, for the log, the counters and the events. */
export interface Exchange {
  readonly caller: Caller;
  readonly method: string;
  readonly path: string;
  /** 2 with a token or for one, 1 without. */
  readonly version: 1 | 2;
  readonly status: number;
  readonly outcome: Outcome;
  readonly reason: string;
}

/** What is answered with, and to whom. Read anew for every request, so that rules can change under a connection. */
export interface ResponderOptions {
  readonly port: number;
  /** Addresses to listen on: loopback, and bridges' own. */
  readonly addresses: readonly string[];
  /** The bridge that has this address. */
  readonly bridgeOf: (localAddress: string) => string | undefined;
  readonly lookup: CallerLookup;
  readonly mint: TokenMint;
  readonly upstream: Upstream;
  readonly rules: () => readonly GatewayRule[];
  readonly uidMin: number;
  /** Undefined where IMDS may be asked; else why every request is refused. */
  readonly refusal: () => Promise<string | undefined>;
  readonly v1: "refuse" | "report";
  /** Connections held at once. Default 1,280. */
  readonly maxConnections?: number | undefined;
  /** Connections of one user. Default 1,024. */
  readonly connectionsOfUser?: number | undefined;
  /** Milliseconds after which a connection takes no further request. Default 60,000. */
  readonly connectionMs?: number | undefined;
  readonly onExchange: (exchange: Exchange) => void;
  /** Connections of this user were ended for the sake of others, or of its own newer ones. */
  readonly onCrowded?: ((uid: number | undefined) => void) | undefined;
}

/** A running responder. */
export interface Responder {
  readonly port: number;
  readonly connections: () => number;
  close(): Promise<void>;
}

/** Whose a connection is: the user's, nobody's who is known, or of somebody who is being looked up. */
type Holder = number | "unnamed" | undefined;

interface Verdict {
  readonly status: number;
  readonly outcome: Outcome;
  readonly reason: string;
  /** Of what is given; errors have the service's page instead. */
  readonly body?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @throws the system's error where an address cannot be had (`EADDRINUSE`, `EACCES`) */
export async function startResponder(options: ResponderOptions): Promise<Responder> {
  const { lookup, mint, upstream, connectionsOfUser = MAX_CONNECTIONS_OF_USER } = options;
  const { connectionMs = CONNECTION_TIMEOUT_MS, maxConnections = MAX_CONNECTIONS } = options;
  /** Who is at the other end does not change while a connection lasts. */
  const callers = new WeakMap<Socket, Caller>();
  const open = new Map<Socket, Holder>();
  /** Connections without a request under way, oldest first. */
  const idle = new Set<Socket>();
  /** Connections that end with the answer to what they asked. */
  const last = new WeakSet<Socket>();
  const byHolder = new Map<Holder, Set<Socket>>();
  const owners = new WeakMap<Socket, Promise<SocketOwner | undefined>>();
  const servers: ReturnType<typeof createServer>[] = [];
  let port = options.port;

  function accept(socket: Socket): void {
    if (open.size >= maxConnections) crowdOut();
    idle.add(socket);
    keep(socket, "unnamed");
    let timer = setTimeout(() => {
      if (idle.has(socket)) return void socket.destroy();
      last.add(socket);
      timer = setTimeout(() => socket.destroy(), REQUEST_TIMEOUT_MS).unref();
    }, connectionMs).unref();
    socket.once("close", () => {
      clearTimeout(timer);
      drop(socket);
    });
    // Whoever opened it is looked up at once: a program that asks and ends is known while its socket lasts.
    const ends = endsOf(socket);
    const owner = ends === undefined ? Promise.resolve(undefined) : lookup.userOf(ends);
    owners.set(
      socket,
      owner.then((found) => {
        hold(socket, found?.uid);
        return found;
      }),
    );
  }

  function keep(socket: Socket, holder: Holder): void {
    release(socket);
    open.set(socket, holder);
    const held = byHolder.get(holder);
    if (held === undefined) byHolder.set(holder, new Set([socket]));
    else held.add(socket);
  }

  function release(socket: Socket): void {
    const holder = open.get(socket);
    const held = byHolder.get(holder);
    if (held?.delete(socket) === true && held.size === 0) byHolder.delete(holder);
    open.delete(socket);
  }

  function drop(socket: Socket): void {
    release(socket);
    idle.delete(socket);
    socket.destroy();
  }

  /** Ends a connection of whoever holds the most. */
  function crowdOut(): void {
    let holder: Holder;
    let held = new Set<Socket>();
    for (const [each, its] of byHolder) if (its.size > held.size) [holder, held] = [each, its];
    const [oldest] = held;
    const given = oldestIdle(held) ?? oldest;
    if (given !== undefined) drop(given);
    if (holder !== "unnamed") options.onCrowded?.(holder);
  }

  function oldestIdle(held: ReadonlySet<Socket>): Socket | undefined {
    for (const socket of held) if (idle.has(socket)) return socket;
    return undefined;
  }

  function hold(socket: Socket, uid: number | undefined): void {
    if (socket.destroyed) return;
    const held = byHolder.get(uid);
    if (held !== undefined && held.size >= connectionsOfUser) {
      options.onCrowded?.(uid);
      const given = oldestIdle(held) ?? socket;
      drop(given);
      if (given === socket) return;
    }
    keep(socket, uid);
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    idle.delete(socket);
    request.resume();
    response.on("error", () => socket.destroy());
    response.on("close", () => {
      if (!socket.destroyed) idle.add(socket);
    });
    const caller = await callerOf(socket);
    if (caller === undefined) return void socket.destroy();
    const verdict = await answer(request, caller);
    // Gone meanwhile: its port may be somebody else's by now, who did not ask.
    if (socket.destroyed) return;
    const { status, outcome, reason } = verdict;
    if (last.has(socket)) response.setHeader("Connection", "close");
    send(response, verdict);
    options.onExchange({
      caller,
      method: request.method ?? "",
      path: shownPath(request),
      version: versionOf(request),
      status,
      outcome,
      reason,
    });
  }

  async function callerOf(socket: Socket): Promise<Caller | undefined> {
    const ends = endsOf(socket);
    if (ends === undefined) return undefined;
    const owner = await owners.get(socket);
    const bridge =
      owner === undefined && !isLoopback(ends.localAddress) ? options.bridgeOf(ends.localAddress) : undefined;
    const caller = callers.get(socket) ?? (await lookup.identify(ends, owner, bridge, asksForUnits(options.rules())));
    callers.set(socket, caller);
    return caller;
  }

  /** Answers what never became a request, says whose it was, and ends the connection. */
  async function turnAway(
    socket: Socket,
    status: number,
    reason: string,
    asked: { readonly method: string; readonly path: string },
  ): Promise<void> {
    // Behind a request that is being answered there is no place for another answer.
    const alone = idle.delete(socket);
    const caller = await callerOf(socket);
    if (caller === undefined || socket.destroyed) return void socket.destroy();
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nServer: EC2ws\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
    if (alone) socket.end(head, () => socket.destroy());
    else socket.destroy();
    options.onExchange({ caller, ...asked, version: 1, status, outcome: "malformed", reason });
  }

  async function answer(request: IncomingMessage, caller: Caller): Promise<Verdict> {
    const complaint = malformed(request, port);
    if (complaint !== undefined) return { status: 400, outcome: "malformed", reason: complaint };
    const refusal = await options.refusal();
    if (refusal !== undefined) return { status: 403, outcome: "refused", reason: refusal };
    const path = readPath(request.url ?? "");
    if (path === undefined) return { status: 404, outcome: "malformed", reason: "no path of the service" };
    const holder = holderOf(caller);
    if (request.method === "PUT") return issue(request, path, holder);
    if (request.method !== "GET" && request.method !== "HEAD")
      return {
        status: 405,
        outcome: "malformed",
        reason: "no method of the service",
        headers: { Allow: "GET, HEAD, PUT" },
      };
    if (path.kind === "token")
      return {
        status: 405,
        outcome: "malformed",
        reason: "tokens are asked for by PUT",
        headers: { Allow: "OPTIONS, PUT" },
      };
    const token = headerOf(request, TOKEN_HEADER);
    const left = token === undefined ? undefined : mint.secondsLeft(token, holder);
    if (token !== undefined && left === undefined)
      return { status: 401, outcome: "denied", reason: "the token is not good, or is another user's" };
    if (token === undefined && options.v1 === "refuse")
      return { status: 401, outcome: "denied", reason: "IMDSv1: a request without a token" };
    const may = judge(options.rules(), caller, path, options.uidMin);
    if (!may.allowed) return { status: 403, outcome: "denied", reason: may.reason };
    const reply =
      path.kind === "credentials"
        ? await upstream.role(path.canonical, may.role)
        : await upstream.metadata(path.requested);
    const headers: Record<string, string> =
      left === undefined ? {} : { "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": String(left) };
    const { status, body, error } = reply;
    const outcome = status === 403 ? "refused" : status === 503 ? "unavailable" : "answered";
    return { status, outcome, reason: error?.code ?? "", headers, ...(status === 200 && { body }) };
  }

  function issue(request: IncomingMessage, path: MetadataPath, holder: string): Verdict {
    if (path.kind !== "token")
      return {
        status: 405,
        outcome: "malformed",
        reason: "only tokens are asked for by PUT",
        headers: { Allow: "GET, HEAD" },
      };
    // Only behind /latest/, and never to a request that somebody passed on (EC2 User Guide, "Use IMDSv2").
    if (!/^\/+latest\//.test(request.url ?? ""))
      return { status: 403, outcome: "denied", reason: "tokens are only behind /latest/" };
    const passedOn = FORWARDED.find((name) => Object.hasOwn(request.headers, name));
    if (passedOn !== undefined)
      return { status: 403, outcome: "denied", reason: `the request was passed on: it carries ${passedOn}` };
    const wanted = headerOf(request, TTL_HEADER) ?? "";
    const seconds = /^\d{1,5}$/.test(wanted) ? Number(wanted) : 0;
    if (seconds < 1 || seconds > MAX_TTL_SECONDS)
      return { status: 400, outcome: "malformed", reason: `${TTL_HEADER} has to be 1 to ${MAX_TTL_SECONDS}` };
    const body = Buffer.from(mint.issue(holder, seconds));
    return {
      status: 200,
      outcome: "answered",
      reason: "",
      body,
      headers: { "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": String(seconds) },
    };
  }

  async function listen(host: string): Promise<void> {
    const server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      insecureHTTPParser: false,
      requireHostHeader: false,
    });
    const take = (request: IncomingMessage, response: ServerResponse): void => {
      handle(request, response).catch(() => request.socket.destroy());
    };
    server.on("request", take);
    // Nothing is switched to and nothing waited for: these are requests like any other, and refused for what they carry.
    server.on("checkContinue", take);
    server.on("checkExpectation", take);
    server.on("connection", accept);
    server.on("connect", (request: IncomingMessage, socket: Socket) => {
      turnAway(socket, 405, "no method of the service", { method: "CONNECT", path: shownPath(request) }).catch(() =>
        socket.destroy(),
      );
    });
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
      const { code = "" } = error;
      // One that is silent, or gone, asked for nothing.
      if (!code.startsWith("HPE_") || code === "HPE_INVALID_EOF_STATE") return void socket.destroy();
      const status = TOO_LARGE.includes(code) ? 431 : 400;
      turnAway(socket, status, `no HTTP request (${code})`, { method: "", path: "" }).catch(() => socket.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host, exclusive: true, backlog: BACKLOG }, resolve);
    });
    port = (server.address() as AddressInfo).port;
    servers.push(server);
  }

  async function close(): Promise<void> {
    const ended = servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of open.keys()) socket.destroy();
    await Promise.all(ended);
  }

  try {
    for (const address of options.addresses) await listen(address);
  } catch (error) {
    await close();
    throw error;
  }
  return { port, connections: () => open.size, close };
}

/** Whether unit or container of a caller decide anything. */
function asksForUnits(rules: readonly GatewayRule[]): boolean {
  return rules.some(({ units, containers }) => units !== undefined || containers !== undefined);
}

/** Whom a token is good for. Clients on a bridge are told apart by their address, callers that cannot be told not at all. */
function holderOf({ uid, bridge, address }: Caller): string {
  if (bridge !== undefined) return `bridge ${bridge} ${address}`;
  return uid === undefined ? "unknown" : `user ${uid}`;
}

function malformed(request: IncomingMessage, port: number): string | undefined {
  const names = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  const twice = ["host", TOKEN_HEADER, TTL_HEADER].find((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (twice !== undefined) return `${twice} is given twice`;
  const between = HOP_BY_HOP.find((name) => Object.hasOwn(request.headers, name));
  if (between !== undefined) return `it carries ${between}`;
  if (Object.hasOwn(request.headers, "expect")) return "it carries expect";
  const { connection } = request.headers;
  if (connection !== undefined && !/^(?:close|keep-alive)$/i.test(connection))
    return "Connection names more than close or keep-alive";
  if (!isOurs(request.headers.host, port)) return "the Host is not the metadata address";
  const length = request.headers["content-length"];
  return length !== undefined && Number(length) !== 0 ? "it has a body" : undefined;
}

/** The literal metadata addresses, and loopback with our port: a page in a browser brings a name of its own. */
function isOurs(host: string | undefined, port: number): boolean {
  const [, v6, v4 = "", at = "80"] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d+))?$/.exec(host ?? "") ?? [];
  const address = v6 ?? v4;
  const metadata = sameAddress(address, IMDS_IPV4) || sameAddress(address, IMDS_IPV6);
  return (metadata && at === "80") || (isLoopback(address) && Number(at) === port);
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  if (!Object.hasOwn(request.headers, name)) return undefined;
  const value = request.headers[name];
  return typeof value === "string" ? value : undefined;
}

function versionOf(request: IncomingMessage): 1 | 2 {
  return request.method === "PUT" || Object.hasOwn(request.headers, TOKEN_HEADER) ? 2 : 1;
}

/** What a log may show of a path: printable, bounded. */
function shownPath(request: IncomingMessage): string {
  return (request.url ?? "").slice(0, 256).replace(/[^\x21-\x7e]/g, "?");
}

/** The service's own bodies of errors are pages of XHTML, of which clients look at nothing but the status. */
function send(response: ServerResponse, { status, body, headers }: Verdict): void {
  const content = body ?? Buffer.from(errorPage(status));
  response.writeHead(status, {
    "Content-Type": body === undefined ? "text/html" : "text/plain",
    "Content-Length": content.length,
    Server: "EC2ws",
    "Accept-Ranges": "none",
    ...headers,
  });
  // To HEAD Node sends the headers alone.
  response.end(content);
}

function errorPage(status: number): string {
  const title = `${status} - ${STATUS_CODES[status] ?? ""}`;
  return `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>${title}</title>
 </head>
 <body>
  <h1>${title}</h1>
 </body>
</html>
`;
}
