/** Every rule of the verdict as a row. */
import { describe, expect, test } from "vitest";
import type { Fact, HostFacts, SmbiosFacts, SmbiosField } from "../../src/host/facts.js";
import type { HostEvidenceKind, HostReport } from "../../src/host/report.js";
import { judge } from "../../src/host/verdict.js";
import { fc } from "../support/properties.js";

const ABSENT = Symbol("absent");
const DENIED = Symbol("denied");
type Short = string | typeof ABSENT | typeof DENIED;

function fact(kind: HostEvidenceKind, source: string, value: Short): Fact {
  if (value === ABSENT) return { kind, source, status: "absent" };
  if (value === DENIED) return { kind, source, status: "unreadable", why: "EACCES" };
  return value === "" ? { kind, source, status: "empty" } : { kind, source, status: "present", value };
}

const FIELDS: readonly SmbiosField[] = [
  "sysVendor",
  "biosVendor",
  "boardVendor",
  "chassisVendor",
  "biosVersion",
  "productVersion",
  "productName",
  "productUuid",
  "boardAssetTag",
  "chassisAssetTag",
];

type Dmi = Partial<Record<SmbiosField, Short>>;
interface Xen {
  readonly type?: Short;
  readonly uuid?: Short;
  readonly extra?: Short;
}

interface Rest {
  readonly others?: Short;
  readonly deviceTree?: string;
  readonly kernel?: string;
  readonly platform?: NodeJS.Platform;
}

/** A Linux host with these DMI strings; fields not named are absent, or what `others` says. */
function host(dmi: Dmi, xen: Xen = {}, rest: Rest = {}): HostFacts {
  const others = rest.others ?? ABSENT;
  const smbios: SmbiosFacts = Object.fromEntries(
    FIELDS.map((field) => [field, fact("dmi", field, dmi[field] ?? others)]),
  );
  return {
    platform: rest.platform ?? "linux",
    smbios,
    hypervisor: {
      type: fact("hypervisor", "type", xen.type ?? ABSENT),
      uuid: fact("hypervisor", "uuid", xen.uuid ?? ABSENT),
      versionExtra: fact("hypervisor", "extra", xen.extra ?? ABSENT),
    },
    ...(rest.deviceTree !== undefined && { deviceTree: fact("platform", "device-tree", rest.deviceTree) }),
    ...(rest.kernel !== undefined && { kernel: fact("platform", "version", rest.kernel) }),
    container: { facts: [] },
  };
}

const EC2_UUID = "ec2b371a-6899-fe84-b7c4-36fb2b772f13";
const SWAPPED_UUID = "1a372bec-9968-84fe-b7c4-36fb2b772f13";
const OTHER_UUID = "3b5a6b0e-1111-4c1f-8ca1-0123456789ab";
const ZERO_UUID = "00000000-0000-0000-0000-000000000000";
const TAG = "i-0942732c100023582";

const NITRO: Dmi = {
  sysVendor: "Amazon EC2",
  biosVendor: "Amazon EC2",
  boardVendor: "Amazon EC2",
  chassisVendor: "Amazon EC2",
  biosVersion: "1.0",
  productVersion: "",
  productName: "t3.micro",
  productUuid: DENIED,
  boardAssetTag: TAG,
  chassisAssetTag: "Amazon EC2",
};
const XEN_HVM: Dmi = {
  sysVendor: "Xen",
  biosVendor: "Xen",
  chassisVendor: "Xen",
  biosVersion: "4.11.amazon",
  productVersion: "4.11.amazon",
  productName: "HVM domU",
  productUuid: DENIED,
  chassisAssetTag: "",
};
const XEN_GUEST: Xen = { type: "xen", uuid: EC2_UUID, extra: ".amazon" };
const XEN_ELSEWHERE: Xen = { type: "xen", uuid: OTHER_UUID, extra: ".1-xs" };
const XEN_DOM0: Xen = { type: "xen", uuid: ZERO_UUID, extra: ".0" };
const QEMU: Dmi = {
  sysVendor: "QEMU",
  productName: "Standard PC (Q35 + ICH9, 2009)",
  biosVendor: "SeaBIOS",
  chassisVendor: "QEMU",
};

type Row = readonly [what: string, facts: HostFacts, verdict: HostReport["verdict"], rule: HostReport["rule"]];

const ROWS: readonly Row[] = [
  ["Nitro as a user sees it", host(NITRO), "ec2", "nitro-dmi"],
  ["Nitro as root sees it", host({ ...NITRO, productUuid: EC2_UUID }), "ec2", "nitro-dmi"],
  ["Nitro with an upper-case UUID", host({ ...NITRO, productUuid: EC2_UUID.toUpperCase() }), "ec2", "nitro-dmi"],
  ["Nitro with a byte-swapped UUID", host({ ...NITRO, productUuid: SWAPPED_UUID }), "ec2", "nitro-dmi"],
  [
    "bare metal with a product version",
    host({ ...NITRO, productName: "c7a.metal-48xl", productVersion: "FRUV0.10" }),
    "ec2",
    "nitro-dmi",
  ],
  [
    "bare metal whose firmware leaves a vendor unspecified",
    host({ ...NITRO, chassisVendor: "Not Specified" }),
    "ec2",
    "nitro-dmi",
  ],
  ["Nitro with an empty board vendor", host({ ...NITRO, boardVendor: "" }), "ec2", "nitro-dmi"],
  [
    "Nitro of which only the system vendor can be read",
    host({ sysVendor: "Amazon EC2" }, {}, { others: DENIED }),
    "ec2",
    "nitro-dmi",
  ],
  ["Xen's domain 0 on Nitro", host(NITRO, XEN_DOM0), "ec2", "nitro-dmi"],
  ["Xen's domain 0 on EC2's Xen", host(XEN_HVM, XEN_DOM0), "ec2", "xen-hvm-dmi"],
  ["Xen HVM as a user sees it", host(XEN_HVM), "ec2", "xen-hvm-dmi"],
  ["Xen HVM with /sys/hypervisor", host(XEN_HVM, XEN_GUEST), "ec2", "xen-hvm-dmi"],
  [
    "Xen HVM with a byte-swapped UUID",
    host({ ...XEN_HVM, productUuid: SWAPPED_UUID }, XEN_GUEST),
    "ec2",
    "xen-hvm-dmi",
  ],
  ["Xen HVM without a readable product version", host({ ...XEN_HVM, productVersion: DENIED }), "ec2", "xen-hvm-dmi"],
  [
    "Xen HVM where only the product version is shown",
    host({ sysVendor: "Xen", productVersion: "4.2.amazon" }),
    "ec2",
    "xen-hvm-dmi",
  ],
  ["Xen PV", host({}, XEN_GUEST), "ec2", "xen-pv-hypervisor"],
  [
    "Xen PV with an upper-case UUID",
    host({}, { ...XEN_GUEST, uuid: EC2_UUID.toUpperCase() }),
    "ec2",
    "xen-pv-hypervisor",
  ],

  ["a fake that forgot the chassis", host({ ...NITRO, chassisVendor: "QEMU" }), "not-ec2", "veto-vendor"],
  ["a fake that forgot the BIOS", host({ ...NITRO, biosVendor: "SeaBIOS" }), "not-ec2", "veto-vendor"],
  ["a fake that set the board only", host({ ...QEMU, boardVendor: "Amazon EC2" }), "not-ec2", "veto-vendor"],
  ["Xen beside Amazon EC2", host({ ...NITRO, biosVendor: "Xen" }), "not-ec2", "veto-vendor"],
  ["a fake version under another vendor", host({ ...QEMU, biosVersion: "4.11.amazon" }), "not-ec2", "veto-vendor"],
  ["a fake Xen that forgot the chassis", host({ ...XEN_HVM, chassisVendor: "QEMU" }), "not-ec2", "veto-vendor"],
  [
    "a fake Xen that forgot the product version",
    host({ ...XEN_HVM, productVersion: "pc-q35-8.2" }),
    "not-ec2",
    "veto-version",
  ],
  ["a fake Xen with an empty product version", host({ ...XEN_HVM, productVersion: "" }), "not-ec2", "veto-version"],
  ["a fake Xen that forgot the BIOS version", host({ ...XEN_HVM, biosVersion: "1.16.2" }), "not-ec2", "veto-version"],
  ["two versions of Amazon's Xen", host({ ...XEN_HVM, productVersion: "4.2.amazon" }), "not-ec2", "veto-version"],
  ["Nitro strings with a foreign UUID", host({ ...NITRO, productUuid: OTHER_UUID }), "not-ec2", "veto-uuid"],
  ["Nitro strings with a zero UUID", host({ ...NITRO, productUuid: ZERO_UUID }), "not-ec2", "veto-uuid"],
  ["Xen strings with a foreign UUID", host({ ...XEN_HVM, productUuid: OTHER_UUID }), "not-ec2", "veto-uuid"],
  ["Xen strings on a foreign Xen", host(XEN_HVM, XEN_ELSEWHERE), "not-ec2", "veto-uuid"],
  ["Nitro strings in a guest of a foreign Xen", host(NITRO, XEN_ELSEWHERE), "not-ec2", "veto-uuid"],
  [
    "Xen strings on a Xen that is not Amazon's",
    host(XEN_HVM, { ...XEN_GUEST, extra: ".1-xs" }),
    "not-ec2",
    "veto-hypervisor",
  ],

  ["QEMU", host(QEMU), "not-ec2", "foreign-dmi"],
  ["Eucalyptus: QEMU with an ec2 UUID", host({ ...QEMU, productUuid: EC2_UUID }), "not-ec2", "foreign-dmi"],
  [
    "a chance collision",
    host({ sysVendor: "Hetzner", productUuid: "545f25ec-662d-4691-b311-23cf1794b78c" }),
    "not-ec2",
    "foreign-dmi",
  ],
  [
    "Outscale",
    host({ sysVendor: "3DS Outscale", biosVendor: "SeaBIOS", boardAssetTag: "i-8de5ff98" }),
    "not-ec2",
    "foreign-dmi",
  ],
  ["brightbox", host({ ...QEMU, productUuid: OTHER_UUID }), "not-ec2", "foreign-dmi"],
  ["zstack", host({ ...QEMU, chassisAssetTag: "123456.zstack.io" }), "not-ec2", "foreign-dmi"],
  ["e24cloud", host({ sysVendor: "e24cloud", productUuid: EC2_UUID }), "not-ec2", "foreign-dmi"],
  ["tilaa", host({ sysVendor: "Tilaa" }), "not-ec2", "foreign-dmi"],
  ["almost the vendor", host({ sysVendor: "Amazon EC2 ", biosVendor: "AMAZON EC2" }), "not-ec2", "foreign-dmi"],
  ["AWS Elemental", host({ sysVendor: "AWS Elemental", boardVendor: "Supermicro" }), "not-ec2", "foreign-dmi"],
  [
    "a foreign asset tag on a PC",
    host({ sysVendor: "Dell Inc.", chassisAssetTag: "Amazon EC2", boardAssetTag: TAG }),
    "not-ec2",
    "foreign-dmi",
  ],
  ["a placeholder vendor", host({ sysVendor: "To Be Filled By O.E.M." }), "not-ec2", "foreign-dmi"],
  [
    "a board vendor where the system names none",
    host({ sysVendor: "", boardVendor: "ASUSTeK" }),
    "not-ec2",
    "foreign-dmi",
  ],
  [
    "Xen on premises",
    host({ sysVendor: "Xen", biosVersion: "4.17.0", productVersion: "4.17.0" }),
    "not-ec2",
    "foreign-dmi",
  ],
  [
    "Xen on premises with an ec2 UUID",
    host({ sysVendor: "Xen", biosVersion: "4.4.1-xs", productUuid: EC2_UUID }),
    "not-ec2",
    "foreign-dmi",
  ],
  [
    "Xen of Red Hat",
    host({ sysVendor: "Red Hat", biosVendor: "Xen", biosVersion: "3.1.2-238.el5" }),
    "not-ec2",
    "foreign-dmi",
  ],
  ["QEMU inside EC2's hypervisor files", host(QEMU, XEN_GUEST), "not-ec2", "foreign-dmi"],
  ["nothing but a foreign UUID", host({ productUuid: OTHER_UUID }), "not-ec2", "foreign-uuid"],
  ["Xen PV on premises", host({}, XEN_ELSEWHERE), "not-ec2", "foreign-hypervisor"],
  ["Xen PV on premises with an ec2 UUID", host({}, { ...XEN_GUEST, extra: ".1-xs" }), "not-ec2", "foreign-hypervisor"],
  ["a named board", host({}, {}, { deviceTree: "Raspberry Pi 4 Model B Rev 1.4" }), "not-ec2", "foreign-device-tree"],

  ["gVisor: a product name alone", host({ productName: "c5.large" }), "unknown", "inconclusive-dmi"],
  ["a UUID alone", host({ productUuid: EC2_UUID }), "unknown", "inconclusive-dmi"],
  ["tags alone", host({ boardAssetTag: TAG, chassisAssetTag: "Amazon EC2" }), "unknown", "inconclusive-dmi"],
  [
    "a UUID and a product name",
    host({ productUuid: EC2_UUID, productName: "m5.large" }),
    "unknown",
    "inconclusive-dmi",
  ],
  ["Nitro whose system vendor cannot be read", host({ ...NITRO, sysVendor: DENIED }), "unknown", "inconclusive-dmi"],
  ["Nitro whose system vendor is empty", host({ ...NITRO, sysVendor: "" }), "unknown", "inconclusive-dmi"],
  ["Xen whose system vendor cannot be read", host({ ...XEN_HVM, sysVendor: DENIED }), "unknown", "inconclusive-dmi"],
  [
    "Xen whose versions cannot be read",
    host({ ...XEN_HVM, biosVersion: DENIED, productVersion: DENIED }),
    "unknown",
    "inconclusive-dmi",
  ],
  ["empty vendors", host({ sysVendor: "", biosVendor: "", biosVersion: "2.8.0" }), "unknown", "inconclusive-dmi"],
  ["no DMI at all", host({}), "unknown", "nothing-readable"],
  ["DMI that nobody may read", host({}, {}, { others: DENIED }), "unknown", "nothing-readable"],
  [
    "unreadable DMI on EC2's Xen is not absent DMI",
    host({}, XEN_GUEST, { others: DENIED }),
    "unknown",
    "nothing-readable",
  ],
  ["PV without the version", host({}, { type: "xen", uuid: EC2_UUID }), "unknown", "nothing-readable"],
  ["PV without a UUID", host({}, { type: "xen", extra: ".amazon" }), "unknown", "nothing-readable"],
  ["domain 0 without DMI", host({}, { ...XEN_DOM0, extra: ".amazon" }), "unknown", "nothing-readable"],
  ["hypervisor files of another hypervisor", host({}, { ...XEN_GUEST, type: "z/VM" }), "unknown", "nothing-readable"],
  ["WSL", host({}, {}, { kernel: "Linux version 5.15.133.1-microsoft-standard-WSL2" }), "not-ec2", "foreign-wsl"],
  [
    "a board of another part of Amazon",
    host({ ...NITRO, boardVendor: "Amazon Corporate LLC", chassisVendor: "Amazon Corporate LLC" }),
    "ec2",
    "nitro-dmi",
  ],
  [
    "a BIOS of another part of Amazon",
    host({ ...NITRO, biosVendor: "Amazon Corporate LLC" }),
    "not-ec2",
    "veto-vendor",
  ],
  [
    "a system of another part of Amazon",
    host({ ...NITRO, sysVendor: "Amazon Corporate LLC" }),
    "not-ec2",
    "veto-vendor",
  ],
  ["a virtual machine's device tree", host({}, {}, { deviceTree: "linux,dummy-virt" }), "unknown", "nothing-readable"],
  ["macOS", host({}, {}, { platform: "darwin" }), "unknown", "platform-darwin"],
  ["a platform without rules, whatever it shows", host(NITRO, {}, { platform: "aix" }), "unknown", "platform-aix"],
];

describe("judge", () => {
  test.each(ROWS)("%s", (_what, facts, verdict, rule) => {
    const report = judge(facts);
    expect({ verdict: report.verdict, rule: report.rule }).toEqual({ verdict, rule });
    expect(report.reason).toMatch(/^[A-Z][ -~]*\.$/);
  });

  test("accepts OpenBSD's single vendor and reads Xen's version where BIOS strings are not to be had", () => {
    const nitro = judge({
      platform: "openbsd",
      smbios: { sysVendor: fact("sysctl", "hw.vendor", "Amazon EC2") },
      container: { facts: [] },
    });
    expect(nitro).toMatchObject({ verdict: "ec2", virtualization: "nitro" });
    const smbios = {
      sysVendor: fact("sysctl", "hw.vendor", "Xen"),
      productVersion: fact("sysctl", "hw.version", "4.2.amazon"),
    };
    expect(judge({ platform: "openbsd", smbios, container: { facts: [] } })).toMatchObject({
      verdict: "ec2",
      virtualization: "xen-hvm",
    });
  });

  test("takes the instance id from Nitro's tag only", () => {
    expect(judge(host(NITRO)).instanceId).toBe(TAG);
    expect(judge(host({ ...NITRO, boardAssetTag: "i-12g" }))).not.toHaveProperty("instanceId");
    expect(judge(host({ ...XEN_HVM, boardAssetTag: TAG }))).not.toHaveProperty("instanceId");
    expect(judge(host({ ...NITRO, chassisVendor: "QEMU" }))).not.toHaveProperty("instanceId");
  });

  test("names every veto, with its source and value", () => {
    const { vetoes, reason } = judge(
      host({ ...NITRO, biosVendor: "SeaBIOS", chassisVendor: "QEMU", productUuid: OTHER_UUID }),
    );
    expect(vetoes.map(({ source, value, weight }) => [source, value, weight])).toEqual([
      ["biosVendor", "SeaBIOS", "veto"],
      ["chassisVendor", "QEMU", "veto"],
      ["productUuid", "3b5a6b0e-...", "veto"],
    ]);
    expect(reason).toBe(
      'The host claims to be EC2, but biosVendor is "SeaBIOS": every vendor of such a host is "Amazon EC2".',
    );
  });

  test("keeps absent, empty and unreadable apart in the evidence", () => {
    const { evidence } = judge(host({ ...NITRO, boardVendor: "", chassisVendor: ABSENT }));
    const status = Object.fromEntries(evidence.map((item) => [item.source, [item.status, item.says]]));
    expect(status).toMatchObject({
      boardVendor: ["empty", "there, and empty"],
      chassisVendor: ["absent", "not there"],
      productUuid: ["unreadable", "cannot be read: EACCES"],
    });
  });

  test("says what could not be read, and under Node's permission model the flag that lets it be", () => {
    expect(judge(host({}, {}, { others: DENIED })).reason).toBe("The DMI strings cannot be read (sysVendor: EACCES).");
    const smbios = {
      sysVendor: {
        kind: "dmi",
        source: "/sys/class/dmi/id/sys_vendor",
        status: "unreadable",
        why: "ERR_ACCESS_DENIED",
      },
    } as const;
    expect(judge({ ...host({}, {}), smbios }).advice).toBe(
      "Start Node.js with --allow-fs-read='/sys/class/dmi/id/*', so that it may be told.",
    );
    const byDeno = { sysVendor: { ...smbios.sysVendor, why: "NotCapable" } };
    expect(judge({ ...host({}, {}), smbios: byDeno }).advice).toMatch(/^Start Deno with --allow-all\b/);
  });

  test("carries the container without counting it", () => {
    const container = { name: "ecs-fargate", facts: [fact("container", "env AWS_EXECUTION_ENV", "AWS_ECS_FARGATE")] };
    const report = judge({ ...host(NITRO), container });
    expect(report).toMatchObject({ verdict: "ec2", container: "ecs-fargate" });
    expect(report.evidence.at(-1)).toMatchObject({ kind: "container", weight: "neutral" });
    expect(judge({ ...host({}), container }).verdict).toBe("unknown");
  });
});

const STRINGS = [
  "Amazon EC2",
  "Xen",
  "QEMU",
  "Not Specified",
  "4.11.amazon",
  "4.2.amazon",
  "4.17.0",
  "1.0",
  ".amazon",
  ".1-xs",
  "xen",
  EC2_UUID,
  SWAPPED_UUID,
  OTHER_UUID,
  ZERO_UUID,
  TAG,
  "",
];
const short = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Short>(...STRINGS, ABSENT, DENIED) },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
);
const anyHost = fc
  .tuple(fc.array(short, { minLength: 10, maxLength: 10 }), short, short, short)
  .map(([dmi, type, uuid, extra]) =>
    host(Object.fromEntries(FIELDS.map((field, i) => [field, dmi[i]])), { type, uuid, extra }),
  );
const anyChange = fc.record({ field: fc.constantFrom(...FIELDS), value: short });

describe("judge, whatever the facts", () => {
  test("is consistent with its own evidence", () => {
    fc.assert(
      fc.property(anyHost, (facts) => {
        const report = judge(facts);
        const weights = report.evidence.map((item) => item.weight);
        expect(report.vetoes.length > 0).toBe(report.rule.startsWith("veto-"));
        if (report.verdict === "ec2") {
          expect(weights).toContain("supports");
          expect(weights.filter((weight) => weight === "contradicts" || weight === "veto")).toEqual([]);
        }
        expect(report.virtualization !== undefined).toBe(report.verdict === "ec2");
        for (const { value } of report.evidence) expect(value ?? "").toMatch(/^[ -~]{0,80}$/);
        expect(report.reason).toMatch(/^[ -~]+$/);
      }),
      { numRuns: 1000 },
    );
  });

  test("accepts nothing without an exact vendor or Amazon's hypervisor", () => {
    fc.assert(
      fc.property(anyHost, (facts) => {
        if (judge(facts).verdict !== "ec2") return;
        const { sysVendor } = facts.smbios;
        const vendor = sysVendor?.status === "present" ? sysVendor.value : undefined;
        const extra = facts.hypervisor?.versionExtra;
        expect(
          vendor === "Amazon EC2" ||
            vendor === "Xen" ||
            (extra?.status === "present" && extra.value.endsWith(".amazon")),
        ).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test("one changed string never makes a foreign host with two foreign vendors EC2", () => {
    fc.assert(
      fc.property(anyChange, ({ field, value }) => {
        expect(judge(host({ ...QEMU, [field]: value })).verdict).not.toBe("ec2");
      }),
    );
  });
});
