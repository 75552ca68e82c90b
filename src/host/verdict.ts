/** The verdict as a pure function over facts: which rule decides, and why. */
import { posix } from "node:path";
import {
  type Claim,
  type Contradiction,
  claimOf,
  contradictionsOf,
  guestUuid,
  namedVendors,
  versionFacts,
} from "./contradictions.js";
import {
  AMAZON_VENDOR,
  beginsEc2,
  isAmazonXenExtra,
  isInstanceId,
  isWslBanner,
  namesBoard,
  XEN_VENDOR,
} from "./ec2-identifiers.js";
import { describeFacts, shown } from "./evidence.js";
import { type Fact, type HostFacts, shows, type SmbiosFacts } from "./facts.js";
import { defineLazy } from "../base/lazy.js";
import { DENIED_BY_DENO, DENIED_BY_NODE, flagsToRead } from "../base/permission.js";
import { isNoEc2Mac } from "./macos-model.js";
import type { HostReport, HostRule, HostVirtualization, Verdict } from "./report.js";

interface Ruling {
  readonly verdict: Verdict;
  readonly rule: HostRule;
  readonly reason: string;
  readonly virtualization?: HostVirtualization;
  readonly advice?: string;
}

const ec2 = (rule: HostRule, reason: string, virtualization: HostVirtualization): Ruling => {
  return { verdict: "ec2", rule, reason, virtualization };
};
const notEc2 = (rule: HostRule, reason: string): Ruling => ({ verdict: "not-ec2", rule, reason });
const unknown = (rule: HostRule, reason: string): Ruling => ({ verdict: "unknown", rule, reason });

/** Operating systems whose facts the rules are made for. */
const JUDGED: ReadonlySet<NodeJS.Platform> = new Set(["linux", "win32", "freebsd", "openbsd"]);

/** Judges facts. Every report carries all of them, each with its weight. */
export function judge(facts: HostFacts): HostReport {
  const claim = claimOf(facts.smbios);
  const contradictions = claim === undefined ? [] : contradictionsOf(claim, facts);
  const ruling = rule(facts, claim, contradictions);
  const tag = facts.smbios.boardAssetTag;
  const report = {
    verdict: ruling.verdict,
    rule: ruling.rule,
    reason: ruling.reason,
    ...(ruling.advice !== undefined && { advice: ruling.advice }),
    ...(ruling.virtualization === "nitro" && shows(tag, isInstanceId) && { instanceId: tag.value }),
    ...(ruling.virtualization !== undefined && { virtualization: ruling.virtualization }),
  };
  // The explanation takes longer than the verdict, and most verdicts are never explained.
  const explained = defineLazy(report, "evidence", () => describeFacts(facts, ruling.verdict, contradictions));
  const weighed = defineLazy(explained, "vetoes", () => explained.evidence.filter((item) => item.weight === "veto"));
  return defineLazy(weighed, "container", () => facts.container.name);
}

function rule(facts: HostFacts, claim: Claim | undefined, contradictions: readonly Contradiction[]): Ruling {
  if (!JUDGED.has(facts.platform)) return foreignMac(facts) ?? unjudged(facts.platform);
  const [first] = contradictions;
  if (first !== undefined) {
    const { fact, says } = first;
    return notEc2(first.rule, `The host claims to be EC2, but ${fact.source} is ${shown(fact)}: ${says}.`);
  }
  if (claim !== undefined) return upheld(claim, facts.smbios);
  return foreign(facts) ?? paravirtual(facts) ?? undecided(facts);
}

function foreignMac({ macModel }: HostFacts): Ruling | undefined {
  if (!shows(macModel, isNoEc2Mac)) return undefined;
  const reason = `The Mac is a ${shown(macModel)}, a model that EC2 does not have.`;
  return notEc2("foreign-mac", reason);
}

function unjudged(platform: NodeJS.Platform): Ruling {
  const reason =
    platform === "darwin"
      ? "An EC2 Mac instance looks like any other Mac, so nothing on macOS tells EC2 apart."
      : `No local evidence of EC2 is known on the platform ${platform}.`;
  return unknown(`platform-${platform}`, reason);
}

/** A claim that nothing contradicts. It counts only when the system vendor itself makes it. */
function upheld(claim: Claim, smbios: SmbiosFacts): Ruling {
  const { sysVendor } = smbios;
  const vendor = claim === "nitro" ? AMAZON_VENDOR : XEN_VENDOR;
  if (!shows(sysVendor, (value) => value === vendor)) {
    const where = sysVendor === undefined ? "the system vendor" : `${sysVendor.source} is ${sysVendor.status}`;
    return unknown("inconclusive-dmi", `Some strings are those of EC2, but ${where}, and it has to be "${vendor}".`);
  }
  if (claim === "nitro") {
    const reason = `The system vendor is "${AMAZON_VENDOR}" and nothing readable contradicts it.`;
    return ec2("nitro-dmi", reason, "nitro");
  }
  const reason = "The host runs on Amazon's build of Xen and nothing readable contradicts it.";
  return ec2("xen-hvm-dmi", reason, "xen-hvm");
}

/** Facts of another host, on one that does not claim to be EC2. */
function foreign(facts: HostFacts): Ruling | undefined {
  const { smbios, deviceTree, kernel } = facts;
  const vendors = namedVendors(smbios);
  const vendor = vendors.find((fact) => fact.value !== XEN_VENDOR);
  if (vendor !== undefined) {
    return notEc2("foreign-dmi", `The vendor in ${vendor.source} is ${shown(vendor)}, not "${AMAZON_VENDOR}".`);
  }
  const version = versionFacts(smbios).find((fact) => fact.status === "present");
  if (vendors.length > 0 && version !== undefined) {
    const reason = `The host runs on Xen, but ${version.source} is ${shown(version)}, not a build of Amazon's.`;
    return notEc2("foreign-dmi", reason);
  }
  const uuid = smbios.productUuid;
  if (shows(uuid, (value) => !beginsEc2(value))) {
    return notEc2(
      "foreign-uuid",
      `The UUID in ${uuid.source} is ${shown(uuid)}; on EC2 it begins with ec2 in one byte order.`,
    );
  }
  const xen = foreignXen(facts);
  if (xen !== undefined) {
    return notEc2(
      "foreign-hypervisor",
      `This is a guest of a Xen that is not Amazon's: ${xen.source} is ${shown(xen)}.`,
    );
  }
  if (shows(deviceTree, namesBoard)) {
    const reason = `The device tree names the board ${shown(deviceTree)}; EC2 has DMI and names none.`;
    return notEc2("foreign-device-tree", reason);
  }
  if (shows(kernel, isWslBanner)) {
    const reason = "This is a Windows Subsystem for Linux, which is no EC2 instance.";
    return notEc2("foreign-wsl", reason);
  }
  return undefined;
}

function foreignXen({ hypervisor }: HostFacts): Fact | undefined {
  const uuid = guestUuid(hypervisor);
  if (uuid === undefined || hypervisor === undefined) return undefined;
  if (!beginsEc2(uuid.value)) return uuid;
  const extra = hypervisor.versionExtra;
  return shows(extra, (value) => !isAmazonXenExtra(value)) ? extra : undefined;
}

/**
 * Paravirtual guests of EC2's Xen have no DMI. World-readable fields that are there but cannot be read are another
 * matter; `product_uuid`, which most processes may not read, is no witness either way.
 */
function paravirtual({ smbios, hypervisor }: HostFacts): Ruling | undefined {
  const { productUuid, ...worldReadable } = smbios;
  if (hypervisor === undefined || productUuid?.status === "present") return undefined;
  if (Object.values(worldReadable).some((fact) => fact.status !== "absent")) return undefined;
  const uuid = guestUuid(hypervisor);
  const extra = hypervisor.versionExtra;
  if (!shows(uuid, beginsEc2) || !shows(extra, isAmazonXenExtra)) return undefined;
  const reason = "A paravirtual guest without DMI on Amazon's build of Xen, with a UUID of EC2.";
  return ec2("xen-pv-hypervisor", reason, "xen-pv");
}

function undecided({ smbios }: HostFacts): Ruling {
  const fields = Object.values(smbios);
  if (fields.some((fact) => fact.status === "present" || fact.status === "empty")) {
    const reason =
      smbios.productUuid?.status === "present"
        ? "A UUID that begins with ec2 is the only sign of EC2, and chance or a lookalike makes one."
        : "Some DMI strings can be read, but none that tells whose host this is.";
    return unknown("inconclusive-dmi", reason);
  }
  const unreadable = fields.find((fact) => fact.status === "unreadable");
  const reason =
    unreadable?.status === "unreadable"
      ? `The DMI strings cannot be read (${unreadable.source}: ${unreadable.why}).`
      : "The host shows no DMI strings at all.";
  // The permission model of the runtime and not the system's.
  const deniedBy = (why: string): (typeof fields)[number] | undefined =>
    fields.find((fact) => fact.status === "unreadable" && fact.why === why);
  const byNode = deniedBy(DENIED_BY_NODE);
  const advice =
    byNode !== undefined
      ? `Start Node.js with ${flagsToRead([`${posix.dirname(byNode.source)}/*`])}, so that it may be told.`
      : deniedBy(DENIED_BY_DENO) &&
        "Start Deno with --allow-all, without which it reads nothing there, so that it may be told.";
  return { ...unknown("nothing-readable", reason), ...(advice && { advice }) };
}
