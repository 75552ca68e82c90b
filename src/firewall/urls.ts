/** For code that fetches what users name: refuses URLs that lead, or could be made to lead, to a metadata service. */
import { fact, ImdsRefusedError, invalidArgument } from "../base/errors.js";
import type { MentionedService } from "../base/metadata-mention.js";
import { findMention, judgeText, METADATA_NAMES, TOO_DEEP, withoutPercent } from "../base/metadata-mention.js";
import { printable } from "../base/text.js";
import { serviceOf } from "./classify.js";

/**
 * Looks up every address of a host name, as `dns.promises.resolve4` or `(await dns.promises.lookup(name, { all: true
 * })).map(...)` do.
 */
export type Resolve = (hostname: string) => Promise<readonly string[]> | readonly string[];

/** Options of {@link assertNotMetadataUrl}. */
export interface MetadataUrlOptions {
  /** Looks up the host where it is a name; every address it gives is checked. */
  readonly resolve?: Resolve | undefined;
}

/** The longest URL that is looked at; a longer one is refused. */
export const MAX_URL = 16_384;

/** The longest text that is looked at as a host. */
const MAX_HOST = 512;

/** The most addresses of one name that are looked at; a name with more is refused. */
const MAX_ANSWERS = 256;

/** All that the firewall refuses, too. */
const SERVICES: readonly MentionedService[] = ["imds", "dns", "ntp", "ecs", "eks", "reserved", "openstack"];

/**
 * Whether an address is one of a link-local metadata service: IMDS, and Amazon's DNS, time and container services, in
 * every spelling: any IPv6 form that carries the IPv4 address, brackets, a zone identifier, and the decimal, octal,
 * hexadecimal and short forms that URL parsers and resolvers understand; a port may stand behind it. `false` for what
 * is no address.
 *
 * @example
 * ```ts
 * import { isMetadataAddress } from "imds-guard/firewall";
 * console.log(isMetadataAddress("2852039166"), isMetadataAddress("::ffff:a9fe:a9fe")); // true true
 * console.log(isMetadataAddress("192.0.2.1")); // false
 * ```
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for what is no string
 */
export function isMetadataAddress(ip: string): boolean {
  if (typeof ip !== "string") throw invalidArgument("ip", ip, "an address as a string");
  return namesMetadata(ip) !== undefined;
}

/**
 * Throws unless `url` can be fetched without reaching a link-local metadata service. Looks at the host in every form
 * that the WHATWG parser or a resolver takes for an address, at user info, at names of metadata services, and at
 * addresses and URLs within path, query and fragment: behind up to five layers of percent-encoding, with `-` or `_` in
 * place of the `%` too, and of JSON's escapes, and within base64 (either alphabet) or hexadecimal, twice. A server that
 * unwraps such a part would go there. What else a server may unwrap (compression, encryption, a code of its own) cannot be
 * seen in a URL: put the firewall on that server.
 *
 * Without `resolve`, names are not looked up. With it, fetch from one of the addresses that are returned and not by
 * name: a second lookup may give another answer.
 *
 * @returns the URL as parsed; with `resolve`, a promise of the addresses that were checked
 * @throws ImdsRefusedError `ERR_IMDS_URL_REFUSED`, with what was found where as evidence
 * @example
 * ```ts
 * import { assertNotMetadataUrl } from "imds-guard/firewall";
 * assertNotMetadataUrl("https://images.example/cat.png");
 * ```
 */
export function assertNotMetadataUrl(url: string | URL): URL;
export function assertNotMetadataUrl(
  url: string | URL,
  options: { readonly resolve: Resolve },
): Promise<readonly string[]>;
export function assertNotMetadataUrl(
  url: string | URL,
  options: MetadataUrlOptions = {},
): URL | Promise<readonly string[]> {
  const { resolve } = options;
  if (resolve === undefined) return checkText(url);
  return (async () => checkAnswers(checkText(url), resolve))();
}

function checkText(url: string | URL): URL {
  const text = typeof url === "string" ? url : String(url);
  if (text.length > MAX_URL) throw refused(text, "length", `it is longer than ${MAX_URL} characters`);
  const parsed = parse(text);
  if (parsed === undefined) throw refused(text, "syntax", "it is not an absolute URL");
  const host = namesMetadata(parsed.hostname);
  if (host !== undefined) throw refused(text, "host", host);
  for (const part of [parsed.username, parsed.password]) {
    // What is longer is read with the rest of the text.
    if (part === "" || part.length > MAX_HOST) continue;
    const found = namesMetadata(withoutPercent(part)) ?? embedded(part);
    if (found !== undefined) throw refused(text, "user info", found);
  }
  const found = embedded(text);
  if (found !== undefined) throw refused(text, "text", found);
  return parsed;
}

async function checkAnswers(url: URL, resolve: Resolve): Promise<readonly string[]> {
  const host = bare(url.hostname);
  if (isLiteral(host)) return [host];
  const answers: unknown = await resolve(host);
  if (!Array.isArray(answers) || answers.length === 0) throw refused(url.href, "DNS", "its host name has no address");
  if (answers.length > MAX_ANSWERS)
    throw refused(url.href, "DNS", `its host name has more than ${MAX_ANSWERS} addresses`);
  for (const answer of answers as readonly unknown[]) {
    const found = typeof answer === "string" ? namesMetadata(answer) : "an answer that is no address";
    if (found !== undefined) throw refused(url.href, "DNS", `its host name leads to ${found}`);
  }
  return answers as readonly string[];
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function isLiteral(host: string): boolean {
  return host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

/** Without brackets and without the dots of a fully qualified name. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/s, "$1").replace(/\.+$/, "");
}

/** What metadata service a host is, in words; undefined where it is none. */
function namesMetadata(written: string): string | undefined {
  const host = bare(written.trim()).toLowerCase();
  if (host === "" || host.length > MAX_HOST) return undefined;
  if (METADATA_NAMES.includes(host)) return `the metadata name ${host}`;
  const literal = serviceOf(host) === undefined ? canonical(host) : host;
  const service = literal === undefined ? undefined : serviceOf(literal);
  if (service !== undefined && literal !== undefined)
    return literal === host ? inWords(literal, literal) : inWords(written, literal);
  return carriedByName(host);
}

/** The host as the WHATWG parser reads it in `http:`; other schemes leave numbers and full-width digits as they are. */
function canonical(host: string): string | undefined {
  const url = parse(`http://${host}/`);
  return url === undefined ? undefined : bare(url.hostname);
}

/**
 * Wildcard DNS services answer with the address that is written in the name: `169.254.169.254.nip.io`,
 * `a9fea9fe.nip.io`.
 */
function carriedByName(host: string): string | undefined {
  const found = findMention(host, { paths: false, services: SERVICES });
  return found?.address === undefined ? undefined : `a name that carries ${found.address}`;
}

/** An address or URL of a metadata service anywhere in a text, encoded or not. */
function embedded(text: string): string | undefined {
  const found = judgeText(text, { paths: false, services: SERVICES, names: "hosts", encoded: true });
  if (found === undefined) return undefined;
  if (found === TOO_DEEP) return "more layers of percent-encoding than anybody needs";
  const { address, written, service } = found;
  return address === undefined ? `the metadata name ${written}` : inWords(written, address, service);
}

function inWords(written: string, address: string, service = serviceOf(address)): string {
  const named = `${address} (${service})`;
  return address === written ? named : `${printable(written)}, which is ${named}`;
}

function refused(url: string, where: string, what: string): ImdsRefusedError {
  return new ImdsRefusedError("ERR_IMDS_URL_REFUSED", `The URL was refused: ${what}`, {
    evidence: [fact(where, what, printable(url, 120))],
    advice:
      "Do not fetch it. If users may name URLs, this one is an attempt to read instance metadata: log who sent it.",
  });
}
