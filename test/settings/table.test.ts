/** The table of settings: their names, the words that are allowed, and what is read out of text. */
import { describe, expect, test } from "vitest";
import type { SettingName } from "../../src/settings/table.js";
import { complaint, parseSetting, ROLE_NAME, SETTINGS, specOf } from "../../src/settings/table.js";
import { fc } from "../support/properties.js";
import { golden } from "../support/wording.js";

const ofText = (name: SettingName, text: string): unknown => {
  const setting = specOf(name);
  return parseSetting(setting, setting.read(text));
};
const ofCode = (name: SettingName, value: unknown): unknown => parseSetting(specOf(name), value);
const refused = (name: SettingName): object => ({ allowed: specOf(name).allowed });

test("every setting has its names, its words and its order", async () => {
  const told = SETTINGS.map(
    ({ name, env, key, allowed, tightens }) => [name, { env, key, allowed, tightens }] as const,
  );
  await expect(golden(Object.fromEntries(told))).toMatchFileSnapshot("golden/settings.json");
});

describe("words", () => {
  const worded = SETTINGS.filter(({ tightens }) => tightens !== undefined && "words" in tightens);

  test.each(worded.map(({ name, allowed }) => [name, allowed.split(", ")] as const))(
    "%s is one of %j",
    (name, words) => {
      for (const word of words) {
        expect(ofText(name, ` ${word}\n`)).toEqual({ value: word });
        expect(ofCode(name, word)).toEqual({ value: word });
        for (const odd of [word.toUpperCase(), `${word}x`, ` ${word}`, "", [word], true, null, undefined])
          expect(ofCode(name, odd)).toEqual(refused(name));
      }
    },
  );
});

test.each<[SettingName, number, number]>([
  ["timeout", 50, 60_000],
  ["maxRetries", 0, 2],
  ["silenceMs", 0, 3_600_000],
])("%s is a whole number from %d to %d", (name, min, max) => {
  for (const value of [min, max]) {
    expect(ofText(name, ` ${value}\t`)).toEqual({ value });
    expect(ofCode(name, value)).toEqual({ value });
  }
  for (const value of [min - 1, max + 1, min + 0.5, Number.NaN, Infinity, String(min), [min], null])
    expect(ofCode(name, value)).toEqual(refused(name));
  for (const text of [
    "",
    " ",
    `${min}.0`,
    `+${max}`,
    `-${max}`,
    `${min}x`,
    `x${min}`,
    "1e1",
    "0x40",
    `${min} ${min}`,
    "1234567890",
  ])
    expect(ofText(name, text)).toEqual(refused(name));
});

describe("lists", () => {
  test("are read by commas, white space around them does not count, and neither does a second one", () => {
    expect(ofText("expectedRoles", " a,b ,\tc,a")).toEqual({ value: ["a", "b", "c"] });
  });

  test.each<[string, SettingName, unknown]>([
    ["nothing", "expectedRoles", []],
    ["text", "expectedRoles", "a"],
    ["a hole", "expectedRoles", ["a", , "b"]], // eslint-disable-line no-sparse-arrays -- that is what is tried
    ["what is no text", "expectedRoles", ["a", 5]],
    ["one that is not allowed among others", "expectedAccounts", ["111122223333", "11112222333"]],
    ["a region that is none", "expectedRegions", ["US-EAST-1"]],
    ["a word that is none of them", "firewallAllow", ["dns", "DNS"]],
    ["257 entries", "expectedRoles", Array.from({ length: 257 }, (_, at) => `r${at}`)],
    ["something like a list", "expectedRoles", { 0: "a", length: 1 }],
  ])("of %s are refused", (_, name, value) => {
    expect(ofCode(name, value)).toEqual(refused(name));
  });

  test("of 256 entries are read", () => {
    const value = Array.from({ length: 256 }, (_, at) => `r${at}`);
    expect(ofCode("expectedRoles", value)).toEqual({ value });
  });

  test.each(["", ",", "a,", ",a", "a,,b", "a b"])("of text with an entry that is none are refused: %j", (text) => {
    expect(ofText("expectedRoles", text)).toEqual(refused("expectedRoles"));
  });
});

test.each<[string, boolean]>([
  ["app-server", true],
  ["a", true],
  ["x".repeat(128), true],
  ["x".repeat(129), false],
  ["A_z0+=,.@-", true],
  ["...", true],
  [".a", true],
  [".", false],
  ["..", false],
  ["", false],
  ["a/b", false],
  ["a b", false],
  ["a\n", false],
  ["\na", false],
  ["\u00e9", false],
])("the name of a role: %j", (name, allowed) => {
  expect(ROLE_NAME.test(name)).toBe(allowed);
  expect(ofCode("ec2InstanceProfileName", name)).toEqual(allowed ? { value: name } : refused("ec2InstanceProfileName"));
});

test("a path is any text without a zero byte, of at most 4,096 characters", () => {
  expect(ofText("eventsFile", " /var/log/a b ")).toEqual({ value: "/var/log/a b" });
  expect(ofCode("eventsFile", "x".repeat(4_096))).toEqual({ value: "x".repeat(4_096) });
  for (const value of ["", "a\0b", "x".repeat(4_097), 5])
    expect(ofCode("eventsFile", value)).toEqual(refused("eventsFile"));
});

test("an endpoint is what can be asked", () => {
  expect(ofText("endpoint", " http://127.0.0.1:1338 ")).toEqual({ value: "http://127.0.0.1:1338" });
  for (const value of ["", "127.0.0.1", "ftp://x", new URL("http://127.0.0.1"), undefined])
    expect(ofCode("endpoint", value)).toEqual(refused("endpoint"));
});

describe("certificates", () => {
  test("are pairs of region and path in text", () => {
    expect(ofText("certificates", " us-east-1 = /a=b.pem , eu-west-1=/c.pem")).toEqual({
      value: { "us-east-1": "/a=b.pem", "eu-west-1": "/c.pem" },
    });
  });

  test.each([
    "",
    "us-east-1",
    "=/a",
    "us-east-1=",
    "us-east-1=/a,",
    "US=/a",
    "us-east-1=/a,eu-west-1",
    "us-east-1=,us-east-1=/a",
  ])("are refused where a pair is none: %j", (text) => {
    expect(ofText("certificates", text)).toEqual(refused("certificates"));
  });

  test.each([
    [],
    null,
    "x",
    new Map(),
    { "us-east-1": "" },
    { "us-east-1": 5 },
    { nowhere_1: "x" },
    { "us-east-1": "x", nowhere_1: "x" },
  ])("in code are regions and texts, and not %j", (value) => {
    expect(ofCode("certificates", value)).toEqual(refused("certificates"));
  });

  test("are a copy that nobody changes and that inherits nothing", () => {
    const given = { "us-east-1": "x" };
    const { value } = ofCode("certificates", given) as { value: object };
    expect([value, value === given, Object.isFrozen(value), Object.getPrototypeOf(value)]).toEqual([
      given,
      false,
      true,
      null,
    ]);
  });
});

test("any text of any setting is understood or refused", () => {
  fc.assert(
    fc.property(fc.constantFrom(...SETTINGS), fc.string(), ({ name }, text) => {
      expect(Object.keys(ofText(name, text) as object)).toHaveLength(1);
    }),
  );
});

test("a complaint names the setting, shows the text escaped, and says what is allowed", () => {
  expect(complaint("IMDS_GUARD_MODE", "a\u001b[31m", "x, y")).toBe(
    String.raw`IMDS_GUARD_MODE is "a\u001b[31m"; allowed: x, y`,
  );
});
