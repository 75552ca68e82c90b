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
  let name = "";
  let lastName = "";
  let afterColon = false;
  /** Whether a list was cut out of the document. */
  let cut = false;
  const element = createPiece();
  const around = createPiece();

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

  /** What was begun is no JSON: it and the rest are lines. */
  function giveUp(chunk: Buffer, at: number): void {
    pause(element, chunk, at);
    pause(around, chunk, at);
    finish(around);
    const begun = element.parts;
    lines = createLineSplitter(maxBytes, onRecord, nextOfInterest, element.length > 0 ? element.line - 1 : line - 1);
    if (element.length > maxBytes) oversized++;
    for (const part of begun) lines.write(part);
    lines.write(chunk.subarray(at));
  }

  function write(chunk: Buffer): void {
    if (lines !== undefined) return lines.write(chunk);
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === NEWLINE) {
        // No text of JSON goes over the end of a line.
        if (inText) return giveUp(chunk, at);
        line++;
        atLineStart = true;
        continue;
      }
      const first = atLineStart;
      atLineStart = false;
      // Most of a document is in quotes, and in a list nobody asks what.
      if (inText && listDepth > 0 && !escaped) {
        let end = at;
        for (; end < chunk.length; end++) {
          const inside = chunk[end]!;
          if (inside === QUOTE || inside === BACKSLASH || inside === NEWLINE) break;
        }
        if (end > at) {
          at = end - 1;
          continue;
        }
      }
      if (inText) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) {
          inText = false;
          if (listDepth > 0 && depth === listDepth) endElement(chunk, at + 1);
          else lastName = name;
        } else if (listDepth === 0 && name.length < LONGEST_NAME) name += String.fromCharCode(byte);
        continue;
      }
      switch (byte) {
        case QUOTE:
          if (depth === 0) return giveUp(chunk, at);
          inText = true;
          name = "";
          if (listDepth > 0 && depth === listDepth) begin(element, at);
          break;
        case OPEN:
        case OPEN_LIST:
          if (depth === 0) {
            begin(around, at);
            lastName = "";
            afterColon = false;
          } else if (first && byte === OPEN && depth !== listDepth) return giveUp(chunk, at);
          if (listDepth > 0 && depth === listDepth) begin(element, at);
          depth++;
          if (listDepth === 0 && byte === OPEN_LIST && (depth === 1 || (afterColon && isRecordList(lastName)))) {
            listDepth = depth;
            cut = true;
            pause(around, chunk, at + 1);
          }
          afterColon = false;
          break;
        case CLOSE:
        case CLOSE_LIST:
          if (depth === 0) return giveUp(chunk, at);
          if (depth === listDepth) {
            listDepth = 0;
            around.from = at;
          }
          depth--;
          if (listDepth > 0 && depth === listDepth) endElement(chunk, at + 1);
          else if (depth === 0) {
            pause(around, chunk, at + 1);
            finish(around, cut);
            cut = false;
          }
          break;
        case COLON:
          afterColon = true;
          break;
        case COMMA:
          afterColon = false;
          break;
        default:
          if (depth === 0 && byte > 0x20) return giveUp(chunk, at);
      }
    }
    pause(element, chunk, chunk.length);
    pause(around, chunk, chunk.length);
    if (depth > 0) {
      if (listDepth === 0) around.from = 0;
      else if (depth > listDepth || inText) element.from = 0;
    }
    bytes += chunk.length;
  }

  function endElement(chunk: Buffer, end: number): void {
    pause(element, chunk, end);
    finish(element);
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
