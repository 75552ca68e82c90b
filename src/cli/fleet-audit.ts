/** `imds-guard fleet audit`, and the audit that a plan is made from. */
import { accessSync, constants } from "node:fs";
import { dirname, resolve } from "node:path";
import { isImdsGuardError } from "../base/errors.js";
import { terminalLine } from "../base/text.js";
import { fleetAccounts, RoleNeededError } from "../fleet/accounts.js";
import type { FleetAccount } from "../fleet/audit.js";
import { audit } from "../fleet/audit.js";
import type { AwsApis, Service } from "../fleet/aws-api.js";
import { loadAwsApis, MissingPackagesError } from "../fleet/aws-api.js";
import type { Evidence } from "../fleet/evidence.js";
import { readEvidence } from "../fleet/evidence.js";
import type { Findings, FleetSummary } from "../fleet/findings.js";
import { createFindings, LISTS, verdictsText } from "../fleet/findings.js";
import { tagText } from "../fleet/instances.js";
import type { InstanceRecord } from "../fleet/records.js";
import { SHOWN_FIRST, sectionsOf, writeCsv, writeHtml } from "../fleet/report-files.js";
import { createSpoolFolder } from "../fleet/spool.js";
import { createGuard } from "../guard/create-guard.js";
import type { CommandContext, ExitCode } from "./command.js";
import { UsageError } from "./command.js";
import type { FleetScope } from "./fleet-options.js";
import { scopeOf, textOf } from "./fleet-options.js";
import type { Ui } from "./ui.js";

const DAY_MS = 86_400_000;
/** What an audit asks. */
export const AUDIT_SERVICES: readonly Service[] = ["ec2", "cloudwatch", "autoscaling", "iam", "sts"];
/** Where nothing names a region. */
const FIRST_REGION = "us-east-1";

/** A session with AWS: who asks, and where. */
export interface FleetSession {
  readonly apis: AwsApis;
  readonly accounts: readonly FleetAccount[];
  readonly homeRegion: string;
}

/**
 * Opens a session with `services`, lets `work` use it, and closes it. What stands in the way (packages, credentials, a role) is said,
 * and the exit code then is 3.
 * @throws UsageError where accounts are named and no role
 */
export async function withSession(
  { ui, system, signal }: CommandContext,
  services: readonly Service[],
  scope: Pick<FleetScope, "accounts" | "role" | "profile" | "regions">,
  work: (session: FleetSession) => Promise<ExitCode>,
): Promise<ExitCode> {
  let apis: AwsApis;
  try {
    apis = loadAwsApis(services, signal);
  } catch (error) {
    if (!(error instanceof MissingPackagesError)) throw error;
    ui.error(error.message, [error.advice]);
    return 3;
  }
  const { profile, accounts: accountIds, role } = scope;
  const guard = createGuard(profile === undefined ? {} : { profile }, { system });
  try {
    const homeRegion = await guard.region().catch((error: unknown) => {
      // A setting that cannot be honoured is no lack of a region.
      if (isImdsGuardError(error) && error.kind === "settings") throw error;
      return scope.regions === "all" ? FIRST_REGION : (scope.regions[0] ?? FIRST_REGION);
    });
    let accounts: readonly FleetAccount[];
    try {
      accounts = await fleetAccounts({ guard, apis, homeRegion, accountIds, role });
    } catch (error) {
      if (error instanceof RoleNeededError) throw new UsageError(error.message, "give --role NAME");
      if (isImdsGuardError(error) || signal.aborted) throw error;
      ui.error(`it could not be told who asks: ${terminalLine((error as Error).message)}`, [
        "the credentials have to be of AWS, and sts:GetCallerIdentity within reach",
      ]);
      return 3;
    }
    return await work({ apis, accounts, homeRegion });
  } finally {
    apis.close();
    await guard.close();
  }
}

/** An audit that is done. */
export interface FinishedAudit {
  readonly findings: Findings;
  readonly summary: FleetSummary;
  readonly evidence: Evidence | undefined;
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
}

/** Looks at everything in `scope`. Lets `work` use what was found, and removes it. */
export async function withAudit(
  { ui, system, signal }: CommandContext,
  scope: FleetScope,
  { apis, accounts, homeRegion }: FleetSession,
  work: (audit: FinishedAudit) => Promise<ExitCode>,
): Promise<ExitCode> {
  const end = system.now();
  const start = end - scope.days * DAY_MS;
  const evidence = scope.evidence.length === 0 ? undefined : await readEvidence(scope.evidence, start);
  const folder = createSpoolFolder();
  try {
    const findings = createFindings(folder);
    await audit({
      apis,
      accounts,
      regions: scope.regions,
      homeRegion,
      start,
      end,
      exceptionTag: scope.exceptionTag,
      evidence,
      signal,
      onRecord: findings.add,
      onProgress: ({ regions, ofRegions, instances, gaps }) =>
        ui.progress(
          `${regions} of ${ofRegions} regions, ${instances} instances${gaps > 0 ? `, ${gaps} not seen` : ""}`,
        ),
    });
    ui.progress(undefined);
    sayEvidence(evidence, ui);
    return await work({ findings, summary: findings.summary(), evidence, start, end });
  } finally {
    ui.progress(undefined);
    folder.remove();
  }
}

/** `imds-guard fleet audit`. */
export async function runAudit(context: CommandContext): Promise<ExitCode> {
  const { options, ui, json } = context;
  const scope = scopeOf(options);
  const html = textOf(options["html"]);
  const csv = textOf(options["csv"]);
  for (const path of [html, csv]) if (path !== undefined) assertWritable(path);
  return withSession(context, AUDIT_SERVICES, scope, (session) =>
    withAudit(context, scope, session, async (done) => {
      const { findings, summary } = done;
      const head = { start: iso(done.start), end: iso(done.end) };
      if (json) await printJson(scope, done, session.apis.calls(), ui);
      else await printTables(findings, summary, done, options["all"] === true, ui);
      if (csv !== undefined) await writeCsv(csv, instancesOf(done));
      if (html !== undefined) await writeHtml(html, head, summary, findings, () => instancesOf(done));
      await sayGaps(findings, summary, json, ui);
      return exitCodeOf(done);
    }),
  );
}

/** Minutes of work are not to end at a file that cannot be written. @throws the system's error */
export function assertWritable(path: string): void {
  accessSync(dirname(resolve(path)), constants.W_OK);
}

/** Exit code of what was seen: what is to be done outweighs what could not be seen. */
export function exitCodeOf({ summary, evidence }: FinishedAudit): ExitCode {
  if (summary.toDo) return 1;
  return summary.gaps > 0 || evidence?.files.some(({ failure }) => failure !== undefined) === true ? 3 : 0;
}

/**
 * The instances; what the evidence says of no particular instance is of the one that still uses version 1, if there is
 * only one.
 */
export async function* instancesOf({ findings, summary, evidence }: FinishedAudit): AsyncGenerator<InstanceRecord> {
  const unplaced = summary.instances.used === 1 ? evidence?.unplaced?.programs : undefined;
  for await (const record of findings.list("instance").items())
    yield unplaced !== undefined && record.verdict === "used" && record.programs === undefined
      ? { ...record, programs: unplaced }
      : record;
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

/** One document, written as it is read: the lists may be longer than memory. */
async function printJson(scope: FleetScope, done: FinishedAudit, calls: number, ui: Ui): Promise<void> {
  const { findings, summary, evidence } = done;
  const head = {
    version: 1,
    start: iso(done.start),
    end: iso(done.end),
    days: scope.days,
    exceptionTag: tagText(scope.exceptionTag),
    summary,
    calls,
    ...(evidence !== undefined && { evidence: evidence.files, unplacedEvidence: evidence.unplaced }),
  };
  ui.line(`${JSON.stringify(head).slice(0, -1)},`);
  const kinds = Object.keys(LISTS) as (keyof typeof LISTS)[];
  for (const [index, kind] of kinds.entries()) {
    ui.line(`"${LISTS[kind]}":[`);
    const items: AsyncIterable<object> = kind === "instance" ? instancesOf(done) : findings.list(kind).items();
    let waiting: string | undefined;
    for await (const item of items) {
      if (waiting !== undefined) ui.line(`${waiting},`);
      waiting = JSON.stringify(item);
    }
    if (waiting !== undefined) ui.line(waiting);
    ui.line(index === kinds.length - 1 ? "]}" : "],");
  }
}

const TONES = { used: "finding", unknown: "unknown", safe: "strong", excepted: "dim", fine: "ok" } as const;
/** Rows that are laid out together. */
const BLOCK = 500;

async function printTables(
  findings: Findings,
  summary: FleetSummary,
  done: FinishedAudit,
  all: boolean,
  ui: Ui,
): Promise<void> {
  const shown = SHOWN_FIRST.filter((verdict) => (all || verdict !== "fine") && summary.instances[verdict] > 0);
  const title = ["VERDICT", "INSTANCE", "ACCOUNT", "REGION", "NAME", "WHY"].map((text) => ui.paint(text, "strong"));
  for (const verdict of shown) {
    let rows: string[][] = [title];
    for await (const record of instancesOf(done)) {
      if (record.verdict !== verdict) continue;
      rows.push(instanceRow(record, ui));
      if (rows.length > BLOCK) {
        ui.table(rows);
        rows = [];
      }
    }
    if (rows.length > 0) ui.table(rows);
    ui.line();
  }
  for (const { title: heading, lines } of sectionsOf(findings)) {
    let hasLines = false;
    for await (const line of lines) {
      if (!hasLines) ui.line(ui.paint(`${heading}:`, "strong"));
      hasLines = true;
      ui.table([["  -", terminalLine(line)]]);
    }
    if (hasLines) ui.line();
  }
  const { toDo, gaps } = summary;
  ui.line(
    `${ui.paint(verdictsText(summary.instances), toDo ? "finding" : gaps > 0 ? "unknown" : "ok")}, in ${summary.regions} regions, from ${iso(done.start)} to ${iso(done.end)}`,
  );
}

function instanceRow(record: InstanceRecord, ui: Ui): string[] {
  const { verdict, instanceId, accountId, region, name, reason, programs, rejected, hopLimitAdvice } = record;
  const by =
    programs === undefined ? "" : ` by ${programs.map(({ program, calls }) => `${program} (${calls})`).join(", ")}`;
  const extra = [
    rejected === undefined ? "" : `; ${rejected} calls of version 1 were rejected`,
    hopLimitAdvice === undefined ? "" : `; ${hopLimitAdvice}`,
  ].join("");
  return [
    ui.paint(verdict, TONES[verdict]),
    instanceId,
    accountId,
    region,
    terminalLine(name ?? ""),
    terminalLine(`${reason}${by}${extra}`),
  ];
}

function sayEvidence(evidence: Evidence | undefined, ui: Ui): void {
  for (const { file, notUnderstood, withoutInstance, failure } of evidence?.files ?? []) {
    const name = terminalLine(file);
    if (failure !== undefined) ui.error(`${name}: ${terminalLine(failure)}`);
    if (notUnderstood > 0) ui.note(`warning: ${name}: ${notUnderstood} lines are no evidence of a known kind`);
    if (withoutInstance > 0)
      ui.note(
        `warning: ${name}: nothing says of which instance ${withoutInstance} calls of version 1 are; write --evidence INSTANCE=${name}`,
      );
  }
}

/** Says what could not be seen, and which permissions would show it. */
export async function sayGaps(findings: Findings, summary: FleetSummary, json: boolean, ui: Ui): Promise<void> {
  if (summary.gaps === 0) return;
  const denied = new Set<string>();
  for await (const { reason, action } of findings.list("gap").items()) if (reason === "denied") denied.add(action);
  ui.error(
    `${summary.gaps} regions, accounts or permissions were missing${json ? "" : ": see above"}`,
    denied.size === 0
      ? []
      : [`denied: ${[...denied].sort().join(", ")}; imds-guard fleet permissions prints the policy that grants them`],
  );
}
