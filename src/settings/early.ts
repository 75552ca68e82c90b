/** The settings that a preload needs before the program starts: read at once, without the SDK's loader, which takes its time. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { System } from "../system.js";
import type { Profile } from "./config-files.js";
import { MAX_CONFIG_FILE } from "./config-files.js";
import type { GuardOptions, Settings } from "./options.js";
import { pickSetting } from "./resolve.js";

/** What the firewall has to know. */
export interface EarlySettings extends Pick<Settings, "firewall" | "firewallAllow"> {
  readonly log: NonNullable<GuardOptions["log"]>;
  readonly eventsFile: string | undefined;
}

/**
 * Reads the firewall's settings from options, environment and profile.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` for a word that is not allowed
 */
export function readEarlySettings(options: Pick<GuardOptions, "firewall" | "firewallAllow">, system: System): EarlySettings {
  const profile = ownKeys(system);
  const pick = <T>(name: Parameters<typeof pickSetting>[0], fallback: T): T => (pickSetting(name, options, system.env, profile) as T | undefined) ?? fallback;
  return {
    firewall: pick("firewall", "block"),
    firewallAllow: pick("firewallAllow", []),
    log: pick("log", "warning"),
    eventsFile: pick("eventsFile", undefined),
  };
}

/** This package's own keys of the selected profile; the credentials file wins, as in the SDK. */
function ownKeys({ env, readFile }: System): Profile {
  const name = env["AWS_PROFILE"] || "default";
  const home = env["HOME"] ?? env["USERPROFILE"] ?? homedir();
  const keys: Record<string, string> = {};
  for (const [path, config] of [[env["AWS_CONFIG_FILE"] || join(home, ".aws", "config"), true], [env["AWS_SHARED_CREDENTIALS_FILE"] || join(home, ".aws", "credentials"), false]] as const) {
    const read = readFile(path.startsWith("~/") ? join(home, path.slice(2)) : path, MAX_CONFIG_FILE);
    if (read.kind === "content" && read.bytes.includes("imds_guard_")) Object.assign(keys, keysOf(read.bytes.toString("utf8"), name, config));
  }
  return keys;
}

/** Sections of the config file are `[profile name]`, but for the default; those of the credentials file are `[name]`. */
function keysOf(text: string, name: string, config: boolean): Record<string, string> {
  const keys: Record<string, string> = {};
  let selected = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(profile\s+)?["']?([^\]"']*?)["']?\s*\]/.exec(line);
    if (section) {
      const named = section[1] !== undefined;
      selected = section[2] === name && (config ? named || name === "default" : !named);
    }
    const [, key, value] = (selected && /^(imds_guard_[a-z_]+)\s*=\s*(.*?)\s*(?:\s[#;].*)?$/.exec(line)) || [];
    if (key !== undefined && value !== undefined) keys[key] = value;
  }
  return keys;
}
