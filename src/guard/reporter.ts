/** Where the events of one guard go: the sinks its options and settings name. */
import { printable } from "../base/text.js";
import { loadExtra } from "../base/extra.js";
import type { Reporter } from "../events/reporter.js";
import { createReporter } from "../events/reporter.js";
import type { Sink } from "../events/sinks.js";
import { callbackSink, diagnosticsChannelSink, loggerSink, stderrSink } from "../events/sinks.js";
import type { GuardOptions } from "../settings/options.js";
import type { Resolved } from "../settings/resolve.js";
import type { System } from "../base/system.js";

/** A reporter for the time when settings could not be resolved: it rests on the options alone. */
export function plainReporter(options: GuardOptions, system: System): Reporter {
  return createReporter({ system, sinks: plainSinks(options, options.log ?? "warning") });
}

/**
 * The reporter that the settings ask for.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` where `telemetry` names what is not installed
 */
export async function openReporter(
  options: GuardOptions,
  { log, eventsFile: file, eventFormat, telemetry }: Resolved,
  system: System,
): Promise<Reporter> {
  const sinks = plainSinks(options, log);
  if (file !== undefined) {
    // What is written as it is needs no encoder, and loading one costs time.
    const [{ fileSink }, encoders] = await Promise.all([
      import("../events/file-sink.js"),
      eventFormat === "json"
        ? undefined
        : loadExtra("encode", `eventFormat ${eventFormat}`, () => import("../events/encode.js")),
    ]);
    const onFailure = (code: string): void => {
      reporter.report("events.file_failing", {
        message: `Events cannot be written to ${printable(file, 200)} (${code}); up to 256 wait for it`,
        advice: "Name a regular file in an existing directory that this process may write.",
      });
    };
    sinks.push(fileSink(file, { encode: encoders?.encoderOf(eventFormat), onFailure }));
  }
  if (telemetry === "opentelemetry") {
    const { openTelemetrySink } = await loadExtra("openTelemetry", "telemetry opentelemetry", () => {
      return import("../events/opentelemetry.js");
    });
    sinks.push(await openTelemetrySink());
  }
  const reporter = createReporter({ system, sinks });
  return reporter;
}

function plainSinks(options: GuardOptions, log: Resolved["log"]): Sink[] {
  const sinks = [stderrSink({ threshold: log }), diagnosticsChannelSink()];
  if (options.onEvent) sinks.push(callbackSink(options.onEvent));
  if (options.logger) sinks.push(loggerSink(options.logger));
  return sinks;
}
