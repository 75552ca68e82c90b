/** Facts about a host in one shape, whichever operating system they were read from. */
import type { CommandResult, System } from "../base/system.js";
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

/** A sysfs attribute is one page at most. */
const FILE_LIMIT = 4096;

/** Every command asked is a local listing that takes milliseconds. */
const COMMAND_TIMEOUT_MS = 2000;

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

/** Names and values as a command listed them. A name listed twice has two values. */
export type Listing = ReadonlyMap<string, readonly string[]>;

/** Name and value of the lines that match `pattern`, its two groups. */
export function listingOf(text: string, pattern: RegExp): Listing {
  return listing(
    text.split("\n").flatMap((line) => {
      const [, name, value] = pattern.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/** Collects `name, value` pairs without losing a repeated name. */
export function listing(pairs: Iterable<readonly [name: string, value: string]>): Listing {
  const map = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const values = map.get(name);
    if (values === undefined) map.set(name, [value]);
    else values.push(value);
  }
  return map;
}

/** The one command of an operating system that lists what the firmware told it. */
export interface Lister {
  readonly kind: HostEvidenceKind;
  readonly command: string;
  readonly args: readonly string[];
  /** What it is called where it failed. */
  readonly called: string;
  readonly parse: (stdout: string) => Listing;
  /** What the sources have in front of their names. Default nothing. */
  readonly within?: string;
}

/** Runs a lister and reads `names` (field -> name, which is looked up in lower case) as facts. */
export async function readListed<Field extends SmbiosField>(
  system: System,
  { kind, command, args, called, parse, within = "" }: Lister,
  names: Readonly<Record<Field, string>>,
): Promise<Record<Field, Fact>> {
  const result = await runListing(system, command, args);
  const values = result.kind === "output" ? parse(result.stdout) : undefined;
  const facts = Object.entries<string>(names).map(([field, name]) => [
    field,
    result.kind === "failed"
      ? unreadable(kind, within + name, `${called}: ${result.reason}`)
      : listedFact(kind, within + name, values?.get(name.toLowerCase())),
  ]);
  return Object.fromEntries(facts) as Record<Field, Fact>;
}

/** One name of a listing as a fact. A name with several values cannot be read as any of them. */
function listedFact(kind: HostEvidenceKind, source: string, values: readonly string[] | undefined): Fact {
  const [value, ...more] = values ?? [];
  if (value === undefined) return { kind, source, status: "absent" };
  if (more.some((other) => other !== value)) return unreadable(kind, source, "listed with different values");
  return textFact(kind, source, value);
}

/** Runs the one command of an operating system. A program that cannot even be started is one more way of failing. */
export async function runListing(system: System, command: string, args: readonly string[]): Promise<CommandResult> {
  try {
    return await system.run(command, args, COMMAND_TIMEOUT_MS);
  } catch (error) {
    // Starting a program may throw, e.g. ERR_ACCESS_DENIED under Node's permission model.
    return { kind: "failed", reason: (error as NodeJS.ErrnoException).code ?? "not started" };
  }
}
