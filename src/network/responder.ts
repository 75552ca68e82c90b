/** Who stands behind an address, as far as this host's own tables tell: nothing is sent to find out. */
import { createSocket } from "node:dgram";
import { endianness, networkInterfaces } from "node:os";
import type { Responder } from "../events/catalogue.js";
import type { System } from "../base/system.js";
import { isLoopback, parseIp, sameAddress } from "../base/addresses.js";
import { markOwn } from "../base/own-sockets.js";
import { describeIpv6Route, ipv6RouteFor, parseIpv6Routes } from "./ipv6-routes.js";
import { describeRoute, parseArp, parseRoutes, routeFor } from "./routes.js";

/** Far above the tables of a host; a router with a full table is told apart by its size and left undescribed. */
const TABLE_LIMIT = 1024 * 1024;

/** Connecting a datagram socket asks the kernel alone, which answers at once. */
const SOURCE_ADDRESS_TIMEOUT_MS = 100;

/**
 * Tells the route, interface, next hop and MAC by which packets to `address` (a literal) leave this host, and the local
 * address they carry. Sends nothing and never rejects; what is not known is absent. The route, gateway and MAC come
 * from the tables of Linux: they are left out when a policy rule evidently leads elsewhere and on other platforms, and
 * the MAC for IPv6, whose neighbours are in no file.
 */
export async function describeResponder(address: string, system: System): Promise<Responder> {
  const ip = parseIp(address);
  if (ip === undefined) return {};
  const localAddress = await sourceAddressFor(address, ip.family);
  const local = localInterface(address, localAddress);
  if (local !== undefined) {
    return definedOnly({ interface: local, route: `local address of this host on ${local}`, localAddress });
  }
  const source = localAddress === undefined ? [] : interfacesOf(localAddress);
  const hop =
    system.platform === "linux" ? (ip.family === 4 ? ipv4Hop(address, system) : ipv6Hop(address, system)) : undefined;
  if (hop === undefined || leadsElsewhere(hop, source)) {
    return definedOnly({ interface: source[0]?.name, localAddress });
  }
  return definedOnly({ ...hop, localAddress });
}

type NextHop = Pick<Responder, "mac" | "interface" | "gateway" | "route">;

interface LocalInterface {
  readonly name: string;
  readonly internal: boolean;
}

function interfacesOf(address: string): LocalInterface[] {
  const found: LocalInterface[] = [];
  for (const [name, entries] of Object.entries(networkInterfaces())) {
    const entry = entries?.find((candidate) => sameAddress(candidate.address, address));
    if (entry !== undefined) found.push({ name, internal: entry.internal });
  }
  return found;
}

/** The interface that carries `address` when the address is this host's own. */
function localInterface(address: string, localAddress: string | undefined): string | undefined {
  const [own] = interfacesOf(address);
  if (own !== undefined) return own.name;
  // A local route without an address (127.0.0.2, any address routed to `lo`) shows only in the source the kernel picks.
  const toItself = localAddress !== undefined && sameAddress(localAddress, address);
  return toItself || isLoopback(address) ? (interfacesOf("127.0.0.1")[0] ?? interfacesOf("::1")[0])?.name : undefined;
}

/** A source address on another outward interface means that a rule outside the main table decided. */
function leadsElsewhere(hop: NextHop, source: readonly LocalInterface[]): boolean {
  if (source.length === 0) return false;
  return source.every(({ name, internal }) => !internal && name !== hop.interface);
}

function ipv4Hop(address: string, system: System): NextHop | undefined {
  const text = readTable("/proc/net/route", system);
  const route = text === undefined ? undefined : routeFor(address, parseRoutes(text, endianness()));
  if (route === undefined) return undefined;
  const mac = route.interface === undefined ? undefined : macOf(route.gateway ?? address, route.interface, system);
  return { mac, interface: route.interface, gateway: route.gateway, route: describeRoute(route) };
}

function ipv6Hop(address: string, system: System): NextHop | undefined {
  const text = readTable("/proc/net/ipv6_route", system);
  const route = text === undefined ? undefined : ipv6RouteFor(address, parseIpv6Routes(text));
  if (route === undefined) return undefined;
  return {
    interface: route.rejects ? undefined : route.interface,
    gateway: route.gateway,
    route: describeIpv6Route(route),
  };
}

function macOf(nextHop: string, device: string, system: System): string | undefined {
  const text = readTable("/proc/net/arp", system);
  if (text === undefined) return undefined;
  return parseArp(text).find((entry) => entry.interface === device && sameAddress(entry.address, nextHop))?.mac;
}

function readTable(path: string, system: System): string | undefined {
  const read = system.readFile(path, TABLE_LIMIT);
  return read.kind === "content" ? read.bytes.toString("latin1") : undefined;
}

/** The address this host would send from: a connected datagram socket has one, and has sent nothing. */
function sourceAddressFor(address: string, family: 4 | 6): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = markOwn(createSocket(family === 4 ? "udp4" : "udp6").unref());
    let settled = false;
    const finish = (found: string | undefined): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.close();
      resolve(found);
    };
    const timer = setTimeout(finish, SOURCE_ADDRESS_TIMEOUT_MS, undefined).unref();
    // No route, or a firewall in this process that refuses the address: both leave the source unknown.
    socket.on("error", () => finish(undefined));
    const connected = (error?: Error): void => finish(error || settled ? undefined : socket.address().address);
    socket.connect(80, address, connected);
  });
}

function definedOnly(responder: Responder): Responder {
  return Object.fromEntries(Object.entries(responder).filter(([, value]) => value !== undefined));
}
