/** A strict reader for the small part of BER that signed identity messages use. */
import { attestationInvalid } from "./attestation-error.js";

/** One element: its identifier octet, its content and, when constructed, its parts. */
export interface BerElement {
  /** The identifier octet: class, constructed bit and low tag number. */
  readonly tag: number;
  /** Whether this element and everything below it states its length, as DER demands. */
  readonly definite: boolean;
  /** Content octets; without the end-of-contents marker of an indefinite length. */
  readonly body: Buffer;
  /** The whole element as received, header included. */
  readonly raw: Buffer;
  /** Empty for a primitive element. */
  readonly children: readonly BerElement[];
}

const MAX_DEPTH = 16;
const CONSTRUCTED = 0x20;
const CLASS = 0xc0;
const CONTEXT_SPECIFIC = 0x80;
const TAG_NUMBER = 0x1f;
const INDEFINITE = 0x80;

/**
 * Reads `bytes` as exactly one element. Lengths are definite in their shortest form, or indefinite; tag numbers are
 * low; classes are universal and context-specific; nesting is at most 16 levels.
 *
 * @throws ImdsImpersonationError `ERR_IMDS_ATTESTATION_INVALID` for anything else
 */
export function readBer(bytes: Buffer): BerElement {
  const element = readElement(bytes, 0, bytes.length, 1);
  if (element.raw.length !== bytes.length) throw attestationInvalid("ber-trailing");
  return element;
}

function readElement(bytes: Buffer, start: number, limit: number, depth: number): BerElement {
  if (depth > MAX_DEPTH) throw attestationInvalid("ber-depth");
  if (limit - start < 2) throw attestationInvalid("ber-truncated");
  const tag = bytes.readUInt8(start);
  const tagClass = tag & CLASS;
  if ((tag & TAG_NUMBER) === TAG_NUMBER || (tagClass !== 0 && tagClass !== CONTEXT_SPECIFIC))
    throw attestationInvalid("ber-tag");
  // Universal tag 0 is the end-of-contents marker; as an element it is a parser trap.
  if (tagClass === 0 && (tag & TAG_NUMBER) === 0) throw attestationInvalid("ber-tag");
  return bytes.readUInt8(start + 1) === INDEFINITE
    ? readIndefinite(bytes, tag, start, limit, depth)
    : readDefinite(bytes, tag, start, limit, depth);
}

function readIndefinite(bytes: Buffer, tag: number, start: number, limit: number, depth: number): BerElement {
  if ((tag & CONSTRUCTED) === 0) throw attestationInvalid("ber-length");
  const children: BerElement[] = [];
  let at = start + 2;
  for (;;) {
    if (limit - at < 2) throw attestationInvalid("ber-truncated");
    if (bytes.readUInt16BE(at) === 0) break;
    const child = readElement(bytes, at, limit, depth + 1);
    children.push(child);
    at += child.raw.length;
  }
  return { tag, definite: false, body: bytes.subarray(start + 2, at), raw: bytes.subarray(start, at + 2), children };
}

function readDefinite(bytes: Buffer, tag: number, start: number, limit: number, depth: number): BerElement {
  const { length, header } = readLength(bytes, start, limit);
  const from = start + header;
  const end = from + length;
  if (end > limit) throw attestationInvalid("ber-truncated");
  const children: BerElement[] = [];
  let definite = true;
  if ((tag & CONSTRUCTED) !== 0) {
    for (let at = from; at < end;) {
      const child = readElement(bytes, at, end, depth + 1);
      children.push(child);
      definite &&= child.definite;
      at += child.raw.length;
    }
  }
  return { tag, definite, body: bytes.subarray(from, end), raw: bytes.subarray(start, end), children };
}

/** Two octets of length are enough for any message under the size cap. */
function readLength(bytes: Buffer, start: number, limit: number): { length: number; header: number } {
  const first = bytes.readUInt8(start + 1);
  if (first < 0x80) return { length: first, header: 2 };
  const octets = first & 0x7f;
  if (octets > 2) throw attestationInvalid("ber-length");
  const header = 2 + octets;
  if (limit - start < header) throw attestationInvalid("ber-truncated");
  const length = bytes.readUIntBE(start + 2, octets);
  if (length < (octets === 1 ? 0x80 : 0x100)) throw attestationInvalid("ber-length");
  return { length, header };
}
