/** Facts as evidence: what each one says, and how much it weighs in the verdict that was reached. */
import { printable } from "../base/text.js";
import { type Contradiction, guestUuid, namedVendors } from "./contradictions.js";
import {
  AMAZON_VENDOR,
  beginsEc2,
  isAmazonXenExtra,
  isAmazonXenVersion,
  isInstanceId,
  isWslBanner,
  isZeroUuid,
  namesBoard,
  namesVendor,
  XEN_VENDOR,
} from "./ec2-identifiers.js";
import { isNoEc2Mac } from "./macos-model.js";
import type { Fact, HostFacts, PresentFact, SmbiosField } from "./facts.js";
import type { HostEvidence, HostEvidenceWeight, Verdict } from "./report.js";

interface Meaning {
  readonly weight: HostEvidenceWeight;
  readonly says: string;
}

type Read = (value: string, facts: HostFacts, verdict: Verdict) => Meaning;

/** Every fact as evidence, in the order of reading; contradictions of a claim become vetoes. */
export function describeFacts(
  facts: HostFacts,
  verdict: Verdict,
  contradictions: readonly Contradiction[],
): HostEvidence[] {
  const vetoes = new Map<Fact, string>();
  for (const { fact, says } of contradictions) if (!vetoes.has(fact)) vetoes.set(fact, says);
  const describe = (fact: Fact | undefined, read: Read): HostEvidence[] => {
    if (fact === undefined) return [];
    const veto = vetoes.get(fact);
    const meaning =
      veto !== undefined ? { weight: "veto" as const, says: veto } : meaningOf(fact, read, facts, verdict);
    const { kind, source, status } = fact;
    return [{ kind, source, status, ...(fact.status === "present" && { value: shortened(fact) }), ...meaning }];
  };
  const { smbios, hypervisor } = facts;
  return [
    ...(Object.keys(SMBIOS_MEANING) as SmbiosField[]).flatMap((field) =>
      describe(smbios[field], SMBIOS_MEANING[field]),
    ),
    ...describe(hypervisor?.type, () => neutral("the kind of hypervisor")),
    ...describe(hypervisor?.uuid, hypervisorUuid),
    ...describe(hypervisor?.versionExtra, hypervisorVersion),
    ...describe(facts.deviceTree, deviceTree),
    ...describe(facts.kernel, kernelBanner),
    ...describe(facts.macModel, macModel),
    ...facts.container.facts.flatMap((fact) =>
      describe(fact, () => neutral("a sign of a container, which says nothing about the host")),
    ),
  ];
}

/** A present fact's value, quoted for a sentence. */
export function shown(fact: Fact): string {
  return fact.status === "present" ? `"${shortened(fact)}"` : fact.status;
}

/** At most 80 characters of ASCII. The rules use only the beginning of a UUID, and the rest identifies a machine. */
function shortened({ value }: PresentFact): string {
  const uuid = /^([0-9a-f]{8})-[0-9a-f]{4}-/i.exec(value);
  if (uuid?.[1] !== undefined) return `${uuid[1]}-...`;
  const escaped = printable(value, 64).slice(1, -1);
  return escaped.length > 80 ? `${escaped.slice(0, 77)}...` : escaped;
}

function meaningOf(fact: Fact, read: Read, facts: HostFacts, verdict: Verdict): Meaning {
  switch (fact.status) {
    case "present":
      return read(fact.value, facts, verdict);
    case "empty":
      return neutral("there, and empty");
    case "absent":
      return neutral("not there");
    case "unreadable":
      return neutral(`cannot be read: ${fact.why}`);
  }
}

function neutral(says: string): Meaning {
  return { weight: "neutral", says };
}

/** Marks that count only beside others: support where the host was found to be EC2, mere coincidence elsewhere. */
function corroborating(verdict: Verdict, says: string): Meaning {
  return { weight: verdict === "ec2" ? "supports" : "neutral", says };
}

const SMBIOS_MEANING: Readonly<Record<SmbiosField, Read>> = {
  sysVendor: vendor,
  biosVendor: vendor,
  boardVendor: partVendor,
  chassisVendor: partVendor,
  biosVersion: version,
  productVersion: version,
  productName: () => neutral("the model; anybody may call a machine so"),
  productUuid: (value, _facts, verdict) =>
    beginsEc2(value)
      ? corroborating(verdict, "begins with ec2, as one UUID in 2048 does by chance: never enough alone")
      : { weight: "contradicts", says: "every EC2 instance has a UUID that begins with ec2 in one byte order" },
  boardAssetTag: (value, _facts, verdict) =>
    isInstanceId(value) ? corroborating(verdict, "has the form of an instance id") : neutral("no instance id"),
  chassisAssetTag: (value, _facts, verdict) =>
    value === AMAZON_VENDOR
      ? corroborating(verdict, "the tag that Nitro writes")
      : neutral("not the tag that Nitro writes"),
};

function kernelBanner(value: string): Meaning {
  return isWslBanner(value)
    ? { weight: "contradicts", says: "a Windows Subsystem for Linux" }
    : neutral("the kernel's banner; a kernel runs anywhere");
}

function macModel(value: string): Meaning {
  return isNoEc2Mac(value)
    ? { weight: "contradicts", says: "a model that EC2 does not have" }
    : neutral("a model that EC2 may have");
}

function partVendor(value: string, facts: HostFacts, verdict: Verdict): Meaning {
  return value !== AMAZON_VENDOR && value.startsWith("Amazon ")
    ? neutral("a part of Amazon; the system's own vendor tells")
    : vendor(value, facts, verdict);
}

function vendor(value: string, _facts: HostFacts, verdict: Verdict): Meaning {
  if (value === AMAZON_VENDOR) return { weight: "supports", says: "the vendor of EC2's Nitro hosts" };
  if (value === XEN_VENDOR) return corroborating(verdict, "Xen, on EC2 and elsewhere: its version tells");
  if (!namesVendor(value)) return neutral("names nobody");
  return { weight: "contradicts", says: `another vendor than "${AMAZON_VENDOR}"` };
}

function version(value: string, { smbios }: HostFacts): Meaning {
  if (isAmazonXenVersion(value)) return { weight: "supports", says: "Amazon's build of Xen" };
  if (!namedVendors(smbios).some((fact) => fact.value === XEN_VENDOR))
    return neutral("a version; only that of Xen tells anything");
  return { weight: "contradicts", says: "not a version of Amazon's build of Xen" };
}

function hypervisorUuid(value: string, { hypervisor }: HostFacts, verdict: Verdict): Meaning {
  if (isZeroUuid(value)) return neutral("Xen's own domain 0, which has no UUID: counts as absent");
  if (beginsEc2(value)) return corroborating(verdict, "begins with ec2: never enough alone");
  if (guestUuid(hypervisor) === undefined) return neutral("the UUID of a hypervisor other than Xen");
  return { weight: "contradicts", says: "every Xen guest of EC2 has a UUID that begins with ec2" };
}

function hypervisorVersion(value: string, { hypervisor }: HostFacts, verdict: Verdict): Meaning {
  if (isAmazonXenExtra(value)) return corroborating(verdict, "Amazon's build of Xen");
  if (verdict === "ec2" || guestUuid(hypervisor) === undefined)
    return neutral("a hypervisor that is not the host's own");
  return { weight: "contradicts", says: "not Amazon's build of Xen" };
}

function deviceTree(value: string): Meaning {
  if (!namesBoard(value)) return neutral("the generated tree of a virtual machine");
  return { weight: "contradicts", says: "a named board; EC2 has DMI and names none" };
}
