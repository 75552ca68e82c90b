/** Every entry of the built package: the same for `import` and `require`, light to load, and complete in what it depends on. */
import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Entry } from "./built.js";
import { entries, manifest, requireBuild, ROOT, runProgram } from "./built.js";

beforeAll(requireBuild);

const PRINT_KINDS = "console.log(JSON.stringify(Object.fromEntries(Object.entries(entry).filter(([name]) => name !== '__esModule').map(([name, value]) => [name, typeof value]).sort())))";

describe.each(entries.map((entry) => [entry.specifier, entry] as const))("%s", (specifier, entry) => {
  test("gives the same names to import and require", async () => {
    const esm = await runProgram("module", `const entry = await import("${specifier}"); ${PRINT_KINDS}`);
    const cjs = await runProgram("commonjs", `const entry = require("${specifier}"); ${PRINT_KINDS}`);
    expect(cjs).toEqual(esm);
    expect(esm).not.toHaveProperty("default");
  });

  // The stand-in for the SDK's own package is loaded by the SDK, which is there by then.
  test.skipIf(specifier.endsWith("/credential-provider-imds"))("loads nothing but Node's own modules before the first call", async () => {
    const loaded = `Object.keys(require.cache).filter((path) => path.includes("node_modules"))`;
    expect(await runProgram("commonjs", `require("${specifier}"); console.log(JSON.stringify(${loaded}))`)).toEqual([]);
    const seen = `const require = process.getBuiltinModule("node:module").createRequire(process.cwd() + "/x"); console.log(JSON.stringify(${loaded}))`;
    expect(await runProgram("module", `await import("${specifier}"); ${seen}`)).toEqual([]);
    for (const [kind, path] of [["import", entry.esm.default], ["require", entry.cjs.default]] as const) {
      expect([kind, packagesOf(reachable(path, "eager"), "eager")]).toEqual([kind, []]);
    }
  });

  test("needs only what package.json lists", () => {
    const runtime = [entry.esm.default, entry.cjs.default].flatMap((path) => packagesOf(reachable(path, "all"), "all"));
    const types = [entry.esm.types, entry.cjs.types].flatMap((path) => packagesOf(reachable(path, "all"), "all"));
    expect([...new Set([...runtime, ...types])].filter((name) => !(name in manifest.dependencies))).toEqual([]);
  });
});

test("an error is one of ours whichever copy of the package made it", async () => {
  const program = `
    const { createRequire } = process.getBuiltinModule("node:module");
    const cjs = createRequire(process.cwd() + "/x")("imds-guard");
    const esm = await import("imds-guard");
    const error = await cjs.createGuard({ mode: "deny", log: "off" }).credentials().catch((reason) => reason);
    const dressed = await cjs.fromInstanceMetadata({ guard: { mode: "deny", log: "off" } })().catch((reason) => reason);
    const of = (value) => [esm.ImdsGuardError, esm.ImdsRefusedError, esm.ImdsImpersonationError, cjs.ImdsRefusedError].map((kind) => value instanceof kind);
    console.log(JSON.stringify({ same: esm.ImdsGuardError === cjs.ImdsGuardError, error: of(error), dressed: of(dressed), foreign: of(new Error("x")), is: [error, dressed, {}].map((value) => esm.isImdsGuardError(value)) }));
  `;
  expect(await runProgram("module", program)).toEqual({
    same: false,
    error: [true, true, false, true],
    dressed: [true, true, false, true],
    foreign: [false, false, false, false],
    is: [true, true, false],
  });
});

test("the entries are there", () => {
  expect(entries.map(({ specifier }: Entry) => specifier)).toContain("imds-guard");
});

type Reach = "eager" | "all";

const EAGER = [/(?:\bfrom|^import)\s*["']([^"']+)["']/gm];
const LAZY = [/\bimport\(\s*["']([^"']+)["']\s*\)/g];
/** Of CommonJS output, what stands at the start of a line or of a declaration is loaded at once; what stands deeper, on demand. */
const REQUIRED = /^(?:var|const|let)?[^\n]*?\brequire\(["']([^"']+)["']\)/gm;

function specifiersOf(path: string, reach: Reach): string[] {
  // Examples in comments import, too.
  const text = readFileSync(join(ROOT, path), "utf8").replace(/\/\*\*[\s\S]*?\*\//g, "");
  if (path.endsWith(".cjs")) {
    const pattern = reach === "all" ? /\brequire\(["']([^"']+)["']\)/g : REQUIRED;
    return [...text.matchAll(pattern)].filter(([line]) => reach === "all" || !/=>|function|Promise/.test(line)).map(([, specifier = ""]) => specifier);
  }
  return [...EAGER, ...(reach === "all" ? LAZY : [])].flatMap((pattern) => [...text.matchAll(pattern)].map(([, specifier = ""]) => specifier));
}

/** The files of `dist` that come with one of them. */
function reachable(path: string, reach: Reach): string[] {
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

function packagesOf(paths: readonly string[], reach: Reach): string[] {
  const specifiers = paths.flatMap((path) => specifiersOf(path, reach)).filter((specifier) => !specifier.startsWith("."));
  const packages = specifiers.filter((specifier) => !specifier.startsWith("node:") && !builtinModules.includes(specifier));
  return [...new Set(packages.map((specifier) => specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/")))];
}
