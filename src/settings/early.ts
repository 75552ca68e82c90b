/**
 * The settings that a preload needs before the program starts: read at once, without the SDK's loader, which takes its
 * time.
 */
import type { System } from "../base/system.js";
import type { Profile } from "./config-files.js";
import { complaintAbout, sectionAsRead, sectionOf, unusable } from "./config-files.js";
import type { FileKind } from "./locations.js";
import { FILE_KINDS, FILE_VARIABLES, locate, MAX_CONFIG_FILE, mentionsGuard } from "./locations.js";
import type { GuardOptions } from "./options.js";
import { pickSetting } from "./resolve.js";
import type { EarlySettings } from "./unsaid.js";
import { UNSAID } from "./unsaid.js";

/**
 * Reads the firewall's settings from options, environment and profile.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` for a word that is not allowed, `ERR_IMDS_GUARD_CONFIG_FILE`
 * for
 * an unusable file that mentions settings of this package
 */
export function readEarlySettings(
  options: Pick<GuardOptions, "firewall" | "firewallAllow">,
  system: System,
): EarlySettings {
  const profile = ownKeys(system);
  const pick = <Name extends keyof EarlySettings>(name: Name): EarlySettings[Name] =>
    (pickSetting(name, options, system.env, profile) as EarlySettings[Name] | undefined) ?? UNSAID[name];
  return {
    firewall: pick("firewall"),
    firewallAllow: pick("firewallAllow"),
    log: pick("log"),
    eventsFile: pick("eventsFile"),
    eventFormat: pick("eventFormat"),
    telemetry: pick("telemetry"),
  };
}

/** This package's own keys of the selected profile; the credentials file wins, as in the SDK. */
function ownKeys(system: System): Profile {
  const name = system.env["AWS_PROFILE"] || "default";
  const keys: Record<string, string> = {};
  for (const kind of FILE_KINDS) {
    const path = locate(kind, system);
    const read = system.readFile(path, MAX_CONFIG_FILE);
    if (read.kind !== "content" || !mentionsGuard(read.bytes)) continue;
    const complaint = complaintAbout(read.bytes, kind, name);
    if (complaint !== undefined) throw unusable(path, FILE_VARIABLES[kind], complaint);
    Object.assign(keys, keysOf(read.bytes.toString("utf8"), name, kind));
  }
  return keys;
}

/**
 * Sections of the config file are `[profile name]`, but for the default; those of the credentials file are `[name]`.
 */
function keysOf(text: string, name: string, kind: FileKind): Record<string, string> {
  const keys: Record<string, string> = {};
  let selected = false;
  for (const line of text.split(/\r?\n/)) {
    const section = sectionOf(line);
    if (section !== undefined) selected = sectionAsRead(section, kind) === name;
    const [, key, value] = (selected && /^(imds_guard_[a-z_]+)\s*=\s*(.*?)\s*(?:\s[;#].*)?$/.exec(line)) || [];
    if (key !== undefined && value !== undefined) keys[key] = value;
  }
  return keys;
}
