import { describe, expect, test } from "vitest";
import { boundAscii, boundText } from "../../src/events/bounded-text.js";
import { fc } from "../support/properties.js";

describe("boundText", () => {
  test.each([
    ["plain", 10, "plain"],
    ["a\nb", 10, "a\\u000ab"],
    ["\u001b[31m", 20, "\\u001b[31m"],
    ["\u202eabc\u200b", 40, "\\u202eabc\\u200b"],
    ["\u2028", 10, "\\u2028"],
    ["\ud800x", 10, "\\ud800x"],
    ["gr\u00fc\u00dfe \u{1f600}", 20, "gr\u00fc\u00dfe \u{1f600}"],
    ["0123456789", 10, "0123456789"],
    ["0123456789a", 10, "0123456..."],
    ["0123456\n", 10, "0123456..."],
    ["", 10, ""],
  ])("%j within %i", (text, max, expected) => {
    expect(boundText(text, max)).toBe(expected);
  });

  test("an escape is never cut in two", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 3, max: 60 }), (text, max) => {
        const out = boundAscii(text.replaceAll("\\", ""), max);
        expect(out.length).toBeLessThanOrEqual(max);
        expect(out).toMatch(/^(?:\\u[0-9a-f]{4}|[ -[\]-~])*$/);
      }),
    );
  });

  test("a second pass changes nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const once = boundText(text, 100);
        expect(boundText(once, 100)).toBe(once);
      }),
    );
  });
});
