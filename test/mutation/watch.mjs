// @ts-check
/** Waits for a process of tests, and ends the one that has fallen silent. */
import { lastBeat, lastBeatAt } from "./heartbeat.mjs";

/**
 * @typedef {object} Ending
 * @property {"end" | "hang" | "failure"} kind `end`: by itself and with exit code 0
 * @property {string} how in words
 * @property {import("./heartbeat.mjs").Beat | undefined} at where it was; undefined: no test had begun
 */

/**
 * @param {import("node:child_process").ChildProcess} child the leader of a process group, which is killed with it
 * @param {string} path of its heartbeat
 * @param {{ startMs: number, silenceMs: number, everyMs: number }} patience longest time to the first heartbeat,
 * between two of them, and how often to look
 * @returns {Promise<Ending>}
 */
export function watched(child, path, { startMs, silenceMs, everyMs }) {
  return new Promise((done) => {
    /** @type {bigint | undefined} */
    let seen;
    let since = performance.now();
    let patience = silenceMs;
    let silent = false;
    const watch = setInterval(() => {
      const now = lastBeatAt(path);
      if (now !== seen) {
        seen = now;
        since = performance.now();
        patience = Math.min(silenceMs, lastBeat(path)?.patienceMs ?? Infinity);
      } else if (performance.now() - since > (seen === undefined ? startMs : patience)) {
        silent = true;
        clearInterval(watch);
        process.kill(-Number(child.pid), "SIGKILL");
      }
    }, everyMs);
    const end = (/** @type {Ending["kind"]} */ kind, /** @type {string} */ how) => {
      clearInterval(watch);
      done({ kind, how, at: lastBeat(path) });
    };
    child.once("error", (error) =>
      end("failure", `cannot be started: ${/** @type {NodeJS.ErrnoException} */ (error).code ?? error.message}`),
    );
    child.once("exit", (code, signal) => {
      if (silent) end("hang", "hangs");
      else end(code === 0 ? "end" : "failure", code === null ? `is ended by ${signal}` : `ends with exit code ${code}`);
    });
  });
}

/**
 * What the end of a process says that its tests could not say themselves.
 *
 * @param {Ending} ending
 * @param {string} file of tests
 * @returns {{ caught: string, by: string } | { doubtful: string, by: string } | { unrepeatable: string } | { spoilt:
 * string } | { broken: string, file: string, why: string } | undefined}
 *   an entry of the ledger; undefined: nothing
 */
export function judge({ kind, how, at }, file) {
  // Whether vitest itself finds an end is no matter of any test.
  if (at?.phase === "end" && kind !== "failure") return undefined;
  if (at?.phase === "mutant") return { caught: at.mutant, by: `${file}: ${at.test}: ${how}` };
  const where = at === undefined ? "before any test" : at.test || (at.phase === "end" ? "as a whole" : "between tests");
  const by = `${file}: ${where}`;
  if (at?.phase === "check") return { doubtful: at.mutant, by };
  if (at?.phase === "again") return { unrepeatable: by };
  return at?.tried ? { spoilt: by } : { broken: where, file, why: how };
}
