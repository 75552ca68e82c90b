// @ts-check
/**
 * The bench: imds-guard beside the stock SDK, in one run on one machine. Compare the ratios; milliseconds are this
 * machine's.
 *
 *   npm run bench                      tables
 *   npm run --silent bench -- --json   the same as JSON
 *   npm run bench -- --json FILE.json  tables, and the JSON in a file, for npm run bench:plot
 *   npm run bench -- refusal ec2       only these
 *   npm run bench -- --short scan      fewer points and runs of the curves (callers, scan), to see that they work
 *   npm run bench -- --large scan      a log of 400 MB, too
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { evaluate, table } from "./figures.mjs";
import { canUnshare } from "./place.mjs";
import { accounts } from "./scenarios/accounts.mjs";
import { callers } from "./scenarios/callers.mjs";
import { ec2 } from "./scenarios/ec2.mjs";
import { firewall } from "./scenarios/firewall.mjs";
import { fleet } from "./scenarios/fleet.mjs";
import { gateway } from "./scenarios/gateway.mjs";
import { hostile } from "./scenarios/hostile.mjs";
import { loading } from "./scenarios/loading.mjs";
import { memoised } from "./scenarios/memoised.mjs";
import { refusal } from "./scenarios/refusal.mjs";
import { rolesAnywhere } from "./scenarios/roles-anywhere.mjs";
import { scan } from "./scenarios/scan.mjs";
import { scanFormats } from "./scenarios/scan-formats.mjs";
import { starting } from "./scenarios/starting.mjs";
import { verification } from "./scenarios/verification.mjs";

/**
 * @type {Record<string, (extent: import("./figures.mjs").Extent) => Promise<import("./figures.mjs").Section |
 * import("./figures.mjs").Section[]>>}
 */
const SCENARIOS = {
  loading,
  starting,
  refusal,
  ec2,
  memoised,
  hostile,
  verification,
  firewall,
  gateway,
  fleet,
  callers,
  scan,
  scanFormats,
  accounts,
  rolesAnywhere,
};

const { values, positionals } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    short: { type: "boolean", default: false },
    large: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const file = values.json ? positionals.find((name) => name.endsWith(".json")) : undefined;
const named = positionals.filter((name) => name !== file);
const wanted = named.length === 0 ? Object.keys(SCENARIOS) : named;
const strange = wanted.find((name) => !Object.hasOwn(SCENARIOS, name));
if (strange !== undefined) {
  process.stderr.write(`No scenario is called ${strange}; there are: ${Object.keys(SCENARIOS).join(", ")}\n`);
  process.exit(2);
}

const able = canUnshare();
const machine = {
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
};
const print = (/** @type {string} */ text) => {
  if (!values.json || file !== undefined) process.stdout.write(`${text}\n`);
};
print(`Node.js ${machine.node}, ${machine.platform}, ${machine.cores} x ${machine.cpu}. Medians, with least and most.`);
if (!able.ok)
  print(`No namespaces here (${able.reason}): the responder stands on loopback, and refusal is not compared.`);
print("");

const began = performance.now();
const sections = [];
for (const name of wanted) {
  process.stderr.write(`measuring: ${name}\n`);
  const measured = await SCENARIOS[name]?.({ short: values.short, large: values.large });
  for (const { title, rows } of [measured ?? []].flat()) {
    const evaluated = rows.map(evaluate);
    sections.push({ title, rows: evaluated });
    print(table(title, evaluated));
  }
}
const goals = sections.flatMap(({ title, rows }) =>
  rows.flatMap((row) => row.goals.map((goal) => ({ title, what: row.what, ...goal }))),
);
const count = (/** @type {boolean | undefined} */ met) => goals.filter((goal) => goal.met === met).length;
print(
  `${count(true)} goals met, ${count(false)} missed, ${count(undefined)} not measured, in ${Math.round((performance.now() - began) / 1000)} s.`,
);
const json = `${JSON.stringify({ measured: new Date().toISOString().slice(0, 10), machine, namespaces: able.ok, sections }, null, 2)}\n`;
if (file !== undefined) writeFileSync(file, json);
else if (values.json) process.stdout.write(json);
