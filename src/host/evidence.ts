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
import { type Finding, wordsFor } from "./evidence-words.js";
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
    ...describe(hypervisor?.type, () => neutral("hypervisor")),
    ...describe(hypervisor?.uuid, hypervisorUuid),
    ...describe(hypervisor?.versionExtra, hypervisorVersion),
    ...describe(facts.deviceTree, deviceTree),
    ...describe(facts.kernel, kernelBanner),
    ...describe(facts.macModel, macModel),
    ...facts.container.facts.flatMap((fact) => describe(fact, () => neutral("container"))),
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
    case "absent":
      return neutral(fact.status);
    case "unreadable":
      return { weight: "neutral", says: `cannot be read: ${fact.why}` };
  }
}

function weighing(weight: HostEvidenceWeight): (finding: Finding) => Meaning {
  return (finding) => ({ weight, says: wordsFor(finding) });
}

const neutral = /* @__PURE__ */ weighing("neutral");
const supports = /* @__PURE__ */ weighing("supports");
const contradicts = /* @__PURE__ */ weighing("contradicts");

/** Marks that count only beside others: support where the host was found to be EC2, mere coincidence elsewhere. */
function corroborating(verdict: Verdict, finding: Finding): Meaning {
  return verdict === "ec2" ? supports(finding) : neutral(finding);
}

const SMBIOS_MEANING: Readonly<Record<SmbiosField, Read>> = {
  sysVendor: vendor,
  biosVendor: vendor,
  boardVendor: partVendor,
  chassisVendor: partVendor,
  biosVersion: version,
  productVersion: version,
  productName: () => neutral("model"),
  productUuid: (value, _facts, verdict) =>
    beginsEc2(value) ? corroborating(verdict, "UUID of EC2") : contradicts("no UUID of EC2"),
  boardAssetTag: (value, _facts, verdict) =>
    isInstanceId(value) ? corroborating(verdict, "instance id") : neutral("no instance id"),
  chassisAssetTag: (value, _facts, verdict) =>
    value === AMAZON_VENDOR ? corroborating(verdict, "Nitro tag") : neutral("no Nitro tag"),
};

function kernelBanner(value: string): Meaning {
  return isWslBanner(value) ? contradicts("WSL") : neutral("kernel");
}

function macModel(value: string): Meaning {
  return isNoEc2Mac(value) ? contradicts("no Mac of EC2") : neutral("Mac");
}

function partVendor(value: string, facts: HostFacts, verdict: Verdict): Meaning {
  return value !== AMAZON_VENDOR && value.startsWith("Amazon ")
    ? neutral("Amazon part")
    : vendor(value, facts, verdict);
}

function vendor(value: string, _facts: HostFacts, verdict: Verdict): Meaning {
  if (value === AMAZON_VENDOR) return supports("Nitro vendor");
  if (value === XEN_VENDOR) return corroborating(verdict, "Xen vendor");
  if (!namesVendor(value)) return neutral("no vendor");
  return contradicts("other vendor");
}

function version(value: string, { smbios }: HostFacts): Meaning {
  if (isAmazonXenVersion(value)) return supports("Amazon Xen");
  if (!namedVendors(smbios).some((fact) => fact.value === XEN_VENDOR)) return neutral("version");
  return contradicts("other Xen version");
}

function hypervisorUuid(value: string, { hypervisor }: HostFacts, verdict: Verdict): Meaning {
  if (isZeroUuid(value)) return neutral("domain 0");
  if (beginsEc2(value)) return corroborating(verdict, "Xen UUID of EC2");
  if (guestUuid(hypervisor) === undefined) return neutral("UUID of another hypervisor");
  return contradicts("Xen UUID of another host");
}

function hypervisorVersion(value: string, { hypervisor }: HostFacts, verdict: Verdict): Meaning {
  if (isAmazonXenExtra(value)) return corroborating(verdict, "Amazon Xen");
  if (verdict === "ec2" || guestUuid(hypervisor) === undefined) return neutral("foreign hypervisor");
  return contradicts("other Xen");
}

function deviceTree(value: string): Meaning {
  if (!namesBoard(value)) return neutral("virtual tree");
  return contradicts("named board");
}
