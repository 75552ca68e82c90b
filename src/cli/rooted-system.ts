/** The files of another machine: a mounted image or a captured tree as a `System`. */
import { lstatSync, readlinkSync } from "node:fs";
import { join, sep } from "node:path";
import type { FileRead, System } from "../base/system.js";

/** As many links as Linux follows in one path. */
const MAX_LINKS = 40;

/**
 * The machine whose files lie under `root`, as a Linux host without environment and without commands. Symbolic links
 * are followed inside `root` only: an absolute one starts there, and `..` does not leave it, so that a file of the
 * machine that judges is never taken for one of the machine that is judged.
 */
export function rootedSystem(root: string, system: System): System {
  return {
    ...system,
    platform: "linux",
    env: {},
    readFile: (path, limit) => {
      const found = resolveInside(root, path);
      return typeof found === "string" ? system.readFile(found, limit) : found;
    },
    run: () => Promise.resolve({ kind: "failed", reason: "ENOENT" }),
  };
}

function resolveInside(root: string, path: string): string | FileRead {
  const waiting = path.split("/").filter(isStep).reverse();
  let inside: string[] = [];
  let links = 0;
  for (let step = waiting.pop(); step !== undefined; step = waiting.pop()) {
    if (step === "..") {
      inside.pop();
      continue;
    }
    const target = linkTarget(join(root, ...inside, step));
    if (typeof target !== "string") {
      if (target !== undefined) return target;
      inside.push(step);
      continue;
    }
    if (++links > MAX_LINKS) return { kind: "unreadable", code: "ELOOP" };
    if (target.startsWith("/")) inside = [];
    waiting.push(...target.split("/").filter(isStep).reverse());
  }
  return [root, ...inside].join(sep);
}

function isStep(step: string): boolean {
  return step !== "" && step !== ".";
}

/** Where a symbolic link leads, undefined for anything else that exists, or why it could not be looked at. */
function linkTarget(path: string): string | FileRead | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "EUNKNOWN";
    return code === "ENOENT" || code === "ENOTDIR" ? { kind: "absent" } : { kind: "unreadable", code };
  }
}
