// @ts-check
/**
 * What the preload costs a program that never goes near a metadata service: each connection, each request, the start.
 */
import { fileURLToPath } from "node:url";
import { oursAtLeast, oursAtMost } from "../figures.mjs";
import { inTurns } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const preload = (/** @type {string} */ path) => ["-r", fileURLToPath(new URL(path, import.meta.url))];
const PRELOAD = preload("../../dist/register.cjs");
const NO_KERNEL = preload("../clients/no-kernel.cjs");
const STARTS = 41;

/**
 * Kind -> operations in a batch, and what the batch is called. Batches are long enough that caches are warm, and short:
 * both of a pair have to meet the cores at the same speed.
 */
const CONNECTIONS = {
  v4: { count: 500, what: "connect to an IPv4 literal", literal: true },
  v6: { count: 500, what: "connect to an IPv6 literal", literal: true },
  name: { count: 500, what: "connect to a host name" },
};
const REQUESTS = {
  http: { count: 400, what: "node:http, one connection kept alive" },
  fetch: { count: 200, what: "fetch, one connection kept alive" },
};

/** @returns {Promise<import("../figures.mjs").Section[]>} */
export function firewall() {
  return withPlace({ host: "laptop", network: "none" }, async (place) => [
    perConnection(
      await running(place, { kinds: CONNECTIONS, pairs: 160, execArgv: NO_KERNEL }),
      await running(place, { kinds: CONNECTIONS, pairs: 40, execArgv: [] }),
    ),
    perRequest(await running(place, { kinds: REQUESTS, pairs: 80, execArgv: [] })),
    await starting(place),
  ]);
}

/** @typedef {{ us: number, cpuUs: number }} Batch */
/** @typedef {{ count: number, what: string, literal?: boolean }} Kind */
/** @typedef {{ what: string, literal: boolean, guarded: readonly Batch[], bare: readonly Batch[] }} Measured */

/**
 * Both processes stay, and take their batches in turns, each pair in the other order than the one before.
 *
 * @param {import("../place.mjs").Place} place
 * @param {{ kinds: Readonly<Record<string, Kind>>, pairs: number, execArgv: readonly string[] }} extent `execArgv`: of
 * both
 * @returns {Promise<readonly Measured[]>}
 */
async function running(place, { kinds, pairs, execArgv }) {
  const [server, guarded, bare] = await Promise.all([
    place.open("web-server.mjs"),
    place.open("firewall.mjs", [...execArgv, ...PRELOAD]),
    place.open("firewall.mjs", execArgv),
  ]);
  try {
    const { url } = await server.ask({});
    const measured = [];
    for (const [kind, { count, what, literal = false }] of Object.entries(kinds)) {
      /** @type {{ what: string, literal: boolean, guarded: Batch[], bare: Batch[] }} */
      const kept = { what, literal, guarded: [], bare: [] };
      const batch = (/** @type {typeof guarded} */ process, /** @type {Batch[]} */ into) => async () => {
        into.push(await process.ask({ kind, count, url }));
      };
      const [ours, theirs] = [batch(guarded, kept.guarded), batch(bare, kept.bare)];
      await inTurns(20, [ours, theirs]);
      kept.guarded.length = kept.bare.length = 0;
      await inTurns(pairs / 2, [ours, theirs, theirs, ours]);
      measured.push(kept);
    }
    return measured;
  } finally {
    await Promise.all([server, guarded, bare].map(({ close }) => close()));
  }
}

/** Pair by pair. @param {Measured} measured @param {(guarded: Batch, bare: Batch) => number} figure */
function paired({ guarded, bare }, figure) {
  return guarded.map((batch, index) => figure(batch, /** @type {Batch} */ (bare[index])));
}

/**
 * @param {readonly Measured[]} alone without the kernel @param {readonly Measured[]} whole @returns
 * {import("../figures.mjs").Section}
 */
function perConnection(alone, whole) {
  const added = alone.map((measured) => ({
    what: `${measured.what}: added, the kernel left out`,
    unit: "us",
    ours: paired(measured, (guarded, bare) => guarded.us - bare.us),
    ...(measured.literal
      ? { goals: [oursAtMost(2)] }
      : { note: "the caller's stack is captured, for the event in case the name leads to a metadata service" }),
  }));
  const rows = whole.map(({ what, guarded, bare }) => ({
    what,
    unit: "us",
    ours: guarded.map(({ us }) => us),
    stock: bare.map(({ us }) => us),
  }));
  return {
    title: "The firewall, per connection to a closed port (stock: Node.js without the preload)",
    rows: [...rows, ...added],
  };
}

/** @param {readonly Measured[]} requests @returns {import("../figures.mjs").Section} */
function perRequest(requests) {
  const rows = requests.flatMap((measured) => [
    {
      what: measured.what,
      unit: "requests/s",
      ours: measured.guarded.map(({ us }) => 1e6 / us),
      stock: measured.bare.map(({ us }) => 1e6 / us),
    },
    {
      what: `${measured.what}: throughput, of that without the preload`,
      unit: "x",
      ours: paired(measured, (guarded, bare) => bare.us / guarded.us),
      goals: [oursAtLeast(0.98)],
    },
    {
      what: `${measured.what}: processor time of each`,
      unit: "us",
      ours: measured.guarded.map(({ cpuUs }) => cpuUs),
      stock: measured.bare.map(({ cpuUs }) => cpuUs),
    },
  ]);
  return { title: "The firewall, throughput of an HTTP client (stock: Node.js without the preload)", rows };
}

/** @param {import("../place.mjs").Place} place @returns {Promise<import("../figures.mjs").Section>} */
async function starting(place) {
  const [ours, stock] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
  const start = (/** @type {number[]} */ into, /** @type {readonly string[]} */ execArgv) => async () => {
    into.push((await place.run("empty.cjs", {}, { execArgv })).totalMs);
  };
  const [guarded, bare] = [start(ours, PRELOAD), start(stock, [])];
  await inTurns(Math.ceil(STARTS / 2), [guarded, bare, bare, guarded]);
  const added = ours.map((ms, index) => ms - /** @type {number} */ (stock[index]));
  const rows = [
    { what: "start and end of an empty program", unit: "ms", ours, stock },
    { what: "added by the preload", unit: "ms", ours: added, goals: [oursAtMost(15)] },
  ];
  return { title: "The firewall, start of a process (stock: Node.js without the preload)", rows };
}
