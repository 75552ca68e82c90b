/** For code that fetches what users name: refuses URLs that lead, or could be made to lead, to a metadata service. */
import { ImdsRefusedError, invalidArgument } from "../base/errors.js";
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

/** How often percent-encoding is undone to look behind it. */
const MAX_LAYERS = 5;

/** The longest text that is looked at as a host. */
const MAX_HOST = 512;

/** The most addresses of one name that are looked at; a name with more is refused. */
const MAX_ANSWERS = 256;

/** Names under which metadata services are known, whatever DNS says of them. */
const METADATA_NAMES = [
  "instance-data",
  "instance-data.ec2.internal",
  "metadata.google.internal",
  "metadata.goog",
  "metadata",
];

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
 * addresses and URLs within path, query and fragment, behind up to five layers of percent-encoding, with `-` or `_` in
 * place of the `%` too: a server that unwraps such a part would go there.
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
    const found = namesMetadata(undone(part)) ?? embedded(part);
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
  const written = /(?:^|[.-])(169[.-]254[.-]\d{1,3}[.-]\d{1,3})(?=[.-]|$)/.exec(host)?.[1];
  const quad = written?.replaceAll("-", ".");
  if (quad !== undefined && serviceOf(quad) !== undefined) return `a name that carries ${quad}`;
  const hex = /(?:^|[.-])(?:0x)?(a9fea[9a][0-9a-f]{2})(?=[.-]|$)/.exec(host)?.[1];
  if (hex === undefined) return undefined;
  const dotted = [0, 2, 4, 6].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".");
  return serviceOf(dotted) === undefined ? undefined : `a name that carries ${dotted}`;
}

/** An address or URL of a metadata service anywhere in a text, encoded or not. */
function embedded(text: string): string | undefined {
  let layer = text;
  for (let depth = 0; depth <= MAX_LAYERS; depth++) {
    const next = undone(layer);
    // `-3A` and `_3A` are `%3A` to some image and log services.
    const dashed = layer.replace(/[-_=](?=2[56ef]|3[0-9adf]|40|5[bd])/gi, "%");
    const found = inView(layer) ?? (dashed === layer ? undefined : inView(undone(dashed)));
    if (found !== undefined) return found;
    if (next === layer) return undefined;
    layer = next;
  }
  return "more layers of percent-encoding than anybody needs";
}

/** No spelling of a metadata service is without one of these, and nearly every text is. */
const SUSPECT = /169|a9fe|fea9|5601|fd00|0x0*a9|0+251|28520|instance-data|metadata\.goo/i;
/** Dotted quads that may begin or end a name. */
const QUADS = /(?<![\d.])169\.254\.1(?:69|70)\.\d{1,3}(?!\d|\.\d)/g;
/** Numbers that are a whole host: 169 and what follows, or all four bytes as one; in decimal, octal, hexadecimal. */
const NUMBERS =
  /(?<![\w.-])(?:(?:169|0+251|0x0*a9)(?:\.(?:0x[0-9a-f]*|\d+)){1,3}|28520(?:389|39[0-4])\d\d|0+2517752[45]\d{3}|0x0*a9fea[9a][0-9a-f]{2})\.?(?![\w.-])/gi;
/** Every IPv6 form that carries the address shows two of its bytes together, or all of them inverted. */
const IPV6 = /(?<![0-9a-f:.])(?=[0-9a-f:.]*(?:a9fe|fea9|169\.254|5601|fd00))[0-9a-f:.]{2,45}(?![0-9a-f:.])/gi;
/** What stands where a URL has its host: a scheme of the web needs no slashes (WHATWG). */
const HOSTS = /(?:[/\\]{2}|@|\b(?:https?|ftp|wss?):[/\\]*)([^/\\?#\s"'<>&,;|()=@]{1,512})/gi;
/** No name that is known here is without one of these. */
const NAMED = /instance-data|metadata\.goo|169[.-]254|a9fea/i;

function inView(view: string): string | undefined {
  const text = folded(view);
  if (!SUSPECT.test(text)) return undefined;
  for (const [literal] of text.matchAll(QUADS)) if (serviceOf(literal) !== undefined) return inWords(literal, literal);
  for (const [number] of text.matchAll(NUMBERS)) {
    const literal = dotted(number);
    if (literal !== undefined && serviceOf(literal) !== undefined) return inWords(number, literal);
  }
  for (const [literal] of text.matchAll(IPV6))
    if (literal.includes(":") && serviceOf(literal) !== undefined) return inWords(literal, literal);
  if (!NAMED.test(text)) return undefined;
  for (const [, host = ""] of text.matchAll(HOSTS)) {
    const name = bare(host.replace(/(?<!:):\d{0,5}$/, "")).toLowerCase();
    // Two slashes in a path and a directory behind them are no host.
    if (name !== "metadata" && METADATA_NAMES.includes(name)) return `the metadata name ${name}`;
    const found = carriedByName(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function inWords(written: string, literal: string): string {
  const named = `${literal} (${serviceOf(literal)})`;
  return literal === written ? named : `${printable(written)}, which is ${named}`;
}

/** Letters, digits and dots that a URL parser takes for those of ASCII; and without what it leaves out. */
function folded(view: string): string {
  const text = /[\t\n\r]/.test(view) ? view.replace(/[\t\n\r]+/g, "") : view;
  if (!/[^\0-\x7f]/.test(text)) return text;
  return text.replace(/[^\0-\x7f]+/g, (run) => {
    const plain = run
      .normalize("NFKC")
      .replace(/\p{Default_Ignorable_Code_Point}+/gu, "")
      .replace(/\u3002/g, ".");
    // What unfolds into much more is no number.
    return plain.length > 4 * run.length ? "\ufffd" : plain;
  });
}

/** The dotted quad of one to four numbers (WHATWG: decimal, octal with `0`, hexadecimal with `0x`), or undefined. */
function dotted(text: string): string | undefined {
  const parts = text.replace(/\.$/, "").split(".");
  const last = parts.length - 1;
  let address = 0;
  for (const [index, part] of parts.entries()) {
    const value = numberOf(part);
    const room = index === last ? 4 - last : 1;
    if (!(value < 256 ** room)) return undefined;
    address += index === last ? value : value * 256 ** (3 - index);
  }
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

function numberOf(part: string): number {
  if (/^0x/i.test(part)) return part.length === 2 ? 0 : Number(part);
  if (part.length > 1 && part.startsWith("0")) return /^[0-7]+$/.test(part) ? Number(`0o${part}`) : Number.NaN;
  return Number(part);
}

const PERCENT = 37;

/** One layer of percent-encoding undone; what is no valid sequence stays. */
function undone(text: string): string {
  if (!text.includes("%")) return text;
  const bytes = Buffer.from(text, "utf8");
  let length = 0;
  for (let index = 0; index < bytes.length; index++) {
    const high = bytes[index] === PERCENT ? hexDigit(bytes[index + 1]) : -1;
    const low = high < 0 ? -1 : hexDigit(bytes[index + 2]);
    if (low < 0) bytes[length++] = bytes[index] as number;
    else {
      bytes[length++] = high * 16 + low;
      index += 2;
    }
  }
  return length === bytes.length ? text : bytes.toString("utf8", 0, length);
}

function hexDigit(code: number | undefined): number {
  if (code === undefined) return -1;
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function refused(url: string, where: string, what: string): ImdsRefusedError {
  return new ImdsRefusedError("ERR_IMDS_URL_REFUSED", `The URL was refused: ${what}`, {
    evidence: [{ source: where, value: printable(url, 120), says: what }],
    advice:
      "Do not fetch it. If users may name URLs, this one is an attempt to read instance metadata: log who sent it.",
  });
}
