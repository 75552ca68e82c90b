// @ts-check
/** Modules of src that are not part of the public face, built apart to be measured. */
import { mkdtempSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { rolldown } from "rolldown";

/** Each file as an ECMAScript module `name.mjs` in `folder`. @param {readonly string[]} files @param {string} folder */
export async function buildModules(files, folder) {
  const input = Object.fromEntries(files.map((file) => [basename(file, ".ts"), file]));
  const bundle = await rolldown({ input, platform: "node", checks: { ineffectiveDynamicImport: false } });
  await bundle.write({ dir: folder, format: "es", entryFileNames: "[name].mjs", chunkFileNames: "[name].mjs" });
  await bundle.close();
}

/**
 * Builds modules of src, named as `detection/scan`, in a folder where they find the packages that they import: their URLs
 * by the last part of their names, and what takes the folder away.
 *
 * @param {readonly string[]} names @returns {Promise<{ urls: Record<string, string>, remove: () => void }>}
 */
export async function builtApart(names) {
  const folder = mkdtempSync(fileURLToPath(new URL("../node_modules/.bench-", import.meta.url)));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const files = names.map((name) => fileURLToPath(new URL(`../src/${name}.ts`, import.meta.url)));
    await buildModules(files, folder);
    const url = (/** @type {string} */ name) => pathToFileURL(join(folder, `${name}.mjs`)).href;
    return { urls: Object.fromEntries(names.map((name) => [basename(name), url(basename(name))])), remove };
  } catch (error) {
    remove();
    throw error;
  }
}
