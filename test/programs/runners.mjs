// @ts-check
/** Test runners: the suite of an application that meets refusals, under each way in which they run files. */
import { join } from "node:path";
import { crashOf, noise } from "./judge.mjs";

/** @typedef {import("./table.mjs").Row} Row */
/** @typedef {import("./table.mjs").Ran} Ran */

const VITEST_4 = "4.1.12";
const PRELOAD = "node_modules/imds-guard/dist/register.cjs";
const JEST = "node_modules/jest/bin/jest.js";
const VITEST = "node_modules/vitest/vitest.mjs";
/** Later ones are for Node.js 22 and up. */
const AVA_7 = "7.0.0";
const FILES = ["a", "b", "c"].map((name) => `suites/${name}.node.test.mjs`);
/** Of workers, and the program that starts them: each may say one thing. */
const WORKERS = 2;

/** What runners say of a file that keeps them from ending. */
const LINGERS = /did not exit|open handle|failed to exit gracefully|prevents the .*process from|close timed out/i;

/** @typedef {{ name: string, tool: "jest" | "vitest" | "node" | "mocha" | "ava" | "jasmine", args: readonly string[], processes: number, quick?: boolean }} Mode */

/** @type {readonly Mode[]} */
const MODES = [
  { name: "in band", tool: "jest", args: ["-i"], processes: 1, quick: true },
  { name: "in band, open handles", tool: "jest", args: ["-i", "--detectOpenHandles"], processes: 1 },
  { name: "workers", tool: "jest", args: ["-w", String(WORKERS)], processes: WORKERS + 1 },
  { name: "worker threads", tool: "jest", args: ["-w", String(WORKERS), "--workerThreads"], processes: WORKERS + 1 },
  { name: "ES modules", tool: "jest", args: ["-i", "--testMatch", "**/*.jest.test.mjs"], processes: 1 },
  ...["forks", "threads", "vmForks", "vmThreads"].map((pool) => ({
    name: pool,
    tool: /** @type {const} */ ("vitest"),
    args: [`--pool=${pool}`, `--maxWorkers=${WORKERS}`],
    processes: FILES.length + 1,
    quick: pool === "vmThreads",
  })),
  {
    name: "threads, not isolated",
    tool: "vitest",
    args: ["--pool=threads", "--no-isolate"],
    processes: FILES.length + 1,
  },
  { name: "a process a file", tool: "node", args: ["--test"], processes: FILES.length + 1, quick: true },
  { name: "one process", tool: "mocha", args: [], processes: 1 },
  { name: "parallel", tool: "mocha", args: ["--parallel", "--jobs", String(WORKERS)], processes: WORKERS + 1 },
  { name: "worker threads", tool: "ava", args: [], processes: FILES.length + 1 },
  { name: "processes", tool: "ava", args: ["--no-worker-threads"], processes: FILES.length + 1 },
  { name: "one process", tool: "jasmine", args: [], processes: 1 },
];

/** @type {Readonly<Record<Mode["tool"], (folder: string, args: readonly string[]) => import("./sdk.mjs").Start>>} */
const START = {
  jest: (folder, args) => ({
    program: join(folder, JEST),
    options: { args: ["--config", join(folder, "suites/jest.config.cjs"), ...args], cwd: folder },
  }),
  vitest: (folder, args) => ({
    program: join(folder, VITEST),
    options: { args: ["run", "--root", join(folder, "suites"), ...args], cwd: folder },
  }),
  node: (folder, args) => ({
    program: join(folder, FILES[0] ?? ""),
    options: { execArgv: [...args], args: FILES.slice(1), cwd: folder },
  }),
  mocha: (folder, args) => ({
    program: join(folder, "node_modules/mocha/bin/mocha.js"),
    options: { args: [...args, "suites/*.mocha.test.cjs"], cwd: folder },
  }),
  ava: (folder, args) => ({
    program: join(folder, "node_modules/ava/entrypoints/cli.mjs"),
    options: { args: [...args, "--config", "suites/ava.config.mjs"], cwd: folder },
  }),
  jasmine: (folder, args) => ({
    program: join(folder, "node_modules/jasmine/bin/jasmine.js"),
    options: { args: [...args, "--random=false", "suites/*.jasmine.test.cjs"], cwd: folder },
  }),
};

/** @param {(name: string) => Promise<string>} newest @returns {Promise<Row[]>} */
export async function runnerRows(newest) {
  const dependencies = {
    "@aws-sdk/client-s3": await newest("@aws-sdk/client-s3"),
    "@aws-sdk/credential-providers": await newest("@aws-sdk/credential-providers"),
    jest: await newest("jest"),
    vitest: VITEST_4,
    mocha: await newest("mocha"),
    ava: AVA_7,
    jasmine: await newest("jasmine"),
  };
  const titles = {
    jest: `Jest ${dependencies.jest}`,
    vitest: `Vitest ${dependencies.vitest}`,
    node: `node:test of ${process.version}`,
    mocha: `Mocha ${dependencies.mocha}`,
    ava: `AVA ${dependencies.ava}`,
    jasmine: `Jasmine ${dependencies.jasmine}`,
  };
  return MODES.flatMap(({ name, tool, args, processes, quick = false }) =>
    ["import", "preload"].map((form) => ({
      group: "Test runners",
      name: `${titles[tool]}, ${name}`,
      form,
      quick: quick && form === "import",
      wants: { name: "runners", dependencies },
      start: (/** @type {string} */ folder) => {
        const { program, options } = START[tool](folder, args);
        const preload = form === "preload" ? `-r ${join(folder, PRELOAD)}` : "";
        const modules = name === "ES modules" ? "--experimental-vm-modules" : "";
        return {
          program,
          options: { ...options, env: { CI: "1", NO_COLOR: "1", NODE_OPTIONS: `${preload} ${modules}`.trim() } },
        };
      },
      judge: (/** @type {Ran} */ ran) => judgeSuite(ran, processes),
      hosts: /** @type {import("./hosts.mjs").Host[]} */ (["laptop", "impersonator"]),
    })),
  );
}

/** @param {Ran} ran @param {number} processes that may say something @returns {string | undefined} */
export function judgeSuite(ran, processes) {
  const said = `${ran.stdout}\n${ran.stderr}`;
  const failing = /^.*(?:●|FAIL|✗|not ok|AssertionError).*$/m.exec(said);
  const crash = crashOf(ran);
  if (crash !== undefined) return failing === null ? crash : `${failing[0].trim()}; ${crash}`;
  const lingering = LINGERS.exec(said);
  if (lingering !== null) return lingering[0];
  return noise({ stderr: said }, processes);
}
