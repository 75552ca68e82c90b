/** SMBIOS strings as FreeBSD's loader leaves them in the kernel environment. */
import type { System } from "../base/system.js";
import { listedFact, type Listing, listing, runListing, type SmbiosFacts } from "./facts.js";

/** SMBIOS field -> kernel variable. The loader sets no variable for an empty string. */
const VARIABLES = {
  sysVendor: "smbios.system.maker",
  biosVendor: "smbios.bios.vendor",
  boardVendor: "smbios.planar.maker",
  chassisVendor: "smbios.chassis.maker",
  biosVersion: "smbios.bios.version",
  productVersion: "smbios.system.version",
  productName: "smbios.system.product",
  productUuid: "smbios.system.uuid",
  boardAssetTag: "smbios.planar.tag",
  chassisAssetTag: "smbios.chassis.tag",
} as const;

/** Reads the kernel environment with one `kenv`, which needs no privilege. */
export async function readFreebsdKenv(system: System): Promise<SmbiosFacts> {
  const result = await runListing(system, "/bin/kenv", []);
  const values = result.kind === "output" ? parseKenv(result.stdout) : undefined;
  const facts: { -readonly [K in keyof SmbiosFacts]: SmbiosFacts[K] } = {};
  for (const [field, source] of Object.entries(VARIABLES) as [keyof typeof VARIABLES, string][]) {
    facts[field] =
      result.kind === "failed"
        ? { kind: "kenv", source, status: "unreadable", why: `kenv: ${result.reason}` }
        : listedFact("kenv", source, values?.get(source));
  }
  return facts;
}

/** The `smbios.*` variables of a `kenv` listing: `name="value"`, one a line, the value not escaped. */
export function parseKenv(stdout: string): Listing {
  const pairs: [string, string][] = [];
  for (const line of stdout.split("\n")) {
    const match = /^(smbios\.[a-z0-9_.]+)="(.*)"$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) pairs.push([match[1], match[2]]);
  }
  return listing(pairs);
}
