/** Reads an IMDS endpoint as a user writes it; anything that could mean two things is refused. */
import { isLoopback, parseIp } from "../base/addresses.js";
import { printable } from "../base/text.js";

/** A literal address, or a host name that has yet to be resolved and pinned. */
export interface Endpoint {
  readonly host: string;
  readonly kind: "address" | "name";
  readonly port: number;
  /** Whether it can only be this machine: 127.0.0.0/8, ::1, or a name under `localhost` (RFC 6761). */
  readonly loopback: boolean;
}

/** The form of an endpoint, for error messages. */
export const ENDPOINT_FORM = 'http://<IPv4, [IPv6] or host name>[:port], nothing behind it but "/"';

/** Where nobody listens: port 1 is privileged, so no ordinary program of this host can come to listen there either. */
export const NOWHERE = "http://127.0.0.1:1";

/** What is wrong with an endpoint, in words that complete "because ...". */
export interface EndpointProblem {
  readonly problem: string;
}

const HOST_NAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/**
 * Parses an endpoint. The text is taken apart by hand and not by `URL`, because `URL` silently turns `0x7f.1`,
 * `2852039166`, full-width digits and embedded tabs into other addresses than the ones that were written.
 */
export function parseEndpoint(text: string): Endpoint | EndpointProblem {
  if (/[^\x21-\x7e]/.test(text)) return { problem: "it contains white space, control or non-ASCII characters" };
  if (text.length > 300) return { problem: "it is longer than 300 characters" };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  if (!scheme) return { problem: "it has no scheme" };
  if (scheme[1]?.toLowerCase() !== "http") return { problem: `its scheme is ${printable(scheme[1] ?? "")}` };

  const rest = text.slice(scheme[0].length);
  if (rest.includes("@")) return { problem: "it contains user info" };
  if (/[?#\\]/.test(rest)) return { problem: "it contains a query, fragment or backslash" };
  const slash = rest.indexOf("/");
  if (slash !== -1 && slash !== rest.length - 1) return { problem: "it has a path" };
  return parseAuthority(slash === -1 ? rest : rest.slice(0, -1));
}

function parseAuthority(authority: string): Endpoint | EndpointProblem {
  if (authority.includes("%")) return { problem: "it contains a zone id or percent-encoding" };
  const match = /^(\[([^\]]*)\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(authority);
  if (!match) return { problem: "host and port cannot be told apart" };
  const port = match[3] === undefined ? 80 : Number(match[3]);
  if (port < 1 || port > 65535) return { problem: `port ${port} does not exist` };

  if (match[2] !== undefined) {
    const ip = parseIp(match[2]);
    if (ip?.family !== 6) return { problem: "the part in brackets is not an IPv6 address" };
    return { host: match[2].toLowerCase(), kind: "address", port, loopback: isLoopback(match[2]) };
  }
  const host = (match[1] ?? "").toLowerCase();
  const ip = parseIp(host);
  if (ip) return { host, kind: "address", port, loopback: isLoopback(host) };
  // What ends in a number is an address to every URL parser and resolver (WHATWG "ends in a number"), so it is no name.
  if (/(^|\.)(0x[0-9a-f]*|\d+)\.?$/.test(host))
    return { problem: "its host is an address in decimal, octal, hexadecimal or short form" };
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  if (!HOST_NAME.test(name)) return { problem: host === "" ? "it has no host" : "its host name is malformed" };
  return { host: name, kind: "name", port, loopback: name === "localhost" || name.endsWith(".localhost") };
}
