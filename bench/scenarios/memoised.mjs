// @ts-check
/**
 * Calls of a provider that has its credentials, and very many first calls at once of one that shares nothing in the
 * stock SDK.
 */
import { oursAtMost, ratioAtLeast } from "../figures.mjs";
import { ATTESTED, genuine, inTurns, OURS, STOCK } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const PROCESSES = 5;
const CALLS = 200_000;
const CALLERS = 1_000;

const KEYS = { AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY: "exampleSecretOfTheDocumentation" };

/** @returns {Promise<import("../figures.mjs").Section[]>} */
export function memoised() {
  return withPlace({ host: "ec2-nitro", network: "self" }, async (place) => {
    await place.serve(genuine(2));
    return [await calls(place), await crowded(place)];
  });
}

/** @param {import("../place.mjs").Place} place @returns {Promise<import("../figures.mjs").Section>} */
async function calls(place) {
  /** @type {Record<string, { ours: number[], stock: number[] }>} */
  const rates = { environment: { ours: [], stock: [] }, IMDS: { ours: [], stock: [] } };
  await inTurns(
    PROCESSES,
    Object.entries(rates).flatMap(([source, kept]) => [
      async () => {
        kept.ours.push(...(await rate(place, source, { module: OURS, guard: ATTESTED })));
      },
      async () => {
        kept.stock.push(...(await rate(place, source, { module: STOCK })));
      },
    ]),
  );
  const rows = Object.entries(rates).map(([source, kept]) => ({
    what: `fromNodeProviderChain: credentials of the ${source} held`,
    unit: "calls/s",
    ...kept,
    goals: [ratioAtLeast(1)],
  }));
  return { title: "Memoised calls", rows };
}

/**
 * @param {import("../place.mjs").Place} place @param {string} source @param {object} asked @returns {Promise<number[]>}
 */
async function rate(place, source, asked) {
  const { rates } = await place.run(
    "memoised.mjs",
    { ...asked, calls: CALLS, rounds: 5 },
    { env: source === "IMDS" ? {} : KEYS },
  );
  return rates;
}

/**
 * Of the chain, see the scenario of callers; more connections at once of the stock provider of this name only fail.
 * @param {import("../place.mjs").Place} place @returns {Promise<import("../figures.mjs").Section>}
 */
async function crowded(place) {
  const [ours, stock] = [emptyCrowd(), emptyCrowd()];
  await inTurns(3, [
    () => crowd(place, ours, { module: OURS, guard: ATTESTED, door: "instance", callers: CALLERS }),
    () => crowd(place, stock, { module: STOCK, door: "instance", callers: CALLERS }),
  ]);
  const rows = [
    { what: "token requests", unit: "requests", ours: ours.tokens, stock: stock.tokens, goals: [oursAtMost(1)] },
    {
      what: "all requests",
      unit: "requests",
      ours: ours.requests,
      stock: stock.requests,
      note: "ours, attested: token, role, signed document, profile, credentials",
    },
    { what: "all settled", unit: "ms", ours: ours.ms, stock: stock.ms },
    { what: "calls that failed", unit: "calls", ours: ours.failed, stock: stock.failed, goals: [oursAtMost(0)] },
    { what: "growth of peak RSS", unit: "MiB", ours: ours.rss, stock: stock.rss },
  ];
  return {
    title: `fromInstanceMetadata: ${CALLERS.toLocaleString("en-US")} first calls at once, 2 ms before each answer`,
    rows,
  };
}

function emptyCrowd() {
  return {
    tokens: /** @type {number[]} */ ([]),
    requests: /** @type {number[]} */ ([]),
    ms: /** @type {number[]} */ ([]),
    failed: /** @type {number[]} */ ([]),
    rss: /** @type {number[]} */ ([]),
  };
}

/** @param {import("../place.mjs").Place} place @param {ReturnType<typeof emptyCrowd>} kept @param {object} asked */
async function crowd(place, kept, asked) {
  const before = await place.seen();
  const { ms, failed, rssGrowth } = await place.run("crowd.mjs", asked);
  const after = await place.seen();
  const token = (/** @type {any} */ counters) => counters.byRequest["PUT /latest/api/token"] ?? 0;
  kept.tokens.push(token(after) - token(before));
  kept.requests.push(after.total - before.total);
  kept.ms.push(ms);
  kept.failed.push(failed);
  kept.rss.push(rssGrowth);
}
