import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { MAX_CONFIG_FILE } from "../../src/settings/locations.js";
import { readSharedFile } from "../../src/settings/shared-file.js";
import type { FileRead } from "../../src/base/system.js";
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
    expect(read(device)).toEqual({
      kind: "unusable",
      says: "it is a device and no regular file (ENOTREG)",
      endless: true,
    });
  });

  test("that is a socket is refused", async () => {
    const home = makeHome();
    const server = createServer().listen(home.config);
    try {
      await once(server, "listening");
      expect(read(home.config)).toEqual({
        kind: "unusable",
        says: "it is a socket and no regular file (ENOTREG)",
        endless: true,
      });
    } finally {
      server.close();
    }
  });

  test("that is no regular file and gone with the second look is refused", () => {
    const gone = { ...realSystem, readFile: () => ({ kind: "unreadable", code: "ENOTREG" }) as const };
    const path = join(makeHome().directory, "missing");
    expect(readSharedFile({ path, named: true }, gone)).toEqual({
      kind: "unusable",
      says: "it cannot be read (ENOENT)",
      endless: true,
    });
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
    let code = "EACCES";
    const denied = { ...realSystem, readFile: () => ({ kind: "unreadable", code }) as const };
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
      const unnamed = { path: home.config, named: false };
      code = "EPERM";
      expect(readSharedFile(unnamed, denied).kind).toBe("of-another-user");
      code = "EIO";
      expect(readSharedFile(unnamed, denied).kind).toBe("unusable");
      // Where users have no numbers.
      code = "EACCES";
      vi.stubGlobal("process", Object.create(process, { geteuid: { value: undefined } }));
      expect(readSharedFile(unnamed, denied).kind).toBe("of-another-user");
    } finally {
      vi.unstubAllGlobals();
      vi.restoreAllMocks();
    }
  });
});

test.each<[FileRead, object]>([
  [{ kind: "absent" }, { kind: "absent" }],
  [
    { kind: "unreadable", code: "EACCES" },
    { kind: "unusable", says: "it cannot be read (EACCES)", endless: false, byNode: false },
  ],
  [
    { kind: "unreadable", code: "ERR_ACCESS_DENIED" },
    { kind: "unusable", says: "it cannot be read (ERR_ACCESS_DENIED)", endless: false, byNode: true },
  ],
  [
    { kind: "unreadable", code: "EISDIR" },
    { kind: "unusable", says: "it is a directory", endless: false },
  ],
  [
    { kind: "too-large", limit: 1 },
    { kind: "unusable", says: "it is larger than 1048576 bytes", endless: true },
  ],
])("what is read as %j", (read, expected) => {
  const readFile = (): FileRead => read;
  expect(readSharedFile({ path: "/x", named: true }, { platform: "linux", readFile })).toEqual(expected);
});

test.each<[string, NodeJS.Platform, boolean]>([
  ["nul", "win32", true],
  ["NUL", "win32", true],
  ["\\\\.\\nul", "win32", true],
  ["\\\\?\\Nul", "win32", true],
  ["\\\\x\\nul", "win32", false],
  ["C:\\nul", "win32", false],
  ["null", "win32", false],
  ["nul", "linux", false],
])("%s on %s is the device that is empty: %s", (path, platform, empty) => {
  const found = readSharedFile({ path, named: true }, { platform, readFile: () => ({ kind: "absent" }) });
  expect(found).toEqual(empty ? { kind: "content", bytes: Buffer.alloc(0) } : { kind: "absent" });
});

/** The descriptors of this process. */
const descriptors = (): number => readdirSync("/proc/self/fd").length;

describe.skipIf(process.platform !== "linux")("an anonymous pipe of this process", () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  /** A descriptor from which is read what this line of the shell writes. */
  async function pipeFrom(line: string): Promise<number> {
    const writer = spawn("bash", ["-c", `{ ${line}; } | { echo $BASHPID; exec sleep 60; }`], {
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
    });
    ends.push(() => process.kill(-Number(writer.pid), "SIGKILL"));
    const [pid] = (await once(writer.stdout, "data")) as [Buffer];
    const fd = openSync(`/proc/${String(pid).trim()}/fd/0`, constants.O_RDONLY | constants.O_NONBLOCK);
    ends.push(() => closeSync(fd));
    return fd;
  }

  test("is read as it comes and kept, by either name of its descriptor", async () => {
    const fd = await pipeFrom("sleep 0.1; printf '[a'; sleep 0.1; printf ']'");
    const open = descriptors();
    const content = { kind: "content", bytes: Buffer.from("[a]") };
    expect(read(`/dev/fd/${fd}`)).toEqual(content);
    expect(read(`/proc/self/fd/${fd}`)).toEqual(content);
    expect(descriptors()).toBe(open);
    // One that comes later is another one.
    expect(read(`/dev/fd/${await pipeFrom("printf '[b]'")}`)).toEqual({ ...content, bytes: Buffer.from("[b]") });
  });

  test("may have 1 MiB and not a byte more", async () => {
    const writer = (size: number): string => `head -c ${size} /dev/zero`;
    const whole = read(`/dev/fd/${await pipeFrom(writer(MAX_CONFIG_FILE))}`);
    expect(whole.kind === "content" && whole.bytes.equals(Buffer.alloc(MAX_CONFIG_FILE))).toBe(true);
    const fd = await pipeFrom(`${writer(MAX_CONFIG_FILE + 1)}; sleep 60`);
    const open = descriptors();
    expect(read(`/dev/fd/${fd}`)).toEqual({ kind: "unusable", says: "it is larger than 1048576 bytes", endless: true });
    expect(descriptors()).toBe(open);
  });

  test("that does not end is refused", async () => {
    const fd = await pipeFrom("printf '[a]'; sleep 60");
    expect(read(`/dev/fd/${fd}`)).toEqual({
      kind: "unusable",
      says: "it is a pipe that did not end within 1000 ms",
      endless: true,
    });
  });

  test("by the descriptors of another process, or by a link, is none of this one's", async () => {
    const fd = await pipeFrom("printf '[a]'");
    const link = join(makeHome().directory, "link");
    symlinkSync(`/dev/fd/${fd}`, link);
    for (const path of [`/proc/${process.pid}/fd/${fd}`, link])
      expect(read(path)).toMatchObject({ kind: "unusable", endless: true });
  });

  test("is none where the descriptor is that of a named pipe", () => {
    const home = makeHome();
    execFileSync("mkfifo", [home.config]);
    const fd = openSync(home.config, constants.O_RDWR | constants.O_NONBLOCK);
    ends.push(() => closeSync(fd));
    expect(read(`/dev/fd/${fd}`)).toMatchObject({ says: "it is a named pipe and no regular file (ENOTREG)" });
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

  test("that has a name is refused though a descriptor leads to it", () => {
    const home = makeHome();
    execFileSync("mkfifo", [home.config]);
    const says = "it is a named pipe and no regular file (ENOTREG)";
    expect(run(`RUN /dev/fd/5 5<>"${home.config}"`)[0]).toBe(`main unusable ${says} ${says}`);
  });
});
