/**
 * One HTTP exchange with a pinned address: no proxy, no redirect, no name, no second connection, and a cap on
 * everything.
 */
import type { IncomingMessage } from "node:http";
import * as http from "node:http";
import type { Socket } from "node:net";
import * as net from "node:net";
import { MODIFY_OPTIONS } from "../aws/imds-protocol.js";
import type { ImdsGuardError } from "../base/errors.js";
import { fact, ImdsUnavailableError, ImdsUntrustedError } from "../base/errors.js";
import { isLoopback, parseIp, sameAddress } from "../base/addresses.js";
import { detachInherited, requestOptions, tcpOptions } from "../base/connection-options.js";
import { markOwn } from "../base/own-sockets.js";
import { malformed, tooLarge } from "./responses.js";

/** The addresses and the port that may be talked to. */
export interface Pin {
  /**
   * Literal IPv4 or IPv6 addresses: one, or all that a host name resolved to. The next is tried when one cannot be
   * reached.
   */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Tried once, where the host has no route to the one address. */
  readonly spare?: string;
}

/** The address and port of one connection. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** What is asked. */
export interface ImdsRequest {
  readonly method: "GET" | "PUT";
  /** Absolute path; built by this package only, never from what a responder said without a check. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The most bytes of body that are read. */
  readonly maxBody: number;
  /**
   * Called when the request is on its way: what takes time of the processor is best done while the answer is awaited.
   */
  readonly onSent?: (() => void) | undefined;
}

/** What was answered; any status. */
export interface ImdsResponse {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** When an exchange must be over. */
export interface Deadline {
  /** Milliseconds that are left, at least 0. */
  remaining(): number;
}

const MAX_HEADER_BYTES = 8_192;
const MAX_INFORMATIONAL = 2;

/**
 * As they are now: what a library puts in their place later sees nothing of ours. The class and not `http.request`,
 * because libraries that lead every request to a proxy wrap that function and force an agent of theirs upon it.
 */
const { ClientRequest } = http;
const { connect } = net;

/** Starts a deadline on a clock that never jumps. */
export function startDeadline(timeoutMs: number, monotonic: () => number): Deadline {
  const end = monotonic() + timeoutMs;
  return { remaining: () => Math.max(0, end - monotonic()) };
}

/**
 * Sends one request over a connection of its own and reads the whole answer.
 *
 * `node:http` without an agent is used and not `fetch`: it sends no headers besides ours, never follows a redirect, and
 * `HTTP_PROXY` (`NODE_USE_ENV_PROXY`, Node 22 and later) is a matter of agents only.
 *
 * @throws ImdsUnavailableError `ERR_IMDS_UNREACHABLE`, `ERR_IMDS_TIMEOUT`
 * @throws ImdsUntrustedError `ERR_IMDS_PEER_MISMATCH`, `ERR_IMDS_TOO_LARGE`, `ERR_IMDS_MALFORMED`
 */
export function exchange(peer: Peer, request: ImdsRequest, deadline: Deadline): Promise<ImdsResponse> {
  const what = `${request.method} ${request.path}`;
  if (deadline.remaining() <= 0) return Promise.reject(timedOut(peer, what));
  return new Promise<ImdsResponse>((resolve, reject) => {
    // There are no other addresses to try: this one is literal.
    const socket = markOwn(detachInherited(connect(tcpOptions(peer.address, peer.port, false))));
    let settled = false;
    // May be called again: a promise keeps its first outcome.
    const finish = (outcome: () => void): void => {
      settled = true;
      clearTimeout(timer);
      socket.destroy();
      outcome();
    };
    const fail = (error: ImdsGuardError): void => finish(() => reject(error));
    const timer = setTimeout(() => fail(timedOut(peer, what)), deadline.remaining());

    socket.on("error", (error: NodeJS.ErrnoException) => fail(unreachable(peer, what, error.code, error)));
    socket.once("connect", () => {
      // A connection that was reset meanwhile has no peer any more: it broke, and nobody led it elsewhere.
      if (socket.remoteAddress === undefined) return fail(unreachable(peer, what, "ENOTCONN"));
      if (!sameAddress(socket.remoteAddress, peer.address) || socket.remotePort !== peer.port)
        return fail(peerMismatch(peer, socket));
      // Bytes that a peer sent before it was asked are seen for what they are: reading begins in the next turn of the
      // event loop, so what has arrived by now is counted after two.
      setImmediate(() =>
        setImmediate(() => {
          if (settled) return;
          if (socket.bytesRead > 0) return fail(malformed(what, "the peer sent data before it was asked"));
          send(socket, peer, request, { what, finish, fail, resolve });
        }),
      );
    });
  });
}

interface Outcome {
  /** What was asked, as errors name it. */
  readonly what: string;
  readonly finish: (outcome: () => void) => void;
  readonly fail: (error: ImdsGuardError) => void;
  readonly resolve: (response: ImdsResponse) => void;
}

function send(socket: Socket, peer: Peer, request: ImdsRequest, outcome: Outcome): void {
  const { what } = outcome;
  let informational = 0;
  const message = detachInherited(new ClientRequest(requestOver(socket, peer, request)));
  message.on("information", () => {
    if (++informational > MAX_INFORMATIONAL) outcome.fail(malformed(what, "more than two informational (1xx) answers"));
  });
  message.on("upgrade", () => outcome.fail(malformed(what, "an answer that switches protocols")));
  message.on("error", (error: NodeJS.ErrnoException) => outcome.fail(classify(peer, what, error)));
  message.on("response", (response) => {
    if (response.socket !== socket) return outcome.fail(otherSocket(what, "the answer came"));
    collect(response, request, outcome);
  });
  // Nothing is written before it is certain that it goes to the socket whose peer was compared with the pin.
  message.on("socket", (used: Socket) => {
    if (used !== socket || message.socket !== socket) {
      message.destroy();
      return outcome.fail(otherSocket(what, "the request would have gone"));
    }
    message.end();
    request.onSent?.();
  });
  markOwn(message, socket);
}

function requestOver(socket: Socket, peer: Peer, { method, path, headers }: ImdsRequest): http.ClientRequestArgs {
  return requestOptions(socket, {
    method,
    path,
    host: peer.address,
    port: peer.port,
    headers: { ...headers, ...(method === "PUT" && { "content-length": "0" }) },
    maxHeaderSize: MAX_HEADER_BYTES,
    setHost: true,
  });
}

function collect(response: IncomingMessage, request: ImdsRequest, outcome: Outcome): void {
  const { what } = outcome;
  const status = response.statusCode ?? 0;
  if (status < 200) return outcome.fail(malformed(what, `status ${status} as the whole answer`));
  const stated = Number(response.headers["content-length"] ?? 0);
  if (stated > request.maxBody) return outcome.fail(tooLarge(what, `states a body of ${stated} bytes`));
  const chunks: Buffer[] = [];
  let total = 0;
  response.on("data", (chunk: Buffer) => {
    total += chunk.length;
    if (total > request.maxBody) return outcome.fail(tooLarge(what, `sends more than ${request.maxBody} bytes`));
    chunks.push(chunk);
  });
  // "aborted" bodies end in an error; only a complete message counts as an answer.
  response.on("error", () => outcome.fail(cutShort(what)));
  response.on("end", () => {
    if (!response.complete) return outcome.fail(cutShort(what));
    outcome.finish(() => outcome.resolve({ status, headers: response.headers, body: Buffer.concat(chunks, total) }));
  });
}

function classify(peer: Peer, what: string, error: NodeJS.ErrnoException): ImdsGuardError {
  const { code } = error;
  if (code === "HPE_HEADER_OVERFLOW") return tooLarge(what, `sends more than ${MAX_HEADER_BYTES} bytes of headers`);
  if (code?.startsWith("HPE_")) return malformed(what, `no valid HTTP (${code})`);
  return unreachable(peer, what, code, error);
}

/** Codes of a connection that broke on the way: the same request may be sent again. */
const RESET_CODES = ["ECONNRESET", "EPIPE", "ECONNABORTED", "ENOTCONN"];
/** Codes of a host that has no way to an address. */
const NO_ROUTE: readonly string[] = ["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL"];

function unreachable(peer: Peer, what: string, code = "EUNKNOWN", cause?: Error): ImdsUnavailableError {
  return new ImdsUnavailableError("ERR_IMDS_UNREACHABLE", `${named(peer)} cannot be reached (${code})`, {
    evidence: [fact(what, RESET_CODES.includes(code) ? "the connection was reset" : "no connection", code)],
    advice: adviceFor(peer, code),
    cause,
  });
}

function named({ address, port }: Peer): string {
  return `IMDS at ${address} port ${port}`;
}

function adviceFor({ address, port }: Peer, code: string): string {
  if (isLoopback(address) && code === "ECONNREFUSED")
    return `Nobody listens on port ${port} of this machine. Is aws_signing_helper serve, or what else is meant to answer there, running?`;
  if (NO_ROUTE.includes(code) && parseIp(address)?.family === 4)
    return (
      `There is no route to the IPv4 address. On an instance that has IPv6 alone, enable IMDS over IPv6 (\`${MODIFY_OPTIONS} ` +
      "--http-protocol-ipv6 enabled`); with AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6 nothing else is tried."
    );
  return "If this is an EC2 instance, check that IMDS is enabled and that no firewall or route of the host blocks it.";
}

function cutShort(what: string): ImdsUnavailableError {
  return new ImdsUnavailableError("ERR_IMDS_UNREACHABLE", "IMDS closed the connection in the middle of its answer", {
    evidence: [fact(what, "the answer was cut short", "ECONNRESET")],
    advice: "Usually passing; if it stays, look at what stands between this process and IMDS.",
  });
}

function timedOut(peer: Peer, what: string): ImdsUnavailableError {
  return new ImdsUnavailableError("ERR_IMDS_TIMEOUT", `${named(peer)} did not answer in time`, {
    evidence: [fact(what, "no complete answer before the deadline")],
    advice:
      "If this is an EC2 instance, check that IMDS is enabled and not throttled; the `timeout` setting gives it longer.",
  });
}

function peerMismatch(peer: Peer, socket: Socket): ImdsUntrustedError {
  return new ImdsUntrustedError(
    "ERR_IMDS_PEER_MISMATCH",
    `The connected peer is not ${peer.address} port ${peer.port}`,
    {
      evidence: [
        fact("connected socket", "not the pinned address", `${socket.remoteAddress} port ${socket.remotePort}`),
      ],
      advice: "Something in this process or host redirects connections. Find it before any credential is used.",
    },
  );
}

function otherSocket(what: string, says: string): ImdsUntrustedError {
  return new ImdsUntrustedError(
    "ERR_IMDS_PEER_MISMATCH",
    "Another connection than the one whose peer was checked is used for IMDS",
    {
      evidence: [fact(what, `${says} over another socket`)],
      advice:
        "A library of this process replaces the connections of node:http. Load imds-guard before it, or remove it.",
    },
  );
}

/** Whether an exchange failed because the host has no way to that address. */
export function hadNoRoute(error: unknown): boolean {
  return wasUnreachable(error) && NO_ROUTE.includes((error as ImdsUnavailableError).evidence[0]?.value ?? "");
}

/** Whether an exchange failed in a way that may pass: the connection was reset in the middle of it. */
export function wasReset(error: unknown): boolean {
  return wasUnreachable(error) && RESET_CODES.includes((error as ImdsUnavailableError).evidence[0]?.value ?? "");
}

/** Whether there was no connection, or it broke. */
export function wasUnreachable(error: unknown): boolean {
  return error instanceof ImdsUnavailableError && error.code === "ERR_IMDS_UNREACHABLE";
}
