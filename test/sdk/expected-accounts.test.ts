/** Whose settings hold for what the SDK's own providers hand out, and that nothing passes without them. */
import { afterEach, expect, it } from "vitest";
import { createGuard } from "../../src/guard/create-guard.js";
import { withExpectedAccounts } from "../../src/sdk/expected-accounts.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";

const ACCOUNT = "111122223333";
const STRANGER = "999988887777";

/** A provider of the SDK that has keys of `account`; and the profiles whose settings were asked for. */
function holding(account: string) {
  const asked: (string | undefined)[] = [];
  const keys = { accessKeyId: accessKeyIdFor(account), secretAccessKey: "secret" };
  const factory = withExpectedAccounts(
    () => () => Promise.resolve(keys),
    "profile",
    ({ profile }) => {
      asked.push(profile);
      return Promise.resolve(createGuard({ expectedAccounts: [ACCOUNT], log: "off", probe: "off" }));
    },
  );
  return { factory, asked };
}

afterEach(() => {
  for (const name of ["profile", "clientConfig", "callerClientConfig"]) Reflect.deleteProperty(Object.prototype, name);
});

it.each([
  ["nobody's", {}, undefined, undefined],
  ["the provider's", { profile: "a", clientConfig: { profile: "b" } }, { callerClientConfig: { profile: "c" } }, "a"],
  ["its STS client's", { clientConfig: { profile: "b" } }, { callerClientConfig: { profile: "c" } }, "b"],
  ["the configuration's that it was made for", { parentClientConfig: { profile: "p" } }, undefined, "p"],
  ["that of the client that asks", {}, { callerClientConfig: { profile: "c" } }, "c"],
  ["nobody's where one is no name", { profile: 5 }, undefined, undefined],
])("holds the settings of one profile: %s", async (_, init, call, profile) => {
  const { factory, asked } = holding(ACCOUNT);
  const provider = factory(init);
  const credentials = await provider(call);
  expect(await provider(call)).toBe(credentials);
  expect([...new Set(asked)]).toEqual([profile]);
  const stranger = holding(STRANGER);
  await expect(stranger.factory(init)(call)).rejects.toMatchObject({
    code: "ERR_IMDS_ACCOUNT_UNEXPECTED",
    tryNextLink: false,
  });
  expect([...new Set(stranger.asked)]).toEqual([profile]);
});

it("takes no profile from the prototype of all objects", async () => {
  Object.assign(Object.prototype, {
    profile: "evil",
    clientConfig: { profile: "evil" },
    callerClientConfig: { profile: "evil" },
  });
  for (const init of [undefined, {}]) {
    const { factory, asked } = holding(STRANGER);
    await expect(factory(init)({})).rejects.toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED" });
    expect([...new Set(asked)]).toEqual([undefined]);
  }
});
