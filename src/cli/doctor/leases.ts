/** Routes that a DHCP server pushed: what the lease files of four clients say about the metadata addresses. */
import { isIP } from "node:net";
import type { Check, DoctorSystem, Machine } from "./check.js";
import { readText } from "./check.js";

/** One route out of a lease. */
export interface PushedRoute {
  /** `169.254.169.254/32` */
  readonly network: string;
  readonly prefixLength: number;
  readonly gateway: string;
}

/** The addresses of Amazon's link-local services that matter: IMDS and DNS. */
const METADATA_OCTETS = [254, 253];

/** Whether a route leads to a watched address and to little else: a default route is everybody's. */
export function isTelling({ network, prefixLength }: PushedRoute): boolean {
  if (prefixLength < 8) return false;
  const bits = quadToBits(network.split("/")[0] ?? "");
  const mask = -1 << (32 - prefixLength);
  return (
    bits !== undefined &&
    METADATA_OCTETS.some(
      (last) => ((((169 << 24) | (254 << 16) | (169 << 8) | last) & mask) | 0) === ((bits & mask) | 0),
    )
  );
}

function quadToBits(quad: string): number | undefined {
  return isIP(quad) === 4 ? quad.split(".").reduce((bits, part) => (bits << 8) | Number(part), 0) : undefined;
}

/**
 * Option 121 of RFC 3442: width, as many octets of the network as it needs, router; again and again. Broken tails are
 * left out.
 */
export function readClasslessRoutes(octets: ArrayLike<number>): PushedRoute[] {
  const routes: PushedRoute[] = [];
  let at = 0;
  while (at < octets.length) {
    const width = octets[at++] as number;
    const significant = Math.ceil(width / 8);
    if (!(width >= 0 && width <= 32) || at + significant + 4 > octets.length) break;
    const take = (count: number): number[] => Array.from({ length: count }, () => octets[at++] as number);
    const network = [...take(significant), 0, 0, 0, 0].slice(0, 4);
    const gateway = take(4);
    if (![...network, ...gateway].every((octet) => Number.isInteger(octet) && octet >= 0 && octet <= 255)) break;
    routes.push({ network: `${network.join(".")}/${width}`, prefixLength: width, gateway: gateway.join(".") });
  }
  return routes;
}

/**
 * ISC dhclient: `option rfc3442-classless-static-routes 32,169,254,169,254,192,0,2,1;` under whatever name it was
 * defined, and option 33.
 */
export function readDhclientLease(text: string): PushedRoute[] {
  const routes: PushedRoute[] = [];
  for (const [, name = "", value = ""] of text.matchAll(/^\s*option\s+([\w.-]+)\s+([^;]{1,4096});/gm)) {
    if (/classless|^(dhcp\.)?unknown-(121|249)$/.test(name)) routes.push(...readClasslessRoutes(octetsOf(value)));
    else if (/^(dhcp\.)?static-routes$/.test(name)) {
      for (const [, destination = "", gateway = ""] of value.matchAll(/([\d.]+)[\s]+([\d.]+)(?:,|$)/g)) {
        if (isIP(destination) === 4 && isIP(gateway) === 4)
          routes.push({ network: `${destination}/32`, prefixLength: 32, gateway });
      }
    }
  }
  return routes;
}

function octetsOf(value: string): number[] {
  const hex = /^[0-9a-f]{1,2}(:[0-9a-f]{1,2})+$/i.test(value.trim());
  return value
    .split(/[,:\s]+/)
    .filter((part) => part !== "")
    .map((part) => (hex ? Number.parseInt(part, 16) : Number(part)));
}

/**
 * systemd-networkd, and NetworkManager's built-in client, which took over its format:
 * `CLASSLESS_ROUTES=169.254.169.254/32,192.0.2.1 ...`.
 */
export function readNetworkdLease(text: string): PushedRoute[] {
  const routes: PushedRoute[] = [];
  for (const [, value = ""] of text.matchAll(/^(?:CLASSLESS_|STATIC_)?ROUTES=(.{1,16384})$/gm)) {
    for (const entry of value.split(/\s+/)) {
      const [, destination = "", width = "", gateway = ""] = /^([\d.]+)\/(\d{1,2}),([\d.]+)$/.exec(entry) ?? [];
      if (isIP(destination) === 4 && isIP(gateway) === 4 && Number(width) <= 32) {
        routes.push({ network: `${destination}/${width}`, prefixLength: Number(width), gateway });
      }
    }
  }
  return routes;
}

const COOKIE = Buffer.from([99, 130, 83, 99]);
const OPTIONS_AT = 240;

/** dhcpcd keeps the server's message as it came: RFC 2131 header, then options. */
export function readDhcpMessage(message: Buffer): PushedRoute[] {
  if (message.length < OPTIONS_AT || !message.subarray(236, OPTIONS_AT).equals(COOKIE)) return [];
  // RFC 3396: an option that is there more than once is one option in pieces.
  const pieces = new Map<number, Buffer[]>();
  for (let at = OPTIONS_AT; at < message.length;) {
    const option = message[at++] as number;
    if (option === 0) continue;
    const length = message[at++];
    if (option === 255 || length === undefined || at + length > message.length) break;
    pieces.set(option, [...(pieces.get(option) ?? []), message.subarray(at, at + length)]);
    at += length;
  }
  const whole = (option: number): Buffer => Buffer.concat(pieces.get(option) ?? []);
  const hosts = whole(33);
  const classful = Array.from({ length: Math.floor(hosts.length / 8) }, (_, index) => ({
    network: `${[...hosts.subarray(index * 8, index * 8 + 4)].join(".")}/32`,
    prefixLength: 32,
    gateway: [...hosts.subarray(index * 8 + 4, index * 8 + 8)].join("."),
  }));
  return [...readClasslessRoutes(whole(121)), ...readClasslessRoutes(whole(249)), ...classful];
}

interface LeaseFolder {
  readonly directory: string;
  readonly file: RegExp;
  readonly read: (bytes: Buffer) => PushedRoute[];
}

const asText = (read: (text: string) => PushedRoute[]) => (bytes: Buffer) => read(bytes.toString("latin1"));

const LEASE_FOLDERS: readonly LeaseFolder[] = [
  ...["/var/lib/dhcp", "/var/lib/dhclient"].map((directory) => ({
    directory,
    file: /\.leases?$/,
    read: asText(readDhclientLease),
  })),
  // NetworkManager drives dhclient or a client of its own, by the file's name.
  { directory: "/var/lib/NetworkManager", file: /^dhclient.*\.lease$/, read: asText(readDhclientLease) },
  { directory: "/var/lib/NetworkManager", file: /^internal.*\.lease$/, read: asText(readNetworkdLease) },
  { directory: "/run/systemd/netif/leases", file: /^\d+$/, read: asText(readNetworkdLease) },
  ...["/var/lib/dhcpcd", "/var/lib/dhcpcd5"].map((directory) => ({
    directory,
    file: /\.lease$/,
    read: readDhcpMessage,
  })),
];

const LEASE_LIMIT = 1024 * 1024;

/** Looks through the lease files that this user may read. */
export function checkLeases({ system, host, otherCloud }: Machine): Check[] {
  if (system.platform !== "linux") return [];
  const { pushed, unreadable, files } = gatherPushed(system);
  const checks: Check[] = pushed.map(({ path, route }) => {
    const what = `a DHCP server pushed a route to ${route.network} via ${route.gateway}`;
    const expected = host.verdict === "ec2" || otherCloud !== undefined;
    return {
      section: "network",
      id: "dhcp-route",
      status: expected ? "ok" : "finding",
      subject: path,
      says:
        host.verdict === "ec2"
          ? what
          : otherCloud === undefined
            ? `${what}: whoever runs it invites this host to ask there`
            : `${what}, as ${otherCloud} does`,
      ...(!expected && {
        advice: [
          "find out who runs that DHCP server; let the client ignore option 121, or block the address here (--fix-plan)",
        ],
        fixes: [ignoreOption121],
      }),
    };
  });
  if (unreadable.length > 0) {
    checks.push({
      section: "network",
      id: "dhcp-leases",
      status: "unknown",
      subject: "DHCP leases",
      says: `cannot be read without root: ${unreadable.join(", ")}`,
    });
  } else if (pushed.length === 0) {
    const says =
      files === 0
        ? "no lease file is kept here"
        : `${files} lease file${files === 1 ? "" : "s"}, no route to the metadata addresses pushed`;
    checks.push({ section: "network", id: "dhcp-leases", status: "ok", subject: "DHCP leases", says });
  }
  return checks;
}

const ignoreOption121 = {
  title: "Take no routes from DHCP (systemd-networkd; drop-in for the interface's .network file)",
  file: "/etc/systemd/network/<interface>.network.d/no-dhcp-routes.conf",
  text: "[DHCPv4]\nUseRoutes=no\nUseGateway=yes",
};

function gatherPushed(system: DoctorSystem): {
  pushed: { path: string; route: PushedRoute }[];
  unreadable: string[];
  files: number;
} {
  const pushed: { path: string; route: PushedRoute }[] = [];
  const unreadable: string[] = [];
  let files = 0;
  for (const { directory, file, read } of LEASE_FOLDERS) {
    const listing = system.listDirectory(directory);
    if (listing.kind === "unreadable") unreadable.push(directory);
    if (listing.kind !== "names") continue;
    for (const name of listing.names.filter((candidate) => file.test(candidate))) {
      const path = `${directory}/${name}`;
      const content = system.readFile(path, LEASE_LIMIT);
      if (content.kind === "absent") continue;
      if (content.kind !== "content") {
        unreadable.push(path);
        continue;
      }
      files += 1;
      const seen = new Set<string>();
      for (const route of read(content.bytes).filter(isTelling)) {
        const key = `${route.network} ${route.gateway}`;
        if (!seen.has(key)) pushed.push({ path, route });
        seen.add(key);
      }
    }
  }
  return { pushed, unreadable: [...new Set(unreadable)], files };
}

/** The search domains of /etc/resolv.conf, at most six, as resolvers use them. */
export function searchDomains(system: DoctorSystem): string[] {
  const read = readText(system, "/etc/resolv.conf");
  if (read.kind !== "text") return [];
  const lines = [...read.text.matchAll(/^\s*(?:search|domain)\s+(.{1,1024})$/gm)];
  return (lines.at(-1)?.[1] ?? "")
    .trim()
    .split(/\s+/)
    .filter((name) => /^[\w.-]{1,253}$/.test(name))
    .slice(0, 6);
}
