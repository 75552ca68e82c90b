/**
 * The rules, converted by pySigma's back end for Loki: Loki's own code reads every query, and with the pipeline of ours runs
 * it over the lines of the sample logs and finds what is found here.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { compileRule, readsFrom } from "../../src/detection/sigma-evaluator.js";
import { isDetectionRule } from "../../src/detection/sigma-rule.js";
import { readLines, sampleLines, SIGMA_RULES } from "../detection/samples.js";
import { good, pythonEnvironments } from "./pysigma.js";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const SOURCE = fileURLToPath(new URL("loki/main.go", import.meta.url));
const BACKEND = "pysigma-backend-loki";
/** The pipeline of ours; the other is pySigma's. */
const OURS = "loki";
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

/** The queries by the file of the rule: of a rule that is too long for one there are several. */
function queriesOf(pipeline?: string): [file: string, query: string][] {
  const folder = join(work, `rules-${pipeline ?? "alone"}`);
  const chosen = pipeline === undefined ? [] : ["--pipeline", pipeline];
  execFileSync(process.execPath, [CLI, "sigma", "write", folder, "--backend", "loki", ...chosen]);
  const path = pipeline === undefined ? [] : [pipeline === OURS ? join(folder, "pipelines", `${OURS}.yaml`) : pipeline];
  const { queries } = environments
    .install(BACKEND, ["sigma-cli", BACKEND])
    .rules("convert", folder, "loki", ...path) as { queries: Readonly<Record<string, string>> };
  return Object.entries(queries).flatMap(([file, text]) =>
    text.split(/\n+(?=\{)/).map((query): [string, string] => [file, query]),
  );
}

interface Answer {
  readonly error?: string;
  /** The numbers of the lines that come through; none of a query that counts. */
  readonly found: readonly number[];
}

/** What Loki says to each query, asked over lines. */
function answersTo(questions: readonly { readonly query: string; readonly lines: readonly string[] }[]): Answer[] {
  const input = questions.map((question) => JSON.stringify(question)).join("\n");
  const { stdout } = good(spawnSync(join(work, "queries"), { input, encoding: "utf8" }));
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);
}

/**
 * Lines that no query of a rule finds. Loki's parsers give no label for the values of a list, Falco has the address in a
 * text beside others, and a flow log of a VPC has no names.
 */
const BEYOND: Readonly<Record<string, readonly number[]>> = {
  net_connection_lnx_imds_container: [0, 1, 2, 3],
  net_dns_imds_address_in_answer: [2],
  net_firewall_imds_destination: [3],
  net_firewall_imds_responder: [2],
  zeek_dns_imds_address_in_answer: [0, 1, 2, 3],
};

describe.skipIf(missing !== undefined)("Loki", { timeout: 600_000 }, () => {
  it.each([undefined, OURS, "loki_grafana_logfmt"])("parses what the rules become with the pipeline %s", (pipeline) => {
    const made = queriesOf(pipeline);
    expect(made.length).toBeGreaterThan(30);
    const answers = answersTo(made.map(([, query]) => ({ query, lines: [] })));
    expect(
      made.flatMap(([file], at) => (answers[at]?.error === undefined ? [] : `${file}: ${answers[at].error}`)),
    ).toEqual([]);
  });

  it("finds with the pipeline of ours, in lines as they are written, what is found here", () => {
    const made = queriesOf(OURS);
    const samples = SIGMA_RULES.flatMap(({ file, rule }) => {
      if (!isDetectionRule(rule)) return [];
      const { matches } = compileRule(rule);
      // Which logs are searched is a choice of streams in Loki, so lines of other logs stay out.
      const lines = [...sampleLines(file, "positive"), ...sampleLines(file, "negative")].flatMap((line) => {
        const [record] = readLines(undefined, line);
        return typeof record === "object" && readsFrom(rule.logsource, record.source)
          ? [{ line, found: matches(record) }]
          : [];
      });
      return [{ file, lines }];
    });
    const asked = samples.flatMap(({ file, lines }) =>
      made.flatMap(([of, query]) => (of === file ? [{ file, query, lines: lines.map(({ line }) => line) }] : [])),
    );
    const answers = answersTo(asked);
    const found = new Map<string, Set<number>>();
    for (const [at, { file }] of asked.entries())
      found.set(file, new Set([...(found.get(file) ?? []), ...(answers[at]?.found ?? [])]));
    const there = samples.map(({ file }) => [file, [...(found.get(file) ?? [])].sort((a, b) => a - b)]);
    const here = samples.map(({ file, lines }): [string, number[]] => [
      file,
      lines.flatMap((line, at) => (line.found && BEYOND[file]?.includes(at) !== true ? [at] : [])),
    ]);
    expect(Object.fromEntries(there)).toEqual(Object.fromEntries(here));
    expect(here.flatMap(([, numbers]) => numbers).length).toBeGreaterThan(100);
  });
});
