// @ts-check
/**
 * What a call of one chain costs by how many call at once: where there is nobody, where there is the service, and once
 * it has answered.
 */
import { number, oursAtMost } from "../figures.mjs";
import { ATTESTED, genuine, inTurns, OURS, STOCK } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const CALLERS = [1, 10, 100, 1_000, 10_000, 100_000];
const FEW_CALLERS = [1, 100, 10_000];
const PROCESSES = 3;
/** New providers in a process: more of them where one storm is short. */
const STORMS = (/** @type {number} */ callers) => (callers <= 1_000 ? 20 : 5);
const HEAP = { execArgv: ["--expose-gc"] };

/** @typedef {import("../place.mjs").Place} Place */
/** @typedef {import("../figures.mjs").Row} Row */

/** @param {import("../figures.mjs").Extent} extent @returns {Promise<import("../figures.mjs").Section[]>} */
export async function callers({ short }) {
  const counts = short ? FEW_CALLERS : CALLERS;
  const processes = short ? 1 : PROCESSES;
  return [
    await withPlace({ host: "laptop", network: "silent" }, (place) => offEc2(place, counts, processes)),
    ...(await withPlace({ host: "ec2-nitro", network: "self" }, (place) => onEc2(place, counts, processes))),
  ];
}

function emptySide() {
  const none = () => /** @type {number[]} */ ([]);
  return { ms: none(), heldMs: none(), heap: none(), opened: none(), tokens: none(), requests: none(), failed: none() };
}
/** @typedef {ReturnType<typeof emptySide>} Side */
/** @typedef {{ count: number, ours: Side, stock: Side }} Measured */

/** @param {readonly number[]} counts @returns {Measured[]} */
const emptyOf = (counts) => counts.map((count) => ({ count, ours: emptySide(), stock: emptySide() }));

/**
 * @param {Place} place @param {readonly number[]} counts @param {number} processes @returns
 * {Promise<import("../figures.mjs").Section>}
 */
async function offEc2(place, counts, processes) {
  // On loopback there is no way to drop packets: see the scenario of refusals.
  const guard = place.isolated ? undefined : { mode: "deny" };
  const measured = emptyOf(counts);
  await inTurns(
    processes,
    measured.flatMap(({ count, ours, stock }) => [
      async () => {
        await first(place, ours, { module: OURS, guard, callers: count, lingerMs: 500 });
      },
      async () => {
        await warm(place, ours, { module: OURS, guard, callers: count });
      },
      // It waits for its timeouts, beside which nothing else shows: one storm tells everything.
      async () => {
        if (place.isolated) stock.ms.push(await first(place, stock, { module: STOCK, callers: count }));
      },
    ]),
  );
  const line = "refusal off EC2";
  const rows = measured.flatMap((of) => [
    ...times(of, "ms", line),
    // Ours is the probe, once in a process, in the background.
    row(of, "connections begun", "connections", "opened", {
      goals: [oursAtMost(1)],
      chart: "Sent to the metadata service by all callers together",
      line,
    }),
    heap(of, line),
  ]);
  const where = place.isolated
    ? "a laptop without credentials, packets to the metadata address dropped"
    : "mode deny (no namespaces: the stock SDK is not measured)";
  return { title: `Callers of one fromNodeProviderChain at once: ${where}`, rows };
}

/**
 * @param {Place} place @param {readonly number[]} counts @param {number} processes @returns
 * {Promise<import("../figures.mjs").Section[]>}
 */
async function onEc2(place, counts, processes) {
  await place.serve(genuine(2));
  const measured = emptyOf(counts);
  await inTurns(
    processes,
    measured.flatMap(({ count, ours, stock }) => [
      ...[
        { side: ours, asked: { module: OURS, guard: ATTESTED } },
        { side: stock, asked: { module: STOCK } },
      ].flatMap(({ side, asked }) => [
        async () => {
          await firstFetch(place, side, { ...asked, callers: count });
        },
        async () => {
          await warm(place, side, { ...asked, callers: count });
        },
      ]),
    ]),
  );
  const line = "first fetch on EC2";
  const cold = measured.flatMap((of) => [
    ...times(of, "ms", line),
    row(of, "token requests", "requests", "tokens", { goals: [oursAtMost(1)] }),
    row(of, "all requests", "requests", "requests", {
      chart: "Sent to the metadata service by all callers together",
      line,
    }),
    row(of, "calls that failed", "calls", "failed", { goals: [oursAtMost(0)] }),
    heap(of, line),
  ]);
  const held = measured.flatMap((of) => times(of, "heldMs", "held"));
  return [
    {
      title:
        "Callers of one fromNodeProviderChain at once: EC2 (simulated), first fetch, 2 ms before each answer; ours attested: token, role, signed document, profile, credentials",
      rows: cold,
    },
    { title: "Callers of one fromNodeProviderChain at once: credentials held", rows: held },
  ];
}

/**
 * The first calls of a process: what they hold and begin. @param {Place} place @param {Side} side @param {object} asked
 * @returns {Promise<number>} milliseconds
 */
async function first(place, side, asked) {
  const { ms, failed, heapEach, sent } = await place.run("crowd.mjs", { door: "chain", ...asked }, HEAP);
  side.heap.push(heapEach);
  side.failed.push(failed);
  if (sent !== undefined) side.opened.push(sent.connections);
  return ms;
}

/** The same where the service is: what it was asked. @param {Place} place @param {Side} side @param {object} asked */
async function firstFetch(place, side, asked) {
  const before = await place.seen();
  await first(place, side, asked);
  const after = await place.seen();
  const tokens = (/** @type {any} */ seen) => seen.byRequest["PUT /latest/api/token"] ?? 0;
  side.tokens.push(tokens(after) - tokens(before));
  side.requests.push(after.total - before.total);
}

/**
 * New providers, everything loaded: how long it takes. @param {Place} place @param {Side} side @param {{ callers:
 * number }} asked
 */
async function warm(place, side, asked) {
  const { cold, held } = await place.run("crowd.mjs", { door: "chain", ...asked, storms: STORMS(asked.callers) }, HEAP);
  side.ms.push(...cold);
  side.heldMs.push(...held);
}

/** @param {number} count */
const named = (count) => `${number(count)} ${count === 1 ? "caller" : "callers"}`;

/**
 * @param {Measured} measured
 * @param {string} what
 * @param {string} unit
 * @param {keyof Side} figure
 * @param {{ goals?: import("../figures.mjs").Goal[], chart?: string, line?: string, scale?: number }} [more]
 * @returns {Row}
 */
function row({ count, ours, stock }, what, unit, figure, { goals, chart, line = "", scale = 1 } = {}) {
  const of = (/** @type {Side} */ side) => side[figure].map((value) => value * scale);
  return {
    what: `${named(count)}: ${what}`,
    unit,
    ours: of(ours),
    ...(stock[figure].length > 0 && { stock: of(stock) }),
    ...(goals && { goals }),
    ...(chart !== undefined && { point: { chart, along: "callers at once", x: count, line } }),
  };
}

/** @param {Measured} measured @param {"ms" | "heldMs"} figure @param {string} line @returns {Row[]} */
function times(measured, figure, line) {
  return [
    row(measured, "time for each", "us", figure, {
      scale: 1_000 / measured.count,
      chart: "Time for each caller",
      line,
    }),
    row(measured, "all settled", "ms", figure),
  ];
}

/** @param {Measured} measured @param {string} line @returns {Row} */
function heap(measured, line) {
  return row(measured, "live heap for each that waits", "bytes", "heap", {
    chart: "Live heap for each caller that waits",
    line,
  });
}
