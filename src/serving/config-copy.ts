/**
 * Copies of the shared config files in which one profile has no credentials, so that a program goes on to those it is
 * served.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sectionAsRead } from "../settings/ini.js";
import type { FileKind } from "../settings/locations.js";
import { FILE_KINDS, locationOf } from "../settings/locations.js";
import { readSharedFile } from "../settings/shared-file.js";
import type { System } from "../base/system.js";
import { CREDENTIAL_KEYS } from "./credential-origin.js";

/** Copies on disk, for as long as a program runs. */
export interface ConfigCopies {
  readonly config?: string | undefined;
  readonly credentials?: string | undefined;
  /** Removes the copies. Never throws. They are removed as well when this process ends without a word. */
  remove(): void;
}

/** The text of a shared config file without the credential settings of `profile`; everything else stays as it is. */
export function withoutCredentials(text: string, kind: FileKind, profile: string): string {
  let selected = false;
  let dropping = false;
  let inBlock = false;
  const kept = text.split("\n").filter((line) => {
    const section = /^\s*\[\s*(.*?)\s*\]/.exec(line);
    if (section) {
      // Every reader that a program may have shall find nothing, whichever forms it understands.
      selected =
        profileOf(section[1] as string, kind) === profile || sectionAsRead(section[1] as string, kind) === profile;
      dropping = false;
      inBlock = false;
      return true;
    }
    const equals = Math.max(0, line.indexOf("="));
    const drops = selected && CREDENTIAL_KEYS.includes(line.slice(0, equals).trim().toLowerCase());
    // What continues a setting goes where the setting went. To the SDK an indented line is a setting of its own, unless
    // one without a value has begun a block.
    if (/^[ \t]+\S/.test(line)) return !dropping && (inBlock || !drops);
    dropping = drops;
    inBlock = equals > 0 && /^\s*(?:[;#].*)?$/.test(line.slice(equals + 1));
    return !dropping;
  });
  return kept.join("\n");
}

function profileOf(section: string, kind: FileKind): string | undefined {
  if (kind === "credentials" || section === "default") return section;
  return /^profile\s+(["']?)(.*?)\1$/.exec(section)?.[2];
}

/**
 * Writes copies of those files that give `profile` credentials, in a directory that only this user can enter: below
 * `XDG_RUNTIME_DIR` where there is one, which is in memory and gone with the session.
 * @throws the system's error where no directory can be made
 */
export function copyWithoutCredentials(profile: string, system: System): ConfigCopies {
  const copies: Partial<Record<FileKind, string>> = {};
  for (const kind of FILE_KINDS) {
    const read = readSharedFile(locationOf(kind, system), system);
    if (read.kind !== "content") continue;
    const text = read.bytes.toString("utf8");
    const without = withoutCredentials(text, kind, profile);
    if (without !== text) copies[kind] = without;
  }
  const entries = Object.entries(copies);
  if (entries.length === 0) return { remove: () => undefined };
  const directory = mkdtempSync(join(system.env["XDG_RUNTIME_DIR"] || tmpdir(), "imds-guard-"));
  const release = removeWithoutUs(directory);
  const remove = (): void => {
    try {
      rmSync(directory, { recursive: true, force: true });
    } catch {
      // The other process tries as well.
    }
    release();
  };
  try {
    for (const [kind, text] of entries) writeFileSync(join(directory, kind), text, { mode: 0o600, flag: "wx" });
  } catch (error) {
    remove();
    throw error;
  }
  return { ...Object.fromEntries(entries.map(([kind]) => [kind, join(directory, kind)])), remove };
}

/**
 * Starts a shell, in a session of its own, that removes `directory` once this process has ended in whatever way:
 * nothing else runs after a SIGKILL. The copies hold what all other profiles have.
 * @returns what lets it do so at once
 */
function removeWithoutUs(directory: string): () => void {
  if (process.platform === "win32") return () => undefined;
  // Its standard input ends with the last descriptor of the other side, which nobody but this process has.
  const keeper = spawn("/bin/sh", ["-c", 'while read -r _; do :; done; rm -rf -- "$1"', "sh", directory], {
    cwd: "/",
    detached: true,
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["pipe", "ignore", "ignore"],
  });
  // Without a shell the copies are removed at an orderly end.
  keeper.on("error", () => undefined);
  keeper.stdin.on("error", () => undefined);
  keeper.unref();
  (keeper.stdin as unknown as { unref?: () => void }).unref?.();
  return () => keeper.stdin.destroy();
}
