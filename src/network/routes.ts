/** The IPv4 routes and neighbours of a Linux host, as `/proc/net/route` and `/proc/net/arp` tell them. */
import { parseIp } from "../base/addresses.js";

/** One line of the main routing table. */
export interface Route {
  /** Destination network in dotted form, `0.0.0.0` for the default route. */
  readonly destination: string;
  /** 0 to 32. */
  readonly prefixLength: number;
  /** The next hop; undefined when the destination is on the link itself. */
  readonly gateway: string | undefined;
  /** The device; undefined for a route that drops or rejects packets. */
  readonly interface: string | undefined;
  /** What becomes of a packet: sent on, answered with an error by this host, or dropped silently. */
  readonly effect: "forward" | "reject" | "drop";
  /** Lower wins among routes of the same length. */
  readonly metric: number;
}

/** One resolved entry of the neighbour table. */
export interface Neighbour {
  readonly address: string;
  /** Lower case, `aa:bb:cc:dd:ee:ff`. */
  readonly mac: string;
  readonly interface: string;
}

// linux/route.h and linux/if_arp.h
const RTF_UP = 0x0001;
const RTF_GATEWAY = 0x0002;
const RTF_REJECT = 0x0200;
const ATF_COMPLETE = 0x02;

/**
 * Reads `/proc/net/route`. Lines that are not understood and routes that are down are left out. Addresses are printed
 * there as machine words, so `endianness` must be the machine's.
 */
export function parseRoutes(text: string, endianness: "LE" | "BE" = "LE"): readonly Route[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => parseRoute(line, endianness) ?? []);
}

function parseRoute(line: string, endianness: "LE" | "BE"): Route | undefined {
  const [device, destinationHex, gatewayHex, flagsHex, , , metricText, maskHex] = line.trim().split(/\s+/);
  const destination = wordToBits(destinationHex, endianness);
  const gateway = wordToBits(gatewayHex, endianness);
  const mask = wordToBits(maskHex, endianness);
  if (!device || destination === undefined || gateway === undefined || mask === undefined) return undefined;
  if (!/^[0-9A-F]{1,8}$/i.test(flagsHex ?? "") || !/^\d{1,10}$/.test(metricText ?? "")) return undefined;
  const flags = Number.parseInt(flagsHex!, 16);
  const prefixLength = Math.clz32(~mask);
  if ((flags & RTF_UP) === 0 || mask !== prefixToMask(prefixLength) || (destination & ~mask) !== 0) return undefined;
  const effect = (flags & RTF_REJECT) !== 0 ? "reject" : device === "*" ? "drop" : "forward";
  return {
    destination: bitsToText(destination),
    prefixLength,
    gateway: effect === "forward" && (flags & RTF_GATEWAY) !== 0 ? bitsToText(gateway) : undefined,
    interface: effect === "forward" ? device : undefined,
    effect,
    metric: Number(metricText),
  };
}

/** Reads `/proc/net/arp`: the neighbours whose hardware address is known, leaving out lines that are not understood. */
export function parseArp(text: string): readonly Neighbour[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [address, , flags, mac, , device] = line.trim().split(/\s+/);
      if (address === undefined || device === undefined || mac === undefined) return [];
      if (parseIp(address)?.family !== 4 || !/^0x[0-9a-f]{1,8}$/i.test(flags ?? "")) return [];
      if (!/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac) || mac === "00:00:00:00:00:00") return [];
      return (Number(flags) & ATF_COMPLETE) === 0 ? [] : [{ address, mac: mac.toLowerCase(), interface: device }];
    });
}

/** The route a packet to the IPv4 literal `address` takes by the main table: longest prefix, then lowest metric. */
export function routeFor(address: string, routes: readonly Route[]): Route | undefined {
  const ip = parseIp(address);
  if (ip?.family !== 4) return undefined;
  const bits = textToBits(address);
  let best: Route | undefined;
  for (const route of routes) {
    if ((bits & prefixToMask(route.prefixLength)) !== textToBits(route.destination)) continue;
    const longer = best === undefined ? 1 : route.prefixLength - best.prefixLength;
    if (best === undefined || longer > 0 || (longer === 0 && route.metric < best.metric)) best = route;
  }
  return best;
}

/** A route in the words of `ip route`: `default via 192.0.2.1 dev eth0`, `unreachable 169.254.169.254/32`. */
export function describeRoute(route: Route): string {
  const network = route.prefixLength === 0 ? "default" : `${route.destination}/${route.prefixLength}`;
  if (route.effect === "reject") return `unreachable ${network}`;
  if (route.effect === "drop") return `blackhole ${network}`;
  return `${network}${route.gateway === undefined ? "" : ` via ${route.gateway}`} dev ${route.interface}`;
}

// Addresses as signed 32-bit integers, most significant byte first, so that masks are plain bit operations.

function wordToBits(hex: string | undefined, endianness: "LE" | "BE"): number | undefined {
  if (hex === undefined || !/^[0-9A-F]{8}$/i.test(hex)) return undefined;
  const bytes = Buffer.from(hex, "hex");
  return endianness === "LE" ? bytes.readInt32LE() : bytes.readInt32BE();
}

function prefixToMask(length: number): number {
  return length === 0 ? 0 : -1 << (32 - length);
}

function textToBits(address: string): number {
  return address.split(".").reduce((bits, part) => (bits << 8) | Number(part), 0);
}

function bitsToText(bits: number): string {
  return [bits >>> 24, (bits >>> 16) & 0xff, (bits >>> 8) & 0xff, bits & 0xff].join(".");
}
