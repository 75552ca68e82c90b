/** One secret-free question to an address: does anybody answer there as IMDSv2? */
import { TOKEN_PATH } from "../aws/imds-protocol.js";
import { Socket } from "node:net";
import { invalidArgument } from "../base/errors.js";
import { parseIp } from "../base/addresses.js";
import { tcpOptions } from "../base/connection-options.js";
import { markOwn } from "../base/own-sockets.js";
import { MAX_ANSWER_BYTES, readProbeAnswer } from "./probe-answer.js";
import type { ProbeAnswer } from "./probe-answer.js";

/** What {@link probeImds} found. */
export type ProbeResult =
  | ProbeAnswer
  /** No connection: refused by the address, or by this host's routes or rules. `code` is the system's. */
  | { readonly kind: "refused"; readonly code: string }
  /** Nothing came back before the deadline. */
  | { readonly kind: "silent" };

/** Where {@link probeImds} asks: an IP literal and a port. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
}

/** Bounds of {@link probeImds}. */
export interface ProbeOptions {
  /** Milliseconds for connection and answer together. */
  readonly timeoutMs: number;
  /** Told the local port once connected: a connection leaves its trace in the system's table for a minute. */
  readonly onConnected?: ((localPort: number) => void) | undefined;
  /** Ends the probe; it then counts as silent. What was not sent yet is not sent any more. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends one `PUT /latest/api/token`, which holds no secret, over a plain connection: no name lookup, proxy or redirect.
 * Reads at most 8 KiB, and keeps no token.
 *
 * Meant for the background: the connection does not hold the process, so a caller who needs the result has to. Only an
 * unanswered handshake cannot be abandoned by the process before `timeoutMs`.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE` if `address` is no IP literal or a number is out of range.
 */
export async function probeImds(target: ProbeTarget, options: ProbeOptions): Promise<ProbeResult> {
  const { address, port } = target;
  const { timeoutMs } = options;
  const family = parseIp(address)?.family;
  if (family === undefined) throw invalidArgument("address", address, "an IP address");
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) throw invalidArgument("port", port, "1 to 65535");
  if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
    throw invalidArgument("timeoutMs", timeoutMs, `a number above 0 and up to ${MAX_TIMEOUT_MS}`);
  }
  return converse(address, family, port, options);
}

const MAX_TIMEOUT_MS = 600_000;

type Outcome = ProbeAnswer | Extract<ProbeResult, { kind: "refused" | "silent" }>;

function converse(
  address: string,
  family: 4 | 6,
  port: number,
  { timeoutMs, onConnected, signal }: ProbeOptions,
): Promise<Outcome> {
  if (signal?.aborted === true) return Promise.resolve({ kind: "silent" });
  return new Promise((resolve) => {
    const socket = new Socket();
    let connected = false;
    let received = "";
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer);
      // With a reset no connection waits out its end in this host's table, where it would look like a program that asks.
      if (connected) socket.resetAndDestroy();
      else socket.destroy();
      resolve(outcome);
    };
    const judge = (ended: boolean): void => {
      const answer = readProbeAnswer(received, ended);
      if (answer !== undefined) finish(answer);
    };
    const timer = setTimeout(() => (connected ? judge(true) : finish({ kind: "silent" })), timeoutMs).unref();
    signal?.addEventListener("abort", () => finish({ kind: "silent" }), { once: true });
    socket.setEncoding("latin1");
    socket.on("connect", () => {
      connected = true;
      if (socket.localPort !== undefined) onConnected?.(socket.localPort);
    });
    socket.on("data", (chunk: string) => {
      received += chunk.slice(0, MAX_ANSWER_BYTES - received.length);
      judge(false);
    });
    socket.on("end", () => judge(true));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (connected) return judge(true);
      const code = error.code ?? "EUNKNOWN";
      finish(code === "ETIMEDOUT" ? { kind: "silent" } : { kind: "refused", code });
    });
    markOwn(socket.connect(tcpOptions(address, port, false)));
    socket.unref();
    socket.write(tokenRequest(address, family, port));
  });
}

function tokenRequest(address: string, family: 4 | 6, port: number): string {
  const host = family === 4 ? address : `[${address}]`;
  return [
    `PUT ${TOKEN_PATH} HTTP/1.1`,
    `Host: ${host}${port === 80 ? "" : `:${port}`}`,
    "X-aws-ec2-metadata-token-ttl-seconds: 60",
    "User-Agent: imds-guard-probe/1",
    "Content-Length: 0",
    "Connection: close",
    "",
    "",
  ].join("\r\n");
}
