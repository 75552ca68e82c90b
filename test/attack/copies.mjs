// @ts-check
/** Further copies of the package, as a process may have them: installed by another dependency, and inside a bundle. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** @param {string} folder @returns {Promise<{ second: string, inlined: string }>} files to load */
export async function makeCopies(folder) {
  const second = join(folder, "second");
  mkdirSync(second);
  cpSync(join(ROOT, "dist"), join(second, "dist"), { recursive: true });
  writeFileSync(join(second, "package.json"), readFileSync(join(ROOT, "package.json")));
  symlinkSync(join(ROOT, "node_modules"), join(second, "node_modules"));
  const inlined = join(folder, "inlined.cjs");
  await build({
    entryPoints: [join(ROOT, "dist/esm/index.js")],
    outfile: inlined,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "silent",
  });
  return { second: join(second, "dist/index.js"), inlined };
}
