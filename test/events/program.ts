/** Small programs around a module of src/events, bundled so that plain node runs them in a process of their own. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";

/**
 * Bundles `source` (an ES module that imports from `src/events/`) into `folder` and returns the path of the program.
 */
export async function bundleProgram(folder: string, source: string): Promise<string> {
  const entry = join(folder, "entry.mjs");
  const room = new URL("../../src/events/", import.meta.url).pathname;
  writeFileSync(entry, source.replaceAll('from "src/events/', `from "${room}`));
  await build({
    logLevel: "silent",
    configFile: false,
    build: { ssr: entry, outDir: join(folder, "out"), rollupOptions: { output: { entryFileNames: "program.mjs" } } },
  });
  return join(folder, "out", "program.mjs");
}
