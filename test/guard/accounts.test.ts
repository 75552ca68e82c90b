/** The accounts a user expects, held against credentials of any source. */
import { describe, expect, test } from "vitest";
import { contradictionOf, requireExpectedAccount } from "../../src/guard/accounts.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { fc } from "../support/properties.js";
import { golden, refusalOf } from "../support/wording.js";

const OURS = "111122223333";
const STRANGER = "999988887777";
const OLD_KEY = "AKIAJ3EXAMPLEOLDKEY7";

function codeOf(
  credentials: { accessKeyId: string; accountId?: string },
  expectedAccounts: string[],
  onUnknownAccount: "refuse" | "allow" = "refuse",
  vouched?: string,
): string | undefined {
  try {
    requireExpectedAccount(credentials, "the environment", { expectedAccounts, onUnknownAccount }, vouched);
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({
      kind: "impersonation",
      tryNextLink: false,
      message: expect.stringContaining("the environment") as string,
    });
    return (error as { code: string }).code;
  }
}

describe("requireExpectedAccount", () => {
  test.each([
    ["any key where nothing is expected", { accessKeyId: "whatever" }, [], undefined],
    ["a key of an expected account", { accessKeyId: accessKeyIdFor(OURS) }, [STRANGER, OURS], undefined],
    ["a long-term key of an expected account", { accessKeyId: accessKeyIdFor(OURS, "0", "AKIA") }, [OURS], undefined],
    ["a key of another account", { accessKeyId: accessKeyIdFor(STRANGER) }, [OURS], "ERR_IMDS_ACCOUNT_UNEXPECTED"],
    [
      "a key of another account that states ours",
      { accessKeyId: accessKeyIdFor(STRANGER), accountId: OURS },
      [OURS],
      "ERR_IMDS_ACCOUNT_UNEXPECTED",
    ],
    [
      "our key that states another account",
      { accessKeyId: accessKeyIdFor(OURS), accountId: STRANGER },
      [OURS],
      undefined,
    ],
    [
      "an old key that states our account",
      { accessKeyId: OLD_KEY, accountId: OURS },
      [OURS],
      "ERR_IMDS_ACCOUNT_UNKNOWN",
    ],
    [
      "an old key that states another account",
      { accessKeyId: OLD_KEY, accountId: STRANGER },
      [OURS],
      "ERR_IMDS_ACCOUNT_UNKNOWN",
    ],
    ["an old key that states none", { accessKeyId: OLD_KEY }, [OURS], "ERR_IMDS_ACCOUNT_UNKNOWN"],
    ["no access key at all", { accessKeyId: "" }, [OURS], "ERR_IMDS_ACCOUNT_UNKNOWN"],
  ])("%s: %s", (_, credentials, expected, code) => {
    expect(codeOf(credentials, expected)).toBe(code);
  });

  test("onUnknownAccount: allow passes what tells no account, and nothing else", () => {
    expect(codeOf({ accessKeyId: OLD_KEY }, [OURS], "allow")).toBeUndefined();
    expect(codeOf({ accessKeyId: OLD_KEY, accountId: STRANGER }, [OURS], "allow")).toBeUndefined();
    expect(codeOf({ accessKeyId: accessKeyIdFor(STRANGER) }, [OURS], "allow")).toBe("ERR_IMDS_ACCOUNT_UNEXPECTED");
  });

  test("STS tells the account where the key does not, and only there", () => {
    expect(codeOf({ accessKeyId: OLD_KEY }, [OURS], "refuse", OURS)).toBeUndefined();
    expect(codeOf({ accessKeyId: OLD_KEY }, [OURS], "allow", STRANGER)).toBe("ERR_IMDS_ACCOUNT_UNEXPECTED");
    expect(codeOf({ accessKeyId: accessKeyIdFor(STRANGER) }, [OURS], "allow", OURS)).toBe(
      "ERR_IMDS_ACCOUNT_UNEXPECTED",
    );
  });

  test("the error names both accounts and shows no whole key", () => {
    const accessKeyId = accessKeyIdFor(STRANGER);
    expect(() =>
      requireExpectedAccount({ accessKeyId }, "profile", { expectedAccounts: [OURS], onUnknownAccount: "refuse" }),
    ).toThrow(
      expect.objectContaining({
        message: `The credentials from profile belong to account ${STRANGER}; expected: ${OURS}. See docs/errors.md#ERR_IMDS_ACCOUNT_UNEXPECTED`,
        evidence: [
          {
            source: "profile",
            value: `${accessKeyId.slice(0, 4)}${"*".repeat(12)}${accessKeyId.slice(-4)}`,
            says: "encodes its account",
          },
        ],
      }) as Error,
    );
  });

  test("every sentence is the one that is kept", async () => {
    const many = ["1", "2", "3", "4", "5", "6"].map((digit) => digit.repeat(12));
    const settings = { expectedAccounts: many, onUnknownAccount: "refuse" } as const;
    const told = (accessKeyId: string, vouched?: string): object =>
      refusalOf(() => requireExpectedAccount({ accessKeyId }, "the environment", settings, vouched));
    const stated = { accessKeyId: accessKeyIdFor(OURS), accountId: STRANGER };
    const texts = {
      "a key of another account": told(accessKeyIdFor(STRANGER)),
      "a key that tells none": told(OLD_KEY),
      "a key that STS knows": told(OLD_KEY, STRANGER),
      "an account beside a key of another": { evidence: contradictionOf(stated, "the environment") },
      "an account beside a key that STS knows": {
        evidence: contradictionOf({ ...stated, accessKeyId: OLD_KEY }, "the environment", OURS),
      },
    };
    await expect(golden(texts)).toMatchFileSnapshot("golden/accounts.json");
  });

  test("of two accounts exactly the expected one passes", () => {
    const account = fc.integer({ min: 0, max: 999_999_999_999 }).map((number) => String(number).padStart(12, "0"));
    fc.assert(
      fc.property(account, account, fc.string(), (mine, theirs, seed) => {
        fc.pre(mine !== theirs);
        expect(codeOf({ accessKeyId: accessKeyIdFor(mine, seed) }, [mine])).toBeUndefined();
        expect(codeOf({ accessKeyId: accessKeyIdFor(theirs, seed) }, [mine])).toBe("ERR_IMDS_ACCOUNT_UNEXPECTED");
      }),
    );
  });
});

describe("contradictionOf", () => {
  test.each([
    ["nothing stated", { accessKeyId: accessKeyIdFor(OURS) }, undefined],
    ["both agree", { accessKeyId: accessKeyIdFor(OURS), accountId: OURS }, undefined],
    ["nothing known", { accessKeyId: OLD_KEY, accountId: STRANGER }, undefined],
    ["STS agrees", { accessKeyId: OLD_KEY, accountId: OURS }, undefined, OURS],
    ["the key contradicts", { accessKeyId: accessKeyIdFor(OURS), accountId: STRANGER }, STRANGER],
    ["the key wins over STS", { accessKeyId: accessKeyIdFor(OURS), accountId: STRANGER }, STRANGER, STRANGER],
    ["STS contradicts", { accessKeyId: OLD_KEY, accountId: STRANGER }, STRANGER, OURS],
  ] as const)("%s", (_, credentials, dropped, vouched?: string) => {
    const evidence = contradictionOf(credentials, "the environment", vouched);
    expect(evidence?.[0]?.value).toBe(dropped);
    expect(evidence?.length ?? 0).toBe(dropped === undefined ? 0 : 2);
  });

  test("shows no text that is no account", () => {
    const credentials = { accessKeyId: accessKeyIdFor(OURS), accountId: "secret text" };
    expect(JSON.stringify(contradictionOf(credentials, "profile"))).not.toContain("secret text");
  });
});
