/**
 * Cuts a stream of bytes into lines, into the records of JSON documents or into events of XML, without copying what nobody
 * looks at.
 */
import { isRecordList } from "./log-wrappers.js";

/**
 * Receives what was cut out: a range of a buffer, and the number of the line on which it begins (from 1). `frame` is whether
 * it is what is left of a document around its records.
 */
export type OnLine = (buffer: Buffer, from: number, to: number, line: number, frame?: boolean) => void;

/** Says where in a range to look next, of lines or of one record; see `Prefilter`. */
export type NextOfInterest = (buffer: Buffer, from: number, to: number, record?: boolean) => number;

/** Takes chunks of a stream. */
export interface Splitter {
  readonly write: (chunk: Buffer) => void;
  readonly end: () => void;
  /** Lines so far; the last one counts whether or not a newline ends it. */
  readonly lines: () => number;
  /** Lines or records that were longer than allowed and were passed over. */
  readonly oversized: () => number;
}

const NEWLINE = 0x0a;

/** Cuts at newlines. With `nextOfInterest`, only the lines it points into are handed on; all are counted. */
export function createLineSplitter(
  maxBytes: number,
  onLine: OnLine,
  nextOfInterest?: NextOfInterest,
  linesBefore = 0,
): Splitter {
  let carry: Buffer[] = [];
  let carried = 0;
  let skipping = false;
  let line = linesBefore;
  let oversized = 0;

  function deliver(buffer: Buffer, from: number, to: number): void {
    if (to - from > maxBytes) oversized++;
    else if (to > from) onLine(buffer, from, to, line);
  }

  /** Every byte from `from` to `to` belongs to whole lines, newlines included. */
  function block(buffer: Buffer, from: number, to: number): void {
    let position = from;
    while (position < to) {
      const at = nextOfInterest === undefined ? position : nextOfInterest(buffer, position, to);
      if (at === -1) break;
      const start =
        nextOfInterest === undefined || at === position
          ? position
          : Math.max(position, buffer.lastIndexOf(NEWLINE, at - 1) + 1);
      line += newlines(buffer, position, start) + 1;
      const end = buffer.indexOf(NEWLINE, at);
      deliver(buffer, start, end);
      position = end + 1;
    }
    line += newlines(buffer, position, to);
  }

  function keep(chunk: Buffer): void {
    if (skipping || chunk.length === 0) return;
    carry.push(chunk);
    carried += chunk.length;
    if (carried > maxBytes) {
      skipping = true;
      carry = [];
    }
  }

  function finishCarried(rest: Buffer): void {
    keep(rest);
    line++;
    if (skipping) oversized++;
    else {
      const whole = carry.length === 1 ? carry[0]! : Buffer.concat(carry, carried);
      if (nextOfInterest === undefined || nextOfInterest(whole, 0, whole.length) !== -1)
        deliver(whole, 0, whole.length);
    }
    carry = [];
    carried = 0;
    skipping = false;
  }

  return {
    write(chunk) {
      let from = 0;
      if (carried > 0) {
        const newline = chunk.indexOf(NEWLINE);
        if (newline === -1) return keep(chunk);
        finishCarried(chunk.subarray(0, newline));
        from = newline + 1;
      }
      const to = chunk.lastIndexOf(NEWLINE) + 1;
      if (to > from) block(chunk, from, to);
      keep(chunk.subarray(Math.max(from, to)));
    },
    end() {
      if (carried > 0) finishCarried(Buffer.alloc(0));
    },
    lines: () => line,
    oversized: () => oversized,
  };
}

/** Shorter lines are quicker counted byte by byte. */
const SHORT_LINE = 24;

function newlines(buffer: Buffer, from: number, to: number): number {
  let count = 0;
  for (let at = buffer.indexOf(NEWLINE, from), before = from; at !== -1 && at < to;) {
    count++;
    if (at - before < SHORT_LINE) {
      const end = Math.min(to, at + 1 + 64);
      for (at++; at < end; at++) if (buffer[at] === NEWLINE) count++;
      at--;
    }
    before = at + 1;
    at = buffer.indexOf(NEWLINE, before);
  }
  return count;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const LESS = 0x3c;
/** Names of lists are shorter. */
const LONGEST_NAME = 32;
/** What is looked at in JSON: inside a text, and outside of one. The rest is passed over. */
const IN_TEXT = bytesOf(QUOTE, BACKSLASH, NEWLINE);
const BETWEEN = bytesOf(QUOTE, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, NEWLINE);
/** So many records are searched together at most. */
const MOST_TOGETHER = 1_024;

/** A table of all bytes, with 1 for these. */
function bytesOf(...bytes: readonly number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of bytes) table[byte] = 1;
  return table;
}

/**
 * Cuts documents of JSON into records, however they are indented and one after the other: the elements of a list that
 * stands for itself or has one of the names under which records are delivered, and what is left of the document around
 * them. Where the text turns out to be no JSON, the rest is cut into lines.
 */
export function createDocumentSplitter(
  maxBytes: number,
  onRecord: OnLine,
  nextOfInterest?: NextOfInterest,
  linesBefore = 0,
): Splitter {
  let line = linesBefore + 1;
  let bytes = 0;
  let oversized = 0;
  let lines: Splitter | undefined;
  let depth = 0;
  let inText = false;
  let escaped = false;
  let atLineStart = true;
  /** Depth inside the list whose elements are cut out; 0 where there is none. */
  let listDepth = 0;
  /** The last text outside of such a list: what came of it in chunks before, and where it is in this one. */
  let nameBefore = "";
  let nameFrom = 0;
  let nameTo = 0;
  /** The last byte of the chunks before that is not blank. */
  let lastByte = 0;
  /** Whether a list was cut out of the document. */
  let cut = false;
  const element = createPiece();
  const around = createPiece();
  /** Records that lie whole in the chunk, three numbers each: where they begin and end, and the line. */
  let whole: number[] = [];
  /** So many of them are searched at once: ever more, until something is found. */
  let together = 1;

  function createPiece() {
    return { parts: [] as Buffer[], length: 0, from: -1, line: 0 };
  }

  function begin(piece: ReturnType<typeof createPiece>, at: number): void {
    piece.from = at;
    if (piece.length === 0) piece.line = line;
  }

  function pause(piece: ReturnType<typeof createPiece>, chunk: Buffer, at: number): void {
    if (piece.from === -1) return;
    piece.length += at - piece.from;
    // Past the limit only the length matters.
    if (piece.length > maxBytes) piece.parts = [];
    else piece.parts.push(chunk.subarray(piece.from, at));
    piece.from = -1;
  }

  function finish(piece: ReturnType<typeof createPiece>, frame = false): void {
    if (piece.length > maxBytes) oversized++;
    else if (piece.length > 0) {
      const whole = piece.parts.length === 1 ? piece.parts[0]! : Buffer.concat(piece.parts, piece.length);
      if (nextOfInterest === undefined || nextOfInterest(whole, 0, whole.length, true) !== -1)
        onRecord(whole, 0, whole.length, piece.line, frame);
    }
    piece.parts = [];
    piece.length = 0;
  }

  /**
   * Searches the records that lie whole in the chunk, many at once where there is nothing of interest: a search of each
   * would take longer to begin than to end.
   */
  function handOnWhole(chunk: Buffer): void {
    const count = whole.length / 3;
    const from = (index: number): number => whole[index * 3]!;
    const to = (index: number): number => whole[index * 3 + 1]!;
    for (let index = 0; index < count;) {
      const next = Math.min(count, index + together);
      const at = nextOfInterest === undefined ? from(index) : nextOfInterest(chunk, from(index), to(next - 1), true);
      if (at === -1) {
        index = next;
        together = Math.min(together * 2, MOST_TOGETHER);
        continue;
      }
      while (to(index) <= at) index++;
      // What is between records is nobody's, and the next search begins behind it.
      if (from(index) <= at) {
        // Found in the one, something may be of interest only beside what another holds.
        const alone = together === 1 || nextOfInterest?.(chunk, from(index), to(index), true) !== -1;
        // In a buffer of its own: what is in front of it in the chunk is no line before it.
        if (alone) onRecord(chunk.subarray(from(index), to(index)), 0, to(index) - from(index), whole[index * 3 + 2]!);
        index++;
      }
      together = 1;
    }
    whole = [];
  }

  /** A record ends. */
  function endPiece(piece: ReturnType<typeof createPiece>, chunk: Buffer, end: number): void {
    if (piece.length > 0 || end - piece.from > maxBytes) {
      pause(piece, chunk, end);
      finish(piece);
      return;
    }
    whole.push(piece.from, end, piece.line);
    piece.from = -1;
    if (whole.length >= MOST_TOGETHER * 3) handOnWhole(chunk);
  }

  /** What was begun is no JSON: it and the rest are lines. */
  function giveUp(chunk: Buffer, at: number): void {
    handOnWhole(chunk);
    pause(element, chunk, at);
    pause(around, chunk, at);
    finish(around);
    const parts = element.parts;
    lines = createLineSplitter(maxBytes, onRecord, nextOfInterest, element.length > 0 ? element.line - 1 : line - 1);
    if (element.length > maxBytes) oversized++;
    for (const part of parts) lines.write(part);
    lines.write(chunk.subarray(at));
  }

  function nameIn(chunk: Buffer): string {
    return nameBefore + chunk.toString("latin1", nameFrom, Math.min(nameTo, nameFrom + LONGEST_NAME));
  }

  /** Whether the list that begins at `at` is one of records. */
  function isOfRecords(chunk: Buffer, at: number): boolean {
    let before = at - 1;
    while (before >= 0 && isBlank(chunk[before]!)) before--;
    return (before < 0 ? lastByte : chunk[before]!) === COLON && isRecordList(nameIn(chunk));
  }

  /**
   * Passes over what is inside a record or a document, from outside of its texts on: as far as a byte that may begin or
   * end a record, a line that may be none of JSON, or the end of the chunk.
   */
  function passOver(chunk: Buffer, from: number): number {
    const { length } = chunk;
    const outermost = listDepth + 1;
    let open = depth;
    let newLines = 0;
    let textFrom = -1;
    let textTo = -1;
    let at = from;
    for (; at < length; at++) {
      const byte = chunk[at]!;
      if (BETWEEN[byte] === 0) continue;
      if (byte === QUOTE) {
        const end = endOfText(chunk, at + 1);
        if (end === -1) break;
        textFrom = at + 1;
        textTo = at = end;
      } else if (byte === CLOSE || byte === CLOSE_LIST) {
        if (open === outermost) break;
        open--;
      } else if (byte === NEWLINE) newLines++;
      else if (at === 0 || chunk[at - 1] === NEWLINE || (listDepth === 0 && byte === OPEN_LIST)) break;
      else open++;
    }
    depth = open;
    line += newLines;
    if (textFrom !== -1) {
      nameBefore = "";
      nameFrom = textFrom;
      nameTo = textTo;
    }
    return at;
  }

  function write(chunk: Buffer): void {
    if (lines !== undefined) return lines.write(chunk);
    const { length } = chunk;
    for (let at = 0; at < length; at++) {
      if (inText) {
        if (!escaped) {
          while (at < length && IN_TEXT[chunk[at]!] === 0) at++;
          if (at === length) break;
        }
        const byte = chunk[at]!;
        // No text of JSON goes over the end of a line.
        if (byte === NEWLINE) return giveUp(chunk, at);
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else {
          inText = false;
          if (listDepth === 0) nameTo = at;
          else if (depth === listDepth) endPiece(element, chunk, at + 1);
        }
        continue;
      }
      if (depth > 0) {
        at = depth === listDepth ? nextBetween(chunk, at) : passOver(chunk, at);
        if (at === length) break;
      }
      const byte = chunk[at]!;
      switch (byte) {
        case NEWLINE:
          line++;
          break;
        case QUOTE:
          if (depth === 0) return giveUp(chunk, at);
          inText = true;
          if (listDepth === 0) {
            nameBefore = "";
            nameFrom = at + 1;
          } else if (depth === listDepth) begin(element, at);
          break;
        case OPEN:
        case OPEN_LIST:
          if (depth === 0) {
            begin(around, at);
            nameBefore = "";
            nameFrom = nameTo = 0;
          } else if (byte === OPEN && depth !== listDepth && (at === 0 ? atLineStart : chunk[at - 1] === NEWLINE)) {
            return giveUp(chunk, at);
          }
          if (listDepth > 0 && depth === listDepth) begin(element, at);
          depth++;
          if (listDepth === 0 && byte === OPEN_LIST && (depth === 1 || isOfRecords(chunk, at))) {
            listDepth = depth;
            cut = true;
            pause(around, chunk, at + 1);
          }
          break;
        case CLOSE:
        case CLOSE_LIST:
          if (depth === 0) return giveUp(chunk, at);
          if (depth === listDepth) {
            listDepth = 0;
            around.from = at;
            nameBefore = "";
            nameFrom = nameTo = 0;
          }
          depth--;
          if (listDepth > 0 && depth === listDepth) endPiece(element, chunk, at + 1);
          else if (depth === 0) {
            if (cut) {
              handOnWhole(chunk);
              pause(around, chunk, at + 1);
              finish(around, true);
              cut = false;
            } else endPiece(around, chunk, at + 1);
          }
          break;
        default:
          if (byte > 0x20 && byte !== COLON && byte !== COMMA) return giveUp(chunk, at);
      }
    }
    handOnWhole(chunk);
    pause(element, chunk, length);
    pause(around, chunk, length);
    if (depth > 0) {
      if (listDepth === 0) around.from = 0;
      else if (depth > listDepth || inText) element.from = 0;
    }
    keepEnd(chunk);
    bytes += length;
  }

  /** What the next chunk has to know of the end of this one. */
  function keepEnd(chunk: Buffer): void {
    if (chunk.length === 0) return;
    atLineStart = chunk.at(-1) === NEWLINE;
    if (listDepth > 0) return;
    if (inText) nameTo = chunk.length;
    nameBefore = nameIn(chunk).slice(0, LONGEST_NAME);
    nameFrom = nameTo = 0;
    let last = chunk.length - 1;
    while (last >= 0 && isBlank(chunk[last]!)) last--;
    if (last >= 0) lastByte = chunk[last]!;
  }

  return {
    write,
    end() {
      if (lines !== undefined) return lines.end();
      // A record that the file breaks off in is handed on: it is counted as malformed then.
      element.from = around.from = -1;
      if (element.length === 0) finish(around);
      finish(element);
    },
    lines: () => (lines === undefined ? (bytes === 0 ? linesBefore : line) : lines.lines()),
    oversized: () => oversized + (lines?.oversized() ?? 0),
  };
}

/** Where a text ends whose content begins at `from`, or -1 where it does not in this chunk, or goes over a line's end. */
function endOfText(chunk: Buffer, from: number): number {
  const { length } = chunk;
  for (let at = from; at < length; at++) {
    const byte = chunk[at]!;
    if (byte > QUOTE && byte !== BACKSLASH) continue;
    if (byte === QUOTE) return at;
    if (byte === NEWLINE || (byte === BACKSLASH && chunk[++at] === NEWLINE)) return -1;
  }
  return -1;
}

/** The next place outside of texts that tells where something begins or ends, or the chunk's end. */
function nextBetween(chunk: Buffer, from: number): number {
  let at = from;
  while (at < chunk.length && BETWEEN[chunk[at]!] === 0) at++;
  return at;
}

/** Cuts behind each `</Event>`: an event of Windows may go over many lines. */
export function createEventSplitter(
  maxBytes: number,
  onEvent: OnLine,
  nextOfInterest?: NextOfInterest,
  linesBefore = 0,
): Splitter {
  const END = Buffer.from("</Event>");
  let carry: Buffer = Buffer.alloc(0);
  let skipping = false;
  let line = linesBefore + 1;
  let oversized = 0;

  function handOn(buffer: Buffer, start: number, to: number, frame = false): void {
    let from = start;
    while (from < to && buffer[from]! <= 0x20) from++;
    line += newlines(buffer, start, from);
    if (to - from > maxBytes) oversized++;
    else if (nextOfInterest === undefined || nextOfInterest(buffer, from, to, true) !== -1)
      onEvent(buffer, from, to, line, frame);
    line += newlines(buffer, from, to);
  }

  return {
    write(chunk) {
      const content = carry.length === 0 ? chunk : Buffer.concat([carry, chunk]);
      let from = 0;
      for (let at = content.indexOf(END); at !== -1; at = content.indexOf(END, from)) {
        if (skipping) line += newlines(content, from, at);
        else handOn(content, from, at + END.length);
        skipping = false;
        from = at + END.length;
      }
      // What is too long is let go, but for what may be the beginning of its end.
      if (content.length - from > maxBytes) {
        if (!skipping) oversized++;
        skipping = true;
        const kept = content.length - END.length;
        line += newlines(content, from, kept);
        from = kept;
      }
      carry = Buffer.from(content.subarray(from));
    },
    end() {
      if (!skipping && carry.some((byte) => byte > 0x20))
        handOn(carry, 0, carry.length, END_OF_LIST.test(carry.toString("latin1", 0, 64)));
      carry = Buffer.alloc(0);
    },
    lines: () => line,
    oversized: () => oversized,
  };
}

const END_OF_LIST = /^\s*<\/(?:Events|root|Objs)>\s*$/;

/** What is looked at to tell documents from lines. */
const HEAD_BYTES = 256 * 1024;

/**
 * Cuts a stream by what it begins with: a document of JSON, events of XML, or else lines. White space and NULs in front
 * are passed over.
 */
export function createSplitter(maxBytes: number, onPiece: OnLine, nextOfInterest?: NextOfInterest): Splitter {
  let splitter: Splitter | undefined;
  let head: Buffer[] = [];
  let length = 0;
  let before = 0;

  function choose(last: boolean, newest: Buffer): void {
    if (!last && length < HEAD_BYTES && !newest.includes(NEWLINE)) return;
    const content = head.length === 1 ? head[0]! : Buffer.concat(head, length);
    head = [];
    const create = isDocument(content)
      ? createDocumentSplitter
      : isXml(content)
        ? createEventSplitter
        : createLineSplitter;
    splitter = create(maxBytes, onPiece, nextOfInterest, before);
    splitter.write(content);
  }

  return {
    write(chunk) {
      if (splitter !== undefined) return splitter.write(chunk);
      let from = 0;
      if (length === 0) {
        while (from < chunk.length && isBlank(chunk[from]!)) if (chunk[from++] === NEWLINE) before++;
        // A byte order mark
        if (chunk[from] === 0xef && chunk[from + 1] === 0xbb && chunk[from + 2] === 0xbf) from += 3;
      }
      const rest = chunk.subarray(from);
      if (rest.length === 0) return;
      head.push(rest);
      length += rest.length;
      choose(false, rest);
    },
    end() {
      if (splitter === undefined && length > 0) choose(true, head.at(-1)!);
      splitter?.end();
    },
    lines: () => splitter?.lines() ?? before,
    oversized: () => splitter?.oversized() ?? 0,
  };
}

function isBlank(byte: number): boolean {
  return byte <= 0x20;
}

/** JSON whose first value goes over the end of the first line, or is a list. */
function isDocument(content: Buffer): boolean {
  if (content[0] === OPEN_LIST) return /^\[\s*(?:[{[\]]|"[^"]*"\s*[,\]])/.test(content.toString("latin1", 0, 4_096));
  if (content[0] !== OPEN) return false;
  const newline = content.indexOf(NEWLINE);
  if (newline === -1) return !isComplete(content.toString("utf8"));
  return !isComplete(content.toString("utf8", 0, newline));
}

function isComplete(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function isXml(content: Buffer): boolean {
  return (
    content[0] === LESS &&
    /^(?:<\?xml[^>]{0,256}\?>\s*)?(?:<!--.{0,256}?-->\s*)?<(?:Events?|root|Objs)[ >]/s.test(
      content.toString("latin1", 0, 1_024),
    )
  );
}
