// @ts-check
/**
 * Kinds of hosts by what their `/sys` says, as captured from real ones; serial numbers of physical machines are zeros.
 */

/**
 * @typedef {object} HostKind
 * @property {string} name
 * @property {string} sentence
 * @property {boolean} ec2 what the host is
 * @property {string} [instanceId] what the asset tag says, where the hypervisor sets one
 * @property {Readonly<Record<string, string>>} files path under `/` -> content without the final newline
 */

const DMI = "sys/class/dmi/id/";

/** @param {Record<string, string>} fields @returns {Record<string, string>} */
const dmi = (fields) => Object.fromEntries(Object.entries(fields).map(([name, value]) => [DMI + name, value]));

/** @param {string} uuid @param {string} extra */
const xen = (uuid, extra) => ({
  "sys/hypervisor/type": "xen",
  "sys/hypervisor/uuid": uuid,
  "sys/hypervisor/version/major": "4",
  "sys/hypervisor/version/minor": "11",
  "sys/hypervisor/version/extra": extra,
});

/** @param {string} product @param {string} instanceId @param {string} uuid @param {Record<string, string>} [more] */
const nitro = (product, instanceId, uuid, more = {}) =>
  dmi({
    bios_vendor: "Amazon EC2",
    bios_version: "1.0",
    bios_date: "10/16/2017",
    bios_release: "1.0",
    sys_vendor: "Amazon EC2",
    product_name: product,
    product_version: "",
    product_serial: uuid,
    product_uuid: uuid,
    product_sku: "",
    product_family: "",
    board_vendor: "Amazon EC2",
    board_name: "",
    board_version: "",
    board_serial: "",
    board_asset_tag: instanceId,
    chassis_vendor: "Amazon EC2",
    chassis_type: "1",
    chassis_version: "",
    chassis_serial: "",
    chassis_asset_tag: "Amazon EC2",
    ...more,
  });

const GENUINE_ID = "i-0a1b2c3d4e5f60718";

/** @type {readonly HostKind[]} */
export const HOST_KINDS = [
  {
    name: "laptop",
    sentence: "a Lenovo laptop",
    ec2: false,
    files: dmi({
      bios_vendor: "LENOVO",
      bios_version: "N2QET19W (1.13 )",
      bios_date: "01/15/2020",
      sys_vendor: "LENOVO",
      product_name: "20R10015US",
      product_version: "ThinkPad X1 Carbon 7th",
      product_family: "ThinkPad X1 Carbon 7th",
      product_serial: "00000000",
      product_uuid: "7c3f21cc-0000-0000-0000-000000000000",
      board_vendor: "LENOVO",
      board_name: "20R10015US",
      board_asset_tag: "Not Available",
      chassis_vendor: "LENOVO",
      chassis_type: "10",
      chassis_asset_tag: "No Asset Information",
    }),
  },
  {
    name: "dell-server",
    sentence: "a Dell server in a data centre",
    ec2: false,
    files: dmi({
      bios_vendor: "Dell Inc.",
      bios_version: "1.5.6",
      bios_date: "10/17/2018",
      sys_vendor: "Dell Inc.",
      product_name: "PowerEdge R740",
      product_serial: "0000000",
      product_uuid: "4c4c4544-0000-0000-0000-000000000000",
      board_vendor: "Dell Inc.",
      board_name: "08D89F",
      chassis_vendor: "Dell Inc.",
      chassis_type: "23",
      chassis_asset_tag: "",
    }),
  },
  {
    name: "vmware",
    sentence: "a VMware guest",
    ec2: false,
    files: dmi({
      bios_vendor: "Phoenix Technologies LTD",
      bios_version: "6.00",
      bios_date: "05/20/2014",
      bios_release: "4.6",
      sys_vendor: "VMware, Inc.",
      product_name: "VMware Virtual Platform",
      product_version: "None",
      product_uuid: "564d1fb2-33e0-a0f2-21d9-0c2f0c8f57ab",
      board_vendor: "Intel Corporation",
      board_name: "440BX Desktop Reference Platform",
      board_version: "None",
      board_asset_tag: "",
      chassis_vendor: "No Enclosure",
      chassis_type: "1",
      chassis_version: "N/A",
      chassis_asset_tag: "No Asset Tag",
    }),
  },
  {
    name: "kvm",
    sentence: "a QEMU/KVM guest",
    ec2: false,
    files: dmi({
      bios_vendor: "SeaBIOS",
      bios_version: "1.16.3-2.el9",
      bios_date: "04/01/2014",
      sys_vendor: "QEMU",
      product_name: "Standard PC (Q35 + ICH9, 2009)",
      product_version: "pc-q35-9.2",
      product_uuid: "0f6d1c7e-8a59-4d61-9c5b-2f3b8a3d2e10",
      chassis_vendor: "QEMU",
      chassis_type: "1",
      chassis_version: "pc-q35-9.2",
    }),
  },
  {
    name: "hetzner",
    sentence: "a Hetzner cloud server whose UUID looks like one of EC2",
    ec2: false,
    files: dmi({
      bios_vendor: "Hetzner",
      bios_version: "20171111",
      bios_date: "11/11/2017",
      sys_vendor: "Hetzner",
      product_name: "vServer",
      product_version: "20171111",
      product_family: "Hetzner_vServer",
      product_uuid: "545f25ec-6f7b-4d1a-9c55-0b6a3f1d2e77",
      chassis_vendor: "QEMU",
      chassis_type: "1",
      chassis_version: "pc-q35-8.1",
    }),
  },
  {
    name: "raspberry",
    sentence: "an ARM board without DMI",
    ec2: false,
    files: {
      "sys/firmware/devicetree/base/model": "Raspberry Pi 4 Model B Rev 1.4\0",
      "sys/firmware/devicetree/base/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
    },
  },
  {
    name: "gce",
    sentence: "a Google Compute Engine guest",
    ec2: false,
    files: dmi({
      bios_vendor: "Google",
      bios_version: "Google",
      bios_date: "04/02/2025",
      bios_release: "1.0",
      sys_vendor: "Google",
      product_name: "Google Compute Engine",
      product_version: "",
      product_serial: "GoogleCloud-5D6E2A7B10F34C8D9E0F1A2B3C4D5E6F",
      product_uuid: "5d6e2a7b-10f3-4c8d-9e0f-1a2b3c4d5e6f",
      board_vendor: "Google",
      board_name: "Google Compute Engine",
      board_asset_tag: "5D6E2A7B-10F3-4C8D-9E0F-1A2B3C4D5E6F",
      chassis_vendor: "Google",
      chassis_type: "1",
      chassis_asset_tag: "",
    }),
  },
  {
    name: "azure",
    sentence: "an Azure guest",
    ec2: false,
    files: dmi({
      bios_vendor: "Microsoft Corporation",
      bios_version: "Hyper-V UEFI Release v4.1",
      bios_date: "01/09/2026",
      sys_vendor: "Microsoft Corporation",
      product_name: "Virtual Machine",
      product_version: "Hyper-V UEFI Release v4.1",
      product_family: "Virtual Machine",
      product_uuid: "331b4aac-90f9-4efd-9f23-f47ad53f7974",
      board_vendor: "Microsoft Corporation",
      board_name: "Virtual Machine",
      board_asset_tag: "None",
      chassis_vendor: "Microsoft Corporation",
      chassis_type: "3",
      chassis_asset_tag: "7783-7084-3265-9085-8269-3286-77",
    }),
  },
  {
    name: "openstack",
    sentence: "an OpenStack guest, whose cloud imitates EC2's metadata",
    ec2: false,
    files: dmi({
      bios_vendor: "SeaBIOS",
      bios_version: "1.13.0-1ubuntu1.1",
      bios_date: "04/01/2014",
      sys_vendor: "OpenStack Foundation",
      product_name: "OpenStack Nova",
      product_version: "21.2.4",
      product_family: "Virtual Machine",
      product_uuid: "a1c1cf5e-39bd-4f0a-8b0b-6a7d3c6b5a01",
      chassis_vendor: "QEMU",
      chassis_type: "1",
    }),
  },
  {
    name: "xen-onprem",
    sentence: "a guest of a Xen on premises",
    ec2: false,
    files: {
      ...dmi({
        bios_vendor: "Xen",
        bios_version: "4.17.0",
        bios_date: "06/01/2023",
        sys_vendor: "Xen",
        product_name: "HVM domU",
        product_version: "4.17.0",
        product_uuid: "c3b1a7de-4f52-4c86-8a60-3d2b7f1e9c55",
        chassis_vendor: "Xen",
        chassis_type: "1",
      }),
      ...xen("c3b1a7de-4f52-4c86-8a60-3d2b7f1e9c55", ".0"),
    },
  },
  {
    name: "half-made-fake",
    sentence: "a QEMU guest dressed up as EC2, but not all over",
    ec2: false,
    files: dmi({
      bios_vendor: "SeaBIOS",
      bios_version: "1.16.3",
      sys_vendor: "Amazon EC2",
      product_name: "t3.micro",
      product_uuid: "ec2b371a-6899-4e84-b7c4-36fb2b772f13",
      chassis_vendor: "QEMU",
      chassis_type: "1",
    }),
  },
  { name: "nothing", sentence: "a host that shows nothing at all", ec2: false, files: {} },

  {
    name: "ec2-nitro",
    sentence: "an EC2 Nitro instance",
    ec2: true,
    instanceId: GENUINE_ID,
    files: nitro("t3.micro", GENUINE_ID, "ec2b371a-6899-fe84-b7c4-36fb2b772f13"),
  },
  {
    name: "ec2-nitro-arm64",
    sentence: "an EC2 Nitro instance on Graviton",
    ec2: true,
    instanceId: GENUINE_ID,
    files: nitro("r8g.large", GENUINE_ID, "ec2da26e-0911-6b40-6542-722a29beca7c", { bios_date: "11/1/2018" }),
  },
  {
    name: "ec2-metal",
    sentence: "an EC2 bare metal instance",
    ec2: true,
    instanceId: GENUINE_ID,
    files: nitro("r8g.metal-24xl", GENUINE_ID, "ec210716-8819-fc1b-412f-042296d2b640", {
      product_version: "1.0",
      product_family: "0",
    }),
  },
  {
    name: "ec2-xen-hvm",
    sentence: "an EC2 Xen instance (HVM)",
    ec2: true,
    files: {
      ...dmi({
        bios_vendor: "Xen",
        bios_version: "4.11.amazon",
        bios_date: "08/24/2006",
        bios_release: "4.11",
        sys_vendor: "Xen",
        product_name: "HVM domU",
        product_version: "4.11.amazon",
        product_serial: "ec289e7f-df60-a38b-1dd4-6d14a3a1c056",
        product_uuid: "ec289e7f-df60-a38b-1dd4-6d14a3a1c056",
        product_sku: "",
        product_family: "",
        chassis_vendor: "Xen",
        chassis_type: "1",
        chassis_version: "",
        chassis_serial: "",
        chassis_asset_tag: "",
      }),
      ...xen("ec289e7f-df60-a38b-1dd4-6d14a3a1c056", ".amazon"),
    },
  },
  {
    name: "ec2-xen-pv",
    sentence: "an EC2 Xen instance (paravirtual, no DMI)",
    ec2: true,
    files: xen("ec2b1916-9099-7caf-fd21-112345abcdef", ".amazon"),
  },
];

/** @param {string} name @returns {HostKind} */
export function hostKindOf(name) {
  const found = HOST_KINDS.find((kind) => kind.name === name);
  if (found === undefined) throw new RangeError(`no host kind is called ${name}`);
  return found;
}
