// @ts-check
/** Runs a victim that knows only the stock SDK under `imds-guard exec`, and tells what reached it. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** @typedef {import("./ask.mjs").Order} Order */

const CLI = process.env["ATTACK_CLI"] ?? "";
const ASK = fileURLToPath(new URL("ask.mjs", import.meta.url));
/** Nothing of the host is there but what the machine made. */
const EVENTS = `${process.env["HOME"]}/events-${process.pid}.jsonl`;
const NOT_STARTED = 125;

/** @type {{ child: import("node:child_process").ChildProcess, lines: AsyncIterator<string> } | undefined} */
let running;
let seen = 0;
/** @type {WeakMap<import("node:child_process").ChildProcess, Promise<void>>} */
const closed = new WeakMap();

function start() {
  writeFileSync(EVENTS, "");
  seen = 0;
  const child = spawn(process.execPath, [CLI, "exec", "--json", "--", process.execPath, ASK, "--lines"], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, IMDS_GUARD_EVENTS_FILE: EVENTS },
  });
  closed.set(
    child,
    new Promise((resolve) => {
      child.once("close", () => {
        resolve(undefined);
      });
    }),
  );
  return child;
}

/** Event codes since the last look, and before. */
function newEvents() {
  const codes = readFileSync(EVENTS, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => String(JSON.parse(line).code));
  const [earlier, events] = [codes.slice(0, seen), codes.slice(seen)];
  seen = codes.length;
  return { earlier, events };
}

/** @param {Order} order */
async function carryOut(order) {
  const began = performance.now();
  const child = running?.child ?? start();
  let stderr = "";
  if (running === undefined)
    child.stderr?.on("data", (chunk) => {
      stderr = (stderr + chunk).slice(-8_000);
    });
  const lines =
    running?.lines ??
    createInterface({ input: /** @type {NodeJS.ReadableStream} */ (child.stdout) })[Symbol.asyncIterator]();
  child.stdin?.on("error", () => {});
  child.stdin?.write(`${JSON.stringify({ ...order, entries: ["stock-chain"] })}\n`);
  /** @type {Promise<undefined>} */
  const late = new Promise((resolve) => {
    setTimeout(
      () => {
        resolve(undefined);
      },
      order.giveUpMs * (order.refreshes ?? 1) + 20_000,
    ).unref();
  });
  const next = await Promise.race([lines.next(), late]);
  const line = next?.value;
  if (order.keep === true && line !== undefined) running = { child, lines };
  else if (line !== undefined || next === undefined) child.stdin?.end();
  if (next === undefined) child.kill("SIGKILL");
  // All that was said on stderr has arrived when the streams are closed, which is later than the exit.
  if (running === undefined) await closed.get(child);
  const [told] = line === undefined ? [{ entry: "exec", values: [], code: undefined, unhandled: 0 }] : JSON.parse(line);
  const prepared = /"code":\s*"(ERR_IMDS_[A-Z0-9_]+)"/.exec(stderr)?.[1];
  const crashed = line === undefined && child.exitCode !== NOT_STARTED && next !== undefined;
  const known = newEvents();
  // Where the settings cannot be read, so cannot the name of the file for events: it is told on stderr then.
  return [
    {
      ...told,
      entry: "exec",
      earlier: known.earlier,
      events: known.events.length === 0 && prepared !== undefined ? [`stderr: ${prepared}`] : known.events,
      ms: performance.now() - began,
      growth: 0,
      ...(next === undefined && { gaveUp: "time" }),
      code: told.code === undefined || prepared !== undefined ? (prepared ?? told.code) : told.code,
      unhandled: told.unhandled + (crashed ? 1 : 0),
      ...(crashed && { stderr: stderr.slice(-500) }),
    },
  ];
}

process.on("message", (/** @type {Order} */ order) => {
  void carryOut(order).then((told) => {
    process.send?.(told);
  });
});
process.on("disconnect", () => {
  running?.child.kill("SIGKILL");
  process.exit(0);
});
