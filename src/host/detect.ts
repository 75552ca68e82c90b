/**
 * Where am I? Gathers the facts that this operating system shows without root and without a packet, and judges them.
 */
import type { System } from "../base/system.js";
import { readContainer } from "./container.js";
import { defineLazy } from "../base/lazy.js";
import type { HostFacts } from "./facts.js";
import { readFreebsdKenv } from "./freebsd-kenv.js";
import { readLinuxDmi } from "./linux-dmi.js";
import { readDeviceTree, readKernelBanner } from "./linux-platform.js";
import { readMacModel } from "./macos-model.js";
import { readOpenbsdSysctl } from "./openbsd-sysctl.js";
import type { HostReport } from "./report.js";
import { judge } from "./verdict.js";
import { readWindowsRegistry } from "./windows-registry.js";
import { readXenHypervisor } from "./xen-hypervisor.js";

/**
 * Whether this host is EC2, from local evidence only. Never throws and never rejects. On Linux some ten small files are
 * read, and as many more when somebody reads the evidence; on Windows, macOS, FreeBSD and OpenBSD one child process is run,
 * for at most two seconds; elsewhere nothing is.
 *
 * Not memoised: a host does not change, so callers keep the answer.
 */
export async function detectHost(system: System): Promise<HostReport> {
  return judge(await gatherFacts(system));
}

async function gatherFacts(system: System): Promise<HostFacts> {
  const { platform } = system;
  switch (platform) {
    case "linux":
      return linuxFacts(system);
    case "win32":
      return inContainer({ platform, smbios: await readWindowsRegistry(system) }, system);
    case "freebsd":
      return inContainer({ platform, smbios: await readFreebsdKenv(system) }, system);
    case "openbsd":
      return inContainer({ platform, smbios: await readOpenbsdSysctl(system) }, system);
    case "darwin":
      return inContainer({ platform, smbios: {}, macModel: await readMacModel(system) }, system);
    default:
      return inContainer({ platform, smbios: {} }, system);
  }
}

function linuxFacts(system: System): HostFacts {
  const smbios = readLinuxDmi(system);
  const dmi = Object.values(smbios).some((fact) => fact.status !== "absent");
  const facts = {
    platform: system.platform,
    smbios,
    ...(!dmi && { deviceTree: readDeviceTree(system), kernel: readKernelBanner(system) }),
  };
  // Where the vendor's own strings decide, nobody asks for these.
  return inContainer(
    defineLazy(facts, "hypervisor", () => readXenHypervisor(system)),
    system,
  );
}

function inContainer(facts: Omit<HostFacts, "container">, system: System): HostFacts {
  return defineLazy(facts, "container", () => readContainer(system));
}
