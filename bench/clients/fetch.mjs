// @ts-check
/**
 * Takes credentials from IMDS: the first call of the process, new providers once everything is loaded, and refreshes.
 */
import { order, report } from "./order.mjs";

/**
 * @type {{ module: string, door: "instance" | "chain", guard?: object, clientLoaded: boolean, fresh: number, refreshes:
 * number }}
 */
const { module, door, guard, clientLoaded, fresh, refreshes } = order();

if (clientLoaded) await import("@aws-sdk/client-sts");
const began = performance.now();
const { fromInstanceMetadata, fromNodeProviderChain } = await import(module);
const imported = performance.now();

const newProvider = () =>
  (door === "chain" ? fromNodeProviderChain : fromInstanceMetadata)(guard === undefined ? {} : { guard });

const provider = newProvider();
const { accessKeyId } = await provider();
const first = performance.now() - imported;
const fromImport = performance.now() - began;

/** @param {number} count @param {() => Promise<{ accessKeyId: string }>} work @returns {Promise<number[]>} */
async function times(count, work) {
  const samples = [];
  for (let done = 0; done < count; done += 1) {
    const start = performance.now();
    const credentials = await work();
    samples.push(performance.now() - start);
    if (credentials.accessKeyId !== accessKeyId) throw new Error("other credentials than before");
  }
  return samples;
}

const warm = await times(fresh, () => newProvider()());
const refresh = await times(refreshes, () => provider({ forceRefresh: true }));
report({ first, fromImport, warm, refresh });
