/**
 * Writes the preload that a single executable carries to a place from which programs of Node.js can load it. It stays
 * there: what a program has started may start others when this process has long ended.
 */
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { PACKAGE_VERSION } from "../../base/package-version.js";
import type { System } from "../../base/system.js";

/** The file among those of the preload that is loaded first. */
const FIRST = "register.cjs";

/** No folder can hold the preload. */
export class PreloadUnwritableError extends Error {
  override readonly name = "PreloadUnwritableError";
  constructor(reasons: readonly string[]) {
    super(
      `the preload for programs of Node.js can be written nowhere: ${reasons.join("; ")}. ` +
        "Let XDG_CACHE_HOME or TMPDIR name a folder of this user's own that can be written to.",
    );
  }
}

/**
 * Sees to it that `files` are in a folder that nobody but this user (and root) can change, and gives the path of the
 * first. What is there already is compared, and replaced where it is anything else.
 *
 * @param files by name
 * @param user id of the user of this process; undefined where the system has none, as on Windows
 * @throws PreloadUnwritableError
 */
export function writePreload(
  files: ReadonlyMap<string, Uint8Array>,
  system: Pick<System, "env" | "platform">,
  user: number | undefined = process.getuid?.(),
): string {
  // It lies beside commands that need no more of node:crypto, which takes milliseconds to load.
  const digest = process.getBuiltinModule("node:crypto").createHash("sha256");
  for (const [name, bytes] of files) digest.update(`${name}\0${bytes.length}\0`).update(bytes);
  const name = `preload-${PACKAGE_VERSION}-${digest.digest("hex").slice(0, 16)}`;
  const reasons: string[] = [];
  for (const place of places(system, user)) {
    try {
      ownFolder(place, user);
      const folder = join(place, name);
      if (!holds(folder, files, user)) put(folder, files, user);
      return join(folder, FIRST);
    } catch (error) {
      if (typeof (error as NodeJS.ErrnoException).code !== "string") throw error;
      reasons.push((error as Error).message);
    }
  }
  throw new PreloadUnwritableError(reasons);
}

/** Folders of this program, best first. */
function places({ env, platform }: Pick<System, "env" | "platform">, user: number | undefined): string[] {
  const home = env["HOME"];
  const caches =
    platform === "win32"
      ? [env["LOCALAPPDATA"]]
      : [
          // systemd gives a service one of its own, and there may be several, with colons between.
          env["CACHE_DIRECTORY"]?.split(":")[0],
          env["XDG_CACHE_HOME"],
          home && join(home, platform === "darwin" ? "Library/Caches" : ".cache"),
        ];
  return [
    ...caches.flatMap((cache) => (cache && isAbsolute(cache) ? [join(cache, "imds-guard")] : [])),
    join(tmpdir(), `imds-guard-${user ?? "preload"}`),
  ];
}

/** Makes a folder that is this user's alone, or makes sure that it is. */
function ownFolder(path: string, user: number | undefined): void {
  makeFolder(path);
  if (!isOwn(path, "folder", user))
    throw Object.assign(new Error(`${path} is no folder that this user alone can change`), { code: "EPERM" });
}

/** With those above it. Node's `recursive` never ends where a system has folders in which none can be made, as /proc. */
function makeFolder(path: string, mayLack = true): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || !mayLack) throw error;
    makeFolder(dirname(path));
    makeFolder(path, false);
  }
}

/** A folder or file, and no link to one, which nobody else can write to. */
function isOwn(path: string, kind: "folder" | "file", user: number | undefined): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || !(kind === "folder" ? found.isDirectory() : found.isFile())) return false;
  return user === undefined || (found.uid === user && (found.mode & 0o022) === 0);
}

function holds(folder: string, files: ReadonlyMap<string, Uint8Array>, user: number | undefined): boolean {
  if (!isOwn(folder, "folder", user)) return false;
  for (const [name, bytes] of files) {
    const path = join(folder, name);
    if (!isOwn(path, "file", user) || lstatSync(path).size !== bytes.length) return false;
    if (!readFileSync(path).equals(bytes)) return false;
  }
  return true;
}

/** Whole or not at all: another process may be writing the same, and others load it. */
function put(folder: string, files: ReadonlyMap<string, Uint8Array>, user: number | undefined): void {
  const made = `${folder}.${process.getBuiltinModule("node:crypto").randomBytes(6).toString("hex")}`;
  try {
    mkdirSync(made, { mode: 0o700 });
    for (const [name, bytes] of files) writeFileSync(join(made, name), bytes, { flag: "wx", mode: 0o600 });
    // What is there and is not what it should be goes out of the way at once, and away after that.
    if (lstatSync(folder, { throwIfNoEntry: false }) !== undefined && !holds(folder, files, user))
      renameSync(folder, `${made}.old`);
    renameSync(made, folder);
  } catch (error) {
    // Another process was there first with the same files.
    if (!holds(folder, files, user)) throw error;
  } finally {
    rmSync(made, { recursive: true, force: true });
    rmSync(`${made}.old`, { recursive: true, force: true });
  }
}
