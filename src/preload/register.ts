/**
 * Preload: `node -r imds-guard/register app.js`. The firewall is on before the program's first module, and what the AWS
 * SDK asks of IMDS goes through a guard. Settings come from environment and profile. What delays the program is kept
 * small: only what decides is loaded, and what reads settings and tells of attempts when there is something to read or
 * tell.
 * @module imds-guard/register
 */
import type { Teller } from "../firewall/install.js";
import { install } from "../firewall/install.js";
import type { EarlySettings } from "../settings/unsaid.js";
import { nothingSaid, UNSAID } from "../settings/unsaid.js";
import { realSystem } from "../base/system.js";
import { leadSdkThroughGuard } from "../sdk/stock-modules.js";

/**
 * After the first socket it is loaded all the same: the file may be replaced or gone by the time something is tried.
 */
const LOAD_AFTER_MS = 1_000;
/** The program may put a clock of its own in its place. */
const { setTimeout: later } = globalThis;

function onDemand(): typeof import("./on-demand.js") {
  return require("./on-demand.js") as typeof import("./on-demand.js");
}

function settings(): EarlySettings {
  if (nothingSaid(realSystem)) return UNSAID;
  const { earlyReporter, isImdsGuardError, readEarlySettings } = onDemand();
  try {
    return readEarlySettings({}, realSystem);
  } catch (error) {
    if (!isImdsGuardError(error)) throw error;
    // A word that nobody understands must open nothing.
    earlyReporter(UNSAID)("settings.invalid", {
      message: error.message,
      evidence: error.evidence,
      advice: error.advice,
    });
    return UNSAID;
  }
}

const { firewall: mode, firewallAllow: allow, ...sinks } = settings();

function teller(): Teller {
  const { createTeller, earlyReporter } = onDemand();
  return createTeller(earlyReporter(sinks));
}

function prepare(): void {
  const load = (): void => {
    try {
      onDemand();
    } catch {
      // There is one more try with the first attempt, which is refused either way.
    }
  };
  later(load, LOAD_AFTER_MS).unref();
}

install({ mode, allow, early: true, onFirstSocket: prepare, teller });
leadSdkThroughGuard((file, error) => {
  onDemand().earlyReporter(sinks)("preload.module_unadapted", {
    message: `${file} is not led through imds-guard, so what it asks of IMDS is refused`,
    evidence: [{ source: file, value: String(error), says: "no build of the AWS SDK that imds-guard knows" }],
    advice: "Look for a newer imds-guard, or give this client clientConfig() of imds-guard.",
  });
});
