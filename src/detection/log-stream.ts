/** Opens logs: files and standard input, plain, gzip or Zstandard, told apart by their first bytes. */
import { createReadStream } from "node:fs";
import { Readable, pipeline } from "node:stream";
import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { createFrameWalker } from "./zstd-frames.js";
import type { FrameWalker } from "./zstd-frames.js";

/** Why a stream could not be read to its end. */
export class LogStreamError extends Error {
  override readonly name = "LogStreamError";
  /**
   * The system's or zlib's code (`ENOENT`, `Z_DATA_ERROR`, ...), or `ERR_SCAN_ZSTD` where this Node.js cannot
   * decompress.
   */
  readonly code: string;
  /** What to do about it. */
  readonly advice: string;

  constructor(code: string, message: string, advice: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.advice = advice;
  }
}

/**
 * How many bytes are read at a time. More is slower: the bytes leave the processor's cache before they are searched.
 */
export const CHUNK_BYTES = 64 * 1024;

/**
 * Reads a file, or standard input for `-`. The file is opened when the iteration begins, and its errors appear there.
 */
export function openLog(path: string): AsyncIterable<Uint8Array> {
  if (path === "-") return process.stdin;
  return {
    [Symbol.asyncIterator]: () => createReadStream(path, { highWaterMark: CHUNK_BYTES })[Symbol.asyncIterator](),
  };
}

/**
 * The content of a stream, decompressed if it begins like gzip (RFC 1952) or Zstandard (RFC 8878).
 *
 * @throws LogStreamError when reading or decompressing fails; what was read until then has been delivered
 */
export async function* decompressed(
  stream: AsyncIterable<Uint8Array>,
  onRead?: (bytes: number) => void,
): AsyncGenerator<Buffer, void, void> {
  const source = counted(stream, onRead);
  try {
    const head: Buffer[] = [];
    let length = 0;
    for (let next = await source.next(); !next.done; next = await source.next()) {
      head.push(next.value);
      length += next.value.length;
      if (length >= 4) break;
    }
    const start = Buffer.concat(head, length);
    const rest = startingWith(start, source);
    if (start[0] === 0x1f && start[1] === 0x8b) yield* through(zlib.createGunzip({ chunkSize: CHUNK_BYTES }), rest);
    else if (start.length >= 4 && isZstandard(start)) yield* zstandard(rest);
    else yield* rest;
  } catch (error) {
    throw asStreamError(error);
  }
}

async function* counted(
  stream: AsyncIterable<Uint8Array>,
  onRead: ((bytes: number) => void) | undefined,
): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of stream) {
    onRead?.(chunk.length);
    yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  }
}

async function* startingWith(
  first: Buffer,
  rest: AsyncGenerator<Buffer, void, void>,
): AsyncGenerator<Buffer, void, void> {
  if (first.length > 0) yield first;
  yield* rest;
}

async function* through(
  decompressor: Transform,
  input: AsyncGenerator<Buffer, void, void>,
): AsyncGenerator<Buffer, void, void> {
  // An error arrives through the iteration of the decompressor.
  pipeline(Readable.from(input, { objectMode: false }), decompressor, () => undefined);
  for await (const chunk of decompressor) yield chunk as Buffer;
}

function isZstandard(head: Buffer): boolean {
  const magic = head.readUInt32LE(0);
  return magic === 0xfd2fb528 || magic >>> 4 === 0x184d2a5;
}

/** Every frame has a decompressor of its own; see `zstd-frames.ts`. */
async function* zstandard(input: AsyncGenerator<Buffer, void, void>): AsyncGenerator<Buffer, void, void> {
  // Node.js has had it since 22.15; the types of the oldest supported version do not know it.
  const create = (zlib as { createZstdDecompress?: (options: zlib.ZlibOptions) => Transform }).createZstdDecompress;
  if (create === undefined) {
    throw new LogStreamError(
      "ERR_SCAN_ZSTD",
      `Node.js ${process.versions.node} cannot decompress Zstandard`,
      "Use Node.js 22.15 or later, or decompress on the way: zstd -dc FILE | imds-guard scan -",
    );
  }
  let rest: Buffer | undefined;

  async function more(): Promise<boolean> {
    while (rest === undefined || rest.length === 0) {
      const next = await input.next();
      if (next.done === true) return false;
      rest = next.value;
    }
    return true;
  }

  let whole = true;

  async function* frame(walker: FrameWalker): AsyncGenerator<Buffer, void, void> {
    whole = false;
    while (await more()) {
      const chunk = rest!;
      const end = walker.endOfFrame(chunk, 0);
      whole = end !== -1;
      rest = end === -1 ? undefined : chunk.subarray(end);
      if (!walker.skippable()) yield end === -1 ? chunk : chunk.subarray(0, end);
      if (end !== -1) return;
    }
  }

  while (await more()) {
    // Four bytes tell whether a frame is to be skipped; they may come one by one.
    while (rest!.length < 4) {
      const next = await input.next();
      if (next.done === true) break;
      rest = Buffer.concat([rest!, next.value]);
    }
    const walker = createFrameWalker();
    const skipped = rest!.length >= 4 && rest!.readUInt32LE(0) >>> 4 === 0x184d2a5;
    if (skipped) for await (const _ of frame(walker));
    else yield* through(create({ chunkSize: CHUNK_BYTES }), frame(walker));
    // Node.js 22 takes a frame that is cut off for one that has ended.
    if (!whole) throw new LogStreamError("Z_BUF_ERROR", "unexpected end of file", DAMAGED);
  }
}

const DAMAGED = "The file is cut off or damaged; what could be read of it was scanned";

function asStreamError(error: unknown): LogStreamError {
  if (error instanceof LogStreamError) return error;
  const { code = "EUNKNOWN", message } = error as NodeJS.ErrnoException;
  const damaged = code.startsWith("Z_") || code.startsWith("ZSTD_") || code === "ERR_STREAM_PREMATURE_CLOSE";
  const advice = damaged ? DAMAGED : "Check the path and the permissions";
  return new LogStreamError(code, message, advice, { cause: error });
}
