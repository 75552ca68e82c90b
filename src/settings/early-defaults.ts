/** The firewall's settings where nobody said anything, which is found out without loading what reads settings. */
import { resolve } from "node:path";
import type { EventFormat } from "../events/catalogue.js";
import type { System } from "../base/system.js";
import { FILE_KINDS, locationOf, MACHINE_FILE, mentionsGuard } from "./locations.js";
import type { GuardOptions, Settings } from "./options.js";
import { readSharedFile } from "./shared-file.js";

/** What the firewall has to know before the program starts. */
export interface EarlySettings extends Pick<Settings, "firewall" | "firewallAllow" | "firewallAnswers" | "egress"> {
  readonly log: NonNullable<GuardOptions["log"]>;
  readonly eventsFile: string | undefined;
  readonly eventFormat: EventFormat;
  readonly telemetry: "opentelemetry" | "off";
}

/** The defaults. They are the strictest, so that they hold too where what was said cannot be understood. */
export const EARLY_DEFAULTS: EarlySettings = {
  firewall: "block",
  firewallAllow: [],
  firewallAnswers: "off",
  egress: "off",
  log: "warning",
  eventsFile: undefined,
  eventFormat: "json",
  telemetry: "off",
};

/** Their variables. */
export const EARLY_VARIABLES: Readonly<Record<keyof EarlySettings, string>> = {
  firewall: "IMDS_GUARD_FIREWALL",
  firewallAllow: "IMDS_GUARD_FIREWALL_ALLOW",
  firewallAnswers: "IMDS_GUARD_FIREWALL_ANSWERS",
  egress: "IMDS_GUARD_EGRESS",
  log: "IMDS_GUARD_LOG",
  eventsFile: "IMDS_GUARD_EVENTS_FILE",
  eventFormat: "IMDS_GUARD_EVENT_FORMAT",
  telemetry: "IMDS_GUARD_TELEMETRY",
};

/** The variables by which a child reports as this process does; what is at its default is left out. */
export function reportingVariables(
  settings: Pick<EarlySettings, (typeof REPORTING)[number]>,
): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const setting of REPORTING) {
    const value = settings[setting];
    if (value === undefined || value === EARLY_DEFAULTS[setting]) continue;
    // A child may start in another directory.
    variables[EARLY_VARIABLES[setting]] = setting === "eventsFile" ? resolve(value) : value;
  }
  return variables;
}

const REPORTING = ["log", "eventsFile", "eventFormat", "telemetry"] as const;

/**
 * Whether neither these variables nor a file say anything; children are handed down the default for the firewall, which
 * is nothing new.
 */
export function isUnconfigured(system: System): boolean {
  for (const setting of Object.keys(EARLY_VARIABLES) as (keyof EarlySettings)[]) {
    const text = system.env[EARLY_VARIABLES[setting]];
    if (text !== undefined && text !== "" && !(setting === "firewall" && text === EARLY_DEFAULTS.firewall))
      return false;
  }
  if (system.platform !== "win32" && system.readFile(MACHINE_FILE, 0).kind !== "absent") return false;
  return FILE_KINDS.every((kind) => {
    const read = readSharedFile(locationOf(kind, system), system);
    return read.kind === "absent" || (read.kind === "content" && !mentionsGuard(read.bytes));
  });
}
