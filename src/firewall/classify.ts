/**
 * Which address literals given to the operating system end at a link-local metadata service, whatever their spelling.
 */
import type { AllowWord } from "../settings/options.js";

/**
 * The service behind a link-local address. `imds` is the instance metadata service (every cloud uses 169.254.169.254
 * for its own), `reserved` whatever else Amazon may answer on in fd00:ec2::/32.
 */
export type MetadataService = "imds" | "dns" | "ntp" | "ecs" | "eks" | "openstack" | "reserved";

/** Names the service that a literal must not reach, or undefined where it may. */
export interface Classifier {
  /** For a literal that is read as IPv4 (`169.254.169.254`), and the port there. */
  readonly v4: (literal: string, port?: number) => MetadataService | undefined;
  /** For a literal that is read as IPv6, zone identifier included. */
  readonly v6: (literal: string, port?: number) => MetadataService | undefined;
}

// Captured now: whoever replaces a method of String or Function later changes nothing here. Everything else in this
// file is arithmetic, indexes within bounds and comparison, none of which asks a prototype.
const charCodeAt = Function.prototype.call.bind(String.prototype.charCodeAt) as (text: string, index: number) => number;

const bytes = new Uint8Array(16);

/** The longest address that libuv reads in front of a zone identifier; it drops what follows (`uv_ip6_addr`). */
const LONGEST_BEFORE_ZONE = 39;

const DOT = 46;
const COLON = 58;
const PERCENT = 37;

/**
 * Makes a classifier that lets the services named in `allow` pass. `gcp`, `azure` and `openstack` share 169.254.169.254
 * with EC2: each opens it altogether. `containerNamed` is asked only about an address of a container service.
 */
export function createClassifier(
  allow: readonly AllowWord[],
  containerNamed: (service: "ecs" | "eks", port: number | undefined) => boolean = () => false,
): Classifier {
  let imds = false;
  let openstack = false;
  let ecs = false;
  let eks = false;
  let dns = false;
  let ntp = false;
  for (let index = 0; index < allow.length; index++) {
    const word = allow[index];
    if (word === "gcp" || word === "azure" || word === "openstack") imds = true;
    if (word === "openstack") openstack = true;
    if (word === "ecs") ecs = true;
    if (word === "eks") eks = true;
    if (word === "dns") dns = true;
    if (word === "ntp") ntp = true;
  }
  const refused = (service: MetadataService | undefined, port: number | undefined): MetadataService | undefined => {
    switch (service) {
      case "imds":
        return imds ? undefined : service;
      case "dns":
        return dns ? undefined : service;
      case "ntp":
        return ntp ? undefined : service;
      case "ecs":
        return ecs || containerNamed("ecs", port) ? undefined : service;
      case "eks":
        return eks || containerNamed("eks", port) ? undefined : service;
      case "openstack":
        return openstack ? undefined : service;
      default:
        return service;
    }
  };
  /**
   * The last IPv6 literal that leads to no service, whatever is allowed: reading one takes its time, and programs dial
   * the same again.
   */
  let ordinary = "";
  return {
    v4: (literal, port) => refused(serviceOfV4(literal), port),
    v6: (literal, port) => {
      if (literal === ordinary) return undefined;
      const service = serviceOfV6(literal);
      if (service === undefined) {
        ordinary = literal;
        return undefined;
      }
      // The other cloud's word opens the IPv4 address in every form, and never Amazon's own IPv6 one.
      return service === "imds" && isAmazons() ? service : refused(service, port);
    },
  };
}

/** The service behind a dotted quad. What follows a NUL is not there for the operating system. */
export function serviceOfV4(literal: string): MetadataService | undefined {
  const { length } = literal;
  // The shortest is 169.254.170.2. Nearly every connection ends here.
  if (length < 13 || charCodeAt(literal, 0) !== 49 || charCodeAt(literal, 1) !== 54 || charCodeAt(literal, 2) !== 57)
    return undefined;
  return readQuad(literal, 0, length, 0) ? serviceOfQuad(0, 0) : undefined;
}

/**
 * The service behind an IPv6 literal: Amazon's own prefix, or an IPv4 address carried in any form a network may unwrap.
 */
export function serviceOfV6(literal: string): MetadataService | undefined {
  let end = 0;
  let zone = false;
  for (; end < literal.length; end++) {
    const code = charCodeAt(literal, end);
    if (code === 0) break;
    if (code !== PERCENT) continue;
    zone = true;
    break;
  }
  if (zone && end > LONGEST_BEFORE_ZONE && readV6(literal, LONGEST_BEFORE_ZONE)) {
    const service = serviceOfBytes();
    if (service !== undefined) return service;
  }
  return readV6(literal, end) ? serviceOfBytes() : undefined;
}

/** The service behind a literal of either family. */
export function serviceOf(literal: string): MetadataService | undefined {
  for (let index = 0; index < literal.length; index++) {
    if (charCodeAt(literal, index) === COLON) return serviceOfV6(literal);
  }
  return serviceOfV4(literal);
}

/**
 * A host as a URL parser reads it in `http:`: decimal, octal, hexadecimal, short and full-width forms become a dotted
 * quad. What it does not take for a host comes back as it is.
 */
export function canonicalAddress(host: string): string {
  const url = `http://${host}/`;
  return host.includes(":") || !URL.canParse(url) ? host : new URL(url).hostname.replace(/\.$/, "");
}

/**
 * Whether a text is four decimal numbers as the WHATWG parser would write them itself: nothing is left that it, or a
 * resolver, could read as another address.
 */
export function isPlainQuad(text: string): boolean {
  const { length } = text;
  let value = 0;
  let digits = 0;
  let parts = 1;
  for (let index = 0; index < length; index++) {
    const code = charCodeAt(text, index);
    if (code === DOT) {
      if (digits === 0 || ++parts > 4) return false;
      value = digits = 0;
    } else {
      // A leading zero makes a number octal.
      if (code < 48 || code > 57 || (digits > 0 && value === 0)) return false;
      value = value * 10 + code - 48;
      digits++;
      if (value > 255) return false;
    }
  }
  return parts === 4 && digits > 0;
}

/** Reads four decimal numbers into `bytes[at...]`. */
function readQuad(text: string, from: number, to: number, at: number): boolean {
  let value = 0;
  let digits = 0;
  let part = 0;
  for (let index = from; index < to; index++) {
    const code = charCodeAt(text, index);
    if (code >= 48 && code <= 57) {
      value = value * 10 + code - 48;
      if (++digits > 3 || value > 255) return false;
    } else if (code === DOT && digits > 0 && part < 3) {
      bytes[at + part++] = value;
      value = 0;
      digits = 0;
    } else if (code === 0) break;
    else return false;
  }
  bytes[at + 3] = value;
  return part === 3 && digits > 0;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** Reads any form of RFC 4291 section 2.2 into `bytes`. */
function readV6(text: string, to: number): boolean {
  let at = 0;
  let gap = -1;
  let index = 0;
  if (to >= 2 && charCodeAt(text, 0) === COLON) {
    if (charCodeAt(text, 1) !== COLON) return false;
    gap = 0;
    index = 2;
  }
  while (index < to) {
    const start = index;
    let value = 0;
    let code = 0;
    for (; index < to; index++) {
      code = charCodeAt(text, index);
      const digit = hexDigit(code);
      if (digit < 0) break;
      value = value * 16 + digit;
      if (index - start >= 4) return false;
    }
    if (index < to && code === DOT) {
      if (at > 12 || !readQuad(text, start, to, at)) return false;
      at += 4;
      break;
    }
    if (index === start || at > 14) return false;
    bytes[at++] = value >> 8;
    bytes[at++] = value & 0xff;
    if (index === to) break;
    if (code !== COLON || ++index === to) return false;
    if (charCodeAt(text, index) === COLON) {
      if (gap >= 0) return false;
      gap = at;
      index++;
    }
  }
  if (gap < 0) return at === 16;
  if (at > 14) return false;
  // Moves what stands behind "::" to the end and clears what it stood for.
  const moved = at - gap;
  for (let step = 1; step <= moved; step++) bytes[16 - step] = bytes[at - step] as number;
  for (let clear = gap; clear < 16 - moved; clear++) bytes[clear] = 0;
  return true;
}

function byte(index: number): number {
  return bytes[index] as number;
}

function word(index: number): number {
  return (byte(index) << 8) | byte(index + 1);
}

function isAmazons(): boolean {
  return word(0) === 0xfd00 && word(2) === 0x0ec2;
}

function serviceOfQuad(at: number, inverted: number): MetadataService | undefined {
  return serviceOfNumbers(
    byte(at) ^ inverted,
    byte(at + 1) ^ inverted,
    byte(at + 2) ^ inverted,
    byte(at + 3) ^ inverted,
  );
}

function serviceOfNumbers(a: number, b: number, c: number, d: number): MetadataService | undefined {
  if (a !== 169 || b !== 254) return undefined;
  if (c === 169) return d === 254 ? "imds" : d === 253 ? "dns" : d === 123 ? "ntp" : undefined;
  return c === 170 ? (d === 2 ? "ecs" : d === 23 ? "eks" : undefined) : undefined;
}

function serviceOfBytes(): MetadataService | undefined {
  if (isAmazons()) return serviceOfAmazons();
  const first = word(0);
  if (first === 0 && word(2) === 0 && word(4) === 0 && word(6) === 0) {
    // RFC 4291 2.5.5 (compatible, mapped), RFC 2765 2.1 (translated)
    const high = word(8);
    const low = word(10);
    if ((high === 0 && (low === 0 || low === 0xffff)) || (high === 0xffff && low === 0)) return serviceOfQuad(12, 0);
    return serviceOfInterface();
  }
  if (first === 0x64 && word(2) === 0xff9b) {
    // RFC 6052 2.1: the well-known prefix of NAT64
    if (word(4) === 0)
      return word(6) === 0 && word(8) === 0 && word(10) === 0 ? serviceOfQuad(12, 0) : serviceOfInterface();
    // RFC 8215: a network's own NAT64 prefix of any length from /48, in the layouts of RFC 6052 2.2 (byte 8 stays
    // empty)
    if (word(4) !== 1) return serviceOfInterface();
    return (
      serviceOfQuad(12, 0) ??
      serviceOfNumbers(byte(6), byte(7), byte(9), byte(10)) ??
      serviceOfNumbers(byte(7), byte(9), byte(10), byte(11)) ??
      serviceOfQuad(9, 0)
    );
  }
  // RFC 3056: 6to4
  if (first === 0x2002) return serviceOfQuad(2, 0) ?? serviceOfInterface();
  // RFC 4380: Teredo, the client's address with every bit inverted
  if (first === 0x2001 && word(2) === 0) return serviceOfQuad(12, 0xff) ?? serviceOfInterface();
  // OpenStack's metadata over IPv6 link-local
  if (first === 0xfe80 && word(8) === 0 && word(10) === 0 && word(12) === 0xa9fe && word(14) === 0xa9fe)
    return "openstack";
  return serviceOfInterface();
}

/** RFC 5214 6.1 (ISATAP): the interface identifier names the IPv4 address, under any prefix. */
function serviceOfInterface(): MetadataService | undefined {
  return (byte(8) & 0xfd) === 0 && byte(9) === 0 && word(10) === 0x5efe ? serviceOfQuad(12, 0) : undefined;
}

function serviceOfAmazons(): MetadataService {
  if (word(4) !== 0 || word(6) !== 0 || word(8) !== 0 || word(10) !== 0 || word(12) !== 0) return "reserved";
  switch (word(14)) {
    case 0x254:
      return "imds";
    case 0x253:
      return "dns";
    case 0x123:
      return "ntp";
    case 0x23:
      return "eks";
    default:
      return "reserved";
  }
}
