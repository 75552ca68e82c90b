/** The source files of a project: found without following a link, read with a cap, and written whole or not at all. */
import { randomBytes } from "node:crypto";
import type { Dirent } from "node:fs";
import { lstatSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

const SOURCES = /(?<!\.d)\.(?:[cm]?[jt]s|[jt]sx)$/;
/** What tools write, and what is somebody else's. */
const NOT_OURS = new Set(["node_modules", "bower_components", "dist", "build", "out", "coverage", "vendor", "cdk.out"]);
const MAX_FILES = 50_000;
const MAX_BYTES = 2 * 1024 * 1024;

/** What was found. */
export interface Project {
  /** Relative to the folder, sorted. */
  readonly files: readonly string[];
  /** What was not looked at, and why. */
  readonly skipped: readonly { readonly file: string; readonly why: string }[];
}

/**
 * Finds the source files below `folder`.
 * @throws the system's error where `folder` itself cannot be listed
 */
export function findSources(folder: string, signal: AbortSignal): Project {
  const files: string[] = [];
  const skipped: { file: string; why: string }[] = [];
  const waiting = [folder];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    signal.throwIfAborted();
    let entries: Dirent[];
    try {
      entries = readdirSync(next, { withFileTypes: true });
    } catch (error) {
      if (next === folder) throw error;
      skipped.push({ file: relative(folder, next), why: (error as NodeJS.ErrnoException).code ?? "cannot be listed" });
      continue;
    }
    for (const entry of entries) {
      const path = join(next, entry.name);
      if (entry.isDirectory()) {
        if (!NOT_OURS.has(entry.name) && !entry.name.startsWith(".")) waiting.push(path);
      } else if (entry.isFile() && SOURCES.test(entry.name)) {
        if (files.length < MAX_FILES) files.push(relative(folder, path));
        else
          return { files: files.sort(), skipped: [...skipped, { file: "...", why: `more than ${MAX_FILES} files` }] };
      }
    }
  }
  return { files: files.sort(), skipped };
}

/** The text of a file, or why there is none. */
export function readSource(path: string): { readonly text: string } | { readonly why: string } {
  try {
    if (lstatSync(path).size > MAX_BYTES) return { why: `larger than ${MAX_BYTES} bytes` };
    return { text: readFileSync(path, "utf8") };
  } catch (error) {
    return { why: (error as NodeJS.ErrnoException).code ?? "cannot be read" };
  }
}

/**
 * Replaces the text of a file, with its permissions, if it still is `before`.
 * @throws the system's error
 * @returns whether it was
 */
export function replaceSource(path: string, before: string, after: string): boolean {
  if (readFileSync(path, "utf8") !== before) return false;
  const made = `${path}.${randomBytes(4).toString("hex")}`;
  try {
    writeFileSync(made, after, { flag: "wx", mode: lstatSync(path).mode & 0o777 });
    renameSync(made, path);
  } finally {
    rmSync(made, { force: true });
  }
  return true;
}
