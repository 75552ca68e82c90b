/**
 * By which way packets to the metadata addresses would leave: routes, interface, next hop, and addresses of this host
 * itself.
 */
import { endianness } from "node:os";
import { IMDS_IPV4, IMDS_IPV6, isImdsAddress } from "../../base/addresses.js";
import { shellWord } from "../../base/text.js";
import type { Responder } from "../../events/catalogue.js";
import { ipv6RouteFor, parseIpv6Routes } from "../../network/ipv6-routes.js";
import { parseRoutes, routeFor } from "../../network/routes.js";
import type { Check, Machine } from "./check.js";
import { readText } from "./check.js";

/** What the routing tables say about one address. */
export interface MetadataRoute {
  readonly address: string;
  /** `closed`: this host refuses or drops. `open`: packets leave. `local`: the address is this host's own. */
  readonly kind: "open" | "closed" | "local" | "no-route" | "unknown";
  readonly says: string;
  /** Open by a route for just this network rather than by the default one. */
  readonly special: boolean;
  readonly advertised: boolean;
}

/** An IPv4 route at least this long is meant for link-local services and not for a whole network. */
const SPECIAL_IPV4 = 17;
/** fd00:ec2::/32 is Amazon's; a shorter route, such as one for fc00::/7, is a site's own. */
const SPECIAL_IPV6 = 32;

/** Finds the way to both addresses from the tables of Linux. `local` names those of this host itself. */
export function findRoutes({ system }: Machine, local: ReadonlyMap<string, string>): MetadataRoute[] {
  return [IMDS_IPV4, IMDS_IPV6].map((address) => {
    const device = [...local].find(([own]) => isImdsAddress(own) && own.includes(":") === address.includes(":"))?.[1];
    const plain = { address, special: false, advertised: false };
    if (device !== undefined) return { ...plain, kind: "local", says: `an address of this host itself, on ${device}` };
    if (system.platform !== "linux")
      return { ...plain, kind: "unknown", says: `routes are not read on ${system.platform}` };
    return address === IMDS_IPV4 ? { ...plain, ...ipv4Route(system) } : { ...plain, ...ipv6Route(system) };
  });
}

function ipv4Route(system: Machine["system"]): Omit<MetadataRoute, "address" | "advertised"> {
  const table = readText(system, "/proc/net/route", 1024 * 1024);
  if (table.kind !== "text") return { kind: "unknown", says: "/proc/net/route cannot be read", special: false };
  const route = routeFor(IMDS_IPV4, parseRoutes(table.text, endianness()));
  if (route === undefined) return { kind: "no-route", says: "no route leads there", special: false };
  const network =
    route.prefixLength === 0 ? "the default route" : `a route for ${route.destination}/${route.prefixLength}`;
  if (route.effect !== "forward")
    return {
      kind: "closed",
      says: `${network} ${route.effect === "reject" ? "refuses" : "drops"} packets on this host`,
      special: false,
    };
  const hop = route.gateway === undefined ? "on the link" : `via ${route.gateway}`;
  return {
    kind: "open",
    says: `packets leave on ${route.interface}, ${hop}, by ${network}`,
    special: route.prefixLength >= SPECIAL_IPV4,
  };
}

function ipv6Route(system: Machine["system"]): Omit<MetadataRoute, "address"> {
  const closed = { special: false, advertised: false };
  const table = readText(system, "/proc/net/ipv6_route", 1024 * 1024);
  if (table.kind === "absent") return { ...closed, kind: "no-route", says: "this host has no IPv6" };
  if (table.kind !== "text") return { ...closed, kind: "unknown", says: "/proc/net/ipv6_route cannot be read" };
  const route = ipv6RouteFor(IMDS_IPV6, parseIpv6Routes(table.text));
  if (route === undefined) return { ...closed, kind: "no-route", says: "no route leads there" };
  const network =
    route.prefixLength === 0 ? "the default route" : `a route for ${route.destination}/${route.prefixLength}`;
  if (route.rejects) return { ...closed, kind: "closed", says: `${network} refuses packets on this host` };
  const hop = route.gateway === undefined ? "on the link" : `via ${route.gateway}`;
  const advertised = route.advertised && route.prefixLength >= SPECIAL_IPV6;
  return {
    kind: "open",
    says: `packets leave on ${route.interface}, ${hop}, by ${network}${advertised ? ", learned from a router advertisement" : ""}`,
    special: route.prefixLength >= SPECIAL_IPV6,
    advertised,
  };
}

/** Judges the routes. `responders` are those found by asking, with MAC and gateway. */
export function judgeRoutes(
  routes: readonly MetadataRoute[],
  { host, otherCloud }: Machine,
  responders: ReadonlyMap<string, Responder> = new Map(),
): Check[] {
  return routes.map((route) => {
    const line = { section: "network", id: "route", subject: `way to ${route.address}` } as const;
    const mac = responders.get(route.address)?.mac;
    const says = mac === undefined ? route.says : `${route.says}; next hop has MAC ${mac}`;
    if (route.kind === "unknown") return { ...line, status: "unknown", says };
    if (host.verdict === "ec2") return { ...line, status: "ok", says };
    if (route.kind === "local") {
      return {
        ...line,
        status: "finding",
        says: `${says}: a program here stands in for EC2`,
        advice: [
          "a tool such as aws-vault --server or kube2iam does so; anything else should not",
          `$ ip address show | grep -B3 -F ${shellWord(route.address)}`,
        ],
      };
    }
    if (route.special && (otherCloud === undefined || route.advertised)) {
      const remove = route.address === IMDS_IPV4 ? "$ ip route get 169.254.169.254" : "$ ip -6 route get fd00:ec2::254";
      return {
        ...line,
        status: "finding",
        says: `${says}: somebody leads this host there`,
        advice: ["find where the route comes from (DHCP, router advertisement, configuration) and remove it", remove],
        ...(route.advertised && { fixes: [ignoreRouteInformation] }),
      };
    }
    return { ...line, status: "ok", says };
  });
}

const ignoreRouteInformation = {
  title: "Take no more-specific routes from router advertisements",
  file: "/etc/sysctl.d/60-no-ra-routes.conf",
  text: "net.ipv6.conf.all.accept_ra_rt_info_max_plen=0\nnet.ipv6.conf.default.accept_ra_rt_info_max_plen=0",
};
