/** Events of the firewall, before any guard exists: the reporter is made at the first of them. */
import type { EventCode, EventDetails } from "../events/catalogue.js";
import { encoderOf } from "../events/encode.js";
import { fileSink } from "../events/file-sink.js";
import { createReporter } from "../events/reporter.js";
import type { Reporter } from "../events/reporter.js";
import type { Sink } from "../events/sinks.js";
import { diagnosticsChannelSink, stderrSink } from "../events/sinks.js";
import type { EarlySettings } from "../settings/early.js";
import { realSystem } from "../system.js";

/** Reports to the sinks that the settings name, and to `extra`. */
export function earlyReporter({ log, eventsFile, eventFormat }: Pick<EarlySettings, "log" | "eventsFile" | "eventFormat">, extra?: Sink): (code: EventCode, details: EventDetails) => void {
  let reporter: Reporter | undefined;
  return (code, details) => {
    reporter ??= createReporter({
      system: realSystem,
      sinks: [stderrSink({ threshold: log }), diagnosticsChannelSink(), ...(extra ? [extra] : []), ...(eventsFile === undefined ? [] : [fileSink(eventsFile, { encode: encoderOf(eventFormat) })])],
    });
    reporter.report(code, details);
  };
}
