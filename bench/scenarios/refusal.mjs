// @ts-check
/** A laptop without credentials on a network that drops every packet to the metadata address. */
import { oursAtMost, speedupAtLeast } from "../figures.mjs";
import { inTurns, OURS, STOCK } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const COLD_RUNS = 11;
const STOCK_RUNS = 3;

/** @returns {Promise<import("../figures.mjs").Section>} */
export function refusal() {
  return withPlace({ host: "laptop", network: "silent" }, measure);
}

/** @param {import("../place.mjs").Place} place @returns {Promise<import("../figures.mjs").Section>} */
async function measure(place) {
  // On loopback there is no way to drop packets, so only a refusal that no network has a part in can be measured.
  const ourGuard = place.isolated ? {} : { guard: { mode: "deny" } };
  const ask = (/** @type {object} */ order) =>
    place.run("refusal.mjs", { sdkLoaded: true, fresh: 0, repeated: 0, module: OURS, ...ourGuard, ...order });

  /** @type {Record<"guard" | "instance" | "chain", { first: number[], warm: number[], again: number[] }>} */
  const ours = {
    guard: { first: [], warm: [], again: [] },
    instance: { first: [], warm: [], again: [] },
    chain: { first: [], warm: [], again: [] },
  };
  const doors = /** @type {const} */ (["guard", "instance", "chain"]);
  const bare = { first: /** @type {number[]} */ ([]) };
  await inTurns(COLD_RUNS, [
    ...doors.map((door) => async () => {
      const { first, warm, again } = await ask({ door, fresh: 20, repeated: door === "chain" ? 100 : 1_000 });
      ours[door].first.push(first);
      ours[door].warm.push(...warm);
      ours[door].again.push(...again);
    }),
    async () => {
      bare.first.push((await ask({ door: "guard", sdkLoaded: false })).first);
    },
  ]);

  /** @type {Record<"instance" | "chain", { first: number[], warm: number[] } | undefined>} */
  const stock = { instance: undefined, chain: undefined };
  if (place.isolated) {
    // Waiting costs no processor time, so these may wait together.
    const answers = await Promise.all(
      /** @type {const} */ (["instance", "chain"]).flatMap((door) =>
        Array.from({ length: STOCK_RUNS }, async () => ({
          door,
          ...(await ask({ door, module: STOCK, guard: undefined, fresh: 2 })),
        })),
      ),
    );
    for (const { door, first, warm } of answers) {
      const kept = (stock[/** @type {"instance" | "chain"} */ (door)] ??= { first: [], warm: [] });
      kept.first.push(first);
      kept.warm.push(...warm);
    }
  }

  const rows = [
    {
      what: "fromNodeProviderChain: new provider, modules loaded",
      unit: "ms",
      ours: ours.chain.warm,
      stock: stock.chain?.warm,
      goals: [speedupAtLeast(500)],
    },
    {
      what: "fromInstanceMetadata: new provider, modules loaded",
      unit: "ms",
      ours: ours.instance.warm,
      stock: stock.instance?.warm,
      goals: [speedupAtLeast(500)],
    },
    {
      what: "fromNodeProviderChain: first call of a process, SDK imported",
      unit: "ms",
      ours: ours.chain.first,
      stock: stock.chain?.first,
    },
    {
      what: "fromInstanceMetadata: first call of a process, SDK imported",
      unit: "ms",
      ours: ours.instance.first,
      stock: stock.instance?.first,
      goals: [oursAtMost(5)],
    },
    {
      what: "createGuard().credentials(): first call of a process",
      unit: "ms",
      ours: bare.first,
      goals: [oursAtMost(5)],
    },
    {
      what: "createGuard().credentials(): the same, SDK imported",
      unit: "ms",
      ours: ours.guard.first,
      goals: [oursAtMost(5)],
    },
    { what: "createGuard().credentials(): repeated", unit: "us", ours: ours.guard.again, goals: [oursAtMost(50)] },
    { what: "fromInstanceMetadata: repeated", unit: "us", ours: ours.instance.again, goals: [oursAtMost(50)] },
    {
      what: "fromNodeProviderChain: repeated",
      unit: "us",
      ours: ours.chain.again,
      note: "asks the SDK's own links again each time, as the stock chain does",
    },
  ];
  const where = place.isolated
    ? "a laptop without credentials, packets to the metadata address dropped"
    : "mode deny (no namespaces: the stock SDK is not measured)";
  return {
    title: `Refusal: ${where}`,
    rows: rows.map(({ stock: beside, ...row }) => ({ ...row, ...(beside && { stock: beside }) })),
  };
}
