/** Where am I? Gathers the facts that this operating system shows without root and without a packet, and judges them. */
import type { System } from "../system.js";
import { readContainer } from "./container.js";
import type { ContainerFacts, HostFacts } from "./facts.js";
import { readFreebsdKenv } from "./freebsd-kenv.js";
import { readLinuxDmi } from "./linux-dmi.js";
import { readDeviceTree, readKernelBanner } from "./linux-platform.js";
import { readOpenbsdSysctl } from "./openbsd-sysctl.js";
import type { HostReport } from "./report.js";
import { judge } from "./verdict.js";
import { readWindowsRegistry } from "./windows-registry.js";
import { readXenHypervisor } from "./xen-hypervisor.js";

/**
 * Whether this host is EC2, from local evidence only. Never throws and never rejects. On Linux some twenty small files
 * are read; on Windows, FreeBSD and OpenBSD one child process is run, for at most two seconds; elsewhere nothing is.
 *
 * Not memoised: a host does not change, so callers keep the answer.
 */
export async function detectHost(system: System): Promise<HostReport> {
  return judge(await gatherFacts(system));
}

async function gatherFacts(system: System): Promise<HostFacts> {
  const { platform } = system;
  const container = readContainer(system);
  switch (platform) {
    case "linux":
      return linuxFacts(system, container);
    case "win32":
      return { platform, smbios: await readWindowsRegistry(system), container };
    case "freebsd":
      return { platform, smbios: await readFreebsdKenv(system), container };
    case "openbsd":
      return { platform, smbios: await readOpenbsdSysctl(system), container };
    default:
      return { platform, smbios: {}, container };
  }
}

function linuxFacts(system: System, container: ContainerFacts): HostFacts {
  const smbios = readLinuxDmi(system);
  const facts: HostFacts = {
    platform: system.platform,
    smbios,
    hypervisor: readXenHypervisor(system),
    container,
  };
  const dmi = Object.values(smbios).some((fact) => fact.status !== "absent");
  return dmi ? facts : { ...facts, deviceTree: readDeviceTree(system), kernel: readKernelBanner(system) };
}
