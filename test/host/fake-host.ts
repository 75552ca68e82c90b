/** A machine of a test's own making: a `System` that serves files, registry values and kernel variables from a map. */
import type { CommandResult, FileRead, System } from "../../src/base/system.js";

const ROOT_ONLY = ["product_uuid", "product_serial", "board_serial", "chassis_serial"].map(
  (name) => `/sys/class/dmi/id/${name}`,
);
const REGISTRY_KEY = "HKLM/HARDWARE/DESCRIPTION/System/BIOS/";

/**
 * What the machine shows. Keys as in the host corpus: `sys/...`, `proc/...`, `winreg/...`, `kenv/...`, `sysctl/...`,
 * `env/...`.
 */
export interface FakeHost {
  readonly platform: NodeJS.Platform;
  readonly files: Readonly<Record<string, string>>;
  /** `user` may not read the files that are root's: they are unreadable, not absent. Default `root`. */
  readonly reader?: "root" | "user";
  /** What a path that is not in `files` comes to. Default `absent`. */
  readonly missing?: "absent" | "unreadable";
}

/** The commands a fake machine was asked to run. */
export type RunLog = string[];

export function fakeHost(host: FakeHost, log: RunLog = []): System {
  const { files } = host;
  const hasDmi = Object.keys(files).some((key) => key.startsWith("sys/class/dmi/id/"));
  const readFile = (path: string, limit: number): FileRead => {
    if (host.reader === "user" && hasDmi && ROOT_ONLY.includes(path)) return { kind: "unreadable", code: "EACCES" };
    const content = files[path.slice(1)];
    if (content === undefined)
      return host.missing === "unreadable" ? { kind: "unreadable", code: "EACCES" } : { kind: "absent" };
    const bytes = Buffer.from(path.startsWith("/proc/device-tree/") ? `${content}\0` : `${content}\n`);
    return bytes.length > limit ? { kind: "too-large", limit } : { kind: "content", bytes };
  };
  const run = (command: string, args: readonly string[]): Promise<CommandResult> => {
    log.push([command, ...args].join(" "));
    return Promise.resolve(listingOf(command, files));
  };
  const env = Object.fromEntries(under(files, "env/"));
  const still = () => 0;
  return {
    platform: host.platform,
    env,
    pid: 1,
    argv0: "fake",
    now: still,
    monotonic: still,
    random: still,
    readFile,
    run,
  };
}

function listingOf(command: string, files: FakeHost["files"]): CommandResult {
  if (command.endsWith("reg.exe"))
    return { kind: "output", stdout: regQueryOutput(under(files, `winreg/${REGISTRY_KEY}`)) };
  if (command === "/bin/kenv") return { kind: "output", stdout: kenvOutput(under(files, "kenv/")) };
  if (command === "/sbin/sysctl") return { kind: "output", stdout: sysctlOutput(under(files, "sysctl/")) };
  return { kind: "failed", reason: "ENOENT" };
}

type Pairs = readonly (readonly [name: string, value: string])[];

function under(files: FakeHost["files"], prefix: string): Pairs {
  return Object.entries(files)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]) => [key.slice(prefix.length), value] as const);
}

/** As `reg query HKLM\HARDWARE\DESCRIPTION\System\BIOS` prints it. */
export function regQueryOutput(values: Pairs): string {
  const strings = values.map(([name, value]) => `    ${name}    REG_SZ    ${value}`);
  const key = "HKEY_LOCAL_MACHINE\\HARDWARE\\DESCRIPTION\\System\\BIOS";
  return [
    "",
    key,
    "    BiosMajorRelease    REG_DWORD    0x1",
    ...strings,
    "    EnclosureType    REG_DWORD    0x1",
    "",
    "",
  ].join("\r\n");
}

/** As `kenv` prints it. */
export function kenvOutput(values: Pairs): string {
  const lines = values.map(([name, value]) => `${name}="${value}"`);
  return [
    'acpi.oem="AMAZON"',
    'kernelname="/boot/kernel/kernel"',
    ...lines,
    'vfs.root.mountfrom="ufs:/dev/gpt/rootfs"',
    "",
  ].join("\n");
}

/** As `sysctl hw` prints it. */
export function sysctlOutput(values: Pairs): string {
  const lines = values.map(([name, value]) => `${name}=${value}`);
  return [
    "hw.machine=amd64",
    "hw.model=Intel(R) Xeon(R)",
    "hw.disknames=sd0:0123456789abcdef",
    ...lines,
    "hw.perfpolicy=manual",
    "",
  ].join("\n");
}
