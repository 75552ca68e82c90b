/** The transport as JavaScript on disk, for processes of Node versions that do not read TypeScript. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

const SOURCES = fileURLToPath(new URL("../../src/", import.meta.url));

export function compiledTransport(): { readonly url: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), "imds-guard-transport-"));
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  for (const name of ["errors", "addresses", "imds/transport"]) {
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true };
    const path = join(directory, `${name}.js`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, ts.transpileModule(readFileSync(join(SOURCES, `${name}.ts`), "utf8"), { compilerOptions: options }).outputText);
  }
  return { url: pathToFileURL(join(directory, "imds/transport.js")).href, remove: () => rmSync(directory, { recursive: true }) };
}
