/** The real machine: files of every kind, the environment, and programs. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { DMI_FOLDER, realSystem } from "../../src/base/system.js";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-system-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
function file(content: string | Buffer = ""): string {
  const path = join(folder, `file-${++files}`);
  writeFileSync(path, content);
  return path;
}
const { readFile, run } = realSystem;
const KIB = 1024;
const bytesOf = (path: string, limit = 64 * KIB): Buffer | undefined => {
  const read = readFile(path, limit);
  return read.kind === "content" ? read.bytes : undefined;
};

describe("a file", () => {
  test.each([0, 1, 4095, 4096, 4097, 10_000, 64 * KIB])("of %d bytes is read whole", (size) => {
    const content = Buffer.alloc(size, "abcdefghijklmnopqrstuvwxyz");
    expect(bytesOf(file(content))).toEqual(content);
  });

  test.each([1, 4095, 4096, 10_000])("of %d bytes is read up to this limit, and not one byte beyond", (size) => {
    const path = file(Buffer.alloc(size, "x"));
    expect(bytesOf(path, size)).toHaveLength(size);
    expect(readFile(path, size - 1)).toEqual({ kind: "too-large", limit: size - 1 });
  });

  test("comes with its owner and permissions", () => {
    const path = file("x");
    chmodSync(path, 0o4640);
    expect(readFile(path, 1)).toMatchObject({ owner: { uid: process.getuid?.(), mode: 0o4640 } });
  });

  test("that is not there is absent, also below what is no folder", () => {
    expect(readFile(join(folder, "missing"), 1)).toEqual({ kind: "absent" });
    expect(readFile(join(file("x"), "below"), 1)).toEqual({ kind: "absent" });
  });

  test("that the system does not give is unreadable, with the system's word", () => {
    const loop = join(folder, `loop-${++files}`);
    symlinkSync(loop, loop);
    expect(readFile(loop, 1)).toEqual({ kind: "unreadable", code: "ELOOP" });
    expect(readFile(`${folder}/${"x".repeat(300)}`, 1)).toEqual({ kind: "unreadable", code: "ENAMETOOLONG" });
    expect(readFile("a\0b", 1)).toEqual({ kind: "unreadable", code: "ERR_INVALID_ARG_VALUE" });
  });

  test("that is a folder says so", () => {
    expect(readFile(folder, 1)).toEqual({ kind: "unreadable", code: "EISDIR" });
  });

  test.skipIf(process.platform === "win32")("that is a pipe or a device is not waited for and not read", () => {
    const pipe = join(folder, `pipe-${++files}`);
    execFileSync("mkfifo", [pipe]);
    for (const path of [pipe, "/dev/zero", "/dev/null"])
      expect(readFile(path, 1)).toEqual({ kind: "unreadable", code: "ENOTREG" });
  });

  test.runIf(process.platform === "linux")("leaves nothing open, whatever became of it", () => {
    const open = (): number => readdirSync("/proc/self/fd").length;
    const paths = [file("x".repeat(10)), join(folder, "missing"), folder, "/dev/zero"];
    const before = open();
    for (const path of paths) for (let time = 0; time < 20; time++) readFile(path, 5);
    expect(open()).toBe(before);
  });
});

describe.runIf(process.platform === "linux")("a file of the kernel's", () => {
  test("states no size and is read whole all the same, up to the limit", () => {
    expect(bytesOf("/proc/self/limits")?.toString()).toBe(readFileSync("/proc/self/limits", "utf8"));
    const text = bytesOf("/proc/self/smaps", 4096 * KIB)?.toString() ?? "";
    expect(text.length).toBeGreaterThan(8 * KIB);
    expect(text.startsWith(readFileSync("/proc/self/smaps", "utf8").split(" ")[0] ?? "-")).toBe(true);
    expect(text.split("\n").at(-1)).toBe("");
    expect(readFile("/proc/self/smaps", 8 * KIB)).toEqual({ kind: "too-large", limit: 8 * KIB });
  });

  const ATTRIBUTE = "/sys/kernel/mm/transparent_hugepage/enabled";
  test.runIf(readdirSync("/sys/kernel/mm").includes("transparent_hugepage"))("is an attribute of sysfs, too", () => {
    const content = readFileSync(ATTRIBUTE);
    expect(readFile(ATTRIBUTE, KIB)).toEqual({ kind: "content", bytes: content });
    expect(bytesOf(ATTRIBUTE, content.length)).toEqual(content);
    expect(readFile(ATTRIBUTE, content.length - 1)).toEqual({ kind: "too-large", limit: content.length - 1 });
  });

  test("may be absent, or a folder", () => {
    expect(readFile(`${DMI_FOLDER}/there_is_no_such`, 1)).toEqual({ kind: "absent" });
    expect(readFile("/sys/kernel", 1)).toEqual({ kind: "unreadable", code: "EISDIR" });
    expect(readFile("/sys/a\0b", 1)).toEqual({ kind: "unreadable", code: "ERR_INVALID_ARG_VALUE" });
  });
});

describe("the environment", () => {
  const { env } = realSystem;
  const NAME = "IMDS_GUARD_TEST_OF_SYSTEM";
  const shared = Object.prototype as Record<string, unknown>;
  afterEach(() => {
    Reflect.deleteProperty(process.env, NAME);
    Reflect.deleteProperty(shared, NAME);
  });

  test("is that of the process at each reading", () => {
    expect([env[NAME], NAME in env, Object.keys(env).includes(NAME)]).toEqual([undefined, false, false]);
    process.env[NAME] = "x";
    expect([env[NAME], NAME in env, Object.keys(env).includes(NAME)]).toEqual(["x", true, true]);
    expect({ ...env }).toEqual({ ...process.env });
    expect(Object.getOwnPropertyDescriptor(env, NAME)).toEqual({
      value: "x",
      writable: true,
      enumerable: true,
      configurable: true,
    });
  });

  test("has nothing that all objects inherit", () => {
    shared[NAME] = "stray";
    expect([env[NAME], NAME in env, Object.keys(env).includes(NAME)]).toEqual([undefined, false, false]);
    expect(Object.getOwnPropertyDescriptor(env, NAME)).toBeUndefined();
    expect([env["toString"], "toString" in env, env["__proto__"]]).toEqual([undefined, false, undefined]);
    const odd = env as unknown as Record<symbol, unknown>;
    expect([odd[Symbol.iterator], Object.getOwnPropertyDescriptor(env, Symbol.iterator)]).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("cannot be changed from here", () => {
    process.env[NAME] = "x";
    const changed = env as Record<string, string | undefined>;
    expect(Reflect.set(changed, NAME, "y")).toBe(false);
    expect(Reflect.deleteProperty(changed, NAME)).toBe(false);
    expect(Reflect.defineProperty(changed, NAME, { value: "y", configurable: true })).toBe(false);
    expect([env[NAME], process.env[NAME]]).toEqual(["x", "x"]);
  });
});

describe("a program", () => {
  const node = (code: string, timeout = 20_000): ReturnType<typeof run> => run(process.execPath, ["-e", code], timeout);

  test("gives what it writes, without a shell between", async () => {
    expect(await node(`process.stdout.write("\\u00e9 $HOME"); process.stderr.write("no")`)).toEqual({
      kind: "output",
      stdout: "\u00e9 $HOME",
    });
  });

  test.each([
    ["ends with a code", "process.exit(3)", "3"],
    ["writes more than 64 KiB", `process.stdout.write("x".repeat(64 * 1024 + 1))`, "ERR_CHILD_PROCESS_STDIO_MAXBUFFER"],
  ])("that %s has failed", async (_, code, reason) => {
    expect(await node(code)).toEqual({ kind: "failed", reason });
  });

  test("may write 64 KiB", async () => {
    expect(await node(`process.stdout.write("x".repeat(64 * 1024))`)).toMatchObject({ kind: "output" });
  });

  test("that takes too long has failed", async () => {
    expect(await node("setInterval(() => undefined, 1000)", 300)).toEqual({ kind: "failed", reason: "Error" });
  });

  test("that is not there, or cannot be started at all, has failed", async () => {
    expect(await run(join(folder, "missing"), [], 1_000)).toEqual({ kind: "failed", reason: "ENOENT" });
    expect(await run("a\0b", [], 1_000)).toEqual({ kind: "failed", reason: "ERR_INVALID_ARG_VALUE" });
  });
});

test("clocks and chance are those of the process", () => {
  const before = [Date.now(), performance.now()] as const;
  const now = [realSystem.now(), realSystem.monotonic()] as const;
  expect(now[0]).toBeGreaterThanOrEqual(before[0]);
  expect(now[0]).toBeLessThanOrEqual(Date.now());
  expect(now[1]).toBeGreaterThanOrEqual(before[1]);
  expect(now[1]).toBeLessThanOrEqual(performance.now());
  const draws = Array.from({ length: 20 }, realSystem.random);
  expect(draws.every((draw) => draw >= 0 && draw < 1)).toBe(true);
  expect(new Set(draws).size).toBeGreaterThan(1);
});
