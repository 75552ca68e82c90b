// @ts-check
/** Calls per second of a provider that already has its credentials. */
import { order, report } from "./order.mjs";

/** @type {{ module: string, guard?: object, calls: number, rounds: number }} */
const { module, guard, calls, rounds } = order();

const { fromNodeProviderChain } = await import(module);
const provider = fromNodeProviderChain(guard === undefined ? {} : { guard });
await provider();

/** @returns {Promise<number>} */
async function rate() {
  const began = performance.now();
  for (let count = 0; count < calls; count += 1) await provider();
  return (calls * 1000) / (performance.now() - began);
}

await rate();
const rates = [];
for (let round = 0; round < rounds; round += 1) rates.push(await rate());
report({ rates });
