/** Detection as a whole: on machines made of maps, on real files, and on the machine of the test itself. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { detectHost } from "../../src/host/detect.js";
import type { HostReport } from "../../src/host/report.js";
import { realSystem, type System } from "../../src/base/system.js";
import { fakeHost, type RunLog } from "./fake-host.js";
import { fc } from "../support/properties.js";

const DMI = "sys/class/dmi/id";
const UUID = "ec2b371a-6899-fe84-b7c4-36fb2b772f13";
const TAG = "i-0942732c100023582";
const NITRO = {
  [`${DMI}/sys_vendor`]: "Amazon EC2",
  [`${DMI}/bios_vendor`]: "Amazon EC2",
  [`${DMI}/board_vendor`]: "Amazon EC2",
  [`${DMI}/chassis_vendor`]: "Amazon EC2",
  [`${DMI}/bios_version`]: "1.0",
  [`${DMI}/product_version`]: "",
  [`${DMI}/product_name`]: "t3.micro",
  [`${DMI}/product_uuid`]: UUID,
  [`${DMI}/board_asset_tag`]: TAG,
  [`${DMI}/chassis_asset_tag`]: "Amazon EC2",
};

function statusOf(report: HostReport, source: string): string | undefined {
  return report.evidence.find((item) => item.source === source)?.status;
}

describe("detectHost on a machine made of a map", () => {
  test("Linux: no child process, and root-only files are unreadable for a user", async () => {
    const log: RunLog = [];
    const asRoot = await detectHost(fakeHost({ platform: "linux", files: NITRO }, log));
    const asUser = await detectHost(fakeHost({ platform: "linux", files: NITRO, reader: "user" }, log));
    expect(log).toEqual([]);
    for (const report of [asRoot, asUser]) {
      expect(report).toMatchObject({ verdict: "ec2", rule: "nitro-dmi", instanceId: TAG, virtualization: "nitro" });
    }
    expect(statusOf(asRoot, `/${DMI}/product_uuid`)).toBe("present");
    expect(statusOf(asUser, `/${DMI}/product_uuid`)).toBe("unreadable");
  });

  test("Linux: the device tree and the kernel's banner are read only where there is no DMI", async () => {
    const files = {
      "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4",
      "proc/version": "Linux version 6.6.51",
    };
    expect(await detectHost(fakeHost({ platform: "linux", files }))).toMatchObject({
      verdict: "not-ec2",
      rule: "foreign-device-tree",
    });
    const report = await detectHost(fakeHost({ platform: "linux", files: { ...NITRO, ...files } }));
    expect(report.evidence.map(({ source }) => source).filter((source) => source.startsWith("/proc"))).toEqual([]);
  });

  test("Linux: signs of a container and of a hypervisor are read for the explanation, or where they decide", async () => {
    const host = fakeHost({ platform: "linux", files: { [`${DMI}/sys_vendor`]: "LENOVO" } });
    const read: string[] = [];
    const report = await detectHost({
      ...host,
      readFile: (path, limit) => (read.push(path), host.readFile(path, limit)),
    });
    expect(read.filter((path) => !path.startsWith(`/${DMI}/`))).toEqual([]);
    expect(report.evidence.map(({ source }) => source)).toEqual(
      expect.arrayContaining(["/sys/hypervisor/type", `/${DMI}/sys_vendor`]),
    );
    expect(report.container).toBeUndefined();
    expect(read).toEqual(expect.arrayContaining(["/sys/hypervisor/type", "/proc/self/cgroup"]));
  });

  test("a paravirtual guest is known to a user, too", async () => {
    const files = {
      "sys/hypervisor/type": "xen",
      "sys/hypervisor/uuid": UUID,
      "sys/hypervisor/version/extra": ".amazon",
    };
    expect(await detectHost(fakeHost({ platform: "linux", files, reader: "user" }))).toMatchObject({
      verdict: "ec2",
      virtualization: "xen-pv",
    });
  });

  const REGISTRY = "winreg/HKLM/HARDWARE/DESCRIPTION/System/BIOS";
  test.each([
    [
      "win32",
      { [`${REGISTRY}/SystemManufacturer`]: "Amazon EC2", [`${REGISTRY}/BIOSVendor`]: "Amazon EC2" },
      "nitro-dmi",
    ],
    [
      "win32",
      { [`${REGISTRY}/SystemManufacturer`]: "Amazon EC2", [`${REGISTRY}/BIOSVendor`]: "SeaBIOS" },
      "veto-vendor",
    ],
    ["win32", { [`${REGISTRY}/SystemManufacturer`]: "Xen", [`${REGISTRY}/BIOSVersion`]: "4.11.amazon" }, "xen-hvm-dmi"],
    ["win32", { [`${REGISTRY}/SystemManufacturer`]: "Microsoft Corporation" }, "foreign-dmi"],
    ["freebsd", { "kenv/smbios.system.maker": "Xen", "kenv/smbios.bios.version": "4.2.amazon" }, "xen-hvm-dmi"],
    ["freebsd", { "kenv/smbios.system.maker": "Amazon EC2", "kenv/smbios.chassis.maker": "QEMU" }, "veto-vendor"],
    ["openbsd", { "sysctl/hw.vendor": "Amazon EC2" }, "nitro-dmi"],
    ["openbsd", { "sysctl/hw.vendor": "OpenBSD", "sysctl/hw.product": "VMM" }, "foreign-dmi"],
  ] as const)("%s %j: %s, with one child process", async (platform, files, rule) => {
    const log: RunLog = [];
    expect((await detectHost(fakeHost({ platform, files }, log))).rule).toBe(rule);
    expect(log).toHaveLength(1);
  });

  test.each(["win32", "freebsd", "openbsd"] as const)(
    "%s: a command that fails is unknown, not no",
    async (platform) => {
      const system: System = {
        ...fakeHost({ platform, files: {} }),
        run: () => Promise.resolve({ kind: "failed", reason: "ENOENT" }),
      };
      expect(await detectHost(system)).toMatchObject({ verdict: "unknown", rule: "nothing-readable" });
    },
  );

  test.each(["sunos", "aix", "android", "netbsd"] as const)("%s: unknown, with no child process", async (platform) => {
    const log: RunLog = [];
    expect(await detectHost(fakeHost({ platform, files: NITRO }, log))).toMatchObject({
      verdict: "unknown",
      rule: `platform-${platform}`,
    });
    expect(log).toEqual([]);
  });

  test("never rejects, whatever files and commands hold", async () => {
    const platform = fc.constantFrom<NodeJS.Platform>("linux", "win32", "freebsd", "openbsd", "darwin");
    const bytes = fc.uint8Array({ maxLength: 64 });
    await fc.assert(
      fc.asyncProperty(platform, fc.infiniteStream(bytes), fc.string({ unit: "binary" }), async (os, files, stdout) => {
        const system: System = {
          ...fakeHost({ platform: os, files: {} }),
          readFile: () => ({ kind: "content", bytes: Buffer.from(files.next().value ?? []) }),
          run: () => Promise.resolve({ kind: "output", stdout }),
        };
        expect((await detectHost(system)).verdict).not.toBe("ec2");
      }),
    );
  });
});

/** The real reader, pointed at a folder instead of the root. */
function rooted(root: string): System {
  return {
    ...realSystem,
    platform: "linux",
    env: {},
    readFile: (path, limit) => realSystem.readFile(join(root, path), limit),
  };
}

/** Runs `work` without root's power to read everything. Already the case for anybody but root. */
async function asUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(65534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

describe.skipIf(process.platform === "win32")("detectHost on real files", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "imds-guard-host-"));
    chmodSync(root, 0o755);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), `${text}\n`);
    }
  }

  test("a user is refused the 0400 UUID and accepted as EC2 all the same", async () => {
    write(NITRO);
    chmodSync(join(root, DMI, "product_uuid"), 0o400);
    if (process.geteuid?.() !== 0) chmodSync(join(root, DMI, "product_uuid"), 0);
    const report = await asUser(() => detectHost(rooted(root)));
    expect(report).toMatchObject({ verdict: "ec2", instanceId: TAG });
    expect(report.evidence.find(({ source }) => source.endsWith("product_uuid"))).toMatchObject({
      status: "unreadable",
      says: "cannot be read: EACCES",
    });
  });

  test("a folder that a user may not enter is unreadable, not absent", async () => {
    write(NITRO);
    chmodSync(join(root, DMI), 0);
    const report = await asUser(() => detectHost(rooted(root)));
    chmodSync(join(root, DMI), 0o755);
    expect(report).toMatchObject({ verdict: "unknown", rule: "nothing-readable" });
    expect(report.reason).toContain("EACCES");
  });

  test("no files at all: unknown", async () => {
    expect(await detectHost(rooted(root))).toMatchObject({ verdict: "unknown", rule: "nothing-readable", vetoes: [] });
  });

  test("what is no small regular file is unreadable", async () => {
    write({ ...NITRO, [`${DMI}/bios_vendor`]: "x".repeat(5000) });
    rmSync(join(root, DMI, "board_vendor"));
    mkdirSync(join(root, DMI, "board_vendor"));
    rmSync(join(root, DMI, "chassis_vendor"));
    symlinkSync("/dev/null", join(root, DMI, "chassis_vendor"));
    const report = await detectHost(rooted(root));
    const says = (name: string) => report.evidence.find(({ source }) => source.endsWith(name))?.says;
    expect(says("bios_vendor")).toBe("cannot be read: more than 4096 bytes");
    expect(says("board_vendor")).toBe("cannot be read: EISDIR");
    expect(says("chassis_vendor")).toBe("cannot be read: ENOTREG");
  });

  test("a half-made fake is vetoed by name", async () => {
    write({ ...NITRO, [`${DMI}/chassis_vendor`]: "QEMU" });
    const report = await detectHost(rooted(root));
    expect(report).toMatchObject({ verdict: "not-ec2", rule: "veto-vendor" });
    expect(report.vetoes.map(({ source, value }) => `${source}=${value}`)).toEqual([`/${DMI}/chassis_vendor=QEMU`]);
  });
});

test("answers on the machine of the test", async () => {
  const report = await detectHost(realSystem);
  expect(["ec2", "not-ec2", "unknown"]).toContain(report.verdict);
  expect(report.reason).not.toBe("");
});
