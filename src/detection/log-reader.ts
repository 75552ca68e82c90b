/**
 * Reads the lines of one source: each line finds its own reader, behind whatever it is wrapped in. What was read is handed
 * on from the outside to the inside, until somebody says that it has been judged.
 */
import { gunzipSync } from "node:zlib";
import { genericRecord } from "./log-generic.js";
import type { LogFormat, Reading } from "./log-format.js";
import { JSON_FORMATS, LAST_FORMATS, LINE_FORMATS, ROW_FORMAT, formatOf } from "./log-formats.js";
import { parseJson } from "./log-json.js";
import { csvFields, csvHeader, readPairs } from "./log-pairs.js";
import { isText, object } from "./log-record.js";
import type { Fields, LogRecord } from "./log-record.js";
import { envelopeOf, fieldPairs, joined, peelPrefix, recordLists } from "./log-wrappers.js";
import type { Envelope, Peeled } from "./log-wrappers.js";

/** Takes a record and the name of its format. Returns whether it has been judged, so that nothing further in is needed. */
export type OnRecord = (record: LogRecord, format: string) => boolean;

/** What became of a line. */
export interface LineOutcome {
  /** Whether a record of it was judged. */
  readonly judged: boolean;
  /** Whether a part of it was broken: JSON that is none, or columns that do not fit their header. */
  readonly malformed: boolean;
  /** Format of the outermost record that was read, if any. */
  readonly format?: string;
  /** Texts that were packed inside the line, and cannot be seen in it as it stands. */
  readonly packed: readonly string[];
  /** The columns of a row that no format read, by the names of the header. */
  readonly row?: Fields;
}

/** Reads one source. */
export interface LogReader {
  readonly read: (text: string, line: number, onRecord: OnRecord) => LineOutcome;
}

/** How a source is read. */
export interface ReaderOptions {
  /** Name of the one format that counts. Default: any. */
  readonly format?: string | undefined;
  /** Names of the columns of lines without a header. */
  readonly columns?: readonly string[] | undefined;
  /** Milliseconds since the epoch, for times without a year. */
  readonly now: () => number;
}

/** Wrappers in wrappers are followed so far. */
const DEEPEST = 12;
/** Texts and objects inside one line that are looked at; more are no log's. */
const MOST_PARTS = 4_096;
/** Shorter texts inside a record hold no record of their own. */
const SHORTEST = 16;
const NOWHERE: Envelope = { origin: {} };

/** A reader for one source; it keeps what headers said. */
export function createLogReader({ format, columns, now }: ReaderOptions): LogReader {
  const wanted = format === undefined ? undefined : formatOf(format);
  const jsonFormats = wanted === undefined ? JSON_FORMATS : JSON_FORMATS.filter((entry) => entry === wanted);
  const opened = (formats: readonly LogFormat[]) =>
    (wanted === undefined ? formats : formats.filter((entry) => entry === wanted)).map(({ name, open }) => ({
      name,
      read: open!(now, columns, wanted !== undefined),
    }));
  const lineFormats = opened(LINE_FORMATS);
  const lastFormats = opened(LAST_FORMATS);
  const generic = wanted === undefined;
  let header: readonly string[] | undefined = columns;

  return {
    read(line, number, onRecord) {
      let malformed = false;
      /** Whether anything was read whole: what is left of it behind a prefix is then no broken record of its own. */
      let whole = false;
      let broken = false;
      let last: string | undefined;
      let unread: Fields | undefined;
      let parts = 0;
      const packed: string[] = [];
      /** What was peeled off already, and what its format has nothing further in. */
      const peeledTexts = new Map<string, readonly Peeled[]>();
      const unfit = new Set<string>();

      function handOn(reading: Reading, name: string, envelope: Envelope): boolean {
        if (reading === undefined) return false;
        if (reading === "malformed") broken = true;
        // The first that read it whole tells what it is; what is tried further in is a guess.
        if (!whole) last = name;
        if (typeof reading === "string") return false;
        whole = true;
        // One thing told from several sides: who judges the first needs no other.
        return reading.some((record) => onRecord(enveloped(record, envelope), name));
      }

      /**
       * First `strict`, only by formats that a whole line has to fit, because a prefix may be read in more than one way;
       * then `loose`, by those that a part of it is enough for.
       */
      function inText(
        written: string,
        envelope: Envelope,
        depth: number,
        pass: "both" | "strict" | "loose" = "both",
      ): boolean {
        if (depth > DEEPEST || ++parts > MOST_PARTS) return false;
        const outside = bare(written);
        const text = unpacked(outside);
        if (text === "") return false;
        if (text !== outside) packed.push(text);
        const value = text[0] === "{" || text[0] === "[" ? parseMany(text) : undefined;
        if (value !== undefined) return pass !== "loose" && inValue(value, text, envelope, depth);
        if (text[0] === "{" && depth === 0) malformed = true;
        for (const { name, read } of pass === "loose" ? [] : lineFormats) {
          const reading = read(text);
          if (reading === "other" || reading === "malformed") unfit.add(text);
          if (handOn(reading, name, envelope)) return true;
          if (reading === "other" || reading === "malformed") return false;
        }
        if (unfit.has(text)) return false;
        let inside = peeledTexts.get(text);
        if (inside === undefined) peeledTexts.set(text, (inside = peelPrefix(text, now)));
        if (pass !== "loose")
          for (const peeled of inside)
            if (inText(peeled.text, joined(envelope, peeled), depth + 1, "strict")) return true;
        if (pass === "strict") return false;
        for (const peeled of inside) if (inText(peeled.text, joined(envelope, peeled), depth + 1, "loose")) return true;
        // Records of JSON behind words of somebody's: `INFO handler: {"...": ...}`
        const brace = text.indexOf("{");
        if (brace > 0 && text.endsWith("}")) {
          const behind = text.slice(brace);
          const inner = parseMany(behind);
          if (inner !== undefined && inValue(inner, behind, envelope, depth + 1)) return true;
        }
        // These are recognised behind a prefix that was not peeled: what it says of the host is true all the same.
        const { time, origin } = joined(envelope, inside[0] ?? NOWHERE);
        for (const { name, read } of lastFormats) {
          // Columns that a header names are no guess.
          if (name === ROW_FORMAT.name && header !== undefined && csvFields(header, text) !== undefined) continue;
          if (handOn(read(text), name, { time, origin })) return true;
        }
        return generic && inColumns(text, envelope);
      }

      /** Names and values without a format of their own. */
      function inColumns(text: string, envelope: Envelope): boolean {
        const row = header === undefined ? undefined : csvFields(header, text);
        if (row !== undefined && inFormats(row, text, envelope) === true) return true;
        unread = row;
        const fields = row ?? (text.includes("=") ? readPairs(text) : undefined);
        const record = fields === undefined ? undefined : genericRecord(fields, text);
        return record !== undefined && handOn([record], row === undefined ? "pairs" : "csv", envelope);
      }

      /** Whether a record was judged; else whether there may be more to read in it. */
      function inFormats(fields: Fields, text: string, envelope: Envelope): true | "none" | "more" {
        for (const entry of jsonFormats) {
          const reading = entry.json!(fields, text, wanted !== undefined);
          if (reading === undefined) continue;
          return handOn(reading, entry.name, envelope) || (entry.whole === true ? "none" : "more");
        }
        return "more";
      }

      function inBytes(text: string, envelope: Envelope, depth: number): boolean {
        packed.push(text);
        return inText(text, envelope, depth);
      }

      function inValue(value: unknown, text: string, envelope: Envelope, depth: number): boolean {
        if (depth > DEEPEST || ++parts > MOST_PARTS) return false;
        if (Array.isArray(value)) {
          const bytes = textOfBytes(value);
          if (bytes !== undefined) return inBytes(bytes, envelope, depth + 1);
          const pairs = fieldPairs(value);
          if (pairs !== undefined) return inValue(pairs, text, envelope, depth + 1);
          return inElements(value, envelope, depth);
        }
        const fields = object(value);
        const found = inFormats(fields, text, envelope);
        if (found !== "more") return found === true;
        const own = joined(envelope, envelopeOf(fields));
        const lists = recordLists(fields);
        let judged = false;
        for (const elements of lists) judged = inElements(elements, own, depth) || judged;
        if (judged) return true;
        for (const inner of Object.values(fields)) {
          if (isText(inner)) {
            if (inner.length >= SHORTEST && inText(inner, own, depth + 1)) return true;
          } else if (typeof inner === "object" && inner !== null && !(Array.isArray(inner) && lists.includes(inner))) {
            if (inInner(inner, own, depth + 1)) return true;
          }
        }
        if (depth > 0 || !generic) return false;
        const record = genericRecord(fields, text);
        return record !== undefined && handOn([record], "json", envelope);
      }

      function inElements(elements: readonly unknown[], envelope: Envelope, depth: number): boolean {
        let judged = false;
        for (const element of elements) {
          if (isText(element)) judged = inText(element, envelope, depth + 1) || judged;
          else if (typeof element === "object" && element !== null) {
            const one = inValue(element, JSON.stringify(element), envelope, depth + 1);
            const record = one || !generic ? undefined : genericRecord(object(element), JSON.stringify(element));
            judged = one || (record !== undefined && handOn([record], "json", envelope)) || judged;
          }
        }
        return judged;
      }

      /** An object inside a record: a record of its own, or what holds one. */
      function inInner(inner: object, envelope: Envelope, depth: number): boolean {
        if (depth > DEEPEST || ++parts > MOST_PARTS) return false;
        if (!Array.isArray(inner)) return inValue(inner, JSON.stringify(inner), envelope, depth);
        const bytes = textOfBytes(inner);
        if (bytes !== undefined) return inBytes(bytes, envelope, depth);
        const pairs = fieldPairs(inner);
        if (pairs !== undefined && inValue(pairs, JSON.stringify(pairs), envelope, depth)) return true;
        return inner.some((element) =>
          isText(element)
            ? element.length >= SHORTEST && inText(element, envelope, depth + 1)
            : typeof element === "object" && element !== null && inInner(element as object, envelope, depth + 1),
        );
      }

      if (number === 1 && header === undefined && generic) header = csvHeader(bare(line));
      const judged = inText(line, NOWHERE, 0);
      if (wanted !== undefined && last === undefined && bare(line) !== "") malformed = true;
      return {
        judged,
        malformed: malformed || (broken && !whole),
        packed,
        ...(last !== undefined && { format: last }),
        ...(unread !== undefined && { row: unread }),
      };
    },
  };
}

/** Without a byte order mark, NULs that a hole in a file left, and white space around it. */
function bare(text: string): string {
  const start = text.lastIndexOf("\0") + 1;
  return (start > 0 ? text.slice(start) : text).replace(/^[\ufeff\s]+/, "").replace(/[\r\n ]+$/, "");
}

/** Lists that are longer hold no line of a log. */
const MOST_BYTES = 65_536;

/** A text that the journal exports as the list of its bytes, because not all of them can be printed. */
export function textOfBytes(value: readonly unknown[]): string | undefined {
  if (value.length < SHORTEST || value.length > MOST_BYTES) return undefined;
  if (!value.every((byte) => typeof byte === "number" && Number.isInteger(byte) && byte >= 0 && byte < 256))
    return undefined;
  // Colours of a terminal are what cannot be printed, mostly.
  // eslint-disable-next-line no-control-regex -- an escape sequence begins with one
  return Buffer.from(value as number[])
    .toString("utf8")
    .replace(/\u001b\[[\d;]*m/g, "");
}

/** What is looked at of a text that is packed inside a record. */
const MOST_UNPACKED = 1024 * 1024;

/** A text that is gzip in Base64, unpacked; others as they are. */
export function unpacked(text: string): string {
  if (!text.startsWith("H4sI") || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return text;
  try {
    return gunzipSync(Buffer.from(text, "base64"), { maxOutputLength: MOST_UNPACKED }).toString("utf8");
  } catch {
    // Neither damaged nor too large data is a line that can be read; what stands around it is.
    return text;
  }
}

/** The JSON value of a text, or the list of the values that it has one behind the other. */
function parseMany(written: string): unknown {
  // An element of a list that is printed over many lines
  const text = written.endsWith(",") ? written.slice(0, -1) : written;
  const value = parseJson(text);
  if (value !== undefined) return value;
  // Firehose delivers objects without anything between them.
  if (!/\}\s*\{/.test(text)) return undefined;
  const values: unknown[] = [];
  for (const part of documentsIn(text)) {
    const one = parseJson(part);
    if (one === undefined) return undefined;
    values.push(one);
  }
  return values;
}

/** The objects in a text that stand one behind the other. What is in quotes is nobody's end. */
function* documentsIn(text: string): Generator<string> {
  let depth = 0;
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "\\") at++;
    else if (char === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (char === "{") depth++;
    else if (char === "}" && --depth === 0) {
      yield text.slice(start, at + 1);
      start = at + 1;
    }
  }
  if (text.slice(start).trim() !== "") yield text.slice(start);
}

function enveloped(record: LogRecord, { time, origin }: Envelope): LogRecord {
  if (Object.keys(origin).length === 0 && (record.time !== undefined || time === undefined)) return record;
  return { ...record, time: record.time ?? time, envelope: { ...origin, ...record.envelope } };
}
