// @ts-check
/**
 * Asks for credentials where there are none: the first call of the process, calls of new providers, and repeated calls
 * of one.
 */
import { order, report } from "./order.mjs";

/**
 * @type {{ module: string, door: "guard" | "instance" | "chain", guard?: object, sdkLoaded: boolean, fresh: number,
 * repeated: number }}
 */
const { module, door, guard, sdkLoaded, fresh, repeated } = order();

if (sdkLoaded) await Promise.all([import("@aws-sdk/client-sts"), import("@aws-sdk/credential-providers")]);
const { createGuard, fromInstanceMetadata, fromNodeProviderChain } = await import(module);

/** @returns {() => Promise<unknown>} */
function newProvider() {
  const init = guard === undefined ? {} : { guard };
  if (door === "chain") return fromNodeProviderChain(init);
  if (door === "instance") return fromInstanceMetadata(init);
  const made = createGuard(guard);
  return () => made.credentials();
}

/** @param {() => Promise<unknown>} provider @returns {Promise<number>} milliseconds until it refused */
async function refusal(provider) {
  const began = performance.now();
  try {
    await provider();
  } catch {
    return performance.now() - began;
  }
  throw new Error("somebody gave credentials where nobody is");
}

const madeAt = performance.now();
const provider = newProvider();
const made = performance.now() - madeAt;
const first = made + (await refusal(provider));

const warm = [];
for (let count = 0; count < fresh; count += 1) {
  const began = performance.now();
  await refusal(newProvider());
  warm.push(performance.now() - began);
}

let again;
if (repeated > 0) {
  const batch = [];
  for (let round = 0; round < 5; round += 1) {
    const began = performance.now();
    for (let count = 0; count < repeated; count += 1) await refusal(provider);
    batch.push(((performance.now() - began) * 1000) / repeated);
  }
  again = batch;
}
report({ first, warm, again });
