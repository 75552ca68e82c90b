/**
 * A small HTTP server for this host alone: one path on 127.0.0.1, GET only, with a limit on everything a caller can
 * hold.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import { isLoopback } from "../base/addresses.js";
import { equalInConstantTime } from "./constant-time.js";

/** Connections held at once; a further one takes the place of the oldest that has not asked yet. */
export const MAX_CONNECTIONS = 64;
/** Bytes of a request's line and headers. */
export const MAX_HEADER_BYTES = 8 * 1024;
/** Milliseconds in which a connection has to bring its request. */
export const REQUEST_TIMEOUT_MS = 5_000;
/** Milliseconds after which a connection is gone, whatever became of it: a caller that does not read holds nothing. */
export const CONNECTION_TIMEOUT_MS = 30_000;

/** Why a request was turned away. */
export type Rejection = "peer" | "host" | "path" | "method" | "token" | "rate";

/** What a request is answered with. */
export interface Reply {
  readonly status: number;
  /** Default `application/json`. */
  readonly contentType?: string;
  readonly body: string;
}

/** What {@link startLoopbackServer} serves. */
export interface LoopbackServerOptions {
  /** The only path there is. */
  readonly path: string;
  /** Default 0: one that is free. */
  readonly port?: number | undefined;
  /** A listening socket that this process was handed, by its descriptor; in the place of `port`. */
  readonly descriptor?: number | undefined;
  /** Whether the server keeps the process alive. Default false. */
  readonly holdsProcess?: boolean | undefined;
  /** Takes `localhost` for a Host too: for what is no secret. Default false. */
  readonly asLocalhost?: boolean | undefined;
  /** Asked once address, path and method are right; undefined lets the request pass. */
  readonly admit?: ((request: IncomingMessage) => Rejection | undefined) | undefined;
  readonly reply: () => Promise<Reply>;
  /** Called for every request that was turned away. */
  readonly onRejected?: ((reason: Rejection) => void) | undefined;
}

/** A running server. */
export interface LoopbackServer {
  readonly port: number;
  /** Full URL of the path. */
  readonly url: string;
  /** The listening socket, for a child process to hold as well: nobody else can have the port while one does. */
  readonly listener: Server;
  /** Ends every connection and frees the port. */
  close(): Promise<void>;
}

const STATUS: Readonly<Record<Rejection, number>> = {
  peer: 403,
  host: 403,
  path: 404,
  method: 405,
  token: 401,
  rate: 429,
};

/**
 * Starts a server on 127.0.0.1.
 *
 * A web page can make a browser on this host send requests here, under a name that it resolves to 127.0.0.1. The `Host`
 * header then carries that name, so only the literal authority is taken.
 *
 * @throws the system's error where the port cannot be had (`EADDRINUSE`, `EACCES`), or `EADDRNOTAVAIL` where the socket
 * that was handed over does not listen on 127.0.0.1
 */
export async function startLoopbackServer(options: LoopbackServerOptions): Promise<LoopbackServer> {
  const { path, port: wanted = 0, reply, admit, onRejected } = options;
  /** Connections that have not brought a request yet, oldest first. */
  const idle = new Set<Socket>();
  const open = new Set<Socket>();
  let authority = "";

  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      insecureHTTPParser: false,
      noDelay: true,
    },
    (request, response) => {
      handle(request, response).catch(() => request.socket.destroy());
    },
  );
  server.on("connection", (socket: Socket) => {
    const oldest =
      open.size >= MAX_CONNECTIONS ? (idle.values().next().value ?? open.values().next().value) : undefined;
    oldest?.destroy();
    open.add(socket);
    idle.add(socket);
    const timer = setTimeout(() => socket.destroy(), CONNECTION_TIMEOUT_MS).unref();
    socket.once("close", () => {
      clearTimeout(timer);
      open.delete(socket);
      idle.delete(socket);
    });
    if (options.holdsProcess !== true) socket.unref();
  });
  // What is no HTTP gets no answer to learn from.
  server.on("clientError", (_error, socket) => socket.destroy());
  // An upgrade or an expectation is no GET of credentials.
  server.on("checkContinue", (_request: IncomingMessage, response: ServerResponse) => refuse(response, "method"));
  server.on("upgrade", (_request, socket) => socket.destroy());

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    idle.delete(request.socket);
    request.resume();
    response.on("error", () => request.socket.destroy());
    const rejection = judge(request) ?? admit?.(request);
    if (rejection !== undefined) return refuse(response, rejection);
    const { status, contentType, body } = await reply();
    send(response, status, body, { "Content-Type": contentType ?? "application/json" });
  }

  function judge(request: IncomingMessage): Rejection | undefined {
    if (!isLoopback(request.socket.remoteAddress ?? "")) return "peer";
    const hosts = request.rawHeaders.filter(
      (_, index, raw) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === "host",
    );
    const right =
      hosts[0] === authority ||
      (options.asLocalhost === true && hosts[0] === authority.replace("127.0.0.1", "localhost"));
    if (hosts.length !== 1 || !right) return "host";
    if (!equalInConstantTime(request.url ?? "", path)) return "path";
    return request.method === "GET" ? undefined : "method";
  }

  function refuse(response: ServerResponse, reason: Rejection): void {
    onRejected?.(reason);
    const body = JSON.stringify({ code: "Refused", message: REFUSALS[reason] });
    send(response, STATUS[reason], body, {
      "Content-Type": "application/json",
      ...(reason === "method" && { Allow: "GET" }),
    });
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    const where = options.descriptor === undefined ? { port: wanted, host: "127.0.0.1" } : { fd: options.descriptor };
    server.listen({ ...where, exclusive: true }, resolve);
  });
  const { address, port } = (server.address() ?? {}) as Partial<AddressInfo>;
  if (address !== "127.0.0.1" || port === undefined) {
    server.close();
    throw Object.assign(new Error(`the socket that was handed over listens on ${address ?? "no address"}`), {
      code: "EADDRNOTAVAIL",
    });
  }
  authority = `127.0.0.1:${port}`;
  if (options.holdsProcess !== true) server.unref();
  return {
    port,
    url: `http://${authority}${path}`,
    listener: server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

const REFUSALS: Readonly<Record<Rejection, string>> = {
  peer: "only this host may ask",
  host: "the Host header has to be the literal address",
  path: "there is nothing here",
  method: "only GET is answered",
  token: "the authorization token is missing or wrong",
  rate: "too many requests",
};

function send(response: ServerResponse, status: number, body: string, headers: Readonly<Record<string, string>>): void {
  response.writeHead(status, {
    ...headers,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    Connection: "close",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(body);
}
