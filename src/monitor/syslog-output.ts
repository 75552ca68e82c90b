/** Events to a syslog receiver, which may go away and come back. */
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { GuardEvent } from "../events/catalogue.js";
import type { System } from "../base/system.js";
import type { Output } from "./output.js";
import { createSpool } from "./output.js";
import type { SyslogTarget } from "./syslog.js";
import { droppedMessage, frame, syslogMessage } from "./syslog.js";

/** Where and how. */
export interface SyslogOutputOptions {
  readonly target: SyslogTarget;
  /** What follows the header of a message. */
  readonly content: (event: GuardEvent) => string;
  readonly system: Pick<System, "monotonic" | "now" | "pid">;
  /** Told the system's code when the receiver goes away; again only after it was back. */
  readonly onFailure?: ((code: string) => void) | undefined;
  /** Milliseconds to the first try after a failure; doubled up to a minute. Default 1,000. */
  readonly retryMs?: number | undefined;
}

/**
 * Syslog has no receipts. A message counts as delivered once its connection has lived on for this long; what was
 * written in a shorter time before a connection ended is sent again, so that a receiver may get it twice, and knows it
 * by its id.
 */
export const CONFIRM_MS = 5_000;
const MAX_RETRY_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;

interface Sent {
  readonly message: string;
  readonly at: number;
}

/** Connects with the first event, in the background. */
export function syslogOutput(options: SyslogOutputOptions): Output {
  const { target, content, system, onFailure, retryMs = 1_000 } = options;
  const spool = createSpool<string>();
  let sent: Sent[] = [];
  let delivered = 0;
  let reportedDrops = 0;
  let socket: Socket | undefined;
  let connected = false;
  let wait = retryMs;
  let notBefore = 0;
  let timer: NodeJS.Timeout | undefined;
  let failing = false;
  let closed = false;

  function open(): void {
    if (closed || socket !== undefined || system.monotonic() < notBefore) return;
    const opening =
      target.kind === "tcp"
        ? connect({ host: target.host, port: target.port, keepAlive: true, noDelay: true })
        : connect({ path: target.path });
    socket = opening;
    opening.unref();
    let code = "ECONNRESET";
    const deadline = setTimeout(
      () => opening.destroy(Object.assign(new Error("no connection"), { code: "ETIMEDOUT" })),
      CONNECT_TIMEOUT_MS,
    ).unref();
    opening.on("connect", () => {
      clearTimeout(deadline);
      connected = true;
      failing = false;
      wait = retryMs;
      pump();
    });
    opening.on("drain", pump);
    // Receivers say nothing; reading is how their end becomes known.
    opening.on("data", () => undefined);
    opening.on("end", () => opening.destroy());
    opening.on("error", (error: NodeJS.ErrnoException) => (code = error.code ?? code));
    opening.on("close", () => {
      clearTimeout(deadline);
      lost(code);
    });
  }

  function lost(code: string): void {
    confirm();
    spool.putBack(sent.map(({ message }) => message));
    sent = [];
    socket = undefined;
    connected = false;
    if (closed) return;
    notBefore = system.monotonic() + wait;
    clearTimeout(timer);
    timer = setTimeout(() => {
      // A timer may be early by the clock that says when; it would not come again.
      notBefore = 0;
      pump();
    }, wait).unref();
    wait = Math.min(wait * 2, MAX_RETRY_MS);
    if (!failing) onFailure?.(code);
    failing = true;
  }

  function confirm(): void {
    const before = system.monotonic() - CONFIRM_MS;
    const lasting = sent.filter(({ at }) => at > before);
    delivered += sent.length - lasting.length;
    sent = lasting;
  }

  function send(message: string): void {
    sent.push({ message, at: system.monotonic() });
    socket?.write(frame(message, target.kind));
  }

  function pump(): void {
    if (connected) confirm();
    if (spool.length > 0 && socket === undefined) open();
    if (!connected || socket === undefined) return;
    while (!socket.writableNeedDrain && !socket.destroyed) {
      const next = spool.shift();
      if (next === undefined) break;
      send(next);
    }
    if (spool.length === 0 && spool.dropped > reportedDrops) {
      send(droppedMessage(new Date(system.now()).toISOString(), system.pid, spool.dropped - reportedDrops));
      reportedDrops = spool.dropped;
    }
  }

  return {
    name: "syslog",
    write(event) {
      spool.push(syslogMessage(event, content(event)));
      pump();
    },
    retry: pump,
    status: () => ({ delivered: delivered + sent.length, waiting: spool.length, dropped: spool.dropped }),
    async close(deadlineMs) {
      const deadline = performance.now() + deadlineMs;
      notBefore = 0;
      pump();
      while (
        (spool.length > 0 || (socket !== undefined && connected && socket.writableLength > 0)) &&
        performance.now() < deadline
      ) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        pump();
      }
      closed = true;
      clearTimeout(timer);
      const last = socket;
      if (last === undefined) return;
      const ended = new Promise((resolve) => last.once("close", resolve));
      const timeout = setTimeout(() => last.destroy(), Math.max(100, deadline - performance.now()));
      last.end();
      await ended;
      clearTimeout(timeout);
    },
  };
}
