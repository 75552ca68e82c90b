/** Where events go while the process runs: stderr, the application's logger, a callback, a diagnostics channel. */
import { channel } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import { shareInProcess } from "../base/process-wide.js";
import { hostAndPort } from "./address.js";
import { EVENT_CHANNEL } from "./catalogue.js";
import { atLeast } from "./weights.js";
import type { GuardEvent } from "./catalogue.js";
import type { Severity } from "./weights.js";
import { inBackground, quietly } from "./quietly.js";
import { toText } from "./text.js";

/** Receives every event that it wants. What `write` throws is swallowed by the reporter; `close` flushes. */
export interface Sink {
  /** Whether it would do anything with an event of this severity now. Default: yes. */
  wants?(severity: Severity): boolean;
  write(event: GuardEvent): void;
  close?(): Promise<void>;
}

/** The least severity a sink passes on, or `off` for none. */
export type Threshold = Severity | "off";

/** Structurally the `Logger` of the AWS SDK, and so also `console`, pino and winston. */
export interface Logger {
  /** Not called by a guard. */
  trace?: (...content: any[]) => void;
  /** Not called by a guard. */
  debug: (...content: any[]) => void;
  /** Severities `info` and `notice`. */
  info: (...content: any[]) => void;
  /** Severity `warning`. */
  warn: (...content: any[]) => void;
  /** Severities `error` and `critical`. */
  error: (...content: any[]) => void;
}

/** Options of {@link stderrSink}. */
export interface StderrSinkOptions {
  /** Default `warning`. */
  readonly threshold?: Threshold | undefined;
  /** Writes one line, which comes without its newline. Default: file descriptor 2. */
  readonly write?: ((line: string) => void) | undefined;
}

/** Milliseconds for which a repeated line is held back. */
export const REPEAT_WINDOW_MS = 10 * 60 * 1_000;
/** How many lines are remembered to recognise repeats. */
export const MAX_REMEMBERED = 256;

interface Printed {
  readonly at: number;
  held: number;
}

/** What was printed on stderr, by whichever copy of this package and whichever of its guards. */
const PRINTED = Symbol.for("imds-guard.printed.1");

/**
 * One readable line for each event. The same code, endpoint and message within ten minutes (by the events' own time) is
 * printed once in a process; the next line after that says how many were held back.
 */
export function stderrSink(options: StderrSinkOptions = {}): Sink {
  const { threshold = "warning", write = writeStderr } = options;
  const own = new Map<string, Printed>();
  const remembered = write === writeStderr ? shareInProcess(PRINTED, "data", () => own) : own;

  return {
    wants: (severity) => passes(severity, threshold),
    write(event) {
      if (!passes(event.severity, threshold)) return;
      const key = `${event.code}\n${event.endpoint ? hostAndPort(event.endpoint) : ""}\n${event.message}`;
      const at = Date.parse(event.time);
      const earlier = remembered.get(key);
      // A clock that was set back must not silence an event for longer than the window.
      if (earlier !== undefined && at >= earlier.at && at - earlier.at < REPEAT_WINDOW_MS) {
        earlier.held += 1;
        return;
      }
      remembered.delete(key);
      if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value as string);
      remembered.set(key, { at, held: 0 });
      write(
        earlier === undefined || earlier.held === 0
          ? toText(event)
          : `${toText(event)} (held back ${earlier.held} repeats)`,
      );
    },
  };
}

// Not process.stderr: its write can fail later, as an 'error' event that ends the process when nobody listens. Here a
// reader that went away (EPIPE) or does not keep up (EAGAIN) costs the line and nothing else: stderr gone must not
// break the application. Lines are short enough for a pipe to take them whole.
export function writeStderr(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // There is no place left to say it.
  }
}

const LOGGER_METHOD = {
  info: "info",
  notice: "info",
  warning: "warn",
  error: "error",
  critical: "error",
} as const satisfies Record<Severity, keyof Logger>;

/** Passes the readable line and the event object to the application's logger; `threshold` defaults to `info`. */
export function loggerSink(logger: Logger, threshold: Threshold = "info"): Sink {
  return {
    wants: (severity) => passes(severity, threshold),
    write(event) {
      if (passes(event.severity, threshold))
        inBackground(() => logger[LOGGER_METHOD[event.severity]](toText(event), event));
    },
  };
}

/** Calls `fn` for every event; what it throws or rejects with is swallowed. `close` waits for calls still running. */
export function callbackSink(fn: (event: GuardEvent) => void | Promise<void>): Sink {
  const running = new Set<Promise<unknown>>();
  return {
    write(event) {
      const call = quietly(() => fn(event));
      if (call === undefined) return;
      running.add(call);
      call.then(() => running.delete(call)).catch(() => undefined);
    },
    async close() {
      await Promise.all(running);
    },
  };
}

/** Publishes on {@link EVENT_CHANNEL} when somebody subscribed. Node raises a subscriber's exception as uncaught. */
export function diagnosticsChannelSink(): Sink {
  const events = channel(EVENT_CHANNEL);
  return {
    wants: () => events.hasSubscribers,
    write(event) {
      if (events.hasSubscribers) events.publish(event);
    },
  };
}

function passes(severity: Severity, threshold: Threshold): boolean {
  return threshold !== "off" && atLeast(severity, threshold);
}
