/** SMBIOS strings as FreeBSD's loader leaves them in the kernel environment. */
import type { System } from "../base/system.js";
import type { SmbiosFacts } from "./facts.js";
import { type Listing, listingOf, readListed } from "./listing.js";

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
export function readFreebsdKenv(system: System): Promise<SmbiosFacts> {
  return readListed(
    system,
    { kind: "kenv", command: "/bin/kenv", args: [], called: "kenv", parse: parseKenv },
    VARIABLES,
  );
}

/** The `smbios.*` variables of a `kenv` listing: `name="value"`, one a line, the value not escaped. */
export function parseKenv(stdout: string): Listing {
  return listingOf(stdout, /^(smbios\.[a-z0-9_.]+)="(.*)"$/);
}
