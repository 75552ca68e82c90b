/** Opens logs: files and standard input, plain, packed or in an archive, told apart by their first bytes. */
import { createReadStream } from "node:fs";
import { Readable, pipeline } from "node:stream";
import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { createFrameWalker } from "./zstd-frames.js";
import type { FrameWalker } from "./zstd-frames.js";
import type { LogMember } from "./log-archive.js";
import { DAMAGED, LogStreamError } from "./log-stream-error.js";

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
 * The logs in a stream: the files of a zip archive, one after the other, or else the stream itself. Each is unpacked as
 * {@link decompressed} does. What is left of a member that was not read to its end is passed over.
 */
export async function* openMembers(
  stream: AsyncIterable<Uint8Array>,
  onRead?: (bytes: number) => void,
): AsyncGenerator<LogMember, void, void> {
  const source = counted(stream, onRead);
  let start: Buffer;
  try {
    start = await headOf(source);
  } catch (error) {
    yield { chunks: failing(asStreamError(error)) };
    return;
  }
  if (kindOf(start) !== "zip") {
    yield { chunks: unpacked(startingWith(start, source)) };
    return;
  }
  const { zipMembers } = await import("./log-archive.js");
  yield* zipMembers(startingWith(start, source), (content) => unpacked(content));
}

/**
 * The content of a stream as text in UTF-8: decompressed if it begins like gzip (RFC 1952), Zstandard (RFC 8878) or bzip2,
 * in whatever is around what; the rows of a Parquet file as JSON lines; UTF-16 as UTF-8.
 *
 * @throws LogStreamError when reading or decompressing fails; what was read until then has been delivered. Code
 *   `ERR_SCAN_BINARY` for files of other kinds that hold no text.
 */
export function decompressed(
  stream: AsyncIterable<Uint8Array>,
  onRead?: (bytes: number) => void,
): AsyncGenerator<Buffer, void, void> {
  return unpacked(counted(stream, onRead));
}

/** Compressed data inside compressed data is followed so far. */
const DEEPEST = 4;
/** What is looked at to tell of what kind a stream is. */
const HEAD_BYTES = 64;
/** That of bzip2. */
const LONGEST_MAGIC = 10;

async function headOf(source: AsyncGenerator<Buffer, void, void>): Promise<Buffer> {
  const head: Buffer[] = [];
  let length = 0;
  for (let next = await source.next(); !next.done; next = await source.next()) {
    head.push(next.value);
    length += next.value.length;
    // Who follows a log gets a short line when it comes, and not with those behind it.
    if (length >= HEAD_BYTES || isWholeLine(Buffer.concat(head, length))) break;
  }
  return head.length === 1 ? head[0]! : Buffer.concat(head, length);
}

/** Lines of text alone: nothing packed is, of which enough was read to be told. */
function isWholeLine(head: Buffer): boolean {
  if (head.length < LONGEST_MAGIC || head.at(-1) !== 0x0a || kindOf(head) !== "text") return false;
  return head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d || byte === 0x1b);
}

async function* failing(error: LogStreamError): AsyncGenerator<Buffer, void, void> {
  throw error;
}

async function* unpacked(source: AsyncGenerator<Buffer, void, void>, depth = 0): AsyncGenerator<Buffer, void, void> {
  try {
    const start = await headOf(source);
    const rest = startingWith(start, source);
    const kind = depth < DEEPEST ? kindOf(start) : "text";
    switch (kind) {
      case "text":
        return yield* rest;
      case "gzip":
        return yield* unpacked(through(zlib.createGunzip({ chunkSize: CHUNK_BYTES }), rest), depth + 1);
      case "zstandard":
        return yield* unpacked(zstandard(rest), depth + 1);
      case "bzip2": {
        const { bunzip } = await import("./log-archive.js");
        return yield* unpacked(bunzip(rest), depth + 1);
      }
      case "parquet": {
        const { parquetLines } = await import("./log-archive.js");
        return yield* parquetLines(rest);
      }
      case "utf-16le":
      case "utf-16be":
        return yield* decoded(rest, kind);
      case "zip":
        throw new LogStreamError(
          "ERR_SCAN_BINARY",
          "This is a zip archive in something else, which is not read",
          "Unpack what is around it",
        );
      default:
        throw new LogStreamError("ERR_SCAN_BINARY", `This is ${kind.what}, which is not read`, kind.advice);
    }
  } catch (error) {
    throw asStreamError(error);
  }
}

/** What a stream is by its first bytes. */
type Kind = "text" | "gzip" | "zstandard" | "bzip2" | "zip" | "parquet" | "utf-16le" | "utf-16be" | Foreign;

/** A kind of file that is named, and not read. */
interface Foreign {
  readonly what: string;
  readonly advice: string;
}

const CAPTURE: Foreign = {
  what: "a packet capture",
  advice: "Read it with its own tool: tcpdump -nn -tttt -r FILE | imds-guard scan -",
};
const otherArchive = (what: string, command: string): Foreign => ({
  what,
  advice: `Unpack it on the way: ${command} | imds-guard scan -`,
});
const FOREIGN: readonly (readonly [magic: string, foreign: Foreign])[] = [
  ["d4c3b2a1", CAPTURE],
  ["a1b2c3d4", CAPTURE],
  ["4d3cb2a1", CAPTURE],
  ["a1b23c4d", CAPTURE],
  ["0a0d0d0a", CAPTURE],
  ["fd377a585a00", otherArchive("xz", "xz -dc FILE")],
  ["04224d18", otherArchive("LZ4", "lz4 -dc FILE")],
  ["1f9d", otherArchive("compress", "gzip -dc FILE")],
  ["377abcaf271c", otherArchive("a 7-Zip archive", "7z x -so FILE")],
  ["526172211a07", otherArchive("a RAR archive", "unrar p -inul FILE")],
  [
    "456c6646696c6500",
    {
      what: "an event log of Windows (EVTX)",
      advice: "Read it with its own tool: wevtutil qe /lf:true FILE /f:xml > FILE.xml",
    },
  ],
  [
    "4c504b5348485248",
    {
      what: "a file of the journal",
      advice: "Read it with its own tool: journalctl --file FILE -o json | imds-guard scan -",
    },
  ],
  ["4f626a01", { what: "Avro", advice: "Turn it into JSON lines: avro-tools tojson FILE | imds-guard scan -" }],
  ["4f5243", { what: "ORC", advice: "Turn it into JSON lines: orc-contents FILE | imds-guard scan -" }],
  [
    "53514c69746520666f726d6174203300",
    { what: "an SQLite database", advice: "Read its rows: sqlite3 -json FILE QUERY | imds-guard scan -" },
  ],
  ["7f454c46", { what: "a program", advice: "Name a log" }],
];

function kindOf(head: Buffer): Kind {
  const starts = (hex: string): boolean =>
    head.length >= hex.length / 2 && head.toString("hex", 0, hex.length / 2) === hex;
  if (starts("1f8b")) return "gzip";
  if (head.length >= 4 && isZstandard(head)) return "zstandard";
  if (/^BZh[1-9](?:1AY&SY|\x17rE8P\x90)/.test(head.toString("latin1", 0, 10))) return "bzip2";
  if (starts("504b0304") || starts("504b0506")) return "zip";
  if (starts("50415231")) return "parquet";
  if (starts("fffe")) return "utf-16le";
  if (starts("feff")) return "utf-16be";
  const foreign = FOREIGN.find(([magic]) => starts(magic))?.[1];
  if (foreign !== undefined) return foreign;
  // Without a byte order mark: every other byte of text in Latin letters is zero.
  const bytes = head.subarray(0, HEAD_BYTES);
  if (bytes.length >= 16) {
    if (bytes.every((byte, index) => (index % 2 === 1) === (byte === 0))) return "utf-16le";
    if (bytes.every((byte, index) => (index % 2 === 0) === (byte === 0))) return "utf-16be";
  }
  return "text";
}

async function* decoded(
  input: AsyncGenerator<Buffer, void, void>,
  encoding: "utf-16le" | "utf-16be",
): AsyncGenerator<Buffer, void, void> {
  const decoder = new TextDecoder(encoding);
  for await (const chunk of input) yield Buffer.from(decoder.decode(chunk, { stream: true }));
  yield Buffer.from(decoder.decode());
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

function asStreamError(error: unknown): LogStreamError {
  if (error instanceof LogStreamError) return error;
  const { code = "EUNKNOWN", message } = error as NodeJS.ErrnoException;
  if (code === "EISDIR")
    return new LogStreamError(code, "This is a folder", "Name the files in it, as in FOLDER/*", { cause: error });
  const damaged = code.startsWith("Z_") || code.startsWith("ZSTD_") || code === "ERR_STREAM_PREMATURE_CLOSE";
  const advice = damaged ? DAMAGED : "Check the path and the permissions";
  return new LogStreamError(code, message, advice, { cause: error });
}
