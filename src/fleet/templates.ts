/** What new instances are made from: launch templates, launch configurations, Auto Scaling groups, images, defaults. */
import type { Answer, AwsApi } from "./aws-api.js";
import { listIn, numberIn, objectIn, tagsIn, textIn } from "./answers.js";
import type { ExceptionTag } from "./instances.js";
import { exceptionIn } from "./instances.js";
import type { MetadataOptions } from "./metadata-options.js";
import { statedOptions } from "./metadata-options.js";
import type {
  ConfigurationRecord,
  DefaultsRecord,
  GroupRecord,
  ImageRecord,
  Place,
  Standing,
  TemplateRecord,
  TemplateVersion,
} from "./records.js";

/** An Auto Scaling group, as far as it tells what its instances are made from. */
export interface Group {
  readonly name: string;
  readonly templates: readonly { readonly launchTemplateId: string; readonly version: string }[];
  readonly launchConfiguration?: string | undefined;
}

/** @throws the SDK's error */
export async function readGroups(api: AwsApi): Promise<readonly Group[]> {
  const groups: Group[] = [];
  for await (const page of api.pages("autoscaling", "DescribeAutoScalingGroups", { MaxRecords: 100 })) {
    for (const group of listIn(page, "AutoScalingGroups")) {
      const name = textIn(group, "AutoScalingGroupName");
      if (name === undefined) continue;
      const mixed = objectIn(objectIn(group, "MixedInstancesPolicy"), "LaunchTemplate");
      const specifications = [
        objectIn(group, "LaunchTemplate"),
        objectIn(mixed, "LaunchTemplateSpecification"),
        ...listIn(mixed, "Overrides").map((each) => objectIn(each, "LaunchTemplateSpecification")),
      ];
      const templates = specifications.flatMap((each) => {
        const launchTemplateId = textIn(each, "LaunchTemplateId");
        return launchTemplateId === undefined
          ? []
          : [{ launchTemplateId, version: textIn(each, "Version") ?? "$Default" }];
      });
      groups.push({ name, templates, launchConfiguration: textIn(group, "LaunchConfigurationName") });
    }
  }
  return groups;
}

/** @throws the SDK's error */
export async function readDefaults(api: AwsApi, place: Place): Promise<DefaultsRecord> {
  const answer = objectIn(await api.call("ec2", "GetInstanceMetadataDefaults", {}), "AccountLevel");
  const options = statedOptions(answer);
  const enforced = textIn(answer, "HttpTokensEnforced");
  const managedBy = textIn(answer, "ManagedBy");
  const described = { kind: "metadata-defaults", ...placeOf(place), options, enforced, managedBy } as const;
  if (options.HttpTokens === "required")
    return { ...described, standing: "fine", reason: "new instances get required tokens" };
  const reason =
    options.HttpTokens === undefined || options.HttpTokens === "no-preference"
      ? "the account has no default for HttpTokens"
      : `the default for HttpTokens is ${options.HttpTokens}`;
  return managedBy === "declarative-policy"
    ? { ...described, standing: "to-do", reason: `${reason}, and a declarative policy of the organization sets it` }
    : { ...described, standing: "to-do", reason };
}

/** What a template's record rests on besides the template. */
export interface TemplateContext {
  readonly tag: ExceptionTag;
  /** Of the account and region; undefined where they could not be read. */
  readonly defaults: MetadataOptions | undefined;
  /** Templates of which a group takes the latest version. */
  readonly followed: ReadonlySet<string>;
  /** Why a template is not to be changed yet, by its id. */
  readonly held: ReadonlyMap<string, string>;
}

interface Versions {
  latest: TemplateVersion | undefined;
  default: TemplateVersion | undefined;
}

/** @throws the SDK's error */
export async function* describeTemplates(
  api: AwsApi,
  place: Place,
  context: TemplateContext,
): AsyncGenerator<TemplateRecord> {
  const known = new Map<string, Versions>();
  const input = { Versions: ["$Default", "$Latest"], MaxResults: 200 };
  let asked = false;
  let untold = 0;
  let first = "";
  for await (const page of api.pages("ec2", "DescribeLaunchTemplates", { MaxResults: 200 })) {
    const templates = listIn(page, "LaunchTemplates");
    if (templates.length > 0 && !asked) {
      asked = true;
      // Of all templates at once: one call for a hundred.
      for await (const versions of api.pages("ec2", "DescribeLaunchTemplateVersions", input)) note(known, versions);
    }
    for (const template of templates) {
      const id = textIn(template, "LaunchTemplateId");
      if (id === undefined) continue;
      const numbers = {
        default: numberIn(template, "DefaultVersionNumber"),
        latest: numberIn(template, "LatestVersionNumber"),
      };
      let versions = known.get(id);
      known.delete(id);
      if (versions?.default === undefined || versions.latest?.version !== numbers.latest) {
        const own = new Map<string, Versions>();
        note(own, await api.call("ec2", "DescribeLaunchTemplateVersions", { ...input, LaunchTemplateId: id }));
        versions = own.get(id);
      }
      const { default: defaultVersion, latest: latestVersion } = versions ?? {};
      if (defaultVersion === undefined || latestVersion === undefined) {
        first ||= id;
        untold += 1;
        continue;
      }
      yield templateRecord(place, id, template as Answer, { defaultVersion, latestVersion }, context);
    }
  }
  if (untold > 0) throw new UntoldVersionsError(first, untold);
}

/** Templates of which EC2 told no default or no latest version: they are not seen, and not fine. */
class UntoldVersionsError extends Error {
  override readonly name = "UntoldVersionsError";
  readonly code = "ERR_FLEET_VERSIONS";
  constructor(first: string, count: number) {
    super(`EC2 does not tell the default version of ${first}${count > 1 ? ` and of ${count - 1} more` : ""}`);
  }
}

function note(known: Map<string, Versions>, page: Answer): void {
  for (const each of listIn(page, "LaunchTemplateVersions")) {
    const id = textIn(each, "LaunchTemplateId");
    const version = numberIn(each, "VersionNumber");
    if (id === undefined || version === undefined) continue;
    const options = statedOptions(objectIn(objectIn(each, "LaunchTemplateData"), "MetadataOptions"));
    const versions = known.get(id) ?? { latest: undefined, default: undefined };
    known.set(id, versions);
    if ((each as { DefaultVersion?: unknown }).DefaultVersion === true) versions.default = { version, options };
    if (versions.latest === undefined || versions.latest.version < version) versions.latest = { version, options };
  }
}

function templateRecord(
  place: Place,
  launchTemplateId: string,
  template: Answer,
  versions: { readonly defaultVersion: TemplateVersion; readonly latestVersion: TemplateVersion },
  { tag, defaults, followed, held }: TemplateContext,
): TemplateRecord {
  const { defaultVersion, latestVersion } = versions;
  const described = {
    kind: "launch-template",
    ...placeOf(place),
    launchTemplateId,
    name: textIn(template, "LaunchTemplateName"),
    defaultVersion,
    latestVersion,
    latestFollowed: followed.has(launchTemplateId),
    heldBy: held.get(launchTemplateId),
  } as const;
  const judged = [
    judgeOptions(defaultVersion.options, defaults, `version ${defaultVersion.version}, the default,`),
    ...(latestVersion.version === defaultVersion.version
      ? []
      : [judgeOptions(latestVersion.options, defaults, `version ${latestVersion.version}, the latest,`)]),
  ];
  const open = judged.find(({ standing }) => standing !== "fine");
  if (open === undefined) return { ...described, ...(judged[0] as { standing: Standing; reason: string }) };
  const exceptedBy = exceptionIn(tagsIn(template), tag);
  if (exceptedBy !== undefined) return { ...described, standing: "excepted", reason: `tagged ${exceptedBy}` };
  return { ...described, ...open };
}

/** What instances of it get. Where nothing is stated, the defaults of the account decide. */
function judgeOptions(
  { HttpTokens: tokens, HttpEndpoint: endpoint }: MetadataOptions,
  defaults: MetadataOptions | undefined,
  subject: string,
): { readonly standing: Standing; readonly reason: string } {
  if (tokens === "required") return { standing: "fine", reason: `${subject} requires tokens` };
  if (endpoint === "disabled") return { standing: "fine", reason: `${subject} disables the metadata endpoint` };
  if (tokens !== undefined) return { standing: "to-do", reason: `${subject} has HttpTokens ${tokens}` };
  if (defaults?.HttpTokens === "required")
    return { standing: "fine", reason: `${subject} states nothing, and the account's default requires tokens` };
  return { standing: "to-do", reason: `${subject} does not state HttpTokens` };
}

/** @throws the SDK's error */
export async function* describeConfigurations(
  api: AwsApi,
  place: Place,
  groups: readonly Group[],
  defaults: MetadataOptions | undefined,
): AsyncGenerator<ConfigurationRecord> {
  for await (const page of api.pages("autoscaling", "DescribeLaunchConfigurations", { MaxRecords: 100 })) {
    for (const configuration of listIn(page, "LaunchConfigurations")) {
      const name = textIn(configuration, "LaunchConfigurationName");
      if (name === undefined) continue;
      const options = statedOptions(objectIn(configuration, "MetadataOptions"));
      const usedBy = groups.find(({ launchConfiguration }) => launchConfiguration === name)?.name;
      const judged = judgeOptions(options, defaults, "it");
      yield {
        kind: "launch-configuration",
        ...placeOf(place),
        name,
        options,
        usedBy,
        ...(judged.standing !== "to-do"
          ? judged
          : usedBy === undefined
            ? { standing: "fine", reason: `${judged.reason}, and no group uses it` }
            : {
                standing: "to-do",
                reason: `${judged.reason}; it cannot be changed: give ${usedBy} a launch template`,
              }),
      };
    }
  }
}

/** What is to be said of the groups, once their templates are known by `pinned`: the options of `id:version`. */
export function groupRecords(
  place: Place,
  groups: readonly Group[],
  pinned: ReadonlyMap<string, MetadataOptions>,
  defaults: MetadataOptions | undefined,
): readonly GroupRecord[] {
  return groups.map(({ name, templates, launchConfiguration }): GroupRecord => {
    const judged = templates.flatMap(({ launchTemplateId, version }) => {
      const options = pinned.get(`${launchTemplateId}:${version}`);
      return options === undefined
        ? []
        : [judgeOptions(options, defaults, `${launchTemplateId} version ${version}, which it is pinned to,`)];
    });
    const described = {
      kind: "auto-scaling-group",
      ...placeOf(place),
      name,
      launchTemplates: templates,
      launchConfiguration,
    };
    const open = judged.find(({ standing }) => standing !== "fine");
    return {
      ...described,
      ...(open ?? {
        standing: "fine",
        reason: launchConfiguration === undefined ? "as its launch template" : "as its launch configuration",
      }),
    } as GroupRecord;
  });
}

/** Versions of templates that groups name by their number. @throws the SDK's error */
export async function readPinned(api: AwsApi, groups: readonly Group[]): Promise<ReadonlyMap<string, MetadataOptions>> {
  const wanted = new Map<string, Set<string>>();
  for (const { templates } of groups)
    for (const { launchTemplateId, version } of templates)
      if (/^\d+$/.test(version)) wanted.set(launchTemplateId, (wanted.get(launchTemplateId) ?? new Set()).add(version));
  const pinned = new Map<string, MetadataOptions>();
  for (const [id, versions] of wanted) {
    const input = { LaunchTemplateId: id, Versions: [...versions] };
    for await (const page of api.pages("ec2", "DescribeLaunchTemplateVersions", input))
      for (const each of listIn(page, "LaunchTemplateVersions"))
        pinned.set(
          `${id}:${numberIn(each, "VersionNumber") ?? ""}`,
          statedOptions(objectIn(objectIn(each, "LaunchTemplateData"), "MetadataOptions")),
        );
  }
  return pinned;
}

/** @throws the SDK's error */
export async function* describeImages(api: AwsApi, place: Place): AsyncGenerator<ImageRecord> {
  for await (const page of api.pages("ec2", "DescribeImages", { Owners: ["self"], MaxResults: 1_000 })) {
    for (const image of listIn(page, "Images")) {
      const imageId = textIn(image, "ImageId");
      if (imageId === undefined) continue;
      yield {
        kind: "image",
        ...placeOf(place),
        imageId,
        name: textIn(image, "Name"),
        imdsSupport: textIn(image, "ImdsSupport"),
      };
    }
  }
}

function placeOf({ accountId, region }: Place): Place {
  return { accountId, region };
}
