/** When what a chain resolved is served again, and when it is asked once more. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { memoize } from "../../src/sdk/memoize.js";

const MINUTE = 60_000;
interface Keys {
  readonly name: number;
  readonly expiration?: Date;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_800_000_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Resolves with keys that last so many minutes, each of its own; `undefined`: without an end. */
function remembering(minutes: number | undefined, stateOf?: (keys: Keys) => "current" | "due" | "withdrawn") {
  const calls: unknown[] = [];
  const outcomes: Error[] = [];
  const provide = memoize<Keys, { readonly forceRefresh?: boolean }>((call) => {
    calls.push(call);
    const failure = outcomes.shift();
    if (failure !== undefined) return Promise.reject(failure);
    const end = minutes === undefined ? {} : { expiration: new Date(Date.now() + minutes * MINUTE) };
    return Promise.resolve({ name: calls.length, ...end });
  }, stateOf);
  return { provide, calls, outcomes };
}
const pass = (milliseconds: number): void => {
  vi.setSystemTime(Date.now() + milliseconds);
};
/** Until what runs in the background is done. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("keys", () => {
  it("are asked for once by all who ask at once, and again after a failure", async () => {
    const { provide, calls, outcomes } = remembering(60);
    outcomes.push(new Error("no"));
    const failed = await Promise.allSettled([provide(), provide()]);
    expect([failed.map(({ status }) => status), calls.length]).toEqual([["rejected", "rejected"], 1]);
    const [one, other] = await Promise.all([provide(), provide()]);
    expect([one === other, await provide(), calls.length]).toEqual([true, one, 2]);
  });

  it("without an end are served for ever", async () => {
    const { provide } = remembering(undefined);
    const keys = await provide();
    pass(1_000_000 * MINUTE);
    expect(await provide()).toBe(keys);
  });

  it("that last five minutes more are served, and are renewed in the background from then on, once", async () => {
    const { provide, calls } = remembering(60);
    const keys = await provide();
    pass(55 * MINUTE);
    expect([await provide(), calls.length]).toEqual([keys, 1]);
    pass(1);
    const call = {};
    expect(await Promise.all([provide(call), provide()])).toEqual([keys, keys]);
    expect(calls).toHaveLength(2);
    expect(calls[1]).toBe(call);
    await settle();
    expect([(await provide()).name, calls.length]).toEqual([2, 2]);
    pass(56 * MINUTE);
    await provide();
    await settle();
    expect((await provide()).name).toBe(3);
  });

  it("that have ended are served no more, whatever is there instead", async () => {
    const { provide, outcomes } = remembering(60);
    const keys = await provide();
    pass(60 * MINUTE - 1);
    expect(await provide()).toBe(keys);
    await settle();
    pass(60 * MINUTE);
    outcomes.push(new Error("no"));
    await expect(provide()).rejects.toThrow("no");
    expect((await provide()).name).toBeGreaterThan(2);
  });

  it("that end at this moment are not served", async () => {
    const { provide } = remembering(60);
    await provide();
    pass(60 * MINUTE);
    expect((await provide()).name).toBe(2);
  });
});

describe("a forced refresh", () => {
  it("asks at once, once for all who force one, and is served from then on", async () => {
    const { provide, calls } = remembering(60);
    await provide();
    const call = { forceRefresh: true };
    const [one, other] = await Promise.all([provide(call), provide({ forceRefresh: true })]);
    expect([one.name, one === other, await provide(), calls.length]).toEqual([2, true, one, 2]);
    expect(calls[1]).toBe(call);
    expect((await provide(call)).name).toBe(3);
  });

  it.each<[unknown]>([[{ forceRefresh: false }], [Object.create({ forceRefresh: true })], [{}]])(
    "is none in %j",
    async (call) => {
      const { provide } = remembering(60);
      const keys = await provide();
      expect(await provide(call as object)).toBe(keys);
    },
  );

  it("that ends in an error of somebody else's keeps what was held", async () => {
    const { provide, outcomes } = remembering(60);
    const keys = await provide();
    outcomes.push(new Error("no"));
    await expect(provide({ forceRefresh: true })).rejects.toThrow("no");
    expect(await provide()).toBe(keys);
  });
});

describe("keys that their guard", () => {
  it("has withdrawn are asked for anew, with an end or without one", async () => {
    for (const minutes of [60, undefined]) {
      let state: "current" | "withdrawn" = "current";
      const { provide } = remembering(minutes, () => state);
      await provide();
      state = "withdrawn";
      expect((await provide()).name).toBe(2);
      state = "current";
      expect((await provide()).name).toBe(2);
    }
  });

  it("holds for due are served and renewed in the background", async () => {
    const due = (keys: Keys) => (keys.name === 1 ? "due" : "current");
    const { provide, calls } = remembering(60, due);
    await provide();
    expect([(await provide()).name, calls.length]).toEqual([1, 2]);
    await settle();
    expect([(await provide()).name, calls.length]).toEqual([2, 2]);
  });
});
