/** What is left to look at on a Linux host that shows no DMI: its device tree and its kernel's banner. */
import type { System } from "../base/system.js";
import { type Fact, readFact } from "./facts.js";

/** Reads the name that the device tree gives to the board. ARM instances of EC2 boot by ACPI and have none. */
export function readDeviceTree(system: System): Fact {
  return readFact(system, "platform", "/proc/device-tree/model");
}

/** Reads the kernel's banner, which tells a Windows Subsystem for Linux. */
export function readKernelBanner(system: System): Fact {
  return readFact(system, "platform", "/proc/version");
}
