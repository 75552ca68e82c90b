// @ts-check
/** What importing the package costs a process that may never need it. */
import { oursAtMost, ratioAtMost } from "../figures.mjs";
import { inTurns, OURS, STOCK } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const RUNS = 15;

/** @returns {Promise<import("../figures.mjs").Section>} */
export function loading() {
  return withPlace({ host: "laptop", network: "none" }, async (place) => {
    const formats = { "import()": "import-esm.mjs", "require()": "import-cjs.cjs" };
    const kept = Object.entries(formats).map(([name, client]) => ({
      name,
      client,
      ours: /** @type {number[]} */ ([]),
      stock: /** @type {number[]} */ ([]),
    }));
    await inTurns(
      RUNS,
      kept.flatMap(({ client, ours, stock }) => [
        async () => {
          ours.push((await place.run(client, { module: OURS })).ms);
        },
        async () => {
          stock.push((await place.run(client, { module: STOCK })).ms);
        },
      ]),
    );
    const rows = kept.map(({ name, ours, stock }) => ({
      what: name,
      unit: "ms",
      ours,
      stock,
      goals: [oursAtMost(15), ratioAtMost(0.333)],
    }));
    return { title: "Loading in a fresh process (an empty module of the same format was loaded before)", rows };
  });
}
