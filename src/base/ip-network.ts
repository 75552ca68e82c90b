/** IP networks: strict reading of CIDR notation, membership, and how the addresses inside are spelled in a log. */
import { parseIp } from "./addresses.js";
import { invalidArgument } from "./errors.js";

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
  const bytes = network.family === 4 && ip.family === 6 ? mappedIpv4(ip.bytes) : ip.bytes;
  return bytes !== undefined && samePrefix(bytes, network);
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

function mappedIpv4(bytes: Uint8Array): Uint8Array | undefined {
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.subarray(12) : undefined;
}

function samePrefix(bytes: Uint8Array, network: IpNetwork): boolean {
  if (bytes.length !== network.bytes.length) return false;
  const whole = network.bits >> 3;
  for (let index = 0; index < whole; index++) if (bytes[index] !== network.bytes[index]) return false;
  const mask = (0xff00 >> (network.bits & 7)) & 0xff;
  return mask === 0 || ((bytes[whole]! ^ network.bytes[whole]!) & mask) === 0;
}
