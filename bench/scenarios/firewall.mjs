// @ts-check
/** What the preload costs a program that never goes near a metadata service: each connection, each request, the start. */
import { fileURLToPath } from "node:url";
import { oursAtMost, ratioAtLeast } from "../figures.mjs";
import { inTurns } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const PRELOAD = ["-r", fileURLToPath(new URL("../../dist/register.cjs", import.meta.url))];
const ROUNDS = 41;
const STARTS = 21;

/** Kind -> operations in a batch, and what the batch is called. */
const CONNECTIONS = { v4: { count: 400, what: "connect to an IPv4 literal", literal: true }, v6: { count: 400, what: "connect to an IPv6 literal", literal: true }, name: { count: 400, what: "connect to a host name" } };
const REQUESTS = { http: { count: 400, what: "node:http, one connection kept alive" }, fetch: { count: 300, what: "fetch, one connection kept alive" } };

/** @returns {Promise<import("../figures.mjs").Section[]>} */
export function firewall() {
  return withPlace({ host: "laptop", network: "none" }, async (place) => [await running(place, CONNECTIONS, perConnection), await running(place, REQUESTS, perRequest), await starting(place)]);
}

/** @typedef {{ us: number, cpuUs: number }} Batch */
/** @typedef {{ count: number, what: string, literal?: boolean }} Kind */
/** @typedef {{ what: string, literal: boolean, guarded: readonly Batch[], bare: readonly Batch[] }} Measured */

/**
 * Both processes stay, and take their batches in turns, each pair in the other order than the one before.
 *
 * @param {import("../place.mjs").Place} place
 * @param {Readonly<Record<string, Kind>>} kinds
 * @param {(measured: readonly Measured[]) => import("../figures.mjs").Section} section
 */
async function running(place, kinds, section) {
  const [server, guarded, bare] = await Promise.all([place.open("web-server.mjs"), place.open("firewall.mjs", PRELOAD), place.open("firewall.mjs")]);
  try {
    const { url } = await server.ask({});
    const measured = [];
    for (const [kind, { count, what, literal = false }] of Object.entries(kinds)) {
      /** @type {{ what: string, literal: boolean, guarded: Batch[], bare: Batch[] }} */
      const kept = { what, literal, guarded: [], bare: [] };
      const batch = (/** @type {typeof guarded} */ process, /** @type {Batch[]} */ into) => async () => { into.push(await process.ask({ kind, count, url })); };
      const [ours, theirs] = [batch(guarded, kept.guarded), batch(bare, kept.bare)];
      await inTurns(5, [ours, theirs]);
      kept.guarded.length = kept.bare.length = 0;
      await inTurns(Math.ceil(ROUNDS / 2), [ours, theirs, theirs, ours]);
      measured.push(kept);
    }
    return section(measured);
  } finally {
    await Promise.all([server, guarded, bare].map(({ close }) => close()));
  }
}

/** @param {readonly Batch[]} guarded @param {readonly Batch[]} bare @param {(batch: Batch) => number} figure */
function differences(guarded, bare, figure) {
  return guarded.map((batch, index) => figure(batch) - figure(/** @type {Batch} */ (bare[index])));
}

/** @param {readonly Measured[]} measured @returns {import("../figures.mjs").Section} */
function perConnection(measured) {
  const rows = measured.flatMap(({ what, literal, guarded, bare }) => [
    { what, unit: "us", ours: guarded.map(({ us }) => us), stock: bare.map(({ us }) => us) },
    {
      what: `${what}: added processor time`, unit: "us", ours: differences(guarded, bare, ({ cpuUs }) => cpuUs),
      ...(literal ? { goals: [oursAtMost(2)] } : { note: "the caller's stack is captured, for the event in case the name leads to a metadata service" }),
    },
  ]);
  return { title: "The firewall, per connection to a closed port (stock: Node.js without the preload)", rows };
}

/** @param {readonly Measured[]} measured @returns {import("../figures.mjs").Section} */
function perRequest(measured) {
  const rows = measured.flatMap(({ what, guarded, bare }) => [
    { what, unit: "requests/s", ours: guarded.map(({ us }) => 1e6 / us), stock: bare.map(({ us }) => 1e6 / us), goals: [ratioAtLeast(0.98)] },
    { what: `${what}: processor time of each`, unit: "us", ours: guarded.map(({ cpuUs }) => cpuUs), stock: bare.map(({ cpuUs }) => cpuUs) },
  ]);
  return { title: "The firewall, throughput of an HTTP client (stock: Node.js without the preload)", rows };
}

/** @param {import("../place.mjs").Place} place @returns {Promise<import("../figures.mjs").Section>} */
async function starting(place) {
  const [ours, stock] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
  const start = (/** @type {number[]} */ into, /** @type {string[]} */ execArgv) => async () => { into.push((await place.run("nothing.mjs", {}, { execArgv })).totalMs); };
  await inTurns(STARTS, [start(ours, PRELOAD), start(stock, [])]);
  const added = ours.map((ms, index) => ms - /** @type {number} */ (stock[index]));
  const rows = [
    { what: "start and end of an empty program", unit: "ms", ours, stock },
    { what: "added by the preload", unit: "ms", ours: added, goals: [oursAtMost(15)] },
  ];
  return { title: "The firewall, start of a process (stock: Node.js without the preload)", rows };
}
