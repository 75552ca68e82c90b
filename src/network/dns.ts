/**
 * One bounded resolution of one host name, by questions of our own: nothing is cached, and no other module has a say.
 */
import { createSocket } from "node:dgram";
import { getServers } from "node:dns";
import { randomInt } from "node:crypto";
import { Socket } from "node:net";
import { fact, ImdsUnavailableError, invalidArgument } from "../base/errors.js";
import { printable } from "../base/text.js";
import type { Evidence } from "../base/errors.js";
import { parseIp } from "../base/addresses.js";
import { membersOf } from "../base/members-of.js";
import { markOwn } from "../base/own-sockets.js";
import { createQuery, MAX_ADDRESSES, readAnswer } from "./dns-message.js";
import type { DnsAnswer, DnsCodec, DnsQuery } from "./dns-message.js";

/** How {@link resolveHost} asks. */
export interface ResolveOptions {
  /** `ip`, `ip:port` or `[ip]:port`, the first 8 asked in this order. Default: those of the operating system. */
  readonly servers?: readonly string[] | undefined;
  /** Milliseconds for the whole resolution, all servers and retries together. */
  readonly timeoutMs: number;
}

/**
 * Resolves a host name to its IPv4 and IPv6 literals, at least 1 and at most 16, IPv4 first. An IP literal is returned
 * as it is, and `localhost` names are loopback, both without a packet. Search domains and the hosts file are not used.
 *
 * @throws {ImdsUnavailableError} `ERR_IMDS_ENDPOINT_UNRESOLVED` if the name is no host name, does not exist (evidence
 *   value `NXDOMAIN`), has no address (`NODATA`), or if no server answered in time; with one piece of evidence per
 * server.
 */
export async function resolveHost(name: string, options: ResolveOptions): Promise<readonly string[]> {
  if (!(options.timeoutMs > 0 && options.timeoutMs <= MAX_TIMEOUT_MS)) {
    throw invalidArgument("timeoutMs", options.timeoutMs, `a number above 0 and up to ${MAX_TIMEOUT_MS}`);
  }
  if (parseIp(name) !== undefined) return [name];
  const host = hostName(name);
  if (host === undefined) throw unresolved(name, "it is not a host name", []);
  if (host === "localhost" || host.endsWith(".localhost")) return ["127.0.0.1", "::1"]; // RFC 6761 6.3
  const deadline = performance.now() + options.timeoutMs;
  const servers = (options.servers ?? getServers()).slice(0, MAX_SERVERS);
  const codec: DnsCodec = membersOf(await import("dns-packet"));
  const evidence: Evidence[] = [];
  for (const [index, text] of servers.entries()) {
    const server = parseServer(text);
    const source = `DNS server ${printable(text)}`;
    if (server === undefined) {
      evidence.push(fact(source, "this is no address of a DNS server"));
      continue;
    }
    const left = deadline - performance.now();
    if (left < 1) {
      evidence.push(fact(source, "this server was not asked: no time was left"));
      continue;
    }
    // A silent server must leave time for those behind it.
    const share = left / (servers.length - index);
    const verdict = combine(await Promise.all(TYPES.map((type) => ask(host, type, server, share, codec))));
    if (verdict.addresses.length > 0) return verdict.addresses;
    evidence.push(fact(source, verdict.says, verdict.value));
    if (verdict.final) throw unresolved(name, verdict.says, evidence);
  }
  throw unresolved(
    name,
    servers.length === 0 ? "no DNS server is configured" : "no DNS server gave an answer",
    evidence,
  );
}

const TYPES = ["A", "AAAA"] as const;
const MAX_SERVERS = 8;
const MAX_TIMEOUT_MS = 600_000;

/** Far above any answer with 64 records; the length prefix of TCP would allow four times as much. */
const MAX_MESSAGE_BYTES = 16 * 1024;

interface DnsServer {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
}

/** What became of one question: an answer, or none with the reason. */
type Outcome =
  Exclude<DnsAnswer, { kind: "unrelated" | "truncated" }> | { readonly kind: "none"; readonly code: string };

/** Letters, digits and hyphens in dotted labels (RFC 1123 2.1); lower case, without trailing dot. */
function hostName(name: string): string | undefined {
  const host = name.replace(/\.$/, "");
  // Tested before the case is folded: the Kelvin sign would turn into a plain k.
  const valid = host.split(".").every((label) => /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label));
  if (host.length > 253 || !valid) return undefined;
  // `127.1` or `0x7f000001`: programs that read numbers as addresses would go elsewhere than DNS says.
  return /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/i.test(host) ? undefined : host.toLowerCase();
}

function parseServer(text: string): DnsServer | undefined {
  const bracketed = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(text);
  const dotted = /^([\d.]+)(?::(\d{1,5}))?$/.exec(text);
  const [, address = text, portText = "53"] = bracketed ?? dotted ?? [];
  // A link-local resolver carries the interface behind a percent sign; the socket needs it, the address does not.
  const zoned = /^(fe[89ab][0-9a-f]:[^%]*)%[\w.-]{1,32}$/i.exec(address);
  const ip = parseIp(zoned?.[1] ?? address);
  const port = Number(portText);
  return ip && port >= 1 && port <= 65_535 ? { address, family: ip.family, port } : undefined;
}

/** Asks over UDP, and over TCP if the answer did not fit; `share` milliseconds for both. */
async function ask(
  name: string,
  type: "A" | "AAAA",
  server: DnsServer,
  share: number,
  codec: DnsCodec,
): Promise<Outcome> {
  const deadline = performance.now() + share;
  const overUdp = await askUdp(createQuery(randomInt(0x10000), type, name, codec), server, share, codec);
  if (overUdp.kind !== "truncated") return overUdp;
  const left = deadline - performance.now();
  return askTcp(createQuery(randomInt(0x10000), type, name, codec), server, left, codec);
}

function askUdp(
  query: DnsQuery,
  server: DnsServer,
  timeoutMs: number,
  codec: DnsCodec,
): Promise<Outcome | { kind: "truncated" }> {
  return new Promise((resolve) => {
    const socket = markOwn(createSocket(server.family === 4 ? "udp4" : "udp6"));
    let settled = false;
    const finish = (outcome: Outcome | { kind: "truncated" }): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      clearTimeout(again);
      socket.close();
      resolve(outcome);
    };
    const fail = (error: NodeJS.ErrnoException): void => finish({ kind: "none", code: error.code ?? "EUNKNOWN" });
    const send = (): void => {
      socket.send(query.packet, (error) => {
        if (error) fail(error);
      });
    };
    const timer = setTimeout(finish, timeoutMs, { kind: "none", code: "ETIMEDOUT" });
    // Datagrams get lost: the same question once more, from the same port.
    let again: NodeJS.Timeout | undefined;
    socket.on("error", fail);
    socket.on("message", (packet) => {
      if (packet.length > MAX_MESSAGE_BYTES) return;
      const answer = readAnswer(packet, query, codec);
      if (answer.kind !== "unrelated") finish(answer);
    });
    // Connected, the socket takes datagrams from this server's address and port only, and hears of a closed port.
    socket.connect(server.port, server.address, (error?: NodeJS.ErrnoException) => {
      if (error) return fail(error);
      if (settled) return;
      send();
      again = setTimeout(send, timeoutMs / 2);
    });
  });
}

function askTcp(query: DnsQuery, server: DnsServer, timeoutMs: number, codec: DnsCodec): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = new Socket();
    const finish = (outcome: Outcome): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(finish, Math.max(0, timeoutMs), { kind: "none", code: "ETIMEDOUT" });
    let received: Buffer = Buffer.alloc(0);
    socket.on("error", (error: NodeJS.ErrnoException) => finish({ kind: "none", code: error.code ?? "EUNKNOWN" }));
    socket.on("close", () => finish({ kind: "malformed", reason: "the connection ended early" }));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const length = received.readUInt16BE(0);
      if (length > MAX_MESSAGE_BYTES) return finish({ kind: "malformed", reason: `${length} bytes announced` });
      if (received.length < 2 + length) return;
      const answer = readAnswer(received.subarray(2, 2 + length), query, codec);
      const refused = answer.kind === "unrelated" || answer.kind === "truncated";
      finish(refused ? { kind: "malformed", reason: `${answer.kind} answer over TCP` } : answer);
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.packet.length);
    markOwn(socket.connect({ host: server.address, port: server.port, autoSelectFamily: false }));
    socket.write(Buffer.concat([length, query.packet]));
  });
}

interface Verdict {
  readonly addresses: readonly string[];
  readonly value: string;
  readonly says: string;
  /** The server knows: asking another one would be shopping for a better answer. */
  readonly final: boolean;
}

function combine(outcomes: readonly Outcome[]): Verdict {
  const addresses = outcomes.flatMap((outcome) => (outcome.kind === "addresses" ? outcome.addresses : []));
  const failures = outcomes.flatMap((outcome) => describeFailure(outcome) ?? []);
  const [failure] = failures;
  const rest = { addresses: addresses.slice(0, MAX_ADDRESSES), final: failure === undefined };
  if (failure !== undefined) return { ...rest, ...failure };
  if (outcomes.some((outcome) => outcome.kind === "no-such-name")) {
    return { ...rest, value: "NXDOMAIN", says: "the name does not exist" };
  }
  return { ...rest, value: "NODATA", says: "the name has no address" };
}

function describeFailure(outcome: Outcome): { value: string; says: string } | undefined {
  if (outcome.kind === "none") return { value: outcome.code, says: "the server gave no answer" };
  if (outcome.kind === "failed") return { value: outcome.rcode, says: "the server could not or would not answer" };
  if (outcome.kind === "malformed")
    return { value: outcome.reason, says: "the server's answer was refused as malformed" };
  return undefined;
}

function unresolved(name: string, why: string, evidence: readonly Evidence[]): ImdsUnavailableError {
  return new ImdsUnavailableError(
    "ERR_IMDS_ENDPOINT_UNRESOLVED",
    `The endpoint host ${printable(name)} was not resolved: ${why}`,
    {
      evidence,
      advice: "Check the host name of the endpoint and the DNS servers, or give the endpoint as an IP address.",
    },
  );
}
