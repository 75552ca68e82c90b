/** Requests by program, version and outcome, in the text format of Prometheus. */
import { metricLabel } from "../base/text.js";
import type { Exchange } from "./responder.js";

/** Counts requests. */
export interface Counter {
  readonly count: (exchange: Exchange) => void;
  /** All metrics, as Prometheus reads them. */
  readonly text: () => string;
}

/** Programs that are counted by name; those beyond are counted together. */
const MAX_SERIES = 500;

export function createCounter(): Counter {
  const series = new Map<string, number>();
  let others = 0;
  return {
    count({ caller, version, outcome }) {
      const program = caller.bridge ?? caller.program ?? "unknown";
      const labels = `program="${metricLabel(program)}",version="${version}",verdict="${outcome}"`;
      const before = series.get(labels);
      if (before === undefined && series.size >= MAX_SERIES) others += 1;
      else series.set(labels, (before ?? 0) + 1);
    },
    text() {
      const rows = [...series].map(([labels, count]) => `imds_guard_gateway_requests_total{${labels}} ${count}\n`);
      return [
        "# HELP imds_guard_gateway_requests_total Requests by program, IMDS version and what became of them.\n",
        "# TYPE imds_guard_gateway_requests_total counter\n",
        ...rows,
        "# HELP imds_guard_gateway_uncounted_total Requests of programs beyond those counted by name.\n",
        "# TYPE imds_guard_gateway_uncounted_total counter\n",
        `imds_guard_gateway_uncounted_total ${others}\n`,
        "# HELP process_resident_memory_bytes Resident memory of this process.\n",
        "# TYPE process_resident_memory_bytes gauge\n",
        `process_resident_memory_bytes ${process.memoryUsage.rss()}\n`,
      ].join("");
    },
  };
}
