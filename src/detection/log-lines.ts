/**
 * Cuts a stream of bytes into lines, or into the records of a CloudTrail file, without copying what nobody looks at.
 */

/** Receives what was cut out: a range of a buffer, and the number of the line on which it begins (from 1). */
export type OnLine = (buffer: Buffer, from: number, to: number, line: number) => void;

/** Says where in a range to look next; see `Prefilter`. */
export type NextOfInterest = (buffer: Buffer, from: number, to: number) => number;

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
export function createLineSplitter(maxBytes: number, onLine: OnLine, nextOfInterest?: NextOfInterest): Splitter {
  let carry: Buffer[] = [];
  let carried = 0;
  let skipping = false;
  let line = 0;
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

function newlines(buffer: Buffer, from: number, to: number): number {
  let count = 0;
  for (let at = buffer.indexOf(NEWLINE, from); at !== -1 && at < to; at = buffer.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * Cuts the objects out of the array of a document such as `{"Records":[{...},{...}]}`: every object that stands inside
 * exactly one other. Nothing else of the document is looked at, and nothing is parsed.
 */
export function createRecordSplitter(maxBytes: number, onRecord: OnLine, nextOfInterest?: NextOfInterest): Splitter {
  let depth = 0;
  let inText = false;
  let escaped = false;
  let line = 1;
  let bytes = 0;
  let oversized = 0;
  let carry: Buffer[] = [];
  let carried = 0;
  let startLine = 1;

  function finish(chunk: Buffer, from: number, to: number): void {
    const length = carried + to - from;
    if (length > maxBytes) oversized++;
    else if (carried === 0) handOn(chunk, from, to);
    else handOn(Buffer.concat([...carry, chunk.subarray(from, to)], length), 0, length);
    carry = [];
    carried = 0;
  }

  function handOn(buffer: Buffer, from: number, to: number): void {
    if (nextOfInterest === undefined || nextOfInterest(buffer, from, to) !== -1) onRecord(buffer, from, to, startLine);
  }

  return {
    write(chunk) {
      bytes += chunk.length;
      let from = depth >= 2 ? 0 : -1;
      for (let at = 0; at < chunk.length; at++) {
        const byte = chunk[at]!;
        if (byte === NEWLINE) line++;
        if (inText) {
          if (escaped) escaped = false;
          else if (byte === BACKSLASH) escaped = true;
          else if (byte === QUOTE) inText = false;
        } else if (byte === QUOTE) inText = true;
        else if (byte === OPEN) {
          depth++;
          if (depth === 2) {
            from = at;
            startLine = line;
          }
        } else if (byte === CLOSE && depth > 0) {
          depth--;
          if (depth === 1) {
            finish(chunk, from, at + 1);
            from = -1;
          }
        }
      }
      if (from === -1) return;
      const rest = chunk.subarray(from);
      carried += rest.length;
      // Past the limit only the length matters.
      if (carried > maxBytes) carry = [];
      else carry.push(rest);
    },
    end() {
      // A record that the file breaks off in is handed on: it is counted as malformed then.
      if (carried > 0) finish(Buffer.alloc(0), 0, 0);
    },
    lines: () => (bytes === 0 ? 0 : line),
    oversized: () => oversized,
  };
}
