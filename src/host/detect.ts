/**
 * Where am I? Gathers the facts that this operating system shows without root and without a packet, and judges them.
 */
import type { System } from "../base/system.js";
import { readContainer } from "./container.js";
import { defineLazy } from "../base/lazy.js";
import type { HostFacts } from "./facts.js";
import { readLinuxDmi } from "./linux-dmi.js";
import { readDeviceTree, readKernelBanner } from "./linux-platform.js";
import type { HostReport } from "./report.js";
import { judge } from "./verdict.js";
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
  if (system.platform === "linux") return linuxFacts(system);
  return inContainer({ platform: system.platform, ...(await listedFacts(system)) }, system);
}

/** What another operating system lists, and each does so in a way of its own. */
async function listedFacts(system: System): Promise<Pick<HostFacts, "smbios" | "macModel">> {
  switch (system.platform) {
    case "win32": {
      const { readWindowsRegistry } = await import("./windows-registry.js");
      return { smbios: await readWindowsRegistry(system) };
    }
    case "freebsd": {
      const { readFreebsdKenv } = await import("./freebsd-kenv.js");
      return { smbios: await readFreebsdKenv(system) };
    }
    case "openbsd": {
      const { readOpenbsdSysctl } = await import("./openbsd-sysctl.js");
      return { smbios: await readOpenbsdSysctl(system) };
    }
    case "darwin": {
      const { readMacModel } = await import("./macos-sysctl.js");
      return { smbios: {}, macModel: await readMacModel(system) };
    }
    default:
      return { smbios: {} };
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
