/** The shared config and credentials files: read through one bounded reader, judged, and taken apart by profile. */
import { fact, ImdsGuardSettingsError } from "../base/errors.js";
import { printable } from "../base/text.js";
import type { System } from "../base/system.js";
import type { IniSection } from "./ini.js";
import { complaintAbout, complaintAboutNames, parseIni } from "./ini.js";
import type { ConfigFileLocations, FileKind, Location } from "./locations.js";
import { adviceToAllow, FILE_KINDS, FILE_VARIABLES, locationOf, mentions, namesGuard } from "./locations.js";
import { readSharedFile } from "./shared-file.js";

export type { ConfigFileLocations } from "./locations.js";

/** Keys of one profile, without a prototype. */
export type Profile = Readonly<Record<string, string | undefined>>;

/** What one file says about one profile in keys of this package. A key that stands there twice has two values. */
export interface OwnKeys {
  readonly kind: FileKind;
  readonly keys: ReadonlyMap<string, readonly string[]>;
}

/** A profile, and what is wrong with a file if one could not be used. */
export interface ProfileRead {
  readonly name: string;
  /** Whether a file has a section of that name. */
  readonly exists: boolean;
  /** Its keys as the SDK's loader has them. */
  readonly profile: Profile;
  /** Its keys of this package, the file whose word comes first in front. */
  readonly own: readonly OwnKeys[];
  /** Set when a file exists but cannot be used. The profile is then empty. */
  readonly problem: ImdsGuardSettingsError | undefined;
  /**
   * With a problem: whether it concerns more than IMDS, because settings of this package are lost with the file, or may
   * be, or because whoever opened it would wait for ever.
   */
  readonly refusesAll: boolean;
  /** A default file in the home of another user, which is passed over. */
  readonly passedOver: ImdsGuardSettingsError | undefined;
}

interface SharedFile {
  readonly kind: FileKind;
  readonly sections: readonly IniSection[];
}

interface Problem {
  readonly error: ImdsGuardSettingsError;
  readonly endless: boolean;
}

/**
 * Reads the profile `name` from both files. A file that is absent or `/dev/null` counts as empty. One that cannot be
 * read or is endless is a problem; so is one with a line that the SDK does not read as it was meant, where the file
 * speaks of this package or of IMDS: a setting that vanishes silently must not open IMDS.
 */
export function readProfile(name: string, locations: ConfigFileLocations, system: System): ProfileRead {
  const { files, problems, passedOver, guard } = readFiles(name, locations, system);
  const [first] = problems;
  if (first !== undefined) {
    const refusesAll = guard || problems.some(({ endless }) => endless);
    return { name, exists: true, profile: emptyProfile(), own: [], problem: first.error, refusesAll, passedOver };
  }
  return {
    name,
    exists: files.some(({ sections }) => sections.some(({ profile }) => profile === name)),
    profile: mergedProfile(files, name),
    own: files.toReversed().map((file) => ({ kind: file.kind, keys: ownKeysOf(file, name) })),
    problem: undefined,
    refusesAll: false,
    passedOver,
  };
}

/** Every profile of both files. */
export interface AllProfilesRead {
  /** By name, without a prototype. Undefined where a file could not be used. */
  readonly profiles: Readonly<Record<string, Profile | undefined>> | undefined;
  /** Whether each file ends with a whole line. */
  readonly whole: boolean;
}

/** Reads every profile of both files, as the SDK's loader has them, on behalf of the profile `name`. */
export function readAllProfiles(
  name: string,
  locations: ConfigFileLocations,
  system: Pick<System, "env" | "platform" | "readFile">,
): AllProfilesRead {
  const { files, problems, whole } = readFiles(name, locations, system);
  if (problems.length > 0) return { profiles: undefined, whole };
  const names = new Set(files.flatMap(({ sections }) => sections.map(({ profile }) => profile)));
  const profiles = Object.create(null) as Record<string, Profile | undefined>;
  for (const each of names) profiles[each] = mergedProfile(files, each);
  return { profiles, whole };
}

interface FilesRead {
  readonly files: readonly SharedFile[];
  readonly problems: readonly Problem[];
  readonly passedOver: ImdsGuardSettingsError | undefined;
  /** Whether one of them speaks of this package. */
  readonly guard: boolean;
  /** Whether each ends with a whole line. */
  readonly whole: boolean;
}

function readFiles(
  name: string,
  locations: ConfigFileLocations,
  system: Pick<System, "env" | "platform" | "readFile">,
): FilesRead {
  const places = { config: locations.configFilepath, credentials: locations.filepath };
  const files: SharedFile[] = [];
  const problems: Problem[] = [];
  let passedOver: ImdsGuardSettingsError | undefined;
  let guard = false;
  let whole = true;
  for (const kind of FILE_KINDS) {
    const location = locationOf(kind, system, places[kind]);
    const read = readSharedFile(location, system);
    if (read.kind === "absent") continue;
    if (read.kind === "of-another-user") {
      passedOver ??= unusable(location, read.says, repair(kind));
      continue;
    }
    if (read.kind === "unusable") {
      const advice = read.byNode === true ? adviceToAllow(system) : repair(kind);
      problems.push({ error: unusable(location, read.says, advice), endless: read.endless });
      continue;
    }
    const { bytes } = read;
    const said = mentions(bytes);
    guard ||= said.guard;
    const text = bytes.toString("utf8");
    whole &&= text.length === 0 || text.endsWith("\n");
    const complaint = said.guard || said.imds ? complaintAbout(bytes, kind, name) : complaintAboutNames(text, kind);
    if (complaint !== undefined) problems.push({ error: unusable(location, complaint, repair(kind)), endless: false });
    else files.push({ kind, sections: parseIni(text, kind) });
  }
  return { files, problems, passedOver, guard, whole };
}

function emptyProfile(): Record<string, string | undefined> {
  return Object.create(null) as Record<string, string | undefined>;
}

function mergedProfile(files: readonly SharedFile[], name: string): Profile {
  const merged = emptyProfile();
  for (const { sections } of files) {
    let own = sections.filter(({ profile }) => profile === name);
    // Both forms are there of the default profile in the config file alone.
    if (own.some(({ prefixed, entries }) => prefixed && holds(entries))) own = own.filter(({ prefixed }) => prefixed);
    for (const { entries } of own) for (const { key, value } of entries) if (value !== "") merged[key] = value;
  }
  return merged;
}

function holds(entries: IniSection["entries"]): boolean {
  return entries.some(({ value }) => value !== "");
}

function ownKeysOf({ sections }: SharedFile, name: string): ReadonlyMap<string, readonly string[]> {
  const keys = new Map<string, string[]>();
  for (const { profile, entries } of sections) {
    if (profile !== name) continue;
    for (const { key, value } of entries) {
      if (!namesGuard(key)) continue;
      const values = keys.get(key);
      if (values === undefined) keys.set(key, [value]);
      else values.push(value);
    }
  }
  return keys;
}

function repair(kind: FileKind): string {
  return `Repair or remove the file, or point ${FILE_VARIABLES[kind]} at another one. Allowed: UTF-8 text of "[profile name]" sections and "name = value" lines, at most 1 MiB.`;
}

function unusable({ path }: Location, complaint: string, advice: string): ImdsGuardSettingsError {
  return new ImdsGuardSettingsError(
    "ERR_IMDS_GUARD_CONFIG_FILE",
    `The shared config file ${printable(path, 200)} cannot be used: ${complaint}`,
    { evidence: [fact(path, complaint)], advice },
  );
}
