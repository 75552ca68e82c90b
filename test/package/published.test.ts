/** The package as it would be published: its contents, its export map and its types, judged by the usual tools. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { beforeAll, describe, expect, test } from "vitest";
import { entries, manifest, requireBuild, ROOT } from "./built.js";

const run = promisify(execFile);
beforeAll(requireBuild);

const ALLOWED = [
  /^dist\/[\w-]+(\.d)?\.(js|cjs|ts|cts)$/,
  /^dist\/[\w-]+\.(1|json|yml)$/,
  /^(README|SECURITY|CHANGELOG)\.md$/,
  /^(LICENSE|NOTICE)$/,
  /^package\.json$/,
];

test("publint has nothing to say, not even a suggestion", async () => {
  const { messages, pkg } = await publint({ pkgDir: ROOT, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test("the types resolve from every module system (attw)", async () => {
  const attw = join(ROOT, "node_modules/@arethetypeswrong/cli/dist/index.js");
  // It exits with an error where it has found one. Node before 16 knows no entries below a package, and is not looked at.
  const outcome = await run(process.execPath, [attw, "--pack", ".", "--profile", "node16", "--no-emoji", "--no-color"], { cwd: ROOT }).catch((error: { code: number; stdout: string }) => error);
  expect("code" in outcome ? outcome.stdout : "no problem").toBe("no problem");
});

test("the tarball holds what it should, and nothing else", async () => {
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: ROOT, shell: process.platform === "win32" });
  const [packed] = JSON.parse(stdout) as [{ files: { path: string }[]; unpackedSize: number }];
  const paths = packed.files.map(({ path }) => path);
  expect(paths.filter((path) => !ALLOWED.some((form) => form.test(path)))).toEqual([]);
  const targets = entries.flatMap(({ esm, cjs }) => [esm, cjs].flatMap((target) => [target.types, target.default]));
  for (const target of [...targets, ...Object.values(manifest.bin ?? {})]) expect(paths).toContain(target.replace(/^\.\//, ""));
  for (const document of ["README.md", "LICENSE", "package.json"]) expect(paths).toContain(document);
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
      for (const name of ["@types", "@aws-sdk/client-s3"]) symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name), "junction");
      writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
      writeFileSync(join(folder, file), PROGRAM);
      const compilerOptions = { target: "es2023", lib: ["es2023"], types: ["node"], strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true, ...resolution };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
      const outcome = await run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder]).catch((error: { stdout: string }) => error);
      expect(outcome.stdout).toBe("");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
