/** Credentials of any source, held against what is expected: when STS is asked, what is dropped, and what is reported. */
import { expect, test } from "vitest";
import { ImdsUnavailableError } from "../../src/base/errors.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createReporter } from "../../src/events/reporter.js";
import type { Verifiable } from "../../src/guard/accounts.js";
import { verifyCredentials } from "../../src/guard/verify.js";
import { resolveSettings } from "../../src/settings/resolve.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { ACCOUNT, machine, STRANGER } from "./guarded-host.js";

const OLD_KEY = "AKIAJ3EXAMPLEOLDKEY7";
const keys = (accessKeyId: string, accountId?: string): Verifiable => ({
  accessKeyId,
  secretAccessKey: "s",
  ...(accountId !== undefined && { accountId }),
});

/** `sts` is the account that STS names, or why it does not. */
async function verified(
  credentials: Verifiable,
  { expected = [], sts }: { readonly expected?: readonly string[]; readonly sts?: string | Error },
): Promise<{ result: unknown; asked: unknown[]; events: GuardEvent[] }> {
  const { system } = machine();
  const events: GuardEvent[] = [];
  const asked: unknown[] = [];
  const { settings } = await resolveSettings(expected.length > 0 ? { expectedAccounts: expected } : {}, system);
  const reporter = createReporter({ system, sinks: [{ write: (event) => void events.push(event) }] });
  const askSts = (...given: unknown[]): Promise<string | undefined> => {
    asked.push(given);
    return sts instanceof Error ? Promise.reject(sts) : Promise.resolve(sts);
  };
  const checked = verifyCredentials(credentials, "the environment", { settings, reporter, askSts });
  const result = await checked.catch((error: unknown) => error);
  return { result, asked, events };
}

test.each([
  ["nothing is expected", keys(OLD_KEY), {}],
  ["the key is of an expected account", keys(accessKeyIdFor(ACCOUNT)), { expected: [ACCOUNT] }],
  ["STS knows the account of an old key", keys(OLD_KEY), { expected: [ACCOUNT], sts: ACCOUNT }],
  ["what is stated agrees", keys(accessKeyIdFor(ACCOUNT), ACCOUNT), { expected: [ACCOUNT] }],
  ["what is stated cannot be held against anything", keys(OLD_KEY, STRANGER), {}],
])("the same credentials are given back, and nothing is reported, where %s", async (_, credentials, given) => {
  const { result, events, asked } = await verified(credentials, given);
  expect(result).toBe(credentials);
  expect(events).toEqual([]);
  expect(asked).toEqual([[credentials, {}]]);
});

test("a wrong account is refused without asking STS, and reported", async () => {
  const { result, asked, events } = await verified(keys(accessKeyIdFor(STRANGER)), {
    expected: [ACCOUNT],
    sts: ACCOUNT,
  });
  expect(result).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
  expect(asked).toEqual([]);
  expect(events).toHaveLength(1);
  expect(events[0]?.severity).toBe("critical");
});

test.each([
  ["an account that STS does not tell", undefined, "ERR_IMDS_ACCOUNT_UNKNOWN"],
  ["an account of STS's that is not expected", STRANGER, "ERR_IMDS_ACCOUNT_UNEXPECTED"],
])("%s is refused and reported", async (_, sts, code) => {
  const { result, asked, events } = await verified(keys(OLD_KEY), { expected: [ACCOUNT], ...(sts && { sts }) });
  expect(result).toMatchObject({ code });
  expect([asked.length, events.length]).toEqual([1, 1]);
});

test("an STS that is out is an error, which is reported where it is one of ours", async () => {
  const out = new ImdsUnavailableError("ERR_IMDS_STS_UNAVAILABLE", "x", { advice: "y" });
  const ours = await verified(keys(OLD_KEY), { sts: out });
  expect([ours.result, ours.events.length]).toEqual([out, 1]);
  const foreign = new Error("x");
  const other = await verified(keys(OLD_KEY), { sts: foreign });
  expect([other.result, other.events]).toEqual([foreign, []]);
});

test("a stated account that contradicts the key is dropped and reported, and nothing else changes", async () => {
  const credentials = { ...keys(accessKeyIdFor(ACCOUNT), STRANGER), sessionToken: "t" };
  const { result, events } = await verified(credentials, {});
  const { accountId: _, ...rest } = credentials;
  expect(result).toEqual(rest);
  expect(events).toEqual([
    expect.objectContaining({
      code: "credentials.stated_account_dropped",
      message: "The account stated with the credentials from the environment is not that of their key; it was dropped",
      advice: "Correct or remove AWS_ACCOUNT_ID, aws_account_id or the AccountId of the process.",
      evidence: [
        { source: "the environment", value: STRANGER, says: "states this account beside the key" },
        expect.objectContaining({ source: "the environment", says: "encodes its account" }),
      ],
    }),
  ]);
  const { result: bySts } = await verified(keys(OLD_KEY, STRANGER), { sts: ACCOUNT });
  expect(bySts).not.toHaveProperty("accountId");
});
