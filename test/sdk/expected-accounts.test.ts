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

it("looks at the same credentials of the same profile once, and at others again", async () => {
  const verified: string[] = [];
  let given = { accessKeyId: "A", secretAccessKey: "s" };
  const guardOf = (name: string) => ({
    ...createGuard({ log: "off", probe: "off" }),
    verify: <C extends { readonly accessKeyId: string }>(credentials: C, link: string): Promise<C> => {
      verified.push(`${name}: ${credentials.accessKeyId} of ${link}`);
      return Promise.resolve({ ...credentials, seenBy: name });
    },
  });
  let ofEnvironment = guardOf("one");
  const named = guardOf("named");
  const factory = withExpectedAccounts(
    () => () => Promise.resolve(given),
    "chain",
    ({ profile }) => Promise.resolve(profile === undefined ? ofEnvironment : named),
  );
  const provider = factory({});
  const first = await provider();
  expect(first).toEqual({ ...given, seenBy: "one" });
  expect(await provider()).toBe(first);
  expect(verified).toEqual(["one: A of chain"]);
  await provider({ callerClientConfig: { profile: "b" } });
  await provider();
  given = { accessKeyId: "B", secretAccessKey: "s" };
  expect(await provider()).toEqual({ ...given, seenBy: "one" });
  expect(verified.slice(1)).toEqual(["named: A of chain", "one: A of chain", "one: B of chain"]);
  // The environment comes to name another profile while the SDK reads: both have a say.
  verified.length = 0;
  const changing = withExpectedAccounts(
    () => () => {
      ofEnvironment = guardOf("two");
      return Promise.resolve(given);
    },
    "chain",
    () => Promise.resolve(ofEnvironment),
  );
  await changing({})();
  expect(verified).toEqual(["one: B of chain", "two: B of chain"]);
});

it.each([[null], [undefined], [5]])("takes no profile from a call that is %s", async (call) => {
  const { factory, asked } = holding(ACCOUNT);
  await factory({ clientConfig: null })(call);
  expect(new Set(asked)).toEqual(new Set([undefined]));
});

it("a provider has what the SDK's has", () => {
  const stock = Object.assign(() => Promise.resolve({ accessKeyId: "A", secretAccessKey: "s" }), { memoized: true });
  const factory = withExpectedAccounts(
    () => stock,
    "chain",
    () => Promise.reject(new Error("was asked")),
  );
  expect(Object.entries(factory({}))).toEqual([["memoized", true]]);
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
