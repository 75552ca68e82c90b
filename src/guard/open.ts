/** Opens a guard: reads its settings, and makes what rests on them alone. */
import { detailsOf } from "../events/failure-events.js";
import type { TrustedKeys } from "../attest/trusted-keys.js";
import { parseTrustedKeys } from "../attest/trusted-keys.js";
import { ImdsGuardError } from "../base/errors.js";
import type { System } from "../base/system.js";
import type { ConfigFileLocations } from "../settings/locations.js";
import type { GuardOptions } from "../settings/options.js";
import { resolveSettings } from "../settings/resolve.js";
import { openReporter, plainReporter } from "./reporter.js";
import type { Opened } from "./stages.js";
import type { StsGateOptions } from "./sts.js";
import { createStsGate } from "./sts.js";

/** What a guard is opened with. */
export interface OpenInput {
  readonly options: GuardOptions;
  /** The keys that the options name, which were read when they were checked. */
  readonly keysOfOptions: TrustedKeys;
  readonly system: System;
  readonly locations: ConfigFileLocations;
  readonly sts?: StsGateOptions["sts"];
}

/** @throws ImdsGuardSettingsError for settings that cannot be honoured; that is an event, too */
export async function openGuard({ options, keysOfOptions, system, locations, sts }: OpenInput): Promise<Opened> {
  try {
    const resolved = await resolveSettings(options, system, locations);
    const { sources, certificates } = resolved.settings;
    const trustedKeys = sources["certificates"] === "option" ? keysOfOptions : trustedKeysOf(certificates);
    const connection = { ca: options.stsCa, proxy: options.stsProxy };
    const askSts = createStsGate({ settings: resolved.settings, connection, sts });
    const reporter = await openReporter(options, resolved, system);
    for (const warning of resolved.warnings) reporter.report(warning.code, warning);
    return { ...resolved, trustedKeys, askSts, reporter };
  } catch (error) {
    const fallback = plainReporter(options, system);
    if (error instanceof ImdsGuardError) fallback.report("settings.invalid", detailsOf(error));
    throw error;
  }
}

/** The keys in these: region and PEM text. */
export function trustedKeysOf(certificates: Iterable<readonly [region: string, pem: string]>): TrustedKeys {
  return new Map(Array.from(certificates, ([region, pem]) => [region, parseTrustedKeys(region, pem)] as const));
}
