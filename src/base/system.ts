/** The outside world as one object, so that every room can be shown a machine of a test's own making. */
import type { Stats } from "node:fs";
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { ownProperties, ownProperty } from "./own-properties.js";

/** Who has a file, as its handle tells: numeric user id, and the permission bits of its mode. */
export interface FileOwner {
  readonly uid: number;
  readonly mode: number;
}

/** What reading a file came to. Absent, unreadable and empty are three different answers. */
export type FileRead =
  | { readonly kind: "content"; readonly bytes: Buffer; readonly owner?: FileOwner }
  | { readonly kind: "absent" }
  /** `code` is the system's (`EACCES`, `EISDIR`, ...); `ENOTREG` stands for a pipe, device or socket. */
  | { readonly kind: "unreadable"; readonly code: string }
  | { readonly kind: "too-large"; readonly limit: number };

/** What running a command came to. */
export type CommandResult =
  { readonly kind: "output"; readonly stdout: string } | { readonly kind: "failed"; readonly reason: string };

/** Everything the package asks of its surroundings. */
export interface System {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly argv0: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds on a clock that never jumps. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Reads at most `limit` bytes of a regular file; never waits on a pipe and never throws. */
  readonly readFile: (path: string, limit: number) => FileRead;
  /** Runs a program without a shell; output capped at 64 KiB. */
  readonly run: (command: string, args: readonly string[], timeoutMs: number) => Promise<CommandResult>;
}

/** Opening a named pipe must not wait for its writer. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * The environment as it is at each reading, without what `process.env` inherits: a property that data has put on
 * `Object.prototype` is no variable.
 */
const ownEnvironment: System["env"] = new Proxy<Record<string, string | undefined>>(
  Object.create(null) as Record<string, string | undefined>,
  ownProperties<ProxyHandler<Record<string, string | undefined>>>({
    get: (_, name) => (typeof name === "string" ? ownProperty(process.env, name) : undefined),
    has: (_, name) => Object.hasOwn(process.env, name),
    ownKeys: () => Object.keys(process.env),
    getOwnPropertyDescriptor: (_, name) => {
      if (typeof name !== "string" || !Object.hasOwn(process.env, name)) return undefined;
      return ownProperties({ value: process.env[name], enumerable: true, configurable: true, writable: true });
    },
    set: () => false,
    deleteProperty: () => false,
    defineProperty: () => false,
  }),
);

/** The machine this process runs on. */
export const realSystem: System = {
  platform: process.platform,
  env: ownEnvironment,
  pid: process.pid,
  argv0: process.argv[1] ?? process.argv0,
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  readFile: readRegularFile,
  run: runCommand,
};

function readRegularFile(path: string, limit: number): FileRead {
  return path.startsWith("/sys/") ? readAttribute(path, limit) : readCapped(path, limit);
}

/** Where Linux shows the strings of the SMBIOS. */
export const DMI_FOLDER = "/sys/class/dmi/id";

/** The largest page of Linux, and so the most that an attribute of sysfs states as its size. */
const MAX_PAGE = 64 * 1024;

/**
 * An attribute of sysfs, which the kernel keeps below one page: one call reads it, and for the first verdict of a
 * process that counts. What somebody has put in its place (a device, a large file) is read like any other file, or not
 * at all.
 */
function readAttribute(path: string, limit: number): FileRead {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return { kind: "absent" };
    if (!stat.isFile() || stat.size > MAX_PAGE) return readCapped(path, limit);
    // Flags may be numbers, as everywhere in node:fs; the types leave that out here.
    const bytes = Buffer.from(readFileSync(path, { encoding: "utf8", flag: READ as unknown as string }));
    return bytes.length > limit ? { kind: "too-large", limit } : { kind: "content", bytes };
  } catch (error) {
    return failedRead(error);
  }
}

function readCapped(path: string, limit: number): FileRead {
  let fd: number;
  try {
    // Files that are not there are the rule, and an exception for each takes its time. A device is not even opened.
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return { kind: "absent" };
    const special = specialFile(found);
    if (special !== undefined) return special;
    fd = openSync(path, READ);
  } catch (error) {
    return failedRead(error);
  }
  try {
    const stat = fstatSync(fd);
    const special = specialFile(stat);
    if (special !== undefined) return special;
    // Files of sysfs and procfs state a size of 4096 or 0, so the cap is enforced on what is read.
    let bytes = Buffer.allocUnsafe(Math.min(limit, Math.max(stat.size, 4096)) + 1);
    let total = 0;
    for (;;) {
      const read = readSync(fd, bytes, total, bytes.length - total, null);
      if (read === 0)
        return {
          kind: "content",
          bytes: bytes.subarray(0, total),
          owner: { uid: stat.uid, mode: stat.mode & 0o7777 },
        };
      total += read;
      if (total > limit) return { kind: "too-large", limit };
      if (total === bytes.length) bytes = Buffer.concat([bytes], Math.min(2 * total, limit + 1));
    }
  } catch (error) {
    return failedRead(error);
  } finally {
    closeSync(fd);
  }
}

function specialFile(stat: Stats): FileRead | undefined {
  if (stat.isFile()) return undefined;
  return { kind: "unreadable", code: stat.isDirectory() ? "EISDIR" : "ENOTREG" };
}

function failedRead(error: unknown): FileRead {
  // Deno's refusals have a name, and no code.
  const { code = (error as Error).name } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR" ? { kind: "absent" } : { kind: "unreadable", code };
}

async function runCommand(command: string, args: readonly string[], timeoutMs: number): Promise<CommandResult> {
  const { execFile } = await import("node:child_process");
  return new Promise((resolve) => {
    const options = { timeout: timeoutMs, maxBuffer: 64 * 1024, windowsHide: true, encoding: "utf8" as const };
    try {
      execFile(command, [...args], options, (error, stdout) => {
        resolve(error ? { kind: "failed", reason: String(error.code ?? error.name) } : { kind: "output", stdout });
      });
    } catch (error) {
      // Under the permission model of Node the call itself throws (ERR_ACCESS_DENIED).
      resolve({ kind: "failed", reason: String((error as NodeJS.ErrnoException).code) });
    }
  });
}

/** A file of Windows itself. Variables may hold anything: one that is no path of a folder counts as none. */
export function inSystem32(systemRoot: string | undefined, file: string): string {
  const root = systemRoot !== undefined && /^[a-z]:\\[^"<>|*?\0]+$/i.test(systemRoot) ? systemRoot : "C:\\Windows";
  return `${root}\\System32\\${file}`;
}
