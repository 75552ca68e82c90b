/**
 * The permission model of Node.js (`node --permission`), under which a process may not read what the system would let
 * its user read. Source: https://nodejs.org/api/permissions.html. Deno has one of its own:
 * https://docs.deno.com/runtime/fundamentals/security/
 */
import { shellWord } from "./text.js";

/** The code with which it refuses. */
export const DENIED_BY_NODE = "ERR_ACCESS_DENIED";
/** The name of the error, which has no code, with which Deno refuses. What is in `/sys` it reads with all permissions only. */
export const DENIED_BY_DENO = "NotCapable";

interface PermissionModel {
  has(scope: "fs.read", path: string): boolean;
}

/** The flags of Node.js with which those of `paths` can be read that cannot now. A path may end in `/*`. */
export function flagsToRead(paths: readonly string[]): string {
  const { permission } = process as { readonly permission?: PermissionModel };
  return paths
    .filter((path) => permission?.has("fs.read", path.replace(/\*$/, "any")) !== true)
    .map((path) => `--allow-fs-read=${shellWord(path)}`)
    .join(" ");
}
