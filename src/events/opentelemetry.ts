/** Events as log records and as a counter of OpenTelemetry, through whichever API the application has installed. */
import { ImdsGuardSettingsError } from "../base/errors.js";
import { loadInstalled } from "../base/load-installed.js";
import { PACKAGE_VERSION } from "../base/package-version.js";
import { ipVersion } from "./address.js";
import { CATALOGUE } from "./catalogue.js";
import { isFinding } from "./weights.js";
import type { GuardEvent } from "./catalogue.js";
import type { Severity } from "./weights.js";
import { programName } from "./program-name.js";
import type { Sink } from "./sinks.js";
import { snakeCased } from "./snake-case.js";

/**
 * The part of OpenTelemetry's `LogRecord` that is written. Own types: those of an optional package must not reach ours.
 */
export interface OpenTelemetryRecord {
  /** `imds_guard.` and the code. */
  readonly eventName: string;
  readonly timestamp: Date;
  readonly severityNumber: number;
  readonly severityText: Severity;
  readonly body: string;
  /** Names of OpenTelemetry's semantic conventions where they have one, else under `imds_guard.` */
  readonly attributes: Readonly<Record<string, string | number | boolean | string[]>>;
}

interface Counter {
  add(value: number, attributes: Readonly<Record<string, string>>): void;
}

interface Meter {
  createCounter(name: string, options: { readonly description: string; readonly unit: string }): Counter;
}

/** What either of {@link APIS} exports; earlier versions of the first have no `logs`, the second has no `metrics`. */
interface ApiModule {
  readonly logs?: { getLogger(name: string, version: string): { emit(record: OpenTelemetryRecord): void } };
  readonly metrics?: { getMeter(name: string, version: string): Meter };
}

/**
 * The logs API moved from a package of its own into the common one (1.10), and the two do not know each other's
 * providers.
 */
const APIS = ["@opentelemetry/api", "@opentelemetry/api-logs"];

// As the data model of OpenTelemetry's logs maps the severities of syslog, which are the ones used here.
const SEVERITY_NUMBER: Readonly<Record<Severity, number>> = {
  info: 9,
  notice: 10,
  warning: 13,
  error: 17,
  critical: 18,
};

/** The event as a log record. */
export function toLogRecord(event: GuardEvent): OpenTelemetryRecord {
  const { code, severity, endpoint, responder, claimed, advice, evidence, refs, caller } = event;
  const name = programName(event);
  const local = responder?.localAddress ?? "";
  return {
    eventName: `imds_guard.${code}`,
    timestamp: new Date(event.time),
    severityNumber: SEVERITY_NUMBER[severity],
    severityText: severity,
    body: event.message,
    attributes: {
      "log.record.uid": event.id,
      "process.pid": caller.pid,
      ...(name !== "" && { "process.executable.name": name }),
      ...(endpoint && { "server.address": endpoint.address, "server.port": endpoint.port }),
      ...(ipVersion(local) !== 0 && { "network.local.address": local }),
      "security_rule.name": CATALOGUE[code].title,
      ...(refs[0] !== undefined && { "security_rule.reference": refs[0] }),
      "imds_guard.code": code,
      "imds_guard.action": event.action,
      "imds_guard.finding": isFinding(code),
      ...(claimed && snakeCased(claimed, "imds_guard.claimed.")),
      ...(responder && snakeCased(responder, "imds_guard.responder.")),
      // One text for each item: not every exporter and back end takes a list of objects.
      "imds_guard.evidence": evidence.map(({ source, value, says }) =>
        value === undefined ? `${source}: ${says}` : `${source} = ${value}: ${says}`,
      ),
      ...(advice !== "" && { "imds_guard.advice": advice }),
    },
  };
}

const COUNTER = "imds_guard.events";
const COUNTED = { description: "Events of imds-guard, by code", unit: "{event}" };

/**
 * Counts an event with the meter provider that is registered now; until there is one, the API's does nothing. The counter
 * is asked for each time: whether one made before a provider is there ever counts depends on the API's version, and SDKs
 * keep one for each name.
 */
function count(apis: readonly ApiModule[], { code, severity, action }: GuardEvent): void {
  const attributes = { "imds_guard.code": code, "imds_guard.severity": severity, "imds_guard.action": action };
  for (const { metrics } of apis)
    metrics?.getMeter("imds-guard", PACKAGE_VERSION).createCounter(COUNTER, COUNTED).add(1, attributes);
}

/**
 * Emits every event to the logger provider that the application has registered, and counts it by its meter provider:
 * `imds_guard.events`, by code, severity and action. Flushing is the providers', not the sink's.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` where no logs API is installed
 */
export async function openTelemetrySink(): Promise<Sink> {
  let cause: unknown;
  const absent = (error: unknown): ApiModule => {
    cause = error;
    return {};
  };
  const loaded = await Promise.all(APIS.map((name) => (loadInstalled(name) as Promise<ApiModule>).catch(absent)));
  const apis = loaded.flatMap(({ logs }) => logs ?? []);
  if (apis.length === 0) {
    throw new ImdsGuardSettingsError(
      "ERR_IMDS_GUARD_SETTING",
      "telemetry is opentelemetry, and no logs API of OpenTelemetry is installed",
      {
        advice:
          "Install @opentelemetry/api 1.10 or later with @opentelemetry/sdk-logs 3, or @opentelemetry/api-logs with @opentelemetry/sdk-logs 0.x; or set telemetry (IMDS_GUARD_TELEMETRY, imds_guard_telemetry) to off.",
        cause,
      },
    );
  }
  return {
    write(event) {
      const record = toLogRecord(event);
      // Asked for anew each time: an application may register its provider after its first credentials. One without a
      // provider drops it.
      for (const logs of apis) logs.getLogger("imds-guard", PACKAGE_VERSION).emit(record);
      count(loaded, event);
    },
  };
}
