/** The gateway's metrics. */
import { expect, it } from "vitest";
import { createCounter } from "../../src/gateway/counters.js";
import { exchange } from "./exchange.js";

const text = (rows: readonly string[], others: number): string => `\
# HELP imds_guard_gateway_requests_total Requests by program, IMDS version and what became of them.
# TYPE imds_guard_gateway_requests_total counter
${rows.map((row) => `imds_guard_gateway_requests_total${row}\n`).join("")}\
# HELP imds_guard_gateway_uncounted_total Requests of programs beyond those counted by name.
# TYPE imds_guard_gateway_uncounted_total counter
imds_guard_gateway_uncounted_total ${others}
# HELP process_resident_memory_bytes Resident memory of this process.
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes N
`;
const told = (counter: { readonly text: () => string }): string =>
  counter.text().replace(/(?<=^process_resident_memory_bytes )\d{6,}$/m, "N");

it("counts by program or bridge, version and verdict, with names that cannot break a line", () => {
  const counter = createCounter();
  expect(told(counter)).toBe(text([], 0));
  const odd = 'a"\n\\b';
  for (const given of [
    exchange(),
    exchange({ version: 1 }),
    exchange({ outcome: "denied" }),
    exchange({}, { program: odd }),
    exchange({}, { program: undefined }),
    exchange({}, { bridge: "docker0" }),
    exchange(),
  ])
    counter.count(given);
  expect(told(counter)).toBe(
    text(
      [
        '{program="curl",version="2",verdict="answered"} 2',
        '{program="curl",version="1",verdict="answered"} 1',
        '{program="curl",version="2",verdict="denied"} 1',
        '{program="a\\"\\n\\\\b",version="2",verdict="answered"} 1',
        '{program="unknown",version="2",verdict="answered"} 1',
        '{program="docker0",version="2",verdict="answered"} 1',
      ],
      0,
    ),
  );
});

it("counts programs beyond the first five hundred together", () => {
  const counter = createCounter();
  for (let index = 0; index < 503; index += 1) counter.count(exchange({}, { program: `p${index}` }));
  counter.count(exchange({}, { program: "p499" }));
  expect(told(counter)).toBe(
    text(
      Array.from({ length: 500 }, (_, i) => `{program="p${i}",version="2",verdict="answered"} ${i === 499 ? 2 : 1}`),
      3,
    ),
  );
});
