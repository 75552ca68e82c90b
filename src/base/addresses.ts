/**
 * IP addresses and networks as bytes: strict reading and writing, comparison, membership, and the many spellings of the two
 * IMDS addresses.
 */
import { invalidArgument } from "./errors.js";

/** Where IMDS answers on every EC2 instance. */
export const IMDS_IPV4 = "169.254.169.254";

/** Where IMDS answers on Nitro instances whose IPv6 endpoint is enabled. */
export const IMDS_IPV6 = "fd00:ec2::254";

/** An address in network byte order: 4 bytes or 16. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
}

/**
 * Reads an address literal: a dotted quad of four decimal numbers without leading zeros, or any IPv6 form of RFC 4291
 * section 2.2, embedded IPv4 included. Zone identifiers, brackets, short, octal and hexadecimal IPv4 forms are no
 * literals.
 */
export function parseIp(text: string): IpAddress | undefined {
  if (text.includes(":")) {
    const bytes = parseIpv6(text);
    return bytes && { family: 6, bytes };
  }
  const bytes = parseIpv4(text);
  return bytes && { family: 4, bytes };
}

/**
 * Whether two literals name the same address, whatever their spelling. An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`)
 * is the same as its IPv4 address, because a dual-stack socket reports its peer so. `false` if either is no literal.
 */
export function sameAddress(a: string, b: string): boolean {
  const left = parseIp(a);
  const right = parseIp(b);
  return left !== undefined && right !== undefined && equal(unmapped(left.bytes), unmapped(right.bytes));
}

/** Whether a literal is a loopback address: 127.0.0.0/8, `::1`, or the former in IPv4-mapped form. */
export function isLoopback(text: string): boolean {
  const ip = parseIp(text);
  if (ip === undefined) return false;
  const bytes = unmapped(ip.bytes);
  return bytes.length === 4 ? bytes[0] === 127 : equal(bytes, LOOPBACK6);
}

/**
 * Whether a literal is of this machine or of a private network, RFC 1918 or RFC 4193, and no address of Amazon's link-local
 * services (`fd00:ec2::/32`).
 */
export function isLocalOrPrivate(text: string): boolean {
  return isLoopback(text) || (PRIVATE.some((network) => inNetwork(network, text)) && !inNetwork(AMAZON6, text));
}

/**
 * Whether a packet sent to this literal may end at IMDS: one of its two addresses, or an IPv6 address that carries the
 * IPv4 one for a translator or tunnel (mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP). A zone identifier
 * or anything behind a NUL is looked past, as the operating system does. The NAT64 prefix of one network's own choice
 * (RFC 6052 section 2.2) cannot be recognised.
 */
export function isImdsAddress(text: string): boolean {
  const ip = parseIp(text.replace(/[%\0].*$/s, ""));
  if (ip === undefined) return false;
  if (ip.family === 4) return equal(ip.bytes, IMDS4);
  return equal(ip.bytes, IMDS6) || carriedIpv4(ip.bytes).some((bytes) => equal(bytes, IMDS4));
}

/**
 * The IPv4 addresses at which a packet to this IPv6 literal may end: those that it carries for a translator or tunnel, as
 * {@link isImdsAddress} has them. Empty for anything else.
 */
export function carriedAddresses(text: string): readonly string[] {
  const ip = parseIp(text);
  return ip?.family === 6 ? carriedIpv4(ip.bytes).map((bytes) => bytes.join(".")) : [];
}

/**
 * 16 bytes in the form of RFC 5952: lower case, the longest run of zero groups as `::`, an IPv4 address in an IPv6 one
 * as such.
 */
export function ipv6Text(bytes: Uint8Array): string {
  if (unmapped(bytes) !== bytes) return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  ).join(":");
  const runs = groups.match(/\b0(?::0)+\b/g) ?? [];
  // The first of the longest: sorting keeps the order of equals.
  const longest = runs.toSorted((a, b) => b.length - a.length)[0];
  if (longest === undefined) return groups;
  const at = new RegExp(`(?:^|:)${longest}(?:$|:)`).exec(groups) as RegExpExecArray;
  return `${groups.slice(0, at.index)}::${groups.slice(at.index + at[0].length)}`;
}

/** A network: every address whose first `bits` bits are those of `bytes`. */
export interface IpNetwork {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/**
 * Reads `address/bits`, or an address alone, which is a network of one. Bits outside the prefix may be set and are
 * ignored.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE`, naming `option`
 */
export function parseNetwork(text: string, option = "network"): IpNetwork {
  const slash = text.indexOf("/");
  const ip = parseIp(slash === -1 ? text : text.slice(0, slash));
  const length = ip?.family === 4 ? 32 : 128;
  const prefix = slash === -1 ? String(length) : text.slice(slash + 1);
  if (ip === undefined || !/^(?:0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > length) {
    throw invalidArgument(option, text, "an IP network as in 192.0.2.0/24 or 2001:db8::/32");
  }
  return { family: ip.family, bytes: ip.bytes, bits: Number(prefix) };
}

/** Whether the address literal lies in the network. An IPv4-mapped address lies where its IPv4 address does. */
export function inNetwork(network: IpNetwork, address: string): boolean {
  const ip = parseIp(address);
  if (ip === undefined) return false;
  return samePrefix(network.family === 4 ? unmapped(ip.bytes) : ip.bytes, network);
}

/** Whether two networks share an address. */
export function overlaps(a: IpNetwork, b: IpNetwork): boolean {
  return a.family === b.family && samePrefix(a.bytes, { ...b, bits: Math.min(a.bits, b.bits) });
}

/**
 * Texts of which every spelling of every address in the network contains at least one, in lower case, or `undefined`
 * where there is no such set: a prefix that ends inside the part that is always written out.
 */
export function spellings(network: IpNetwork): readonly string[] | undefined {
  const { family, bytes, bits } = network;
  // A group of zeros may vanish in "::", so only two neighbours that are not zero stand in every spelling.
  if (bits < 32 || group(bytes, 0) === 0 || group(bytes, 2) === 0) return undefined;
  // An IPv4 address may also be written as the end of a mapped one, in hexadecimal.
  return family === 4 ? [bytes.join("."), ...pairs(bytes)] : pairs(bytes).map((pair) => `${pair}:`);
}

const LOOPBACK6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const network4 = (first: number, second: number, bits: number): IpNetwork => ({
  family: 4,
  bytes: Uint8Array.of(first, second, 0, 0),
  bits,
});
const network6 = (...bytes: number[]): IpNetwork => ({
  family: 6,
  bytes: Uint8Array.from({ length: 16 }, (_, index) => bytes[index] ?? 0),
  bits: bytes.length * 8 - (bytes.length === 1 ? 1 : 0),
});
const PRIVATE = [network4(10, 0, 8), network4(172, 16, 12), network4(192, 168, 16), network6(0xfc)];
const AMAZON6 = network6(0xfd, 0x00, 0x0e, 0xc2);
const IMDS4 = /* @__PURE__ */ Uint8Array.of(169, 254, 169, 254);
const IMDS6 = /* @__PURE__ */ Uint8Array.of(0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54);

const QUAD = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

function parseIpv4(text: string): Uint8Array | undefined {
  return QUAD.test(text) ? Uint8Array.from(text.split("."), Number) : undefined;
}

// The longest form is eight groups of four with an embedded quad: 45 characters.
const LONGEST = 45;

function parseIpv6(text: string): Uint8Array | undefined {
  if (text.length > LONGEST) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 1 ? [] : parseGroups(halves[1]!, true);
  if (head === undefined || tail === undefined) return undefined;
  const gap = 16 - head.length - tail.length;
  // "::" stands for at least one group of zeros.
  if (halves.length === 1 ? gap !== 0 : gap < 2) return undefined;
  return Uint8Array.from([...head, ...new Array<number>(gap).fill(0), ...tail]);
}

function parseGroups(text: string, quadAllowed: boolean): number[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const quad = quadAllowed && index === groups.length - 1 ? parseIpv4(group) : undefined;
    if (quad === undefined) return undefined;
    bytes.push(...quad);
  }
  return bytes;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function startsWith(bytes: Uint8Array, ...prefix: number[]): boolean {
  return prefix.every((byte, index) => bytes[index] === byte);
}

/** The 4 bytes that an IPv4-mapped address carries; others as they are. */
export function unmapped(bytes: Uint8Array): Uint8Array {
  return startsWith(bytes, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff) && bytes.length === 16
    ? bytes.subarray(12)
    : bytes;
}

/** Every IPv4 address that a 16-byte address may be carrying, by the layouts in which the IPv4 Internet is reached. */
function carriedIpv4(bytes: Uint8Array): Uint8Array[] {
  return [...carriedByPrefix(bytes), ...isatap(bytes)];
}

function carriedByPrefix(bytes: Uint8Array): Uint8Array[] {
  const pick = (...at: number[]): Uint8Array => Uint8Array.from(at, (index) => bytes[index]!);
  const last = bytes.subarray(12);
  // RFC 4291 2.5.5 (compatible, mapped), RFC 2765 2.1 (translated)
  if (startsWith(bytes, 0, 0, 0, 0, 0, 0, 0, 0)) {
    const middle = bytes[8]! * 0x1000000 + bytes[9]! * 0x10000 + bytes[10]! * 0x100 + bytes[11]!;
    return middle === 0 || middle === 0xffff || middle === 0xffff0000 ? [last] : [];
  }
  // RFC 6052 2.1: the well-known prefix of NAT64
  if (startsWith(bytes, 0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0)) return [last];
  // RFC 8215: a network's own NAT64 prefix of any length from /48, in the layouts of RFC 6052 2.2 (byte 8 stays empty)
  if (startsWith(bytes, 0x00, 0x64, 0xff, 0x9b, 0, 1)) {
    return [last, pick(6, 7, 9, 10), pick(7, 9, 10, 11), pick(9, 10, 11, 12)];
  }
  // RFC 3056: 6to4
  if (startsWith(bytes, 0x20, 0x02)) return [pick(2, 3, 4, 5)];
  // RFC 4380: Teredo, the client's address with every bit inverted
  if (startsWith(bytes, 0x20, 0x01, 0, 0)) return [last.map((byte) => byte ^ 0xff)];
  return [];
}

/** RFC 5214 6.1: the interface identifier names the IPv4 address, under any prefix. */
function isatap(bytes: Uint8Array): Uint8Array[] {
  const marked = (bytes[8]! & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe;
  return marked ? [bytes.subarray(12)] : [];
}

/** Two groups as they may be written: leading zeros are optional. */
function pairs(bytes: Uint8Array): readonly string[] {
  const forms = [0, 2].map((at) => {
    const hex = group(bytes, at).toString(16);
    return Array.from({ length: 5 - hex.length }, (_, zeros) => "0".repeat(zeros) + hex);
  });
  return forms[0]!.flatMap((first) => forms[1]!.map((second) => `${first}:${second}`));
}

function group(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!;
}

function samePrefix(bytes: Uint8Array, network: IpNetwork): boolean {
  if (bytes.length !== network.bytes.length) return false;
  const whole = network.bits >> 3;
  for (let index = 0; index < whole; index++) if (bytes[index] !== network.bytes[index]) return false;
  const mask = (0xff00 >> (network.bits & 7)) & 0xff;
  return mask === 0 || ((bytes[whole]! ^ network.bytes[whole]!) & mask) === 0;
}
