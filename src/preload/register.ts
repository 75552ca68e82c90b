/**
 * Preload: `node -r imds-guard/register app.js`. The firewall is on before the program's first module, and what the AWS
 * SDK asks of IMDS goes through a guard. Settings come from environment and profile.
 * @module imds-guard/register
 */
import { isImdsGuardError } from "../errors.js";
import { readEarlySettings } from "../settings/early.js";
import type { EarlySettings } from "../settings/early.js";
import { realSystem } from "../system.js";
import { earlyReporter } from "../firewall/early-reporter.js";
import { install } from "../firewall/install.js";
import { leadSdkThroughGuard } from "./stock-sdk.js";

const STRICT: EarlySettings = { firewall: "block", firewallAllow: [], log: "warning", eventsFile: undefined, eventFormat: "json", telemetry: "off" };

function settings(): EarlySettings {
  try {
    return readEarlySettings({}, realSystem);
  } catch (error) {
    if (!isImdsGuardError(error)) throw error;
    // A word that nobody understands must open nothing.
    earlyReporter(STRICT)("settings.invalid", { message: error.message, evidence: error.evidence, advice: error.advice });
    return STRICT;
  }
}

const { firewall: mode, firewallAllow: allow, ...sinks } = settings();
install({ mode, allow, early: true, report: earlyReporter(sinks) });
leadSdkThroughGuard();
