/**
 * A renewal that ends in a finding takes back what was remembered; one that ends in an outage or a refusal does not.
 */
import { describe, expect, it } from "vitest";
import { ImdsImpersonationError, ImdsRefusedError, ImdsUnavailableError } from "../../src/base/errors.js";
import { memoize } from "../../src/sdk/memoize.js";

const finding = new ImdsImpersonationError("ERR_IMDS_IDENTITY_CHANGED", "changed", { advice: "none" });
const outage = new ImdsUnavailableError("ERR_IMDS_TIMEOUT", "late", { advice: "none" });
const refusal = new ImdsRefusedError("ERR_IMDS_NOT_EC2", "not asked", { advice: "none" });
const MINUTE = 60_000;

/** Resolves with each outcome in turn. */
function source(...outcomes: (Error | { expiration: Date })[]): () => Promise<{ expiration: Date }> {
  return () => {
    const outcome = outcomes.shift();
    return outcome === undefined || outcome instanceof Error
      ? Promise.reject(outcome ?? new Error("asked too often"))
      : Promise.resolve(outcome);
  };
}
const lasting = (minutes: number) => ({ expiration: new Date(Date.now() + minutes * MINUTE) });

describe("a forced renewal", () => {
  it("that ends in a finding drops what was held", async () => {
    const later = lasting(60);
    const provide = memoize(source(lasting(60), finding, later));
    await provide();
    await expect(provide({ forceRefresh: true })).rejects.toBe(finding);
    expect(await provide()).toBe(later);
  });

  it("that ends in an outage keeps what was held", async () => {
    const first = lasting(60);
    const provide = memoize(source(first, outage));
    await provide();
    await expect(provide({ forceRefresh: true })).rejects.toBe(outage);
    expect(await provide()).toBe(first);
  });
});

describe("a renewal in the background", () => {
  it("that ends in a finding drops what was held", async () => {
    const later = lasting(60);
    const near = lasting(2);
    const provide = memoize(source(near, finding, later));
    await provide();
    expect(await provide()).toBe(near);
    await new Promise(setImmediate);
    expect(await provide()).toBe(later);
  });

  it.each([
    ["an outage", outage],
    ["a refusal", refusal],
  ])("that ends in %s keeps what was held", async (_, failure) => {
    const near = lasting(2);
    const provide = memoize(source(near, failure, failure));
    await provide();
    expect(await provide()).toBe(near);
    await new Promise(setImmediate);
    expect(await provide()).toBe(near);
  });
});
