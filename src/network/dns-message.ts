/** DNS questions and answers as bytes: what may be believed of a packet that claims to answer a question of ours. */
import type { decode, encode } from "dns-packet";
import { parseIp } from "../base/addresses.js";

/**
 * The two functions of `dns-packet` in use. Passed in, because loading the package is left until a name is resolved.
 */
export interface DnsCodec {
  readonly encode: typeof encode;
  readonly decode: typeof decode;
}

/** One question, and the packet that asks it. */
export interface DnsQuery {
  readonly id: number;
  readonly type: "A" | "AAAA";
  /** Lower case, without trailing dot. */
  readonly name: string;
  readonly packet: Buffer;
}

/** What one packet says about a question. */
export type DnsAnswer =
  /** IP literals, 1 to {@link MAX_ADDRESSES}. */
  | { readonly kind: "addresses"; readonly addresses: readonly string[] }
  /** The name exists, but not with an address of this type (NODATA). */
  | { readonly kind: "no-data" }
  /** NXDOMAIN. */
  | { readonly kind: "no-such-name" }
  /** The answer did not fit and has to be fetched over TCP. */
  | { readonly kind: "truncated" }
  /** The server refuses or cannot answer: `SERVFAIL`, `REFUSED`, ... */
  | { readonly kind: "failed"; readonly rcode: string }
  /** It answers this question, with content that cannot be true. */
  | { readonly kind: "malformed"; readonly reason: string }
  /** It does not answer this question at all; the real answer may still come. */
  | { readonly kind: "unrelated" };

/** Addresses taken from one answer; more are cut off. */
export const MAX_ADDRESSES = 16;

/** Links followed from alias to alias inside one answer. */
const MAX_ALIASES = 8;

const HEADER_BYTES = 12;

/** Root name, type, class, TTL and length: no record is shorter. */
const SHORTEST_RECORD_BYTES = 11;
const MAX_RECORDS = 64;

const RECURSION_DESIRED = 0x0100;

/** A question for the addresses of `name`, which is lower case and without trailing dot. `id` is 0 to 65535. */
export function createQuery(id: number, type: "A" | "AAAA", name: string, codec: DnsCodec): DnsQuery {
  const packet = codec.encode({ type: "query", id, flags: RECURSION_DESIRED, questions: [{ type, name }] });
  return { id, type, name, packet };
}

/**
 * Judges one packet as the answer to `query`. Never throws, and takes time in proportion to the packet's length only.
 */
export function readAnswer(packet: Buffer, query: DnsQuery, codec: DnsCodec): DnsAnswer {
  if (!answersQuestion(packet, query)) return { kind: "unrelated" };
  const flags = packet.readUInt16BE(2);
  if ((flags & 0x0200) !== 0) return { kind: "truncated" };
  // The decoder allocates and loops by these counts before it looks at the records.
  const records = packet.readUInt16BE(6) + packet.readUInt16BE(8) + packet.readUInt16BE(10);
  const room = Math.floor((packet.length - query.packet.length) / SHORTEST_RECORD_BYTES);
  if (records > Math.min(MAX_RECORDS, room)) return { kind: "malformed", reason: `${records} records announced` };
  const rcode = flags & 0x000f;
  if (rcode === 3) return { kind: "no-such-name" };
  if (rcode !== 0) return { kind: "failed", rcode: RCODES[rcode] ?? `RCODE ${rcode}` };
  const decoded = decodeWhole(packet, codec);
  return decoded === undefined
    ? { kind: "malformed", reason: "records cannot be read" }
    : followAliases(decoded, query);
}

const RCODES: Readonly<Record<number, string>> = { 1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED" };

type Decoded = ReturnType<DnsCodec["decode"]>;

/** Whether the packet is a response that repeats our id and our one question; the case of the name may differ. */
function answersQuestion(packet: Buffer, query: DnsQuery): boolean {
  const asked = query.packet;
  if (packet.length < asked.length || packet.readUInt16BE(0) !== query.id) return false;
  const flags = packet.readUInt16BE(2);
  // QR set, OPCODE 0, one question
  if ((flags & 0xf800) !== 0x8000 || packet.readUInt16BE(4) !== 1) return false;
  for (let at = HEADER_BYTES; at < asked.length; at++) {
    if (lowerCase(packet[at]!) !== lowerCase(asked[at]!)) return false;
  }
  return true;
}

/** Also folds a length or type byte of 65 to 90, which does no harm: labels end at 63, and both types are below. */
function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

function decodeWhole(packet: Buffer, codec: DnsCodec): Decoded | undefined {
  let decoded: Decoded;
  try {
    decoded = codec.decode(packet);
  } catch {
    // The decoder reports hostile input with plain errors of many kinds; all of them mean the same here.
    return undefined;
  }
  // Lengths that lie make the decoder stop before or behind the end.
  return codec.decode.bytes === packet.length ? decoded : undefined;
}

/**
 * Walks from the asked name over aliases to addresses, taking records of other owners, types and classes for nothing.
 */
function followAliases(decoded: Decoded, query: DnsQuery): DnsAnswer {
  const aliases = new Map<string, string>();
  const addresses = new Map<string, string[]>();
  for (const record of decoded.answers ?? []) {
    if (record.type !== "CNAME" && record.type !== query.type) continue;
    // An IN record with the top bit of its class set belongs to multicast DNS.
    if (record.class !== "IN" || record.flush === true || typeof record.data !== "string") continue;
    const owner = canonical(record.name);
    if (record.type === "CNAME") {
      const target = canonical(record.data);
      if ((aliases.get(owner) ?? target) !== target) return { kind: "malformed", reason: "two aliases for one name" };
      aliases.set(owner, target);
    } else {
      if (parseIp(record.data)?.family !== (query.type === "A" ? 4 : 6))
        return { kind: "malformed", reason: "address" };
      addresses.set(owner, [...(addresses.get(owner) ?? []), record.data]);
    }
  }
  let owner = query.name;
  for (let links = 0; links <= MAX_ALIASES; links++) {
    const found = addresses.get(owner);
    if (found !== undefined) return { kind: "addresses", addresses: [...new Set(found)].slice(0, MAX_ADDRESSES) };
    const target = aliases.get(owner);
    if (target === undefined) return { kind: "no-data" };
    owner = target;
  }
  return { kind: "malformed", reason: "aliases without end" };
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
