/** Which guard a provider gets, and whose profile a call is about. */
import { describe, expect, it } from "vitest";
import { createGuard } from "../../src/guard/create-guard.js";
import { profileNameOf, servicesOf } from "../../src/guard/guard.js";
import { guardOf, guardOfCall, profileOfCall, profileOfCaller } from "../../src/sdk/guard-option.js";
import { inScene } from "./side-by-side.js";

const OPTIONS = { log: "off", probe: "off" } as const;
const CONFIG = "[default]\n[profile a]\nimds_guard_mode = deny\n[profile b]\nimds_guard_mode = allow\n";
const settingsOf = async (guard: ReturnType<typeof guardOf>) => {
  const { profile, mode } = (await servicesOf(guard)).settings;
  return [profile, mode];
};

it.each<[unknown, string | undefined]>([
  [{ callerClientConfig: { profile: "a" } }, "a"],
  [{ callerClientConfig: { profile: "" } }, ""],
  [{ callerClientConfig: { profile: 5 } }, undefined],
  [{ callerClientConfig: Object.create({ profile: "a" }) as object }, undefined],
  [Object.create({ callerClientConfig: { profile: "a" } }), undefined],
  [{ callerClientConfig: {} }, undefined],
  [{ callerClientConfig: null }, undefined],
  [{ callerClientConfig: "a" }, undefined],
  [{}, undefined],
  [undefined, undefined],
])("the profile of the client in %j is %s", (call, profile) => {
  expect(profileOfCaller(call as object | undefined)).toBe(profile);
});

it("the profile of a call is the provider's, else the guard's, else the client's", () => {
  const call = { callerClientConfig: { profile: "c" } };
  const [named, unnamed] = [createGuard({ ...OPTIONS, profile: "b" }), createGuard(OPTIONS)];
  expect(profileOfCall(named, { profile: "a" }, call)).toBe("a");
  expect(profileOfCall(named, {}, call)).toBe("b");
  expect(profileOfCall(unnamed, {}, call)).toBe("c");
  expect(profileOfCall(unnamed, Object.create({ profile: "a" }) as object, {})).toBeUndefined();
});

describe("a guard", () => {
  it("is made of options, for the profile and the files that the provider names", async () => {
    await inScene({ config: CONFIG, files: { other: CONFIG.replace("deny", "allow") } }, async (home) => {
      expect(await settingsOf(guardOf({}))).toEqual(["default", "ec2-only"]);
      expect(await settingsOf(guardOf({ profile: "a" }))).toEqual(["a", "deny"]);
      expect(await settingsOf(guardOf({ profile: "a", guard: { profile: "b" } }))).toEqual(["a", "deny"]);
      expect(await settingsOf(guardOf({ guard: { profile: "b" } }))).toEqual(["b", "allow"]);
      expect(await settingsOf(guardOf({ profile: "a", configFilepath: `${home}/other` }))).toEqual(["a", "allow"]);
      expect(await settingsOf(guardOf({ profile: "default", filepath: `${home}/other` }))).toEqual([
        "default",
        "ec2-only",
      ]);
    });
  });

  it("is the one that is given, with the settings of the profile that the provider names", async () => {
    await inScene({ config: CONFIG }, async () => {
      const guard = createGuard({ ...OPTIONS, profile: "b" });
      expect(guardOf({ guard })).toBe(guard);
      expect(guardOf({ guard, profile: "b" })).toBe(guard);
      expect(await settingsOf(guardOf({ guard, profile: "a" }))).toEqual(["a", "deny"]);
    });
  });

  it.each([null, 5, "guard", [], Promise.resolve({})])("is none of %s, with a profile or without one", (guard) => {
    for (const init of [{ guard }, { guard, profile: "a" }])
      expect(() => guardOf(init as never)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }) as Error);
  });

  it("of a call is that of its profile, else that of the one that the environment names", async () => {
    await inScene({ config: CONFIG, env: { AWS_PROFILE: "b" } }, async () => {
      const guard = createGuard(OPTIONS);
      expect(await settingsOf(guardOfCall(guard, {}, "a"))).toEqual(["a", "deny"]);
      for (const profile of [undefined, ""])
        expect(await settingsOf(guardOfCall(guard, {}, profile))).toEqual(["b", "allow"]);
      expect(profileNameOf(guardOfCall(guard, {}, "a"))).toBe("a");
    });
  });
});
