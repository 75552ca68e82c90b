/** Follows a log that grows, also when it is renamed, replaced or cut: what is written to it, as it comes. */
import { open, stat } from "node:fs/promises";
import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** How a log is followed. */
export interface FollowOptions {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Milliseconds between looks at a log to which nothing was added. Default 1,000. */
  readonly everyMs?: number | undefined;
  /** Told the system's code when the log cannot be read, and undefined when it can; each once. */
  readonly onState?: ((code: string | undefined) => void) | undefined;
}

/** What is read of the beginning of a log that is followed from its end, to learn the names of its columns. */
const HEAD_BYTES = 16 * 1024;
const CHUNK_BYTES = 64 * 1024;
const LINE_END = Buffer.from("\n");

/** What is read of a log. */
export interface Followed {
  readonly bytes: Buffer;
  /** Lines of the beginning, which were there before anybody looked. */
  readonly head: boolean;
}

/**
 * Yields what is appended to `path` from now on; first its heading (lines that begin with `#`, or its first line), which
 * tells the names of columns. A log that is not there yet, or that takes the place of this one, is read from its
 * beginning. Ends without an error when the signal is aborted.
 */
export async function* followLog(
  path: string,
  { signal, everyMs = 1_000, onState }: FollowOptions,
): AsyncGenerator<Followed, void, void> {
  let file: FileHandle | undefined;
  let at = 0;
  /** Which file `at` is a place in. */
  let id: string | undefined;
  /** Whether the log was looked for before: what is there at the first look is not new. */
  let looked = false;
  let state: string | undefined = "not looked for yet";
  let whole = true;
  const report = (code: string | undefined): void => {
    if (state === code) return;
    state = code;
    onState?.(code);
  };
  try {
    while (!signal.aborted) {
      try {
        if (file === undefined) {
          file = await open(path, "r");
          const found = await file.stat();
          const { size } = found;
          if (idOf(found) !== id || size < at) {
            at = 0;
            whole = true;
            id = idOf(found);
          }
          if (!looked && size > 0) {
            const bytes = headingOf(await read(file, 0, HEAD_BYTES));
            at = size;
            // What follows the last line's end is a line of its own.
            whole = (await read(file, size - 1, 1))[0] === 0x0a;
            looked = true;
            if (bytes.length > 0) yield { bytes, head: true };
          }
        }
        looked = true;
        let bytes = await read(file, at, CHUNK_BYTES);
        report(undefined);
        if (bytes.length === 0) {
          const [{ size }, now] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
          const replaced = now !== undefined && idOf(now) !== id;
          // Who wrote to the file until it was replaced may have done so after it was read.
          if (replaced) bytes = await read(file, at, CHUNK_BYTES);
          if (bytes.length === 0 && (replaced || size < at)) {
            await file.close();
            file = undefined;
            if (!whole) yield { bytes: LINE_END, head: false };
            continue;
          }
        }
        if (bytes.length > 0) {
          at += bytes.length;
          whole = bytes.at(-1) === 0x0a;
          yield { bytes, head: false };
          continue;
        }
      } catch (error) {
        looked = true;
        await file?.close().catch(() => undefined);
        file = undefined;
        report((error as NodeJS.ErrnoException).code ?? "EUNKNOWN");
      }
      await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  } finally {
    await file?.close().catch(() => undefined);
  }
}

function idOf({ dev, ino }: Stats): string {
  return `${dev} ${ino}`;
}

async function read(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}

function headingOf(head: Buffer): Buffer {
  let end = 0;
  for (let next = head.indexOf(0x0a); next !== -1; next = head.indexOf(0x0a, end)) {
    if (end > 0 && head[end] !== 0x23) break;
    end = next + 1;
  }
  return head.subarray(0, end);
}
