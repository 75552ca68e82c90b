/** What a report says of each fact and of the whole, word by word: it is what an operator decides by. */
import { expect, test } from "vitest";
import { detectHost } from "../../src/host/detect.js";
import type { HostEvidence } from "../../src/host/report.js";
import type { System } from "../../src/base/system.js";
import { type FakeHost, fakeHost } from "./fake-host.js";

const DMI = "sys/class/dmi/id";
const REGISTRY = "winreg/HKLM/HARDWARE/DESCRIPTION/System/BIOS";
const UUID = "ec2b371a-6899-fe84-b7c4-36fb2b772f13";
const OTHER_UUID = "4c4c4544-0042-3510-8051-b4c04f564e32";
const VENDORS = {
  [`${DMI}/sys_vendor`]: "Amazon EC2",
  [`${DMI}/bios_vendor`]: "Amazon EC2",
  [`${DMI}/board_vendor`]: "Amazon EC2",
  [`${DMI}/chassis_vendor`]: "Amazon EC2",
};
const NITRO = {
  ...VENDORS,
  [`${DMI}/bios_version`]: "1.0",
  [`${DMI}/product_version`]: "",
  [`${DMI}/product_name`]: "t3.micro",
  [`${DMI}/product_uuid`]: UUID,
  [`${DMI}/board_asset_tag`]: "i-0942732c100023582",
  [`${DMI}/chassis_asset_tag`]: "Amazon EC2",
};
const XEN_HVM = {
  [`${DMI}/sys_vendor`]: "Xen",
  [`${DMI}/bios_vendor`]: "Xen",
  [`${DMI}/bios_version`]: "4.11.amazon",
  [`${DMI}/product_version`]: "4.11.amazon",
  [`${DMI}/product_name`]: "HVM domU",
  [`${DMI}/product_uuid`]: UUID,
};
const XEN = { "sys/hypervisor/type": "xen", "sys/hypervisor/uuid": UUID, "sys/hypervisor/version/extra": ".amazon" };
const ZERO = "00000000-0000-0000-0000-000000000000";

const linux = (files: FakeHost["files"], rest: Partial<FakeHost> = {}): FakeHost => ({
  platform: "linux",
  files,
  ...rest,
});
const HOSTS: Readonly<Record<string, FakeHost>> = {
  "Nitro, read by root": linux(NITRO),
  "Nitro, read by a user": linux(NITRO, { reader: "user" }),
  "Nitro, whose tag is no instance id": linux({
    ...NITRO,
    [`${DMI}/board_asset_tag`]: "Not Specified",
    [`${DMI}/chassis_asset_tag`]: "rack 7",
  }),
  "Nitro, whose UUID is another's": linux({ ...NITRO, [`${DMI}/product_uuid`]: OTHER_UUID }),
  "Nitro, with a chassis of another vendor": linux({ ...NITRO, [`${DMI}/chassis_vendor`]: "QEMU" }),
  "Nitro, with two other vendors": linux({
    ...NITRO,
    [`${DMI}/chassis_vendor`]: "QEMU",
    [`${DMI}/board_vendor`]: "Intel",
  }),
  "Nitro, with a guest of a foreign Xen": linux({
    ...NITRO,
    ...XEN,
    "sys/hypervisor/uuid": OTHER_UUID,
    "sys/hypervisor/version/extra": ".1-xs",
  }),
  "Nitro, with a domain 0": linux({
    ...NITRO,
    ...XEN,
    "sys/hypervisor/uuid": ZERO,
    "sys/hypervisor/version/extra": "-local",
  }),
  "Nitro, without a vendor of the system": linux({ [`${DMI}/bios_vendor`]: "Amazon EC2" }),
  "Nitro, whose vendor of the system names nobody": linux({
    [`${DMI}/sys_vendor`]: "To be filled by O.E.M.",
    [`${DMI}/bios_vendor`]: "Amazon EC2",
  }),
  "Nitro, with an empty vendor of the system": linux({
    [`${DMI}/sys_vendor`]: "",
    [`${DMI}/bios_vendor`]: "Amazon EC2",
  }),
  "Xen HVM": linux({ ...XEN_HVM, ...XEN }),
  "Xen HVM, with another version of the product": linux({ ...XEN_HVM, [`${DMI}/product_version`]: "4.17.0" }),
  "Xen HVM, with another version of Amazon's in the product": linux({
    ...XEN_HVM,
    [`${DMI}/product_version`]: "4.2.amazon",
  }),
  "Xen HVM, with an empty version of the product": linux({ ...XEN_HVM, [`${DMI}/product_version`]: "" }),
  "Xen HVM, whose BIOS has no version": linux({
    [`${DMI}/sys_vendor`]: "Xen",
    [`${DMI}/product_version`]: "4.11.amazon",
  }),
  "Xen HVM, whose Xen is not Amazon's": linux({ ...XEN_HVM, ...XEN, "sys/hypervisor/version/extra": ".1-xs" }),
  "Xen HVM, whose guest has another UUID": linux({ ...XEN_HVM, ...XEN, "sys/hypervisor/uuid": OTHER_UUID }),
  "Xen HVM, that shows no version of its Xen": linux({
    ...XEN_HVM,
    "sys/hypervisor/type": "xen",
    "sys/hypervisor/uuid": UUID,
  }),
  "Xen HVM, with a vendor of another house": linux({ ...XEN_HVM, [`${DMI}/chassis_vendor`]: "QEMU" }),
  "Xen without a word of its vendor": linux({ [`${DMI}/bios_version`]: "4.11.amazon" }),
  "Xen of somebody else": linux({
    ...XEN_HVM,
    [`${DMI}/bios_version`]: "4.17.0",
    [`${DMI}/product_version`]: "4.17.0",
  }),
  "Xen of somebody else, seen from its guest": linux({ ...XEN, "sys/hypervisor/uuid": OTHER_UUID }),
  "Xen of somebody else with a lucky UUID": linux({ ...XEN, "sys/hypervisor/version/extra": ".1-xs" }),
  "Xen PV": linux(XEN, { reader: "user" }),
  "Xen PV, whose DMI cannot be read": linux(XEN, { missing: "unreadable" }),
  "Xen PV, with a UUID in its DMI": linux({ ...XEN, [`${DMI}/product_uuid`]: UUID }),
  "Xen PV, with a vendor that is empty": linux({ ...XEN, [`${DMI}/sys_vendor`]: "" }),
  "Xen PV, whose Xen tells no version": linux({ "sys/hypervisor/type": "xen", "sys/hypervisor/uuid": UUID }),
  "a domain 0": linux({ ...XEN, "sys/hypervisor/uuid": ZERO }),
  "another hypervisor with a UUID": linux({
    "sys/hypervisor/type": "kvm",
    "sys/hypervisor/uuid": OTHER_UUID,
    "sys/hypervisor/version/extra": "x",
  }),
  "a laptop": linux({
    [`${DMI}/sys_vendor`]: "LENOVO",
    [`${DMI}/bios_vendor`]: "LENOVO",
    [`${DMI}/bios_version`]: "N32ET86W",
    [`${DMI}/product_uuid`]: OTHER_UUID,
    [`${DMI}/board_asset_tag`]: "Not Available",
  }),
  "a long vendor": linux({ [`${DMI}/sys_vendor`]: `${"x".repeat(79)}\u00e9` }),
  "a vendor of eighty letters": linux({ [`${DMI}/sys_vendor`]: "x".repeat(80) }),
  "a UUID behind other words": linux({ [`${DMI}/sys_vendor`]: `x ${OTHER_UUID}` }),
  "a UUID alone that begins with ec2": linux({ [`${DMI}/product_uuid`]: UUID }),
  "a UUID alone of another house": linux({ [`${DMI}/product_uuid`]: OTHER_UUID }),
  "strings that say nothing": linux({
    [`${DMI}/sys_vendor`]: "To Be Filled By O.E.M.",
    [`${DMI}/product_name`]: "Server",
  }),
  "only an empty string": linux({ [`${DMI}/product_name`]: "" }),
  "nothing at all": linux({}),
  "nothing that may be read": linux({}, { missing: "unreadable" }),
  "a board by name": linux({
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4",
    "proc/version": "Linux version 6.6.51",
  }),
  "a generated device tree": linux({ "proc/device-tree/model": "linux,dummy-virt" }),
  "Windows Subsystem for Linux": linux({ "proc/version": "Linux version 5.15.153.1-microsoft-standard-WSL2" }),
  "a device tree beside DMI": linux({ ...NITRO, "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4" }),
  "ECS on Fargate": linux({
    "env/AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
    "env/ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x",
    "proc/self/cgroup": "0::/ecs/abc\n",
  }),
  "another execution environment": linux({ "env/AWS_EXECUTION_ENV": "AWS_ECS_EC2" }),
  "a pod": linux({
    ...NITRO,
    "env/KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "proc/self/cgroup": "11:cpu:/kubepods/besteffort/pod1/docker-2",
    ".dockerenv": "",
    "run/.containerenv": "engine",
  }),
  Docker: linux({ ...NITRO, "proc/self/cgroup": "11:cpu:/docker/2", ".dockerenv": "" }),
  "a control group that names nothing": linux({ ...NITRO, "proc/self/cgroup": "0::/user.slice" }),
  "Windows on Nitro": {
    platform: "win32",
    files: {
      [`${REGISTRY}/SystemManufacturer`]: "Amazon EC2",
      [`${REGISTRY}/BIOSVendor`]: "Amazon EC2",
      [`${REGISTRY}/SystemProductName`]: "t3.micro",
    },
  },
  "Windows elsewhere": {
    platform: "win32",
    files: { [`${REGISTRY}/SystemManufacturer`]: "Dell Inc.", [`${REGISTRY}/BIOSVersion`]: "2.1" },
  },
  "FreeBSD on Nitro": {
    platform: "freebsd",
    files: {
      "kenv/smbios.system.maker": "Amazon EC2",
      "kenv/smbios.system.uuid": UUID,
      "kenv/smbios.planar.tag": "i-0942732c100023582",
    },
  },
  "FreeBSD elsewhere": { platform: "freebsd", files: { "kenv/smbios.system.maker": "Supermicro" } },
  "OpenBSD on Nitro": { platform: "openbsd", files: { "sysctl/hw.vendor": "Amazon EC2", "sysctl/hw.uuid": UUID } },
  "OpenBSD elsewhere": { platform: "openbsd", files: { "sysctl/hw.vendor": "OpenBSD", "sysctl/hw.product": "VMM" } },
  "OpenBSD without a vendor": { platform: "openbsd", files: { "sysctl/hw.product": "Server" } },
  macOS: { platform: "darwin", files: {} },
  "another platform": { platform: "aix", files: {} },
};

const failing = (platform: NodeJS.Platform): System => ({
  ...fakeHost({ platform, files: {} }),
  run: () => Promise.resolve({ kind: "failed", reason: "ENOENT" }),
});

/** What is not there, in a line for each kind and wording. */
function absences(evidence: readonly HostEvidence[]): string[] {
  const lines = new Map<string, string[]>();
  for (const { kind, source, status, weight, says } of evidence) {
    if (status !== "absent") continue;
    const what = `  ${weight} ${kind}: ${says}:`;
    lines.set(what, [...(lines.get(what) ?? []), source]);
  }
  return [...lines].map(([what, sources]) => `${what} ${sources.join(" ")}\n`);
}

test("reports", async () => {
  const hosts: [name: string, system: System][] = [
    ...Object.entries(HOSTS).map(([name, host]): [string, System] => [name, fakeHost(host)]),
    ...(["win32", "freebsd", "openbsd"] as const).map((platform): [string, System] => [
      `${platform}, whose command fails`,
      failing(platform),
    ]),
  ];
  const told: string[] = [];
  for (const [name, system] of hosts) {
    const { verdict, rule, reason, evidence, vetoes, container, ...rest } = await detectHost(system);
    told.push(
      `== ${name}\n${verdict} by ${rule}${JSON.stringify(rest) === "{}" ? "" : ` ${JSON.stringify(rest)}`}${container === undefined ? "" : ` in ${container}`}\n${reason}\n`,
      ...evidence
        .filter(({ status }) => status !== "absent")
        .map(
          ({ kind, source, status, weight, value, says }) =>
            `  ${weight} ${kind} ${source} ${status}${value === undefined ? "" : ` ${JSON.stringify(value)}`}: ${says}\n`,
        ),
      ...absences(evidence),
      ...(vetoes.length > 0 ? [`  vetoes: ${vetoes.map(({ source }) => source).join(", ")}\n`] : []),
    );
  }
  await expect(told.join("")).toMatchFileSnapshot("golden/reports.txt");
});
