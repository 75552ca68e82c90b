// @ts-check
/** Scans one log with so many rules, in a process of its own: time, and the most memory that it ever had. */
import { ruleSet } from "../rule-sets.mjs";
import { order, report } from "./order.mjs";

/**
 * @type {{ modules: Record<"scan" | "log-stream" | "log-formats" | "sigma-evaluator" | "sigma-rules", string>, file:
 * string, rules: number, thorough: boolean }}
 */
const { modules, file, rules: count, thorough } = order();

const [{ scan }, { openLog }, { formatOf }, { readsFrom }, { SIGMA_RULES }] = await Promise.all(
  [modules.scan, modules["log-stream"], modules["log-formats"], modules["sigma-evaluator"], modules["sigma-rules"]].map(
    (url) => import(url),
  ),
);
const reads = (/** @type {any} */ rule) =>
  rule.logsource !== undefined &&
  formatOf("suricata").sources.some((/** @type {object} */ source) => readsFrom(rule.logsource, source));
const rules = ruleSet(SIGMA_RULES, count, reads);

const before = process.cpuUsage();
const began = performance.now();
const { bytes, lines, findings } = await scan([{ name: file, stream: openLog(file) }], { rules, thorough });
const wallSeconds = (performance.now() - began) / 1_000;
const { user, system } = process.cpuUsage(before);
// The high-water mark of the kernel, in KiB.
report({
  bytes,
  lines,
  findings,
  wallSeconds,
  cpuSeconds: (user + system) / 1e6,
  peakRss: process.resourceUsage().maxRSS / 1_024,
  rules: rules.length,
  reading: rules.filter(reads).length,
});
