// @ts-check
/** From what a victim tells to what a cell says, and from all cells to goals. */
import { accountOf } from "../support/access-keys.mjs";
import { hostKindOf } from "../support/host-kinds.mjs";
import { RIGHTFUL } from "./catalogue.mjs";
import { DEADLINE_MS } from "./entries.mjs";

/**
 * @typedef {"refused" | "rightful" | "credentials" | "region" | "metadata" | "hang" | "memory" | "odd" | "conceded"}
 * Status
 *   `rightful`: what is the instance's own, and proved; `odd`: an error that is none of the guard's; `conceded`: the
 * victim's settings ask for no proof of it
 *
 * @typedef {object} Cell
 * @property {string} attack
 * @property {import("./catalogue.mjs").Kind | "genuine"} kind
 * @property {string} host
 * @property {string} entry
 * @property {Status} status
 * @property {string} [code]
 * @property {readonly string[]} events
 * @property {number} ms
 * @property {number} [growth] bytes; undefined where the one who asks is another process
 * @property {number} unhandled
 * @property {boolean} met whether the attacker saw anybody
 * @property {number} [connections] that left the host meanwhile, from the kernel's counters
 * @property {number} [datagrams]
 * @property {string} [concession] why this door is not held to everything
 * @property {boolean} [undetected] the probe off EC2 should have seen it, and nothing told so
 */

export const MAX_GROWTH = 4 * 2 ** 20;
/** @type {readonly Status[]} */
const LEAKS = ["credentials", "region", "metadata"];
/** What a process that is started, two garbage collections and a busy machine may add to the guard's deadline. */
const SLACK_MS = 1_500;
/** `exec` starts two processes and each has the deadline. */
const EXEC_SLACK_MS = 9_000;

/**
 * @param {{ kind: Cell["kind"], name: string, refreshes?: number, afterGenuine?: boolean, silent?: boolean, concedes?:
 * Readonly<Record<string, string>> }} attack @param {string} host @param {import("./entries.mjs").Entry} entry @param
 * {any} told @param {boolean} met @returns {Cell}
 */
export function cellOf(attack, host, entry, told, met) {
  const concession = attack.concedes?.[entry.of ?? entry.name];
  const base = {
    attack: attack.name,
    kind: attack.kind,
    host,
    entry: entry.name,
    met: met || concession !== undefined,
    ...(concession !== undefined && { concession }),
  };
  if (told === undefined || told.values === undefined)
    return { ...base, status: "hang", events: [], ms: Number.NaN, unhandled: 0 };
  const { code, ms, growth, unhandled } = told;
  // Where nothing is asked, a guard tells once that it will not: one that lives through several asks has told before.
  const livesOn = !entry.together || attack.afterGenuine === true;
  const events =
    told.events.length === 0 && livesOn && (attack.silent === true || !hostKindOf(host).ec2)
      ? told.earlier
      : told.events;
  const found = statusOf(entry, told, attack.refreshes ?? 1);
  const status = concession !== undefined && LEAKS.includes(found) ? "conceded" : found;
  return {
    ...base,
    status,
    ...(code !== undefined && { code }),
    events,
    ms,
    ...(entry.program !== "exec" && { growth }),
    unhandled,
  };
}

/** @param {import("./entries.mjs").Entry} entry @param {any} told @param {number} refreshes @returns {Status} */
function statusOf({ program, gives }, { values, gaveUp, code, ms }, refreshes) {
  if (gives === "key" && values.some((/** @type {string} */ key) => accountOf(key) !== RIGHTFUL.account))
    return "credentials";
  if (gives === "region" && values.some((/** @type {string} */ region) => region !== RIGHTFUL.region)) return "region";
  if (gives === "instance id" && values.some((/** @type {string} */ id) => id !== RIGHTFUL.instanceId))
    return "metadata";
  if (gaveUp === "memory") return "memory";
  if (gaveUp === "time" || ms > DEADLINE_MS * refreshes + (program === "exec" ? EXEC_SLACK_MS : SLACK_MS))
    return "hang";
  if (code === undefined) return values.length > 0 ? "rightful" : "odd";
  // Under exec the last word is the stock SDK's, which has nothing to offer but its own error.
  return /^ERR_IMDS_/.test(code) || program === "exec" || code === "CredentialsProviderError" ? "refused" : "odd";
}

/** @param {Cell} cell */
export const isLeak = ({ status }) => LEAKS.includes(status);

/** Whether something should have been said about this cell, and was not. @param {Cell} cell */
export const isQuiet = ({ status, events, undetected, concession }) =>
  undetected === true || (status !== "rightful" && events.length === 0 && concession === undefined);

/**
 * The goals of the run. Cells of a kind `genuine` are the hosts that may not be refused.
 *
 * @param {readonly Cell[]} cells
 */
export function goalsOf(cells) {
  const attacks = cells.filter(({ kind }) => kind !== "genuine");
  const genuine = cells.filter(({ kind }) => kind === "genuine");
  const counted = attacks.filter(({ connections }) => connections !== undefined);
  const goal = (/** @type {string} */ what, /** @type {readonly Cell[]} */ missed, /** @type {number} */ of) => ({
    what,
    value: missed.length,
    goal: 0,
    met: missed.length === 0,
    of,
    missed,
  });
  return [
    goal(
      "credentials, regions or metadata of a stranger that reached the application",
      attacks.filter(isLeak),
      attacks.length,
    ),
    goal("impersonations that nothing was said about", attacks.filter(isQuiet), attacks.length),
    goal(
      "cells off EC2 in which a packet left the host (the probe is off)",
      counted.filter(({ connections = 0, datagrams = 0 }) => connections + datagrams > 0),
      counted.length,
    ),
    goal(
      "hangs past the deadline",
      cells.filter(({ status }) => status === "hang"),
      cells.length,
    ),
    goal(
      "growth of heap and buffers over 4 MiB",
      cells.filter(({ status, growth = 0 }) => status === "memory" || growth > MAX_GROWTH),
      cells.length,
    ),
    goal(
      "false refusals on genuine hosts",
      genuine.filter(({ status }) => status !== "rightful"),
      genuine.length,
    ),
    goal(
      "unhandled rejections",
      cells.filter(({ unhandled }) => unhandled > 0),
      cells.length,
    ),
    goal(
      "errors that are none of the guard's",
      cells.filter(({ status }) => status === "odd"),
      cells.length,
    ),
    goal(
      "attacks on EC2 that never met their victim",
      attacks.filter(({ met }) => !met),
      attacks.length,
    ),
  ];
}
