/**
 * What would change: a pure function of what an audit found, and the file that holds it. Templates and defaults come
 * first, then instances; nothing that is used, excepted or unknown is in it.
 */
import { isAccountId } from "../aws/access-key.js";
import { isConfiguredRegion } from "../aws/region.js";
import { isPlainObject } from "../base/own-properties.js";
import { numberIn, objectIn, textIn } from "./answers.js";
import type { ExceptionTag } from "./instances.js";
import { readTag, tagText } from "./instances.js";
import type { MetadataOptions } from "./metadata-options.js";
import { sameOptions, statedOptions } from "./metadata-options.js";
import type { DefaultsRecord, FleetRecord, InstanceRecord, Place, TemplateRecord } from "./records.js";

/** A template as a step found it. */
export interface TemplateState {
  readonly defaultVersion: number;
  readonly latestVersion: number;
  /** Stated by these versions. */
  readonly defaultOptions: MetadataOptions;
  readonly latestOptions: MetadataOptions;
}

/** A new version of a template that requires tokens, and that is the default from then on. */
export interface TemplateStep extends Place {
  readonly kind: "launch-template";
  readonly id: string;
  readonly name?: string | undefined;
  readonly does: string;
  readonly from: TemplateState;
  /** Whether a group takes the latest version, so that undoing has to make one as it was. */
  readonly latestFollowed: boolean;
}

/** The defaults of an account in a region. */
export interface DefaultsStep extends Place {
  readonly kind: "metadata-defaults";
  readonly does: string;
  readonly from: MetadataOptions;
  readonly to: MetadataOptions;
}

/** An instance. */
export interface InstanceStep extends Place {
  readonly kind: "instance";
  readonly id: string;
  readonly name?: string | undefined;
  readonly does: string;
  readonly why: string;
  readonly from: MetadataOptions;
  readonly to: MetadataOptions;
}

/** One change. */
export type Step = TemplateStep | DefaultsStep | InstanceStep;

/** Something that allows version 1 and is not to be changed, and why. */
export interface Held extends Place {
  readonly kind: FleetRecord["kind"];
  readonly id: string;
  readonly why: string;
}

/** What a plan was made for. */
export interface PlanHead {
  /** Tells plans apart. */
  readonly id: string;
  /** ISO 8601: the state is that of this moment. */
  readonly made: string;
  readonly days: number;
  readonly exceptionTag: ExceptionTag;
  /** The role to take in other accounts than that of the credentials. */
  readonly role?: string | undefined;
}

/** A plan. */
export interface Plan extends PlanHead {
  readonly steps: readonly Step[];
}

/** A file that is none of ours, or not whole. */
export class PlanError extends Error {
  override readonly name = "PlanError";
  readonly code = "ERR_FLEET_PLAN";
}

/** The step for a record, or why it is left as it is; undefined where there is nothing to do. */
export function stepFor(record: FleetRecord): Step | Held | undefined {
  switch (record.kind) {
    case "instance":
      return instanceStep(record);
    case "launch-template":
      return templateStep(record);
    case "metadata-defaults":
      return defaultsStep(record);
    case "launch-configuration":
    case "auto-scaling-group":
      return record.standing === "to-do" ? held(record, record.name, record.reason) : undefined;
    default:
      return undefined;
  }
}

/** Whether it is a step. */
export function isStep(found: Step | Held): found is Step {
  return Object.hasOwn(found, "does");
}

/** Steps in the order in which they break nothing: what new instances are made from, then instances; by place and id. */
export function inOrder(steps: readonly Step[]): readonly Step[] {
  const rank = { "launch-template": 0, "metadata-defaults": 1, instance: 2 };
  const key = (step: Step): string =>
    [step.accountId, step.region, step.kind === "metadata-defaults" ? "" : step.id].join("\n");
  return steps
    .map((step) => ({ step, key: key(step) }))
    .sort((a, b) => rank[a.step.kind] - rank[b.step.kind] || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ step }) => step);
}

function instanceStep(record: InstanceRecord): Step | Held | undefined {
  const { instanceId: id, accountId, region, name, verdict, reason, options } = record;
  if (verdict === "fine") return undefined;
  if (verdict !== "safe") return held(record, id, `${verdict}: ${reason}`);
  const to = { ...options, HttpTokens: "required" };
  return {
    kind: "instance",
    accountId,
    region,
    id,
    name,
    does: `HttpTokens ${options.HttpTokens ?? "optional"} -> required`,
    why: reason,
    from: options,
    to,
  };
}

function templateStep(record: TemplateRecord): Step | Held | undefined {
  const { launchTemplateId: id, accountId, region, name, standing, reason, heldBy, latestFollowed } = record;
  if (standing === "fine") return undefined;
  if (standing !== "to-do") return held(record, id, `${standing}: ${reason}`);
  if (heldBy !== undefined) return held(record, id, heldBy);
  const { defaultVersion, latestVersion } = record;
  const becomes =
    requires(defaultVersion.options) || defaultVersion.version === latestVersion.version
      ? ""
      : ", one that the latest was";
  return {
    kind: "launch-template",
    accountId,
    region,
    id,
    name,
    does: requires(defaultVersion.options)
      ? `a new latest version with HttpTokens required; the default stays ${defaultVersion.version}`
      : `a new version of ${defaultVersion.version} with HttpTokens required${becomes}; the default moves to it`,
    from: {
      defaultVersion: defaultVersion.version,
      latestVersion: latestVersion.version,
      defaultOptions: defaultVersion.options,
      latestOptions: latestVersion.options,
    },
    latestFollowed,
  };
}

function defaultsStep(record: DefaultsRecord): Step | Held | undefined {
  const { accountId, region, standing, reason, options, managedBy, heldBy } = record;
  if (standing !== "to-do") return undefined;
  if (managedBy === "declarative-policy") return held(record, "account defaults", reason);
  if (heldBy !== undefined) return held(record, "account defaults", heldBy);
  return {
    kind: "metadata-defaults",
    accountId,
    region,
    does: `default HttpTokens ${options.HttpTokens ?? "no-preference"} -> required`,
    from: options,
    to: { ...options, HttpTokens: "required" },
  };
}

/** Whether instances that get these options answer version 2 alone. */
export function requires({ HttpTokens: tokens }: MetadataOptions): boolean {
  return tokens === "required";
}

function held({ kind, accountId, region }: Place & Pick<FleetRecord, "kind">, id: string, why: string): Held {
  return { kind, accountId, region, id, why };
}

const FORMAT = "imds-guard fleet plan";
const UNDO_FORMAT = "imds-guard fleet undo";
/** Of both formats. */
const VERSION = 1;

/** The file of a plan. */
export function planText(head: PlanHead, steps: readonly Step[], held: readonly Held[]): string {
  return fileText(FORMAT, head, { steps, held });
}

/** The undo file of a plan: the state before each of its steps. */
export function undoText(head: PlanHead, steps: readonly Step[]): string {
  return fileText(UNDO_FORMAT, head, { steps });
}

/** Each item of a list has a line of its own. */
function fileText(
  format: string,
  { id, made, days, exceptionTag, role }: PlanHead,
  lists: Readonly<Record<string, readonly object[]>>,
): string {
  const head = { format, version: VERSION, id, made, days, exceptionTag: tagText(exceptionTag), role };
  const members = Object.entries(lists).map(([name, items]) => {
    const lines = items.map((item) => `    ${JSON.stringify(item)}`).join(",\n");
    return `  "${name}": [\n${lines}${lines === "" ? "" : "\n"}  ]`;
  });
  return `${[JSON.stringify(head, undefined, 2).slice(0, -2), ...members].join(",\n")}\n}\n`;
}

/** Reads a plan. @throws PlanError naming what is wrong */
export function readPlan(text: string): Plan {
  return readFile(text, FORMAT, "plan");
}

/** Reads an undo file. @throws PlanError naming what is wrong */
export function readUndo(text: string): Plan {
  return readFile(text, UNDO_FORMAT, "undo file");
}

function readFile(text: string, format: string, what: string): Plan {
  const value = parsed(text);
  if (textIn(value, "format") !== format) throw new PlanError(`it is no ${what} of imds-guard fleet`);
  return { ...headOf(value), steps: stepsOf(value) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new PlanError(`it is no JSON: ${(error as Error).message}`);
  }
}

function headOf(value: unknown): PlanHead {
  const version = numberIn(value, "version");
  if (version !== VERSION) throw new PlanError(`its version is ${version ?? "absent"}; known: ${VERSION}`);
  const id = textIn(value, "id");
  const made = textIn(value, "made");
  const days = numberIn(value, "days");
  const exceptionTag = readTag(textIn(value, "exceptionTag") ?? "");
  if (id === undefined || !/^[\w-]{8,64}$/.test(id)) throw new PlanError("its id is missing or malformed");
  if (made === undefined || Number.isNaN(Date.parse(made)))
    throw new PlanError("its time (made) is missing or no time");
  if (days === undefined) throw new PlanError("its days are missing");
  if (exceptionTag === undefined) throw new PlanError("its exceptionTag is no KEY=VALUE");
  return { id, made, days, exceptionTag, role: textIn(value, "role") };
}

function stepsOf(value: unknown): readonly Step[] {
  const steps = (value as { steps?: unknown }).steps;
  if (!Object.hasOwn(value as object, "steps") || !Array.isArray(steps)) throw new PlanError("it has no list of steps");
  return steps.map((step: unknown, index) => {
    const found = isPlainObject(step) ? stepOf(step) : undefined;
    if (found === undefined) throw new PlanError(`step ${index + 1} is malformed`);
    return found;
  });
}

const INSTANCE = /^i-[0-9a-f]{8,32}$/;
const TEMPLATE = /^lt-[0-9a-f]{8,32}$/;

function stepOf(step: Readonly<Record<string, unknown>>): Step | undefined {
  const [kind, accountId, region, id] = ["kind", "accountId", "region", "id"].map((name) => textIn(step, name));
  const does = textIn(step, "does") ?? "";
  const name = textIn(step, "name");
  if (!isAccountId(accountId) || region === undefined || !isConfiguredRegion(region)) return undefined;
  const from = objectIn(step, "from");
  if (from === undefined) return undefined;
  const place = { accountId, region };
  switch (kind) {
    case "instance":
    case "metadata-defaults": {
      const options = { from: statedOptions(from), to: { ...statedOptions(from), HttpTokens: "required" } };
      // A plan that says something else than this program does is not carried out.
      if (!sameOptions(statedOptions(objectIn(step, "to")), options.to)) return undefined;
      if (kind === "metadata-defaults") return { kind, ...place, does, ...options };
      if (id === undefined || !INSTANCE.test(id) || requires(options.from)) return undefined;
      return { kind, ...place, id, name, does, why: textIn(step, "why") ?? "", ...options };
    }
    case "launch-template": {
      const defaultVersion = numberIn(from, "defaultVersion");
      const latestVersion = numberIn(from, "latestVersion");
      if (id === undefined || !TEMPLATE.test(id) || !isVersion(defaultVersion) || !isVersion(latestVersion))
        return undefined;
      const state = {
        defaultVersion,
        latestVersion,
        defaultOptions: statedOptions(objectIn(from, "defaultOptions")),
        latestOptions: statedOptions(objectIn(from, "latestOptions")),
      };
      return { kind, ...place, id, name, does, from: state, latestFollowed: step["latestFollowed"] === true };
    }
    default:
      return undefined;
  }
}

function isVersion(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value > 0;
}
