/** Events as JSON lines appended to a file that survives rotation, deletion and a full disk. */
import { closeSync, constants, fstatSync, fsyncSync, openSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { atLeast } from "./weights.js";
import type { GuardEvent } from "./catalogue.js";
import { inBackground } from "./quietly.js";
import type { Counted } from "./repeats.js";
import { createRepeats } from "./repeats.js";
import type { Sink } from "./sinks.js";

/** How many events wait for a file that cannot be written; later ones are counted as dropped. */
export const MAX_PENDING = 256;

/** Options of {@link fileSink}. */
export interface FileSinkOptions {
  /** What is written for an event, as an object for `JSON.stringify`. Default: the event itself. */
  readonly encode?: ((event: GuardEvent) => object) | undefined;
  /**
   * Called with the system's code (`EACCES`, `ENOSPC`, `ELOOP` for a symbolic link, `ENOTREG` for a pipe or device,
   * ...) when writing begins to fail; again only after it has worked in between.
   */
  readonly onFailure?: ((code: string) => void) | undefined;
  /** Called for every event that is dropped. */
  readonly onDropped?: (() => void) | undefined;
  /** Writes repeats, too, for a source of events that says nothing twice by itself. Default false. */
  readonly every?: boolean | undefined;
  /** Milliseconds on a clock that never jumps. Default: the system's. */
  readonly monotonic?: (() => number) | undefined;
}

/** A sink over a file. */
export interface FileSink extends Sink {
  /** Events that wait for the file. */
  readonly waiting: number;
  /** Tries to write what waits for the file. */
  flush(): void;
  close(): Promise<void>;
}

interface Pending {
  readonly line: string;
  readonly sync: boolean;
}

/**
 * Appends one JSON line for each event to the regular file `path` (created with mode 0600; a symbolic link is not
 * followed). What cannot be written waits, in order, for the next event or for `close`. When more than {@link
 * MAX_PENDING} wait, the newest are dropped: a line `{"dropped":n}` after the next successful write says how many.
 *
 * The first event of a kind is written at once. A repeat (same code, endpoint, responder and claimed account; at most
 * 256 kinds) is counted: one line in ten minutes, and one at `close`, is the last of them with `repeats`.
 *
 * Writes are synchronous on purpose. Lines are rare, a process that exits right after one must not lose it, and
 * nothing pending can hold the process alive. Events of severity `error` and above are also flushed to the device.
 */
export function fileSink(path: string, options: FileSinkOptions = {}): FileSink {
  // The working directory may change later.
  const file = resolve(path);
  const {
    encode = (event: GuardEvent) => event,
    onFailure,
    onDropped,
    every = false,
    monotonic = () => performance.now(),
  } = options;
  const repeats = createRepeats();
  let timer: NodeJS.Timeout | undefined;
  const pending: Pending[] = [];
  let dropped = 0;
  let torn = false;
  let failing = false;

  function flush(): void {
    try {
      // Opened anew each time: a file that was rotated or deleted is then simply created again.
      const fd = openForAppend(file);
      try {
        drain(fd);
      } finally {
        closeSync(fd);
      }
      failing = false;
    } catch (error) {
      const firstOfARow = !failing;
      failing = true;
      const code = (error as NodeJS.ErrnoException).code ?? "EUNKNOWN";
      if (firstOfARow) inBackground(() => onFailure?.(code));
    }
  }

  function drain(fd: number): void {
    let sync = false;
    torn &&= fstatSync(fd).size > 0;
    for (let next = pending[0]; next !== undefined; next = pending[0]) {
      append(fd, next.line);
      pending.shift();
      sync ||= next.sync;
    }
    if (dropped > 0) {
      append(fd, JSON.stringify({ dropped }));
      dropped = 0;
    }
    if (sync) fsyncSync(fd);
  }

  function append(fd: number, line: string): void {
    // Ends a line of which a full disk took only a part, so that it cannot swallow this one.
    const bytes = Buffer.from(torn ? `\n${line}\n` : `${line}\n`);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(fd, bytes, written);
      torn = false;
    } catch (error) {
      torn ||= written > 0;
      throw error;
    }
  }

  function writeAll(counted: readonly Counted[]): void {
    for (const { event, repeats: count } of counted) {
      const counted = count === undefined ? event : Object.freeze({ ...event, repeats: count });
      pending.push({ line: JSON.stringify(encode(counted)), sync: atLeast(event.severity, "error") });
      flush();
      if (pending.length > MAX_PENDING) {
        pending.pop();
        dropped += 1;
        inBackground(() => onDropped?.());
      }
    }
    schedule();
  }

  /** A count is written when it is due, also where nothing happens any more. */
  function schedule(): void {
    const next = repeats.next();
    if (timer !== undefined || next === undefined) return;
    const wait = Math.max(0, next - monotonic()) + 1;
    timer = setTimeout(() => {
      timer = undefined;
      inBackground(() => writeAll(repeats.due(monotonic())));
    }, wait);
    timer.unref();
  }

  return {
    write(event) {
      writeAll(every ? [{ event }] : repeats.pass(event, monotonic()));
    },
    get waiting() {
      return pending.length;
    },
    flush() {
      if (pending.length > 0 || dropped > 0) flush();
    },
    close() {
      writeAll(repeats.due(monotonic(), true));
      clearTimeout(timer);
      timer = undefined;
      if (pending.length > 0 || dropped > 0) flush();
      return Promise.resolve();
    },
  };
}

function openForAppend(file: string): number {
  // O_NONBLOCK: a named pipe fails or is refused below instead of waiting for its reader. Windows lacks both flags.
  const { O_WRONLY, O_APPEND, O_CREAT } = constants;
  const flags = O_WRONLY | O_APPEND | O_CREAT | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  const fd = openSync(file, flags, 0o600);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw Object.assign(new Error("not a regular file"), { code: "ENOTREG" });
}
