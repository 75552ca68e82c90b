/** The package as it would be published: its contents, its export map and its types, judged by the usual tools. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { beforeAll, describe, expect, test } from "vitest";
import { entries, manifest, requireBuild, ROOT } from "./built.js";
import { reachable } from "./reachable.js";

const run = promisify(execFile);
beforeAll(requireBuild);

/** What the tarball may have in it. */
const MOST_FILES = 84;
/**
 * And what it may weigh: 350 kB, and since then 20 of Roles Anywhere, 35 of log formats, 35 of the gateway, and 250 of the
 * fleet, the accounts of keys, `init` with its parser, and the explanations of errors.
 */
const MOST_BYTES = 705_000;

/** npm runs these on the machines of users. */
const INSTALL_SCRIPTS = [
  "preinstall",
  "install",
  "postinstall",
  "prepublish",
  "preprepare",
  "prepare",
  "postprepare",
  "dependencies",
];

test("publint has nothing to say, not even a suggestion", async () => {
  const { messages, pkg } = await publint({ pkgDir: ROOT, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test("the types resolve from every module system (attw)", async () => {
  const attw = join(ROOT, "node_modules/@arethetypeswrong/cli/dist/index.js");
  // It exits with an error where it has found one. Node before 16 knows no entries below a package, and is not looked
  // at.
  const outcome = await run(
    process.execPath,
    [attw, "--pack", ".", "--profile", "node16", "--no-emoji", "--no-color"],
    { cwd: ROOT },
  ).catch((error: { code: number; stdout: string }) => error);
  expect("code" in outcome ? outcome.stdout : "no problem").toBe("no problem");
});

test("installing runs nothing: no install script here or in what it depends on", () => {
  expect(INSTALL_SCRIPTS.filter((name) => name in manifest.scripts)).toEqual([]);
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
  };
  const installed = Object.entries(packages).filter(([path, { dev }]) => path !== "" && dev !== true);
  expect(installed.length).toBeGreaterThan(5);
  expect(installed.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path)).toEqual([]);
  // npm builds a package with this file whether or not its manifest says so.
  expect(existsSync(join(ROOT, "binding.gyp"))).toBe(false);
});

test("the tarball holds what packed.txt lists, and nothing else (npx vitest run --project package -u rewrites it)", async () => {
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: ROOT,
    shell: process.platform === "win32",
  });
  const [packed] = JSON.parse(stdout) as [{ size: number; files: { path: string; mode: number }[] }];
  const paths = packed.files.map(({ path }) => path);
  const targets = entries.flatMap(({ esm, cjs }) =>
    [esm, cjs].flatMap((target) => [target.types, target.module, target.default]),
  );
  // Whoever starts the command as a program of Node.js names the file with the usual ending.
  const starts = [...targets, ...Object.values(manifest.bin ?? {}), "dist/cli.js"].map((target) =>
    target.replace(/^\.\//, ""),
  );
  for (const start of starts) expect(paths).toContain(start);
  // The demo starts its programs by their paths.
  const started = paths.filter((path) => /^dist\/demo(?:-\w+)?\.cjs$/.test(path));
  const loaded = new Set([...starts, ...started].flatMap((start) => reachable(start, "all")));
  expect(paths.filter((path) => /\.(?:c?js|d\.c?ts)$/.test(path) && !loaded.has(path))).toEqual([]);
  expect(paths.length).toBeLessThanOrEqual(MOST_FILES);
  expect(packed.size).toBeLessThanOrEqual(MOST_BYTES);
  await expect(`${paths.sort().join("\n")}\n`).toMatchFileSnapshot("packed.txt");
  expect(manifest.scripts["prepublishOnly"]).toBe("npm run build");
});

describe("a consumer's program compiles", () => {
  const PROGRAM = `
    import { createGuard, fromIni, fromInstanceMetadata, fromNodeProviderChain, ImdsGuardError } from "imds-guard";
    import type { GuardEvent, GuardOptions } from "imds-guard";
    import { S3Client } from "@aws-sdk/client-s3";
    const options: GuardOptions = { expectedAccounts: ["111122223333"], onEvent: (event: GuardEvent) => console.log(event.code, event.severity) };
    export const clients = [fromNodeProviderChain({ guard: options }), fromInstanceMetadata(), fromIni({ profile: "p" })].map((credentials) => new S3Client({ credentials }));
    export async function account(): Promise<string | undefined> {
      const guard = createGuard(options);
      try {
        return (await guard.credentials()).accountId;
      } catch (error) {
        if (error instanceof ImdsGuardError && error.code === "ERR_IMDS_NOT_EC2") return error.advice;
        throw error;
      }
    }
    // @ts-expect-error an unknown option is an error of the types already
    export const wrong = createGuard({ expectedAccount: "1" });
  `;
  test.each([
    ["NodeNext, ECMAScript module", "program.mts", { module: "nodenext", moduleResolution: "nodenext" }],
    ["NodeNext, CommonJS", "program.cts", { module: "nodenext", moduleResolution: "nodenext" }],
    ["bundler", "program.ts", { module: "esnext", moduleResolution: "bundler" }],
  ])("%s", async (_, file, resolution) => {
    const folder = mkdtempSync(join(tmpdir(), "imds-guard-consumer-"));
    try {
      mkdirSync(join(folder, "node_modules/@aws-sdk"), { recursive: true });
      symlinkSync(ROOT, join(folder, "node_modules/imds-guard"), "junction");
      for (const name of ["@types", "@aws-sdk/client-s3"])
        symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name), "junction");
      writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
      writeFileSync(join(folder, file), PROGRAM);
      const compilerOptions = {
        target: "es2023",
        lib: ["es2023"],
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        ...resolution,
      };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
      const outcome = await run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder]).catch(
        (error: { stdout: string }) => error,
      );
      expect(outcome.stdout).toBe("");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test.each(entries.filter(({ specifier }) => specifier.includes("/")))(
  "$specifier is found by tools that do not read exports",
  ({ specifier, cjs }) => {
    const folder = join(ROOT, specifier.slice(specifier.indexOf("/")));
    const told = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>;
    const found = Object.fromEntries(Object.entries(told).map(([field, path]) => [field, join(folder, path)]));
    const there = ([field, path]: readonly [string, string]): [string, string] => [field, join(ROOT, path)];
    expect(found).toEqual(
      Object.fromEntries(
        (
          [
            ["main", cjs.default],
            ["module", cjs.module],
            ["types", cjs.types],
          ] as const
        ).map(there),
      ),
    );
  },
);

test("what is for bundlers is not said to be a module of Node.js, and keeps its side effects", () => {
  const inside = JSON.parse(readFileSync(join(ROOT, "dist/esm/package.json"), "utf8")) as Record<string, unknown>;
  expect(inside).not.toHaveProperty("type");
  const effects = (inside["sideEffects"] as string[]).map((path) => join("dist/esm", path));
  expect(effects.toSorted()).toEqual(
    manifest.sideEffects
      .map((path) => join(path))
      .filter((path) => path.startsWith(join("dist/esm/")))
      .toSorted(),
  );
  expect(effects.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
