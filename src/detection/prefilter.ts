/**
 * The quick look at raw bytes that decides which lines are worth reading. It never passes over a line that a rule matches
 * or that names a metadata service in any spelling.
 */
import { isAscii } from "node:buffer";
import { createLineSearch } from "./line-search.js";

/** Says where to look. */
export interface Prefilter {
  /**
   * Position inside the first line in `from`..`to` that has to be read, or -1. `record` is whether the range is one record,
   * which may go over many lines.
   */
  readonly next: (buffer: Buffer, from: number, to: number, record?: boolean) => number;
}

/** Texts of which a line has to hold one to be read. */
export interface Wanted {
  /** In lower case, four characters at least. Eight keep the search fast. */
  readonly texts: readonly string[];
  /**
   * If given, one of these bytes has to be in the line as well, as they stand: what the formats have that the rule reads.
   */
  readonly alsoNeeded?: readonly string[] | undefined;
}

const FIRST = ["169", "0251", "00251", "0xa9", "x0a9", "00a9"];
const REST = ["254", "0376", "0037", "0000", "0xfe", "0x0f", "0x00", "1668", "0775", "00077", "0077"];
/** Dots of other scripts, as bytes: ideographic, full-width, half-width ideographic. */
const OTHER_DOTS = ["\u00e3\u0080\u0082", "\u00ef\u00bc\u008e", "\u00ef\u00bd\u00a1"];

/** What a line holds that names a metadata service in plain bytes; `nextOddity` finds what is written otherwise. */
export const METADATA_MARKS: readonly string[] = [
  ...FIRST.flatMap((first) => REST.map((rest) => `${first}.${rest}`)).filter((text) => text.length > 7),
  "169.254.",
  "169-254-",
  ...FIRST.flatMap((first) => OTHER_DOTS.flatMap((dot) => REST.map((rest) => first + dot + rest))),
  "2852039166",
  "025177524776",
  "a9fea9fe",
  "fea9fea9",
  "a9fe:a9fe",
  "a9 fe a9 fe",
  "a9fe a9fe",
  "a9 fea9 fe",
  "fd00:ec2",
  "fd00:0ec2",
  "5601:5601",
  "instance-data",
  "metadata.google.internal",
  "meta-data",
  "user-data",
  "security-credentials",
  "instance-identity",
  "computemetadata",
  "latest/api",
  "latest/dynamic",
  "latest%2",
  "latest\\/",
  "latest\\\\",
];

/** A prefilter for lines that hold one of the wanted texts or name a metadata service. */
export function createPrefilter(wanted: readonly Wanted[]): Prefilter {
  const texts = [...METADATA_MARKS];
  const alsoNeeded: (readonly Buffer[] | undefined)[] = texts.map(() => undefined);
  for (const { texts: own, alsoNeeded: bytes } of wanted) {
    const needed = bytes?.map((part) => Buffer.from(part));
    for (const text of own.flatMap(spelled)) {
      texts.push(text);
      alsoNeeded.push(needed);
    }
  }
  const search = createLineSearch(texts);

  /** The first text in the range that is enough by itself, or beside another in its line. */
  function nextText(buffer: Buffer, from: number, to: number, record: boolean): number {
    let at = search.next(buffer, from, to);
    // Where the line ends that was looked at last.
    let end = record ? to : -1;
    /** Where the first of what is needed stands behind a place up to which there is none. */
    const ahead = new Map<readonly Buffer[], number>();
    while (at !== -1) {
      const needed = alsoNeeded[search.found()];
      if (needed === undefined) return at;
      if (at >= end) {
        const newline = buffer.indexOf(NEWLINE, at);
        end = newline === -1 || newline > to ? to : newline;
      }
      let first = ahead.get(needed) ?? -1;
      if (first < end) {
        const start = record ? from : Math.max(from, buffer.lastIndexOf(NEWLINE, at) + 1);
        // One look tells it of all lines up to there.
        if (first < start) ahead.set(needed, (first = firstOfAny(buffer, needed, start, to)));
        if (first < end) return at;
      }
      // What follows in the line may be enough by itself.
      at = search.next(buffer, at + 1, to);
    }
    return -1;
  }

  return {
    // In windows of whole lines, ever wider: either search alone might go far, and go there again from each line that
    // the other stops at.
    next(buffer, from, to, record = false) {
      for (let start = from, width = record ? to - from : FIRST_WINDOW; start < to; width *= 2) {
        const newline = start + width < to ? buffer.indexOf(NEWLINE, start + width) : -1;
        const end = newline === -1 ? to : Math.min(newline + 1, to);
        const found = nextText(buffer, start, end, record);
        const odd = firstOf(
          nextOddity(buffer, start, found === -1 ? end : found),
          nextPacked(buffer, start, found === -1 ? end : found),
        );
        if (found !== -1 || odd !== -1) return odd === -1 ? found : odd;
        start = end;
      }
      return -1;
    },
  };
}

/** Bytes; a few lines. */
const FIRST_WINDOW = 1_024;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
const PERCENT = 0x25;

/** The first position of one of the texts, or where the range ends. */
function firstOfAny(buffer: Buffer, texts: readonly Buffer[], from: number, to: number): number {
  let part = buffer.subarray(from, to);
  let first = -1;
  for (const text of texts) {
    const at = part.indexOf(text);
    if (at === -1) continue;
    first = at;
    // What ends farther on may begin before it.
    part = part.subarray(0, at + text.length);
  }
  return first === -1 ? to : from + first;
}

/** A text with slashes is looked for as some JSON writers escape them, too. */
function spelled(text: string): readonly string[] {
  return text.includes("/") ? [text, text.replaceAll("/", "\\/")] : [text];
}

/** Bytes: what is not farther off is found sooner by looking at each. */
const NEAR = 32;

/**
 * The first place behind which a digit, a dot or a letter may hide that nobody has a reason to hide: an escape of JSON or
 * of Zeek, percent-encoding, or a character that a URL parser turns into a digit or a dot.
 */
function nextOddity(buffer: Buffer, from: number, to: number): number {
  // Looking at the part alone: a search of the whole buffer would go on behind `to`.
  const part = buffer.subarray(from, to);
  const ascii = isAscii(part);
  let backslash = part.indexOf(BACKSLASH);
  let percent = part.indexOf(PERCENT);
  let at = ascii ? firstOf(backslash, percent) : 0;
  if (at === -1) return -1;
  for (let far = at + NEAR; at < part.length; at++) {
    const byte = part[at]!;
    // In plain text the next of them may be a long way off.
    if (ascii && at >= far) {
      if (backslash !== -1 && backslash < at) backslash = part.indexOf(BACKSLASH, at);
      if (percent !== -1 && percent < at) percent = part.indexOf(PERCENT, at);
      const next = firstOf(backslash, percent);
      if (next === -1) return -1;
      far = next + NEAR;
      if (next > at) {
        at = next - 1;
        continue;
      }
    }
    if (byte === BACKSLASH) {
      while (part[at + 1] === BACKSLASH) at++;
      if (hidesBehindEscape(part, at + 1)) return from + at;
    } else if (byte === PERCENT) {
      if (hidesBehindPercent(part, at)) return from + at;
    } else if (byte >= 0xe2 && isOddDigit(part, at)) return from + at;
  }
  return -1;
}

const MESSAGE = Buffer.from("MESSAGE");
const PACKED = Buffer.from("H4sIA");

/**
 * The first place with a message that the journal exports as a list of its bytes, or with gzip in Base64, as CloudWatch
 * Logs hands its events to functions and streams: what is in there is seen only when it is read.
 */
function nextPacked(buffer: Buffer, from: number, to: number): number {
  const part = buffer.subarray(from, to);
  let message = part.indexOf(MESSAGE);
  while (message !== -1 && !isList(part, message + MESSAGE.length)) message = part.indexOf(MESSAGE, message + 1);
  const found = firstOf(message, part.indexOf(PACKED));
  return found === -1 ? -1 : from + found;
}

/** Whether what follows a name is a list: `":[`, with backslashes and spaces between. */
function isList(part: Buffer, at: number): boolean {
  while (part[at] === BACKSLASH) at++;
  if (part[at++] !== 0x22) return false;
  while (part[at] === 0x20) at++;
  if (part[at++] !== 0x3a) return false;
  while (part[at] === 0x20) at++;
  return part[at] === 0x5b;
}

/** The lesser of two positions, of which -1 is none. */
function firstOf(one: number, other: number): number {
  return one === -1 || (other !== -1 && other < one) ? other : one;
}

/** Behind a backslash: `u0031`, `uff11`, `u3002`, `x31`. */
function hidesBehindEscape(part: Buffer, at: number): boolean {
  const kind = part[at]! | 0x20;
  if (kind === 0x78) {
    const value = hexPair(part, at + 1);
    return isHidden(value) || isOddLead(value);
  }
  if (kind !== 0x75) return false;
  const high = hexPair(part, at + 1);
  const low = hexPair(part, at + 3);
  return high === 0 ? isHidden(low) : high === 0xff || high === 0x24 || (high === 0x30 && low === 2) || high === 0xd8;
}

/** From a percent sign on: one of the same, behind any number of `25`. */
function hidesBehindPercent(part: Buffer, at: number): boolean {
  let next = at + 1;
  while (part[next] === 0x32 && part[next + 1] === 0x35) next += 2;
  if ((part[next]! | 0x20) === 0x75) return true;
  const value = hexPair(part, next);
  if (value < 0x80)
    return isHidden(value) || (isBreak(value) && (isAddressByte(part[at - 1]) || isAddressByte(part[next + 2])));
  return isOddLead(value);
}

/** The first byte in UTF-8 of what a URL parser turns into a digit or a dot. */
function isOddLead(byte: number): boolean {
  return byte === 0xef || byte === 0xe2 || byte === 0xf0 || byte === 0xe3;
}

/** The byte that two hexadecimal digits stand for, or 0 for what is no such pair. */
function hexPair(part: Buffer, at: number): number {
  const high = hexDigit(part[at]);
  const low = hexDigit(part[at + 1]);
  // `%FTD-6-` is a message of Cisco's and no byte.
  return high === -1 || low === -1 ? 0 : (high << 4) | low;
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Letters, digits, dot and hyphen: what every encoder leaves as it is. */
function isHidden(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2e ||
    byte === 0x2d ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a)
  );
}

function isBreak(byte: number): boolean {
  return byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function isAddressByte(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || byte === 0x2e);
}

/** Full-width, circled, superscript and mathematical digits, and dots of other scripts between digits, in UTF-8. */
function isOddDigit(part: Buffer, at: number): boolean {
  const [first, second = 0, third = 0] = [part[at]!, part[at + 1], part[at + 2]];
  if (first === 0xef) return second === 0xbc && ((third >= 0x90 && third <= 0x99) || third === 0x8e);
  if (first === 0xe2)
    return (
      (second === 0x81 && third >= 0xb0) || (second === 0x82 && third <= 0x89) || (second >= 0x91 && second <= 0x93)
    );
  return first === 0xf0 && second === 0x9d && third === 0x9f;
}
