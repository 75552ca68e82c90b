/**
 * The one reader of files of settings: bounded in size and time, so that nothing endless and nothing that waits gets
 * past it, to this package or, behind it, to the AWS SDK.
 */
import { closeSync, constants, openSync, readlinkSync, readSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DENIED_BY_NODE } from "../base/permission.js";
import type { FileRead, System } from "../base/system.js";
import type { Location } from "./locations.js";
import { MAX_CONFIG_FILE } from "./locations.js";

/**
 * It exists and cannot be used; `says` completes "cannot be used: ...". `endless`: nothing tells what is in it, and
 * whoever opens it may wait or read for ever. `byNode`: Node.js was started with `--permission` and without the flag.
 */
interface Unusable {
  readonly kind: "unusable";
  readonly says: string;
  readonly endless: boolean;
  readonly byNode?: boolean;
}

/** What came of reading a file of settings. */
export type SharedFileRead =
  | Extract<FileRead, { readonly kind: "content" | "absent" }>
  | Unusable
  /** The default file in the home of another user, which this one may not read. */
  | { readonly kind: "of-another-user"; readonly says: string };

/** The longest that an anonymous pipe is read, in milliseconds. */
const PIPE_TIMEOUT_MS = 1_000;
const PIPE_POLL_MS = 2;

/**
 * Reads a file of settings.
 *
 * Absent, empty and `/dev/null` (the common idiom for "use no profile") are no settings. A pipe without a name, as
 * process substitution makes it (`AWS_CONFIG_FILE=<(...)`), is read once, at most 1 MiB and one second, and kept for
 * whoever asks again. A named pipe, a device, a directory, a file that may not be read and one over 1 MiB are unusable.
 */
export function readSharedFile(
  { path, named }: Location,
  system: Pick<System, "readFile" | "platform">,
): SharedFileRead {
  if (system.platform === "win32" && /^(?:\\\\[.?]\\)?nul$/i.test(path)) return EMPTY;
  const read = system.readFile(path, MAX_CONFIG_FILE);
  if (read.kind === "content" || read.kind === "absent") return read;
  if (read.kind === "too-large") return tooLarge();
  if (read.code === "EISDIR") return unusable("it is a directory", false);
  if (read.code === "ENOTREG") return readSpecialFile(path);
  const says = unreadable(read);
  const denied = read.code === "EACCES" || read.code === "EPERM";
  return denied && !named && belongsToAnother(path)
    ? { kind: "of-another-user", says }
    : { ...unusable(says, false), byNode: read.code === DENIED_BY_NODE };
}

const EMPTY: SharedFileRead = { kind: "content", bytes: Buffer.alloc(0) };

function unusable(says: string, endless = true): Unusable {
  return { kind: "unusable", says, endless };
}

function unreadable({ code }: { readonly code?: string | undefined }): string {
  return `it cannot be read (${code})`;
}

function tooLarge(): SharedFileRead {
  return unusable(`it is larger than ${MAX_CONFIG_FILE} bytes`);
}

function readSpecialFile(path: string): SharedFileRead {
  try {
    const stat = statSync(path);
    if (stat.isCharacterDevice() && stat.rdev === statSync("/dev/null").rdev) return EMPTY;
    if (stat.isFIFO() && isAnonymousPipe(path)) return readPipe(path, `${stat.dev}:${stat.ino}`);
    const what = stat.isFIFO() ? "a named pipe" : stat.isSocket() ? "a socket" : "a device";
    return unusable(`it is ${what} and no regular file (ENOTREG)`);
  } catch (error) {
    return unusable(unreadable(error as NodeJS.ErrnoException));
  }
}

const DESCRIPTOR = /^\/(?:dev|proc\/self)\/fd\/\d+$/;

function isAnonymousPipe(path: string): boolean {
  if (!DESCRIPTOR.test(path)) return false;
  try {
    return readlinkSync(path.replace(/^\/dev\//, "/proc/self/")).startsWith("pipe:");
  } catch {
    // No procfs: there a descriptor does not tell the name of its pipe.
    return process.platform !== "linux";
  }
}

/**
 * What is in a pipe can be read once. It is kept where all copies of this package in a process find it, those in worker
 * threads as well: in the environment data of Node, which every new thread is given.
 */
function readPipe(path: string, identity: string): SharedFileRead {
  const { getEnvironmentData, setEnvironmentData } = process.getBuiltinModule("node:worker_threads");
  const key = `imds-guard.pipe.1:${identity}`;
  const kept: unknown = getEnvironmentData(key);
  if (kept instanceof Uint8Array) return { kind: "content", bytes: Buffer.from(kept) };
  const read = drain(path);
  if (read.kind === "content") setEnvironmentData(key, new Uint8Array(read.bytes));
  return read;
}

function drain(path: string): SharedFileRead {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const bytes = Buffer.alloc(MAX_CONFIG_FILE + 1);
  const end = performance.now() + PIPE_TIMEOUT_MS;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  let total = 0;
  try {
    for (;;) {
      const read = readAvailable(fd, bytes, total);
      if (read === 0) return { kind: "content", bytes: Buffer.from(bytes.subarray(0, total)) };
      total += read ?? 0;
      if (total > MAX_CONFIG_FILE) return tooLarge();
      if (performance.now() > end) return unusable(`it is a pipe that did not end within ${PIPE_TIMEOUT_MS} ms`);
      if (read === undefined) Atomics.wait(sleeper, 0, 0, PIPE_POLL_MS);
    }
  } finally {
    closeSync(fd);
  }
}

/** Undefined where there is nothing yet; 0 at the end. */
function readAvailable(fd: number, bytes: Buffer, at: number): number | undefined {
  try {
    return readSync(fd, bytes, at, bytes.length - at, null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
    throw error;
  }
}

/** Whether the first part of a path that can be looked at, from its end, is owned by another user. */
function belongsToAnother(path: string): boolean {
  const own = process.geteuid?.();
  if (own === undefined) return true;
  for (let at = path; ; at = dirname(at)) {
    try {
      return statSync(at).uid !== own;
    } catch {
      if (at === dirname(at)) return false;
    }
  }
}
