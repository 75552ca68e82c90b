// @ts-check
/** Responders that never come to an end: how long and how much memory it takes to be rid of them. */
import { oursAtMost } from "../figures.mjs";
import { ATTESTED, OURS, STOCK, UNATTESTED } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const TIMEOUT_MS = 1_000;
/** What an event loop, a timer and a busy machine may add to a deadline. */
const SLACK_MS = 100;
const GIVE_UP = { giveUpMs: TIMEOUT_MS, giveUpBytes: 200 * 2 ** 20 };
/** Ours has its own deadline; the bench only sees to it that it ends. */
const GENEROUS = { giveUpMs: 10 * TIMEOUT_MS, giveUpBytes: 200 * 2 ** 20 };

/** Names of `test/support/behaviours.mjs`, and whether they show only when the signed document is asked for. */
const BEHAVIOURS = [
  ["endless-creds", "a body without end"],
  ["chunks-endless", "chunks without end"],
  ["endless-token", "a token without end"],
  ["identity-endless", "a signed document without end", "attested"],
  ["flood-headers", "header lines without end"],
  ["drip-creds", "one byte every 200 ms"],
  ["flood-102-token", "102 Processing every 200 ms"],
] ;

/** @returns {Promise<import("../figures.mjs").Section>} */
export function hostile() {
  return withPlace({ host: "ec2-nitro", network: "self" }, async (place) => {
    const rows = [];
    for (const [name = "", what, attested] of BEHAVIOURS) {
      const guard = { ...(attested === undefined ? UNATTESTED : ATTESTED), timeout: TIMEOUT_MS, log: "off" };
      // The second time everything is loaded and compiled, and what grows is the answer.
      const ours = await facing(place, name, { module: OURS, guard, ...GENEROUS }, 2);
      const stock = attested === undefined ? await facing(place, name, { module: STOCK, ...GIVE_UP }, 1) : undefined;
      rows.push(
        { what: `${what}: over after`, unit: "ms", ours: [ours.ms], ...(stock && { stock: [stock.ms] }), goals: [oursAtMost(TIMEOUT_MS + SLACK_MS)], note: endOf(ours, stock) },
        { what: `${what}: growth of heap and buffers`, unit: "MiB", ours: [ours.live], ...(stock && { stock: [stock.live] }), goals: [oursAtMost(2)] },
        { what: `${what}: growth of RSS`, unit: "MiB", ours: [ours.rss], ...(stock && { stock: [stock.rss] }), goals: [oursAtMost(2)] },
      );
    }
    return { title: `Hostile responders (deadline ${TIMEOUT_MS} ms; the stock SDK is given up after ${TIMEOUT_MS} ms or 200 MiB)`, rows };
  });
}

/** @param {import("../place.mjs").Place} place @param {string} name @param {object} order @param {number} times */
async function facing(place, name, order, times) {
  await place.serve({ kind: "behaviour", name });
  const client = await place.open("hostile.mjs", ["--expose-gc"]);
  let answer;
  for (let asked = 0; asked < times; asked += 1) answer = await client.ask(order);
  await client.close();
  return answer;
}

/** @param {any} ours @param {any} stock */
function endOf(ours, stock) {
  const of = (/** @type {any} */ { outcome, bounded }) => (bounded === undefined ? outcome : `no end, given up (${bounded})`);
  return stock === undefined ? `imds-guard: ${of(ours)}` : `imds-guard: ${of(ours)}; stock: ${of(stock)}`;
}
