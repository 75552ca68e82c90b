/** Looks at every account and region that was asked for, and tells what it finds as it finds it. */
import type { AwsCredentialIdentityProvider } from "@smithy/types";
import type { AwsApi, AwsApis } from "./aws-api.js";
import { listIn, objectIn, textIn } from "./answers.js";
import type { Evidence } from "./evidence.js";
import { gapOf } from "./gaps.js";
import type { DescribedInstance, ExceptionTag } from "./instances.js";
import { describeInstances, instanceRecord, needsCounts } from "./instances.js";
import type { MetadataOptions } from "./metadata-options.js";
import { optionsInForce } from "./metadata-options.js";
import type { Counts } from "./metrics.js";
import { readCounts, sharpen } from "./metrics.js";
import type { FleetRecord, Place, RoleRecord } from "./records.js";
import { readRoles } from "./roles.js";
import type { Group } from "./templates.js";
import {
  describeConfigurations,
  describeImages,
  describeTemplates,
  groupRecords,
  readDefaults,
  readGroups,
  readPinned,
} from "./templates.js";

/** An account, and who asks there. */
export interface FleetAccount {
  readonly accountId: string;
  readonly credentials: AwsCredentialIdentityProvider;
}

/** What {@link audit} needs. */
export interface AuditOptions {
  readonly apis: AwsApis;
  readonly accounts: readonly FleetAccount[];
  /** Names, or all that are enabled in an account. */
  readonly regions: readonly string[] | "all";
  /** Asked first, and for what an account has once. */
  readonly homeRegion: string;
  /** Milliseconds since the epoch, between which calls count. */
  readonly start: number;
  readonly end: number;
  readonly exceptionTag: ExceptionTag;
  readonly evidence?: Evidence | undefined;
  readonly signal: AbortSignal;
  readonly onRecord: (record: FleetRecord) => void;
  readonly onProgress?: ((progress: AuditProgress) => void) | undefined;
}

/** How far an audit is. */
export interface AuditProgress {
  readonly regions: number;
  /** Grows while accounts are asked for theirs. */
  readonly ofRegions: number;
  readonly instances: number;
  readonly gaps: number;
}

/** Regions that are looked at at the same time. */
const AT_ONCE = 24;
/** Accounts that are asked for their regions and roles at the same time. */
const ACCOUNTS_AT_ONCE = 8;

/**
 * Tells every record to `onRecord`. What is denied, throttled or out of reach becomes a gap and ends nothing else.
 * @throws the reason of the signal
 */
export async function audit(options: AuditOptions): Promise<void> {
  const { accounts, onRecord, onProgress, signal } = options;
  const progress = { regions: 0, ofRegions: 0, instances: 0, gaps: 0 };
  const emit = (record: FleetRecord): void => {
    if (record.kind === "instance") progress.instances += 1;
    if (record.kind === "gap") progress.gaps += 1;
    onRecord(record);
  };
  async function inAccount(account: FleetAccount): Promise<readonly string[]> {
    const home = options.apis.open(options.homeRegion, account.credentials);
    const look = lookerFor({ accountId: account.accountId, region: undefined }, emit, signal);
    const regions = options.regions === "all" ? await enabledRegions(home, look) : options.regions;
    progress.ofRegions += regions.length;
    // Nothing else is to be had where not even the regions are told.
    if (regions.length > 0)
      for (const role of (await look("iam:GetAccountAuthorizationDetails", () => readRoles(home, account.accountId))) ??
        ([] as readonly RoleRecord[]))
        emit(role);
    return regions;
  }
  async function* places(): AsyncGenerator<readonly [FleetAccount, string]> {
    const waiting: Promise<readonly [FleetAccount, readonly string[]]>[] = [];
    let next = 0;
    const begin = (): void => {
      const account = accounts[next++];
      if (account === undefined) return;
      const asked = inAccount(account).then((regions) => [account, regions] as const);
      // Whoever takes it off the list sees the failure.
      asked.catch(() => undefined);
      waiting.push(asked);
    };
    for (let index = 0; index < ACCOUNTS_AT_ONCE; index += 1) begin();
    for (let asked = waiting.shift(); asked !== undefined; asked = waiting.shift()) {
      const [account, regions] = await asked;
      begin();
      for (const region of regions) yield [account, region];
    }
  }
  const queue = places();
  async function work(): Promise<void> {
    for (;;) {
      const next = await queue.next();
      if (next.done === true) return;
      signal.throwIfAborted();
      const [account, region] = next.value;
      await auditRegion(options, account, region, emit);
      progress.regions += 1;
      onProgress?.({ ...progress });
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Does something, or tells why it could not be done. */
type Look = <T>(action: string, work: () => Promise<T>) => Promise<T | undefined>;

function lookerFor(
  { accountId, region }: { readonly accountId: string; readonly region: string | undefined },
  emit: (record: FleetRecord) => void,
  signal: AbortSignal,
): Look {
  return async (action, work) => {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      emit({ kind: "gap", ...gapOf(error, accountId, region, action) });
      return undefined;
    }
  };
}

async function enabledRegions(home: AwsApi, look: Look): Promise<readonly string[]> {
  const answer = await look("ec2:DescribeRegions", () => home.call("ec2", "DescribeRegions", {}));
  return listIn(answer, "Regions").flatMap((region) => textIn(region, "RegionName") ?? []);
}

async function auditRegion(
  { apis, start, end, exceptionTag, evidence, signal }: AuditOptions,
  { accountId, credentials }: FleetAccount,
  region: string,
  emit: (record: FleetRecord) => void,
): Promise<void> {
  const api = apis.open(region, credentials);
  const place: Place = { accountId, region };
  const look = lookerFor(place, emit, signal);
  const defaults = await look("ec2:GetInstanceMetadataDefaults", () => readDefaults(api, place));
  const groups = (await look("autoscaling:DescribeAutoScalingGroups", () => readGroups(api))) ?? [];
  const held = new Map<string, string>();
  let instances = 0;
  const seen = await look("ec2:DescribeInstances", async () => {
    for await (const page of describeInstances(api)) {
      const asked = page.filter((instance) => needsCounts(instance, exceptionTag));
      const open = asked.filter(
        ({ answer }) => optionsInForce(objectIn(answer, "MetadataOptions")).HttpTokens !== "required",
      );
      const counted = await look(METRIC_ACTION, () => readCounts(api, asked.map(idOf), start, end));
      // Whoever is not told the minutes still has the hours.
      const counts =
        counted && ((await look(METRIC_ACTION, () => sharpen(api, counted, open.map(idOf), end))) ?? counted);
      for (const instance of page) {
        const known: Counts | string | undefined =
          counts === undefined ? "CloudWatch could not be asked" : counts.get(instance.instanceId);
        const record = instanceRecord(place, instance, known, exceptionTag, evidence);
        instances += 1;
        emit(record);
        if (record.verdict === "fine" || record.verdict === "safe") continue;
        for (const id of templatesOf(record, groups))
          if (!held.has(id)) held.set(id, `${record.instanceId} from it is ${HELD[record.verdict]}`);
      }
    }
    return true;
  });
  const followed = new Set(
    groups.flatMap(({ templates }) =>
      templates.filter(({ version }) => version === "$Latest").map(({ launchTemplateId }) => launchTemplateId),
    ),
  );
  let unstatedHeld: string | undefined;
  const stated: MetadataOptions | undefined = defaults?.options;
  await look("ec2:DescribeLaunchTemplates", async () => {
    const context = { tag: exceptionTag, defaults: stated, followed, held };
    for await (const record of describeTemplates(api, place, context)) {
      // Where it could not be told which instances come from a template, all of them might still need version 1.
      emit(seen === undefined ? { ...record, heldBy: record.heldBy ?? "its instances could not be read" } : record);
      const unstated = [record.defaultVersion, record.latestVersion].some(
        ({ options }) => options.HttpTokens === undefined,
      );
      if (unstated && (record.heldBy !== undefined || record.standing === "excepted"))
        unstatedHeld ??= `${record.launchTemplateId} states nothing, and ${record.heldBy ?? `is ${record.reason}`}`;
    }
  });
  if (defaults !== undefined) emit({ ...defaults, heldBy: unstatedHeld });
  await look("autoscaling:DescribeLaunchConfigurations", async () => {
    for await (const record of describeConfigurations(api, place, groups, stated)) emit(record);
  });
  const pinned = await look("ec2:DescribeLaunchTemplateVersions", () => readPinned(api, groups));
  for (const record of groupRecords(place, groups, pinned ?? new Map(), stated)) emit(record);
  await look("ec2:DescribeImages", async () => {
    for await (const record of describeImages(api, place)) emit(record);
  });
  emit({ kind: "region", ...place, instances });
}

const HELD = { used: "still used by version 1", excepted: "excepted", unknown: "not known to do without version 1" };

const METRIC_ACTION = "cloudwatch:GetMetricData";

function idOf({ instanceId }: DescribedInstance): string {
  return instanceId;
}

/** Templates that an instance comes from: by its own tags, or those of its group. */
function templatesOf(
  record: { readonly launchTemplateId?: string | undefined; readonly autoScalingGroup?: string | undefined },
  groups: readonly Group[],
): readonly string[] {
  const group = groups.find(({ name }) => name === record.autoScalingGroup);
  return [
    ...(record.launchTemplateId === undefined ? [] : [record.launchTemplateId]),
    ...(group?.templates.map(({ launchTemplateId }) => launchTemplateId) ?? []),
  ];
}
