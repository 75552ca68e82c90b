/** What is to be done about one instance: a pure function of what was seen of it. */
import type { MetadataOptions } from "./metadata-options.js";

/** In the order in which they are decided; see {@link verdictOf}. */
export const VERDICTS = ["fine", "excepted", "unknown", "used", "safe"] as const;

/** `safe`: to enforce. `unknown`: it could not be told whether version 1 is used. */
export type Verdict = (typeof VERDICTS)[number];

/** What CloudWatch says of an instance over the days that were looked at. */
export type Counted =
  | {
      readonly kind: "counted";
      /** Sum of `MetadataNoToken`: answers without a token. */
      readonly calls: number;
      /** ISO 8601; the minute of the last of them, or its hour. */
      readonly last?: string | undefined;
      /** ISO 8601; the first hour of which something is known. */
      readonly since: string;
    }
  /** No data point: that is not zero calls. */
  | { readonly kind: "no-data" }
  | { readonly kind: "not-read"; readonly reason: string };

/** Calls of version 1 that other evidence shows, within the days. */
export interface Shown {
  readonly calls: number;
  readonly last?: string | undefined;
}

/** What {@link verdictOf} decides on. */
export interface Seen {
  readonly options: MetadataOptions;
  /** The tag that excepts the instance, `IMDS=v1`. */
  readonly exceptedBy?: string | undefined;
  readonly counted: Counted;
  readonly shown?: Shown | undefined;
}

/** A verdict with its reason, lower-case and without a full stop. */
export interface Judged {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly calls?: number | undefined;
  readonly last?: string | undefined;
}

/**
 * Required tokens are fine, tagged or not, and so is an endpoint that is off. Then the tag decides; then whether
 * CloudWatch could be asked and knew anything; then whether there was a call.
 */
export function verdictOf({ options, exceptedBy, counted, shown }: Seen): Judged {
  const { HttpTokens: tokens, HttpEndpoint: endpoint } = options;
  if (tokens === "required") return { verdict: "fine", reason: "tokens are required" };
  if (endpoint === "disabled") return { verdict: "fine", reason: "the metadata endpoint is disabled" };
  if (exceptedBy !== undefined) return { verdict: "excepted", reason: `tagged ${exceptedBy}` };
  if (counted.kind === "not-read") return { verdict: "unknown", reason: counted.reason };
  if (counted.kind === "no-data")
    return { verdict: "unknown", reason: "CloudWatch has no data point of MetadataNoToken, which is not zero calls" };
  const evidence = shown !== undefined && shown.calls > 0 ? shown : undefined;
  if (counted.calls > 0) {
    const last = later(counted.last, evidence?.last);
    return { verdict: "used", reason: callsText(counted.calls, last), calls: counted.calls, last };
  }
  if (evidence !== undefined)
    return {
      verdict: "used",
      reason: `${callsText(evidence.calls, evidence.last)}, by the evidence that was given`,
      calls: evidence.calls,
      last: evidence.last,
    };
  if (tokens !== "optional" && tokens !== undefined)
    return { verdict: "unknown", reason: `HttpTokens is ${tokens}, which is not known here` };
  return { verdict: "safe", reason: `no call of version 1 since ${counted.since.slice(0, 10)}`, calls: 0 };
}

function callsText(calls: number, last: string | undefined): string {
  const many = `${calls} call${calls === 1 ? "" : "s"} of version 1`;
  return last === undefined ? many : `${many}, the last ${last}`;
}

function later(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Date.parse(b) > Date.parse(a) ? b : a;
}
