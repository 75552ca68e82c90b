/**
 * The quick look at raw bytes for what may tell an AWS account: ids of keys and principals, and numbers of 12 digits, that
 * are of none of one's own accounts. It passes over no line in which `accountsIn` finds one that stands in plain letters;
 * encoded letters and digits are for the prefilter to find.
 */

/** Values of the letters of base32; 64 for what is none. */
const VALUES = new Uint8Array(256).fill(64);
for (const [value, byte] of Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").entries()) VALUES[byte] = value;
/** Capital letters and digits: what ids and numbers are runs of. */
const IN_RUN = new Uint8Array(256);
for (const byte of Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")) IN_RUN[byte] = 1;

/** Letters, and what joins them. */
const IN_WORD = new Uint8Array(256);
for (const byte of Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")) IN_WORD[byte] = 1;

const KEY_LETTERS = 20;
const ACCOUNT_DIGITS = 12;
/** Of a run as long as the shortest of both, one of so many bytes is inside. */
const STRIDE = 12;
const HIGHEST_ACCOUNT = 999_999_999_999;
const A = 0x41;
/** What follows `A` in AKIA, ASIA, AROA, AIDA and AIPA. */
const PREFIXES = new Set(["KIA", "SIA", "ROA", "IDA", "IPA"].map((letters) => Buffer.from(letters).readUIntBE(0, 3)));
const COMMA = 0x2c;
const CLOSE = 0x7d;
const QUOTE = 0x22;
const SPACE = 0x20;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
/** What names of members are made of. */
const NAME = new Uint8Array(256);
for (const byte of Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.- ")) NAME[byte] = 1;
const LONGEST_NAME = 64;
/** Before a digit these begin an escape, of which the first digits are part: `%22`, `u0022`, `x22`. */
const BEGINS_ESCAPE = new Set(Buffer.from("%ux"));

/**
 * The position of the first byte in `from`..`to` at which an account other than `own` may be told, or -1. `own` are
 * accounts as numbers.
 */
export function nextAccount(buffer: Buffer, from: number, to: number, own: ReadonlySet<number>): number {
  for (let at = from + STRIDE - 1; at < to; at += STRIDE) {
    if (IN_RUN[buffer[at]!] === 0) continue;
    let start = at;
    while (start > from && IN_RUN[buffer[start - 1]!] === 1) start--;
    let end = at + 1;
    while (end < to && IN_RUN[buffer[end]!] === 1) end++;
    if (end - start >= ACCOUNT_DIGITS && isForeign(buffer, start, end, own)) return at;
    at = end - 1;
  }
  return -1;
}

/** Whether a run of capital letters and digits holds an id or a number of a foreign account. */
function isForeign(buffer: Buffer, start: number, end: number, own: ReadonlySet<number>): boolean {
  let digits = 0;
  for (let at = start; at <= end; at++) {
    const byte = at < end ? buffer[at]! : 0;
    if (byte >= 0x30 && byte <= 0x39) {
      digits++;
      continue;
    }
    if (digits >= ACCOUNT_DIGITS && isForeignNumber(buffer, at - digits, at, own)) return true;
    digits = 0;
    if (byte === A && end - at >= KEY_LETTERS && isForeignId(buffer, at, own)) return true;
  }
  return false;
}

function isForeignNumber(buffer: Buffer, start: number, end: number, own: ReadonlySet<number>): boolean {
  if (end - start > ACCOUNT_DIGITS && !BEGINS_ESCAPE.has(buffer[start - 1] ?? 0)) return false;
  // Part of a word, as in a digest.
  if (IN_WORD[buffer[end] ?? 0] === 1) return false;
  if (end - start === ACCOUNT_DIGITS && isOtherValue(buffer, start, buffer[end] ?? 0)) return false;
  let number = 0;
  for (let at = end - ACCOUNT_DIGITS; at < end; at++) number = number * 10 + buffer[at]! - 0x30;
  return !own.has(number);
}

/** Whether a number is the whole value of a member of JSON whose name is none of an account: `"flow_id":`, not `"accountId":`. */
function isOtherValue(buffer: Buffer, start: number, next: number): boolean {
  if (next !== COMMA && next !== CLOSE && next !== QUOTE) return false;
  let at = start - 1;
  if (buffer[at] === QUOTE) at--;
  if (buffer[at] === SPACE) at--;
  if (buffer[at] !== COLON || buffer[at - 1] !== QUOTE) return false;
  const end = at - 1;
  const least = Math.max(0, end - LONGEST_NAME);
  for (at = end - 1; at >= least && NAME[buffer[at]!] === 1; at--);
  // In JSON within JSON the quotes are escaped, and a name may be.
  if (at < least || buffer[at] !== QUOTE || buffer[at - 1] === BACKSLASH) return false;
  return !OF_ACCOUNT.test(buffer.toString("latin1", at + 1, end));
}

const OF_ACCOUNT = /account|^u?id$/i;

function isForeignId(buffer: Buffer, at: number, own: ReadonlySet<number>): boolean {
  if (!PREFIXES.has(buffer.readUIntBE(at + 1, 3))) return false;
  // As `accountOfAccessKey`: a bit of the format, 40 bits of account.
  const first = VALUES[buffer[at + 4]!]!;
  if (first < 16 || first > 31) return false;
  let number = first - 16;
  for (let letter = at + 5; letter < at + 12; letter++) number = number * 32 + VALUES[buffer[letter]!]!;
  number = number * 2 + (VALUES[buffer[at + 12]!]! >> 4);
  return number <= HIGHEST_ACCOUNT && !own.has(number);
}
