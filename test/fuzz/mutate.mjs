// @ts-check
/** Changes inputs: byte by byte, by length, and with the words of the format. */

/** @typedef {import("./random.mjs").Random} Random */

const NUMBERS = [
  0, 1, 2, 4, 7, 8, 15, 16, 31, 32, 63, 64, 100, 126, 127, 128, 129, 253, 254, 255, 256, 257, 511, 512, 1_023, 1_024,
  4_095, 4_096, 8_192, 32_767, 32_768, 65_535, 65_536,
];
const NUMBER_WORDS = [
  "-1",
  "0",
  "00",
  "1",
  "08",
  "0x7f",
  "1e3",
  "1e999",
  "NaN",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "4294967295",
  "4294967296",
  "9007199254740993",
  "99999999999999999999",
];
/** Changes at a time: one keeps most of what an input has achieved, many lead away from it. */
const HOW_MANY = [1, 1, 1, 1, 2, 2, 3, 4, 8];
/** Bytes with a meaning in some format of text. */
const MARKS = Buffer.from("\0\t\n\r !\"#%&'()*+,-./:;<=>?@[\\]^_`{|}~\x7f\x80\xff", "latin1");

/**
 * A function that makes a new input of two others, of at most `maxBytes`.
 *
 * @param {{ random: Random, words: readonly Buffer[], maxBytes: number }} options
 */
export function createMutator({ random, words, maxBytes }) {
  const { below, between, oneIn, pick } = random;
  const cut = (
    /** @type {Buffer} */ bytes,
    /** @type {number} */ from,
    /** @type {number} */ to,
    /** @type {Uint8Array} */ put,
  ) => Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(to)]);
  const anyByte = () => (oneIn(2) ? pick([...MARKS]) : below(256));
  const anyWord = () => (words.length === 0 ? Buffer.from([anyByte()]) : pick(words));
  /** Most changes are small; some take half of the input. @param {number} length */
  const stretch = (length) => Math.min(length, oneIn(4) ? between(1, Math.max(1, length >> 1)) : between(1, 8));
  /** @param {Buffer} bytes @returns {[number, number]} */
  const range = (bytes) => {
    const size = stretch(bytes.length);
    const from = below(bytes.length - size + 1);
    return [from, from + size];
  };

  /** @type {readonly ((bytes: Buffer, other: Buffer) => Buffer)[]} */
  const CHANGES = [
    function flipBit(bytes) {
      const changed = Buffer.from(bytes);
      const at = below(changed.length);
      changed[at] = /** @type {number} */ (changed[at]) ^ (1 << below(8));
      return changed;
    },
    function setByte(bytes) {
      const changed = Buffer.from(bytes);
      changed[below(changed.length)] = anyByte();
      return changed;
    },
    function addToByte(bytes) {
      const changed = Buffer.from(bytes);
      const at = below(changed.length);
      changed[at] = /** @type {number} */ (changed[at]) + pick([-16, -2, -1, 1, 2, 16]);
      return changed;
    },
    function setNumber(bytes) {
      const size = pick([1, 2, 4]);
      if (bytes.length < size) return bytes;
      const number = Buffer.alloc(8);
      number.writeUInt32BE(pick(NUMBERS), 0);
      number.writeUInt32LE(pick(NUMBERS), 4);
      const at = below(bytes.length - size + 1);
      return cut(bytes, at, at + size, oneIn(2) ? number.subarray(4 - size, 4) : number.subarray(4, 4 + size));
    },
    function insertBytes(bytes) {
      const at = between(0, bytes.length);
      return cut(bytes, at, at, Buffer.from(Array.from({ length: between(1, 4) }, anyByte)));
    },
    function insertWord(bytes) {
      const at = between(0, bytes.length);
      return cut(bytes, at, at, anyWord());
    },
    function insertWords(bytes) {
      const at = between(0, bytes.length);
      return cut(bytes, at, at, Buffer.concat(Array.from({ length: between(2, 5) }, anyWord)));
    },
    function replaceByWord(bytes) {
      const [from, to] = range(bytes);
      return cut(bytes, from, to, anyWord());
    },
    /** A word in the place of another is how one valid text becomes the next. */
    function replaceWord(bytes) {
      const word = anyWord();
      const at = bytes.indexOf(word, below(bytes.length));
      return at === -1 ? cut(bytes, bytes.length, bytes.length, word) : cut(bytes, at, at + word.length, anyWord());
    },
    function remove(bytes) {
      const [from, to] = range(bytes);
      return cut(bytes, from, to, Buffer.alloc(0));
    },
    function repeat(bytes) {
      const [from, to] = range(bytes);
      const piece = bytes.subarray(from, to);
      const times = oneIn(8)
        ? Math.ceil(pick(NUMBERS.filter((number) => number <= maxBytes)) / piece.length)
        : between(1, 4);
      return cut(
        bytes,
        to,
        to,
        Buffer.concat(Array.from({ length: Math.min(times, Math.ceil(maxBytes / piece.length)) }, () => piece)),
      );
    },
    function swap(bytes) {
      const [from, to] = range(bytes);
      const at = between(to, bytes.length);
      return Buffer.concat([
        bytes.subarray(0, from),
        bytes.subarray(to, at),
        bytes.subarray(from, to),
        bytes.subarray(at),
      ]);
    },
    function setWrittenNumber(bytes) {
      const numbers = [...bytes.toString("latin1").matchAll(/\d+/g)];
      if (numbers.length === 0) return bytes;
      const { index, 0: digits } = pick(numbers);
      return cut(
        bytes,
        index,
        index + digits.length,
        Buffer.from(oneIn(2) ? String(pick(NUMBERS)) : pick(NUMBER_WORDS)),
      );
    },
    function changeCase(bytes) {
      const [from, to] = range(bytes);
      const text = bytes.toString("latin1", from, to);
      return cut(bytes, from, to, Buffer.from(oneIn(2) ? text.toUpperCase() : text.toLowerCase(), "latin1"));
    },
    function takeFromOther(bytes, other) {
      if (other.length === 0) return bytes;
      const [from, to] = range(bytes);
      const [start, end] = range(other);
      return cut(bytes, from, oneIn(2) ? to : from, other.subarray(start, end));
    },
    function cross(bytes, other) {
      return Buffer.concat([bytes.subarray(0, between(0, bytes.length)), other.subarray(between(0, other.length))]);
    },
    /** A piece between two marks, such as a field or a line, for one of the other input. */
    function crossPieces(bytes, other) {
      const mark = pick([...MARKS]);
      const pieces = split(bytes, mark);
      const others = split(other, mark);
      const at = below(pieces.length);
      const taken = oneIn(3)
        ? [...pieces.slice(0, at), pick(others), ...pieces.slice(at)]
        : [...pieces.slice(0, at), pick(others), ...pieces.slice(at + 1)];
      return Buffer.concat(taken.flatMap((piece, index) => (index === 0 ? [piece] : [Buffer.from([mark]), piece])));
    },
  ];

  /** @param {Buffer} parent @param {Buffer} other @returns {Buffer} */
  return (parent, other) => {
    let bytes = parent;
    for (let left = pick(HOW_MANY); left > 0; left--) {
      if (bytes.length === 0) bytes = Buffer.concat([anyWord()]);
      bytes = pick(CHANGES)(bytes, other);
      if (bytes.length > maxBytes) bytes = bytes.subarray(0, maxBytes);
    }
    // Never a view of a buffer that somebody else holds.
    return Buffer.from(bytes);
  };
}

/** @param {Buffer} bytes @param {number} mark */
function split(bytes, mark) {
  const pieces = [];
  let from = 0;
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, from)) {
    pieces.push(bytes.subarray(from, at));
    from = at + 1;
  }
  return [...pieces, bytes.subarray(from)];
}
