/** Makes one change, and takes it back: reads the state, changes it, and reads again what came of it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, AwsApi } from "./aws-api.js";
import { listIn, numberIn, objectIn, textIn } from "./answers.js";
import type { ExceptionTag } from "./instances.js";
import { describeInstances, exceptionIn } from "./instances.js";
import type { MetadataOptions } from "./metadata-options.js";
import { optionsInForce, optionsText, sameOptions, statedOptions } from "./metadata-options.js";
import type { DefaultsStep, InstanceStep, Step, TemplateStep } from "./plan.js";
import { requires } from "./plan.js";

/**
 * Where something stands, seen from its step. `before`: as the plan found it. `after`: as the plan makes it. `other`: as
 * neither. `gone`: it is no more.
 */
export type Standing =
  | {
      readonly is: "before" | "after" | "gone";
      /** Begun: there is something to take back. */ readonly started?: boolean;
    }
  | { readonly is: "other"; readonly why: string };

/** A change that did not come to what it should have. */
export class ChangeError extends Error {
  override readonly name = "ChangeError";
  readonly code = "ERR_FLEET_CHANGE";
}

/** Options of EC2 take effect after a moment. */
const SETTLE_MS = 30_000;
const POLL_MS = 1_000;
/** Filters of DescribeInstances take so many values. */
const IDS_AT_ONCE = 200;

/**
 * Reads where the steps of one account and region stand, in their order. With a `tag`, an instance that has it by now is no
 * longer as the plan found it.
 * @throws the SDK's error
 */
export async function readStandings(
  api: AwsApi,
  steps: readonly Step[],
  planId: string,
  tag: ExceptionTag | undefined,
): Promise<readonly Standing[]> {
  const instances = new Map<string, Standing>();
  const wanted = new Map(steps.flatMap((step) => (step.kind === "instance" ? [[step.id, step] as const] : [])));
  const ids = [...wanted.keys()];
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    const filter = { Filters: [{ Name: "instance-id", Values: ids.slice(from, from + IDS_AT_ONCE) }] };
    for await (const page of describeInstances(api, filter))
      for (const { instanceId, answer, tags } of page) {
        const step = wanted.get(instanceId);
        const exceptedBy = tag === undefined ? undefined : exceptionIn(tags, tag);
        if (step !== undefined) instances.set(instanceId, instanceStanding(step, answer, exceptedBy));
      }
  }
  const standings: Standing[] = [];
  for (const step of steps)
    standings.push(
      step.kind === "instance"
        ? (instances.get(step.id) ?? { is: "gone" })
        : step.kind === "launch-template"
          ? await templateStanding(api, step, planId)
          : await defaultsStanding(api, step),
    );
  return standings;
}

/** Makes a change that stands at `before`, and verifies it. @throws ChangeError; the SDK's error */
export async function make(api: AwsApi, step: Step, planId: string): Promise<void> {
  if (step.kind === "instance") await setInstance(api, step.id, step.to);
  else if (step.kind === "metadata-defaults") await setDefaults(api, step.to);
  else await makeTemplate(api, step, planId);
}

/** Takes back a change that stands at `after`, and verifies it. @throws ChangeError; the SDK's error */
export async function takeBack(api: AwsApi, step: Step, planId: string): Promise<void> {
  if (step.kind === "instance") await setInstance(api, step.id, step.from);
  else if (step.kind === "metadata-defaults")
    // What nobody had stated is stated no more.
    await setDefaults(api, { ...step.from, HttpTokens: step.from.HttpTokens ?? "no-preference" });
  else await takeTemplateBack(api, step, planId);
}

function instanceStanding(step: InstanceStep, answer: Answer, exceptedBy: string | undefined): Standing {
  const options = optionsInForce(objectIn(answer, "MetadataOptions"));
  if (sameOptions(options, step.to)) return { is: "after" };
  if (!sameOptions(options, step.from))
    return { is: "other", why: `its options have changed since: ${optionsText(options, step.from)}` };
  return exceptedBy === undefined ? { is: "before" } : { is: "other", why: `it is tagged ${exceptedBy} since` };
}

async function setInstance(api: AwsApi, id: string, options: MetadataOptions): Promise<void> {
  // All of them are named: EC2 leaves what is not named as it is, and not everything that speaks its language does.
  await api.call("ec2", "ModifyInstanceMetadataOptions", { InstanceId: id, ...options });
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const answer = await instanceAnswer(api, id);
    const metadata = objectIn(answer, "MetadataOptions");
    const seen = optionsInForce(metadata);
    const state = textIn(metadata, "State");
    if (sameOptions(seen, options) && state !== "pending") return;
    if (performance.now() > deadline)
      throw new ChangeError(
        `${id} does not have the options that it was given (${answer === undefined ? "it is gone" : optionsText(seen, options)})`,
      );
    await sleep(POLL_MS);
  }
}

async function instanceAnswer(api: AwsApi, id: string): Promise<Answer | undefined> {
  for await (const page of describeInstances(api, { Filters: [{ Name: "instance-id", Values: [id] }] }))
    for (const { answer } of page) return answer;
  return undefined;
}

async function readDefaultOptions(api: AwsApi): Promise<MetadataOptions> {
  return statedOptions(objectIn(await api.call("ec2", "GetInstanceMetadataDefaults", {}), "AccountLevel"));
}

/** `no-preference` says the same as nothing. */
function preferred(options: MetadataOptions): MetadataOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== "no-preference" && value !== -1 && value !== undefined),
  );
}

async function defaultsStanding(api: AwsApi, step: DefaultsStep): Promise<Standing> {
  const options = preferred(await readDefaultOptions(api));
  if (sameOptions(options, preferred(step.to))) return { is: "after" };
  if (sameOptions(options, preferred(step.from))) return { is: "before" };
  return { is: "other", why: `the defaults have changed since: ${optionsText(options, step.from)}` };
}

async function setDefaults(api: AwsApi, options: MetadataOptions): Promise<void> {
  const { HttpProtocolIpv6: _, ...named } = options;
  await api.call("ec2", "ModifyInstanceMetadataDefaults", named);
  const seen = preferred(await readDefaultOptions(api));
  if (!sameOptions(seen, preferred(options)))
    throw new ChangeError(`the account does not have the defaults that it was given (${optionsText(seen, options)})`);
}

interface Version {
  readonly number: number;
  readonly isDefault: boolean;
  readonly description: string;
  readonly options: MetadataOptions;
  readonly data: Answer;
}

async function readVersions(api: AwsApi, id: string, input: object): Promise<readonly Version[]> {
  const found: Version[] = [];
  const all = { LaunchTemplateId: id, MaxResults: 200, ...input };
  for await (const page of api.pages("ec2", "DescribeLaunchTemplateVersions", all))
    for (const each of listIn(page, "LaunchTemplateVersions")) {
      const number = numberIn(each, "VersionNumber");
      const data = objectIn(each, "LaunchTemplateData") ?? {};
      if (number === undefined) continue;
      found.push({
        number,
        isDefault: (each as { DefaultVersion?: unknown }).DefaultVersion === true,
        description: textIn(each, "VersionDescription") ?? "",
        options: statedOptions(objectIn(data, "MetadataOptions")),
        data,
      });
    }
  return found;
}

/** Marks what a plan made, so that it knows it again. */
function mark(planId: string): string {
  return `imds-guard fleet ${planId}`;
}

interface TemplateNow {
  readonly default: Version;
  readonly latest: Version;
  /** Versions that came after those that the plan found. */
  readonly since: readonly Version[];
}

async function readTemplate(api: AwsApi, step: TemplateStep): Promise<TemplateNow | undefined> {
  let ends: readonly Version[];
  try {
    ends = await readVersions(api, step.id, { Versions: ["$Default", "$Latest"] });
  } catch (error) {
    if (error instanceof Error && /^InvalidLaunchTemplateId\.NotFound/.test(error.name)) return undefined;
    throw error;
  }
  const latest = ends.reduce<Version | undefined>(
    (a, b) => (a === undefined || b.number > a.number ? b : a),
    undefined,
  );
  const standard = ends.find(({ isDefault }) => isDefault);
  if (latest === undefined || standard === undefined) return undefined;
  const { latestVersion } = step.from;
  const since =
    latest.number > latestVersion
      ? (await readVersions(api, step.id, { MinVersion: String(latestVersion + 1) })).filter(
          ({ number }) => number > latestVersion,
        )
      : [];
  return { default: standard, latest, since };
}

async function templateStanding(api: AwsApi, step: TemplateStep, planId: string): Promise<Standing> {
  const now = await readTemplate(api, step);
  if (now === undefined) return { is: "gone" };
  const { from } = step;
  const strange = now.since.find(({ description }) => !description.startsWith(mark(planId)));
  if (strange !== undefined) return { is: "other", why: `it has a version ${strange.number} since` };
  const moved = now.default.number !== from.defaultVersion;
  if (moved && !now.since.some(({ number }) => number === now.default.number))
    return { is: "other", why: `its default is version ${now.default.number} since` };
  // A version of the default's making is not what the latest was.
  const latestKept = from.latestVersion === from.defaultVersion || now.latest.description === `${mark(planId)} latest`;
  const after = requires(now.default.options) && requires(now.latest.options) && latestKept;
  const latestChanged = latestMatters(step) && requires(now.latest.options);
  return { is: after ? "after" : "before", started: moved || latestChanged };
}

async function makeTemplate(api: AwsApi, step: TemplateStep, planId: string): Promise<void> {
  const { from, id } = step;
  const now = await readTemplate(api, step);
  if (now === undefined) throw new ChangeError(`${id} is gone`);
  if (!requires(now.default.options)) {
    // Made before an interruption, and not yet the default.
    const waiting = now.since.find(
      ({ description, options }) => description === `${mark(planId)} default` && requires(options),
    );
    const number = waiting?.number ?? (await createVersion(api, id, from.defaultVersion, "default", planId, true));
    await setDefaultVersion(api, id, number);
  }
  // Whoever takes the latest version gets what the latest was, and not what the default was.
  const [latest] = await readVersions(api, id, { Versions: ["$Latest"] });
  const isOther = from.latestVersion !== from.defaultVersion;
  const ofLatest = latest?.description === `${mark(planId)} latest`;
  if (latest !== undefined && (!requires(latest.options) || (isOther && !ofLatest)))
    await createVersion(api, id, from.latestVersion, "latest", planId, true);
}

/** Whether somebody gets other options by the latest version: its number cannot be moved back, so that one is made. */
function latestMatters({ from, latestFollowed }: TemplateStep): boolean {
  return (latestFollowed || requires(from.defaultOptions)) && !requires(from.latestOptions);
}

async function takeTemplateBack(api: AwsApi, step: TemplateStep, planId: string): Promise<void> {
  const { from, id } = step;
  await setDefaultVersion(api, id, from.defaultVersion);
  if (!latestMatters(step)) return;
  const [latest] = await readVersions(api, id, { Versions: ["$Latest"] });
  if (latest !== undefined && latest.description !== `${mark(planId)} undone`)
    await createVersion(api, id, from.latestVersion, "undone", planId, false);
}

async function setDefaultVersion(api: AwsApi, id: string, number: number): Promise<void> {
  await api.call("ec2", "ModifyLaunchTemplate", { LaunchTemplateId: id, DefaultVersion: String(number) });
  const [seen] = await readVersions(api, id, { Versions: ["$Default"] });
  if (seen?.number !== number)
    throw new ChangeError(`the default of ${id} is version ${seen?.number ?? "unknown"} and not ${number}`);
}

/** Makes a version as `source` is, with tokens required or not, and verifies that nothing else of it is different. */
async function createVersion(
  api: AwsApi,
  id: string,
  source: number,
  what: "default" | "latest" | "undone",
  planId: string,
  required: boolean,
): Promise<number> {
  const [version] = await readVersions(api, id, { Versions: [String(source)] });
  if (version === undefined) throw new ChangeError(`${id} has no version ${source}`);
  const { data } = version;
  const options = objectIn(data, "MetadataOptions");
  const wanted = {
    ...data,
    ...(required && { MetadataOptions: { ...statedOptions(options), HttpTokens: "required" } }),
  };
  const made = await api.call("ec2", "CreateLaunchTemplateVersion", {
    LaunchTemplateId: id,
    SourceVersion: String(source),
    VersionDescription: `${mark(planId)} ${what}`,
    // Everything is named: what is not named comes from the source, but not everything that speaks EC2 knows sources.
    LaunchTemplateData: wanted,
  });
  const number = numberIn(objectIn(made, "LaunchTemplateVersion"), "VersionNumber");
  if (number === undefined) throw new ChangeError(`EC2 did not say which version of ${id} was made`);
  const [seen] = await readVersions(api, id, { Versions: [String(number)] });
  const without = (given: Answer | undefined): string => comparable({ ...given, MetadataOptions: undefined });
  if (seen === undefined || without(seen.data) !== without(data))
    throw new ChangeError(`version ${number} of ${id} is not as version ${source}; its default was not moved`);
  if (required && !requires(seen.options)) throw new ChangeError(`version ${number} of ${id} does not require tokens`);
  return number;
}

/** The same text for the same content, whatever the order of its members. */
function comparable(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
