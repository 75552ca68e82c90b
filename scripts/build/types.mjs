// @ts-check
/**
 * The types of what programs import: once, for CommonJS, whose names the ECMAScript modules hand on.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

/**
 * @param {Readonly<Record<string, string>>} entries name to source
 * @param {string} folder where they go
 * @param {(id: string) => boolean} external
 */
export async function buildTypes(entries, folder, external) {
  const bundle = await rollup({ input: { ...entries }, external, plugins: [dts()], onwarn: complain });
  await bundle.write({
    dir: folder,
    format: "es",
    entryFileNames: "[name].d.cts",
    chunkFileNames: "types.d.cts",
    manualChunks: undefined,
  });
  await bundle.close();
  for (const name of Object.keys(entries)) {
    const text = readFileSync(join(folder, `${name}.d.cts`), "utf8");
    const empty = text.trim() === "export {};" || text.trim() === "export { };";
    writeFileSync(join(folder, `${name}.d.ts`), empty ? "export {};\n" : `export * from "./${name}.cjs";\n`);
  }
}

/** @param {import("rollup").RollupLog} log */
function complain(log) {
  if (log.code === "EMPTY_BUNDLE") return;
  throw new Error(`types: ${log.message}`);
}
