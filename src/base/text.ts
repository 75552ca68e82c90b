/**
 * What text has to pass before it is shown, written or pasted: every sanitizer (terminal, log line, JSON, syslog,
 * Prometheus, HTML, CSV), every mask of a secret, and the one shell quoter.
 */

import { once } from "./lazy.js";

const PRINTABLE_ASCII = /^[ -~]*$/;
const NOT_PRINTABLE_ASCII = /[^ -~]/u;
// Besides control characters: format characters (bidirectional overrides, zero-width), line separators, lone
// surrogates. As text, and made when it is needed: classes of Unicode are compiled as soon as a file with such a literal
// is read, for longer than the rest of this one takes.
const CONTROL = "[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]";
const control = once(() => new RegExp(CONTROL, "u"));
const controls = once(() => new RegExp(CONTROL, "gu"));
const CUT = "...";

/** `character` (one or two UTF-16 units) as `\uXXXX`: the escape of JSON, which a person reads as well. */
function unicodeEscape(character: string): string {
  let out = "";
  for (let index = 0; index < character.length; index += 1)
    out += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  return out;
}

/** Quotes and shortens text from outside for a message: a JSON string of ASCII, of at most `max` characters of it. */
export function printable(text: string, max = 80): string {
  return asciiJson(JSON.stringify(text.length > max ? `${text.slice(0, max)}${CUT}` : text));
}

/** `text` with control characters as `\uXXXX`, at most `max` UTF-16 units; what is cut off is marked with `...`. */
export function boundText(text: string, max: number): string {
  return escapeWithin(text, max, control);
}

/** `text` as printable ASCII, everything else as `\uXXXX`; at most `max` characters, cut as in {@link boundText}. */
export function boundAscii(text: string, max: number): string {
  return escapeWithin(text, max, () => NOT_PRINTABLE_ASCII);
}

// A backslash stays as it is: the escapes are there to disarm, not to be reversed, and text may pass here twice.
// One pass over at most `max` characters, whatever the length.
function escapeWithin(text: string, max: number, unwanted: () => RegExp): string {
  if (text.length <= max && PRINTABLE_ASCII.test(text)) return text;
  let out = "";
  let cutAt = 0;
  for (const char of text) {
    const piece = unwanted().test(char) ? unicodeEscape(char) : char;
    if (out.length + piece.length > max) return out.slice(0, cutAt) + CUT;
    out += piece;
    if (out.length <= max - CUT.length) cutAt = out.length;
  }
  return out;
}

/**
 * A value of a log line `name=value name="two words"`: bare where it has only letters, digits and `_.:/@+*-[]`, else
 * quoted; quotes inside become single ones, so that a quoted value ends where it seems to. At most `max` characters.
 */
export function logValue(text: string, max: number): string {
  const ascii = boundAscii(text, max);
  return /^[\w.:/@+*[\]-]+$/.test(ascii) ? ascii : `"${ascii.replaceAll('"', "'")}"`;
}

/** JSON of printable ASCII: its own escape takes the place of everything else, so that it stays the same JSON. */
export function asciiJson(json: string): string {
  return json.replace(/[^ -~]/g, unicodeEscape);
}

/** A field of a syslog header (RFC 5424, section 6): printable ASCII without spaces, `-` for nothing. */
export function syslogField(text: string, max: number): string {
  return text.replace(/[^!-~]/g, "?").slice(0, max) || "-";
}

/** The value of a label in the text format of Prometheus, between double quotes. */
export function metricLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text between the tags of a page of HTML, or in a quoted attribute. */
export function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/**
 * A field of a line of CSV (RFC 4180). What begins like a formula gets an apostrophe in front: a spreadsheet would run it,
 * whoever has written it.
 */
export function csvCell(value: string | number | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** What a terminal may be told by our own hand: a colour. */
// eslint-disable-next-line no-control-regex -- this is what is looked for
const COLOUR = /\u001b\[[\d;]{1,8}m/g;

/**
 * Text for a terminal, in which nothing but line breaks, tabs and, with `coloured`, colours has an effect. Where a
 * value must not begin a line of its own, it has to pass {@link terminalLine} first.
 */
export function terminalText(text: string, coloured: boolean): string {
  if (!coloured) return escapeControls(text.replace(COLOUR, ""));
  let out = "";
  let at = 0;
  for (const match of text.matchAll(COLOUR)) {
    out += escapeControls(text.slice(at, match.index)) + match[0];
    at = match.index + match[0].length;
  }
  return out + escapeControls(text.slice(at));
}

/** A value of one line on a terminal: line breaks and tabs are escaped, too, so that it cannot pose as another line. */
export function terminalLine(text: string): string {
  return PRINTABLE_ASCII.test(text) ? text : text.replace(controls(), unicodeEscape);
}

function escapeControls(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text;
  return text.replace(controls(), (char) => (char === "\n" || char === "\t" ? char : unicodeEscape(char)));
}

const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/**
 * One word of a command line that is meant to be pasted into a shell (sh, bash, zsh, ksh), where it means `text` and
 * nothing else. A text with control or invisible characters is written as `$'...'`, which older shells than those of
 * POSIX 2024 take for other text, and never for a command.
 */
export function shellWord(text: string): string {
  if (PLAIN_WORD.test(text)) return text;
  // Zsh expands `=name` and a leading tilde in some places; between quotes nothing does.
  if (PRINTABLE_ASCII.test(text) || !control().test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  // No quote stands in it as such: whoever does not know the form finds its end where it is.
  const escaped = Array.from(text, (char) => {
    if (PRINTABLE_ASCII.test(char) && char !== "'" && char !== "\\") return char;
    return [...Buffer.from(char)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  });
  return `$'${escaped.join("")}'`;
}

/** A command line of `words` to paste, each as {@link shellWord}. */
export function shellCommand(words: readonly string[]): string {
  return words.map(shellWord).join(" ");
}

/** `export NAME=value` to paste. `name` is one of ours and not from outside. */
export function shellExport(name: string, value: string): string {
  return `export ${name}=${shellWord(value)}`;
}

/** `--require PATH` as Node reads NODE_OPTIONS: a value with spaces in double quotes, in which a backslash escapes. */
export function requireOption(path: string): string {
  return `--require ${/[\s"\\]/.test(path) ? `"${path.replace(/["\\]/g, "\\$&")}"` : path}`;
}

/** NODE_OPTIONS with `option`, which it gets once. */
export function withNodeOption(present: string | undefined, option: string): string {
  if (present === undefined || present.trim() === "") return option;
  return ` ${present} `.includes(` ${option} `) ? present : `${present} ${option}`;
}

/** The text of bytes. @throws TypeError where they are not UTF-8 */
export function textOf(bytes: Uint8Array, byteOrderMark: "kept" | "dropped"): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: byteOrderMark === "kept" }).decode(bytes);
}

/** What stands in the place of a secret. */
export const MASK = "***";

/** An access key id as it may be shown: its first and last four characters, or nothing of one too short to hide the rest. */
export function maskAccessKeyId(id: string): string {
  if (id.length < 16) return "****";
  return `${id.slice(0, 4)}${"*".repeat(Math.min(id.length, 32) - 8)}${id.slice(-4)}`.replace(/[^A-Za-z0-9*]/g, "?");
}

const NAMED =
  /((?:x-aws-ec2-metadata-token|x-amz-security-token|x-amz-signature|x-amz-credential|aws_?secret_?access_?key|aws_?session_?token|secretaccesskey|sessiontoken|authorization|password|passwd|passphrase|secret|token|signature|sig|api[_-]?key|private[_-]?key)["']?(?:\s*[:=]\s*|%3d|%3a)["']?(?:(?:bearer|basic|aws4-hmac-sha256) )?)([^\s"'&,;|<>]+)/gi;
/** A header's scheme on its own; the digit tells a credential from a word of a sentence. */
const SCHEME = /\b((?:bearer|basic)\s{1,4})(?=[^\s"'&,;|<>]{0,4096}\d)[^\s"'&,;|<>]{6,}/gi;
// Without ends of words: in front there may be the rest of an escape, as in `%3DASIA...`.
const ACCESS_KEY = /(?:AKIA|ASIA)[A-Z2-7]{12,}/g;
/** An equals sign or a colon, plain or encoded. */
const EQUALS = "(?:[=:]|%(?:25){0,8}3[ad]|\\\\{1,8}(?:u00|x)3[ad]|&#x3[ad];)";
/** Signatures of AWS: behind their name, and behind the key of an old Authorization header. */
const signature = /* @__PURE__ */ once(
  () => new RegExp(String.raw`(sig(?:nature)?["'\\]{0,4}\s{0,2}${EQUALS}["'\s\\]{0,4})([^\s"'&,;|<>]{8,})`, "gi"),
);
const behindKey = /* @__PURE__ */ once(
  () => new RegExp(String.raw`((?:AKIA|ASIA)[A-Z2-7]{12,16}${EQUALS})([^\s"'&,;|<>]{8,})`, "gi"),
);
const BASIC_AUTH = /(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/@:]*:)([^\s/@]+)(?=@)/gi;
const RUN = /[A-Za-z0-9+_=-]{40,}/g;
const SECRET_KEY = /(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])/g;

/**
 * The text with every secret that can be recognised replaced by {@link MASK}: values of parameters and headers that
 * name one, passwords in URLs, and any run of 40 or more characters of Base64 with upper and lower case and digits.
 * Access key ids keep their first and last four characters.
 */
export function maskSecrets(text: string): string {
  return text
    .replace(behindKey(), (_, before: string) => before + MASK)
    .replace(signature(), (_, before: string) => before + MASK)
    .replace(NAMED, (_, name: string) => name + MASK)
    .replace(SCHEME, (_, name: string) => name + MASK)
    .replace(BASIC_AUTH, (_, before: string) => before + MASK)
    .replace(ACCESS_KEY, maskAccessKeyId)
    .replace(RUN, maskIfRandom)
    .replace(SECRET_KEY, maskIfRandom);
}

function maskIfRandom(run: string): string {
  return /[a-z]/.test(run) && /[A-Z]/.test(run) && /\d/.test(run) ? MASK : run;
}

/** Words in the name of an option, variable or parameter whose value is not shown. */
const SECRET_NAME =
  /pass|pwd|secret|token|key|auth|credential|cookie|session|signature|bearer|jwt|\bpw\b|\bpin\b|\botp\b|dsn/i;
/** `-p value`, `-H value`, `-u user:value`: one letter tells nothing, so what follows it is not shown. */
const SHORT_OPTION = /^-[A-Za-z]$/;
/** `-phunter2`, the form of MySQL's and other clients. */
const PASSWORD_ATTACHED = /^(-[pPaw])(?=.)[^=].*$/s;
/** What stands before the at sign in a URL, and a name with a password where the URL has no scheme. */
const USER_INFO = /(:\/\/)\S{0,4096}@/g;
const NAME_AND_PASSWORD = /(^|[\s"'=,])[\w.+-]{1,64}:[^\s@/]{1,256}@(?=[\w[])/g;
/** Tokens whose beginning says whose they are, signed ones (JWT), and private keys. */
const ISSUED =
  /(?<![A-Za-z0-9])(?:(?:gh[oprsu]_|github_pat_|glpat-|xox[a-z]-|xapp-|[rs]k_(?:live|test)_|AIza|npm_|hf_|dop_v1_|ya29\.|SG\.|eyJ)[\w.+/=~-]{8,}|sk-(?=[\w-]{0,64}\d)[\w-]{16,})/g;
const PRIVATE_KEY = /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*/s;

/**
 * A command line for a log: arguments joined by spaces, at most `max` characters, without what is or may be a secret.
 * Not shown are values of options and assignments whose name speaks of one (`--password x`, `DB_TOKEN=x`), of options
 * with one letter (`-p x`), what follows `Bearer` or `Basic`, what stands before the at sign in a URL, tokens in a form
 * that tells who issued them, private keys, and whatever {@link maskSecrets} knows. The program itself and its script
 * are shown.
 */
export function maskArguments(argv: readonly string[], max: number): string {
  let hideNext = false;
  const shown = argv.map((whole, index) => {
    // What is cut off here would not be shown either.
    const argument = whole.slice(0, 8 * max);
    const isOption = argument.startsWith("-") && argument !== "-";
    const hide = hideNext && !(isOption && SHORT_OPTION.test(argv[index - 1] ?? ""));
    hideNext = false;
    if (hide) return MASK;
    if (/^(?:bearer|basic)$/i.test(argument)) hideNext = true;
    // With `node -e` the first argument is not a script.
    if (index === 0) return maskSecrets(argument);
    const equals = argument.indexOf("=");
    if (equals > 0 && SECRET_NAME.test(argument.slice(0, equals))) return argument.slice(0, equals + 1) + MASK;
    if (isOption && equals === -1) {
      if (SHORT_OPTION.test(argument) || SECRET_NAME.test(argument)) hideNext = true;
      else if (PASSWORD_ATTACHED.test(argument)) return argument.slice(0, 2) + MASK;
    }
    const known = argument
      .replace(PRIVATE_KEY, MASK)
      .replace(USER_INFO, `$1${MASK}@`)
      .replace(NAME_AND_PASSWORD, `$1${MASK}@`)
      .replace(ISSUED, MASK);
    return maskSecrets(known.replace(/\b((?:bearer|basic)\s+)\S.*/is, `$1${MASK}`));
  });
  return boundText(shown.join(" "), max);
}

/** The same text in memory of its own: a part of a longer one, which is all that is needed of it, keeps it otherwise. */
export function detached(value: string): string {
  return Buffer.from(value, "utf16le").toString("utf16le");
}
