import { expect, it } from "vitest";
import { membersOf } from "../../src/base/members-of.js";

it("takes members where they are", async () => {
  const namespace = await import("@smithy/shared-ini-file-loader");
  expect(membersOf(namespace).parseKnownFiles).toBeTypeOf("function");
});

it("takes them from behind default where a bundler put them", () => {
  const whole = { parseKnownFiles: () => undefined };
  expect(membersOf({ default: whole })).toBe(whole);
  expect(membersOf({ default: whole, "module.exports": whole })).toBe(whole);
});

it("leaves alone what has members of its own, or a default that is none", () => {
  const own = { default: {}, parseKnownFiles: () => undefined };
  expect(membersOf(own)).toBe(own);
  const text = { default: "text" };
  expect(membersOf(text)).toBe(text);
});
