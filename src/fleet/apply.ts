/** Carries a plan out, and takes it back: looks at everything first, then changes one thing after the other. */
import { setTimeout as sleep } from "node:timers/promises";
import type { AwsApi } from "./aws-api.js";
import type { Standing } from "./changes.js";
import { ChangeError, make, readStandings, takeBack } from "./changes.js";
import type { Gap } from "./gaps.js";
import { gapOf } from "./gaps.js";
import { readCounts } from "./metrics.js";
import type { Plan, Step } from "./plan.js";

/** A step with where it stands. */
export interface Standpoint {
  readonly step: Step;
  readonly standing: Standing;
}

/** What a look at all steps came to. */
export interface Look {
  readonly standpoints: readonly Standpoint[];
  /** What could not be read: nothing may be changed then. */
  readonly gaps: readonly Gap[];
}

/** What steps need. */
export interface StepOptions {
  readonly plan: Plan;
  /** Of the account and region of any step. */
  readonly apiFor: (accountId: string, region: string) => AwsApi;
  /** Between steps only: a change that was begun is seen to its end. */
  readonly signal: AbortSignal;
}

/** Places that are looked at at the same time. */
const AT_ONCE = 8;

/**
 * Reads where every step stands. With `now` (milliseconds since the epoch), instances that were called by version 1
 * since the plan was made, and those that have the exception tag by now, are as the plan did not find them.
 * @throws the reason of the signal
 */
export async function lookAt({ plan, apiFor, signal }: StepOptions, now: number | undefined): Promise<Look> {
  const places = new Map<string, number[]>();
  for (const [index, { accountId, region }] of plan.steps.entries()) {
    const key = `${accountId} ${region}`;
    const known = places.get(key);
    if (known === undefined) places.set(key, [index]);
    else known.push(index);
  }
  const standings = new Map<number, Standing>();
  const gaps: Gap[] = [];
  const queue = [...places.values()];
  async function work(): Promise<void> {
    for (let indexes = queue.shift(); indexes !== undefined; indexes = queue.shift()) {
      signal.throwIfAborted();
      const steps = indexes.map((index) => plan.steps[index] as Step);
      const { accountId, region } = steps[0] as Step;
      let action = "ec2:DescribeInstances, ec2:DescribeLaunchTemplateVersions or ec2:GetInstanceMetadataDefaults";
      try {
        const api = apiFor(accountId, region);
        const found = await readStandings(api, steps, plan.id, now === undefined ? undefined : plan.exceptionTag);
        action = "cloudwatch:GetMetricData";
        const called = now === undefined ? undefined : await calledSince(api, steps, found, plan, now);
        for (const [at, index] of indexes.entries()) {
          const standing = found[at] as Standing;
          const step = steps[at] as Step;
          const last = step.kind === "instance" && standing.is === "before" ? called?.get(step.id) : undefined;
          standings.set(
            index,
            last === undefined ? standing : { is: "other", why: `it was called by version 1 since, the last ${last}` },
          );
        }
      } catch (error) {
        gaps.push(gapOf(error, accountId, region, action));
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const standpoints = plan.steps.flatMap((step, index): Standpoint[] => {
    const standing = standings.get(index);
    return standing === undefined ? [] : [{ step, standing }];
  });
  return { standpoints, gaps };
}

/** Instances that were called by version 1 since the hour in which the plan was made, with the hour of the last call. */
async function calledSince(
  api: AwsApi,
  steps: readonly Step[],
  standings: readonly Standing[],
  plan: Plan,
  now: number,
): Promise<ReadonlyMap<string, string>> {
  const ids = steps.flatMap((step, index) =>
    step.kind === "instance" && standings[index]?.is === "before" ? [step.id] : [],
  );
  const called = new Map<string, string>();
  if (ids.length === 0) return called;
  for (const [id, { calls, last, incomplete }] of await readCounts(api, ids, Date.parse(plan.made), now)) {
    if (calls > 0) called.set(id, last ?? "unknown");
    else if (incomplete !== undefined) called.set(id, `unknown: CloudWatch gave no whole answer (${incomplete})`);
  }
  return called;
}

/** A step that failed. */
export interface Failure {
  readonly step: Step;
  readonly gap: Gap;
}

/** What came of changes. */
export interface Outcome {
  readonly changed: number;
  readonly failures: readonly Failure[];
  /** Steps that were not begun, because it was told to stop or too many failed. */
  readonly left: number;
}

/** Changes of instances that are under way at the same time; what new ones are made from goes one by one. */
const WORKERS = 4;
/** After so many failures the rest is left as it is. */
const MOST_FAILURES = 20;

/**
 * Makes the changes of `steps`, or takes them back, at most `rate` of them in a second. Each is looked at once more
 * before, so that nothing is changed that somebody else has changed meanwhile.
 */
export async function change(
  { plan, apiFor, signal }: StepOptions,
  steps: readonly Step[],
  how: "make" | "take-back",
  rate: number,
  onChanged: (step: Step, changed: number) => void,
): Promise<Outcome> {
  const failures: Failure[] = [];
  let changed = 0;
  let started = 0;
  let next = performance.now();
  const stopped = (): boolean => signal.aborted || failures.length >= MOST_FAILURES;

  async function one(step: Step): Promise<void> {
    const { accountId, region } = step;
    const at = Math.max(next, performance.now());
    next = at + 1_000 / rate;
    await sleep(Math.max(0, at - performance.now()));
    if (stopped()) return;
    started += 1;
    try {
      const api = apiFor(accountId, region);
      const tag = how === "make" ? plan.exceptionTag : undefined;
      const [standing] = await readStandings(api, [step], plan.id, tag);
      if (standing?.is === "other") throw new ChangeError(standing.why);
      if (standing === undefined || standing.is === "gone") return;
      if (how === "make" && standing.is === "before") await make(api, step, plan.id);
      if (how === "take-back" && (standing.is === "after" || standing.started === true))
        await takeBack(api, step, plan.id);
      changed += 1;
      onChanged(step, changed);
    } catch (error) {
      failures.push({ step, gap: gapOf(error, accountId, region, ACTIONS[step.kind]) });
    }
  }
  async function all(queue: Step[], workers: number): Promise<void> {
    const work = async (): Promise<void> => {
      for (let step = queue.shift(); step !== undefined && !stopped(); step = queue.shift()) await one(step);
    };
    await Promise.all(Array.from({ length: workers }, work));
  }
  // Back in the opposite order: what new instances are made from is the last that allows version 1 again.
  const instances = steps.filter(({ kind }) => kind === "instance");
  const others = steps.filter(({ kind }) => kind !== "instance");
  if (how === "make") await all(others, 1);
  await all(instances, WORKERS);
  if (how === "take-back") await all(others.toReversed(), 1);
  return { changed, failures, left: steps.length - started };
}

const ACTIONS: Readonly<Record<Step["kind"], string>> = {
  instance: "ec2:ModifyInstanceMetadataOptions",
  "launch-template": "ec2:CreateLaunchTemplateVersion or ec2:ModifyLaunchTemplate",
  "metadata-defaults": "ec2:ModifyInstanceMetadataDefaults",
};
