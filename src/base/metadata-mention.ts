/**
 * The one judge of whether a text names a metadata service: an address, a name or a path, in every spelling that a URL
 * parser, a resolver or a server behind the next one takes for it.
 */
import { carriedAddresses, inNetwork, parseIp, parseNetwork } from "./addresses.js";

/**
 * Link-local services of Amazon's, as {@link Mention} names them; `reserved` is what else may answer in fd00:ec2::/32, and
 * `openstack` that cloud's metadata service over IPv6.
 */
export type MentionedService = "imds" | "dns" | "ntp" | "ecs" | "eks" | "reserved" | "openstack";

/** What was found in a text. */
export interface Mention {
  /** `address` and `name` lead there; a `path` is what IMDS alone has, under whatever host. */
  readonly kind: "address" | "name" | "path";
  readonly service: MentionedService;
  /** The part as it stood, after as much decoding as it took to see it. At most 128 characters. */
  readonly written: string;
  /** For an address: how it is usually written. */
  readonly address?: string;
  /** Layers of percent-encoding, base64 and hexadecimal that hid it; 0 where it stood in plain sight. */
  readonly layers: number;
}

/** In place of a {@link Mention}: percent-encoding deeper than it is undone. */
export const TOO_DEEP = "too deep";

/** Options of {@link findMention}. */
export interface MentionOptions {
  /** Whether paths that only IMDS has count. Default `true`. */
  readonly paths?: boolean | undefined;
  /** Services that count. Default: IMDS alone. */
  readonly services?: readonly MentionedService[] | undefined;
  /** Where names of metadata services count: anywhere, or only where a URL within the text has its host. */
  readonly names?: "anywhere" | "hosts" | undefined;
  /**
   * Whether what is written in base64 or in hexadecimal is read, too. Default `false`: nearly every line of a log has
   * something of that form.
   */
  readonly encoded?: boolean | undefined;
}

/** Names under which metadata services are known, whatever DNS says of them. */
export const METADATA_NAMES: readonly string[] = [
  "instance-data",
  "instance-data.ec2.internal",
  "metadata.google.internal",
  "metadata.goog",
  "metadata",
];

/** How often percent-encoding is undone to look behind it. */
const MAX_LAYERS = 5;

/** How often base64 and hexadecimal are read within what was read so. */
const MAX_ENCODINGS = 2;

/** IPv4 addresses as numbers. */
const SERVICES: ReadonlyMap<number, readonly [service: MentionedService, address: string]> = new Map([
  [0xa9fea9fe, ["imds", "169.254.169.254"]],
  [0xa9fea9fd, ["dns", "169.254.169.253"]],
  [0xa9fea97b, ["ntp", "169.254.169.123"]],
  [0xa9feaa02, ["ecs", "169.254.170.2"]],
  [0xa9feaa17, ["eks", "169.254.170.23"]],
]);

const IMDS_NETWORK = parseNetwork("fd00:ec2::/32");
/** What may answer there, by the last two bytes; anything else is reserved. */
const SERVICES_V6: ReadonlyMap<number, MentionedService> = new Map([
  [0x254, "imds"],
  [0x253, "dns"],
  [0x123, "ntp"],
  [0x23, "eks"],
]);
const OPENSTACK_NETWORK = parseNetwork("fe80::a9fe:a9fe");

/**
 * The first mention of a metadata service in a text, or `undefined`. Looks behind percent-encoding (five layers, `%uXXXX`
 * too), JSON's and backslash escapes, full-width and other digits that NFKC makes plain, ideographic dots, and characters
 * that a URL parser drops. Takes time in proportion to the text.
 */
export function findMention(text: string, options: MentionOptions = {}): Mention | undefined {
  const found = judgeText(text, options);
  return found === TOO_DEEP ? undefined : found;
}

/** As {@link findMention}; says where percent-encoding goes on beyond what it looks behind. */
export function judgeText(text: string, options: MentionOptions = {}): Mention | typeof TOO_DEEP | undefined {
  return judge(
    text,
    { paths: true, services: IMDS_ALONE, names: "anywhere", ...given(options) },
    MAX_ENCODINGS,
    new Set(),
  );
}

type Judging = Required<Omit<MentionOptions, "encoded">> & Pick<MentionOptions, "encoded">;

function given(options: MentionOptions): Partial<Judging> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** `read` are the encoded parts that were looked at: the same one stands in every layer around it. */
function judge(
  text: string,
  options: Judging,
  encodings: number,
  read: Set<string>,
): Mention | typeof TOO_DEEP | undefined {
  let layer = text;
  for (let layers = 0; layers <= MAX_LAYERS; layers++) {
    for (const view of viewsOf(layer)) {
      const found = inView(view, options);
      if (found !== undefined) return { ...found, layers };
      if (options.encoded !== true || encodings === 0) continue;
      for (const part of encodedParts(view, read)) {
        const within = judge(part, options, encodings - 1, read);
        if (within !== undefined && within !== TOO_DEEP) return { ...within, layers: layers + 1 + within.layers };
      }
    }
    const next = withoutPercent(layer);
    if (next === layer) return undefined;
    layer = next;
  }
  return TOO_DEEP;
}

/** Ten characters are the shortest spelling of an address that says no more than that. */
const BASE64 = /[\w+/-]{14,}/g;
const HEX_TEXT = /[0-9a-f]{20,}/gi;
/** What reads as text of what was decoded. */
const TEXT = /[^\0-\x08\x0e-\x1f\x7f\ufffd]{10,}/g;

/** Texts in base64 (RFC 4648, both alphabets) or hexadecimal within a text, wherever in the run they begin. */
function* encodedParts(view: string, read: Set<string>): Generator<string> {
  for (const [run] of view.matchAll(BASE64)) {
    // Some services split a long value by slashes.
    const whole = run.includes("/") ? [run, run.replaceAll("/", "")] : [run];
    for (const text of whole) yield* decoded(text, "base64", 4, read);
  }
  for (const [run] of view.matchAll(HEX_TEXT)) yield* decoded(run, "hex", 2, read);
}

function* decoded(run: string, encoding: "base64" | "hex", starts: number, read: Set<string>): Generator<string> {
  const key = `${encoding} ${run}`;
  if (read.has(key)) return;
  read.add(key);
  for (let start = 0; start < starts; start++)
    yield* Buffer.from(run.slice(start), encoding).toString("utf8").match(TEXT) ?? [];
}

const IMDS_ALONE: readonly MentionedService[] = ["imds"];

/** The text as the different readers of it see it; most texts have one view. */
function viewsOf(text: string): readonly string[] {
  const views = [text];
  let plain = text;
  if (text.includes("\\")) plain = withoutEscapes(text);
  // eslint-disable-next-line no-control-regex -- the range is what ASCII is
  if (/[^\0-\x7f]/.test(plain)) plain = folded(plain);
  if (plain !== text) views.push(plain);
  if (/[\t\r\n]/.test(plain)) views.push(plain.replace(/[\t\r\n]+/g, ""));
  // `-3A` and `_3A` are `%3A` to some image and log services, `=3A` to mail.
  if (/[-_=](?:2[ef]|3[0-9a])/i.test(plain)) {
    const other = withoutPercent(plain.replace(/[-_=](?=2[56ef]|3[0-9adf]|40|5[bd])/gi, "%"));
    if (other !== plain) views.push(other);
  }
  return views;
}

/** Letters, digits and dots of other scripts that IDNA takes for those of ASCII; without what it ignores. */
function folded(text: string): string {
  return text.replace(/[^\0-\x7f]+/g, (run) => {
    const plain = run
      .normalize("NFKC")
      .replace(/\p{Default_Ignorable_Code_Point}+/gu, "")
      .replaceAll("\u3002", ".");
    // What unfolds into much more is no number.
    return plain.length > 4 * run.length ? "\ufffd" : plain;
  });
}

/** `\u0031`, `\x31` (also the bytes of UTF-8, as nginx writes them) and `\/`, behind any number of backslashes. */
export function withoutEscapes(text: string): string {
  return text
    .replace(/(?<!\\)(?:\\+x[89a-f][0-9a-f]){2,}/gi, (run) =>
      Buffer.from(run.replace(/\\+x/gi, ""), "hex").toString("utf8"),
    )
    .replace(/(?<!\\)\\+(?:u([0-9a-f]{4})|x([0-9a-f]{2}))/gi, (_, four?: string, two?: string) =>
      String.fromCharCode(Number.parseInt(four ?? two ?? "", 16)),
    )
    .replace(/(?<!\\)\\+\//g, "/")
    .replace(/(?<!\\)\\+[nrt]/g, " ");
}

/** One layer of percent-encoding undone; what is no valid sequence stays. */
export function withoutPercent(text: string): string {
  if (!text.includes("%")) return text;
  return text
    .replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
      const code = run.length === 3 ? Number.parseInt(run.slice(1), 16) : 0x80;
      return code < 0x80 ? String.fromCharCode(code) : Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8");
    })
    .replace(/%u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

type Found = Omit<Mention, "layers">;

// One to four numbers as inet_aton reads them: decimal, octal, hexadecimal. Numbers over 40 digits are no address.
const NUMBERS = /(?<![\w.])(?:0x[0-9a-f]{1,40}|\d{1,40})(?:\.(?:0x[0-9a-f]{1,40}|\d{1,40})){0,3}(?!\w|\.\w)/gi;
/** The quad wherever it stands: in a name such as those of nip.io, and with a port behind a dot, as tcpdump writes it. */
const QUAD = /(?<!\d|\d[.-])169([.-])254\1(169|170)\1(\d{1,3})(?!\d|[.-]\d{1,3}[.-]\d)/g;
/**
 * The address as eight hexadecimal digits: alone or in a name, as a socket address, in the kernel's own order, or in the
 * groups of a dump.
 */
const HEX =
  /(?:(?<![0-9a-z])(?:0x0*)?(a9fea[9a][0-9a-f]{2})(?![0-9a-f])|0200[0-9a-f]{4}(a9fea9fe)|(fea9fea9)(?=:[0-9a-f]{4})|\b(?:a9 fe a9 fe|a9fe a9fe|[0-9a-f]{2}a9 fea9 fe[0-9a-f]{2})\b)/gi;
const V6 = /(?<![0-9a-f:.])[0-9a-f:.]{2,64}/gi;
const NAME =
  /(?<![\w.-])(?:instance-data(?:\.[a-z0-9-]+\.compute|\.ec2)?\.internal|metadata\.google\.internal|instance-data(?=[:/]|$))/gi;
const PATH =
  /(?:(?:latest|\d{4}-\d\d-\d\d)[/\\]+(?:meta-data|user-data|dynamic[/\\]+instance-identity|api[/\\]+token)(?![\w-])|meta-data[/\\]+(?:iam|identity-credentials)(?![\w-])|iam[/\\]+security-credentials(?![\w-])|computeMetadata[/\\]+v1)/i;

/** What stands where a URL has its host: a scheme of the web needs no slashes (WHATWG). */
const HOSTS = /(?:[/\\]{2}|@|\b(?:https?|ftp|wss?):[/\\]*)([^/\\?#\s"'<>&,;|()=@]{1,512})/gi;

function inView(view: string, { paths, services, names }: Judging): Found | undefined {
  const wanted = (found: readonly [MentionedService, string] | undefined, written: string): Found | undefined =>
    found !== undefined && services.includes(found[0])
      ? { kind: "address", service: found[0], address: found[1], written: short(written) }
      : undefined;
  for (const match of view.matchAll(QUAD)) {
    const [written, , third, fourth] = match;
    const found = wanted(SERVICES.get((0xa9fe0000 + Number(third) * 256 + Number(fourth)) >>> 0), written);
    if (found !== undefined) return found;
  }
  if (/\d/.test(view)) {
    for (const [written] of view.matchAll(NUMBERS)) {
      if (written.length < 10) continue;
      const value = numberOf(written);
      const found = value === undefined ? undefined : wanted(SERVICES.get(value), written);
      if (found !== undefined) return found;
    }
  }
  for (const match of view.matchAll(HEX)) {
    const [written, alone, socket] = match;
    const value = alone ?? socket ?? "a9fea9fe";
    const found = wanted(SERVICES.get(Number.parseInt(value, 16)), written);
    if (found !== undefined) return found;
  }
  if (/ec2:|a9fe|169\.254|5601/i.test(view) && view.includes(":")) {
    for (const { 0: run, index } of view.matchAll(V6)) {
      for (const token of addressesOf(run, /\w/.test(view.charAt(index - 1)))) {
        const found = wanted(serviceOfV6(token), token);
        if (found !== undefined) return found;
      }
    }
  }
  if (services.includes("imds")) {
    const name = names === "hosts" ? namedHost(view) : view.match(NAME)?.[0];
    if (name !== undefined) return { kind: "name", service: "imds", written: short(name) };
    const path = paths ? PATH.exec(view)?.[0] : undefined;
    if (path !== undefined) return { kind: "path", service: "imds", written: short(path) };
  }
  return undefined;
}

/** Numbers before an address, such as those of a line and a column. */
const MOST_NUMBERS = 3;

/** What a run of hexadecimal digits, colons and dots may be as an address. `inWord`: it goes on from other letters. */
function* addressesOf(run: string, inWord: boolean): Generator<string> {
  let rest = run;
  // The end of a name, then numbers: `dst:`, and `app.log:12:` as grep writes it.
  for (let numbers = 0, head = inWord ? /^[0-9a-f]*:/i : /^\d+:/; ; numbers++, head = /^\d+:/) {
    if (numbers > 0 || !inWord) yield* withoutPort(rest);
    const before = head.exec(rest)?.[0];
    if (before === undefined || numbers > MOST_NUMBERS) return;
    rest = rest.slice(before.length);
  }
}

/** A colon or a dot behind an address belongs to the sentence; behind a dot is tcpdump's port. */
function* withoutPort(token: string): Generator<string> {
  yield token.replace(/(?<=[^:]):$|\.$/, "").replace(/(?<=:[0-9a-f]*)\.\d{1,5}$/i, "");
  yield token;
  // Suricata puts the port behind one colon more.
  const nine = /^((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}):\d{1,5}$/i.exec(token)?.[1];
  if (nine !== undefined) yield nine;
}

function namedHost(view: string): string | undefined {
  if (!/instance-data|metadata\.goo/i.test(view)) return undefined;
  for (const [, host = ""] of view.matchAll(HOSTS)) {
    const name = host
      .replace(/(?<!:):\d{0,5}$/, "")
      .replace(/\.+$/, "")
      .toLowerCase();
    // Two slashes in a path and a directory behind them are no host.
    if (name !== "metadata" && METADATA_NAMES.includes(name)) return name;
  }
  return undefined;
}

/** The number that `inet_aton` makes of a text, or `undefined`. */
function numberOf(text: string): number | undefined {
  const parts = text.split(".");
  let value = 0;
  for (const [index, part] of parts.entries()) {
    const octal = /^0\d/.test(part);
    if (octal && /[89]/.test(part)) return undefined;
    const number = /^0x/i.test(part) ? Number.parseInt(part, 16) : Number.parseInt(part, octal ? 8 : 10);
    const last = index === parts.length - 1;
    if (number >= (last ? 256 ** (5 - parts.length) : 256)) return undefined;
    value = last ? value * 256 ** (5 - parts.length) + number : value * 256 + number;
  }
  return value;
}

function serviceOfV6(literal: string): readonly [MentionedService, string] | undefined {
  const ip = literal.includes(":") ? parseIp(literal) : undefined;
  if (ip === undefined) return undefined;
  if (inNetwork(IMDS_NETWORK, literal)) {
    const [middle, last] = [ip.bytes.subarray(4, 14), ip.bytes[14]! * 256 + ip.bytes[15]!];
    const service = middle.every((byte) => byte === 0) ? SERVICES_V6.get(last) : undefined;
    return [service ?? "reserved", service === undefined ? literal : `fd00:ec2::${last.toString(16)}`];
  }
  if (inNetwork(OPENSTACK_NETWORK, literal)) return ["openstack", literal];
  for (const address of carriedAddresses(literal)) {
    const found = SERVICES.get(numberOf(address) ?? -1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function short(text: string): string {
  return text.length > 128 ? `${text.slice(0, 125)}...` : text;
}
