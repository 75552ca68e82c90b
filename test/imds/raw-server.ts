/** Responders on loopback that say exactly the bytes a test gives them. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { afterEach } from "vitest";
import type { Deadline } from "../../src/imds/transport.js";

/** A responder and what it saw. */
export interface RawServer {
  readonly port: number;
  /** Every complete request head, as it came over the wire. */
  readonly requests: string[];
  readonly connections: () => number;
  /** Takes no further connection; those that are open stay. */
  readonly stop: () => void;
}

export interface RawServerOptions {
  readonly host?: string;
  readonly port?: number;
  /** Called for each connection, before anything was asked. */
  readonly onConnection?: (socket: Socket) => void;
}

const running: { server: Server; sockets: Set<Socket> }[] = [];
const NEW_SOCKET = "net.client.socket";
const seeing = new Set<(message: unknown) => void>();

afterEach(async () => {
  // Also of a test that was given up in the middle.
  for (const listener of seeing) unsubscribe(NEW_SOCKET, listener);
  seeing.clear();
  for (const { server, sockets } of running.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Starts a responder; `onRequest` is called with the head of each request and its number, from 0. */
export async function startServer(
  onRequest: (socket: Socket, head: string, nth: number) => void,
  options: RawServerOptions = {},
): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => undefined);
    options.onConnection?.(socket);
    let head = "";
    socket.on("data", (chunk: Buffer) => {
      head += chunk.toString("latin1");
      if (!head.endsWith("\r\n\r\n")) return;
      requests.push(head);
      onRequest(socket, head, requests.length - 1);
      head = "";
    });
  });
  await new Promise<void>((resolve, reject) =>
    server.once("error", reject).listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve),
  );
  running.push({ server, sockets });
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    connections: () => connections,
    stop: () => server.close(),
  };
}

/** A whole answer with its length. */
export function answer(
  status: number,
  body: string | Buffer = "",
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const bytes = Buffer.from(body);
  const lines = Object.entries({ "Content-Length": String(bytes.length), ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} X\r\n${lines.join("")}\r\n`, "latin1"), bytes]);
}

/** Hands over each socket that this process opens until `run` is over, before anybody else has it. */
export async function seeingSockets<T>(see: (socket: Socket) => void, run: () => Promise<T>): Promise<T> {
  const listener = (message: unknown): void => see((message as { socket: Socket }).socket);
  subscribe(NEW_SOCKET, listener);
  seeing.add(listener);
  try {
    return await run();
  } finally {
    unsubscribe(NEW_SOCKET, listener);
    seeing.delete(listener);
  }
}

/** Writes `piece` again and again for as long as the other side takes it. */
export function flood(socket: Socket, piece: string | Buffer): void {
  const more = (): void => {
    if (!socket.destroyed) socket.write(piece, () => setImmediate(more));
  };
  more();
}

/** Writes `text` byte by byte, one every few milliseconds. */
export function drip(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => {
    if (at >= text.length || socket.destroyed) clearInterval(timer);
    else socket.write(text.slice(at, ++at));
  }, 5);
}

/** The head of a GET or PUT, taken apart. */
export function readHead(head: string): { method: string; path: string; headers: ReadonlyMap<string, string> } {
  const [start = "", ...lines] = head.split("\r\n").filter((line) => line !== "");
  const [method = "", path = ""] = start.split(" ");
  return {
    method,
    path,
    headers: new Map(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]),
    ),
  };
}

/** A deadline that is not met by waiting, and one for answers that never come. */
export const LONG = 20_000;
export const SHORT = 300;

/** A deadline that says how often it was consulted on nothing but its own time. */
export function deadlineOf(milliseconds: number): Deadline {
  const end = performance.now() + milliseconds;
  return { remaining: () => Math.max(0, end - performance.now()) };
}
