/** The IPv6 routes of a Linux host, as `/proc/net/ipv6_route` tells them. */
import { ipv6Text, parseIp } from "../base/addresses.js";

/** One route, of whichever table: the file does not tell them apart. */
export interface Ipv6Route {
  /** Destination network, `::` for the default route. */
  readonly destination: string;
  /** 0 to 128. */
  readonly prefixLength: number;
  /** The next hop; undefined when the destination is on the link itself. */
  readonly gateway: string | undefined;
  /** Lower wins among routes of the same length. */
  readonly metric: number;
  /** The device; that of loopback for a route that refuses. */
  readonly interface: string;
  /** Unreachable, prohibited or a black hole, which the file does not tell apart either. */
  readonly rejects: boolean;
  /** Learned from a router advertisement. */
  readonly advertised: boolean;
}

// linux/ipv6_route.h and linux/route.h
const RTF_UP = 0x1;
const RTF_REJECT = 0x200;
const RTF_ADDRCONF = 0x40000;
const RTF_ROUTEINFO = 0x800000;
const RTF_LOCAL = 0x80000000;
/** Of the entry that the kernel itself ends its table with: no route, in the form of one. */
const NO_ROUTE_METRIC = 0xffffffff;

/** Reads `/proc/net/ipv6_route`; lines that are not understood are left out. */
export function parseIpv6Routes(text: string): readonly Ipv6Route[] {
  return text.split("\n").flatMap((line) => parseRoute(line) ?? []);
}

function parseRoute(line: string): Ipv6Route | undefined {
  const [destination, prefix, source, , nextHop, metricText, , , flagsText, device] = line.trim().split(/\s+/);
  if (
    ![destination, source, nextHop].every((hex) => /^[0-9a-f]{32}$/i.test(hex ?? "")) ||
    !/^[0-9a-f]{2}$/i.test(prefix ?? "")
  )
    return undefined;
  if (!/^[0-9a-f]{8}$/i.test(metricText ?? "") || !/^[0-9a-f]{8}$/i.test(flagsText ?? "") || device === undefined)
    return undefined;
  const flags = Number.parseInt(flagsText as string, 16);
  const prefixLength = Number.parseInt(prefix as string, 16);
  const metric = Number.parseInt(metricText as string, 16);
  const rejects = (flags & RTF_REJECT) !== 0;
  // Routes that refuse are in force without being "up".
  if (((flags & RTF_UP) === 0 && !rejects) || prefixLength > 128 || (rejects && metric === NO_ROUTE_METRIC))
    return undefined;
  const hop = ipv6Text(Buffer.from(nextHop as string, "hex"));
  return {
    destination: ipv6Text(Buffer.from(destination as string, "hex")),
    prefixLength,
    gateway: hop === "::" || rejects ? undefined : hop,
    metric,
    interface: device,
    rejects,
    advertised: (flags & (RTF_ADDRCONF | RTF_ROUTEINFO)) !== 0 && (flags & RTF_LOCAL) === 0,
  };
}

/**
 * The route that a packet to the IPv6 literal `address` takes where no rule leads elsewhere: longest prefix, then
 * lowest metric.
 */
export function ipv6RouteFor(address: string, routes: readonly Ipv6Route[]): Ipv6Route | undefined {
  const ip = parseIp(address);
  if (ip?.family !== 6) return undefined;
  return routes
    .filter(({ destination, prefixLength }) =>
      samePrefix(ip.bytes, (parseIp(destination) as { bytes: Uint8Array }).bytes, prefixLength),
    )
    .sort((a, b) => b.prefixLength - a.prefixLength || a.metric - b.metric)[0];
}

/**
 * A route in the words of `ip -6 route`: `fd00:ec2::/32 via fe80::1 dev eth0 proto ra`, `unreachable fd00:ec2::/32`.
 */
export function describeIpv6Route(route: Ipv6Route): string {
  const network = route.prefixLength === 0 ? "default" : `${route.destination}/${route.prefixLength}`;
  if (route.rejects) return `unreachable ${network}`;
  return `${network}${route.gateway === undefined ? "" : ` via ${route.gateway}`} dev ${route.interface}${route.advertised ? " proto ra" : ""}`;
}

function samePrefix(a: Uint8Array, b: Uint8Array, length: number): boolean {
  const whole = length >> 3;
  for (let index = 0; index < whole; index++) if (a[index] !== b[index]) return false;
  return (((a[whole] ?? 0) ^ (b[whole] ?? 0)) & (0xff00 >> (length & 7)) & 0xff) === 0;
}
