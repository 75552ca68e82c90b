/** What an audit finds: one flat object for each thing, as the JSON report has it. */
import type { EvidenceProgram } from "./evidence.js";
import type { Gap } from "./gaps.js";
import type { ContainerHost } from "./hop-limit.js";
import type { MetadataOptions } from "./metadata-options.js";
import type { Verdict } from "./verdict.js";

/** Where something is. */
export interface Place {
  readonly accountId: string;
  readonly region: string;
}

/** One instance. Times are ISO 8601. */
export interface InstanceRecord extends Place {
  readonly kind: "instance";
  readonly instanceId: string;
  readonly name?: string | undefined;
  readonly state?: string | undefined;
  readonly verdict: Verdict;
  readonly reason: string;
  /** CloudWatch could not be asked, or gave no whole answer. */
  readonly unread?: true | undefined;
  /** Calls of version 1 within the days: a sum of MetadataNoToken, or what the evidence shows. */
  readonly calls?: number | undefined;
  /** The last of them. */
  readonly last?: string | undefined;
  /** Calls of version 1 that were rejected, because tokens are required. */
  readonly rejected?: number | undefined;
  /** The first hour of which CloudWatch knows something. */
  readonly since?: string | undefined;
  /** The programs that the evidence names. */
  readonly programs?: readonly EvidenceProgram[] | undefined;
  /** In force. */
  readonly options: MetadataOptions;
  /** Stated by AWS and not known here, by name. */
  readonly otherOptions?: Readonly<Record<string, unknown>> | undefined;
  /** ARN of the instance profile, where a role is attached. */
  readonly instanceProfile?: string | undefined;
  readonly launchTemplateId?: string | undefined;
  readonly autoScalingGroup?: string | undefined;
  readonly containers: ContainerHost;
  readonly hopLimitAdvice?: string | undefined;
}

/** A version of a launch template. */
export interface TemplateVersion {
  readonly version: number;
  /** Stated by it; what it does not state is decided at launch, by the defaults of the account and the image. */
  readonly options: MetadataOptions;
}

/** Whether something is to be done about a template, a group and so on. */
export type Standing = "fine" | "to-do" | "excepted" | "unknown";

/** One launch template. */
export interface TemplateRecord extends Place {
  readonly kind: "launch-template";
  readonly launchTemplateId: string;
  readonly name?: string | undefined;
  readonly standing: Standing;
  readonly reason: string;
  readonly defaultVersion: TemplateVersion;
  readonly latestVersion: TemplateVersion;
  /** Whether an Auto Scaling group takes the latest version, whichever that is. */
  readonly latestFollowed: boolean;
  /** Instances from it for which version 1 may be needed: it is not to be changed before they are. */
  readonly heldBy?: string | undefined;
}

/** One launch configuration: it cannot be changed, only replaced. */
export interface ConfigurationRecord extends Place {
  readonly kind: "launch-configuration";
  readonly name: string;
  readonly standing: Standing;
  readonly reason: string;
  readonly options: MetadataOptions;
  readonly usedBy?: string | undefined;
}

/** One Auto Scaling group. */
export interface GroupRecord extends Place {
  readonly kind: "auto-scaling-group";
  readonly name: string;
  readonly standing: Standing;
  readonly reason: string;
  readonly launchTemplates: readonly { readonly launchTemplateId: string; readonly version: string }[];
  readonly launchConfiguration?: string | undefined;
}

/** One image of the account's own. */
export interface ImageRecord extends Place {
  readonly kind: "image";
  readonly imageId: string;
  readonly name?: string | undefined;
  /** `v2.0`, where the image says so. */
  readonly imdsSupport?: string | undefined;
}

/** The defaults of an account in a region. */
export interface DefaultsRecord extends Place {
  readonly kind: "metadata-defaults";
  readonly standing: Standing;
  readonly reason: string;
  readonly options: MetadataOptions;
  readonly enforced?: string | undefined;
  readonly managedBy?: string | undefined;
  readonly heldBy?: string | undefined;
}

/** One role that instances can have. */
export interface RoleRecord {
  readonly kind: "role";
  readonly accountId: string;
  readonly name: string;
  /** Whether a policy of it denies credentials of version 1 by ec2:RoleDelivery. */
  readonly roleDelivery: boolean;
}

/** A region that was looked at to its end, or as far as its gaps let it. */
export interface RegionRecord extends Place {
  readonly kind: "region";
  readonly instances: number;
}

/** A gap, as a record. */
export interface GapRecord extends Gap {
  readonly kind: "gap";
}

/** Anything that an audit finds. */
export type FleetRecord =
  | InstanceRecord
  | TemplateRecord
  | ConfigurationRecord
  | GroupRecord
  | ImageRecord
  | DefaultsRecord
  | RoleRecord
  | RegionRecord
  | GapRecord;
