/** The life of a session: shared, renewed, kept where a renewal fails, dropped where it is not what it should be. */
import { beforeEach, describe, expect, test } from "vitest";
import { ImdsRefusedError, RolesAnywhereError } from "../../src/base/errors.js";
import { realSystem } from "../../src/base/system.js";
import type { EventDetails } from "../../src/events/catalogue.js";
import type { SessionCredentials } from "../../src/roles-anywhere/answer.js";
import type { Obtain } from "../../src/roles-anywhere/certificate-link.js";
import { createCertificateLink } from "../../src/roles-anywhere/certificate-link.js";
import type { Identity } from "../../src/roles-anywhere/create-session.js";

const HOUR = 3_600_000;
const START = Date.parse("2026-01-01T00:00:00Z");
const IDENTITY = {} as Identity;

let time = 0;
let events: (EventDetails & { readonly code: string })[] = [];
let loaded: number[] = [];
let verified: SessionCredentials[] = [];
beforeEach(() => {
  time = 0;
  events = [];
  loaded = [];
  verified = [];
});

const failure = (code: ConstructorParameters<typeof RolesAnywhereError>[0]) =>
  new RolesAnywhereError(code, "it failed", { advice: "Mend it.", evidence: [{ source: "x", says: "is broken" }] });

function linkOf(obtain: Obtain, verify?: (credentials: SessionCredentials) => Promise<unknown>, service = "Some") {
  const system = { ...realSystem, now: () => START + time, monotonic: () => time, random: () => 0.5 };
  return createCertificateLink(
    service,
    {
      load: (now) => {
        loaded.push(now);
        return Promise.resolve(IDENTITY);
      },
    },
    {
      system,
      reporter: {
        report(code: string, details: EventDetails | (() => EventDetails) = {}): void {
          events.push({ code, ...(typeof details === "function" ? details() : details) });
        },
      },
      timeoutMs: 1_000,
      maxRetries: 0,
      verify: verify ?? ((credentials) => Promise.resolve(verified.push(credentials))),
    },
    obtain,
  );
}
let given = 0;
const session = (life = HOUR, ahead = 0): SessionCredentials => ({
  accessKeyId: `ASIA${(given += 1)}`,
  secretAccessKey: "s",
  sessionToken: "t",
  expiration: new Date(START + time - ahead + life),
});
const codes = () => events.map(({ code }) => code);
/** Renewals go on behind the caller's back. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 10));

test("is obtained once for all, verified, and told of", async () => {
  const link = linkOf(() => Promise.resolve(session()));
  const [one, two] = await Promise.all([link.get(), link.get()]);
  expect(two).toBe(one);
  expect(verified).toEqual([one]);
  expect(loaded).toEqual([START]);
  expect(events).toMatchObject([
    {
      code: "roles_anywhere.session_obtained",
      message: `Credentials obtained from Some, until ${one.expiration.toISOString()}`,
      advice: "",
    },
  ]);
  expect((await link.get({ forceRefresh: true })).accessKeyId).not.toBe(one.accessKeyId);
  link.drop();
  await link.get();
  expect(loaded).toHaveLength(3);
});

test("is renewed ahead of its end", async () => {
  const link = linkOf(() => Promise.resolve(session()));
  const first = await link.get();
  time = HOUR / 2;
  expect(await link.get()).toBe(first);
  await settle();
  expect(loaded).toHaveLength(1);
  time = HOUR - 60_000;
  await link.get();
  await settle();
  expect((await link.get()).accessKeyId).not.toBe(first.accessKeyId);
  expect(loaded).toHaveLength(2);
});

describe("a failure", () => {
  test("with nothing held is told as it is", async () => {
    const link = linkOf(() => Promise.reject(failure("ERR_ROLES_ANYWHERE_UNREACHABLE")));
    await expect(link.get()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_UNREACHABLE" });
    expect(events).toMatchObject([
      {
        code: "roles_anywhere.failed",
        message: expect.stringMatching(/^it failed/) as string,
        advice: "Mend it.",
        evidence: [
          { source: "Some", value: "ERR_ROLES_ANYWHERE_UNREACHABLE", says: "is the code of the error" },
          { source: "x", says: "is broken" },
        ],
      },
    ]);
  });

  const renewing = async (error: Error, verify?: () => Promise<unknown>) => {
    let fail = false;
    const link = linkOf(
      () => (fail && verify === undefined ? Promise.reject(error) : Promise.resolve(session())),
      verify && (() => (fail ? verify() : Promise.resolve())),
    );
    const first = await link.get();
    events = [];
    fail = true;
    time = HOUR - 60_000;
    await link.get().catch(() => undefined);
    await settle();
    const later = await link.get().catch((reason: unknown) => reason);
    return { first, later, link };
  };

  test.each([
    "ERR_ROLES_ANYWHERE_UNREACHABLE",
    "ERR_ROLES_ANYWHERE_REFUSED",
    "ERR_ROLES_ANYWHERE_MALFORMED",
    "ERR_ROLES_ANYWHERE_CERTIFICATE",
    "ERR_ROLES_ANYWHERE_KEY",
  ] as const)("of a renewal with %s leaves what is held, to its end", async (code) => {
    const { first, later, link } = await renewing(failure(code));
    expect(later).toBe(first);
    expect(events[0]).toMatchObject({
      code: "roles_anywhere.renewal_failed",
      message: expect.stringMatching(
        new RegExp(`^it failed.*\\. Credentials held are served to their end, ${first.expiration.toISOString()}$`),
      ) as string,
    });
    events = [];
    time = HOUR + 1;
    await expect(link.get()).rejects.toMatchObject({ code });
    expect(codes()).toEqual(["roles_anywhere.failed"]);
  });

  test.each(["ERR_ROLES_ANYWHERE_ACCOUNT", "ERR_ROLES_ANYWHERE_ROLE"] as const)(
    "of a renewal with %s takes away what is held",
    async (code) => {
      const { later } = await renewing(failure(code));
      expect(later).toMatchObject({ code });
    },
  );

  test.each(["ERR_IMDS_ACCOUNT_UNEXPECTED", "ERR_IMDS_ACCOUNT_UNKNOWN", "ERR_IMDS_STS_MISMATCH"] as const)(
    "of verification with %s takes it away, too, and is no event of this kind",
    async (code) => {
      const error = new ImdsRefusedError(code as never, "no", { advice: "None." });
      const { later } = await renewing(error, () => Promise.reject(error));
      expect(later).toMatchObject({ code });
      expect(codes()).toEqual([]);
    },
  );

  test("that is a mistake of ours takes it away, and is no event", async () => {
    const { later } = await renewing(new TypeError("a mistake"));
    expect(later).toMatchObject({ message: "a mistake" });
    expect(codes()).toEqual([]);
  });

  test("after a drop is told as with nothing held", async () => {
    let fail = false;
    const link = linkOf(() => (fail ? Promise.reject(failure("ERR_ROLES_ANYWHERE_KEY")) : Promise.resolve(session())));
    await link.get();
    link.drop();
    fail = true;
    await expect(link.get()).rejects.toMatchObject({ code: "ERR_ROLES_ANYWHERE_KEY" });
    expect(codes()).toEqual(["roles_anywhere.session_obtained", "roles_anywhere.failed"]);
  });
});

describe("a clock", () => {
  test("that is wrong is told of once, used from then on, and told of when it is right again", async () => {
    let ahead = 2 * HOUR;
    const known: number[] = [];
    const link = linkOf((_, { aheadMs, onClock }) => {
      known.push(aheadMs);
      onClock(ahead);
      return Promise.resolve(session(HOUR, ahead));
    });
    await link.get();
    await link.get({ forceRefresh: true });
    ahead += 9_999;
    await link.get({ forceRefresh: true });
    expect(known).toEqual([0, 2 * HOUR, 2 * HOUR]);
    expect(loaded).toEqual([START, START - 2 * HOUR, START - 2 * HOUR]);
    const told = () => events.filter(({ code }) => code === "roles_anywhere.clock_off");
    expect(told()).toMatchObject([
      {
        message: "The clock of this host is 2 hours ahead, as Some shows; requests are signed with AWS's time",
        evidence: [
          {
            source: "Date of the answer",
            value: new Date(START - 2 * HOUR).toISOString(),
            says: "this host is 2 hours ahead",
          },
        ],
        advice: expect.stringContaining("NTP") as string,
      },
    ]);
    ahead = 2 * HOUR + 10_000;
    await link.get({ forceRefresh: true });
    expect(told()).toHaveLength(2);
    ahead = 0;
    await link.get({ forceRefresh: true });
    expect(told().at(-1)?.message).toContain("is right again");
  });
});
