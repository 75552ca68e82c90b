// @ts-check
/** What tools need to know of this package beside `exports` of package.json. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

/**
 * A folder for each entry, for tools that do not read `exports`: Parcel, Jest before 28, TypeScript's
 * `node10`. All others never look there.
 *
 * @param {string} root of the package
 * @param {Readonly<Record<string, string | { require: { types: string, module: string, default: string } }>>} exports
 */
export function writeEntryFolders(root, exports) {
  for (const [entry, targets] of Object.entries(exports)) {
    if (entry === "." || typeof targets === "string") continue;
    const folder = join(root, entry);
    const from = (/** @type {string} */ path) => relative(folder, join(root, path)).replaceAll("\\", "/");
    const { types, module, default: main } = targets.require;
    mkdirSync(folder, { recursive: true });
    write(join(folder, "package.json"), { main: from(main), module: from(module), types: from(types) });
  }
}

/**
 * The form for bundlers is not said to be one for Node.js. Servers are packed by tools that leave packages beside the bundle
 * (Nitro): one that has found this form would copy it alone, and Node.js then looks for its own.
 *
 * @param {string} folder of that form
 * @param {readonly string[]} sideEffects of the package
 */
export function writeBundledManifest(folder, sideEffects) {
  const here = "./dist/esm/";
  write(join(folder, "package.json"), {
    sideEffects: sideEffects.flatMap((path) => (path.startsWith(here) ? `./${path.slice(here.length)}` : [])),
  });
}

/** @param {string} path @param {object} manifest */
function write(path, manifest) {
  writeFileSync(path, `${JSON.stringify(manifest, undefined, 2)}\n`);
}
