/** The public face, name by name: a change of `api.json` is a change of what users rely on. */
import { join } from "node:path";
import ts from "typescript";
import { beforeAll, expect, test } from "vitest";
import { entries, requireBuild, ROOT } from "./built.js";

beforeAll(requireBuild);

function kindOf(checker: ts.TypeChecker, exported: ts.Symbol): string {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const { flags } = symbol;
  if (flags & ts.SymbolFlags.Class) return "class";
  if (flags & ts.SymbolFlags.Function) return "function";
  if (flags & ts.SymbolFlags.Interface) return "interface";
  if (flags & ts.SymbolFlags.TypeAlias) return "type";
  const [declaration] = symbol.declarations ?? [];
  const callable = declaration && checker.getTypeOfSymbolAtLocation(symbol, declaration).getCallSignatures().length > 0;
  return callable ? "function" : "const";
}

test("every entry exports what api.json says (npx vitest run --project package -u rewrites it)", async () => {
  const files = entries.map(({ specifier, esm }) => [specifier, join(ROOT, esm.types)] as const);
  const program = ts.createProgram({
    rootNames: files.map(([, path]) => path),
    options: {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      skipLibCheck: true,
      types: ["node"],
    },
  });
  const checker = program.getTypeChecker();
  const api = Object.fromEntries(
    files.map(([specifier, path]) => {
      const source = program.getSourceFile(path);
      const module = source && checker.getSymbolAtLocation(source);
      const names = module ? checker.getExportsOfModule(module) : [];
      return [
        specifier,
        Object.fromEntries(
          names.map((symbol) => [symbol.name, kindOf(checker, symbol)] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
        ),
      ];
    }),
  );
  expect(Object.keys(api["imds-guard"] ?? {}).length).toBeGreaterThan(20);
  await expect(`${JSON.stringify(api, undefined, 2)}\n`).toMatchFileSnapshot("api.json");
});
