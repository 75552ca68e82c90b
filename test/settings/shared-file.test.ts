import { execFileSync, spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { MAX_CONFIG_FILE } from "../../src/settings/locations.js";
import { readSharedFile } from "../../src/settings/shared-file.js";
import { realSystem } from "../../src/base/system.js";
import { compileSources } from "../support/compiled-source.mjs";
import { makeHome } from "./home.js";

vi.setConfig({ testTimeout: 60_000 });

const read = (path: string) => readSharedFile({ path, named: true }, realSystem);

describe.skipIf(process.platform === "win32")("a file of settings", () => {
  test("that is not there, empty, or /dev/null says nothing", () => {
    const home = makeHome({ config: "" });
    expect(read(join(home.directory, "missing"))).toEqual({ kind: "absent" });
    expect(read("/dev/null/none")).toEqual({ kind: "absent" });
    expect(read(home.config)).toMatchObject({ kind: "content", bytes: Buffer.alloc(0) });
    expect(read("/dev/null")).toEqual({ kind: "content", bytes: Buffer.alloc(0) });
    symlinkSync("/dev/null", join(home.directory, "link"));
    expect(read(join(home.directory, "link"))).toEqual({ kind: "content", bytes: Buffer.alloc(0) });
  });

  test.each(["/dev/zero", "/dev/random", "/dev/tty", "/dev/full"])("%s is refused and not read", (device) => {
    expect(read(device)).toMatchObject({ kind: "unusable", endless: true });
  });

  test("that is a named pipe is refused and not waited for, by whatever name", () => {
    const home = makeHome();
    execFileSync("mkfifo", [home.config]);
    symlinkSync(home.config, join(home.directory, "link"));
    for (const path of [home.config, join(home.directory, "link")])
      expect(read(path)).toEqual({
        kind: "unusable",
        says: "it is a named pipe and no regular file (ENOTREG)",
        endless: true,
      });
  });

  test("may have 1 MiB and not a byte more", () => {
    const home = makeHome();
    writeFileSync(home.config, Buffer.alloc(MAX_CONFIG_FILE, "#"));
    expect(read(home.config)).toMatchObject({ kind: "content" });
    writeFileSync(home.config, Buffer.alloc(MAX_CONFIG_FILE + 1, "#"));
    expect(read(home.config)).toEqual({ kind: "unusable", says: "it is larger than 1048576 bytes", endless: true });
  });

  test("in the home of another user, at the default place, is passed over; one that is named is not", () => {
    const denied = { ...realSystem, readFile: () => ({ kind: "unreadable", code: "EACCES" }) as const };
    const home = makeHome({ config: "" });
    expect(readSharedFile({ path: home.config, named: false }, denied).kind).toBe("unusable");
    vi.spyOn(process, "geteuid").mockReturnValue(4_242);
    try {
      for (const path of [home.config, join(home.directory, "no", "such")]) {
        expect(readSharedFile({ path, named: false }, denied)).toEqual({
          kind: "of-another-user",
          says: "it cannot be read (EACCES)",
        });
        expect(readSharedFile({ path, named: true }, denied).kind).toBe("unusable");
      }
    } finally {
      vi.restoreAllMocks();
    }
  });
});

describe.skipIf(process.platform !== "linux")("an anonymous pipe, as process substitution makes it", () => {
  const { urlOf, directory, remove } = compileSources(["base/system", "settings/shared-file"]);
  const program = join(directory, "program.js");
  writeFileSync(
    program,
    `import { isMainThread, Worker } from "node:worker_threads";
    import { realSystem } from ${JSON.stringify(urlOf("base/system"))};
    const { readSharedFile } = await import(${JSON.stringify(urlOf("settings/shared-file"))});
    const copy = await import(${JSON.stringify(`${urlOf("settings/shared-file")}?another-copy`)});
    const tell = (who, { kind, says, bytes }) => console.log(who, kind, says ?? bytes.length, says ?? bytes.toString().trim().slice(-3));
    const location = { path: process.argv[2] ?? process.env.FILE, named: true };
    tell(isMainThread ? "main" : "worker", readSharedFile(location, realSystem));
    if (isMainThread) {
      tell("again", copy.readSharedFile(location, realSystem));
      new Worker(new URL(import.meta.url), { env: { FILE: location.path } });
    }`,
  );
  afterAll(remove);
  const run = (shell: string): string[] => {
    const command = shell.replace("RUN", `"${process.execPath}" "${program}"`);
    const { stdout, stderr } = spawnSync("bash", ["-c", command], { encoding: "utf8", timeout: 30_000 });
    expect(stderr).toBe("");
    return stdout.trim().split("\n");
  };

  test.each(["RUN <(sleep 0.1; printf '[a]')", "RUN /proc/self/fd/5 5< <(printf '[a]')"])(
    "is read once, and kept for other copies of the package and for worker threads: %s",
    (shell) => {
      expect(run(shell)).toEqual(["main content 3 [a]", "again content 3 [a]", "worker content 3 [a]"]);
    },
  );

  test("is read to 1 MiB and no further", () => {
    const says = "it is larger than 1048576 bytes";
    expect(run("RUN <(cat /dev/zero)")[0]).toBe(`main unusable ${says} ${says}`);
  });

  test("is not waited for longer than a second", () => {
    const says = "it is a pipe that did not end within 1000 ms";
    expect(run("exec 7> >(sleep 5); RUN <(exec sleep 5)")[0]).toBe(`main unusable ${says} ${says}`);
  });

  test("that has a name is refused though a descriptor leads to it", () => {
    const home = makeHome();
    execFileSync("mkfifo", [home.config]);
    const says = "it is a named pipe and no regular file (ENOTREG)";
    expect(run(`RUN /dev/fd/5 5<>"${home.config}"`)[0]).toBe(`main unusable ${says} ${says}`);
  });
});
