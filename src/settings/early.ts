/** The settings that a preload needs before the program starts. */
import type { System } from "../base/system.js";
import { choose } from "./choose.js";
import type { GuardOptions } from "./options.js";
import { readSources } from "./resolve.js";
import type { EarlySettings } from "./early-defaults.js";
import { EARLY_DEFAULTS } from "./early-defaults.js";

/** The accounts that are expected, from environment, profile and the machine's own file. Errors as below. */
export function readExpectedAccounts(system: System): readonly string[] {
  return (choose("expectedAccounts", readSources({}, system))?.value as readonly string[] | undefined) ?? [];
}

/**
 * Reads the firewall's settings from options, environment, profile and the machine's own file.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` for a word that is not allowed, `ERR_IMDS_GUARD_CONFIG_FILE`
 * for an unusable file that mentions settings of this package
 */
export function readEarlySettings(
  options: Pick<GuardOptions, "firewall" | "firewallAllow">,
  system: System,
): EarlySettings {
  const sources = readSources(options, system);
  const pick = <Name extends keyof EarlySettings>(name: Name): EarlySettings[Name] =>
    (choose(name, sources)?.value as EarlySettings[Name] | undefined) ?? EARLY_DEFAULTS[name];
  return {
    firewall: pick("firewall"),
    firewallAllow: pick("firewallAllow"),
    firewallAnswers: pick("firewallAnswers"),
    egress: pick("egress"),
    log: pick("log"),
    eventsFile: pick("eventsFile"),
    eventFormat: pick("eventFormat"),
    telemetry: pick("telemetry"),
  };
}
