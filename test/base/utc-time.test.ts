/** Times as AWS writes them, and what only looks like one. */
import { describe, expect, test } from "vitest";
import { isUtcTime } from "../../src/base/utc-time.js";
import { fc } from "../support/properties.js";

describe("isUtcTime", () => {
  test.each([
    "2026-01-31T23:59:59Z",
    "2024-02-29T00:00:00Z",
    "2026-01-01T00:00:00.1Z",
    "2026-01-01T00:00:00.123456789Z",
  ])("%s is one", (text) => expect(isUtcTime(text)).toBe(true));

  test.each([
    "2026-02-29T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-12-31T23:59:60Z",
    "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00.1234567890Z",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00:00+00:00",
    "2026-01-01 00:00:00Z",
    " 2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z\n",
    "26-01-01T00:00:00Z",
    "",
  ])("%j is none", (text) => expect(isUtcTime(text)).toBe(false));

  test("every time that JavaScript writes is one, with and without the fraction", () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true }),
        (date) => {
          expect(isUtcTime(date.toISOString())).toBe(true);
          expect(isUtcTime(date.toISOString().replace(/\.\d+/, ""))).toBe(true);
        },
      ),
    );
  });
});
