// @ts-check
/** Modules of src that are not part of the public face, built apart to be measured. */
import { basename } from "node:path";
import { rolldown } from "rolldown";

/** Each file as an ECMAScript module `name.mjs` in `folder`. @param {readonly string[]} files @param {string} folder */
export async function buildModules(files, folder) {
  const input = Object.fromEntries(files.map((file) => [basename(file, ".ts"), file]));
  const bundle = await rolldown({ input, platform: "node", checks: { ineffectiveDynamicImport: false } });
  await bundle.write({ dir: folder, format: "es", entryFileNames: "[name].mjs", chunkFileNames: "[name].mjs" });
  await bundle.close();
}
