// @ts-check
/** The thread in which inputs are run: whoever started it can end it, whatever an input does. */
import { parentPort, workerData } from "node:worker_threads";
import { startCoverage } from "./coverage.mjs";
import { explore, findingOf } from "./explore.mjs";
import { minimise } from "./minimise.mjs";

/** @type {import("./session.mjs").Job} */
const job = workerData;
const share = new Int32Array(job.share, 0, 4);
const shared = Buffer.from(job.share, 16);
const buffers = (/** @type {readonly Uint8Array[]} */ list) => list.map((bytes) => Buffer.from(bytes));

/** Shows the input before it is run, so that it is known if nothing more is heard. @param {Buffer} input */
function show(input) {
  Atomics.store(share, 1, input.copy(shared));
  Atomics.add(share, 0, 1);
}

const say = (/** @type {object} */ message) => parentPort?.postMessage(message);
const coverage = startCoverage(job.files);
const { TARGETS } = await import(job.targetsUrl);
/** @type {import("./targets.mjs").Target} */
const target = TARGETS.find((/** @type {{ name: string }} */ { name }) => name === job.target);
const run = await target.open((name) => import(job.urls[name] ?? ""));
const seeds = target.seeds();
const given = buffers(job.inputs);
Atomics.store(share, 2, 1);

if (job.mode === "explore") {
  const found = await explore({
    run,
    coverage,
    inputs: [...seeds, ...given],
    words: buffers(job.words),
    maxBytes: target.maxBytes,
    seed: job.seed,
    runs: job.runs,
    ms: job.ms,
    mostFindings: job.untilFound ? 1 : undefined,
    onRun: show,
    onKept: (input) => say({ kept: input }),
    onFinding: (finding) => say({ finding }),
  });
  say({ done: found });
} else if (job.mode === "minimise") {
  say({ done: await minimise({ run, coverage, seeds, inputs: given, onRun: show }) });
} else {
  const findings = [];
  for (const input of given) {
    show(input);
    try {
      say({ outcome: await run(input) });
    } catch (error) {
      findings.push(findingOf(error, input));
    }
  }
  say({ done: { findings, executions: given.length, reached: coverage.take() } });
}
Atomics.store(share, 2, 0);
coverage.stop();
process.exit();
