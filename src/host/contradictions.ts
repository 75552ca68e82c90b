/** Does a host claim to be EC2, and does anything it shows contradict that claim? Pure functions over facts. */
import {
  AMAZON_VENDOR,
  beginsEc2,
  isAmazonXenExtra,
  isAmazonXenVersion,
  isZeroUuid,
  namesVendor,
  XEN_VENDOR,
} from "./ec2-identifiers.js";
import { type Fact, type HostFacts, type HypervisorFacts, type PresentFact, shows, type SmbiosFacts } from "./facts.js";
import type { HostRule } from "./report.js";

/** Which kind of EC2 host the DMI strings claim, by any one of them. */
export type Claim = "nitro" | "xen-hvm";

/** A fact that no EC2 host of the claimed kind shows. */
export interface Contradiction {
  readonly rule: Extract<HostRule, `veto-${string}`>;
  readonly fact: Fact;
  readonly says: string;
}

/** The vendor fields that name somebody. */
export function namedVendors(smbios: SmbiosFacts): PresentFact[] {
  const fields = [smbios.sysVendor, smbios.biosVendor, smbios.boardVendor, smbios.chassisVendor];
  return fields.filter((fact) => shows(fact, namesVendor));
}

/** The two places where Xen writes its version into the DMI of a guest. */
export function versionFacts(smbios: SmbiosFacts): Fact[] {
  return [smbios.biosVersion, smbios.productVersion].filter((fact) => fact !== undefined);
}

/** A hypervisor's uuid that belongs to this guest. Domain 0 shows zeros: there the hypervisor is the host's own. */
export function guestUuid(hypervisor: HypervisorFacts | undefined): PresentFact | undefined {
  if (!shows(hypervisor?.type, (type) => type === "xen")) return undefined;
  const uuid = hypervisor?.uuid;
  return shows(uuid, (value) => !isZeroUuid(value)) ? uuid : undefined;
}

/** What the DMI strings claim. One field is enough for a claim; it takes all of them to uphold it. */
export function claimOf(smbios: SmbiosFacts): Claim | undefined {
  if (namedVendors(smbios).some((fact) => fact.value === AMAZON_VENDOR)) return "nitro";
  return versionFacts(smbios).some((fact) => shows(fact, isAmazonXenVersion)) ? "xen-hvm" : undefined;
}

/** Every fact against a claim, the most telling kind first. */
export function contradictionsOf(claim: Claim, facts: HostFacts): Contradiction[] {
  return [
    ...vendorContradictions(claim, facts.smbios),
    ...(claim === "xen-hvm" ? versionContradictions(facts.smbios) : []),
    ...uuidContradictions(facts),
    ...(claim === "xen-hvm" ? hypervisorContradictions(facts.hypervisor) : []),
  ];
}

function vendorContradictions(claim: Claim, smbios: SmbiosFacts): Contradiction[] {
  const vendor = claim === "nitro" ? AMAZON_VENDOR : XEN_VENDOR;
  return namedVendors(smbios)
    .filter((fact) => fact.value !== vendor && !(claim === "nitro" && isAmazonPart(fact, smbios)))
    .map((fact) => ({ rule: "veto-vendor", fact, says: `every vendor of such a host is "${vendor}"` }));
}

/** Board and chassis of some instances name another part of the company: `Amazon Corporate LLC`. */
export function isAmazonPart(fact: PresentFact, { boardVendor, chassisVendor }: SmbiosFacts): boolean {
  return (fact === boardVendor || fact === chassisVendor) && fact.value.startsWith("Amazon ");
}

function versionContradictions(smbios: SmbiosFacts): Contradiction[] {
  const { biosVersion, productVersion } = smbios;
  const known = versionFacts(smbios).filter((fact) => fact.status === "present" || fact.status === "empty");
  const strangers = known.filter((fact) => fact.status === "empty" || !isAmazonXenVersion(fact.value));
  const contradictions: Contradiction[] = strangers.map((fact) => ({
    rule: "veto-version",
    fact,
    says: "the other version is Amazon's build of Xen, and on EC2 both are",
  }));
  if (strangers.length > 0 || biosVersion?.status !== "present" || productVersion?.status !== "present")
    return contradictions;
  if (biosVersion.value === productVersion.value) return [];
  return [{ rule: "veto-version", fact: productVersion, says: "on EC2 this version equals the BIOS version" }];
}

function uuidContradictions(facts: HostFacts): Contradiction[] {
  return [facts.smbios.productUuid, guestUuid(facts.hypervisor)]
    .filter((fact) => shows(fact, (uuid) => !beginsEc2(uuid)))
    .map((fact) => ({ rule: "veto-uuid", fact, says: "on EC2 this UUID begins with ec2 in one byte order" }));
}

function hypervisorContradictions(hypervisor: HypervisorFacts | undefined): Contradiction[] {
  // Without a guest's uuid this may be domain 0, whose hypervisor says nothing about the host below.
  if (hypervisor === undefined || guestUuid(hypervisor) === undefined) return [];
  const { versionExtra: fact } = hypervisor;
  if (!shows(fact, (extra) => !isAmazonXenExtra(extra))) return [];
  return [{ rule: "veto-hypervisor", fact, says: 'on EC2 the version of Xen ends with ".amazon"' }];
}
