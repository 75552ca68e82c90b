/** SMBIOS strings as the Linux kernel shows them in /sys/class/dmi/id. */
import type { System } from "../base/system.js";
import { DMI_FOLDER } from "../base/system.js";
import { readFact, type SmbiosFacts } from "./facts.js";

/** Reads the files that everybody may read, and `product_uuid`, which only root may: for others it is `unreadable`. */
export function readLinuxDmi(system: System): SmbiosFacts {
  const read = (name: string) => readFact(system, "dmi", `${DMI_FOLDER}/${name}`);
  return {
    sysVendor: read("sys_vendor"),
    biosVendor: read("bios_vendor"),
    boardVendor: read("board_vendor"),
    chassisVendor: read("chassis_vendor"),
    biosVersion: read("bios_version"),
    productVersion: read("product_version"),
    productName: read("product_name"),
    productUuid: read("product_uuid"),
    boardAssetTag: read("board_asset_tag"),
    chassisAssetTag: read("chassis_asset_tag"),
  };
}
