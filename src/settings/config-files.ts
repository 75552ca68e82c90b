/** Reads the shared config and credentials files: checked strictly first, then parsed by the SDK's own loader. */
import { homedir } from "node:os";
import { join } from "node:path";
import { ImdsGuardSettingsError, printable } from "../errors.js";
import { loadIniFiles } from "../sdk.js";
import type { System } from "../system.js";

/** The largest shared config file that is read, in bytes. */
export const MAX_CONFIG_FILE = 1024 * 1024;

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
  /** Whether the unusable file mentions settings of this package, so that ignoring it could loosen them. */
  readonly mentionsGuard?: boolean;
}

/**
 * Reads the profile `name` from both files. A file that is absent counts as empty; one that is a directory, unreadable,
 * larger than 1 MiB, not text or not INI is a problem that names the file and the line. The SDK's loader would read
 * all of these as "no settings", and a setting that vanishes silently must not open IMDS.
 */
export async function readProfile(name: string, locations: ConfigFileLocations, system: System): Promise<ProfileRead> {
  const configFilepath = locate(locations.configFilepath, "AWS_CONFIG_FILE", "config", system);
  const filepath = locate(locations.filepath, "AWS_SHARED_CREDENTIALS_FILE", "credentials", system);

  let found = false;
  for (const [path, setting] of [[configFilepath, "AWS_CONFIG_FILE"], [filepath, "AWS_SHARED_CREDENTIALS_FILE"]] as const) {
    const read = system.readFile(path, MAX_CONFIG_FILE);
    if (read.kind === "absent") continue;
    const complaint = read.kind === "content" ? complaintAbout(read.bytes) : unreadable(read);
    if (complaint !== undefined) {
      const mentionsGuard = read.kind === "content" && read.bytes.includes("imds_guard_");
      return { name, profile: {}, problem: unusable(path, setting, complaint), mentionsGuard };
    }
    found = true;
  }
  // Loading the SDK's loader costs as much as everything else together; without a file there is nothing to load.
  if (!found) return { name, profile: {} };
  const { parseKnownFiles } = await loadIniFiles();
  const profiles = await parseKnownFiles({ filepath, configFilepath, ignoreCache: true });
  return { name, profile: Object.hasOwn(profiles, name) ? (profiles[name] ?? {}) : {} };
}

function locate(given: string | undefined, variable: string, file: string, system: System): string {
  const path = given ?? system.env[variable];
  if (path === undefined || path === "") return join(home(system), ".aws", file);
  return path.startsWith("~/") ? join(home(system), path.slice(2)) : path;
}

/** The home directory as the SDK's loader finds it, so that both read the same files. */
function home(system: System): string {
  const { HOME, USERPROFILE, HOMEPATH, HOMEDRIVE = "C:" } = system.env;
  if (HOME) return HOME;
  if (USERPROFILE) return USERPROFILE;
  return HOMEPATH ? `${HOMEDRIVE}${HOMEPATH}` : homedir();
}

function unreadable(read: { kind: "unreadable"; code: string } | { kind: "too-large"; limit: number }): string {
  if (read.kind === "too-large") return `it is larger than ${read.limit} bytes`;
  if (read.code === "EISDIR") return "it is a directory";
  return `it cannot be read (${read.code})`;
}

/** Says what keeps bytes from being a shared config file, or undefined. The first bad line is named by number. */
export function complaintAbout(bytes: Buffer): string | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return "it is not UTF-8 text";
  }
  if (text.includes("\0")) return "it contains NUL bytes";
  let inSection = false;
  let afterProperty = false;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = (raw.split(/(^|\s)[;#]/)[0] ?? "").trim();
    if (line === "") continue;
    if (line.startsWith("[")) {
      if (!line.endsWith("]")) return `line ${index + 1} begins a section and does not close it`;
      inSection = true;
      afterProperty = false;
      continue;
    }
    const indented = /^\s/.test(raw);
    if (indented && afterProperty) continue;
    if (line.indexOf("=") <= 0) return `line ${index + 1} is neither a section nor "name = value"`;
    if (!inSection) return `line ${index + 1} stands before the first section`;
    afterProperty = true;
  }
  return undefined;
}

function unusable(path: string, setting: string, complaint: string): ImdsGuardSettingsError {
  return new ImdsGuardSettingsError("ERR_IMDS_GUARD_CONFIG_FILE", `The shared config file ${printable(path, 200)} cannot be used: ${complaint}`, {
    evidence: [{ source: path, says: complaint }],
    advice: `Repair or remove the file, or point ${setting} at another one. Allowed: UTF-8 text of "[profile name]" sections and "name = value" lines, at most 1 MiB.`,
  });
}
