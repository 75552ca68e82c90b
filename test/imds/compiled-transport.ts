/** The transport as JavaScript on disk, for processes of Node versions that do not read TypeScript. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

const SOURCES = fileURLToPath(new URL("../../src/", import.meta.url));

/** Compiles a module and whatever of this package it imports. */
function compile(name: string, directory: string, done = new Set<string>()): void {
  if (done.has(name)) return;
  done.add(name);
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true };
  const { outputText } = ts.transpileModule(readFileSync(join(SOURCES, `${name}.ts`), "utf8"), { compilerOptions: options });
  const path = join(directory, `${name}.js`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, outputText);
  for (const [, imported = ""] of outputText.matchAll(/(?:from|import\()\s*"(\.[^"]*)\.js"/g)) compile(posix.join(posix.dirname(name), imported), directory, done);
}

export function compiledTransport(): { readonly url: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), "imds-guard-transport-"));
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  compile("imds/transport", directory);
  return { url: pathToFileURL(join(directory, "imds/transport.js")).href, remove: () => rmSync(directory, { recursive: true }) };
}
