/**
 * How often version 1 was used: the metrics MetadataNoToken and MetadataNoTokenRejected of CloudWatch, by the hour, for up
 * to 250 instances a call.
 */
import type { AwsApi } from "./aws-api.js";
import { listIn, textIn } from "./answers.js";

/** Sums of one instance. */
export interface Counts {
  /** Calls of version 1 that were answered. */
  readonly calls: number;
  /** ISO 8601, the beginning of an hour, or of a minute where {@link sharpen} found it. */
  readonly last?: string | undefined;
  readonly since?: string | undefined;
  /** Calls of version 1 where tokens are required. */
  readonly rejected: number;
  /** CloudWatch gave no whole answer: its status. */
  readonly incomplete?: string | undefined;
}

/** An hour, in milliseconds: CloudWatch keeps sums of an hour for 455 days. */
export const HOUR_MS = 3_600_000;
/** GetMetricData takes so many queries; there are two for each instance. */
const QUERIES = 500;
const METRICS = ["MetadataNoToken", "MetadataNoTokenRejected"] as const;
const AT_ONCE = QUERIES / METRICS.length;

interface Tally {
  calls: number;
  last: number;
  since: number;
  rejected: number;
  incomplete: string | undefined;
}

/**
 * Counts of `instanceIds` from `start` (milliseconds since the epoch, taken back to its hour) to `end`.
 * @throws the SDK's error
 */
export async function readCounts(
  api: AwsApi,
  instanceIds: readonly string[],
  start: number,
  end: number,
): Promise<ReadonlyMap<string, Counts>> {
  const found = new Map<string, Counts>();
  for (let from = 0; from < instanceIds.length; from += AT_ONCE)
    for (const [id, counts] of await countsOf(api, instanceIds.slice(from, from + AT_ONCE), start, end))
      found.set(id, counts);
  return found;
}

/** CloudWatch keeps sums of a minute for 15 days. */
const MINUTES_KEPT_MS = 15 * 24 * HOUR_MS;
/** Hours of last calls that are asked for by the minute: one call each. */
const MOST_HOURS = 20;

/**
 * The counts with the minute of each last call of `instanceIds` in place of its hour, as far as CloudWatch still has it.
 * @param now milliseconds since the epoch
 * @throws the SDK's error
 */
export async function sharpen(
  api: AwsApi,
  counts: ReadonlyMap<string, Counts>,
  instanceIds: readonly string[],
  now: number,
): Promise<ReadonlyMap<string, Counts>> {
  const byHour = new Map<number, string[]>();
  for (const id of instanceIds) {
    const last = counts.get(id)?.last;
    const hour = last === undefined ? Number.NaN : Date.parse(last);
    if (!(hour > now - MINUTES_KEPT_MS)) continue;
    const known = byHour.get(hour);
    if (known === undefined && byHour.size < MOST_HOURS) byHour.set(hour, [id]);
    else if (known !== undefined && known.length < AT_ONCE) known.push(id);
  }
  const sharp = new Map(counts);
  for (const [hour, ids] of byHour)
    for (const [id, { last }] of await countsOf(api, ids, hour, hour + HOUR_MS, 60, ["MetadataNoToken"])) {
      const known = counts.get(id);
      if (known !== undefined && last !== undefined) sharp.set(id, { ...known, last });
    }
  return sharp;
}

async function countsOf(
  api: AwsApi,
  ids: readonly string[],
  start: number,
  end: number,
  period = HOUR_MS / 1_000,
  metrics: readonly (typeof METRICS)[number][] = METRICS,
): Promise<readonly (readonly [string, Counts])[]> {
  const tallies = ids.map((): Tally => ({
    calls: 0,
    last: -Infinity,
    since: Infinity,
    rejected: 0,
    incomplete: undefined,
  }));
  const input = {
    StartTime: new Date(Math.floor(start / HOUR_MS) * HOUR_MS),
    EndTime: new Date(Math.ceil(end / HOUR_MS) * HOUR_MS),
    MetricDataQueries: ids.flatMap((id, index) =>
      metrics.map((name, metric) => ({
        Id: `m${metric}_${index}`,
        MetricStat: {
          Metric: { Namespace: "AWS/EC2", MetricName: name, Dimensions: [{ Name: "InstanceId", Value: id }] },
          Period: period,
          Stat: "Sum",
        },
      })),
    ),
  };
  for await (const page of api.pages("cloudwatch", "GetMetricData", input)) {
    for (const result of listIn(page, "MetricDataResults")) {
      const [, metric, index] = /^m([01])_(\d+)$/.exec(textIn(result, "Id") ?? "") ?? [];
      const tally = tallies[Number(index)];
      if (metric !== undefined && tally !== undefined) add(tally, metric === "0", result);
    }
  }
  return ids.map((id, index) => [id, countsFrom(tallies[index] as Tally)]);
}

function add(tally: Tally, answered: boolean, result: unknown): void {
  const values = listIn(result, "Values");
  for (const [index, stamp] of listIn(result, "Timestamps").entries()) {
    const time = stamp instanceof Date ? stamp.getTime() : Number.NaN;
    const value = values[index];
    if (typeof value !== "number" || Number.isNaN(time)) continue;
    if (answered) {
      tally.calls += value;
      tally.since = Math.min(tally.since, time);
      if (value > 0) tally.last = Math.max(tally.last, time);
    } else tally.rejected += value;
  }
  const status = textIn(result, "StatusCode");
  // PartialData is followed by the rest.
  if (answered && status !== undefined && status !== "Complete" && status !== "PartialData") tally.incomplete = status;
}

function countsFrom({ calls, last, since, rejected, incomplete }: Tally): Counts {
  return {
    calls,
    rejected,
    last: isoOf(last),
    since: isoOf(since),
    incomplete,
  };
}

function isoOf(time: number): string | undefined {
  return Number.isFinite(time) ? new Date(time).toISOString() : undefined;
}
