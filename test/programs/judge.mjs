// @ts-check
/** What makes a run of a program good. Pure: what came of it goes in, what is wrong with it comes out. */
import { ACCOUNT, accountIn, REGION } from "./hosts.mjs";

/**
 * @typedef {{ readonly value?: unknown, readonly error?: string, readonly code?: string, readonly message?: string }} Door
 * @typedef {Readonly<Record<string, Door>>} Doors
 * @typedef {import("./hosts.mjs").Ran} Ran
 * @typedef {import("./hosts.mjs").Host} Host
 */

/** Not what IMDS answers: what a client makes of an answer, or of none. Versions of the SDK differ in it. */
const SETTLED_WITHOUT = ["auto", "firewall"];
/** Where the SDK's client asks for `//latest/...` and takes the list of versions for the answer. */
const ANSWERED_BETTER = ["metadata", "metadataRegion"];
/** What nobody but the guard may have: it has to fail everywhere. */
const FORGED = ["ssrf"];
/** What is said of a program's own request to IMDS, whoever had it made; anything else is said of the SDK's. */
const OF_ATTEMPTS = /\[firewall\.connection_blocked\]/;

/** Why a program did not run to its end; undefined if it did. @param {Ran} ran */
export function crashOf(ran) {
  if (ran.timedOut) return `hung for ${Math.round(ran.ms / 1_000)} s`;
  if (ran.exitCode !== 0) return `ended with ${ran.exitCode ?? ran.signal}: ${firstLines(ran.stderr || ran.stdout)}`;
  return undefined;
}

/**
 * What the doors of a guarded program have to be, held against those of the same program without the guard.
 *
 * @param {Ran} ran @param {Host} host @param {Ran | undefined} stock the same on this host without the guard
 * @returns {string | undefined} what is wrong
 */
export function judgeDoors(ran, host, stock) {
  const crash = crashOf(ran);
  if (crash !== undefined) return crash;
  if (ran.json === undefined) return `printed no outcome: ${firstLines(ran.stdout)}`;
  const wrong = host === "EC2" ? onEc2(ran.json, stock?.json) : elsewhere(ran, ran.json);
  return wrong ?? (ran.seen?.withoutToken > 0 ? `${ran.seen.withoutToken} requests without a token` : noise(ran));
}

/** @param {Doors} doors @param {Doors | undefined} stock @returns {string | undefined} */
function onEc2(doors, stock) {
  for (const [name, door] of Object.entries(doors)) {
    if (FORGED.includes(name)) {
      if (door.value !== undefined) return `${name} was let through`;
      continue;
    }
    const plain = stock === undefined ? undefined : stock[name];
    if (door.value === undefined) {
      if (stock === undefined || plain?.value !== undefined) return `${name}: ${failure(door)}`;
      continue;
    }
    const account = accountIn(door.value);
    if (account !== undefined && account !== ACCOUNT) return `${name}: a key of ${account}`;
    if (account === undefined && accountIn(plain?.value) !== undefined)
      return `${name}: ${String(door.value)} is no key`;
    const region = String(door.value).split(" ")[1];
    if (account !== undefined && region !== undefined && region !== REGION) return `${name}: signed for ${region}`;
    if (
      account === undefined &&
      ![...SETTLED_WITHOUT, ...ANSWERED_BETTER].includes(name) &&
      plain?.value !== undefined &&
      plain.value !== door.value
    )
      return `${name}: ${String(door.value)}, and ${String(plain.value)} without the guard`;
  }
  return undefined;
}

/** @param {Ran} ran @param {Doors} doors @returns {string | undefined} */
function elsewhere(ran, doors) {
  for (const [name, door] of Object.entries(doors))
    if (door.value !== undefined && !SETTLED_WITHOUT.includes(name)) return `${name} has ${String(door.value)}`;
  return ran.sent.connections > 0 ? `${ran.sent.connections} connections were begun` : undefined;
}

/** Whether a host does to the stock program what it is there for. @param {Ran} ran @param {Host} host */
export function judgeStock(ran, host) {
  const crash = crashOf(ran);
  if (crash !== undefined) return crash;
  const accounts = Object.values(/** @type {Doors} */ (ran.json ?? {})).map(({ value }) => accountIn(value));
  const taken = accounts.some((account) => account !== undefined);
  if ((host === "EC2" || host === "impersonator") !== taken) return taken ? "it has keys" : "it has no keys";
  return undefined;
}

/**
 * More than one line of ours on stderr for refusals, and one for attempts, is noise.
 *
 * @param {Pick<Ran, "stderr">} ran @param {number} [processes] that may say so @returns {string | undefined}
 */
export function noise({ stderr }, processes = 1) {
  const lines = stderr.split("\n").filter((line) => line.includes("imds-guard:"));
  const attempts = lines.filter((line) => OF_ATTEMPTS.test(line)).length;
  return Math.max(attempts, lines.length - attempts) > processes
    ? `${lines.length} lines on stderr: ${lines.slice(0, 2).join(" | ")}`
    : undefined;
}

/**
 * The same for a program that asks a server of its own.
 *
 * @param {number} own connections @returns {typeof judgeDoors}
 */
export function judgeWithOwn(own) {
  return (ran, host, stock) =>
    judgeDoors({ ...ran, sent: { ...ran.sent, connections: ran.sent.connections - own } }, host, stock);
}

/** @param {Door} door */
function failure({ error, code, message }) {
  return [error, code, message].filter((word) => word !== undefined).join(" ");
}

/** @param {string} text */
export function firstLines(text) {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  // Node shows the source line first.
  const from = Math.max(
    0,
    lines.findIndex((line) => /^\s*(?:\w*Error|Uncaught)\b/.test(line)),
  );
  return lines
    .slice(from, from + 4)
    .join(" / ")
    .slice(0, 600);
}
