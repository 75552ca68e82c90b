/**
 * Nothing else in this process reaches a metadata service: the firewall, and checks for URLs that users name.
 * @module imds-guard/firewall
 */
import { subscribe } from "node:diagnostics_channel";
import { fact, ImdsGuardSettingsError, invalidArgument } from "../base/errors.js";
import { callbackSink } from "../events/sinks.js";
import { EVENT_CHANNEL } from "../events/catalogue.js";
import type { GuardEvent } from "../events/catalogue.js";
import type { AllowWord } from "../settings/options.js";
import { ALLOW_WORDS } from "../settings/options.js";
import { realSystem } from "../base/system.js";
import { earlyReporter } from "./early-reporter.js";
import type { FirewallReport } from "./install.js";
import { install } from "./install.js";
import { createAttemptReporter } from "./attempt-reporter.js";
import { watchEgress } from "./egress.js";
import { readEarlySettings, readExpectedAccounts } from "../settings/early.js";

export { assertNotMetadataUrl, isMetadataAddress } from "./urls.js";
export type { MetadataUrlOptions, Resolve } from "./urls.js";
export type { FirewallMode, FirewallReport } from "./install.js";
export { ALLOW_WORDS } from "../settings/options.js";
export type { AllowWord } from "../settings/options.js";

/** Options of {@link installFirewall}. */
export interface FirewallOptions {
  /** `IMDS_GUARD_FIREWALL`, `imds_guard_firewall`. Default `block`, which wins from whichever source it comes. */
  readonly mode?: "block" | "report" | undefined;
  /** `IMDS_GUARD_FIREWALL_ALLOW`, `imds_guard_firewall_allow`. Services that may be reached. Default: none. */
  readonly allow?: readonly AllowWord[] | undefined;
  /** Receives the events, besides the sinks that the settings name. */
  readonly onEvent?: ((event: GuardEvent) => void) | undefined;
}

/**
 * From now on no connection of this thread, its workers and its Node children reaches a link-local metadata service,
 * but the guard's own: each fails as a connection does that the system refuses (`EACCES`, with an `ImdsRefusedError`
 * `ERR_IMDS_CONNECTION_BLOCKED` as cause), and is an event. Cannot be undone.
 *
 * @returns what it came to, and what it cannot close; `imds-guard/register` as a preload closes the most
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option, ImdsGuardSettingsError for a setting, that is not allowed
 * @example
 * ```ts
 * import { installFirewall } from "imds-guard/firewall";
 * const { notClosed } = installFirewall();
 * for (const hole of notClosed) console.log("not covered:", hole);
 * ```
 */
export function installFirewall(options: FirewallOptions = {}): FirewallReport {
  const { mode, allow, onEvent } = ownOptions(options);
  if (mode !== undefined && mode !== "block" && mode !== "report") throw invalidArgument("mode", mode, "block, report");
  if (
    allow !== undefined &&
    !(Array.isArray(allow) && allow.every((word: unknown) => (ALLOW_WORDS as readonly unknown[]).includes(word)))
  )
    throw invalidArgument("allow", allow, `a list of ${ALLOW_WORDS.join(", ")}`);
  if (onEvent !== undefined && typeof onEvent !== "function") throw invalidArgument("onEvent", onEvent, "a function");
  const settings = readEarlySettings(
    { firewall: mode, ...(allow !== undefined && allow.length > 0 && { firewallAllow: allow }) },
    realSystem,
  );
  // One for both, made where one of them asks.
  let early: ReturnType<typeof earlyReporter> | undefined;
  const reportEarly = () => (early ??= earlyReporter(settings, onEvent && callbackSink(onEvent)));
  const report = install({
    mode: settings.firewall,
    allow: settings.firewallAllow,
    early: false,
    reporter: () => createAttemptReporter(reportEarly()),
    // To the sinks that the settings name; this callback hears of it as any other listener does.
    onReportedElsewhere: () => onEvent && listen(onEvent),
  });
  if (settings.egress === "report")
    watchEgress({ expectedAccounts: readExpectedAccounts(realSystem), report: reportEarly() });
  if (settings.firewallAnswers !== "off" && !report.alreadyInstalled && report.mode === "block")
    throw new ImdsGuardSettingsError(
      "ERR_IMDS_GUARD_SETTING",
      `firewallAnswers is ${settings.firewallAnswers}, and installFirewall() has no guard that could answer`,
      {
        evidence: [fact("firewallAnswers", "from environment or profile", settings.firewallAnswers)],
        advice: "Use guard.installFirewall() of a guard, or the preload imds-guard/register. The firewall is on.",
      },
    );
  return report;
}

/** What was given itself, and nothing that it inherits. */
function ownOptions(options: unknown): FirewallOptions {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw invalidArgument("options", options, "an object with mode, allow and onEvent");
  const unknown = Object.keys(options).find((key) => !OPTIONS.includes(key));
  if (unknown !== undefined) throw invalidArgument(unknown, "given", `no option but ${OPTIONS.join(", ")}`);
  return Object.assign(Object.create(null) as object, options);
}

const OPTIONS: readonly string[] = ["mode", "allow", "onEvent"];

function listen(onEvent: (event: GuardEvent) => void): void {
  const sink = callbackSink(onEvent);
  subscribe(EVENT_CHANNEL, (message) => {
    const event = message as GuardEvent;
    if (event.code.startsWith("firewall.")) sink.write(event);
  });
}
