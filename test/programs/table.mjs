// @ts-check
/** The programs of the matrix: what each is made of, how it is started, and what makes its run good. */
import { bundlerRows } from "./bundlers.mjs";
import { managerRows } from "./managers.mjs";
import { ownClientRows } from "./own-clients.mjs";
import { runnerRows } from "./runners.mjs";
import { runtimeRows } from "./runtimes.mjs";
import { sdkRows } from "./sdk.mjs";

/**
 * @typedef {import("./hosts.mjs").Host} Host
 * @typedef {import("./hosts.mjs").Ran} Ran
 * @typedef {import("./sdk.mjs").Start} Start
 *
 * @typedef {object} Row One program in one form.
 * @property {string} group
 * @property {string} name of the program, with its version
 * @property {string} form how the guard comes into it
 * @property {boolean} quick whether the short form has it
 * @property {import("./installs.mjs").Wanted} wants
 * @property {(folder: string) => Promise<string | undefined>} [prepare] builds it; what is wrong with that
 * @property {(folder: string) => Start} start
 * @property {(ran: Ran, host: Host, stock: Ran | undefined) => string | undefined} judge what is wrong with a run
 * @property {(folder: string) => Start} [stock] the same program without the guard
 * @property {readonly Host[]} [hosts] default all
 * @property {string} [node] major version of Node.js; default the one that runs this
 */

/** @param {(name: string) => Promise<string>} newest @returns {Promise<Row[]>} */
export async function allRows(newest) {
  const makers = [sdkRows, runtimeRows, managerRows, runnerRows, bundlerRows, ownClientRows];
  return (await Promise.all(makers.map((make) => make(newest)))).flat();
}
