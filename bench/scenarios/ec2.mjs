// @ts-check
/** A simulated EC2 instance whose metadata service closes each connection, as the real one does. */
import { ratioAtMost } from "../figures.mjs";
import { ATTESTED, genuine, inTurns, OURS, STOCK, UNATTESTED } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const DELAYS_MS = [0, 2, 10];
const COLD_RUNS = 7;
const WARM_RUNS = 3;
/** Where a process that has no client yet is measured as well. */
const BARE_DELAY_MS = 2;
const SAMPLES = 10;

/** Who asks, under which name in the table. */
const VARIANTS = {
  stock: { module: STOCK },
  attested: { module: OURS, guard: ATTESTED },
  "attestation off": { module: OURS, guard: UNATTESTED },
};
/** @typedef {keyof typeof VARIANTS} Variant */
const OUR_VARIANTS = /** @type {const} */ (["attested", "attestation off"]);
const DOORS = { chain: "fromNodeProviderChain", instance: "fromInstanceMetadata" };

/** @typedef {{ first: number, fromImport: number, warm: number[], refresh: number[] }} Answer */

/** @returns {Promise<import("../figures.mjs").Section[]>} */
export function ec2() {
  return withPlace({ host: "ec2-nitro", network: "self" }, async (place) => {
    const sections = [];
    for (const delayMs of DELAYS_MS) sections.push(await measure(place, delayMs));
    return sections;
  });
}

/**
 * @param {import("../place.mjs").Place} place @param {number} delayMs @returns
 * {Promise<import("../figures.mjs").Section>}
 */
async function measure(place, delayMs) {
  await place.serve(genuine(delayMs));
  /** @param {number} runs @param {object} order */
  const answersOf = async (runs, order) => {
    const answers = /** @type {Record<Variant, Answer[]>} */ ({ stock: [], attested: [], "attestation off": [] });
    const variants = /** @type {Variant[]} */ (Object.keys(VARIANTS));
    await inTurns(
      runs,
      variants.map((variant) => async () => {
        answers[variant].push(
          await place.run("fetch.mjs", { clientLoaded: true, fresh: 0, refreshes: 0, ...order, ...VARIANTS[variant] }),
        );
      }),
    );
    return answers;
  };
  const rows = [];
  // A service that answers at once is nobody's; it shows what the processor takes, and has no goal.
  const goal = (/** @type {number} */ atMost) => (delayMs === 0 ? undefined : atMost);
  for (const [door, name] of Object.entries(DOORS)) {
    const cold = await answersOf(COLD_RUNS, { door });
    rows.push(
      ...compare(
        `${name}: import and first call of a process that has a client`,
        cold,
        ({ fromImport }) => [fromImport],
        goal(1.1),
      ),
    );
    rows.push(...compare(`${name}: of that, the first call`, cold, ({ first }) => [first]));
    const warm = await answersOf(WARM_RUNS, { door, fresh: SAMPLES, refreshes: SAMPLES });
    rows.push(...compare(`${name}: new provider, modules loaded`, warm, (answer) => answer.warm, goal(1.1)));
    rows.push(...compare(`${name}: refresh`, warm, (answer) => answer.refresh, goal(0.4)));
  }
  if (delayMs === BARE_DELAY_MS) {
    const bare = await answersOf(COLD_RUNS, { door: "chain", clientLoaded: false });
    rows.push(
      ...compare(
        "fromNodeProviderChain: import and first call of a process without a client",
        bare,
        ({ fromImport }) => [fromImport],
        1.1,
      ),
    );
  }
  const where = place.isolated ? "EC2 (simulated)" : "the genuine stand-in on loopback";
  return { title: `${where}, ${delayMs} ms before each answer`, rows };
}

/**
 * A row for each of our variants. @param {string} what @param {Record<Variant, Answer[]>} answers @param {(answer:
 * Answer) => number[]} part @param {number} [atMost]
 */
function compare(what, answers, part, atMost) {
  return OUR_VARIANTS.map((variant) => ({
    what: `${what}, ${variant}`,
    unit: "ms",
    ours: answers[variant].flatMap(part),
    stock: answers.stock.flatMap(part),
    ...(atMost !== undefined && { goals: [ratioAtMost(atMost)] }),
  }));
}
