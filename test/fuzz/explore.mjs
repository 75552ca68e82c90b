// @ts-check
/** The search: changes inputs, keeps those that reach something new, and says which broke a promise. */
import { createMutator } from "./mutate.mjs";
import { createRandom } from "./random.mjs";
import { shrink } from "./shrink.mjs";

/**
 * @typedef {(input: Buffer) => unknown} Run A word for what the input came to, or a promise of it; throws where a
 * promise is broken.
 *
 * @typedef {object} Finding
 * @property {"error" | "violation" | "hang" | "memory" | "uncaught"} kind
 * @property {string} signature the same for the same bug
 * @property {string} message
 * @property {Buffer} input
 *
 * @typedef {object} Found
 * @property {number} executions
 * @property {readonly number[]} reached blocks, ascending
 * @property {readonly string[]} outcomes
 * @property {readonly Buffer[]} kept what reached a new block or came to a new outcome, in the order of finding
 * @property {readonly Finding[]} findings
 * @property {{ ms: number, bytes: number }} slowest
 */

const SMALLEST_BATCH = 16;
const LARGEST_BATCH = 512;
/** Further bugs can wait until these are mended. */
const MOST_FINDINGS = 8;
/** An outcome that quotes its input would make every input new. */
const MOST_OUTCOMES = 400;
const SHRINKING_RUNS = 2_000;

/**
 * @param {object} job
 * @param {Run} job.run
 * @param {{ take: () => number[] }} job.coverage
 * @param {readonly Buffer[]} job.inputs to begin with
 * @param {readonly Buffer[]} job.words
 * @param {number} job.maxBytes
 * @param {number} job.seed
 * @param {number} [job.runs] how many, at least
 * @param {number} [job.ms] or for how long
 * @param {number | undefined} [job.mostFindings] after which the search ends
 * @param {(input: Buffer) => void} [job.onRun] before each
 * @param {(input: Buffer) => void} [job.onKept]
 * @param {(finding: Finding) => void} [job.onFinding]
 * @returns {Promise<Found>}
 */
export async function explore({
  run,
  coverage,
  inputs,
  words,
  maxBytes,
  seed,
  runs = Infinity,
  ms = Infinity,
  mostFindings = MOST_FINDINGS,
  onRun,
  onKept,
  onFinding,
}) {
  const random = createRandom(seed);
  const mutate = createMutator({ random, words, maxBytes });
  const began = performance.now();
  /** @type {Buffer[]} */
  const pool = [];
  /** @type {Buffer[]} */
  const kept = [];
  /** @type {Set<number>} */
  const reached = new Set();
  /** @type {Set<string>} */
  const outcomes = new Set();
  /** @type {Map<string, Finding>} */
  const findings = new Map();
  const slowest = { ms: 0, bytes: 0 };
  let executions = 0;

  /** @param {Buffer} input @returns {Promise<{ outcome?: unknown, finding?: Finding }>} */
  async function attempt(input) {
    executions++;
    onRun?.(input);
    const from = performance.now();
    try {
      const outcome = run(input);
      return { outcome: isPromise(outcome) ? await outcome : outcome };
    } catch (error) {
      return { finding: findingOf(error, input) };
    } finally {
      const took = performance.now() - from;
      if (took > slowest.ms) Object.assign(slowest, { ms: took, bytes: input.length });
    }
  }

  /** @param {Buffer} input */
  function keep(input) {
    if (kept.includes(input)) return;
    kept.push(input);
    pool.push(input);
    onKept?.(input);
  }

  /** Whether there was anything new about an input, blocks aside. @param {Buffer} input */
  async function judge(input) {
    const { outcome, finding } = await attempt(input);
    if (finding !== undefined && !findings.has(finding.signature)) {
      findings.set(finding.signature, finding);
      onFinding?.(finding);
    }
    if (typeof outcome !== "string" || outcomes.size >= MOST_OUTCOMES || outcomes.has(outcome)) return;
    outcomes.add(outcome);
    keep(input);
  }

  const isNew = (/** @type {number} */ block) => !reached.has(block);

  /** Halves what reached a new block until the inputs stand alone that did. @param {readonly Buffer[]} batch */
  async function attribute(batch) {
    for (const half of [batch.slice(0, batch.length >> 1), batch.slice(batch.length >> 1)]) {
      for (const input of half) await attempt(input);
      const fresh = coverage.take().filter(isNew);
      if (fresh.length === 0) continue;
      if (half.length > 1) {
        await attribute(half);
        continue;
      }
      for (const block of fresh) reached.add(block);
      keep(/** @type {Buffer} */ (half[0]));
    }
  }

  /** @param {readonly Buffer[]} batch */
  async function play(batch) {
    const before = kept.length;
    for (const input of batch) await judge(input);
    const fresh = coverage.take().filter(isNew);
    if (fresh.length > 0) await attribute(batch.length === 1 ? [batch[0] ?? Buffer.alloc(0), Buffer.alloc(0)] : batch);
    // What runs once in a process, whatever the input, is not to be looked for again.
    for (const block of fresh) reached.add(block);
    return kept.length > before;
  }

  // What loading ran is no merit of an input.
  for (const block of coverage.take()) reached.add(block);
  if (inputs.length > 0) await play(inputs);
  for (const input of inputs) if (!pool.includes(input)) pool.push(input);
  if (pool.length === 0) pool.push(Buffer.alloc(0));
  kept.length = 0;

  let size = SMALLEST_BATCH;
  while (executions < runs && performance.now() - began < ms && findings.size < mostFindings) {
    const batch = Array.from({ length: size }, () => {
      // The better of two draws: what came last has been tried least.
      const parent = pool[Math.max(random.below(pool.length), random.below(pool.length))];
      return mutate(/** @type {Buffer} */ (parent), random.pick(pool));
    });
    size = (await play(batch)) ? Math.max(SMALLEST_BATCH, size >> 1) : Math.min(LARGEST_BATCH, size << 1);
  }
  const own = executions;
  for (const [signature, finding] of findings) {
    const input = await shrink(
      finding.input,
      async (candidate) => (await attempt(candidate)).finding?.signature === signature,
      SHRINKING_RUNS,
    );
    findings.set(signature, { ...finding, input, message: (await attempt(input)).finding?.message ?? finding.message });
  }
  return {
    executions: own,
    reached: [...reached].toSorted((a, b) => a - b),
    outcomes: [...outcomes].toSorted(),
    kept,
    findings: [...findings.values()],
    slowest,
  };
}

/** @param {unknown} value @returns {value is PromiseLike<unknown>} */
function isPromise(value) {
  return typeof (/** @type {any} */ (value)?.then) === "function";
}

/** @param {any} error @param {Buffer} input @returns {Finding} */
export function findingOf(error, input) {
  if (typeof error?.what === "string")
    return { kind: "violation", signature: error.what, message: error.message, input };
  const stack = String(error?.stack ?? error);
  // Where it was thrown tells bugs apart better than a message, which quotes the input.
  const [frame = ""] = /(?<=\n\s+at )[^\n]+/.exec(stack) ?? [];
  const where = frame.replace(/\(?(?:file:\/\/)?\/\S*\/(?=[^/]+$)/, "(");
  return {
    kind: "error",
    signature: [error?.name, error?.code, where].filter((part) => part !== undefined).join(" "),
    message: stack.slice(0, 2_000),
    input,
  };
}
