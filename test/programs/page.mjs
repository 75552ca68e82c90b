// @ts-check
/** docs/compatibility.md, out of the results of a full run. */

/** @typedef {import("./run.mjs").Result} Result */

/**
 * @param {readonly Result[]} results
 * @param {{ date: Date, versions: Readonly<Record<string, string>>, node: string }} about
 * @returns {string}
 */
export function page(results, { date, versions, node }) {
  return "";
}
