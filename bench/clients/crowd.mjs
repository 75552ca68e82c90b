// @ts-check
/**
 * Many callers at once, before anything is there: time, memory, and how many of them failed. Then, with everything
 * loaded, as many storms on new providers, each followed by one on what that provider holds by then.
 */
import { setTimeout as delay } from "node:timers/promises";
import { order, report } from "./order.mjs";

/**
 * @type {{ module: string, door: "instance" | "chain", guard?: object, callers: number, storms?: number, lingerMs?:
 * number }}
 */
const { module, door, guard, callers, storms = 0, lingerMs = 0 } = order();

const { fromInstanceMetadata, fromNodeProviderChain } = await import(module);
const newProvider = () =>
  (door === "chain" ? fromNodeProviderChain : fromInstanceMetadata)(guard === undefined ? {} : { guard });

const used = () => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/**
 * @param {() => Promise<unknown>} provider @param {() => void} [asked] called when everybody has asked, and nobody has
 * an answer
 */
async function storm(provider, asked) {
  const began = performance.now();
  const waiting = Array.from({ length: callers }, () => provider());
  asked?.();
  const outcomes = await Promise.allSettled(waiting);
  return { ms: performance.now() - began, failed: outcomes.filter(({ status }) => status === "rejected").length };
}

const provider = newProvider();
const rssBefore = process.memoryUsage.rss();
// Collecting garbage takes longer than the storm: where the heap is asked for, this storm tells no time.
const heapBefore = globalThis.gc === undefined ? undefined : used();
let heapEach;
const first = await storm(provider, () => {
  if (heapBefore !== undefined) heapEach = (used() - heapBefore) / callers;
});
// The high-water mark of the kernel, in KiB: nothing between two samples is missed.
const peak = process.resourceUsage().maxRSS * 1024;

// What is sent in the background shall be counted, too.
await delay(lingerMs);

const [cold, held] = [[], []];
for (let done = 0; done < storms; done += 1) {
  const next = newProvider();
  globalThis.gc?.();
  cold.push((await storm(next)).ms);
  globalThis.gc?.();
  held.push((await storm(next)).ms);
}
report({ ...first, rssGrowth: (peak - rssBefore) / 2 ** 20, peakRss: peak / 2 ** 20, heapEach, cold, held });
