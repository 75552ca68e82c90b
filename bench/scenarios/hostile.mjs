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
];

/** @returns {Promise<import("../figures.mjs").Section>} */
export function hostile() {
  return withPlace({ host: "ec2-nitro", network: "self" }, async (place) => {
    const rows = [];
    for (const [name = "", what, attested] of BEHAVIOURS) {
      const guard = { ...(attested === undefined ? UNATTESTED : ATTESTED), timeout: TIMEOUT_MS, log: "off" };
      // The first time code is loaded and compiled, too; after that, what grows is the answer.
      const [first, ...ours] = await facing(place, name, { module: OURS, guard, ...GENEROUS }, 4);
      const stock = attested === undefined ? await facing(place, name, { module: STOCK, ...GIVE_UP }, 1) : undefined;
      const row = (
        /** @type {string} */ grown,
        /** @type {string} */ unit,
        /** @type {"ms" | "live" | "rss"} */ figure,
        /** @type {number} */ goal,
      ) => ({
        what: `${what}: ${grown}`,
        unit,
        ours: ours.map((answer) => answer[figure]),
        ...(stock && { stock: stock.map((answer) => answer[figure]) }),
        goals: [oursAtMost(goal)],
      });
      rows.push(
        { ...row("over after", "ms", "ms", TIMEOUT_MS + SLACK_MS), note: endOf(first, stock?.[0]) },
        row("growth of heap and buffers", "MiB", "live", 2),
        row("growth of RSS", "MiB", "rss", 2),
      );
    }
    return {
      title: `Hostile responders (deadline ${TIMEOUT_MS} ms; the stock SDK is given up after ${TIMEOUT_MS} ms or 200 MiB)`,
      rows,
    };
  });
}

/** @param {import("../place.mjs").Place} place @param {string} name @param {object} order @param {number} times */
async function facing(place, name, order, times) {
  await place.serve({ kind: "behaviour", name });
  const client = await place.open("hostile.mjs", ["--expose-gc"]);
  /** @type {any[]} */
  const answers = [];
  for (let asked = 0; asked < times; asked += 1) answers.push(await client.ask(order));
  await client.close();
  return answers;
}

/** @param {any} ours @param {any} stock */
function endOf(ours, stock) {
  const of = (/** @type {any} */ { outcome, bounded }) =>
    bounded === undefined ? outcome : `no end, given up (${bounded})`;
  return stock === undefined ? `imds-guard: ${of(ours)}` : `imds-guard: ${of(ours)}; stock: ${of(stock)}`;
}
