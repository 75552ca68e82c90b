/** What is packed in ways that Node.js does not know: zip archives, bzip2, Parquet. Loaded where one is met. */
import * as zlib from "node:zlib";
import { Unzip, UnzipInflate } from "fflate";
import { parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import type { Compressors } from "hyparquet";
import bunzipStream from "unbzip2-stream";
import { DAMAGED, LogStreamError } from "./log-stream-error.js";

type Chunks = AsyncGenerator<Buffer, void, void>;

/** One log: a stream, or a file in an archive. */
export interface LogMember {
  /** Its path in the archive. Absent for what is no archive. */
  readonly name?: string;
  /** Its content, as text in UTF-8. Errors are of type {@link LogStreamError}. */
  readonly chunks: AsyncGenerator<Buffer, void, void>;
}

/** Pushed at once: a compressed byte may become a thousand. */
const PUSHED = 8 * 1024;
/** A Parquet file is read from its end, and so has to be held whole. */
const MOST_PARQUET = 512 * 1024 * 1024;

/** A file of an archive, as far as it is unpacked. */
interface Unpacking {
  readonly name: string;
  readonly parts: Buffer[];
  done: boolean;
  error?: Error;
}

/** The files of a zip archive, in their order. `unpack` is what is done to the content of each. */
export async function* zipMembers(
  input: Chunks,
  unpack: (content: Chunks) => Chunks,
): AsyncGenerator<LogMember, void, void> {
  const waiting: Unpacking[] = [];
  const unzip = new Unzip((file) => {
    const member: Unpacking = { name: file.name, parts: [], done: false };
    waiting.push(member);
    file.ondata = (error, data, final) => {
      if (error !== null) member.error = error;
      else member.parts.push(Buffer.from(data.buffer, data.byteOffset, data.length));
      member.done = final || error !== null;
    };
    try {
      file.start();
    } catch (error) {
      member.error = error as Error;
      member.done = true;
    }
  });
  unzip.register(UnzipInflate);
  let rest: Buffer = Buffer.alloc(0);
  let tail: Buffer = Buffer.alloc(0);
  let ended = false;
  let members = 0;

  async function more(): Promise<boolean> {
    if (ended) return false;
    if (rest.length === 0) {
      const next = await input.next();
      ended = next.done === true;
      rest = next.done === true ? Buffer.alloc(0) : next.value;
    }
    const part = rest.subarray(0, PUSHED);
    rest = rest.subarray(part.length);
    tail = Buffer.concat([tail.subarray(-LONGEST_END), part]);
    try {
      unzip.push(part, ended);
    } catch (error) {
      ended = true;
      for (const member of waiting) member.error ??= error as Error;
      if (waiting.length === 0) throw damaged(error);
    }
    return true;
  }

  async function* contentOf(member: Unpacking): Chunks {
    for (;;) {
      for (let part = member.parts.shift(); part !== undefined; part = member.parts.shift()) yield part;
      if (member.error !== undefined) throw damaged(member.error);
      if (member.done) return;
      if (!(await more())) throw damaged(new Error("unexpected end of archive"));
    }
  }

  for (;;) {
    while (waiting.length === 0) {
      if (await more()) continue;
      const listed = listedIn(tail);
      if (listed !== members && listed !== UNKNOWN_COUNT) yield { chunks: broken(listed, members) };
      return;
    }
    members++;
    // It stays first in the list until it is done: what follows it in a pushed part is behind it.
    const member = waiting[0]!;
    if (!member.name.endsWith("/")) yield { name: member.name, chunks: unpack(contentOf(member)) };
    while (!member.done && (await more())) member.parts.length = 0;
    waiting.shift();
  }
}

/** The record at the end of an archive, with the longest comment. */
const LONGEST_END = 22 + 65_535;
/** What archives of the large form say instead. */
const UNKNOWN_COUNT = 65_535;

/** How many files an archive says at its end that it has, or `undefined` where it does not end. */
function listedIn(tail: Buffer): number | undefined {
  const at = tail.lastIndexOf("PK\x05\x06", undefined, "latin1");
  return at === -1 || at + 12 > tail.length ? undefined : tail.readUInt16LE(at + 10);
}

async function* broken(listed: number | undefined, members: number): Chunks {
  throw damaged(
    new Error(
      listed === undefined ? "unexpected end of archive" : `${members} of ${listed} files were found in the archive`,
    ),
  );
}

/** The content of bzip2, of one stream or of several one behind the other. */
export async function* bunzip(input: Chunks): Chunks {
  const decompressor = bunzipStream();
  const parts: Buffer[] = [];
  let failure: unknown;
  // It works while it is written to, and hands on what it has in events.
  decompressor.on("data", (part: Buffer) => parts.push(part));
  decompressor.on("error", (error: unknown) => (failure ??= error));
  for await (const chunk of input) {
    decompressor.write(chunk);
    yield* parts.splice(0);
    if (failure !== undefined) throw damaged(failure);
  }
  decompressor.end();
  yield* parts.splice(0);
  if (failure !== undefined) throw damaged(failure);
}

const zstandard = (zlib as { zstdDecompressSync?: (bytes: Uint8Array) => Buffer }).zstdDecompressSync;
/** What hyparquet decompresses itself. */
const BUILT_IN: ReadonlySet<string> = new Set(["UNCOMPRESSED", "SNAPPY"]);
const COMPRESSORS: Compressors = {
  GZIP: (bytes) => zlib.gunzipSync(bytes),
  BROTLI: (bytes) => zlib.brotliDecompressSync(bytes),
  ...(zstandard !== undefined && { ZSTD: (bytes: Uint8Array) => zstandard(bytes) }),
};

/** The rows of a Parquet file as lines of JSON, one group of rows after the other. */
export async function* parquetLines(input: Chunks): Chunks {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of input) {
    parts.push(part);
    length += part.length;
    if (length > MOST_PARQUET)
      throw new LogStreamError(
        "ERR_SCAN_BINARY",
        `This is a Parquet file of more than ${MOST_PARQUET / 1024 / 1024} MiB, which is not read`,
        "Turn it into JSON lines on the way, or scan its parts",
      );
  }
  const whole = Buffer.concat(parts, length);
  const file = {
    byteLength: length,
    slice: (start: number, end?: number) => {
      const view = whole.subarray(start, end);
      return view.buffer.slice(view.byteOffset, view.byteOffset + view.length) as ArrayBuffer;
    },
  };
  try {
    const metadata = await parquetMetadataAsync(file);
    const codecs = metadata.row_groups.flatMap(({ columns }) => columns.map(({ meta_data }) => meta_data?.codec));
    const codec = codecs.find((name) => name !== undefined && !Object.hasOwn(COMPRESSORS, name) && !BUILT_IN.has(name));
    if (codec !== undefined)
      throw new LogStreamError(
        "ERR_SCAN_BINARY",
        `This is a Parquet file compressed by ${codec}, which is not read`,
        codec === "ZSTD" ? "Use Node.js 22.15 or later" : "Turn it into JSON lines on the way",
      );
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      const rowEnd = rowStart + Number(group.num_rows);
      const rows = await parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors: COMPRESSORS });
      rowStart = rowEnd;
      for (let at = 0; at < rows.length; at += ROWS)
        yield Buffer.from(
          rows
            .slice(at, at + ROWS)
            .map((row) => `${JSON.stringify(row, plain)}\n`)
            .join(""),
        );
    }
  } catch (error) {
    throw error instanceof LogStreamError ? error : damaged(error);
  }
}

const ROWS = 256;

function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : value;
}

function damaged(error: unknown): LogStreamError {
  return new LogStreamError("ERR_SCAN_DAMAGED", (error as Error).message, DAMAGED, { cause: error });
}
