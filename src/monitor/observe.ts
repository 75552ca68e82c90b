/** One look around: who answers at the metadata addresses, by which way, and who on this host or in DNS leads there. */
import { TOKEN_PATH } from "../aws/imds-protocol.js";
import { endianness, networkInterfaces } from "node:os";
import { IMDS_IPV4, IMDS_IPV6, isImdsAddress, sameAddress } from "../base/addresses.js";
import { ImdsUnavailableError } from "../base/errors.js";
import { printable } from "../base/text.js";
import type { EventEndpoint, Responder } from "../events/catalogue.js";
import type { Verdict } from "../host/report.js";
import { resolveHost } from "../network/dns.js";
import type { ProbeResult } from "../network/probe.js";
import { probeImds } from "../network/probe.js";
import { describeIpv6Route, ipv6RouteFor, parseIpv6Routes } from "../network/ipv6-routes.js";
import { describeResponder } from "../network/responder.js";
import { describeRoute, parseArp, parseRoutes, routeFor } from "../network/routes.js";
import type { System } from "../base/system.js";
import { connectionsToImds } from "./connections.js";
import type { Observation, Sighting } from "./change-tracker.js";

/** What an observer looks at. */
export interface ObserverOptions {
  readonly system: System;
  readonly verdict: Verdict;
  /** Where IMDS would answer. */
  readonly targets: readonly EventEndpoint[];
  /** Whether the targets are asked; otherwise only this host's own tables are read. */
  readonly probe: boolean;
  /** Milliseconds for each answer. */
  readonly probeTimeoutMs: number;
  /** Names to resolve; none to leave DNS alone. */
  readonly names: readonly string[];
  /** DNS is asked in the first look and then in each of this many. */
  readonly namesEvery: number;
  /** Servers to ask instead of the system's. */
  readonly dnsServers?: readonly string[] | undefined;
}

/** Tables of a busy server; a larger one is not read, and nothing is said about connections then. */
const MAX_TABLE = 16 * 1024 * 1024;
const DNS_TIMEOUT_MS = 2_000;
/** One lost answer out of three in a row is no departure. */
const RESPONDER_PATIENCE = 3;
/** The table forgets neighbours that nobody talks to, and that is no departure either. */
const NEIGHBOUR_PATIENCE = 60;
/** A program that asks once a minute stays one finding. */
const CONNECTION_PATIENCE = 20;
/** Local ports that are remembered; connections wait out their end for a minute. */
const MAX_PORTS = 4_096;

const TRACE =
  "Trace the address by MAC, interface and route; block 169.254.169.254 and fd00:ec2::254 on this network; look for AWS SDK programs on it that do not use this guard.";

/**
 * Makes a function that looks once. It sends at most one token request to each target and one question for each name.
 */
export function createObserver(options: ObserverOptions): () => Promise<Observation> {
  const { system, verdict, targets, namesEvery } = options;
  const elsewhere = verdict !== "ec2";
  const ownPorts = new Set<number>();
  /** Local port -> user, of connections seen alive: once they wait out their end, the system no longer tells. */
  const users = new Map<number, number>();
  let looks = 0;

  async function responders(untold: string[]): Promise<Sighting[]> {
    if (!options.probe) return [];
    const found = await Promise.all(
      targets.map(async (target) => {
        const result = await probeImds(target, {
          timeoutMs: options.probeTimeoutMs,
          onConnected: (port) => remember(ownPorts, port),
        });
        // A host out of ports or memory says nothing about who is out there.
        if (result.kind === "refused" && LOCAL_TROUBLE.includes(result.code))
          untold.push(`imds ${target.address}`, `other ${target.address}`);
        if (result.kind === "refused" || result.kind === "silent") return undefined;
        return responderSighting(target, result, verdict, await describeResponder(target.address, system));
      }),
    );
    return found.filter((sighting) => sighting !== undefined);
  }

  async function routes(): Promise<Sighting[]> {
    return Promise.all(
      targets.map(async (target) => {
        const { route, interface: device } = await describeResponder(target.address, system);
        const way = route ?? (device === undefined ? "none" : `by ${device}`);
        return {
          key: `way ${target.address}`,
          traits: { way },
          changed: "monitor.route_changed" as const,
          details: { message: `The way to ${target.address}`, endpoint: target },
        };
      }),
    );
  }

  function tables(untold: string[]): Sighting[] {
    if (system.platform !== "linux") return [];
    const sightings = elsewhere
      ? [hostRoute(IMDS_IPV4, ipv4HostRoute), hostRoute(IMDS_IPV6, ipv6HostRoute)].filter(
          (sighting) => sighting !== undefined,
        )
      : [];
    const connections = ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => read(system, path));
    if (connections.includes(undefined)) untold.push("connection ");
    if (elsewhere) sightings.push(...connections.flatMap((text) => connectionSightings(text ?? "", ownPorts, users)));
    return sightings;
  }

  function hostRoute(address: string, find: (table: string) => string | undefined): Sighting | undefined {
    const source = address === IMDS_IPV4 ? "/proc/net/route" : "/proc/net/ipv6_route";
    const route = find(read(system, source) ?? "");
    return route === undefined
      ? undefined
      : {
          key: `host-route ${address}`,
          traits: { route },
          appeared: "monitor.host_route",
          changed: "monitor.host_route",
          details: {
            message: `This host is not known as EC2, and a route of its own leads to ${address}: ${route}`,
            endpoint: { address, port: 80 },
            evidence: [{ source, value: route, says: "leads to whoever is at its end" }],
            advice:
              "Find out who set it: a DHCP server (option 121), a router advertisement, a container network, an administrator. Remove it if nobody needs it.",
          },
        };
  }

  function neighbours(answering: readonly Sighting[]): Sighting[] {
    if (!elsewhere || system.platform !== "linux") return [];
    const entry = parseArp(read(system, "/proc/net/arp") ?? "").find(({ address }) => sameAddress(address, IMDS_IPV4));
    if (entry === undefined) return [];
    // Whoever answers has been named with this MAC already.
    const named = answering.some(({ key }) => key.endsWith(` ${IMDS_IPV4}`));
    return [
      {
        key: "neighbour",
        traits: { mac: entry.mac },
        appeared: named ? undefined : "monitor.neighbour_appeared",
        changed: named ? undefined : "monitor.neighbour_appeared",
        patience: NEIGHBOUR_PATIENCE,
        details: {
          message: `${entry.mac} on ${entry.interface} says that it has ${IMDS_IPV4}, but does not answer as IMDS`,
          endpoint: { address: IMDS_IPV4, port: 80 },
          responder: { mac: entry.mac, interface: entry.interface },
          evidence: [{ source: "/proc/net/arp", value: entry.mac, says: "has the address on this link" }],
          advice: TRACE,
        },
      },
    ];
  }

  async function names(untold: string[]): Promise<Sighting[]> {
    if (looks % namesEvery !== 0) {
      untold.push("name ");
      return [];
    }
    const answers = await Promise.all(
      options.names.map(async (name) => ({ name, addresses: await resolve(name, options.dnsServers, untold) })),
    );
    return answers.flatMap(({ name, addresses }) => {
      const imds = addresses.filter(isImdsAddress);
      if (imds.length === 0) return [];
      return [
        {
          key: `name ${name}`,
          traits: { addresses: imds.toSorted().join(" ") },
          appeared: "monitor.dns_answer" as const,
          changed: "monitor.dns_answer" as const,
          details: {
            message: `DNS answers ${name} with ${imds.join(", ")}, but this host is not known as EC2`,
            evidence: [{ source: `DNS ${name}`, value: imds.join(", "), says: "an address of the metadata service" }],
            advice:
              "Programs that look for the metadata service by name would be led there. Find out which resolver answers so, and why.",
          },
        },
      ];
    });
  }

  return async () => {
    const untold: string[] = [];
    // Tables first: a probe of this look must not be found in them.
    const local = [...aliases(), ...tables(untold)];
    const [answering, way, named] = await Promise.all([
      responders(untold),
      routes(),
      elsewhere && options.names.length > 0 ? names(untold) : [],
    ]);
    looks += 1;
    return { sightings: [...answering, ...local, ...neighbours(answering), ...way, ...named], untold };
  };
}

function ipv4HostRoute(table: string): string | undefined {
  const route = routeFor(IMDS_IPV4, parseRoutes(table, endianness()));
  // Every host of a network without a router knows 169.254.0.0/16.
  return route?.effect === "forward" && route.prefixLength > 16 ? describeRoute(route) : undefined;
}

function ipv6HostRoute(table: string): string | undefined {
  const route = ipv6RouteFor(IMDS_IPV6, parseIpv6Routes(table));
  // Amazon's own network is fd00:ec2::/32; a shorter route is that of a site which uses such addresses. Loopback: an
  // alias, told elsewhere.
  return route !== undefined && !route.rejects && route.interface !== "lo" && route.prefixLength >= 32
    ? describeIpv6Route(route)
    : undefined;
}

const LOCAL_TROUBLE: readonly string[] = ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EADDRNOTAVAIL", "EAGAIN"];

type Answer = Exclude<ProbeResult, { kind: "refused" | "silent" }>;

function responderSighting(target: EventEndpoint, result: Answer, verdict: Verdict, responder: Responder): Sighting {
  const { address } = target;
  const common = {
    traits: { mac: responder.mac, interface: responder.interface, gateway: responder.gateway },
    gone: "monitor.responder_gone",
    patience: RESPONDER_PATIENCE,
  } as const;
  const elsewhere = verdict !== "ec2";
  const changed = elsewhere ? "monitor.responder_changed" : "monitor.route_changed";
  if (result.kind === "imdsv2") {
    const host = verdict === "not-ec2" ? "this host is not EC2" : "this host could not be identified";
    return {
      ...common,
      key: `imds ${address}`,
      changed,
      appeared: elsewhere
        ? verdict === "not-ec2"
          ? "imds.impersonation_detected"
          : "imds.unverified_responder"
        : undefined,
      details: {
        message: elsewhere
          ? `${address} answers as the EC2 instance metadata service, but ${host}`
          : `${address} answers as IMDS`,
        endpoint: target,
        responder,
        evidence: [
          { source: `PUT ${TOKEN_PATH}`, value: "200", says: "an IMDSv2 token was handed out" },
          ...serverEvidence(result.server),
        ],
        advice: elsewhere ? `Credentials from there would belong to whoever answers. ${TRACE}` : undefined,
      },
    };
  }
  const answer = result.kind === "http" ? `HTTP ${result.status}` : result.detail;
  const cloud = result.kind === "http" ? result.cloud : undefined;
  return {
    ...common,
    key: `other ${address}`,
    changed,
    appeared: "monitor.responder_appeared",
    details: {
      message: `${address} answers the token request, but not as IMDSv2: ${answer}${cloud === undefined ? "" : ` (it looks like the metadata service of ${cloud})`}`,
      endpoint: target,
      responder,
      evidence: [
        { source: `PUT ${TOKEN_PATH}`, value: answer, says: "not an IMDSv2 token" },
        ...serverEvidence(result.kind === "http" ? result.server : undefined),
      ],
      advice:
        "A metadata service of another cloud is expected on its hosts. Anywhere else, SDKs that fall back on IMDSv1 may believe it.",
    },
  };
}

function serverEvidence(server: string | undefined): { source: string; value: string; says: string }[] {
  return server === undefined
    ? []
    : [{ source: "Server header", value: printable(server), says: "trivially copied, proves nothing" }];
}

function aliases(): Sighting[] {
  return Object.entries(networkInterfaces()).flatMap(([device, entries]) =>
    (entries ?? [])
      .filter(({ address }) => isImdsAddress(address))
      .map(({ address }) => ({
        key: `alias ${address} ${device}`,
        traits: {},
        appeared: "monitor.local_address" as const,
        details: {
          message: `${address} is an address of this host itself, on ${device}`,
          endpoint: { address, port: 80 },
          responder: { interface: device },
          evidence: [
            {
              source: "interfaces",
              value: `${device} ${address}`,
              says: "programs of this host that ask IMDS ask this host",
            },
          ],
          advice:
            "Credential helpers (aws-vault --server, kube2iam, ecs-local) do so. If none is meant to run here, find the process that listens on the address.",
        },
      })),
  );
}

function connectionSightings(text: string, ownPorts: ReadonlySet<number>, users: Map<number, number>): Sighting[] {
  const found = new Map<string, Sighting>();
  for (const { remoteAddress, remotePort, localPort, state, uid: stated } of connectionsToImds(text, endianness())) {
    if (state === "listening" || ownPorts.has(localPort)) continue;
    const uid = stated ?? users.get(localPort);
    if (uid !== undefined) keep(users, localPort, uid);
    const user = uid === undefined ? "a user no longer known" : `user ${uid}`;
    const key = `connection ${remoteAddress} ${uid ?? "?"}`;
    found.set(key, {
      key,
      traits: {},
      appeared: "monitor.connection_seen",
      patience: CONNECTION_PATIENCE,
      details: {
        message: `A program of ${user} connects to ${remoteAddress} port ${remotePort}, and this host is not known as EC2`,
        endpoint: { address: remoteAddress, port: remotePort },
        evidence: [
          {
            source: "/proc/net/tcp",
            value: `${state}, local port ${localPort}`,
            says: uid === undefined ? "the system no longer knows whose it was" : `uid ${uid}`,
          },
        ],
        advice:
          "Run the program through imds-guard exec, or set AWS_EC2_METADATA_DISABLED=true for it; imds-guard doctor names agents that do this.",
      },
    });
  }
  return [...found.values()];
}

async function resolve(
  name: string,
  servers: readonly string[] | undefined,
  untold: string[],
): Promise<readonly string[]> {
  try {
    return await resolveHost(name, { timeoutMs: DNS_TIMEOUT_MS, servers });
  } catch (error) {
    if (!(error instanceof ImdsUnavailableError)) throw error;
    const last = error.evidence.at(-1)?.value;
    if (last !== "NXDOMAIN" && last !== "NODATA") untold.push(`name ${name}`);
    return [];
  }
}

function read(system: System, path: string): string | undefined {
  const result = system.readFile(path, MAX_TABLE);
  if (result.kind === "content") return result.bytes.toString("latin1");
  // Without IPv6 there is no table of it, and nothing in it.
  return result.kind === "absent" ? "" : undefined;
}

function remember(ports: Set<number>, port: number): void {
  ports.delete(port);
  ports.add(port);
  if (ports.size > MAX_PORTS) ports.delete(ports.values().next().value as number);
}

function keep(users: Map<number, number>, port: number, uid: number): void {
  users.delete(port);
  users.set(port, uid);
  if (users.size > MAX_PORTS) users.delete(users.keys().next().value as number);
}
