/**
 * Reads the text of shared config files as the AWS SDK for JavaScript does (`parseIni` and `getConfigData` of
 * `@smithy/core`), line by line and in linear time, and says where that is not what was meant.
 */
import { printable, textOf } from "../base/text.js";
import type { FileKind } from "./locations.js";
import { withoutInvisible } from "./locations.js";

/** One setting of a section. */
export interface IniEntry {
  /** As the SDK names it: `region`, or `s3.addressing_style` within the block of another key. */
  readonly key: string;
  /** Empty where nothing stands behind the equals sign. The SDK then knows of no such key. */
  readonly value: string;
}

/** One section that is a profile. The same profile may have several. */
export interface IniSection {
  readonly profile: string;
  /** Whether the header is `[profile name]`. `[profile default]` comes before `[default]`. */
  readonly prefixed: boolean;
  readonly entries: readonly IniEntry[];
}

const LINE_END = /\r?\n/;
const UNCLOSED = "begins a section and does not close it";

/** The sections of a file that are profiles, in their order. */
export function parseIni(text: string, kind: FileKind): IniSection[] {
  const sections: IniSection[] = [];
  let entries: IniEntry[] | undefined;
  let block: string | undefined;
  for (const raw of text.split(LINE_END)) {
    const line = withoutComment(raw);
    const section = sectionIn(line);
    if (section !== undefined) {
      block = undefined;
      const profile = sectionAsRead(section, kind);
      entries = profile === undefined || profile === "" ? undefined : [];
      if (entries !== undefined) sections.push({ profile: profile as string, prefixed: section !== profile, entries });
      continue;
    }
    const equals = line.indexOf("=");
    if (entries === undefined || equals <= 0) continue;
    const name = line.slice(0, equals).trim();
    const value = line.slice(equals + 1).trim();
    if (value === "") {
      block = name;
      entries.push({ key: name, value });
      continue;
    }
    if (raw.trimStart() === raw) block = undefined;
    entries.push({ key: block === undefined ? name : `${block}.${name}`, value });
  }
  return sections;
}

/**
 * Says what keeps a text from being a shared config file that the SDK reads as it was meant, or undefined. The first
 * bad line is named by number.
 */
export function complaintAbout(bytes: Buffer, kind: FileKind, profile: string): string | undefined {
  let text: string;
  try {
    text = textOf(bytes, "dropped");
  } catch {
    return "it is not UTF-8 text";
  }
  if (text.includes("\0")) return "it contains NUL bytes";
  let inSection = false;
  let property: "value" | "block" | undefined;
  for (const [index, raw] of text.split(LINE_END).entries()) {
    const at = `line ${index + 1}`;
    const inner = /[\r\v\f\x1c-\x1e\x85\u2028\u2029]/.exec(raw.trim())?.[0];
    const line = withoutComment(raw);
    if (inner !== undefined) {
      const code = inner.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
      if (line.startsWith("[")) return `${at} ${UNCLOSED}: it goes on behind U+${code}`;
      return `${at} has a line end within (U+${code}) that the AWS SDK for JavaScript does not take for one`;
    }
    if (line === "") continue;
    if (line.startsWith("[")) {
      if (/\][;#]/.test(line)) return `${at} has a comment right behind a section; a space has to stand between them`;
      if (!line.endsWith("]")) return `${at} ${UNCLOSED}`;
      const complaint = complaintAboutSection(line.slice(1, -1), kind, profile);
      if (complaint !== undefined) return `${at} ${complaint}`;
      inSection = true;
      property = undefined;
      continue;
    }
    // What continues a value may be anything, what stands in a block may not.
    if (/^\s/.test(raw) && property === "value") continue;
    const equals = line.indexOf("=");
    if (equals <= 0) return `${at} is neither a section nor "name = value"`;
    if (!inSection) return `${at} stands before the first section`;
    if (/^\s/.test(raw) && property === "block") continue;
    property = equals === line.length - 1 ? "block" : "value";
  }
  return undefined;
}

/**
 * Says which profile of a file the SDK's loader cannot hold, whatever else the file is: it keeps profiles in plain
 * objects and would write into what every object inherits.
 */
export function complaintAboutNames(text: string, kind: FileKind): string | undefined {
  for (const [index, raw] of text.split(LINE_END).entries()) {
    const section = sectionIn(withoutComment(raw));
    const complaint = section === undefined ? undefined : complaintAboutName(section, kind);
    if (complaint !== undefined) return `line ${index + 1} ${complaint}`;
  }
  return undefined;
}

const INHERITED: ReadonlySet<string> = new Set([
  "__defineGetter__",
  "__defineSetter__",
  "__lookupGetter__",
  "__lookupSetter__",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "isPrototypeOf",
  "propertyIsEnumerable",
  "toLocaleString",
  "toString",
  "valueOf",
]);

function complaintAboutName(section: string, kind: FileKind): string | undefined {
  const read = sectionAsRead(section, kind);
  const held = [section, read].find((name) => name !== undefined && INHERITED.has(name));
  return held === undefined ? undefined : `names a profile ${printable(held)}, which the AWS SDK cannot hold`;
}

function complaintAboutSection(section: string, kind: FileKind, profile: string): string | undefined {
  const complaint = complaintAboutName(section, kind);
  if (complaint !== undefined) return complaint;
  if (sectionAsRead(section, kind) === profile || sectionAsMeant(section, kind) !== profile) return undefined;
  const form = kind === "config" && profile !== "default" ? `[profile ${profile}]` : `[${profile}]`;
  return `means profile ${printable(profile)} in a form that the AWS SDK for JavaScript passes over; it reads ${printable(form)}`;
}

function sectionIn(line: string): string | undefined {
  return line.startsWith("[") && line.endsWith("]") ? line.slice(1, -1) : undefined;
}

/** A line without its comment, which begins with `#` or `;` behind white space. */
export function withoutComment(line: string): string {
  const at = line.search(/(?:^|\s)[;#]/);
  return (at === -1 ? line : line.slice(0, at)).trim();
}

/** The profile that the loader makes of a section. */
export function sectionAsRead(section: string, kind: FileKind): string | undefined {
  const prefixed = /^([\w-]+)\s(["'])?([\w\-@+.%:/]+)\2$/.exec(section);
  if (kind === "credentials") return prefixed ? undefined : section;
  if (prefixed) return prefixed[1] === "profile" ? prefixed[3] : undefined;
  if (section === "default") return section;
  return section.startsWith("profile.") ? section.slice("profile.".length) : undefined;
}

/**
 * The profile that whoever wrote a section had in mind, with any white space, quotes and characters that nobody sees.
 */
export function sectionAsMeant(section: string, kind: FileKind): string | undefined {
  const meant = unquoted(withoutInvisible(section).trim());
  if (kind === "credentials" || meant === "default") return meant;
  return /^profile\s/.test(meant) ? unquoted(meant.slice("profile".length).trim()) : undefined;
}

function unquoted(text: string): string {
  const quote = text[0];
  const quoted = (quote === '"' || quote === "'") && text.length > 1 && text.endsWith(quote);
  return quoted ? text.slice(1, -1).trim() : text;
}
