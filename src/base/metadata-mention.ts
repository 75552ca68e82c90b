/**
 * The one judge of whether a text names a metadata service: an address, a name or a path, in every spelling that a URL
 * parser, a resolver or a server behind the next one takes for it.
 */
import { isImdsAddress } from "./addresses.js";

/** Link-local services of Amazon's, as {@link Mention} names them. */
export type MentionedService = "imds" | "dns" | "ntp" | "ecs" | "eks";

/** What was found in a text. */
export interface Mention {
  /** `address` and `name` lead there; a `path` is what IMDS alone has, under whatever host. */
  readonly kind: "address" | "name" | "path";
  readonly service: MentionedService;
  /** The part as it stood, after as much decoding as it took to see it. At most 128 characters. */
  readonly written: string;
  /** For an address: how it is usually written. */
  readonly address?: string;
  /** Layers of percent-encoding that hid it; 0 where it stood in plain sight. */
  readonly layers: number;
}

/** Options of {@link findMention}. */
export interface MentionOptions {
  /** Whether paths that only IMDS has count. Default `true`. */
  readonly paths?: boolean | undefined;
  /** Services that count. Default: IMDS alone. */
  readonly services?: readonly MentionedService[] | undefined;
}

/** How often percent-encoding is undone to look behind it. */
const MAX_LAYERS = 5;

/** IPv4 addresses as numbers. */
const SERVICES: ReadonlyMap<number, readonly [service: MentionedService, address: string]> = new Map([
  [0xa9fea9fe, ["imds", "169.254.169.254"]],
  [0xa9fea9fd, ["dns", "169.254.169.253"]],
  [0xa9fea97b, ["ntp", "169.254.169.123"]],
  [0xa9feaa02, ["ecs", "169.254.170.2"]],
  [0xa9feaa17, ["eks", "169.254.170.23"]],
]);

/** Within fd00:ec2::/32, by the last group. */
const SERVICES_V6: Readonly<Record<string, MentionedService>> = {
  "254": "imds",
  "253": "dns",
  "123": "ntp",
  "23": "eks",
};

/**
 * The first mention of a metadata service in a text, or `undefined`. Looks behind percent-encoding (five layers, `%uXXXX`
 * too), JSON's and backslash escapes, full-width and other digits that NFKC makes plain, ideographic dots, and characters
 * that a URL parser drops. Takes time in proportion to the text.
 */
export function findMention(text: string, options: MentionOptions = {}): Mention | undefined {
  const { paths = true, services = IMDS_ALONE } = options;
  let layer = text;
  for (let layers = 0; layers <= MAX_LAYERS; layers++) {
    for (const view of viewsOf(layer)) {
      const found = inView(view, paths, services);
      if (found !== undefined) return { ...found, layers };
    }
    const next = withoutPercent(layer);
    if (next === layer) return undefined;
    layer = next;
  }
  return undefined;
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

/** Digits and dots of other scripts as ASCII; what IDNA ignores is dropped. */
function folded(text: string): string {
  return text
    .replace(/[\u00ad\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]+/g, "")
    .normalize("NFKC")
    .replaceAll("\u3002", ".");
}

/** `\u0031`, `\x31` (also the bytes of UTF-8, as nginx writes them) and `\/`, behind any number of backslashes. */
export function withoutEscapes(text: string): string {
  return text
    .replace(/(?:\\+x[89a-f][0-9a-f]){2,}/gi, (run) => Buffer.from(run.replace(/\\+x/gi, ""), "hex").toString("utf8"))
    .replace(/\\+(?:u([0-9a-f]{4})|x([0-9a-f]{2}))/gi, (_, four?: string, two?: string) =>
      String.fromCharCode(Number.parseInt(four ?? two ?? "", 16)),
    )
    .replace(/\\+\//g, "/")
    .replace(/\\+[nrt]/g, " ");
}

/** One layer of percent-encoding undone; what is no valid sequence stays. */
export function withoutPercent(text: string): string {
  if (!text.includes("%")) return text;
  return text
    .replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"))
    .replace(/%u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

type Found = Omit<Mention, "layers">;

// One to four numbers as inet_aton reads them: decimal, octal, hexadecimal. Numbers over 40 digits are no address.
const NUMBERS = /(?<![\w.])(?:0x[0-9a-f]{1,40}|\d{1,40})(?:\.(?:0x[0-9a-f]{1,40}|\d{1,40})){0,3}(?!\w|\.\d)/gi;
/** The quad wherever it stands: in a name such as those of nip.io, and with a port behind a dot, as tcpdump writes it. */
const QUAD = /(?<!\d|\d[.-])169([.-])254\1(169|170)\1(\d{1,3})(?!\d|[.-]\d{1,3}[.-]\d)/g;
/** The address as eight hexadecimal digits: alone or in a name, as a socket address, or in the kernel's own order. */
const HEX =
  /(?:(?<![0-9a-z])(?:0x0*)?(a9fea[9a][0-9a-f]{2})(?![0-9a-f])|0200[0-9a-f]{4}(a9fea9fe)|(fea9fea9)(?=:[0-9a-f]{4}))/gi;
const V6 = /(?<![\w:.])[0-9a-f:.]{2,64}/gi;
const NAME =
  /(?<![\w.-])(?:instance-data(?:\.[a-z0-9-]+\.compute|\.ec2)?\.internal|metadata\.google\.internal|instance-data(?=[:/]|$))/gi;
const PATH =
  /(?:(?:latest|\d{4}-\d\d-\d\d)[/\\]+(?:meta-data|user-data|dynamic[/\\]+instance-identity|api[/\\]+token)(?![\w-])|meta-data[/\\]+(?:iam|identity-credentials)(?![\w-])|iam[/\\]+security-credentials(?![\w-])|computeMetadata[/\\]+v1)/i;

function inView(view: string, paths: boolean, services: readonly MentionedService[]): Found | undefined {
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
    for (const [token] of view.matchAll(V6)) {
      // A colon or a dot behind it belongs to the sentence, a number behind a dot is tcpdump's port.
      const written = token.replace(/(?<=[^:]):$|\.$/, "").replace(/(?<=:[0-9a-f]*)\.\d{1,5}$/i, "");
      // Suricata puts the port behind one colon more.
      const nine = /^((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}):\d{1,5}$/i.exec(token)?.[1];
      const found =
        wanted(serviceOfV6(written), written) ??
        wanted(serviceOfV6(token), token) ??
        (nine === undefined ? undefined : wanted(serviceOfV6(nine), nine));
      if (found !== undefined) return found;
    }
  }
  if (services.includes("imds")) {
    for (const [name] of view.matchAll(NAME)) return { kind: "name", service: "imds", written: short(name) };
    const path = paths ? PATH.exec(view)?.[0] : undefined;
    if (path !== undefined) return { kind: "path", service: "imds", written: short(path) };
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
  if (!literal.includes(":")) return undefined;
  if (isImdsAddress(literal)) return ["imds", /ec2:/i.test(literal) ? "fd00:ec2::254" : "169.254.169.254"];
  const last = /^fd00:0?ec2:(?:0{1,4}:){0,5}:?(?:0{1,4}:){0,5}0?(\d{1,3})$/i.exec(literal)?.[1];
  const service = last === undefined ? undefined : SERVICES_V6[last];
  return service === undefined || service === "imds" ? undefined : [service, `fd00:ec2::${last}`];
}

function short(text: string): string {
  return text.length > 128 ? `${text.slice(0, 125)}...` : text;
}
