/** SMBIOS strings as OpenBSD's kernel shows them under `hw`. */
import type { System } from "../base/system.js";
import { type Fact, listedFact, type Listing, listing, runListing, type SmbiosFacts } from "./facts.js";

/** SMBIOS field -> variable. The kernel shows one vendor, the system's, and no version of the BIOS. */
const VARIABLES = {
  sysVendor: "hw.vendor",
  productVersion: "hw.version",
  productName: "hw.product",
  productUuid: "hw.uuid",
} as const;

/** Reads all of `hw` with one `sysctl`; `hw.uuid` is listed for root only. */
export async function readOpenbsdSysctl(system: System): Promise<SmbiosFacts> {
  const result = await runListing(system, "/sbin/sysctl", ["hw"]);
  const values = result.kind === "output" ? parseSysctl(result.stdout) : undefined;
  const read = (source: string): Fact =>
    result.kind === "failed"
      ? { kind: "sysctl", source, status: "unreadable", why: `sysctl: ${result.reason}` }
      : listedFact("sysctl", source, values?.get(source));
  const uuid = read(VARIABLES.productUuid);
  return {
    sysVendor: read(VARIABLES.sysVendor),
    productVersion: read(VARIABLES.productVersion),
    productName: read(VARIABLES.productName),
    // Not listed may mean not allowed, so absence cannot be claimed.
    productUuid:
      uuid.status === "absent"
        ? { kind: "sysctl", source: uuid.source, status: "unreadable", why: "not listed" }
        : uuid,
  };
}

/** The `hw.*` variables of a `sysctl` listing: `name=value`, one a line. */
export function parseSysctl(stdout: string): Listing {
  const pairs: [string, string][] = [];
  for (const line of stdout.split("\n")) {
    const match = /^(hw\.[a-z0-9_.]+)=(.*)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) pairs.push([match[1], match[2]]);
  }
  return listing(pairs);
}
