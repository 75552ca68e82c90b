/** The state of a monitor in the text format of Prometheus. */
import { metricLabel } from "../base/text.js";
import { CATALOGUE } from "../events/catalogue.js";
import type { MonitorStatus } from "./monitor.js";
import type { OutputStatus } from "./output.js";

/** Media type of {@link metricsText}. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** What a monitor may report. A counter that begins at its first event shows whoever asks for an increase none. */
const NONE_YET: Readonly<Record<string, number>> = Object.fromEntries(
  Object.keys(CATALOGUE)
    .filter((code) => /^monitor\.|^imds\.(?:impersonation_detected|unverified_responder)$/.test(code))
    .map((code) => [code, 0]),
);

/** What a watch over logs counted of accounts that are not one's own. */
export interface ForeignAccounts {
  readonly expected: number;
  readonly reported: number;
  readonly counts: readonly {
    readonly account: string;
    readonly form: string;
    readonly level: string;
    readonly count: number;
  }[];
  readonly logs: readonly { readonly log: string; readonly bytes: number; readonly readable: boolean }[];
}

/** All metrics. `outputs` by name; `since` in milliseconds since the epoch. */
export function metricsText(
  status: MonitorStatus,
  outputs: Readonly<Record<string, OutputStatus>>,
  since: number,
  rss: number,
  foreign?: ForeignAccounts,
): string {
  const each = (pick: (output: OutputStatus) => number): Sample[] =>
    Object.entries(outputs).map(([output, state]) => [{ output }, pick(state)]);
  const blocks = [
    metric("imds_guard_start_time_seconds", "gauge", "When this monitor began.", [[{}, since / 1_000]]),
    metric("imds_guard_looks_total", "counter", "Looks that were finished.", [[{}, status.looks]]),
    metric("imds_guard_failed_looks_total", "counter", "Looks that could not be finished.", [[{}, status.failedLooks]]),
    metric(
      "imds_guard_last_look_timestamp_seconds",
      "gauge",
      "When the last look was finished.",
      status.lastLook === undefined ? [] : [[{}, Date.parse(status.lastLook) / 1_000]],
    ),
    metric(
      "imds_guard_last_look_duration_seconds",
      "gauge",
      "How long the last look took.",
      status.lastLookMs === undefined ? [] : [[{}, status.lastLookMs / 1_000]],
    ),
    metric("imds_guard_responder", "gauge", "1 while somebody answers as IMDSv2.", [[{}, status.responder ? 1 : 0]]),
    metric(
      "imds_guard_events_total",
      "counter",
      "Events that this monitor reported.",
      Object.entries({
        ...NONE_YET,
        ...status.reported,
        ...(foreign && { "egress.foreign_account": foreign.reported }),
      }).map(([code, count]) => [{ code }, count]),
    ),
    ...(foreign === undefined ? [] : foreignAccounts(foreign)),
    metric("imds_guard_not_followed_total", "counter", "Things that were not followed because there were too many.", [
      [{}, status.overflow],
    ]),
    metric(
      "imds_guard_output_delivered_total",
      "counter",
      "Events handed to an output.",
      each(({ delivered }) => delivered),
    ),
    metric(
      "imds_guard_output_waiting",
      "gauge",
      "Events that wait for an output.",
      each(({ waiting }) => waiting),
    ),
    metric(
      "imds_guard_output_dropped_total",
      "counter",
      "Events dropped because an output was away for too long.",
      each(({ dropped }) => dropped),
    ),
    metric("process_resident_memory_bytes", "gauge", "Resident memory of this process.", [[{}, rss]]),
  ];
  return blocks.join("");
}

function foreignAccounts({ expected, counts, logs }: ForeignAccounts): readonly string[] {
  return [
    metric("imds_guard_expected_accounts", "gauge", "Accounts that are one's own.", [[{}, expected]]),
    metric(
      "imds_guard_foreign_account_total",
      "counter",
      "What logs tell of accounts that are not one's own; high is signed with their keys.",
      counts.map(({ account, form, level, count }) => [{ account, form, level }, count]),
    ),
    metric(
      "imds_guard_log_read_bytes_total",
      "counter",
      "Bytes read of a log since the monitor began.",
      logs.map(({ log, bytes }) => [{ log }, bytes]),
    ),
    metric(
      "imds_guard_log_readable",
      "gauge",
      "1 while a log can be read.",
      logs.map(({ log, readable }) => [{ log }, readable ? 1 : 0]),
    ),
  ];
}

function metric(name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return "";
  const lines = samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Labels): string {
  const entries = Object.entries(labels);
  if (entries.length === 0) return "";
  return `{${entries.map(([name, value]) => `${name}="${metricLabel(value)}"`).join(",")}}`;
}
