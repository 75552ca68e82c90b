/** Engines that run queries of pySigma's back ends, and what their tables hold of records. */
import { fieldOf } from "../../src/detection/log-record.js";
import type { LogRecord } from "../../src/detection/log-record.js";
import { compileRule } from "../../src/detection/sigma-evaluator.js";
import { isDetectionRule } from "../../src/detection/sigma-rule.js";
import type { DetectionRule, ShippedRule } from "../../src/detection/sigma-rule.js";
import { toYaml } from "../../src/detection/sigma-yaml.js";
import { fileURLToPath } from "node:url";
import { good, pythonOf } from "./pysigma.js";
import type { Environments } from "./pysigma.js";

/** One engine, under the name of the back end. */
export interface Engine {
  readonly name: string;
  readonly packages: readonly string[];
  /** The least version of Python 3 that its back end takes. */
  readonly python?: number;
  /** Whether its counts leave out what was longer ago than the timespan. */
  readonly timespans: boolean;
  /** Whether its queries for networks run on fields that hold names, too, and on those with a hyphen. */
  readonly networks: boolean;
}

export const ENGINES: readonly Engine[] = [
  { name: "sqlite", packages: ["pysigma", "pysigma-backend-sqlite"], timespans: true, networks: true },
  { name: "duckdb", packages: ["pysigma", "pysigma-backend-duckdb", "duckdb"], timespans: false, networks: true },
  {
    name: "clickhouse",
    packages: ["pysigma", "pysigma-backend-clickhouse", "chdb"],
    python: 13,
    timespans: false,
    networks: false,
  },
];

/** The engines that can be installed here; of each other one a line says why not. */
export function enginesHere({ missing }: Environments): readonly Engine[] {
  return ENGINES.filter(({ name, python }) => {
    const why = missing ?? (python !== undefined && pythonOf(python) === undefined ? `Python 3.${python}` : undefined);
    if (why !== undefined) process.stdout.write(`skipped: ${why} is not here, so ${name} runs no rules\n`);
    return why === undefined;
  });
}

/** A rule and the records that it is asked about. */
export interface Asked extends ShippedRule {
  /** The rules that a correlation joins. */
  readonly joined?: readonly DetectionRule[];
  readonly records: readonly Pick<LogRecord, "fields" | "time">[];
}

/** By the file of the rule: the numbers of the records that it found, or of a correlation the numbers of its groups. */
export type Found = Readonly<Record<string, readonly number[]>>;

const SCRIPT = fileURLToPath(new URL("./sigma_engines.py", import.meta.url));

/** Runs rules in an engine. */
export function foundBy(environments: Environments, engine: Engine, asked: readonly Asked[]): Found {
  const tables = asked.map(tableOf);
  const rules = tables.map(({ file, texts, columns, rows }) => ({
    file,
    texts,
    columns,
    rows: rows.map(({ values }) => values),
  }));
  const { stdout } = good(
    environments
      .install(`engine ${engine.name}`, engine.packages, engine.python)
      .run("python", [SCRIPT, engine.name], JSON.stringify({ rules })),
  );
  const { found, failed } = JSON.parse(stdout) as { found: Found; failed: Readonly<Record<string, string>> };
  if (Object.keys(failed).length > 0) throw new Error(JSON.stringify(failed, null, 2));
  return Object.fromEntries(
    tables.map(({ file, joined, rows }) => {
      const numbers = found[file]!;
      return [file, joined === undefined ? [...new Set(numbers.map((row) => rows[row]!.record))] : numbers];
    }),
  );
}

type Kind = "text" | "number" | "time";

/** The table of a rule. A list has a row for each of its values, as it would in any table. */
export function tableOf({ file, rule, joined, records }: Asked) {
  const rules = isDetectionRule(rule) ? [rule] : (joined ?? []);
  const columns: Record<string, Kind> = Object.fromEntries(rules.flatMap((one) => [...kindsOf(one)]));
  if (!isDetectionRule(rule)) {
    const named = [...rule.correlation["group-by"]!, rule.correlation.condition.field ?? []].flat();
    const aliases = rule.correlation.aliases ?? {};
    for (const name of named) for (const field of Object.values(aliases[name] ?? { name })) columns[field] ??= "text";
    columns["timestamp"] = "time";
  }
  const rows = records.flatMap(({ fields, time }, record) => {
    const values = Object.entries(columns).map(([name, kind]) =>
      kind === "time" ? new Date(time ?? 0).toISOString().slice(0, -1) : fieldOf(fields, name),
    );
    const list = values.findIndex((value) => Array.isArray(value));
    const each = list === -1 ? [values] : (values[list] as unknown[]).map((value) => values.with(list, value));
    return each.map((row) => ({ record, values: row.map((value, at) => cell(value, Object.values(columns)[at]!)) }));
  });
  return { file, joined, texts: [...(joined ?? []), rule].map(toYaml), columns, rows };
}

function kindsOf(rule: DetectionRule): ReadonlyMap<string, Kind> {
  const kinds = new Map(compileRule(rule).fields.map((name): [string, Kind] => [name, "text"]));
  for (const search of Object.values(rule.detection))
    for (const map of [search].flat())
      for (const [key, value] of typeof map === "object" ? Object.entries(map) : [])
        if ([value].flat().every((one) => typeof one === "number")) kinds.set(key.split("|")[0]!, "number");
  return kinds;
}

function cell(value: unknown, kind: Kind): string | number | null {
  if (value === undefined || value === null) return null;
  if (kind === "number") return Number.isFinite(Number(value)) ? Number(value) : null;
  return typeof value === "object" ? JSON.stringify(value) : `${value as string | number | boolean}`;
}
