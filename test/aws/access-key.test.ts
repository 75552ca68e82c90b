/** Account ids out of access key ids and principal ids. */
import { describe, expect, test } from "vitest";
import { accessKeyPattern, accountOfAccessKey, accountOfPrincipalId, startOfKeyIds } from "../../src/aws/access-key.js";
import { fc } from "../support/properties.js";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const known = (accountId: string): object => ({ kind: "known", accountId });
const unknown = (reason: string): object => ({ kind: "unknown", reason });

/** The encoding, written down from its description with whole numbers: 1 bit, 40 bits of account, 39 bits of rest. */
function encode(account: bigint, rest: bigint, generation = 1n): string {
  const number = (generation << 79n) | (account << 39n) | rest;
  return Array.from({ length: 16 }, (_, index) => ALPHABET[Number((number >> BigInt(75 - 5 * index)) & 31n)]).join("");
}

const rest = fc.bigInt({ min: 0n, max: (1n << 39n) - 1n });

describe("accountOfAccessKey", () => {
  test.each([
    ["ASIAQAAAAAAAGMKEM7X5", known("000000000000")],
    [`AKIA${encode(0n, (1n << 39n) - 1n)}`, known("000000000000")],
    [`AKIA${encode(1n, 0n)}`, known("000000000001")],
    [`ASIA${encode(999_999_999_999n, 5n)}`, known("999999999999")],
    [`ASIA${encode(1_000_000_000_000n, 5n)}`, unknown("not-decodable")],
    [`ASIA${encode((1n << 40n) - 1n, 5n)}`, unknown("not-decodable")],
    [`ASIA${encode(1n, 5n, 0n)}`, unknown("old-format")],
    ["AKIAIOSFODNN7EXAMPLE", unknown("documentation")],
    ["AKIAI44QH8DHBEXAMPLE", unknown("documentation")],
    ["ASIAQAAAAAAAGEXAMPLE", unknown("documentation")],
    ["AKIAP777777777777777", unknown("old-format")],
    ["AKIAQ777777777777771", unknown("not-decodable")],
    ["AKIA0777777777777777", unknown("not-decodable")],
    ["AKIA1777777777777777", unknown("not-decodable")],
    ["AKIA8777777777777777", unknown("not-decodable")],
    ["", unknown("not-an-access-key")],
    ["ASIARTESTID", unknown("not-an-access-key")],
    ["ASIAQAAAAAAAGMKEM7X", unknown("not-an-access-key")],
    ["ASIAQAAAAAAAGMKEM7X5A", unknown("not-an-access-key")],
    ["asiaqaaaaaaagmkem7x5", unknown("not-an-access-key")],
    ["ASIAQAAAAAAAGMKEM7X5\n", unknown("not-an-access-key")],
    ["AROAZSLS3RLM6KWF7E6B4", unknown("not-an-access-key")],
    ["AWS_ACCESS_KEY_ID_REDACTED", unknown("not-an-access-key")],
  ])("%s", (id, account) => {
    expect(accountOfAccessKey(id)).toEqual(account);
  });

  test("each letter from Q to 7 is of the new format, and none from A to P", () => {
    const kinds = Array.from(ALPHABET, (letter) => accountOfAccessKey(`AKIA${letter}AAAAAAAAAAAAAAA`).kind);
    // 7, the last one, begins the numbers around 999999999999.
    expect(kinds.slice(0, 16)).toEqual(Array(16).fill("unknown"));
    expect(kinds.slice(16, 31)).toEqual(Array(15).fill("known"));
  });

  test("every account comes back, whatever the other 39 bits are", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 999_999_999_999n }),
        rest,
        fc.constantFrom("AKIA", "ASIA"),
        (account, low, prefix) => {
          expect(accountOfAccessKey(`${prefix}${encode(account, low)}`)).toEqual(
            known(String(account).padStart(12, "0")),
          );
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("no old-format id ever tells an account", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 40n) - 1n }), rest, (account, low) => {
        expect(accountOfAccessKey(`AKIA${encode(account, low, 0n)}`)).toEqual(unknown("old-format"));
      }),
    );
  });

  test("any text has an answer", () => {
    const letters = fc.constantFrom(..."ABIJPQZ01289");
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: letters, minLength: 20, maxLength: 20 })), (id) => {
        const account = accountOfAccessKey(id);
        if (account.kind === "known") expect(account.accountId).toMatch(/^\d{12}$/);
        else expect(["documentation", "old-format", "not-decodable", "not-an-access-key"]).toContain(account.reason);
      }),
    );
  });
});

describe("accountOfPrincipalId", () => {
  test.each([
    [`AROA${encode(123_456_789_012n, 7n)}4`, known("123456789012")],
    [`AIDA${encode(42n, 7n)}Q`, known("000000000042")],
    [`AIPA${encode(999_999_999_999n, 7n)}2`, known("999999999999")],
    [`AIPA${encode(1_000_000_000_000n, 7n)}2`, unknown("not-decodable")],
    ["AIDAJQABLZS4A3QDU576Q", unknown("old-format")],
    [`AKIA${encode(42n, 7n)}Q`, unknown("not-a-principal-id")],
    [`AGPA${encode(42n, 7n)}Q`, unknown("not-a-principal-id")],
    [`AROA${encode(42n, 7n)}`, unknown("not-a-principal-id")],
    [`AROA${encode(42n, 7n)}QQ`, unknown("not-a-principal-id")],
    ["", unknown("not-a-principal-id")],
  ])("%s", (id, account) => {
    expect(accountOfPrincipalId(id)).toEqual(account);
  });
});

describe("accessKeyPattern", () => {
  test("of the account of the examples", () => {
    expect(accessKeyPattern("111122223333").source).toBe("^(?:AKIA|ASIA)RTX3GSDS[Q-Z2-7][A-Z2-7]{7}$");
    expect(startOfKeyIds("000000000000")).toBe("QAAAAAAA[A-P]");
  });

  test("matches a key exactly where decoding tells that account", () => {
    const account = fc.bigInt({ min: 0n, max: 999_999_999_999n });
    fc.assert(
      fc.property(account, fc.bigInt({ min: -2n, max: 2n }), rest, (number, beside, low) => {
        const pattern = accessKeyPattern(String(number).padStart(12, "0"));
        const other = number + beside;
        fc.pre(other >= 0n && other <= 999_999_999_999n);
        expect(pattern.test(`ASIA${encode(other, low)}`)).toBe(beside === 0n);
        expect(pattern.test(`AROA${encode(number, low)}`)).toBe(false);
        expect(pattern.test(`ASIA${encode(number, low, 0n)}`)).toBe(false);
        expect(pattern.test(`xASIA${encode(number, low)}`)).toBe(false);
        expect(pattern.test(`ASIA${encode(number, low)}A`)).toBe(false);
      }),
    );
  });

  test.each(["", "1111222233334", "11112222333", "11112222333a", " 111122223333", "111122223333\n"])(
    "%j is refused",
    (wrong) => {
      expect(() => accessKeyPattern(wrong)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }));
    },
  );
});
