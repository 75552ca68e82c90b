/** What a Xen guest on Linux reads about its hypervisor in /sys/hypervisor, without root. */
import type { System } from "../base/system.js";
import { type HypervisorFacts, readFact } from "./facts.js";

const FOLDER = "/sys/hypervisor";

/** Reads type, uuid and the vendor's part of the version. */
export function readXenHypervisor(system: System): HypervisorFacts {
  const read = (name: string) => readFact(system, "hypervisor", `${FOLDER}/${name}`);
  return { type: read("type"), uuid: read("uuid"), versionExtra: read("version/extra") };
}
