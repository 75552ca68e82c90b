/** The built package as a consumer sees it: its entries, and programs that use them. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

export const ROOT = resolve(import.meta.dirname, "../..");

interface Target {
  readonly types: string;
  /** What bundlers take. */
  readonly module: string;
  readonly default: string;
}

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly import?: Target; readonly require?: Target }>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly sideEffects: readonly string[];
  readonly bin?: Readonly<Record<string, string>> | undefined;
}

export const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest;

/** One way into the package, such as `imds-guard/register`. */
export interface Entry {
  readonly specifier: string;
  readonly esm: Target;
  readonly cjs: Target;
}

/** Every entry that is offered to both module systems. */
export const entries: readonly Entry[] = Object.entries(manifest.exports).flatMap(([path, conditions]) =>
  typeof conditions === "object" && conditions.import && conditions.require
    ? [{ specifier: path.replace(/^\./, manifest.name), esm: conditions.import, cjs: conditions.require }]
    : [],
);

/** The suites of this folder look at what `npm run build` left. */
export function requireBuild(): void {
  const missing = entries
    .flatMap(({ esm, cjs }) => [esm, cjs].flatMap((target) => [target.types, target.module, target.default]))
    .filter((path) => !existsSync(join(ROOT, path)));
  if (missing.length > 0) throw new Error(`not built: ${missing.join(", ")}; run \`npm run build\` first`);
}

/**
 * Runs a program in the package's own folder, where its name resolves to itself, and returns what it printed as JSON.
 */
export async function runProgram(kind: "module" | "commonjs", program: string): Promise<unknown> {
  const env = { ...process.env, IMDS_GUARD_PROBE: "off", NODE_NO_WARNINGS: "1" };
  const { stdout } = await promisify(execFile)(process.execPath, [`--input-type=${kind}`, "-e", program], {
    cwd: ROOT,
    env,
  });
  return JSON.parse(stdout);
}
