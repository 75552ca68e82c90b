/** The strings by which EC2 marks its hosts, each as an exact test. */

/** What Nitro, virtual or bare metal, x86 or ARM, writes in every vendor field. */
export const AMAZON_VENDOR = "Amazon EC2";

/** What Xen writes in every vendor field of its HVM guests, on EC2 and elsewhere. */
export const XEN_VENDOR = "Xen";

/** Whether a version is one of Amazon's builds of Xen: `4.2.amazon`, `4.11.amazon`. */
export function isAmazonXenVersion(version: string): boolean {
  return isAmazonXenExtra(version) && /^\d+\.\d+(?:\.\d+)?\.amazon$/.test(version);
}

/** Whether the vendor's part of Xen's own version is Amazon's. */
export function isAmazonXenExtra(extra: string): boolean {
  return extra.endsWith(".amazon");
}

/**
 * Whether a UUID begins with `ec2`, in the order it is printed or with its first group byte-swapped, which SMBIOS
 * before
 * 2.6 and old tools do. One UUID in 2048 does so by chance: its lack refutes, its presence proves nothing.
 * See https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html
 */
export function beginsEc2(uuid: string): boolean {
  return /^(?:ec2[0-9a-f]{5}|[0-9a-f]{4}2[0-9a-f]ec)(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid);
}

/** Whether a UUID is all zeros: how Xen's own domain 0 shows that it has none. */
export function isZeroUuid(uuid: string): boolean {
  return /^[0-]+$/.test(uuid);
}

/** Whether text is an instance id, as Nitro writes it in the asset tag of the board. */
export function isInstanceId(text: string): boolean {
  return /^i-[0-9a-f]{8,17}$/.test(text);
}

/** Whether a vendor field names anybody. ARM firmware of EC2 fills unused strings with these words. */
export function namesVendor(vendor: string): boolean {
  return vendor.toLowerCase() !== "not specified";
}

/**
 * Whether a device tree's model names a board. A virtual machine's generated tree names none, and may stand anywhere.
 */
export function namesBoard(model: string): boolean {
  return model !== "linux,dummy-virt";
}

/** Whether a kernel's banner is that of a Windows Subsystem for Linux. */
export function isWslBanner(banner: string): boolean {
  return /microsoft/i.test(banner);
}
