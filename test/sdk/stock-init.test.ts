/** What the SDK's own providers are given, and that they read nothing that all objects inherit. */
import { afterEach, describe, expect, it } from "vitest";
import { requireOwnKeys, stockCall, stockInit, stockInitFor } from "../../src/sdk/stock-init.js";

const READ = [
  ..."profile filepath configFilepath ignoreCache logger clientConfig parentClientConfig callerClientConfig".split(" "),
  ..."clientPlugins mfaCodeProvider roleAssumer roleAssumerWithWebIdentity ssoStartUrl ssoAccountId ssoRegion".split(
    " ",
  ),
  ..."ssoRoleName ssoSession ssoClient webIdentityTokenFile webIdentityToken roleArn roleSessionName providerId".split(
    " ",
  ),
  ..."policyArns policy durationSeconds awsContainerCredentialsRelativeUri awsContainerCredentialsFullUri".split(" "),
  ..."awsContainerAuthorizationToken awsContainerAuthorizationTokenFile timeout maxRetries".split(" "),
  "ec2MetadataV1Disabled",
];

it("every option that is read is an own one, and those that were said are as they were said", () => {
  const init = stockInit({ profile: "a", timeout: 5, other: true });
  expect(Object.keys(init).sort()).toEqual([...READ, "other"].sort());
  expect(init).toEqual({ profile: "a", timeout: 5, other: true });
  expect(Object.keys(stockInit(undefined)).sort()).toEqual([...READ].sort());
});

it("profile and files are those whose settings hold", () => {
  const env = { HOME: "/home/a", AWS_CONFIG_FILE: "/etc/aws", AWS_PROFILE: "other" };
  expect(stockInitFor({ timeout: 5 } as object, "a", { env })).toEqual({
    timeout: 5,
    profile: "a",
    filepath: "/home/a/.aws/credentials",
    configFilepath: "/etc/aws",
  });
  const named = { profile: "b", filepath: "/x/credentials", configFilepath: "/x/config" };
  expect(stockInitFor(named, "a", { env })).toEqual({ ...named, profile: "a" });
  const inherited = Object.create(named) as typeof named;
  expect(stockInitFor(inherited, "a", { env })).toMatchObject({ filepath: "/home/a/.aws/credentials" });
});

it("a call has both of its options, whatever is said", () => {
  expect(Object.entries(stockCall(undefined as object | undefined))).toEqual([
    ["callerClientConfig", undefined],
    ["forceRefresh", undefined],
  ]);
  expect(stockCall({ forceRefresh: true, more: 1 })).toEqual({ forceRefresh: true, more: 1 });
});

describe("a property of all objects", () => {
  const put: string[] = [];
  const inherit = (name: string): void => {
    put.push(name);
    Object.defineProperty(Object.prototype, name, { value: "evil", configurable: true });
  };
  afterEach(() => {
    for (const name of put.splice(0)) Reflect.deleteProperty(Object.prototype, name);
  });

  it.each([
    ..."aws_access_key_id aws_secret_access_key aws_session_token role_arn source_profile credential_source".split(" "),
    ..."credential_process web_identity_token_file login_session sso_session sso_start_url sso_account_id".split(" "),
    ..."sso_region sso_role_name filepath configFilepath ssoClient ssoStartUrl ssoAccountId ssoRegion ssoRoleName".split(
      " ",
    ),
    ..."ssoSession webIdentityToken providerId policyArns policy durationSeconds".split(" "),
  ])("%s is refused, and the chain goes on where the profile names nothing of its own", async (name) => {
    inherit(name);
    const message = `Could not resolve credentials using profile: [a]. All objects of this process inherit a property ${name}`;
    for (const [profile, tryNextLink] of [
      [undefined, true],
      [{}, true],
      [{ region: "x" }, true],
      [{ region: "x", sso_session: "y" }, false],
      [{ role_arn: "x" }, false],
    ] as const)
      await expect(requireOwnKeys(profile, "a")).rejects.toMatchObject({
        name: "CredentialsProviderError",
        message,
        tryNextLink,
      });
  });

  it("that no provider reads is none of its business", async () => {
    inherit("region");
    await expect(requireOwnKeys({}, "a")).resolves.toBeUndefined();
  });
});
