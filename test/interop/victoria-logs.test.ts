/** The rules, converted by pySigma, run by VictoriaLogs over the records of all sample logs: they find what they find here. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileRule, readsFrom } from "../../src/detection/sigma-evaluator.js";
import { isDetectionRule } from "../../src/detection/sigma-rule.js";
import { readLines, sampleLines, SIGMA_RULES } from "../detection/samples.js";
import { tableOf } from "./engines.js";
import { pythonEnvironments } from "./pysigma.js";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const BACKEND = "pysigma-backend-victorialogs";
const DATABASE = "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@v1.52.2";
const STARTS_IN_MS = 30_000;

const work = mkdtempSync(join(tmpdir(), "imds-guard-victoria-"));
const environments = pythonEnvironments();

/** Why the database cannot be built, if it cannot. */
function build(): string | undefined {
  if (environments.missing !== undefined) return environments.missing;
  if (spawnSync("go", ["version"]).status !== 0) return "Go";
  const env = { ...process.env, GOBIN: work, GOFLAGS: "-p=2 -mod=mod" };
  return spawnSync("go", ["install", DATABASE], { cwd: work, env }).status === 0 ? undefined : "VictoriaLogs";
}

const missing = build();
if (missing !== undefined) process.stdout.write(`skipped: ${missing} is not here, so VictoriaLogs runs no rules\n`);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe.skipIf(missing !== undefined)("VictoriaLogs", { timeout: 600_000 }, () => {
  let database: ChildProcess;
  let origin: string;

  async function post(path: string, body: string | URLSearchParams): Promise<string> {
    const response = await fetch(`${origin}${path}`, { method: "POST", body });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text;
  }

  beforeAll(async () => {
    origin = `http://127.0.0.1:${await freePort()}`;
    const data = `-storageDataPath=${join(work, "data")}`;
    database = spawn(join(work, "victoria-logs"), [data, `-httpListenAddr=${new URL(origin).host}`], {
      stdio: "ignore",
    });
    const until = performance.now() + STARTS_IN_MS;
    for (;;) {
      const up = await fetch(`${origin}/health`).catch(() => undefined);
      if (up?.ok === true) return;
      if (performance.now() > until) throw new Error("the database does not answer");
      await wait(50);
    }
  });
  afterAll(async () => {
    database.kill();
    await once(database, "exit");
    environments.close();
    rmSync(work, { recursive: true, force: true });
  });

  const samples = SIGMA_RULES.flatMap(({ file }) => [
    ...sampleLines(file, "positive"),
    ...sampleLines(file, "negative"),
  ]);
  const records = samples.flatMap((line) => readLines(undefined, line)).filter((record) => typeof record === "object");
  const asked = SIGMA_RULES.flatMap(({ file, rule }) =>
    isDetectionRule(rule)
      ? [{ file, rule, records: records.filter(({ source }) => readsFrom(rule.logsource, source)) }]
      : [],
  );
  const here = asked.map(({ file, rule, records: read }): [string, number[]] => {
    const { matches } = compileRule(rule);
    return [file, read.flatMap((record, at) => (matches(record) ? [at] : []))];
  });

  async function insert(): Promise<void> {
    const rows = asked.flatMap((one) => {
      const { columns, rows: all } = tableOf(one);
      return all.map(({ record, values }) => {
        const named = Object.keys(columns).map((name, at) => [name, values[at] ?? null] as const);
        const there = named.filter(([, value]) => value !== null).map(([name, value]) => [name, String(value)]);
        return { rule: one.file, record: String(record), _msg: "-", ...(Object.fromEntries(there) as object) };
      });
    });
    await post("/insert/jsonline?_stream_fields=rule", rows.map((row) => JSON.stringify(row)).join("\n"));
    await post("/internal/force_flush", "");
  }

  /** By the file of each rule the numbers of the records that the database finds by it. */
  async function foundThere(pipeline?: string): Promise<[string, number[]][]> {
    const folder = join(work, `rules-${pipeline ?? "alone"}`);
    const chosen = pipeline === undefined ? [] : ["--pipeline", pipeline];
    execFileSync(process.execPath, [CLI, "sigma", "write", folder, "--backend", "victoria_logs", ...chosen]);
    const path = pipeline === undefined ? [] : [join(folder, "pipelines", `${pipeline}.yaml`)];
    const { queries } = environments
      .install(BACKEND, ["sigma-cli", BACKEND])
      .rules("convert", folder, "victoria_logs", ...path) as { queries: Readonly<Record<string, string>> };
    const found: [string, number[]][] = [];
    for (const { file } of asked) {
      const query = `{rule=${JSON.stringify(file)}} (${queries[file]})`;
      const lines = await post("/select/logsql/query", new URLSearchParams({ query, limit: "100000" }));
      const numbers = lines
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => Number((JSON.parse(line) as { record: string }).record));
      found.push([file, [...new Set(numbers)].sort((a, b) => a - b)]);
    }
    return found;
  }

  it("finds with the pipeline of ours by each rule what it finds here", async () => {
    await insert();
    expect(here.flatMap(([, numbers]) => numbers).length).toBeGreaterThan(100);
    expect(Object.fromEntries(await foundThere("victorialogs"))).toEqual(Object.fromEntries(here));
  });

  it("finds without it nothing that is not found here", async () => {
    for (const [at, [file, numbers]] of (await foundThere()).entries())
      expect(here[at]?.[1], file).toEqual(expect.arrayContaining(numbers));
  });
});
