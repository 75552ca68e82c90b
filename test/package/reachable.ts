/** Which files of the built package, and which packages, come with a file of `dist`. */
import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";
import { ROOT } from "./built.js";

/** What is loaded with a file, or all that it can come to load. */
export type Reach = "eager" | "all";

const EAGER = [/(?:\bfrom|^import)\s*["']([^"']+)["']/gm];
const LAZY = [/\bimport\(\s*["']([^"']+)["']\s*\)/g];

function specifiersOf(path: string, reach: Reach): readonly string[] {
  const text = readFileSync(join(ROOT, path), "utf8");
  if (path.endsWith(".cjs")) return requiredBy(path, text, reach);
  // Examples in comments import, too.
  const code = text.replace(/\/\*\*[\s\S]*?\*\//g, "");
  return [...EAGER, ...(reach === "all" ? LAZY : [])].flatMap((pattern) =>
    [...code.matchAll(pattern)].map(([, specifier = ""]) => specifier),
  );
}

/** What CommonJS requires: at once outside of functions, on demand within them. */
function requiredBy(path: string, text: string, reach: Reach): readonly string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (reach === "eager" && ts.isFunctionLike(node) && !isCalledAtOnce(node)) return;
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "require") {
      const [specifier] = node.arguments;
      if (specifier !== undefined && ts.isStringLiteralLike(specifier)) found.push(specifier.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return found;
}

/** What `loadPlainly` is given. */
function isCalledAtOnce({ parent }: ts.Node): boolean {
  return ts.isCallExpression(parent) && ts.isIdentifier(parent.expression) && parent.expression.text === "loadPlainly";
}

/** The files that come with one of `dist`, itself first. */
export function reachable(path: string, reach: Reach): string[] {
  const found = new Set<string>();
  const waiting = [path.replace(/^\.\//, "")];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    for (const specifier of specifiersOf(next, reach)) {
      if (specifier.startsWith(".")) waiting.push(fileOf(join(dirname(next), specifier), next));
    }
  }
  return [...found];
}

function fileOf(target: string, from: string): string {
  if (!/\.d\.[cm]?ts$/.test(from)) return target;
  const types = target.replace(/\.(c|m)?js$/, ".d.$1ts");
  return existsSync(join(ROOT, types)) ? types : target;
}

/** The packages that files import by name. */
export function packagesOf(paths: readonly string[], reach: Reach): string[] {
  const specifiers = paths
    .flatMap((path) => specifiersOf(path, reach))
    .filter((specifier) => !specifier.startsWith("."));
  const packages = specifiers.filter(
    (specifier) => !specifier.startsWith("node:") && !builtinModules.includes(specifier),
  );
  return [
    ...new Set(
      packages.map((specifier) =>
        specifier
          .split("/")
          .slice(0, specifier.startsWith("@") ? 2 : 1)
          .join("/"),
      ),
    ),
  ];
}
