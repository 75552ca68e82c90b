// @ts-check
/** What importing the package costs a process that may never need it. */
import { oursAtMost, ratioAtMost } from "../figures.mjs";
import { inTurns, OURS, STOCK } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const RUNS = 15;

/** @returns {Promise<import("../figures.mjs").Section>} */
export function loading() {
  return withPlace({ host: "laptop", network: "none" }, async (place) => {
    const formats = [
      { name: "import()", client: "import-esm.mjs", atMost: 0.28 },
      { name: "require()", client: "import-cjs.cjs", atMost: 0.3 },
    ];
    const kept = formats.map((format) => ({
      ...format,
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
    const rows = kept.map(({ name, atMost, ours, stock }) => ({
      what: name,
      unit: "ms",
      ours,
      stock,
      goals: [oursAtMost(15), ratioAtMost(atMost)],
    }));
    return { title: "Loading in a fresh process (an empty module of the same format was loaded before)", rows };
  });
}
