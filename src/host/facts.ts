/** Facts about a host in one shape, whichever operating system they were read from. */
import type { System } from "../base/system.js";
import type { HostEvidenceKind } from "./report.js";

/** Fields of the SMBIOS tables that the verdict or its explanation uses, by their Linux meaning. */
export type SmbiosField =
  | "sysVendor"
  | "biosVendor"
  | "boardVendor"
  | "chassisVendor"
  | "biosVersion"
  | "productVersion"
  | "productName"
  | "productUuid"
  | "boardAssetTag"
  | "chassisAssetTag";

interface Origin {
  readonly kind: HostEvidenceKind;
  /** A path, registry value or kernel variable. */
  readonly source: string;
}

/** A fact whose text is known. */
export type PresentFact = Origin & { readonly status: "present"; readonly value: string };

/** What was found at one place. */
export type Fact =
  | PresentFact
  | (Origin & { readonly status: "empty" })
  | (Origin & { readonly status: "absent" })
  /** `why` is a system error code or a few words. */
  | (Origin & { readonly status: "unreadable"; readonly why: string });

/** A field is missing here when the operating system has no such place, which is neither absent nor unreadable. */
export type SmbiosFacts = Readonly<Partial<Record<SmbiosField, Fact>>>;

/** What Xen tells its guests about itself. */
export interface HypervisorFacts {
  readonly type: Fact;
  readonly uuid: Fact;
  readonly versionExtra: Fact;
}

/** Containers hide nothing that the verdict uses and prove nothing either: they are reported, never counted. */
export interface ContainerFacts {
  readonly name?: string;
  readonly facts: readonly Fact[];
}

/** Everything the verdict is made from. */
export interface HostFacts {
  readonly platform: NodeJS.Platform;
  readonly smbios: SmbiosFacts;
  readonly hypervisor?: HypervisorFacts;
  /** Linux without DMI only: the board's name in the device tree. */
  readonly deviceTree?: Fact;
  /** Linux without DMI only: the kernel's banner, which names WSL. */
  readonly kernel?: Fact;
  /** macOS only. */
  readonly macModel?: Fact;
  readonly container: ContainerFacts;
}

/** Whether a fact is there, and its text is what is looked for. */
export function shows(fact: Fact | undefined, wanted: (value: string) => boolean): fact is PresentFact {
  return fact?.status === "present" && wanted(fact.value);
}

/** A sysfs attribute is one page at most. */
const FILE_LIMIT = 4096;

/** Reads one small text file as a fact. */
export function readFact(system: System, kind: HostEvidenceKind, source: string, limit: number = FILE_LIMIT): Fact {
  const read = system.readFile(source, limit);
  switch (read.kind) {
    case "content":
      return textFact(kind, source, read.bytes.toString("utf8"));
    case "absent":
      return { kind, source, status: "absent" };
    case "unreadable":
      return unreadable(kind, source, read.code);
    case "too-large":
      return unreadable(kind, source, `more than ${read.limit} bytes`);
  }
}

/** A fact that is kept from us. */
export function unreadable(kind: HostEvidenceKind, source: string, why: string): Fact {
  return { kind, source, status: "unreadable", why };
}

/**
 * The text without its line end (sysfs) or its terminating NUL (device tree). Other white space is kept: comparisons
 * are exact.
 */
export function textFact(kind: HostEvidenceKind, source: string, text: string): Fact {
  const value = text.replace(/[\n\0]$/, "");
  return value.trim() === "" ? { kind, source, status: "empty" } : { kind, source, status: "present", value };
}
