/** Reads the shared config and credentials files: checked strictly first, then parsed by the SDK's own loader. */
import { ImdsGuardSettingsError } from "../base/errors.js";
import { printable } from "../base/text.js";
import { loadIniFiles } from "../base/load-sdk.js";
import type { System } from "../base/system.js";
import { FILE_KINDS, FILE_VARIABLES, locate, MAX_CONFIG_FILE, mentionsGuard } from "./locations.js";
import type { FileKind } from "./locations.js";

/** Keys of one profile. */
export type Profile = Readonly<Record<string, string | undefined>>;

/** Where the files are, as the SDK's providers take it in their `init`. */
export interface ConfigFileLocations {
  readonly filepath?: string | undefined;
  readonly configFilepath?: string | undefined;
}

/** The selected profile, and what is wrong with a file if one could not be used. */
export interface ProfileRead {
  readonly name: string;
  readonly profile: Profile;
  /** Set when a file exists but cannot be used. The profile is then empty. */
  readonly problem?: ImdsGuardSettingsError;
  /** With a problem: whether a file mentions settings of this package, so that ignoring it could loosen them. */
  readonly mentionsGuard?: boolean;
}

/**
 * Reads the profile `name` from both files. A file that is absent counts as empty; one that is a directory, unreadable,
 * larger than 1 MiB, not text or not INI is a problem that names the file and the line. The SDK's loader would read
 * all of these as "no settings", and a setting that vanishes silently must not open IMDS.
 */
export async function readProfile(name: string, locations: ConfigFileLocations, system: System): Promise<ProfileRead> {
  const paths = {
    config: locate("config", system, locations.configFilepath),
    credentials: locate("credentials", system, locations.filepath),
  };
  let problem: ImdsGuardSettingsError | undefined;
  let found = false;
  let mentioned = false;
  for (const kind of FILE_KINDS) {
    const path = paths[kind];
    const read = system.readFile(path, MAX_CONFIG_FILE);
    if (read.kind === "absent") continue;
    found = true;
    if (read.kind === "content") mentioned ||= mentionsGuard(read.bytes);
    const complaint = read.kind === "content" ? complaintAbout(read.bytes, kind, name) : unreadable(read);
    if (complaint !== undefined) problem ??= unusable(path, FILE_VARIABLES[kind], complaint);
  }
  if (problem) return { name, profile: {}, problem, mentionsGuard: mentioned };
  // Loading the SDK's loader costs as much as everything else together; without a file there is nothing to load.
  if (!found) return { name, profile: {} };
  const { parseKnownFiles } = await loadIniFiles();
  const profiles = await parseKnownFiles({
    filepath: paths.credentials,
    configFilepath: paths.config,
    ignoreCache: true,
  });
  return { name, profile: Object.hasOwn(profiles, name) ? (profiles[name] ?? {}) : {} };
}

function unreadable(read: { kind: "unreadable"; code: string } | { kind: "too-large"; limit: number }): string {
  if (read.kind === "too-large") return `it is larger than ${read.limit} bytes`;
  if (read.code === "EISDIR") return "it is a directory";
  return `it cannot be read (${read.code})`;
}

/**
 * Says what keeps bytes from being a shared config file that the SDK's loader reads as it was meant, or undefined. The
 * first bad line is named by number. A byte order mark at the beginning is let pass, as the loader does.
 */
export function complaintAbout(bytes: Buffer, kind: FileKind, profile: string): string | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return "it is not UTF-8 text";
  }
  if (text.includes("\0")) return "it contains NUL bytes";
  let inSection = false;
  let property: "none" | "value" | "block" = "none";
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = withoutComment(raw);
    if (line === "") continue;
    const at = `line ${index + 1}`;
    if (line.startsWith("[")) {
      if (/\][;#]/.test(line)) return `${at} has a comment right behind a section; a space has to stand between them`;
      if (!line.endsWith("]")) return `${at} begins a section and does not close it`;
      const complaint = complaintAboutSection(line.slice(1, -1), kind, profile);
      if (complaint !== undefined) return `${at} ${complaint}`;
      inSection = true;
      property = "none";
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

function complaintAboutSection(section: string, kind: FileKind, profile: string): string | undefined {
  const read = sectionAsRead(section, kind);
  // The loader keeps profiles in plain objects: it would write into what every object inherits.
  if ([section, read].some((name) => name !== undefined && name in Object.prototype))
    return `names a profile ${printable(read ?? section)}, which the AWS SDK cannot hold`;
  if (read === profile || sectionAsMeant(section, kind) !== profile) return undefined;
  const form = kind === "config" && profile !== "default" ? `[profile ${profile}]` : `[${profile}]`;
  return `means profile ${printable(profile)} in a form that the AWS SDK for JavaScript passes over; it reads ${printable(form)}`;
}

/** What stands in the brackets of a line that is a section. */
export function sectionOf(line: string): string | undefined {
  const content = withoutComment(line);
  return content.startsWith("[") && content.endsWith("]") ? content.slice(1, -1) : undefined;
}

function withoutComment(line: string): string {
  return (line.split(/(^|\s)[;#]/)[0] as string).trim();
}

/** The profile that the loader makes of a section (parseIni and getConfigData of @smithy/core). */
export function sectionAsRead(section: string, kind: FileKind): string | undefined {
  const prefixed = /^([\w-]+)\s(["'])?([\w\-@+.%:/]+)\2$/.exec(section);
  if (kind === "credentials") return prefixed ? undefined : section;
  if (prefixed) return prefixed[1] === "profile" ? prefixed[3] : undefined;
  if (section === "default") return section;
  return section.startsWith("profile.") ? section.slice("profile.".length) : undefined;
}

/** The profile that whoever wrote a section had in mind, with any white space and quotes. */
function sectionAsMeant(section: string, kind: FileKind): string | undefined {
  const trimmed = section
    .trim()
    .replace(/^(["'])(.*)\1$/, "$2")
    .trim();
  if (kind === "credentials" || trimmed === "default") return trimmed;
  return /^profile\s+(["']?)(.*?)\s*\1$/.exec(trimmed)?.[2]?.trim();
}

/** The error for a file that exists and cannot be used. */
export function unusable(path: string, setting: string, complaint: string): ImdsGuardSettingsError {
  return new ImdsGuardSettingsError(
    "ERR_IMDS_GUARD_CONFIG_FILE",
    `The shared config file ${printable(path, 200)} cannot be used: ${complaint}`,
    {
      evidence: [{ source: path, says: complaint }],
      advice: `Repair or remove the file, or point ${setting} at another one. Allowed: UTF-8 text of "[profile name]" sections and "name = value" lines, at most 1 MiB.`,
    },
  );
}
