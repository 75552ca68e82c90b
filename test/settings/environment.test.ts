/** The environment as settings are read from it. */
import { expect, test } from "vitest";
import { environmentOf, profileIn } from "../../src/settings/environment.js";
import { refusalOf } from "../support/wording.js";

type Env = Record<string, string>;

test.each<[NodeJS.Platform, Env, Env]>([
  [
    "linux",
    { a: "1", A: "2", Imds_Guard_Mode: "x", IMDS_GUARD_MODE: "y" },
    { a: "1", A: "2", Imds_Guard_Mode: "x", IMDS_GUARD_MODE: "y" },
  ],
  ["win32", { aws_Profile: "x" }, { AWS_PROFILE: "x" }],
  ["win32", { Path: "1", PATH: "2" }, { PATH: "1" }],
  ["win32", { imds_guard_mode: "x", IMDS_GUARD_MODE: "x" }, { IMDS_GUARD_MODE: "x" }],
])("on %s %j is %j", (platform, env, expected) => {
  const found = environmentOf({ env, platform });
  expect(found).toEqual(expected);
  expect(Object.getPrototypeOf(found)).toBeNull();
});

test("what the environment inherits is no variable", () => {
  expect(environmentOf({ env: Object.create({ AWS_PROFILE: "x" }) as Env, platform: "linux" })).toEqual({});
});

test("two values of one setting on Windows are an error", () => {
  const env = { imds_guard_mode: "deny", Imds_Guard_Mode: "allow" };
  const says = 'is set twice in different letters, to "deny" and "allow"';
  expect(refusalOf(() => environmentOf({ env, platform: "win32" }))).toMatchObject({
    code: "ERR_IMDS_GUARD_SETTING",
    message: `IMDS_GUARD_MODE ${says}. See docs/errors.md#ERR_IMDS_GUARD_SETTING`,
    evidence: [{ source: "IMDS_GUARD_MODE", says }],
    advice: "Set IMDS_GUARD_MODE once.",
  });
});

test.each<[Env, string]>([
  [{}, "default"],
  [{ AWS_PROFILE: "" }, "default"],
  [{ AWS_PROFILE: "x" }, "x"],
])("the profile of %j is %s", (env, profile) => {
  expect(profileIn(env)).toBe(profile);
});
