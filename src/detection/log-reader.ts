/**
 * Reads the lines of one source: each line finds its own reader, behind whatever it is wrapped in. What was read is handed
 * on from the outside to the inside, until somebody says that it has been judged.
 */
import { gunzipSync } from "node:zlib";
import { genericRecord } from "./log-generic.js";
import type { LogFormat, Reading } from "./log-format.js";
import {
  JSON_FORMATS,
  LAST_FORMATS,
  LINE_FORMATS,
  ROW_FORMAT,
  SYSLOG,
  formatOf,
  journalMessage,
} from "./log-formats.js";
import { parseJson } from "./log-json.js";
import { csvFields, csvHeader, readPairs } from "./log-pairs.js";
import { isText, object } from "./log-record.js";
import type { Fields, LogRecord } from "./log-record.js";
import { envelopeOf, fieldPairs, joined, peelPrefix, recordLists } from "./log-wrappers.js";
import type { Envelope, Peeled } from "./log-wrappers.js";

/**
 * Takes a record, which is put together when it is asked for, and the name of its format. Returns whether it has been
 * judged, so that nothing further in is needed.
 */
export type OnRecord = (record: () => LogRecord, format: string) => boolean;

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
  /**
   * Without `onRecord` it is only found out what the line is: no record is put together, and none counts as one that names
   * the metadata service and has no format.
   */
  readonly read: (text: string, line: number, onRecord?: OnRecord) => LineOutcome;
  /**
   * The format of the line before, if this one has the same in the same place: for lines of which no more has to be known.
   * `undefined` where it has not, and `read` has to tell.
   */
  readonly readAgain: (text: string) => string | undefined;
}

/** Where in a line a text or an object was found. */
interface Place {
  /** What is around it; `undefined` for the line. */
  readonly outer?: Place;
  /** How one comes to it from there; `undefined` where that is found but once. */
  readonly step?: (value: unknown) => unknown;
  /** What stands around it, worked out for a record that is read in it: mostly there is none. */
  readonly envelope: () => Envelope;
}

/** How a line was read. */
interface Route {
  readonly steps: readonly ((value: unknown) => unknown)[];
  readonly name: string;
  readonly read: (value: unknown, line: string) => Reading;
}

/** A text in a line, and how far it was read. */
interface Piece {
  readonly written: string;
  readonly around: Place;
  readonly depth: number;
  text: string;
  /** Whether nothing further is looked for in it: it is JSON, or its format has nothing more. */
  closed: boolean;
  /** It without its outermost prefix, in each way in which that can be read. */
  inside: readonly Piece[];
  /** The formats that a part of it may be of. */
  candidates?: readonly Opened[];
}

/** A format that reads lines of this source. */
interface Opened extends Pick<LogFormat, "name" | "begins" | "holds"> {
  readonly read: (text: string) => Reading;
  /** Reads what stands in the same place of another line. */
  readonly again: Route["read"] | undefined;
}

/** The formats that a text may be of. */
interface CandidateFormats {
  readonly line: readonly Opened[];
  readonly last: readonly Opened[];
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
const LINE: Place = { envelope: () => NOWHERE };

/** A reader for one source; it keeps what headers said. */
export function createLogReader({ format, columns, now }: ReaderOptions): LogReader {
  const wanted = format === undefined ? undefined : formatOf(format);
  const jsonFormats = wanted === undefined ? JSON_FORMATS : JSON_FORMATS.filter((entry) => entry === wanted);
  const opened = (formats: readonly LogFormat[]) =>
    (wanted === undefined ? formats : formats.filter((entry) => entry === wanted)).map(
      ({ name, broad = false, begins, holds, open }): Opened => {
        const read = open!(now, columns, wanted !== undefined);
        // Whether no other reads it is asked anew for each line.
        const again = broad ? undefined : (value: unknown): Reading => read(openText(value));
        return { name, begins, holds, read, again };
      },
    );
  const candidatesFor = chooser(opened(LINE_FORMATS), opened(LAST_FORMATS));
  const generic = wanted === undefined;
  let header: readonly string[] | undefined = columns;
  let route: Route | undefined;

  return {
    readAgain(line) {
      if (route === undefined) return undefined;
      let value: unknown = line;
      for (const step of route.steps) if ((value = step(value)) === undefined) return undefined;
      const reading = route.read(value, line);
      return reading === undefined || reading === "malformed" ? undefined : route.name;
    },
    read(line, number, onRecord) {
      const lastResort = generic && onRecord !== undefined;
      /** What a record inside something says, as a text. */
      const textOf = (inner: unknown): string => (onRecord === undefined ? "" : JSON.stringify(inner));
      let malformed = false;
      /** Whether anything was read whole: what is left of it behind a prefix is then no broken record of its own. */
      let whole = false;
      let broken = false;
      let last: string | undefined;
      let unread: Fields | undefined;
      let parts = 0;
      const packed: string[] = [];

      /** `again` reads what stands in the same place of another line. */
      function handOn(reading: Reading, name: string, around: Place, again?: Route["read"]): boolean {
        if (reading === undefined) return false;
        if (reading === "malformed") broken = true;
        // The first that read it whole tells what it is; what is tried further in is a guess.
        if (!whole) {
          last = name;
          if (reading !== "malformed") route = again === undefined ? undefined : routeTo(around, name, again);
        }
        if (typeof reading === "string") return false;
        whole = true;
        // One thing told from several sides: who judges the first needs no other.
        if (onRecord === undefined) return reading.length > 0;
        return reading.some((made) =>
          onRecord(() => enveloped(typeof made === "function" ? made() : made, around.envelope()), name),
        );
      }

      function inText(written: string, around: Place, depth: number): boolean {
        const piece: Piece = { written, around, depth, text: "", closed: true, inside: [] };
        return strictly(piece) || loosely(piece);
      }

      /** By formats that a whole text has to fit, because a prefix may be read in more than one way. */
      function strictly(piece: Piece): boolean {
        const { around, depth } = piece;
        if (depth > DEEPEST || ++parts > MOST_PARTS) return false;
        const outside = bare(piece.written);
        const text = unpacked(outside);
        if (text === "") return false;
        if (text !== outside) packed.push(text);
        piece.text = text;
        const value = mayBeJson(text) ? parseMany(text) : undefined;
        if (value !== undefined) return inValue(value, text, parsedIn(around), depth);
        if (text[0] === "{" && depth === 0) malformed = true;
        const candidates = candidatesFor(text);
        for (const { name, read, again } of candidates.line) {
          const reading = read(text);
          if (reading === undefined) continue;
          if (handOn(reading, name, around, again)) return true;
          if (reading === "other" || reading === "malformed") return false;
        }
        piece.closed = false;
        piece.candidates = candidates.last;
        const inside = peelPrefix(text);
        if (inside.length === 0) return false;
        piece.inside = inside.map((peeled) => ({
          written: peeled.text,
          around: peeledOff(peeled, around, now),
          depth: depth + 1,
          text: "",
          closed: true,
          inside: [],
        }));
        return piece.inside.some(strictly);
      }

      /** By those that a part of a text is enough for, the innermost text first. */
      function loosely({ text, around, depth, closed, inside, candidates = [] }: Piece): boolean {
        if (closed) return false;
        for (const one of inside) if (++parts <= MOST_PARTS && loosely(one)) return true;
        // Records of JSON behind words of somebody's: `INFO handler: {"...": ...}`
        const brace = text.endsWith("}") ? text.indexOf("{") : -1;
        if (brace > 0) {
          const behind = text.slice(brace);
          const inner = parseMany(behind);
          if (inner !== undefined && inValue(inner, behind, once(around), depth + 1)) return true;
        }
        // These are recognised behind a prefix that was not peeled: what it says of the host is true all the same.
        const behind: Place = inside[0] === undefined ? around : { ...around, envelope: inside[0].around.envelope };
        for (const { name, read, again } of candidates) {
          // Columns that a header names are no guess.
          if (name === ROW_FORMAT.name && header !== undefined && csvFields(header, text) !== undefined) continue;
          const reading = read(text);
          if (reading !== undefined && handOn(reading, name, behind, again)) return true;
        }
        return generic && inColumns(text, around);
      }

      /** Names and values without a format of their own. */
      function inColumns(text: string, around: Place): boolean {
        const row = header === undefined ? undefined : csvFields(header, text);
        if (row !== undefined && inFormats(row, text, around) === true) return true;
        unread = row;
        if (!lastResort) return false;
        const fields = row ?? (text.includes("=") ? readPairs(text) : undefined);
        const record = fields === undefined ? undefined : genericRecord(fields, text);
        return record !== undefined && handOn([record], row === undefined ? "pairs" : "csv", around);
      }

      /** Whether a record was judged; else whether there may be more to read in it. */
      function inFormats(fields: Fields, text: string, around: Place): true | "none" | "more" {
        for (const entry of jsonFormats) {
          const reading = entry.json!(fields, text, wanted !== undefined);
          if (reading === undefined) continue;
          const again =
            entry.broad === true
              ? undefined
              : (value: unknown, line: string): Reading => entry.json!(object(value), line, wanted !== undefined);
          return handOn(reading, entry.name, around, again) || (entry.whole === true ? "none" : "more");
        }
        return "more";
      }

      function inBytes(text: string, around: Place, depth: number): boolean {
        packed.push(text);
        return inText(text, around, depth);
      }

      function inValue(value: unknown, text: string, around: Place, depth: number): boolean {
        if (depth > DEEPEST || ++parts > MOST_PARTS) return false;
        if (Array.isArray(value)) {
          const bytes = textOfBytes(value);
          if (bytes !== undefined) return inBytes(bytes, once(around), depth + 1);
          const pairs = fieldPairs(value);
          if (pairs !== undefined) return inValue(pairs, text, once(around), depth + 1);
          return inElements(value, once(around), depth);
        }
        const fields = object(value);
        const found = inFormats(fields, text, around);
        if (found !== "more") return found === true;
        const own = once(around, () => envelopeOf(fields));
        const lists = recordLists(fields);
        let judged = false;
        for (const elements of lists) judged = inElements(elements, own, depth) || judged;
        if (judged) return true;
        for (const [name, inner] of Object.entries(fields)) {
          if (isText(inner)) {
            if (inner.length >= SHORTEST && inText(inner, memberOf(around, name, own.envelope), depth + 1)) return true;
          } else if (typeof inner === "object" && inner !== null && !(Array.isArray(inner) && lists.includes(inner))) {
            if (inInner(inner, own, depth + 1)) return true;
          }
        }
        if (last === undefined && (wanted === undefined || wanted === SYSLOG)) {
          if (handOn(journalMessage(fields, text), SYSLOG.name, own)) return true;
        }
        if (depth > 0 || !lastResort) return false;
        const record = genericRecord(fields, text);
        return record !== undefined && handOn([record], "json", around);
      }

      function inElements(elements: readonly unknown[], around: Place, depth: number): boolean {
        let judged = false;
        for (const element of elements) {
          if (isText(element)) judged = inText(element, around, depth + 1) || judged;
          else if (typeof element === "object" && element !== null) {
            const one = inValue(element, textOf(element), around, depth + 1);
            const record = one || !lastResort ? undefined : genericRecord(object(element), textOf(element));
            judged = one || (record !== undefined && handOn([record], "json", around)) || judged;
          }
        }
        return judged;
      }

      /** An object inside a record: a record of its own, or what holds one. */
      function inInner(inner: object, around: Place, depth: number): boolean {
        if (depth > DEEPEST || ++parts > MOST_PARTS) return false;
        if (!Array.isArray(inner)) return inValue(inner, textOf(inner), around, depth);
        const bytes = textOfBytes(inner);
        if (bytes !== undefined) return inBytes(bytes, around, depth);
        const pairs = fieldPairs(inner);
        if (pairs !== undefined && inValue(pairs, textOf(pairs), around, depth)) return true;
        return inner.some((element) =>
          isText(element)
            ? element.length >= SHORTEST && inText(element, around, depth + 1)
            : typeof element === "object" && element !== null && inInner(element as object, around, depth + 1),
        );
      }

      if (number === 1 && header === undefined && generic) header = csvHeader(bare(line));
      const judged = inText(line, LINE, 0);
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

/** Of a log there are few; of one that was made for it, a hundred thousand. */
const MOST_KNOWN = 1_024;

/** Tells, by how a text begins and by what it holds, which formats are worth trying; each in the order of its list. */
function chooser(line: readonly Opened[], last: readonly Opened[]): (text: string) => CandidateFormats {
  const parts = [...new Set([...line, ...last].flatMap(({ holds = [] }) => holds))];
  const known = new Map<number, CandidateFormats>();
  return (text) => {
    const code = text.charCodeAt(0);
    const first = code < 128 ? code : 0;
    let held = 0;
    for (let index = 0; index < parts.length; index++) if (text.includes(parts[index]!)) held |= 1 << index;
    const key = held * 128 + first;
    let candidates = known.get(key);
    if (candidates === undefined) {
      const fits = ({ begins, holds }: Opened): boolean =>
        (begins === undefined || (first > 0 && begins.test(String.fromCharCode(first)))) &&
        (holds === undefined || holds.every((part) => (held & (1 << parts.indexOf(part))) !== 0));
      if (known.size === MOST_KNOWN) known.clear();
      known.set(key, (candidates = { line: line.filter(fits), last: last.filter(fits) }));
    }
    return candidates;
  };
}

/** Without a byte order mark, NULs that a hole in a file left, and white space around it. */
function bare(text: string): string {
  const start = text.lastIndexOf("\0") + 1;
  const rest = start > 0 ? text.slice(start) : text;
  // Most lines have neither, and a search for the end of one goes over every space in it.
  const inner = /^[\ufeff\s]/.test(rest) ? rest.replace(/^[\ufeff\s]+/, "") : rest;
  return " \r\n".includes(inner.at(-1) ?? "") ? inner.replace(/[\r\n ]+$/, "") : inner;
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

/**
 * Whether it is worth to parse a text. The kernel, Apache and many others put a time or a level in brackets in front, and
 * an error that JSON.parse throws takes as long as all the rest.
 */
function mayBeJson(text: string): boolean {
  if (text[0] !== "{" && text[0] !== "[") return false;
  return text[0] === "{" ? /^\{\s*["}]/.test(text) : /^\[\s*(?:[[{"\]tfn-]|\d{1,16}\s*[,\]])/.test(text);
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

/** What is found inside something, but not in the same place of each line; `own` is what is said of it there. */
function once(outer: Place, own?: () => Envelope): Place {
  return { outer, envelope: own === undefined ? outer.envelope : () => joined(outer.envelope(), own()) };
}

function peeledOff({ envelope, wrapper }: Peeled, outer: Place, now: () => number): Place {
  return {
    outer,
    envelope: () => joined(outer.envelope(), envelope(now)),
    step: (value) => wrapper.peel(openText(value))?.text,
  };
}

function parsedIn(outer: Place): Place {
  return {
    outer,
    envelope: outer.envelope,
    step: (value) => {
      const text = openText(value);
      const parsed = mayBeJson(text) ? parseMany(text) : undefined;
      return Array.isArray(parsed) ? undefined : parsed;
    },
  };
}

/** `envelope` is that of the object. */
function memberOf(outer: Place, name: string, envelope: () => Envelope): Place {
  return {
    outer,
    envelope,
    step: (value) => {
      const fields = object(value);
      return Object.hasOwn(fields, name) ? fields[name] : undefined;
    },
  };
}

function openText(value: unknown): string {
  return isText(value) ? unpacked(bare(value)) : "";
}

function routeTo(place: Place, name: string, read: Route["read"]): Route | undefined {
  const steps = [];
  for (let at = place; at.outer !== undefined; at = at.outer) {
    if (at.step === undefined) return undefined;
    steps.unshift(at.step);
  }
  return { steps, name, read };
}

function enveloped(record: LogRecord, { time, origin }: Envelope): LogRecord {
  if (Object.keys(origin).length === 0 && (record.time !== undefined || time === undefined)) return record;
  return { ...record, time: record.time ?? time, envelope: { ...origin, ...record.envelope } };
}
