/** pySigma and its back ends, each in an environment of its own: some want an older pySigma than others. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One package of back ends. */
export interface BackendPackage {
  readonly package: string;
  /** As `sigma convert --target` takes them. */
  readonly backends: readonly string[];
  /** Pipelines: pySigma's own by name, those of ours as `imds-guard sigma write` does. */
  readonly pipelines: readonly string[];
  /** Its log sources are those of one product, or it has gaps of its own. */
  readonly limited?: true;
  /** What has to be installed with it so that it works, or so that its queries can be parsed. */
  readonly also?: readonly string[];
  /** The least version of Python 3 that it takes. */
  readonly python?: number;
}

/** pySigma before 1.0 does not work with the pyparsing that pip would take. */
export const OLD = ["pyparsing<3.3"];

export const BACKEND_PACKAGES: readonly BackendPackage[] = [
  {
    package: "pysigma-backend-splunk",
    backends: ["splunk", "splunk_spl2"],
    pipelines: ["cim", "splunk_windows", "splunk_cim"],
  },
  {
    package: "pysigma-backend-elasticsearch",
    backends: ["lucene", "eql", "esql", "elastalert"],
    pipelines: ["ecs", "ecs_windows", "ecs_zeek_beats", "ecs_zeek_corelight", "ecs_macos_esf"],
  },
  { package: "pysigma-backend-opensearch", backends: ["opensearch_lucene", "open_search_ppl"], pipelines: ["ecs"] },
  {
    package: "pysigma-backend-kusto",
    backends: ["kusto"],
    pipelines: ["asim", "sentinel_asim", "microsoft_xdr", "azure_monitor"],
  },
  { package: "pysigma-backend-loki", backends: ["loki"], pipelines: ["loki", "loki_grafana_logfmt"] },
  {
    package: "pysigma-backend-crowdstrike",
    backends: ["log_scale"],
    pipelines: ["crowdstrike_fdr", "crowdstrike_falcon"],
  },
  // Without a pipeline it takes its own, and knows the logs of few products.
  { package: "pysigma-backend-panther", backends: ["panther"], pipelines: ["panther"], limited: true },
  {
    package: "pysigma-backend-qradar-community",
    backends: ["qradar-aql-community"],
    pipelines: ["qradar-aql-payload", "qradar-aql-fields"],
  },
  { package: "pysigma-backend-datadog", backends: ["datadog"], pipelines: ["datadog"], also: OLD },
  { package: "pysigma-backend-sqlite", backends: ["sqlite"], pipelines: [] },
  { package: "pysigma-backend-duckdb", backends: ["duckdb"], pipelines: [], also: ["duckdb"] },
  // Its lists of codes match nothing: the folder for all back ends is not cut down for it.
  {
    package: "pysigma-backend-clickhouse",
    backends: ["clickhouse"],
    pipelines: [],
    limited: true,
    also: ["chdb"],
    python: 13,
  },
  { package: "pysigma-backend-secops", backends: ["secops"], pipelines: ["secops_udm"] },
  { package: "pysigma-backend-logpoint", backends: ["logpoint"], pipelines: ["logpoint_windows"] },
  { package: "pysigma-backend-databricks", backends: ["databricks"], pipelines: [] },
  { package: "pysigma-backend-netwitness", backends: ["net_witness"], pipelines: [] },
  { package: "pysigma-backend-victorialogs", backends: ["victoria_logs"], pipelines: ["victorialogs"] },
  { package: "pysigma-backend-quickwit", backends: ["quickwit"], pipelines: [] },
  { package: "pysigma-backend-openobserve", backends: ["openobserve"], pipelines: [], also: OLD },
  { package: "pysigma-backend-carbonblack", backends: ["carbon_black"], pipelines: [], limited: true },
  { package: "pysigma-backend-cortexxdr", backends: ["cortex_xdr"], pipelines: [], limited: true },
  {
    package: "pysigma-backend-insightidr",
    backends: ["insight_idr"],
    pipelines: [],
    limited: true,
    also: OLD,
  },
  { package: "pysigma-backend-sentinelone", backends: ["sentinel_one"], pipelines: [], limited: true },
  {
    package: "pysigma-backend-sentinelone-pq",
    backends: ["sentinel_one_pq"],
    pipelines: [],
    limited: true,
  },
  { package: "pysigma-backend-sumologic", backends: ["sumologic_cse"], pipelines: ["sumologic_cse"], limited: true },
  { package: "pysigma-backend-uberagent", backends: ["uberagent"], pipelines: [], limited: true, also: OLD },
];

const SCRIPT = fileURLToPath(new URL("./sigma_rules.py", import.meta.url));
const TIMEOUT_MS = 300_000;
const MOST_OUTPUT = 64 * 1024 * 1024;

/** What a command came to. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Environments below one temporary folder; `close` removes them. */
export interface Environments {
  /** Why there can be none, such as `PyPI`. */
  readonly missing: string | undefined;
  /** Installs packages into an environment of that name, once; of Python 3.`minor` or later where that is given. */
  readonly install: (name: string, packages: readonly string[], minor?: number) => Environment;
  readonly close: () => void;
}

/** One environment. */
export interface Environment {
  /** Runs one of its programs. */
  readonly run: (program: string, args: readonly string[], input?: string) => Outcome;
  /** Runs sigma_rules.py in it. */
  readonly rules: (...args: string[]) => unknown;
  /** The version of a package, as its metadata says. */
  readonly versionOf: (name: string) => string;
}

function run(command: string, args: readonly string[], input = ""): Outcome {
  const { status, stdout, stderr } = spawnSync(command, args, {
    input,
    encoding: "utf8",
    timeout: TIMEOUT_MS,
    maxBuffer: MOST_OUTPUT,
  });
  return { status, stdout, stderr };
}

/** An outcome that has to be good. */
export function good(outcome: Outcome): Outcome {
  if (outcome.status !== 0) throw new Error(`exit code ${outcome.status}: ${outcome.stderr.slice(-2_000)}`);
  return outcome;
}

/** A Python 3.`minor` or later: the first on the path, or one of pyenv's. */
export function pythonOf(minor: number): string | undefined {
  const versions = join(homedir(), ".pyenv", "versions");
  const kept = existsSync(versions) ? readdirSync(versions).map((name) => join(versions, name, "bin", "python3")) : [];
  const check = `import sys; sys.exit(sys.version_info < (3, ${minor}))`;
  return ["python3", `python3.${minor}`, `python3.${minor + 1}`, ...kept].find(
    (python) => run(python, ["-c", check]).status === 0,
  );
}

/** Makes the folder and looks whether Python and PyPI are here. */
export function pythonEnvironments(): Environments {
  const folder = mkdtempSync(join(tmpdir(), "imds-guard-pysigma-"));
  const pip = join(folder, "pip", "bin", "python");
  const made = run("python3", ["-m", "venv", join(folder, "pip")]).status === 0;
  const pipInstall = (python: string, packages: readonly string[]): Outcome =>
    run(pip, [
      ...["-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check", "--retries", "1"],
      ...packages,
    ]);
  const missing = !made ? "python3 with venv" : pipInstall(pip, ["sigma-cli"]).status === 0 ? undefined : "PyPI";
  const known = new Map<string, Environment>();
  return {
    missing,
    install(name, packages, minor) {
      const before = known.get(name);
      if (before !== undefined) return before;
      const home = join(folder, name);
      const bin = (program: string): string => join(home, "bin", program);
      const python = minor === undefined ? "python3" : pythonOf(minor);
      if (python === undefined) throw new Error(`no Python 3.${minor} or later`);
      good(run(python, ["-m", "venv", "--without-pip", home]));
      good(pipInstall(bin("python"), packages));
      const environment: Environment = {
        run: (program, args, input) => run(bin(program), args, input),
        rules: (...args: string[]) => JSON.parse(good(run(bin("python"), [SCRIPT, ...args])).stdout) as unknown,
        versionOf: (of) =>
          good(
            run(bin("python"), ["-c", `import importlib.metadata as m; print(m.version(${JSON.stringify(of)}))`]),
          ).stdout.trim(),
      };
      known.set(name, environment);
      return environment;
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
