/**
 * Preload: `node -r imds-guard/register app.js`. The firewall is on before the program's first module, and what the AWS
 * SDK asks of IMDS goes through a guard. Settings come from environment and profile. What delays the program is kept
 * small: only what decides is loaded, and what reads settings and tells of attempts when there is something to read or
 * tell.
 * @module imds-guard/register
 */
import type { AttemptReporter } from "../firewall/install.js";
import { install } from "../firewall/install.js";
import type { Answers } from "../firewall/redirect.js";
import type { EarlySettings } from "../settings/early-defaults.js";
import { isUnconfigured, reportingVariables, EARLY_DEFAULTS } from "../settings/early-defaults.js";
import { isImdsGuardError } from "../base/errors.js";
import { loadExtra } from "../base/extra.js";
import { loadPlainly } from "../base/plain-load.js";
import { realSystem } from "../base/system.js";
import { settingsAndEvents } from "./load-settings-and-events.js";
import { adaptSdkModules } from "../sdk/stock-modules.js";

/**
 * After the first socket it is loaded all the same: the file may be replaced or gone by the time something is tried.
 */
const LOAD_AFTER_MS = 1_000;
/** The program may put a clock of its own in its place. */
const { setTimeout: later } = globalThis;

function settings(): EarlySettings {
  if (isUnconfigured(realSystem)) return EARLY_DEFAULTS;
  const { earlyReporter, readEarlySettings } = settingsAndEvents();
  try {
    return readEarlySettings({}, realSystem);
  } catch (error) {
    if (!isImdsGuardError(error)) throw error;
    // A word that nobody understands must open nothing.
    earlyReporter(EARLY_DEFAULTS)("settings.invalid", {
      message: error.message,
      evidence: error.evidence,
      advice: error.advice,
    });
    return EARLY_DEFAULTS;
  }
}

const { firewall: mode, firewallAllow: allow, firewallAnswers: level, egress, ...sinks } = loadPlainly(settings);

/** What the program put on `Object.prototype` shall not keep an attempt from being told. */
function reporter(): AttemptReporter {
  const { createAttemptReporter, earlyReporter } = settingsAndEvents();
  const { attempted, unavailable } = loadPlainly(() => createAttemptReporter(earlyReporter(sinks)));
  return {
    attempted: (...attempt) => loadPlainly(() => attempted(...attempt)),
    unavailable: (...runtime) => loadPlainly(() => unavailable(...runtime)),
  };
}

function prepare(): void {
  const load = (): void => {
    try {
      settingsAndEvents();
    } catch {
      // There is one more try with the first attempt, which is refused either way.
    }
  };
  later(load, LOAD_AFTER_MS).unref();
}

/** The responder is loaded with the first connection that is led there. */
function answers(): Answers {
  let loaded: Answers | undefined;
  return {
    async port() {
      const { createMetadataAnswers } = await loadExtra(
        "answers",
        "firewallAnswers",
        () => import("../sdk/metadata-answers.js"),
      );
      const { guardFor } = await import("../sdk/process-guards.js");
      return (loaded ??= createMetadataAnswers({
        guard: guardFor,
        level: level === "credentials" ? level : "metadata",
      })).port();
    },
    expect: (localPort, isOurs) => loaded?.expect(localPort, isOurs),
  };
}

loadPlainly(() => {
  install({
    mode,
    allow,
    early: true,
    onFirstSocket: prepare,
    reportingVariables: reportingVariables(sinks),
    reporter,
    answers: level === "off" ? undefined : answers,
  });
  if (egress === "report") {
    const { earlyReporter, readExpectedAccounts, watchEgress } = settingsAndEvents();
    watchEgress({ expectedAccounts: readExpectedAccounts(realSystem), report: earlyReporter(sinks) });
  }
  adaptSdkModules((file, error) => {
    settingsAndEvents().earlyReporter(sinks)("preload.module_unadapted", {
      message: `${file} is not led through imds-guard, so what it asks of IMDS is refused`,
      evidence: [{ source: file, value: String(error), says: "no build of the AWS SDK that imds-guard knows" }],
      advice: "Look for a newer imds-guard, or give this client clientConfig() of imds-guard.",
    });
  });
});
