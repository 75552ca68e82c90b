/** Every block of TypeScript in the documentation compiles against the built package. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");

function blocksOf(file: string): string[] {
  return [...readFileSync(join(ROOT, file), "utf8").matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => code);
}

it("compiles what the README shows", async () => {
  const blocks = blocksOf("README.md");
  expect(blocks.length).toBeGreaterThan(4);
  const folder = mkdtempSync(join(tmpdir(), "imds-guard-docs-"));
  try {
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "junction");
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    // `export {}`: a block without an import or export is a module all the same.
    for (const [index, code] of blocks.entries()) writeFileSync(join(folder, `block-${index}.ts`), `${code}\nexport {};\n`);
    const compilerOptions = { noEmit: true, paths: { "imds-guard": [join(ROOT, "dist/index.d.ts")], "imds-guard/*": [join(ROOT, "dist/*.d.ts")] }, noUnusedLocals: false, rootDir: "/" };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: join(ROOT, "tsconfig.json"), compilerOptions, include: ["*.ts"] }));
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const outcome = await promisify(execFile)(process.execPath, [tsc, "-p", folder]).catch((error: { stdout: string }) => error);
    expect(outcome.stdout).toBe("");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
