/** What a guard notes on credentials is read by any copy of the package, and shown by nothing. */
import { expect, test } from "vitest";
import { credentialStateOf, roleNameOf, withCredentialState, withRoleName } from "../../src/guard/credential-state.js";

test("credentials of any other source are current, and have no role", () => {
  expect([credentialStateOf({}), roleNameOf({})]).toEqual(["current", undefined]);
  const heir = Object.create(withCredentialState({}, () => "withdrawn")) as object;
  expect(credentialStateOf(heir)).toBe("current");
});

test("the state is that of the moment in which it is asked", () => {
  let state: "current" | "due" | "withdrawn" = "current";
  const credentials = { accessKeyId: "x" };
  expect(withCredentialState(credentials, () => state)).toBe(credentials);
  for (const now of ["due", "withdrawn", "current"] as const) {
    state = now;
    expect(credentialStateOf(credentials)).toBe(now);
  }
});

test("neither is listed, copied or changed", () => {
  const credentials = withRoleName(
    withCredentialState({ accessKeyId: "x" }, () => "due"),
    "app",
  );
  expect(roleNameOf(credentials)).toBe("app");
  expect([Object.keys(credentials), JSON.stringify(credentials), roleNameOf({ ...credentials })]).toEqual([
    ["accessKeyId"],
    '{"accessKeyId":"x"}',
    undefined,
  ]);
  for (const name of ["imds-guard.credentials.1", "imds-guard.role-name"])
    expect(Object.getOwnPropertyDescriptor(credentials, Symbol.for(name))).toMatchObject({
      enumerable: false,
      writable: false,
      configurable: false,
    });
});
