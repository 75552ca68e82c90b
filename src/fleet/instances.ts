/** The instances of an account in a region, with a verdict each. */
import type { Answer, AwsApi } from "./aws-api.js";
import { listIn, objectIn, tagsIn, textIn } from "./answers.js";
import type { Evidence } from "./evidence.js";
import { hopLimitOf } from "./hop-limit.js";
import { optionsInForce } from "./metadata-options.js";
import type { Counts } from "./metrics.js";
import type { InstanceRecord, Place } from "./records.js";
import { verdictOf } from "./verdict.js";
import type { Counted } from "./verdict.js";

/** A tag that excepts what has it. */
export interface ExceptionTag {
  readonly key: string;
  readonly value: string;
}

/** Members of MetadataOptions that are told apart here. */
const KNOWN = new Set([
  "State",
  "HttpTokens",
  "HttpEndpoint",
  "HttpPutResponseHopLimit",
  "HttpProtocolIpv6",
  "InstanceMetadataTags",
]);
/** They are gone, or as good as. */
const GONE = new Set(["terminated", "shutting-down"]);

/** An instance as EC2 describes it, before anybody asked for its metrics. */
export interface DescribedInstance {
  readonly instanceId: string;
  readonly answer: Answer;
  readonly tags: ReadonlyMap<string, string>;
}

/**
 * Instances that are there, a page at a time. Those that are terminated are left out.
 * @throws the SDK's error
 */
export async function* describeInstances(api: AwsApi, input: object = {}): AsyncGenerator<DescribedInstance[]> {
  for await (const page of api.pages("ec2", "DescribeInstances", { MaxResults: 1_000, ...input })) {
    yield listIn(page, "Reservations").flatMap((reservation) =>
      listIn(reservation, "Instances").flatMap((answer): DescribedInstance[] => {
        const instanceId = textIn(answer, "InstanceId");
        const state = textIn(objectIn(answer, "State"), "Name");
        if (instanceId === undefined || (state !== undefined && GONE.has(state))) return [];
        return [{ instanceId, answer: answer as Answer, tags: tagsIn(answer) }];
      }),
    );
  }
}

/** Reads `KEY=VALUE`; undefined where it is none. The key ends at the first equals sign. */
export function readTag(text: string): ExceptionTag | undefined {
  const at = text.indexOf("=");
  return at < 1 ? undefined : { key: text.slice(0, at), value: text.slice(at + 1) };
}

/** The tag as {@link readTag} reads it. */
export function tagText({ key, value }: ExceptionTag): string {
  return `${key}=${value}`;
}

/** The text of the tag, `IMDS=v1`, where it is among `tags`. */
export function exceptionIn(tags: ReadonlyMap<string, string>, tag: ExceptionTag): string | undefined {
  return tags.get(tag.key) === tag.value ? tagText(tag) : undefined;
}

/** A tag that differs in the case of its letters alone excepts nothing, and somebody may think that it does. */
export function nearlyExceptionIn(tags: ReadonlyMap<string, string>, tag: ExceptionTag): string | undefined {
  const wanted = tagText(tag).toLowerCase();
  const near = [...tags].find(([key, value]) => tagText({ key, value }).toLowerCase() === wanted);
  return near === undefined ? undefined : `${tagText({ key: near[0], value: near[1] })} is not ${tagText(tag)}`;
}

/** Whether its metrics say something: which verdict it gets, or who still tries where tokens are required. */
export function needsCounts({ answer, tags }: DescribedInstance, tag: ExceptionTag): boolean {
  const options = optionsInForce(objectIn(answer, "MetadataOptions"));
  return options.HttpEndpoint !== "disabled" && exceptionIn(tags, tag) === undefined;
}

/** Puts together what is known of one instance. `counts` is a reason where CloudWatch could not be asked. */
export function instanceRecord(
  { accountId, region }: Place,
  { instanceId, answer, tags }: DescribedInstance,
  counts: Counts | string | undefined,
  tag: ExceptionTag,
  evidence: Evidence | undefined,
): InstanceRecord {
  const metadata = objectIn(answer, "MetadataOptions");
  const options = optionsInForce(metadata);
  const shown = evidence?.of(instanceId);
  const counted = countedOf(counts);
  const judged = verdictOf({ options, exceptedBy: exceptionIn(tags, tag), counted, shown });
  const near = judged.verdict === "fine" || judged.verdict === "excepted" ? undefined : nearlyExceptionIn(tags, tag);
  const profile = textIn(objectIn(answer, "IamInstanceProfile"), "Arn");
  const hop = hopLimitOf(
    options.HttpEndpoint === "disabled" ? undefined : options.HttpPutResponseHopLimit,
    tags,
    profile,
  );
  const others = Object.entries(metadata ?? {}).filter(([name, value]) => !KNOWN.has(name) && value !== undefined);
  const read = typeof counts === "object" ? counts : undefined;
  return {
    kind: "instance",
    instanceId,
    accountId,
    region,
    verdict: judged.verdict,
    reason: near === undefined ? judged.reason : `${judged.reason}; its tag ${near}`,
    unread: judged.verdict === "unknown" && counted.kind === "not-read" ? true : undefined,
    calls: judged.calls,
    last: judged.last,
    rejected: read === undefined || read.rejected === 0 ? undefined : read.rejected,
    since: judged.verdict === "fine" ? undefined : read?.since,
    programs: shown === undefined || shown.programs.length === 0 ? undefined : shown.programs,
    name: tags.get("Name"),
    state: textIn(objectIn(answer, "State"), "Name"),
    options,
    otherOptions: others.length > 0 ? Object.fromEntries(others) : undefined,
    instanceProfile: profile,
    launchTemplateId: tags.get("aws:ec2launchtemplate:id"),
    autoScalingGroup: tags.get("aws:autoscaling:groupName"),
    containers: hop.host,
    hopLimitAdvice: hop.advice,
  };
}

function countedOf(counts: Counts | string | undefined): Counted {
  if (typeof counts === "string") return { kind: "not-read", reason: counts };
  if (counts?.incomplete !== undefined)
    return { kind: "not-read", reason: `CloudWatch gave no whole answer (${counts.incomplete})` };
  if (counts?.since === undefined) return { kind: "no-data" };
  return { kind: "counted", calls: counts.calls, last: counts.last, since: counts.since };
}
