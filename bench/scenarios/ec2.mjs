// @ts-check
/** A simulated EC2 instance whose metadata service closes each connection, as the real one does. */
import { ratioAtMost } from "../figures.mjs";
import { ATTESTED, genuine, inTurns, OURS, STOCK, UNATTESTED } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const DELAYS_MS = [0, 2, 10];
const RUNS = 9;
const FRESH = 15;
const REFRESHES = 15;

/** Who asks, under which name in the table. */
const VARIANTS = {
  stock: { module: STOCK },
  attested: { module: OURS, guard: ATTESTED },
  unattested: { module: OURS, guard: UNATTESTED },
};
const DOORS = /** @type {const} */ ({ chain: "fromNodeProviderChain", instance: "fromInstanceMetadata" });

/** @typedef {Record<"first" | "fromImport" | "warm" | "refresh", number[]>} Samples */

/** @returns {Promise<import("../figures.mjs").Section[]>} */
export function ec2() {
  return withPlace({ host: "ec2-nitro", network: "self" }, async (place) => {
    const sections = [];
    for (const delayMs of DELAYS_MS) sections.push(await measure(place, delayMs));
    return sections;
  });
}

/** @param {import("../place.mjs").Place} place @param {number} delayMs @returns {Promise<import("../figures.mjs").Section>} */
async function measure(place, delayMs) {
  await place.serve(genuine(delayMs));
  /** @type {Map<string, Samples>} */
  const samples = new Map();
  const tasks = Object.keys(DOORS).flatMap((door) => Object.entries(VARIANTS).map(([variant, asked]) => async () => {
    const answer = await place.run("fetch.mjs", { ...asked, door, fresh: FRESH, refreshes: REFRESHES });
    const kept = samples.get(`${door} ${variant}`) ?? { first: [], fromImport: [], warm: [], refresh: [] };
    samples.set(`${door} ${variant}`, kept);
    kept.first.push(answer.first);
    kept.fromImport.push(answer.fromImport);
    kept.warm.push(...answer.warm);
    kept.refresh.push(...answer.refresh);
  }));
  await inTurns(RUNS, tasks);

  const rows = Object.entries(DOORS).flatMap(([door, name]) => {
    const of = (/** @type {string} */ variant) => /** @type {Samples} */ (samples.get(`${door} ${variant}`));
    const beside = (/** @type {string} */ what, /** @type {keyof Samples} */ part, /** @type {number} */ most) =>
      [["attested", "attested"], ["unattested", "attestation off"]].map(([variant = "", label]) =>
        ({ what: `${name}: ${what}, ${label}`, unit: "ms", ours: of(variant)[part], stock: of("stock")[part], goals: [ratioAtMost(most)] }));
    return [
      ...beside("new provider, modules loaded", "warm", 1.1),
      ...beside("first call of a process", "first", 1.1),
      ...beside("import and first call of a process", "fromImport", 1.1),
      ...beside("refresh", "refresh", 0.4),
    ];
  });
  const where = place.isolated ? "EC2 (simulated)" : "the genuine stand-in on loopback";
  return { title: `${where}, ${delayMs} ms before each answer`, rows };
}
