/**
 * The files of this package where it is a single executable: they are in the executable itself, and none is on a disk.
 */

/** `node:sea` where this is a single executable. */
function sea(): typeof import("node:sea") | undefined {
  // Node.js has it since 20.12, and bundlers know no such module.
  const found = process.getBuiltinModule?.("node:sea") as typeof import("node:sea") | undefined;
  return found?.isSea() === true ? found : undefined;
}

/** Whether this program is a single executable. */
export const isSingleExecutable = (): boolean => sea() !== undefined;

/** The files that the preload loads, by name; undefined where this is no single executable. */
export function preloadInExecutable(): ReadonlyMap<string, Uint8Array> | undefined {
  const executable = sea();
  if (executable === undefined) return undefined;
  const { preload } = JSON.parse(executable.getAsset("files.json", "utf8")) as { readonly preload: readonly string[] };
  return new Map(preload.map((name) => [name, new Uint8Array(executable.getRawAsset(name) as ArrayBuffer)]));
}
