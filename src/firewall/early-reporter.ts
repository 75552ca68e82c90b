/** Events of the firewall, before any guard exists: the reporter is made at the first of them. */
import { isImdsGuardError } from "../base/errors.js";
import type { EventDetails, GuardEvent } from "../events/catalogue.js";
import type { EventCode } from "../events/weights.js";
import { encoderOf } from "../events/encode.js";
import { fileSink, MAX_PENDING } from "../events/file-sink.js";
import { createReporter } from "../events/reporter.js";
import type { Reporter } from "../events/reporter.js";
import type { Sink } from "../events/sinks.js";
import { diagnosticsChannelSink, stderrSink } from "../events/sinks.js";
import { loadExtra } from "../base/extra.js";
import type { EarlySettings } from "../settings/early-defaults.js";
import { realSystem } from "../base/system.js";

/** Reports to the sinks that the settings name, and to `extra`. */
export function earlyReporter(
  settings: Omit<EarlySettings, "firewall" | "firewallAllow" | "firewallAnswers" | "egress">,
  extra?: Sink,
): (code: EventCode, details: EventDetails) => void {
  let reporter: Reporter | undefined;
  const report = (code: EventCode, details: EventDetails): void => {
    reporter ??= createReporter({
      system: realSystem,
      sinks: [...sinksOf(settings, report), ...(extra ? [extra] : [])],
    });
    reporter.report(code, details);
  };
  return report;
}

function sinksOf(
  { log, eventsFile, eventFormat, telemetry }: Parameters<typeof earlyReporter>[0],
  report: ReturnType<typeof earlyReporter>,
): Sink[] {
  const sinks = [stderrSink({ threshold: log }), diagnosticsChannelSink()];
  if (eventsFile !== undefined) sinks.push(fileSink(eventsFile, { encode: encoderOf(eventFormat) }));
  if (telemetry === "opentelemetry") sinks.push(telemetrySink(report));
  return sinks;
}

/**
 * OpenTelemetry is loaded with the first event and not before: a preload must not delay the program for what may never
 * happen.
 */
function telemetrySink(report: ReturnType<typeof earlyReporter>): Sink {
  let waiting: GuardEvent[] = [];
  let write = (event: GuardEvent): void => {
    if (waiting.length < MAX_PENDING) waiting.push(event);
  };
  const drop = (): void => undefined;
  loadExtra("openTelemetry", "telemetry opentelemetry", () => import("../events/opentelemetry.js"))
    .then(({ openTelemetrySink }) => openTelemetrySink())
    .then(
      (sink) => {
        write = (event) => sink.write(event);
        for (const event of waiting) write(event);
        waiting = [];
      },
      (error: unknown) => {
        write = drop;
        waiting = [];
        // The firewall stays as it is: what cannot be told is refused all the same.
        if (isImdsGuardError(error))
          report("settings.invalid", { message: error.message, evidence: error.evidence, advice: error.advice });
      },
    );
  return { write: (event) => write(event) };
}
