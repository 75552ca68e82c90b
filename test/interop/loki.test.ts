/** Loki's own parser reads every query that pySigma's back end for it makes of the rules. */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { good, pythonEnvironments } from "./pysigma.js";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const SOURCE = fileURLToPath(new URL("loki/main.go", import.meta.url));
const BACKEND = "pysigma-backend-loki";
/** A module takes no replacements from what it requires, so those of Loki's own module that its parser needs stand here. */
const MODULE = `module loki-queries

go 1.26

require github.com/grafana/loki/v3 v3.7.8

replace github.com/hashicorp/memberlist => github.com/grafana/memberlist v0.3.1-0.20251126142931-6f9f62ab6f86

replace github.com/grafana/regexp => github.com/grafana/regexp v0.0.0-20240518133315-a468a5bfb3bc
`;

const work = mkdtempSync(join(tmpdir(), "imds-guard-loki-"));
const environments = pythonEnvironments();
const go = (...args: string[]) =>
  spawnSync("go", args, { cwd: work, encoding: "utf8", env: { ...process.env, GOFLAGS: "-p=2 -mod=mod" } });

/** Why the parser cannot be built, if it cannot. */
function build(): string | undefined {
  if (environments.missing !== undefined) return environments.missing;
  if (go("version").status !== 0) return "Go";
  copyFileSync(SOURCE, join(work, "main.go"));
  writeFileSync(join(work, "go.mod"), MODULE);
  if (go("mod", "tidy").status !== 0) return "the module of Loki";
  good(go("build", "-o", "queries", "."));
  return undefined;
}

const missing = build();
if (missing !== undefined) process.stdout.write(`skipped: ${missing} is not here, so Loki parses no rules\n`);
afterAll(() => {
  environments.close();
  rmSync(work, { recursive: true, force: true });
});

describe.skipIf(missing !== undefined)("Loki", { timeout: 600_000 }, () => {
  it("parses what the rules become", () => {
    const folder = join(work, "rules");
    execFileSync(process.execPath, [CLI, "sigma", "write", folder, "--backend", "loki"]);
    const { queries } = environments.install(BACKEND, ["sigma-cli", BACKEND]).rules("convert", folder, "loki") as {
      queries: Readonly<Record<string, string>>;
    };
    // Of a rule that is too long for one query there are several, a line each.
    const made = Object.entries(queries).flatMap(([file, text]) =>
      text.split(/\n+(?=\{)/).map((query) => [file, query] as const),
    );
    expect(made.length).toBeGreaterThan(30);
    const input = made.map(([, query]) => JSON.stringify(query)).join("\n");
    const { stdout } = good(spawnSync(join(work, "queries"), { input, encoding: "utf8" }));
    const errors = stdout.trimEnd().split("\n");
    expect(made.flatMap(([file], index) => (errors[index] === "<nil>" ? [] : [`${file}: ${errors[index]}`]))).toEqual(
      [],
    );
  });
});
