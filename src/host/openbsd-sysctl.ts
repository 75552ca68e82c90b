/** SMBIOS strings as OpenBSD's kernel shows them under `hw`. */
import type { System } from "../base/system.js";
import { type SmbiosFacts, unreadable } from "./facts.js";
import { type Listing, listingOf, readListed } from "./listing.js";

/** SMBIOS field -> variable. The kernel shows one vendor, the system's, and no version of the BIOS. */
const VARIABLES = {
  sysVendor: "hw.vendor",
  productVersion: "hw.version",
  productName: "hw.product",
  productUuid: "hw.uuid",
} as const;

/** Reads all of `hw` with one `sysctl`; `hw.uuid` is listed for root only. */
export async function readOpenbsdSysctl(system: System): Promise<SmbiosFacts> {
  const lister = { command: "/sbin/sysctl", args: ["hw"], called: "sysctl", parse: parseSysctl };
  const facts = await readListed(system, { kind: "sysctl", ...lister }, VARIABLES);
  const { status, kind, source } = facts.productUuid;
  // Not listed may mean not allowed, so absence cannot be claimed.
  return status === "absent" ? { ...facts, productUuid: unreadable(kind, source, "not listed") } : facts;
}

/** The `hw.*` variables of a `sysctl` listing: `name=value`, one a line. */
export function parseSysctl(stdout: string): Listing {
  return listingOf(stdout, /^(hw\.[a-z0-9_.]+)=(.*)$/);
}
