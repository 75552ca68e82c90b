/** What repeats is counted, what is new passes at once, and nobody makes more kinds than there are places. */
import { expect, test } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createRepeats, MAX_KINDS, REPEAT_WINDOW_MS } from "../../src/events/repeats.js";
import { CATALOGUE } from "../../src/events/catalogue.js";
import { fc } from "../support/properties.js";

const event = (details: Partial<GuardEvent> = {}): GuardEvent => ({
  id: "0",
  time: "2026-11-19T10:00:00.000Z",
  code: "imds.attestation_failed",
  severity: "critical",
  action: "blocked",
  message: "m",
  evidence: [],
  caller: { pid: 1, argv0: "node" },
  advice: "",
  refs: [],
  ...details,
});

test("a repeat is written once in ten minutes, with its count", () => {
  const repeats = createRepeats();
  expect(repeats.pass(event(), 0)).toEqual([{ event: event() }]);
  for (let n = 1; n < 1_000; n += 1) expect(repeats.pass(event({ id: String(n), message: `m${n}` }), n)).toEqual([]);
  expect(repeats.next()).toBe(REPEAT_WINDOW_MS);
  expect(repeats.due(REPEAT_WINDOW_MS - 1)).toEqual([]);
  expect(repeats.due(REPEAT_WINDOW_MS)).toEqual([{ event: event({ id: "999", message: "m999" }), repeats: 999 }]);
  expect(repeats.next()).toBeUndefined();
  expect(repeats.pass(event(), REPEAT_WINDOW_MS + 1)).toEqual([]);
  expect(repeats.due(REPEAT_WINDOW_MS + 2, true)).toEqual([{ event: event(), repeats: 1 }]);
  expect(repeats.due(REPEAT_WINDOW_MS + 3, true)).toEqual([]);
});

test("a kind that has been quiet for ten minutes is news", () => {
  const repeats = createRepeats();
  repeats.pass(event(), 0);
  expect(repeats.pass(event(), REPEAT_WINDOW_MS)).toEqual([{ event: event() }]);
});

test.each<[string, Partial<GuardEvent>]>([
  ["code", { code: "imds.instance_mismatch" }],
  ["endpoint", { endpoint: { address: "169.254.169.254", port: 80 } }],
  ["responder", { responder: { mac: "02:00:5e:10:00:01" } }],
  ["account", { claimed: { accountId: "111122223333" } }],
])("another %s is another kind", (_, details) => {
  const repeats = createRepeats();
  repeats.pass(event(), 0);
  expect(repeats.pass(event(details), 1)).toHaveLength(1);
});

test("whoever makes up accounts fills no file, and nothing is lost from the count", () => {
  fc.assert(
    fc.property(fc.integer({ min: MAX_KINDS, max: 2_000 }), (claims) => {
      const repeats = createRepeats();
      let written = 0;
      let counted = 0;
      const note = (lines: ReturnType<typeof repeats.due>): void => {
        written += lines.length;
        for (const line of lines) counted += line.repeats ?? 1;
      };
      for (let n = 0; n < claims; n += 1)
        note(repeats.pass(event({ claimed: { accountId: String(n).padStart(12, "0") } }), n));
      expect(written).toBeLessThanOrEqual(MAX_KINDS + Object.keys(CATALOGUE).length);
      note(repeats.due(claims, true));
      expect(counted).toBe(claims);
    }),
    { numRuns: 10 },
  );
});
