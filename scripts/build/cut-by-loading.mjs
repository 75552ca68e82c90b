// @ts-check
/** Cuts a program into files by what is loaded together, as the module graph has it. */

/**
 * A file, or a part of one: its name, and the modules with which it is loaded, `with` any or `withAll` of them, or with
 * what a module of `after` loads later.
 *
 * @typedef {{ readonly name: string, readonly with?: readonly string[], readonly withAll?: readonly string[],
 *   readonly after?: readonly string[] }} Cut
 */

/**
 * Groups for rolldown: each module is in the first file that needs it. Entries stay where they are, and so does what
 * belongs to no file.
 *
 * @param {readonly Cut[]} cuts @returns {import("rolldown").CodeSplittingGroup[]}
 */
export function cutByLoading(cuts) {
  /** @type {Map<string, string> | undefined} */
  let files;
  return [
    {
      debugName: "by loading",
      includeDependenciesRecursively: false,
      name(id, context) {
        files ??= assign(cuts, (each) => context.getModuleInfo(each));
        return files.get(id) ?? null;
      },
    },
  ];
}

/**
 * Puts what rolldown adds, which no group can have, into the file `host`, which is loaded at every start as well: a
 * file costs a start more than what is in it.
 *
 * @param {string} host @returns {import("rolldown").Plugin}
 */
export function runtimeIn(host) {
  return {
    name: "runtime-in",
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
      const runtime = chunks.find(({ moduleIds }) => moduleIds.every((id) => id === "\0rolldown/runtime.js"));
      const home = bundle[host];
      if (runtime === undefined || home?.type !== "chunk") throw new Error(`there is no runtime, or no ${host}`);
      const required = (/** @type {string} */ name) => `require("./${name}")`;
      const taken = required(runtime.fileName);
      // The names are on the exports of the host from now on, and found there by itself, too.
      home.code = home.code.replace(taken, "exports").replace('"use strict";\n', runtime.code);
      for (const chunk of chunks) if (chunk !== home) chunk.code = chunk.code.replace(taken, required(host));
      delete bundle[runtime.fileName];
    },
  };
}

/**
 * @param {readonly Cut[]} cuts @param {(id: string) => import("rolldown").ModuleInfo | null} infoOf @returns
 * {Map<string, string>}
 */
function assign(cuts, infoOf) {
  const files = new Map();
  for (const { name, with: any = [], withAll: all = [], after = [] } of cuts) {
    const later = after.flatMap((id) => infoOf(id)?.dynamicallyImportedIds ?? []);
    const anyOf = [...any, ...later].map((root) => loadedWith(root, infoOf));
    const [first = new Set(), ...others] = all.map((root) => loadedWith(root, infoOf));
    const shared = [...first].filter((id) => others.every((other) => other.has(id)));
    for (const id of [...shared, ...anyOf.flatMap((set) => [...set])])
      if (!files.has(id) && infoOf(id)?.isEntry !== true) files.set(id, name);
  }
  return files;
}

/** A module and all that it imports, and not what it loads later. @param {string} root @param {(id: string) => import("rolldown").ModuleInfo | null} infoOf */
function loadedWith(root, infoOf) {
  const found = new Set();
  const waiting = [root];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (found.has(id)) continue;
    const info = infoOf(id);
    // What is external has no code.
    if (info === null || info.code === null) continue;
    found.add(id);
    waiting.push(...info.importedIds);
  }
  return found;
}
