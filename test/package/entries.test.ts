/**
 * Every entry of the built package: the same for `import` and `require`, light to load, and complete in what it depends
 * on.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Entry } from "./built.js";
import { ROOT, entries, manifest, requireBuild, runProgram } from "./built.js";
import { packagesOf, reachable } from "./reachable.js";

beforeAll(requireBuild);

const PRINT_KINDS =
  "console.log(JSON.stringify(Object.fromEntries(Object.entries(entry).filter(([name]) => name !== '__esModule').map(([name, value]) => [name, typeof value]).sort())))";

describe.each(entries.map((entry) => [entry.specifier, entry] as const))("%s", (specifier, entry) => {
  test("gives the same names to import and require", async () => {
    const esm = await runProgram("module", `const entry = await import("${specifier}"); ${PRINT_KINDS}`);
    const cjs = await runProgram("commonjs", `const entry = require("${specifier}"); ${PRINT_KINDS}`);
    expect(cjs).toEqual(esm);
    expect(esm).not.toHaveProperty("default");
  });

  // The stand-in for the SDK's own package is loaded by the SDK, which is there by then.
  test.skipIf(specifier.endsWith("/credential-provider-imds"))(
    "loads nothing but Node's own modules before the first call",
    async () => {
      const loaded = `Object.keys(require.cache).filter((path) => path.includes("node_modules"))`;
      expect(await runProgram("commonjs", `require("${specifier}"); console.log(JSON.stringify(${loaded}))`)).toEqual(
        [],
      );
      const seen = `const require = process.getBuiltinModule("node:module").createRequire(process.cwd() + "/x"); console.log(JSON.stringify(${loaded}))`;
      expect(await runProgram("module", `await import("${specifier}"); ${seen}`)).toEqual([]);
      for (const [kind, path] of [
        ["import", entry.esm.default],
        ["require", entry.cjs.default],
      ] as const) {
        expect([kind, packagesOf(reachable(path, "eager"), "eager")]).toEqual([kind, []]);
      }
    },
  );

  test("needs only what package.json lists", () => {
    const runtime = [entry.esm.default, entry.cjs.default].flatMap((path) => packagesOf(reachable(path, "all"), "all"));
    const types = [entry.esm.types, entry.cjs.types].flatMap((path) => packagesOf(reachable(path, "all"), "all"));
    expect([...new Set([...runtime, ...types])].filter((name) => !(name in manifest.dependencies))).toEqual([]);
  });
});

test("what asks and refuses is read with the first call, and that alone", async () => {
  const program = `
    const files = () => Object.keys(require.cache).map((path) => require("node:path").basename(path)).sort();
    const { createGuard } = require("imds-guard");
    const before = files();
    createGuard();
    console.log(JSON.stringify({ before, after: files() }));
  `;
  const { before, after } = (await runProgram("commonjs", program)) as Record<"before" | "after", string[]>;
  expect(before).toEqual(["ground.cjs", "index.cjs"]);
  expect(after).toEqual(["core.cjs", "ground.cjs", "index.cjs"]);
});

test("import and require give the same objects, and an error is one of ours whichever way it came", async () => {
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
    same: true,
    error: [true, true, false, true],
    dressed: [true, true, false, true],
    foreign: [false, false, false, false],
    is: [true, true, false],
  });
});

test("the entries are there", () => {
  expect(entries.map(({ specifier }: Entry) => specifier)).toContain("imds-guard");
});

test("no built file asks for names at an object that it has replaced", () => {
  const files = readdirSync(join(ROOT, "dist")).filter((name) => name.endsWith(".cjs"));
  const replaced = files.filter((name) => {
    const code = readFileSync(join(ROOT, "dist", name), "utf8");
    return /^module\.exports = /m.test(code) && /= exports;|Object\.defineProperty\(exports,/.test(code);
  });
  expect(replaced).toEqual([]);
});
