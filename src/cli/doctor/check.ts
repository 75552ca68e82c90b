/** What one look at the host comes to, and what the looks share. */
import type { Evidence } from "../../base/errors.js";
import type { HostReport } from "../../host/report.js";
import type { System } from "../../base/system.js";

/**
 * `ok`: as it should be. `finding`: somebody should act. `open`: programs without this guard would ask the metadata
 * service on a host that is not EC2, as they do by default; no finding by itself. `unknown`: could not be told, and why.
 */
export type Status = "ok" | "finding" | "open" | "unknown";

/** Parts of the page, in its order. */
export const SECTIONS = ["host", "network", "names", "service", "settings", "agents", "rules"] as const;

/** One of {@link SECTIONS}. */
export type Section = (typeof SECTIONS)[number];

/** One line of the page. */
export interface Check {
  readonly section: Section;
  /** Stable name, unique on the page but for what `subject` tells apart. */
  readonly id: string;
  readonly status: Status;
  /** What was looked at: an address, a file, a variable. */
  readonly subject: string;
  /** What was seen, as half a sentence. */
  readonly says: string;
  /** What to do. A line that begins with "$ " can be pasted into a shell. */
  readonly advice?: readonly string[] | undefined;
  readonly evidence?: readonly Evidence[] | undefined;
  /** Changes that would mend it, printed by --fix-plan. */
  readonly fixes?: readonly Fix[] | undefined;
  /** Changes for those who want more than is demanded, printed by --fix-plan whatever was found. */
  readonly offers?: readonly Fix[] | undefined;
}

/** One change to this host, as text to be read and applied by a person. Equal titles are printed once. */
export interface Fix {
  readonly title: string;
  /** The commands, or the new content of `file`. */
  readonly text: string;
  /** Where `text` belongs; without it, `text` is commands. */
  readonly file?: string;
}

/** What listing a directory came to. */
export type Listing =
  | { readonly kind: "names"; readonly names: readonly string[] }
  | { readonly kind: "absent" }
  | { readonly kind: "unreadable"; readonly code: string };

/** A `System` that can also list a directory. */
export interface DoctorSystem extends System {
  /** At most 1,000 names, sorted. */
  readonly listDirectory: (path: string) => Listing;
}

/** What the checks know of the host. */
export interface Machine {
  readonly system: DoctorSystem;
  readonly host: HostReport;
  /** The cloud other than EC2 that the host's own strings name, such as `Google`. */
  readonly otherCloud: string | undefined;
  /** The program of this host to which the packet filter leads what asks for IMDS. */
  readonly gateway?: LocalGateway | undefined;
}

/** A gateway: ours, or one such as kube2iam or kiam. */
export interface LocalGateway {
  readonly ours: boolean;
  /** Port, or address and port, to which packets are led. */
  readonly target: string;
}

/** Reads a text file: its text, or why there is none. */
export type TextRead =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "absent" }
  | { readonly kind: "unknown"; readonly why: string };

const TEXT_LIMIT = 256 * 1024;

/** Reads up to 256 KiB of text. What cannot be read is unknown, never absent. */
export function readText(system: System, path: string, limit = TEXT_LIMIT): TextRead {
  const read = system.readFile(path, limit);
  switch (read.kind) {
    case "content":
      return { kind: "text", text: read.bytes.toString("utf8") };
    case "absent":
      return { kind: "absent" };
    case "too-large":
      return { kind: "unknown", why: `larger than ${read.limit} bytes` };
    case "unreadable":
      return { kind: "unknown", why: read.code };
  }
}

/** Whether a path exists, be it file or directory; undefined where that cannot be told. */
export function exists(system: System, path: string): boolean | undefined {
  const read = system.readFile(path, 1);
  if (read.kind === "absent") return false;
  return read.kind === "unreadable" && (read.code === "EACCES" || read.code === "EPERM") ? undefined : true;
}

/** The first of several answers that is true; undefined if none is and one is unknown. */
export function anyOf(answers: Iterable<boolean | undefined>): boolean | undefined {
  const all = [...answers];
  if (all.includes(true)) return true;
  return all.includes(undefined) ? undefined : false;
}

const VENDORS: readonly (readonly [pattern: RegExp, cloud: string])[] = [
  [/^Google/, "Google Cloud"],
  [/^Microsoft Corporation$/, "Azure"],
  [/^OpenStack|^Red Hat OpenStack|^RDO$/, "OpenStack"],
  [/^Alibaba Cloud/, "Alibaba Cloud"],
  [/^DigitalOcean$/, "DigitalOcean"],
  [/^Hetzner$/, "Hetzner Cloud"],
  [/^OracleCloud\.com/, "Oracle Cloud"],
  [/^Tencent Cloud/, "Tencent Cloud"],
  [/^Scaleway$/, "Scaleway"],
  [/^Vultr$/, "Vultr"],
  [/^UpCloud$/, "UpCloud"],
  [/^Exoscale$/, "Exoscale"],
];

/**
 * The cloud whose own metadata service may be expected at 169.254.169.254. A hint only: it spares an alarm about
 * routes, never one about an answer.
 */
export function otherCloudOf({ verdict, evidence }: HostReport): string | undefined {
  if (verdict !== "not-ec2") return undefined;
  const values = evidence.filter(({ kind }) => kind === "dmi").map(({ value }) => value ?? "");
  return VENDORS.find(([pattern]) => values.some((value) => pattern.test(value)))?.[1];
}
