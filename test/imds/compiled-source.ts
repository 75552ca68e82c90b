/** Modules of this package as JavaScript on disk, for processes of Node versions that do not read TypeScript. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
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

export interface Compiled {
  readonly url: string;
  readonly directory: string;
  readonly remove: () => void;
}

/** Compiles the module `src/<name>.ts`, with whatever it imports within reach. */
export function compileSource(name: string): Compiled {
  const directory = mkdtempSync(join(tmpdir(), "imds-guard-compiled-"));
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  symlinkSync(join(SOURCES, "../node_modules"), join(directory, "node_modules"));
  compile(name, directory);
  return { url: pathToFileURL(join(directory, `${name}.js`)).href, directory, remove: () => rmSync(directory, { recursive: true }) };
}
