/**
 * Every block of TypeScript on the pages of the documentation compiles against the built package, every export shows one, and the
 * API reference has no gap.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { beforeAll, describe, expect, it } from "vitest";
import { requireBuild, ROOT } from "./built.js";

beforeAll(requireBuild);

const run = promisify(execFile);

interface Block {
  /** Becomes a file name, so that a complaint of the compiler says where to look. */
  readonly name: string;
  readonly code: string;
}

function blocksOf(path: string, text: string): Block[] {
  const name = path.replace(/\W+/g, "-");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = ""], index) => ({
    name: `${name}-${index + 1}`,
    code,
  }));
}

/** What stands in doc comments, without the stars. */
function docCommentsOf(path: string): string {
  const comments = readFileSync(join(ROOT, path), "utf8").match(/\/\*\*[\s\S]*?\*\//g) ?? [];
  return comments.join("\n").replace(/^[ \t]*\* ?/gm, "");
}

/** What the compiler says of the blocks, each a module of its own in a consumer's folder. */
async function complaints(blocks: readonly Block[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "imds-guard-docs-"));
  try {
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "junction");
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    // `export {}`: a block without an import or export is a module all the same.
    for (const { name, code } of blocks) writeFileSync(join(folder, `${name}.ts`), `${code}\nexport {};\n`);
    const compilerOptions = {
      noEmit: true,
      paths: { "imds-guard": [join(ROOT, "dist/index.d.ts")], "imds-guard/*": [join(ROOT, "dist/*.d.ts")] },
      noUnusedLocals: false,
      rootDir: "/",
    };
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: join(ROOT, "tsconfig.json"), compilerOptions, include: ["*.ts"] }),
    );
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    return (await run(process.execPath, [tsc, "-p", folder]).catch((error: { stdout: string }) => error)).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Exported values of the entries, as `file: name`, and the examples of each. */
function exportedValues(): ReadonlyMap<string, readonly string[]> {
  const { entryPoints } = JSON.parse(readFileSync(join(ROOT, "typedoc.json"), "utf8")) as { entryPoints: string[] };
  const program = ts.createProgram({
    rootNames: entryPoints.map((path) => join(ROOT, path)),
    options: {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      skipLibCheck: true,
      types: ["node"],
    },
  });
  const checker = program.getTypeChecker();
  const values = new Map<string, readonly string[]>();
  for (const path of entryPoints) {
    const source = program.getSourceFile(join(ROOT, path));
    const module = source && checker.getSymbolAtLocation(source);
    for (const exported of module ? checker.getExportsOfModule(module) : []) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      if (!(symbol.flags & ts.SymbolFlags.Value)) continue;
      const examples = symbol.getJsDocTags(checker).filter(({ name }) => name === "example");
      values.set(
        `${path}: ${exported.name}`,
        examples.map(({ text }) => ts.displayPartsToString(text)),
      );
    }
  }
  return values;
}

const pages = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" }).map((path) => join("docs", path)),
]
  .filter((path) => path.endsWith(".md") && !path.startsWith("docs/api"))
  .flatMap((path) => blocksOf(path, readFileSync(join(ROOT, path), "utf8")));
const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter((path) =>
  path.endsWith(".ts"),
);
const examples = sources.flatMap((path) => blocksOf(path, docCommentsOf(join("src", path))));

describe("documentation", () => {
  it("compiles, on every page and in every doc comment", async () => {
    expect(pages.length).toBeGreaterThan(8);
    expect(examples.length).toBeGreaterThan(30);
    expect(await complaints([...pages, ...examples])).toBe("");
  });

  it("is found wrong where it is wrong", async () => {
    const said = await complaints([
      { name: "wrong", code: 'import { fromNodeProviderChian } from "imds-guard";\nfromNodeProviderChian();\n' },
    ]);
    expect(said).toMatch(/wrong\.ts\(1,\d+\): error TS2724/);
  });

  it("shows an example of every exported value that imports it from where it is exported", () => {
    const values = exportedValues();
    expect(values.size).toBeGreaterThan(30);
    const without = [...values].filter(([key, shown]) => {
      const [path = "", name = ""] = key.split(": ");
      const specifier = {
        "src/index.ts": "imds-guard",
        "src/firewall/index.ts": "imds-guard/firewall",
        "src/sdk/imds-package.ts": "imds-guard/credential-provider-imds",
      }[path];
      const imported = new RegExp(`^import \\{[^}]*\\b${name}\\b[^}]*\\} from "${specifier}";$`, "m");
      return !shown.some((text) => text.startsWith("```ts\n") && text.split(imported)[1]?.includes(name));
    });
    expect(without.map(([key]) => key)).toEqual([]);
  });

  it("has no link that leads nowhere and no export without a word (typedoc)", async () => {
    const typedoc = join(ROOT, "node_modules/typedoc/bin/typedoc");
    // The types are the compiler's business, and checked elsewhere.
    const outcome = await run(process.execPath, [typedoc, "--emit", "none", "--skipErrorChecking"], {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: "1" },
    }).catch((error: { stderr: string; stdout: string }) => error);
    expect(`${outcome.stdout}${outcome.stderr}`).toBe("");
  });
});
