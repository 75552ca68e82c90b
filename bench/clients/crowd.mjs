// @ts-check
/** Many callers at once, before anything is there: time, memory, and how many of them failed. */
import { order, report } from "./order.mjs";

/** @type {{ module: string, door: "instance" | "chain", guard?: object, callers: number }} */
const { module, door, guard, callers } = order();

const { fromInstanceMetadata, fromNodeProviderChain } = await import(module);
const provider = (door === "chain" ? fromNodeProviderChain : fromInstanceMetadata)(guard === undefined ? {} : { guard });

const rssBefore = process.memoryUsage.rss();
const began = performance.now();
const outcomes = await Promise.allSettled(Array.from({ length: callers }, () => provider()));
const ms = performance.now() - began;
// The high-water mark of the kernel, in KiB: nothing between two samples is missed.
const peak = process.resourceUsage().maxRSS * 1024;
report({ ms, rssGrowth: (peak - rssBefore) / 2 ** 20, peakRss: peak / 2 ** 20, failed: outcomes.filter(({ status }) => status === "rejected").length });
