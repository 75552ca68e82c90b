// @ts-check
/**
 * Runs each test once as it is, then once for every mutant that it reaches and that no test has caught. A process per
 * mutant costs seconds, a switch in the process that has everything loaded costs what the test costs. Whoever switches
 * may leave something broken behind: after each catch the test has to pass once more without a mutant. If it does not,
 * the catch does not count, this file of tests ends here, and a fresh process tries that mutant alone. A test that
 * fails when it is merely run again says nothing about mutants and is left out.
 */
import { TestRunner } from "vitest";
import { beat } from "./heartbeat.mjs";
import { entriesOf, note } from "./ledger.mjs";

/** What Stryker's instrumented code reads. */
const switches =
  /** @type {{ activeMutant?: string, currentTestId?: string, hitCount?: number, hitLimit?: number, mutantCoverage?: { static: object, perTest: Record<string, Record<string, number>> } }} */ (
    /** @type {any} */ (globalThis).__stryker__ ??= {}
  );
/** The instrumented code keeps the first one that it meets. */
const coverage = (switches.mutantCoverage ??= { static: {}, perTest: {} });
const ledger = String(process.env["MUTATION_LEDGER"]);
const heartbeat = String(process.env["MUTATION_AT"]);
/**
 * A mutant that is the only one to be tried in this process, and the test, run with it at once: nothing can have been
 * left behind.
 */
const alone = process.env["MUTATION_ONLY"];
const aloneIn = process.env["MUTATION_ONLY_IN"];
/** A loop that a mutant made endless is ended by its switch. */
const HITS = 100;
/** Longest run of a test with a mutant, in milliseconds: so many times what it takes without, and this much more. */
const TIMES = 5;
const MORE_MS = 1_500;
/** The same where it was not run without. */
const ALONE_MS = 10_000;
/** What stands before and behind a test may take as long as vitest lets it, with or without a mutant. */
const HOOKS_MS = 12_000;

/** @param {object} line */
const write = (line) => note(ledger, line);

/**
 * Mutants that need no further try in a test: left out by the run, caught by any, or passed by this one in an earlier
 * process; and whether it can be run again at all. @param {string} test
 */
function known(test) {
  const ids = new Set();
  let unrepeatable = false;
  for (const { caught, passed, doubtful, by, leftOut, ...rest } of entriesOf(ledger)) {
    if (leftOut !== undefined) for (const id of leftOut) ids.add(id);
    else if (caught !== undefined) ids.add(caught);
    else if (by === test) ids.add(passed ?? doubtful);
    unrepeatable ||= rest.unrepeatable === test;
  }
  return { ids, unrepeatable };
}

/** @param {any} test */
const nameOf = (test) => `${test.file.name}: ${test.fullTestName}`;

const reached = new Set();
const atLoad = new Set();
let tried = false;
let dirty = false;

export default class extends TestRunner {
  /**
   * @type {{ phase: "bare" | "again" | "mutant" | "check" | "over", queue: string[], hits: Record<string, number>,
   * mutant?: string, began: number, bareMs: number }}
   */
  #now = { phase: "over", queue: [], hits: {}, began: 0, bareMs: 0 };

  /** @override @param {any} test */
  async onBeforeRunTask(test) {
    await super.onBeforeRunTask(test);
    if (dirty) test.mode = "skip";
    test.retry = Number.MAX_SAFE_INTEGER;
    this.#now = { phase: "bare", queue: [], hits: {}, began: 0, bareMs: 0 };
    if (alone !== undefined && nameOf(test) === aloneIn)
      Object.assign(this.#now, { phase: "mutant", mutant: alone, bareMs: ALONE_MS / TIMES });
  }

  /** @override @param {any} test */
  onBeforeTryTask(test) {
    super.onBeforeTryTask(test);
    const now = this.#now;
    test.result.errors = undefined;
    now.began = performance.now();
    switches.activeMutant = now.phase === "mutant" ? now.mutant : undefined;
    switches.hitCount = 0;
    switches.hitLimit = now.mutant === undefined ? Infinity : (now.hits[now.mutant] ?? Infinity) * HITS;
    if (now.phase === "bare") {
      coverage.perTest = {};
      switches.currentTestId = "test";
    } else switches.currentTestId = undefined;
    tried ||= now.phase === "mutant";
    const patienceMs = now.phase === "mutant" ? this.#mostMs() + HOOKS_MS : undefined;
    if (now.phase !== "over")
      beat(heartbeat, { phase: now.phase, test: test.fullTestName, mutant: now.mutant ?? "", tried, patienceMs });
  }

  /** @param {any} test */
  async runTask(test) {
    const fn = TestRunner.getTestFn(test);
    if (this.#now.phase !== "mutant") return fn();
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const tooLong = () => new Error("a test with a mutant takes too long");
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(tooLong()), this.#mostMs());
    });
    try {
      await Promise.race([fn(), late]);
    } finally {
      clearTimeout(timer);
    }
    // No timer runs while a test computes.
    if (performance.now() - this.#now.began > this.#mostMs()) throw tooLong();
  }

  /** The longest that a test may take with a mutant. */
  #mostMs() {
    return this.#now.bareMs * TIMES + MORE_MS;
  }

  /** @param {any} test */
  async onAfterRetryTask(test) {
    const again = this.#step(test, test.result.state === "pass");
    // What hangs from now on is no doing of the mutant that was tried last.
    if (!again) beat(heartbeat, { phase: "between", test: "", mutant: "", tried });
    switches.activeMutant = undefined;
    switches.currentTestId = undefined;
    test.result.state = again ? "fail" : "pass";
    test.result.errors = again ? [{ message: "once more" }] : undefined;
  }

  /** @override */
  onAfterRunFiles() {
    super.onAfterRunFiles();
    beat(heartbeat, { phase: "end", test: "", mutant: "", tried });
  }

  /** @param {any} test @param {boolean} passed @returns {boolean} whether the test runs once more */
  #step(test, passed) {
    const now = this.#now;
    const took = performance.now() - now.began;
    if (now.phase === "bare") {
      if (!passed && tried) {
        // A mutant that passed has left something behind all the same.
        write({ spoilt: nameOf(test) });
        dirty = true;
        return false;
      }
      if (!passed) {
        write({ broken: test.name, file: test.file.name, why: String(test.result.errors?.[0]?.message).slice(0, 300) });
        return false;
      }
      now.bareMs = took;
      now.hits = coverage.perTest["test"] ?? {};
      const loaded = Object.keys(coverage.static).filter((id) => !atLoad.has(id));
      for (const id of loaded) atLoad.add(id);
      if (loaded.length > 0) write({ loaded });
      const fresh = Object.keys(now.hits).filter((id) => !reached.has(id));
      for (const id of fresh) reached.add(id);
      if (fresh.length > 0) write({ reached: fresh });
      if (alone !== undefined) return false;
      const { ids, unrepeatable } = known(nameOf(test));
      now.queue = unrepeatable ? [] : Object.keys(now.hits).filter((id) => !ids.has(id));
      if (now.queue.length === 0) return false;
      now.phase = "again";
      return true;
    }
    if (now.phase === "again" && !passed) {
      write({ unrepeatable: nameOf(test) });
      dirty = true;
      return false;
    }
    if (now.phase === "mutant" && !passed) {
      if (alone !== undefined) {
        write({ caught: now.mutant, by: nameOf(test) });
        return false;
      }
      now.phase = "check";
      return true;
    }
    if (now.phase === "mutant") {
      write({ passed: now.mutant, by: nameOf(test), evaluated: (switches.hitCount ?? 0) > 0 });
      if (alone !== undefined) return false;
    }
    if (now.phase === "check") {
      write(passed ? { caught: now.mutant, by: nameOf(test) } : { doubtful: now.mutant, by: nameOf(test) });
      dirty = !passed;
      if (dirty) return false;
    }
    now.mutant = now.queue.shift();
    now.phase = now.mutant === undefined ? "over" : "mutant";
    return now.mutant !== undefined;
  }
}
