import { inspect } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { ImdsGuardError } from "../../src/base/errors.js";
import {
  MAX_LIFETIME_MS,
  expiredCredentials,
  parseCredentials,
  parseObject,
  parseRoleName,
  parseToken,
  parseTokenTtl,
} from "../../src/imds/responses.js";
import { golden, wordingOf } from "../support/wording.js";
import { fc } from "../support/properties.js";

// Properties and processes of their own take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const NOW = Date.parse("2026-03-01T12:00:00Z");
const GENUINE = {
  Code: "Success",
  LastUpdated: "2026-03-01T11:30:00Z",
  Type: "AWS-HMAC",
  AccessKeyId: "ASIAIOSFODNN7EXAMPLE",
  SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  Token: "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJ=",
  Expiration: "2026-03-01T18:00:00Z",
};

function thrownBy(parse: () => unknown): ImdsGuardError {
  try {
    parse();
  } catch (error) {
    if (error instanceof ImdsGuardError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const codeOf = (parse: () => unknown): string => thrownBy(parse).code;
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value, undefined, 2));
const credentials = (changes: Readonly<Record<string, unknown>> = {}) =>
  parseCredentials(json({ ...GENUINE, ...changes }), NOW);

describe("parseToken", () => {
  test.each([
    "AQAEAGuCSExampleTokenExampleTokenExampleTokenExampleTok==",
    "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
    "a+b/c",
    "A".repeat(256),
  ])("takes %s", (text) => expect(parseToken(Buffer.from(text))).toBe(text));

  test.each(["", "A".repeat(257), "a b", "token\n", "token\r\nX: y", "tok\0en", "t\u00f6ken", "<html>", "a:b", "{}"])(
    "refuses %j",
    (text) => {
      expect(codeOf(() => parseToken(Buffer.from(text)))).toBe("ERR_IMDS_MALFORMED");
    },
  );

  test("whatever comes, a token fits into one header line, and none is shown", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ maxLength: 300 }).map(Buffer.from)),
        (bytes) => {
          const body = Buffer.from(bytes);
          try {
            expect(parseToken(body)).toMatch(/^[\x21-\x7e]{1,256}$/);
          } catch (error) {
            expect(error).toBeInstanceOf(ImdsGuardError);
            if (body.length > 12) expect(inspect(error)).not.toContain(body.toString("latin1"));
          }
        },
      ),
    );
  });
});

describe("parseTokenTtl", () => {
  test.each<[string | undefined, number, number]>([
    [undefined, 21_600, 21_600],
    ["21600", 21_600, 21_600],
    ["60", 21_600, 60],
    ["1", 21_600, 1],
    ["21600", 60, 60],
    ["00060", 21_600, 60],
  ])("%s of %d is %d", (header, asked, seconds) => expect(parseTokenTtl(header, asked)).toBe(seconds));

  test.each<string | string[]>([
    "",
    "0",
    "-1",
    "21601",
    "1e3",
    " 60",
    "60 ",
    "60.5",
    "0x3c",
    "999999",
    "60, 60",
    ["60", "60"],
    "NaN",
    "Infinity",
  ])("refuses %j", (header) => {
    expect(codeOf(() => parseTokenTtl(header, 21_600))).toBe("ERR_IMDS_MALFORMED");
  });

  test("shows a number that is out of bounds, and nothing else: a token in the wrong place stays out of the log", () => {
    const shown = (header: string): unknown => thrownBy(() => parseTokenTtl(header, 21_600)).evidence[0]?.value;
    expect(shown("999999")).toBe('"999999"');
    expect(shown("-1")).toBe('"-1"');
    for (const other of [
      "AQAAALHzBzY3xGqVYhPm",
      "AQAAALHzBzY3xGqVYhP7",
      "7AQAAALHzBzY3xGqVYhPm",
      "n2cRt5yHg7f=",
      "60 ",
      "",
    ])
      expect(shown(other)).toBeUndefined();
  });

  test("is between one second and what was asked for, or an error", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.integer().map(String)),
        fc.integer({ min: 1, max: 21_600 }),
        (header, asked) => {
          try {
            const seconds = parseTokenTtl(header, asked);
            expect(seconds >= 1 && seconds <= asked).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(ImdsGuardError);
          }
        },
      ),
    );
  });
});

describe("parseRoleName", () => {
  test.each([["my-role"], ["a"], ["A_b+c=d,e.f@g-h"], ["..."], ["x".repeat(64)]])("takes %s", (name) =>
    expect(parseRoleName(Buffer.from(name))).toBe(name),
  );
  test.each([["my-role\n"], ["my-role\r\n"]])("takes %j without its line end", (text) =>
    expect(parseRoleName(Buffer.from(text))).toBe("my-role"),
  );

  test.each([
    "",
    "\n",
    ".",
    "..",
    "../../api/token",
    "a/b",
    "a/",
    "/",
    "a?b",
    "a#b",
    "a%2fb",
    "a b",
    " a",
    "one\ntwo",
    "a\n\n",
    "a\0",
    "r\u00f6le",
    "x".repeat(65),
    "<html>",
    '{"Code":"Success"}',
    "a\\b",
    "a;b",
    "a:b",
  ])("refuses %j", (text) => expect(codeOf(() => parseRoleName(Buffer.from(text)))).toBe("ERR_IMDS_MALFORMED"));

  test("never names anything but one step of a path", () => {
    const wild = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.string({ maxLength: 80 }).map(Buffer.from),
      fc.stringMatching(/^[\w./?#%=+,@\r\n -]{0,70}$/).map(Buffer.from),
    );
    fc.assert(
      fc.property(wild, (bytes) => {
        let name: string;
        try {
          name = parseRoleName(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(ImdsGuardError);
          return;
        }
        const base = "http://192.0.2.1/latest/meta-data/iam/security-credentials/";
        expect(new URL(base + name).href).toBe(base + name);
      }),
      { numRuns: 500 },
    );
  });

  test("does not show what was answered instead", () => {
    const error = thrownBy(() => parseRoleName(json(GENUINE)));
    expect(inspect(error)).not.toContain("wJalr");
  });
});

describe("parseCredentials", () => {
  test("takes what IMDS gives", () => {
    expect(credentials()).toStrictEqual({
      accountId: undefined,
      accessKeyId: GENUINE.AccessKeyId,
      secretAccessKey: GENUINE.SecretAccessKey,
      sessionToken: GENUINE.Token,
      expiration: new Date("2026-03-01T18:00:00Z"),
    });
  });

  test("takes an account id where there is one, and ignores what it does not know", () => {
    expect(credentials({ AccountId: "111122223333", UnexpectedElement: { Name: "ignore-me" } })).toMatchObject({
      accountId: "111122223333",
    });
  });

  test.each<[string, Record<string, unknown>]>([
    ["no Type", { Type: undefined }],
    ["finer time", { Expiration: "2026-03-01T18:00:00.832308Z" }],
    ["nanoseconds", { Expiration: "2026-03-01T18:00:00.123456789Z" }],
    ["the last moment", { Expiration: "2026-03-01T12:00:01Z" }],
    ["the farthest moment", { Expiration: "2026-03-02T12:00:00Z" }],
    ["a long token", { Token: "x".repeat(16_384) }],
  ])("takes %s", (_, changes) => expect(credentials(changes).accessKeyId).toBe(GENUINE.AccessKeyId));

  test.each<[string, Record<string, unknown>]>([
    ["another Type", { Type: "Bearer" }],
    ["a Type that is no string", { Type: 1 }],
    ["no AccessKeyId", { AccessKeyId: undefined }],
    ["an AccessKeyId that is null", { AccessKeyId: null }],
    ["a short AccessKeyId", { AccessKeyId: "ASIA" }],
    ["a long AccessKeyId", { AccessKeyId: "A".repeat(129) }],
    ["an AccessKeyId in lower case", { AccessKeyId: "asiaiosfodnn7example" }],
    ["an AccessKeyId with a slash (it goes into a header and a scope)", { AccessKeyId: "ASIAIOSFODNN7/EXAMPLE" }],
    ["an AccessKeyId with a line break", { AccessKeyId: "ASIAIOSFODNN7EXAMPLE\n" }],
    ["an AccessKeyId in a list", { AccessKeyId: ["ASIAIOSFODNN7EXAMPLE"] }],
    ["no SecretAccessKey", { SecretAccessKey: undefined }],
    ["an empty SecretAccessKey", { SecretAccessKey: "" }],
    ["a SecretAccessKey with a space", { SecretAccessKey: "a b" }],
    ["a SecretAccessKey that is a number", { SecretAccessKey: 7 }],
    ["a SecretAccessKey of 257 characters", { SecretAccessKey: "x".repeat(257) }],
    ["no Token", { Token: undefined }],
    ["a Token with a line break (it goes into a header)", { Token: "a\r\nX-Evil: 1" }],
    ["a Token in other letters", { Token: "t\u00f6ken" }],
    ["a Token of 16385 characters", { Token: "x".repeat(16_385) }],
    ["an AccountId of 11 digits", { AccountId: "11112222333" }],
    ["an AccountId of 13 digits", { AccountId: "1111222233334" }],
    ["an AccountId behind other words", { AccountId: "about 111122223333" }],
    ["an AccountId that is a number", { AccountId: 111122223333 }],
    ["no Expiration", { Expiration: undefined }],
    ["an Expiration in seconds", { Expiration: 1_772_388_000 }],
    ["an Expiration without zone", { Expiration: "2026-03-01T18:00:00" }],
    ["an Expiration with an offset", { Expiration: "2026-03-01T18:00:00+00:00" }],
    ["an Expiration in words", { Expiration: "Sun, 01 Mar 2026 18:00:00 GMT" }],
    ["a month that does not exist", { Expiration: "2026-13-01T18:00:00Z" }],
    ["an hour that does not exist", { Expiration: "2026-03-01T25:00:00Z" }],
    ["an Expiration tomorrow and a second", { Expiration: "2026-03-02T12:00:01Z" }],
    ["an Expiration in a thousand years", { Expiration: "3026-03-01T12:00:00Z" }],
    ["no Code", { Code: undefined }],
    ["a Code that is true", { Code: true }],
    ["an empty Code", { Code: "" }],
    ["a Code of several lines", { Code: "Failed\nASIAIOSFODNN7EXAMPLE" }],
    ["a Code of 65 letters", { Code: "x".repeat(65) }],
  ])("refuses %s", (_, changes) => {
    const error = thrownBy(() => credentials(changes));
    expect([error.code, error.tryNextLink]).toEqual(["ERR_IMDS_MALFORMED", false]);
  });

  test.each(["AssumeRoleUnauthorizedAccess", "InstanceProfileNotFound", "Failed", "success"])(
    "says that IMDS has none: %s",
    (Code) => {
      const error = thrownBy(() =>
        parseCredentials(json({ Code, Message: "EC2 cannot assume the role", LastUpdated: GENUINE.LastUpdated }), NOW),
      );
      expect([error.code, error.tryNextLink, error.evidence[0]?.value]).toEqual([
        "ERR_IMDS_CREDENTIALS_UNAVAILABLE",
        true,
        Code,
      ]);
    },
  );

  describe("of an emulator", () => {
    /** What Moto's server answers. */
    const MOTO = {
      AccessKeyId: "test-key",
      SecretAccessKey: "test-secret-key",
      Token: "test-session-token",
      Expiration: "2026-03-02T09:30:00Z",
    };
    const madeUp = (changes: object) => parseCredentials(json({ ...MOTO, ...changes }), NOW, true);

    test("are taken without a Code", () => {
      expect(madeUp({})).toMatchObject({ accessKeyId: "test-key", expiration: new Date(MOTO.Expiration) });
      expect(codeOf(() => parseCredentials(json(MOTO), NOW))).toBe("ERR_IMDS_MALFORMED");
    });

    test.each([
      ["Failed", "ERR_IMDS_CREDENTIALS_UNAVAILABLE"],
      ["", "ERR_IMDS_MALFORMED"],
      [null, "ERR_IMDS_MALFORMED"],
    ])("are not with the Code %j", (Code, expected) => {
      expect(codeOf(() => madeUp({ Code }))).toBe(expected);
    });
  });

  test("a Code of failure wins over credentials beside it", () => {
    expect(codeOf(() => credentials({ Code: "Failed" }))).toBe("ERR_IMDS_CREDENTIALS_UNAVAILABLE");
  });

  test.each(["2026-03-01T12:00:00Z", "2026-03-01T11:59:59Z", "2001-01-01T00:00:00Z"])(
    "reads what ended at %s",
    (Expiration) => {
      expect(credentials({ Expiration }).expiration).toEqual(new Date(Expiration));
    },
  );

  test.each([
    [undefined, "or the clock of this host is wrong"],
    [0, "or the clock of this host is wrong"],
    [-5, "or the clock of this host is wrong"],
    [5, "or the clock of this host is wrong"],
    [-6, "6 minutes ahead of that of the responder"],
    [90, "90 minutes behind that of the responder"],
  ])("a responder whose clock is %s minutes off only words the advice", (minutes, advice) => {
    const responder = minutes === undefined ? undefined : NOW + minutes * 60_000;
    const error = expiredCredentials(new Date(NOW - 1), NOW, responder);
    expect(error).toMatchObject({ code: "ERR_IMDS_CREDENTIALS_EXPIRED", tryNextLink: true });
    expect(error.advice).toContain(advice);
  });

  test.each<[string, string | Buffer]>([
    ["nothing", ""],
    ["HTML", "<html></html>"],
    ["a list", "[]"],
    ["null", "null"],
    ["a string", '"Success"'],
    ["a number", "1"],
    ["half an object", '{"Code": "Success"'],
    ["two objects", "{}{}"],
    ["a byte order mark", "\ufeff{}"],
    ["credentials behind a byte order mark", `\ufeff${JSON.stringify(GENUINE)}`],
    [
      "credentials with bytes that are no UTF-8 beside them",
      Buffer.from(JSON.stringify({ ...GENUINE, Message: "\u00ff" }), "latin1"),
    ],
    ["UTF-16", Buffer.from('{"Code":"Success"}', "utf16le")],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ["NUL", "\0"],
    ["nesting without end", "[".repeat(60_000)],
    ["objects nested without end", '{"a":'.repeat(10_000)],
  ])("refuses %s", (_, body) =>
    expect(codeOf(() => parseCredentials(Buffer.from(body), NOW))).toBe("ERR_IMDS_MALFORMED"),
  );

  test("never gives what has no form, and never shows a secret", () => {
    const secret = fc.stringMatching(/^[!-~]{20,60}$/);
    const value = fc.oneof(secret, fc.constantFrom(undefined, null, "", 0, [], {}), fc.string());
    const fields = fc.record({
      Code: fc.constantFrom<unknown>("Success", "Success", "Success", "Failed", undefined, 3),
      Type: fc.constantFrom<unknown>("AWS-HMAC", undefined, "x"),
      AccessKeyId: fc.oneof<fc.Arbitrary<unknown>[]>(fc.constant(GENUINE.AccessKeyId), value),
      SecretAccessKey: fc.oneof<fc.Arbitrary<unknown>[]>(secret, value),
      Token: fc.oneof<fc.Arbitrary<unknown>[]>(
        secret,
        value,
        secret.map((text) => `${text}\n`),
      ),
      Expiration: fc.oneof<fc.Arbitrary<unknown>[]>(
        fc
          .date({ min: new Date(NOW - 1e9), max: new Date(NOW + 2e8), noInvalidDate: true })
          .map((date) => date.toISOString()),
        value,
      ),
      AccountId: fc.constantFrom<unknown>(undefined, undefined, "111122223333", 5),
    });
    fc.assert(
      fc.property(fields, (given) => {
        const body = json(given);
        try {
          const got = parseCredentials(body, NOW);
          expect(got.secretAccessKey).toMatch(/^[!-~]+$/);
          expect(got.sessionToken).toMatch(/^[!-~]+$/);
          const end = got.expiration.getTime();
          expect(end).toBeLessThanOrEqual(NOW + MAX_LIFETIME_MS);
        } catch (error) {
          if (!(error instanceof ImdsGuardError)) throw error;
          const shown = `${inspect(error, { depth: 9 })} ${JSON.stringify(error)} ${error.message} ${error.stack ?? ""} ${error.advice}`;
          for (const hidden of [given.SecretAccessKey, given.Token]) {
            if (typeof hidden === "string" && hidden.length >= 20) expect(shown).not.toContain(hidden.trim());
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("parseObject", () => {
  test.each(["null", "true", "1", '"text"', "[]", '[{"Code": "Success"}]'])("refuses %s: it is no object", (text) => {
    const error = thrownBy(() => parseObject(Buffer.from(text), "x"));
    expect([error.code, error.evidence]).toStrictEqual([
      "ERR_IMDS_MALFORMED",
      [{ source: "x", says: "not a JSON object" }],
    ]);
  });

  test("keeps __proto__ a key like any other", () => {
    const object = parseObject(Buffer.from('{"__proto__": {"Code": "Success"}, "constructor": 1}'), "x");
    expect(Object.getPrototypeOf(object)).toBeNull();
    expect(object["Code"]).toBeUndefined();
    expect(Object.keys(object)).toEqual(["__proto__", "constructor"]);
  });

  test("gives an object or an error of the guard, whatever comes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from), fc.string().map(Buffer.from)), (bytes) => {
        try {
          expect(Object.getPrototypeOf(parseObject(Buffer.from(bytes), "x"))).toBeNull();
        } catch (error) {
          expect(error).toBeInstanceOf(ImdsGuardError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

test("says of each refusal what was wrong, and what to do about it", async () => {
  const cases: Readonly<Record<string, () => unknown>> = {
    "a page for a token": () => parseToken(Buffer.from("<html>")),
    "a token for a lifetime": () => parseTokenTtl("AQAAALHzBzY3xGqVYhPm", 21_600),
    "a lifetime of 100000 seconds": () => parseTokenTtl("100000", 21_600),
    "two roles": () => parseRoleName(Buffer.from("one\ntwo\n")),
    "credentials that are no JSON": () => parseCredentials(Buffer.from("<html>"), NOW),
    "credentials in a list": () => parseCredentials(json([GENUINE]), NOW),
    "credentials without a Code": () => credentials({ Code: undefined }),
    "credentials of another Type": () => credentials({ Type: "Bearer" }),
    "a missing field": () => credentials({ Token: undefined }),
    "a field that is no string": () => credentials({ Token: null }),
    "a field of another form": () => credentials({ Token: "a b" }),
    "a day that is none": () => credentials({ Expiration: "2026-13-01T18:00:00Z" }),
    "an end too far ahead": () => credentials({ Expiration: "2026-03-02T12:00:01Z" }),
    "an end that has passed": () => {
      throw expiredCredentials(new Date("2026-03-01T12:00:00Z"), NOW, undefined);
    },
    "no credentials": () => credentials({ Code: "AssumeRoleUnauthorizedAccess" }),
  };
  const told = Object.entries(cases).map(([name, parse]) => [name, wordingOf(thrownBy(parse))]);
  await expect(golden(Object.fromEntries(told) as Record<string, object>)).toMatchFileSnapshot("golden/responses.json");
});
