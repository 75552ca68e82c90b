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
import { csvColumnsOf, csvFields, csvHeader, readPairs } from "./log-pairs.js";
import { isText, object } from "./log-record.js";
import type { Fields, LogRecord } from "./log-record.js";
import { envelopeOf, fieldPairs, joined, peelPrefix, recordLists } from "./log-wrappers.js";
import type { Envelope, Peeled, Wrapper } from "./log-wrappers.js";

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
  /** The columns of a row that no format read, by the names of the header: where its records are asked for. */
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

/** Where in a line a text or an object was found. What stands around it is worked out for a record that is read in it. */
interface Place {
  /** What is around it; `undefined` for the line. */
  readonly outer?: Place;
  /** How one comes to it from there; `undefined` where that is found but once. */
  readonly step?: Step;
  /** What it was peeled out of. */
  readonly peeled?: Peeled | undefined;
  /** The object that it is in, whose fields tell of it. */
  readonly object?: Fields;
  /** What it is behind, where it was not peeled off. */
  readonly behind?: Peeled | undefined;
}

/** From one place into the next: out of a wrapper, out of a text of JSON, or to a member of an object. */
type Step = Wrapper | "parsed" | { readonly member: string };

/** How a line was read. */
interface Route {
  readonly steps: readonly Step[];
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
  candidates: readonly Opened[];
  /** What it may hold of what tells formats apart: a bit each. */
  held: number;
}

/** A format that reads lines of this source. */
interface Opened extends Pick<LogFormat, "name" | "begins" | "holds"> {
  readonly read: (text: string) => Reading;
  /** Reads what stands in the same place of another line. */
  readonly again: Route["read"] | undefined;
}

const NO_PIECES: readonly Piece[] = [];
const NO_FORMATS: readonly Opened[] = [];

/** The formats that a text may be of. */
interface CandidateFormats {
  readonly line: readonly Opened[];
  readonly last: readonly Opened[];
  /** What the text may hold of what tells formats apart: a bit each. */
  readonly held: number;
}
const ANYTHING = -1;

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
const LINE: Place = {};
/** Ways of reading that are kept: a log may have records of several formats. */
const MOST_ROUTES = 3;

/** A reader for one source; it keeps what headers said. */
export function createLogReader({ format, columns, now }: ReaderOptions): LogReader {
  const wanted = format === undefined ? undefined : formatOf(format);
  const jsonFormats =
    wanted === undefined ? chooserOfObjects(JSON_FORMATS) : () => (wanted.json === undefined ? [] : [wanted]);
  const opened = (formats: readonly LogFormat[]) =>
    (wanted === undefined ? formats : formats.filter((entry) => entry === wanted)).map(
      ({ name, broad = false, begins, holds, open }): Opened => {
        const read = open!(now, columns, wanted !== undefined);
        // Whether no other reads it is asked anew for each line.
        const again = broad ? undefined : (value: unknown): Reading => read(openText(value));
        return { name, begins, holds, read, again };
      },
    );
  const objectsAgain = new Map(
    JSON_FORMATS.map((entry): [LogFormat, Route["read"] | undefined] => [
      entry,
      entry.broad === true ? undefined : (value, line) => entry.json!(object(value), line, wanted !== undefined),
    ]),
  );
  const candidatesFor = chooser(opened(LINE_FORMATS), opened(LAST_FORMATS));
  const generic = wanted === undefined;
  let header: readonly string[] | undefined = columns;
  /** Of the lines before, the one that was taken last first. */
  const routes: Route[] = [];
  let headerFormats: readonly LogFormat[] | undefined;

  // Of the line that is read.
  let onRecord: OnRecord | undefined;
  let lastResort = false;
  let malformed = false;
  /** Whether anything was read whole: what is left of it behind a prefix is then no broken record of its own. */
  let whole = false;
  let broken = false;
  let last: string | undefined;
  let route: Route | undefined;
  let unread: Fields | undefined;
  let parts = 0;
  /** How often something was read or tried in JSON. */
  let tried = 0;
  /** Texts in which a whole text's format was looked for in vain: several prefixes may leave the same. */
  let barren: string[] = [];
  let packed: string[] = [];

  /** What a record inside something says, as a text. */
  const textOf = (inner: unknown): string => (onRecord === undefined ? "" : JSON.stringify(inner));
  /** Whether one record is enough: without anybody to judge them, the first tells what the line is. */
  const enough = (judged: boolean): boolean => judged && onRecord === undefined;

  /** `again` reads what stands in the same place of another line. */
  function handOn(reading: Reading, name: string, around: Place, again?: Route["read"]): boolean {
    if (reading === undefined) return false;
    tried++;
    if (reading === "malformed") broken = true;
    // The first that read it whole tells what it is; what is tried further in is a guess.
    if (!whole) {
      last = name;
      if (reading !== "malformed") route = again === undefined ? undefined : routeTo(around, name, again);
    }
    if (typeof reading === "string") return false;
    whole = true;
    const judge = onRecord;
    // One thing told from several sides: who judges the first needs no other.
    if (judge === undefined) return reading.length > 0;
    return reading.some((made) =>
      judge(() => enveloped(typeof made === "function" ? made() : made, envelopeAt(around, now)), name),
    );
  }

  function keepRoute(taken: Route): void {
    const known = routes.findIndex((other) => isSame(other, taken));
    if (known !== -1) routes.splice(known, 1);
    else if (routes.length === MOST_ROUTES) routes.pop();
    routes.unshift(taken);
  }

  function inText(written: string, around: Place, depth: number): boolean {
    const piece: Piece = {
      written,
      around,
      depth,
      text: "",
      closed: true,
      inside: NO_PIECES,
      candidates: NO_FORMATS,
      held: ANYTHING,
    };
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
    if (depth > 1 && barren.includes(text)) return false;
    const before = tried;
    piece.text = text;
    const value = mayBeJson(text) ? parseMany(text) : undefined;
    if (value !== undefined) {
      tried++;
      return inValue(value, text, parsedIn(around, value), depth);
    }
    if (text[0] === "{" && depth === 0) malformed = true;
    // What is not in the whole is in no part of it.
    const candidates = candidatesFor(text, text === outside ? piece.held : ANYTHING);
    piece.held = candidates.held;
    for (const { name, read, again } of candidates.line) {
      const reading = read(text);
      if (reading === undefined) continue;
      if (handOn(reading, name, around, again)) return true;
      if (reading === "other" || reading === "malformed") return false;
    }
    piece.closed = false;
    piece.candidates = candidates.last;
    const peeled = peelPrefix(text);
    if (peeled.length === 0) {
      if (tried === before && depth > 0) barren.push(text);
      return false;
    }
    piece.inside = peeled.map((one) => ({
      written: one.text,
      around: { outer: around, step: one.wrapper, peeled: one },
      depth: depth + 1,
      text: "",
      closed: true,
      inside: NO_PIECES,
      candidates: NO_FORMATS,
      held: piece.held,
    }));
    if (piece.inside.some(strictly)) return true;
    if (tried === before && depth > 0) barren.push(text);
    return false;
  }

  /** By those that a part of a text is enough for, the innermost text first. */
  function loosely({ text, around, depth, closed, inside, candidates }: Piece): boolean {
    if (closed) return false;
    for (const one of inside) if (++parts <= MOST_PARTS && loosely(one)) return true;
    // Records of JSON behind words of somebody's: `INFO handler: {"...": ...}`
    const brace = text.endsWith("}") ? text.indexOf("{") : -1;
    if (brace > 0) {
      const behind = text.slice(brace);
      const inner = mayBeJson(behind) ? parseMany(behind) : undefined;
      if (inner !== undefined && inValue(inner, behind, { outer: around }, depth + 1)) return true;
    }
    // These are recognised behind a prefix that was not peeled: what it says of the host is true all the same.
    const behind: Place = inside[0] === undefined ? around : { ...around, behind: inside[0].around.peeled };
    const named = header === undefined ? undefined : csvColumnsOf(header, text);
    for (const { name, read, again } of candidates) {
      // Columns that a header names are no guess.
      if (named !== undefined && name === ROW_FORMAT.name) continue;
      const reading = read(text);
      if (reading !== undefined && handOn(reading, name, behind, again)) return true;
    }
    return generic && inColumns(text, named, around);
  }

  /** Names and values without a format of their own. `columns` are those of a row that has as many as the header. */
  function inColumns(text: string, columns: readonly string[] | undefined, around: Place): boolean {
    // Without anybody to judge it, a row of which no format can be is none.
    const idle = onRecord === undefined && formatsOfHeader().length === 0;
    const row = columns === undefined || idle ? undefined : csvFields(header!, columns);
    if (row !== undefined && inFormats(row, text, around) === true) return true;
    unread = row;
    if (!lastResort) return false;
    const fields = row ?? (text.includes("=") ? readPairs(text) : undefined);
    const record = fields === undefined ? undefined : genericRecord(fields, text);
    return record !== undefined && handOn([record], row === undefined ? "pairs" : "csv", around);
  }

  function formatsOfHeader(): readonly LogFormat[] {
    return (headerFormats ??= jsonFormats(csvFields(header ?? [], header ?? [])));
  }

  /** Whether a record was judged; else whether there may be more to read in it. */
  function inFormats(fields: Fields, text: string, around: Place): true | "none" | "more" {
    for (const entry of jsonFormats(fields)) {
      const reading = entry.json!(fields, text, wanted !== undefined);
      if (reading === undefined) continue;
      const more = entry.whole !== true;
      // Where that says nothing, something in the object may be what the line is.
      const again = reading === "other" && more ? undefined : objectsAgain.get(entry);
      return handOn(reading, entry.name, around, again) || (more ? "more" : "none");
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
      if (bytes !== undefined) return inBytes(bytes, { outer: around }, depth + 1);
      const pairs = fieldPairs(value);
      if (pairs !== undefined) return inValue(pairs, text, { outer: around }, depth + 1);
      return inElements(value, { outer: around }, depth);
    }
    const fields = object(value);
    const found = inFormats(fields, text, around);
    if (found !== "more") return found === true;
    const own: Place = { outer: around, object: fields };
    const lists = recordLists(fields);
    let judged = false;
    for (const elements of lists) {
      judged = inElements(elements, own, depth) || judged;
      if (enough(judged)) return true;
    }
    if (judged) return true;
    for (const name of Object.keys(fields)) {
      const inner = fields[name];
      if (isText(inner)) {
        if (
          inner.length >= SHORTEST &&
          inText(inner, { outer: around, step: { member: name }, object: fields }, depth + 1)
        )
          return true;
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
      if (enough(judged)) return true;
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

  return {
    readAgain(line) {
      for (let index = 0; index < routes.length; index++) {
        const { steps, name, read } = routes[index]!;
        let value: unknown = line;
        for (const step of steps) if ((value = stepped(step, value)) === undefined) break;
        if (value === undefined) continue;
        const reading = read(value, line);
        if (reading === undefined || reading === "malformed") continue;
        if (index > 0) routes.unshift(...routes.splice(index, 1));
        return name;
      }
      return undefined;
    },
    read(line, number, judge) {
      onRecord = judge;
      lastResort = generic && judge !== undefined;
      malformed = whole = broken = false;
      last = route = unread = undefined;
      parts = tried = 0;
      barren = [];
      packed = [];
      if (number === 1 && header === undefined && generic) header = csvHeader(bare(line));
      const judged = inText(line, LINE, 0);
      if (route !== undefined) keepRoute(route);
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

/** Names of fields that are remembered: a log may name its fields as it likes. */
const MOST_NAMES = 4_096;
const LONGEST_NAME = 64;

/** Tells, by the names of its fields, of which formats an object may be; in the order of their list. */
function chooserOfObjects(formats: readonly LogFormat[]): (fields: Fields) => readonly LogFormat[] {
  const marks = new Map<string, number>();
  const known = new Map<number, readonly LogFormat[]>();
  const markOf = (name: string): number => {
    let mark = 0;
    for (const [index, { names }] of formats.entries()) if (names?.(name) !== false) mark |= 1 << index;
    if (marks.size < MOST_NAMES && name.length <= LONGEST_NAME) marks.set(name, mark);
    return mark;
  };
  return (fields) => {
    let mark = 0;
    for (const name of Object.keys(fields)) mark |= marks.get(name) ?? markOf(name);
    let fit = known.get(mark);
    if (fit === undefined) {
      fit = formats.filter((_, index) => (mark & (1 << index)) !== 0);
      if (known.size === MOST_KNOWN) known.clear();
      known.set(mark, fit);
    }
    return fit;
  };
}

/** Of a log there are few; of one that was made for it, a hundred thousand. */
const MOST_KNOWN = 1_024;

/** Formats that texts with the same first character may be of. */
interface Beginning {
  readonly line: readonly Opened[];
  readonly last: readonly Opened[];
  /** What tells them apart: a bit each. */
  readonly parts: number;
  /** By what a text holds of that. */
  readonly known: Map<number, CandidateFormats>;
}

/**
 * Tells, by how a text begins and by what it holds, which formats are worth trying; each in the order of its list. `within`
 * is what a text may hold that this one is a part of.
 */
function chooser(line: readonly Opened[], last: readonly Opened[]): (text: string, within: number) => CandidateFormats {
  const parts = [...new Set([...line, ...last].flatMap(({ holds = [] }) => holds))];
  const maskOf = ({ holds = [] }: Opened): number => holds.reduce((mask, part) => mask | (1 << parts.indexOf(part)), 0);
  const masks = new Map([...line, ...last].map((one) => [one, maskOf(one)]));
  const beginnings: Beginning[] = [];

  function beginning(first: number): Beginning {
    const mayBegin = ({ begins }: Opened): boolean =>
      begins === undefined || (first > 0 && begins.test(String.fromCharCode(first)));
    const [ofLine, ofLast] = [line.filter(mayBegin), last.filter(mayBegin)];
    const asked = [...ofLine, ...ofLast].reduce((mask, one) => mask | masks.get(one)!, 0);
    return { line: ofLine, last: ofLast, parts: asked, known: new Map() };
  }

  return (text, within) => {
    const code = text.charCodeAt(0);
    const first = code < 128 ? code : 0;
    const own = (beginnings[first] ??= beginning(first));
    // What nobody asks for may be there.
    let held = within & ~own.parts;
    for (let left = within & own.parts; left !== 0; left &= left - 1) {
      const bit = left & -left;
      const part = parts[31 - Math.clz32(bit)]!;
      if (typeof part === "string" ? text.includes(part) : part.test(text)) held |= bit;
    }
    let candidates = own.known.get(held);
    if (candidates === undefined) {
      const fits = (one: Opened): boolean => (masks.get(one)! & ~held) === 0;
      if (own.known.size === MOST_KNOWN) own.known.clear();
      own.known.set(held, (candidates = { line: own.line.filter(fits), last: own.last.filter(fits), held }));
    }
    return candidates;
  };
}

/** Without a byte order mark, NULs that a hole in a file left, and white space around it. */
function bare(text: string): string {
  // Most lines have none of them, and to look for the end of white space is to go over every space in a line.
  const rest = text.includes("\0") ? text.slice(text.lastIndexOf("\0") + 1) : text;
  const first = rest.charCodeAt(0);
  const inner = first > 0x20 && first < 0x7f ? rest : rest.replace(/^[\ufeff\s]+/, "");
  return inner.charCodeAt(inner.length - 1) > 0x20 ? inner : inner.replace(/[\r\n ]+$/, "");
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

/** A list is found but once. */
function parsedIn(outer: Place, value: unknown): Place {
  return Array.isArray(value) ? { outer } : { outer, step: "parsed" };
}

/** What stands around a place: the outer first, so that the inner says what both do. */
function envelopeAt({ outer, peeled, object: fields, behind }: Place, now: () => number): Envelope {
  let envelope = outer === undefined ? NOWHERE : envelopeAt(outer, now);
  if (peeled !== undefined) envelope = joined(envelope, peeled.wrapper.envelope(peeled.whole, now));
  if (fields !== undefined) envelope = joined(envelope, envelopeOf(fields));
  return behind === undefined ? envelope : joined(envelope, behind.wrapper.envelope(behind.whole, now));
}

/** What stands in that place of something, or `undefined`. */
function stepped(step: Step, value: unknown): unknown {
  if (step === "parsed") {
    const text = openText(value);
    const parsed = mayBeJson(text) ? parseMany(text) : undefined;
    return Array.isArray(parsed) ? undefined : parsed;
  }
  if ("peel" in step) return step.peel(openText(value));
  const fields = object(value);
  return Object.hasOwn(fields, step.member) ? fields[step.member] : undefined;
}

function isSame(one: Route, other: Route): boolean {
  return (
    one.name === other.name &&
    one.steps.length === other.steps.length &&
    one.steps.every((step, index) => {
      const counterpart = other.steps[index]!;
      return step === counterpart || (memberOf(step) !== undefined && memberOf(step) === memberOf(counterpart));
    })
  );
}

function memberOf(step: Step): string | undefined {
  return typeof step === "object" && "member" in step ? step.member : undefined;
}

function openText(value: unknown): string {
  return isText(value) ? unpacked(bare(value)) : "";
}

function routeTo(place: Place, name: string, read: Route["read"]): Route | undefined {
  const steps: Step[] = [];
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
