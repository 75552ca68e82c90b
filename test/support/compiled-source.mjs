// @ts-check
/**
 * Modules of this package as JavaScript on disk, a file for each source, for processes of Node versions that do not
 * read TypeScript.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";

const SOURCES = fileURLToPath(new URL("../../src/", import.meta.url));
const DEPENDENCIES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/**
 * Compiles a module and whatever of its package it imports. @param {string} name @param {string} from @param {string}
 * to @param {Set<string>} done
 */
function compile(name, from, to, done) {
  if (done.has(name)) return;
  done.add(name);
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true };
  const { outputText } = ts.transpileModule(readFileSync(join(from, `${name}.ts`), "utf8"), {
    compilerOptions: options,
  });
  const path = join(to, `${name}.js`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, outputText);
  for (const [, imported = ""] of outputText.matchAll(/(?:from|import\()\s*"(\.[^"]*)\.js"/g))
    compile(posix.join(posix.dirname(name), imported), from, to, done);
}

/**
 * Compiles the modules `<name>.ts` of one folder of sources, `src` unless another is given, with whatever they import
 * within reach.
 *
 * @param {readonly string[]} names
 * @param {string} [from]
 */
export function compileSources(names, from = SOURCES) {
  const directory = mkdtempSync(join(tmpdir(), "imds-guard-compiled-"));
  writeFileSync(join(directory, "package.json"), '{"type":"module"}');
  symlinkSync(DEPENDENCIES, join(directory, "node_modules"));
  const done = new Set();
  for (const name of names) compile(name, from, directory, done);
  const urlOf = (/** @type {string} */ name) => pathToFileURL(join(directory, `${name}.js`)).href;
  return { directory, urlOf, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** One module of `src`. @param {string} name */
export function compileSource(name) {
  const { directory, urlOf, remove } = compileSources([name]);
  return { url: urlOf(name), directory, remove };
}

/** @typedef {ReturnType<typeof compileSource>} Compiled */
