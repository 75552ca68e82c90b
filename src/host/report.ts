/** What the search for "where am I?" comes to: a verdict, the rule that decided, and every fact it rests on. */
import type { Evidence } from "../base/errors.js";

/** `unknown` is an answer of its own: what could be read decides neither way. */
export type Verdict = "ec2" | "not-ec2" | "unknown";

/** Where a fact was read. `platform` stands for facts about the operating system itself. */
export type HostEvidenceKind = "dmi" | "hypervisor" | "registry" | "kenv" | "sysctl" | "container" | "platform";

/** What reading came to. The four are never folded into one another. */
export type HostEvidenceStatus = "present" | "empty" | "absent" | "unreadable";

/**
 * What a fact does to the verdict. `veto` is a contradiction of a claim to be EC2; `contradicts` is a fact of another
 * host where no such claim was made; `neutral` facts are shown and not counted.
 */
export type HostEvidenceWeight = "supports" | "contradicts" | "veto" | "neutral";

/**
 * One observed fact about this host. `value` is at most 80 characters, escaped to ASCII; of a UUID the first group
 * only.
 */
export interface HostEvidence extends Evidence {
  readonly kind: HostEvidenceKind;
  readonly status: HostEvidenceStatus;
  readonly weight: HostEvidenceWeight;
}

/** Stable short name of the rule that decided. */
export type HostRule =
  | "nitro-dmi"
  | "xen-hvm-dmi"
  | "xen-pv-hypervisor"
  | "veto-vendor"
  | "veto-version"
  | "veto-uuid"
  | "veto-hypervisor"
  | "foreign-dmi"
  | "foreign-uuid"
  | "foreign-hypervisor"
  | "foreign-device-tree"
  | "foreign-wsl"
  | "foreign-mac"
  | "inconclusive-dmi"
  | "nothing-readable"
  | `platform-${NodeJS.Platform}`;

/** How EC2 runs this host. Bare-metal instances are `nitro`: the Nitro cards write the same strings there. */
export type HostVirtualization = "nitro" | "xen-hvm" | "xen-pv";

/** The verdict on this host, complete enough to explain itself. */
export interface HostReport {
  readonly verdict: Verdict;
  readonly rule: HostRule;
  /** One sentence for a person. */
  readonly reason: string;
  /** What would let the host be told, where something simple does. */
  readonly advice?: string;
  /** Every fact that was looked for, found or not, in the order of looking. */
  readonly evidence: readonly HostEvidence[];
  /** The part of `evidence` with weight `veto`. */
  readonly vetoes: readonly HostEvidence[];
  /**
   * Nitro only: the instance id that the board's asset tag carries. To be compared with the signed identity document.
   */
  readonly instanceId?: string;
  /** Set where the verdict is `ec2`. */
  readonly virtualization?: HostVirtualization;
  /** The container this process seems to run in (`docker`, `kubernetes`, `ecs-fargate`, ...). Information only. */
  readonly container?: string | undefined;
}
