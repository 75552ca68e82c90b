/** `imds-guard fleet plan`, `apply` and `undo`. */
import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { terminalLine } from "../base/text.js";
import type { Look, Outcome, StepOptions } from "../fleet/apply.js";
import { change, lookAt } from "../fleet/apply.js";
import type { FleetAccount } from "../fleet/audit.js";
import type { AwsApi, Service } from "../fleet/aws-api.js";
import { gapText } from "../fleet/gaps.js";
import type { Held, Plan, PlanHead, Step } from "../fleet/plan.js";
import { inOrder, isStep, PlanError, planText, readPlan, readUndo, stepFor, undoText } from "../fleet/plan.js";
import type { CommandContext, ExitCode } from "./command.js";
import { UsageError } from "./command.js";
import type { FinishedAudit, FleetSession } from "./fleet-audit.js";
import { assertWritable, AUDIT_SERVICES, sayGaps, withAudit, withSession } from "./fleet-audit.js";
import { rateOf, roleOf, scopeOf, textOf } from "./fleet-options.js";
import type { Ui } from "./ui.js";

/** A plan has to be held in memory to be put in order. */
const MOST_STEPS = 100_000;
/** What is left as it is, in the file of the plan; of more, only how many. */
const MOST_HELD = 10_000;
const MOST_BYTES = 256 * 1024 * 1024;
/** Steps that are shown before somebody says yes, and refusals. */
const SHOWN = 20;

/** `imds-guard fleet plan`. */
export async function runPlan(context: CommandContext): Promise<ExitCode> {
  const { options, ui, json, system } = context;
  const scope = scopeOf(options);
  const out = textOf(options["out"]);
  if (out !== undefined) assertWritable(out);
  return withSession(context, AUDIT_SERVICES, scope, (session) =>
    withAudit(context, scope, session, async (done) => {
      const { steps, held, more } = await stepsIn(done);
      if (steps.length > MOST_STEPS) {
        ui.error(`there are more than ${MOST_STEPS} changes`, ["plan fewer at a time: --regions, --accounts"]);
        return 3;
      }
      const head: PlanHead = {
        id: randomUUID(),
        made: new Date(system.now()).toISOString(),
        days: scope.days,
        exceptionTag: scope.exceptionTag,
        role: scope.role,
      };
      const ordered = inOrder(steps);
      const text = planText(head, ordered, held);
      if (out === undefined) ui.line(text.trimEnd());
      else {
        writeWhole(out, text, 0o644);
        const { gaps } = done.summary;
        if (json) ui.json({ plan: out, id: head.id, steps: steps.length, held: held.length + more, gaps });
        else {
          showSteps(ordered, ui);
          for (const each of held.slice(0, SHOWN))
            ui.line(`left: ${each.accountId} ${each.region} ${each.id}: ${terminalLine(each.why)}`);
          if (held.length + more > SHOWN) ui.line(`left: ${held.length + more - SHOWN} more`);
          ui.line(
            `${out}: ${steps.length} change${steps.length === 1 ? "" : "s"}, ${held.length + more} left as they are`,
          );
        }
      }
      if (more > 0) ui.note(`warning: ${more} more that are left as they are, are not in the plan's list`);
      for await (const gap of done.findings.list("gap").items()) ui.note(`warning: not seen: ${gapText(gap)}`);
      await sayGaps(done.findings, done.summary, true, ui);
      return done.summary.gaps > 0 && steps.length === 0 ? 3 : 0;
    }),
  );
}

async function stepsIn({ findings }: FinishedAudit): Promise<{ steps: Step[]; held: Held[]; more: number }> {
  const steps: Step[] = [];
  const held: Held[] = [];
  let more = 0;
  const kinds = [
    "launch-template",
    "metadata-defaults",
    "instance",
    "launch-configuration",
    "auto-scaling-group",
  ] as const;
  for (const kind of kinds)
    for await (const record of findings.list(kind).items()) {
      const found = stepFor(record);
      if (found === undefined) continue;
      if (isStep(found)) steps.push(found);
      else if (held.length < MOST_HELD) held.push(found);
      else more += 1;
      if (steps.length > MOST_STEPS) return { steps, held, more };
    }
  return { steps, held, more };
}

/** `imds-guard fleet apply PLAN`. */
export async function runApply(context: CommandContext, path: string): Promise<ExitCode> {
  const { ui, json, system } = context;
  const plan = readFrom(path, readPlan, ui);
  if (plan === undefined) return 3;
  const undoPath = undoPathOf(path);
  const known = undoOf(undoPath, plan, ui);
  if (known === "foreign") return 3;
  return withPlan(context, plan, async (options) => {
    const look = await lookAt(options, system.now());
    if (refused(look, "the plan is older than the state", ui)) return 3;
    const steps = look.standpoints.filter(({ standing }) => standing.is === "before").map(({ step }) => step);
    const gone = look.standpoints.filter(({ standing }) => standing.is === "gone").length;
    const already = look.standpoints.length - steps.length - gone;
    if (gone > 0) ui.note(`warning: ${gone} of the plan are gone`);
    if (steps.length === 0) {
      if (json)
        ui.json({ changed: 0, already, gone, failed: 0, left: 0, ...(known !== undefined && { undo: undoPath }) });
      else ui.line(`nothing to change: ${already} are as the plan has them`);
      return 0;
    }
    if (!(await confirmed(context, steps, "change"))) return 3;
    // Another run of this plan may have begun meanwhile: what it found first is what to go back to.
    const now = undoOf(undoPath, plan, ui);
    if (now === "foreign") return 3;
    writeUndo(undoPath, plan, now, steps);
    ui.note(`the state from before is in ${undoPath}; imds-guard fleet undo ${undoPath} brings it back`);
    const outcome = await change(options, steps, "make", rateOf(context.options), (step, changed) =>
      ui.progress(`${changed} of ${steps.length}: ${nameOf(step)}`),
    );
    return sayOutcome(context, outcome, { already, gone, undo: undoPath }, "changed");
  });
}

/** `imds-guard fleet undo FILE`. */
export async function runUndo(context: CommandContext, path: string): Promise<ExitCode> {
  const { ui, json } = context;
  const plan = readFrom(path, readUndo, ui);
  if (plan === undefined) return 3;
  return withPlan(context, plan, async (options) => {
    const look = await lookAt(options, undefined);
    if (look.gaps.length > 0 && refused({ ...look, standpoints: [] }, "", ui)) return 3;
    const steps = look.standpoints
      .filter(({ standing }) => standing.is === "after" || (standing.is !== "other" && standing.started === true))
      .map(({ step }) => step);
    const others = look.standpoints.filter(({ standing }) => standing.is === "other");
    for (const { step, standing } of others.slice(0, SHOWN))
      if (standing.is === "other") ui.error(`${nameOf(step)} is left as it is: ${standing.why}`);
    if (others.length > SHOWN) ui.error(`${others.length - SHOWN} more are left as they are`);
    const gone = look.standpoints.filter(({ standing }) => standing.is === "gone").length;
    const already = look.standpoints.length - steps.length - gone - others.length;
    if (steps.length === 0) {
      if (json) ui.json({ changed: 0, already, gone, other: others.length, failed: 0, left: 0 });
      else ui.line(`nothing to take back: ${already} are as they were before`);
      return others.length > 0 ? 3 : 0;
    }
    if (!(await confirmed(context, steps, "take back"))) return 3;
    const outcome = await change(options, steps, "take-back", rateOf(context.options), (step, changed) =>
      ui.progress(`${changed} of ${steps.length}: ${nameOf(step)}`),
    );
    const code = sayOutcome(context, outcome, { already, gone, other: others.length }, "taken back");
    return others.length > 0 ? 3 : code;
  });
}

/** `plan.json` -> `plan.undo.json`. */
export function undoPathOf(path: string): string {
  return path.endsWith(".json") ? `${path.slice(0, -5)}.undo.json` : `${path}.undo.json`;
}

function readFrom(path: string, read: (text: string) => Plan, ui: Ui): Plan | undefined {
  try {
    const { size } = statSync(path);
    if (size > MOST_BYTES) throw new PlanError(`it has ${size} bytes; at most ${MOST_BYTES} are read`);
    return read(readFileSync(path, "utf8"));
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    ui.error(`${path}: ${terminalLine(error.message)}`, ["nothing was changed"]);
    return undefined;
  }
}

/** The undo file that an interrupted run has left. */
function undoOf(path: string, plan: Plan, ui: Ui): Plan | undefined | "foreign" {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  const undo = readFrom(path, readUndo, ui);
  if (undo?.id === plan.id) return undo;
  ui.error(`${path} is there, and not of this plan`, ["nothing was changed; move it to a safe place first"]);
  return "foreign";
}

/** What an earlier run has written is kept: only the first state is the one to go back to. */
function writeUndo(path: string, plan: Plan, known: Plan | undefined, steps: readonly Step[]): void {
  const kept = known?.steps ?? [];
  const has = new Set(kept.map(keyOf));
  const added = steps.filter((step) => !has.has(keyOf(step)));
  if (known === undefined || added.length > 0) writeWhole(path, undoText(plan, [...kept, ...added]), 0o600);
}

function keyOf(step: Step): string {
  return [step.kind, step.accountId, step.region, step.kind === "metadata-defaults" ? "" : step.id].join(" ");
}

/** The whole file or none of it, on the disk before anything else happens. */
function writeWhole(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const descriptor = openSync(temporary, "w", mode);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
}

/** What the steps of a plan ask. */
const CHANGE_SERVICES: readonly Service[] = ["ec2", "cloudwatch", "sts"];

async function withPlan(
  context: CommandContext,
  plan: Plan,
  work: (options: StepOptions) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { options, signal } = context;
  rateOf(options);
  const role = roleOf(options["role"]) ?? plan.role;
  const accounts = [...new Set(plan.steps.map(({ accountId }) => accountId))];
  const scope = { accounts, role, profile: textOf(options["profile"]), regions: "all" } as const;
  // A change that was begun is seen to its end: the signal counts between them.
  const own = { ...context, signal: new AbortController().signal };
  return withSession(own, CHANGE_SERVICES, scope, (session) => work({ plan, apiFor: apisOf(session), signal }));
}

function apisOf({ apis, accounts }: FleetSession): StepOptions["apiFor"] {
  const byId = new Map(accounts.map((account) => [account.accountId, account] as const));
  const opened = new Map<string, AwsApi>();
  return (accountId, region) => {
    const key = `${accountId} ${region}`;
    let api = opened.get(key);
    if (api === undefined) {
      const { credentials } = byId.get(accountId) as FleetAccount;
      opened.set(key, (api = apis.open(region, credentials)));
    }
    return api;
  };
}

function refused({ standpoints, gaps }: Look, why: string, ui: Ui): boolean {
  const others = standpoints.flatMap(({ step, standing }) => (standing.is === "other" ? [{ step, standing }] : []));
  for (const gap of gaps.slice(0, SHOWN)) ui.error(gapText(gap));
  for (const { step, standing } of others.slice(0, SHOWN)) ui.error(`${nameOf(step)}: ${standing.why}`);
  if (others.length > SHOWN) ui.error(`${others.length - SHOWN} more are not as they were`);
  if (others.length > 0) ui.error(`${why}: nothing was changed`, ["make a new plan: imds-guard fleet plan"]);
  else if (gaps.length > 0) ui.error("the state could not be read: nothing was changed");
  return others.length + gaps.length > 0;
}

/** @throws UsageError without a terminal and without --yes */
async function confirmed(
  { options, ui, signal }: CommandContext,
  steps: readonly Step[],
  verb: string,
): Promise<boolean> {
  if (options["yes"] === true) return true;
  if (!process.stdin.isTTY)
    throw new UsageError(
      `nobody can be asked whether to ${verb} ${steps.length} things: this is no terminal`,
      "give --yes; nothing was changed",
    );
  showSteps(steps, ui);
  const accounts = new Set(steps.map(({ accountId }) => accountId)).size;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = `imds-guard: ${verb} ${steps.length} in ${accounts} account${accounts === 1 ? "" : "s"}? Type yes: `;
    if ((await prompt.question(question, { signal })).trim() === "yes") return true;
  } finally {
    prompt.close();
  }
  ui.note("nothing was changed");
  return false;
}

function showSteps(steps: readonly Step[], ui: Ui): void {
  if (steps.length === 0) return;
  ui.table(
    steps
      .slice(0, SHOWN)
      .map((step) => [
        step.accountId,
        step.region,
        step.kind === "metadata-defaults" ? "account defaults" : step.id,
        terminalLine(step.does),
      ]),
  );
  if (steps.length > SHOWN) ui.line(`and ${steps.length - SHOWN} more`);
}

function nameOf(step: Step): string {
  const what = step.kind === "metadata-defaults" ? "account defaults" : step.id;
  return `${what} (account ${step.accountId}, ${step.region})`;
}

function sayOutcome(
  { ui, json, signal }: CommandContext,
  { changed, failures, left }: Outcome,
  counts: Readonly<Record<string, number | string>>,
  verb: string,
): ExitCode {
  ui.progress(undefined);
  for (const { step, gap } of failures)
    ui.error(`${nameOf(step)}: ${gap.action} ${gap.reason} (${gap.code}: ${gap.message})`);
  if (json)
    ui.json({
      changed,
      failed: failures.length,
      left,
      ...counts,
      failures: failures.map(({ step, gap }) => ({
        ...gap,
        id: step.kind === "metadata-defaults" ? undefined : step.id,
      })),
    });
  else ui.line(`${changed} ${verb}, ${failures.length} failed, ${left} not started`);
  if (left > 0)
    ui.note(`${signal.aborted ? "interrupted" : "too many failed"}; run the same again to go on with the rest`);
  return failures.length + left > 0 ? 3 : 0;
}
