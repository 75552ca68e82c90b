import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import type { ImdsGuardError, UnavailableCode } from "../../src/base/errors.js";
import {
  ImdsImpersonationError,
  ImdsRefusedError,
  ImdsUnavailableError,
  ImdsUntrustedError,
} from "../../src/base/errors.js";
import type { Lifetime } from "../../src/base/lifetime.js";
import {
  ATTEMPT_INTERVAL_MS,
  createLifetime,
  EXTENSION_MS,
  MAX_EXTENSION_MS,
  RENEW_AHEAD_MS,
} from "../../src/base/lifetime.js";
import { realSystem } from "../../src/base/system.js";
import { fc } from "../support/properties.js";

// Properties and processes of their own take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.parse("2026-03-01T00:00:00Z");

interface Key {
  readonly id: number;
  readonly expiration: Date;
  readonly overdue?: ImdsUnavailableError;
}

/** A service of the test's own making, its two clocks, and what came of it. */
class Bench {
  /** The clock of the day, and the one that never jumps. */
  wall = START;
  steady = 5_000;
  random = 0;
  /** Life of what is acquired, or what happens instead. */
  next: number | Error = 6 * HOUR;
  acquired = 0;
  readonly extensions: { readonly of: Date; readonly until: Date; readonly code: string }[] = [];
  readonly thrown: unknown[] = [];
  /** While set, acquiring waits for it. */
  gate: Promise<void> | undefined;
  readonly lifetime: Lifetime<Key>;

  constructor() {
    this.lifetime = createLifetime<Key>({
      system: { ...realSystem, now: () => this.wall, monotonic: () => this.steady, random: () => this.random },
      acquire: async () => {
        const id = ++this.acquired;
        await this.gate;
        if (this.next instanceof Error) {
          this.thrown.push(this.next);
          throw this.next;
        }
        return { id, expiration: new Date(this.wall + this.next), ...(this.next <= 0 && { overdue }) };
      },
      onExtended: (original, until, cause) =>
        this.extensions.push({ of: original.expiration, until, code: cause.code }),
    });
  }

  pass(milliseconds: number): void {
    this.wall += milliseconds;
    this.steady += milliseconds;
  }

  /** Asks once, and lets a renewal in the background finish. */
  async get(options?: { forceRefresh?: boolean }): Promise<Key> {
    const key = await this.lifetime.get(options);
    await turn();
    return key;
  }

  async failure(): Promise<ImdsGuardError> {
    return this.get().then(
      () => Promise.reject(new Error("credentials instead of an error")),
      (error: unknown) => error as ImdsGuardError,
    );
  }
}

const advice = "x";
const outage = (code: UnavailableCode = "ERR_IMDS_TIMEOUT"): ImdsUnavailableError =>
  new ImdsUnavailableError(code, "out", { advice });
const findings = [
  new ImdsUntrustedError("ERR_IMDS_REDIRECT", "x", { advice }),
  new ImdsImpersonationError("ERR_IMDS_ACCOUNT_MISMATCH", "x", { advice }),
  new ImdsRefusedError("ERR_IMDS_NOT_EC2", "x", { advice }),
  new TypeError("a mistake of the program"),
];

const overdue = outage("ERR_IMDS_CREDENTIALS_EXPIRED");

describe("what was served", () => {
  const due = (bench: Bench, key: Key): boolean => bench.lifetime.isDue(key);

  test("is due when its renewal would begin, and not while one is under way", async () => {
    const bench = new Bench();
    const key = await bench.get();
    expect(due(bench, key)).toBe(false);
    bench.pass(6 * HOUR - RENEW_AHEAD_MS - 1);
    expect(due(bench, key)).toBe(false);
    bench.pass(1);
    expect(due(bench, key)).toBe(true);
    let open = (): void => undefined;
    bench.gate = new Promise((resolve) => (open = resolve));
    expect(await bench.get()).toBe(key);
    expect(due(bench, key)).toBe(false);
    open();
    await turn();
    await turn();
    expect(due(bench, key)).toBe(true);
    expect(due(bench, await bench.get())).toBe(false);
  });

  test("is not due again at once where its renewal failed", async () => {
    const bench = new Bench();
    const key = await bench.get();
    bench.pass(6 * HOUR - RENEW_AHEAD_MS);
    bench.next = outage();
    await bench.get();
    expect(due(bench, key)).toBe(false);
    bench.pass(ATTEMPT_INTERVAL_MS - 1);
    expect(due(bench, key)).toBe(false);
    bench.pass(1);
    expect(due(bench, key)).toBe(true);
  });

  test("is due when it is not what is held", async () => {
    const bench = new Bench();
    const key = await bench.get();
    expect(due(bench, { ...key })).toBe(true);
    bench.lifetime.drop();
    expect(due(bench, key)).toBe(true);
    const next = await bench.get();
    expect([due(bench, key), due(bench, next)]).toEqual([true, false]);
  });

  test("is what is held through an outage as well", async () => {
    const bench = new Bench();
    const key = await bench.get();
    bench.pass(6 * HOUR + 1);
    bench.next = outage();
    const extended = await bench.get();
    expect(extended).toMatchObject({ id: key.id });
    expect(extended).not.toBe(key);
    expect([due(bench, extended), due(bench, key), due(bench, { ...key })]).toEqual([false, false, true]);
  });
});

describe("what is given past its end", () => {
  test("is served for a capped time, and asked for again", async () => {
    const bench = new Bench();
    bench.next = -HOUR;
    const key = await bench.get();
    expect(key).toMatchObject({ id: 1, expiration: new Date(START + 10 * MINUTE) });
    expect(bench.extensions).toEqual([
      { of: new Date(START - HOUR), until: new Date(START + 10 * MINUTE), code: "ERR_IMDS_CREDENTIALS_EXPIRED" },
    ]);
    expect((await bench.get()).id).toBe(1);
    bench.pass(10 * MINUTE);
    bench.next = 6 * HOUR;
    expect(await bench.get()).toEqual({ id: 2, expiration: new Date(bench.wall + 6 * HOUR) });
  });

  test("is not served six hours past it", async () => {
    const bench = new Bench();
    bench.next = -6 * HOUR;
    expect((await bench.failure()).code).toBe("ERR_IMDS_CREDENTIALS_EXPIRED");
    bench.next = -6 * HOUR + 1;
    expect((await bench.get()).expiration).toEqual(new Date(bench.wall + 1));
  });

  test("takes nothing from what still lives, nor from what ended later", async () => {
    const bench = new Bench();
    await bench.get();
    bench.next = -MINUTE;
    expect(await bench.get({ forceRefresh: true })).toEqual({ id: 1, expiration: new Date(START + 6 * HOUR) });
    bench.pass(7 * HOUR);
    bench.next = -2 * HOUR;
    expect((await bench.get()).id).toBe(1);
    bench.next = -30 * MINUTE;
    expect((await bench.get({ forceRefresh: true })).id).toBeGreaterThan(1);
  });
});

describe("one set of credentials for everybody", () => {
  test("ten thousand first callers cause one acquisition", async () => {
    const bench = new Bench();
    let open = (): void => undefined;
    bench.gate = new Promise((resolve) => (open = resolve));
    const calls = Array.from({ length: 10_000 }, () => bench.lifetime.get());
    open();
    const keys = await Promise.all(calls);
    expect(bench.acquired).toBe(1);
    expect(new Set(keys).size).toBe(1);
  });

  test("a failed first acquisition fails all that waited, and the next caller tries again", async () => {
    const bench = new Bench();
    bench.next = outage();
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => bench.lifetime.get()));
    expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
    expect(bench.acquired).toBe(1);
    bench.next = HOUR;
    expect((await bench.get()).id).toBe(2);
  });

  test("forceRefresh acquires anew, once for all who ask at the same time", async () => {
    const bench = new Bench();
    await bench.get();
    const forced = await Promise.all(Array.from({ length: 5 }, () => bench.get({ forceRefresh: true })));
    expect(new Set(forced.map(({ id }) => id))).toEqual(new Set([2]));
    expect((await bench.get()).id).toBe(2);
    expect(bench.acquired).toBe(2);
  });

  test("forceRefresh in an outage gives what still lives", async () => {
    const bench = new Bench();
    await bench.get();
    bench.next = outage();
    expect((await bench.get({ forceRefresh: true })).id).toBe(1);
  });

  test("dropping makes the next call acquire anew, also while an acquisition is under way", async () => {
    const bench = new Bench();
    await bench.get();
    bench.lifetime.drop();
    expect((await bench.get()).id).toBe(2);

    let open = (): void => undefined;
    bench.gate = new Promise((resolve) => (open = resolve));
    const before = bench.lifetime.get({ forceRefresh: true });
    bench.lifetime.drop();
    const after = bench.lifetime.get();
    open();
    expect([(await before).id, (await after).id]).toEqual([3, 4]);
    expect((await bench.get()).id).toBe(4);
  });
});

describe("renewal ahead of the end", () => {
  test.each([
    [0, RENEW_AHEAD_MS],
    [0.5, RENEW_AHEAD_MS * 1.5],
    [0.999, RENEW_AHEAD_MS * 1.999],
  ])("begins between 5 and 10 minutes before it (random %d)", async (random, ahead) => {
    const bench = new Bench();
    bench.random = random;
    await bench.get();
    bench.pass(6 * HOUR - ahead - 1);
    await bench.get();
    expect(bench.acquired).toBe(1);
    bench.pass(1);
    expect((await bench.get()).id).toBe(1);
    expect(bench.acquired).toBe(2);
    expect((await bench.get()).id).toBe(2);
  });

  test("happens in the background, once, while what is held is served", async () => {
    const bench = new Bench();
    await bench.get();
    bench.pass(6 * HOUR - 4 * MINUTE);
    let open = (): void => undefined;
    bench.gate = new Promise((resolve) => (open = resolve));
    for (let i = 0; i < 100; i++) expect((await bench.get()).id).toBe(1);
    expect(bench.acquired).toBe(2);
    open();
    await turn();
    expect((await bench.get()).id).toBe(2);
  });

  test("is waited for in the last minute", async () => {
    const bench = new Bench();
    await bench.get();
    bench.pass(6 * HOUR - 59_000);
    expect((await bench.get()).id).toBe(2);
  });

  test("is waited for after the end", async () => {
    const bench = new Bench();
    await bench.get();
    bench.pass(7 * HOUR);
    expect((await bench.get()).id).toBe(2);
  });

  test("of short-lived credentials begins at half their life", async () => {
    const bench = new Bench();
    bench.next = 4 * MINUTE;
    await bench.get();
    bench.pass(2 * MINUTE - 1);
    await bench.get();
    expect(bench.acquired).toBe(1);
    bench.pass(1);
    await bench.get();
    expect(bench.acquired).toBe(2);
  });

  test("that fails is not repeated at once while what is held serves", async () => {
    const bench = new Bench();
    await bench.get();
    bench.next = outage();
    bench.pass(6 * HOUR - 4 * MINUTE);
    for (let i = 0; i < 100; i++) expect((await bench.get()).id).toBe(1);
    expect(bench.acquired).toBe(2);
    bench.pass(ATTEMPT_INTERVAL_MS - 1);
    await bench.get();
    expect(bench.acquired).toBe(2);
    bench.pass(1);
    await bench.get();
    expect(bench.acquired).toBe(3);
    expect(bench.extensions).toEqual([]);
  });
});

describe("an outage", () => {
  const expired = async (): Promise<Bench> => {
    const bench = new Bench();
    await bench.get();
    bench.pass(6 * HOUR + 1);
    return bench;
  };

  test.each<UnavailableCode>([
    "ERR_IMDS_TIMEOUT",
    "ERR_IMDS_TOKEN_TIMEOUT",
    "ERR_IMDS_UNREACHABLE",
    "ERR_IMDS_STATUS",
    "ERR_IMDS_CREDENTIALS_EXPIRED",
  ])("%s past the end extends what is held, and says so", async (code) => {
    const bench = await expired();
    bench.next = outage(code);
    const key = await bench.get();
    expect([key.id, key.expiration.getTime()]).toEqual([1, bench.wall + EXTENSION_MS]);
    expect(bench.extensions).toEqual([{ of: new Date(START + 6 * HOUR), until: key.expiration, code }]);
  });

  test.each<UnavailableCode>([
    "ERR_IMDS_UNAUTHORIZED",
    "ERR_IMDS_FORBIDDEN",
    "ERR_IMDS_NOT_FOUND",
    "ERR_IMDS_NO_ROLE",
    "ERR_IMDS_CREDENTIALS_UNAVAILABLE",
    "ERR_IMDS_ENDPOINT_UNRESOLVED",
  ])("%s past the end is an answer and extends nothing", async (code) => {
    const bench = await expired();
    bench.next = outage(code);
    expect((await bench.failure()).code).toBe(code);
    expect(bench.extensions).toEqual([]);
    bench.next = outage();
    expect((await bench.failure()).code).toBe("ERR_IMDS_TIMEOUT");
  });

  test.each<UnavailableCode>(["ERR_IMDS_FORBIDDEN", "ERR_IMDS_NOT_FOUND", "ERR_IMDS_TIMEOUT"])(
    "%s before the end lets what is held live to its own end",
    async (code) => {
      const bench = new Bench();
      await bench.get();
      bench.next = outage(code);
      bench.pass(6 * HOUR - 30_000);
      const key = await bench.get();
      expect([key.id, key.expiration]).toEqual([1, new Date(START + 6 * HOUR)]);
    },
  );

  test("an extension is by 10 to 15 minutes", async () => {
    const bench = await expired();
    bench.random = 0.999;
    bench.next = outage();
    const { expiration } = await bench.get();
    expect(expiration.getTime() - bench.wall).toBeCloseTo(EXTENSION_MS * 1.4995, 0);
  });

  test("ends with the first answer", async () => {
    const bench = await expired();
    bench.next = outage();
    await bench.get();
    bench.pass(EXTENSION_MS - RENEW_AHEAD_MS);
    bench.next = 6 * HOUR;
    expect((await bench.get()).id).toBe(1);
    expect((await bench.get()).id).toBe(3);
  });

  test.each([0, 0.3, 0.999])(
    "is lived through for 6 hours past the end and not a moment longer (random %d)",
    async (random) => {
      const bench = await expired();
      bench.random = random;
      bench.next = outage("ERR_IMDS_UNREACHABLE");
      const end = START + 6 * HOUR;
      let last = 0;
      for (;;) {
        const key = await bench.get().catch(() => undefined);
        if (!key) break;
        expect(key.expiration.getTime()).toBeLessThanOrEqual(end + MAX_EXTENSION_MS);
        last = bench.wall;
        bench.pass(10_000);
      }
      expect(last - end).toBeGreaterThan(MAX_EXTENSION_MS - MINUTE);
      expect(last - end).toBeLessThan(MAX_EXTENSION_MS);
      // Two attempts per extension are the most; at the cap they must not turn into a storm.
      expect(bench.acquired).toBeLessThan(110);
    },
  );

  test("extends nothing that was never held", async () => {
    const bench = new Bench();
    bench.next = outage();
    expect((await bench.failure()).code).toBe("ERR_IMDS_TIMEOUT");
    expect(bench.extensions).toEqual([]);
  });
});

describe("a finding", () => {
  test.each(findings)("drops what is held: %s", async (finding) => {
    const bench = new Bench();
    await bench.get();
    bench.next = finding;
    await expect(bench.get({ forceRefresh: true })).rejects.toBe(finding);
    bench.next = outage();
    expect((await bench.failure()).code).toBe("ERR_IMDS_TIMEOUT");
  });

  test.each(findings)("of a renewal nobody waited for drops it too: %s", async (finding) => {
    const bench = new Bench();
    await bench.get();
    bench.pass(6 * HOUR - 4 * MINUTE);
    bench.next = finding;
    expect((await bench.get()).id).toBe(1);
    expect(bench.thrown).toEqual([finding]);
    await expect(bench.get()).rejects.toBe(finding);
  });

  test("ends an extension", async () => {
    const bench = new Bench();
    await bench.get();
    bench.pass(6 * HOUR + 1);
    bench.next = outage();
    await bench.get();
    bench.pass(EXTENSION_MS - 30_000);
    bench.next = findings[1] as Error;
    await expect(bench.get()).rejects.toBe(findings[1]);
    bench.next = outage();
    await bench.failure();
    expect(bench.extensions).toHaveLength(1);
  });
});

describe("a clock that jumps", () => {
  test("back a year does not keep credentials beyond their life", async () => {
    const bench = new Bench();
    await bench.get();
    bench.wall -= 365 * 24 * HOUR;
    expect((await bench.get()).id).toBe(1);
    bench.pass(6 * HOUR - RENEW_AHEAD_MS);
    await bench.get();
    expect((await bench.get()).id).toBe(2);
  });

  test("back an hour in the middle of an outage extends by the right time of day", async () => {
    const bench = new Bench();
    await bench.get();
    bench.wall -= HOUR;
    bench.pass(6 * HOUR + 1);
    bench.next = outage();
    expect((await bench.get()).expiration.getTime()).toBe(bench.wall + EXTENSION_MS);
  });

  test("back after a failed attempt does not postpone the next", async () => {
    const bench = new Bench();
    await bench.get();
    bench.pass(6 * HOUR - 4 * MINUTE);
    bench.next = outage();
    await bench.get();
    bench.wall -= 24 * HOUR;
    bench.pass(ATTEMPT_INTERVAL_MS);
    bench.next = 6 * HOUR;
    await bench.get();
    expect(bench.acquired).toBe(3);
  });

  test("forward a day renews before anything is served", async () => {
    const bench = new Bench();
    await bench.get();
    bench.wall += 24 * HOUR;
    expect((await bench.get()).id).toBe(2);
  });

  test("while the machine sleeps (one clock stands still) renews at once", async () => {
    const bench = new Bench();
    await bench.get();
    bench.wall += 8 * HOUR;
    expect((await bench.get()).id).toBe(2);
  });

  test("forward and back again gives what is held with its own end", async () => {
    const bench = new Bench();
    await bench.get();
    bench.wall += 7 * HOUR;
    bench.next = outage("ERR_IMDS_CREDENTIALS_EXPIRED");
    expect((await bench.get()).expiration.getTime()).toBeGreaterThan(START + 7 * HOUR);
    bench.wall -= 7 * HOUR;
    expect((await bench.get()).expiration).toEqual(new Date(START + 6 * HOUR));
  });
});

test("a month of four calls a minute asks a few times for each set of credentials", async () => {
  const bench = new Bench();
  // As IMDS: new ones appear five minutes before the old ones end, and until then the old ones are given.
  let end = START + 6 * HOUR;
  Object.defineProperty(bench, "next", {
    get: () => {
      if (end - bench.wall < 5 * MINUTE) end += 6 * HOUR;
      return end - bench.wall;
    },
  });
  const seed = 7;
  let state = seed;
  Object.defineProperty(bench, "random", { get: () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647 });
  let ended = 0;
  for (let second = 0; second < 30 * 24 * 3_600; second += 15) {
    if ((await bench.lifetime.get()).expiration.getTime() <= bench.wall) ended++;
    bench.pass(15_000);
  }
  expect(ended).toBe(0);
  expect(bench.acquired).toBeGreaterThanOrEqual(120);
  expect(bench.acquired).toBeLessThan(120 * 4);
});

test("whatever happens, what is served has not ended, or is an extension within the cap and without a finding since", async () => {
  type Step =
    readonly ["pass" | "jump", number] | readonly ["next", number | Error] | readonly ["force"] | readonly ["drop"];
  const step = fc.oneof(
    fc.tuple(fc.constant("pass" as const), fc.integer({ min: 0, max: 3 * HOUR })),
    fc.tuple(fc.constant("jump" as const), fc.integer({ min: -30 * HOUR, max: 30 * HOUR })),
    fc.tuple(
      fc.constant("next" as const),
      fc.constantFrom<(number | Error)[]>(
        6 * HOUR,
        HOUR,
        MINUTE,
        outage(),
        outage("ERR_IMDS_FORBIDDEN"),
        findings[1] as Error,
      ),
    ),
    fc.constantFrom<(readonly ["force"] | readonly ["drop"])[]>(["force"], ["drop"]),
  ) as fc.Arbitrary<Step>;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const bench = new Bench();
      /** Age at which each key ends, on the clock that never jumps. */
      const ends = new Map<number, number>();
      let barred = 0;
      for (const [what, value] of steps) {
        if (what === "pass") bench.pass(value);
        if (what === "jump") bench.wall += value;
        if (what === "next") bench.next = value;
        if (what === "drop") bench.lifetime.drop();
        const before = bench.acquired;
        const thrown = bench.thrown.length;
        const outcome = await bench.get({ forceRefresh: what === "force" }).catch((error: unknown) => error as Error);
        if (typeof bench.next === "number")
          for (let id = before + 1; id <= bench.acquired; id++) ends.set(id, bench.steady + bench.next);
        if (!(outcome instanceof Error)) {
          expect(outcome.id).toBeGreaterThan(barred);
          expect(bench.steady).toBeLessThan((ends.get(outcome.id) ?? 0) + MAX_EXTENSION_MS);
          expect(outcome.expiration.getTime()).toBeGreaterThan(bench.wall);
        }
        if (bench.thrown.slice(thrown).includes(findings[1])) barred = bench.acquired;
      }
    }),
    { numRuns: 300 },
  );
});
