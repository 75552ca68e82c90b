/** What the SDK's own providers are given, so that they read nothing but what was said of them. */
import { once } from "../base/lazy.js";
import { loadSdkConfig } from "../base/load-sdk.js";
import { ownProperties, unsaid } from "../base/own-properties.js";
import type { System } from "../base/system.js";
import type { ConfigFileLocations } from "../settings/locations.js";
import { locate } from "../settings/locations.js";

/** Options that the SDK's provider of profiles does not hand on to those of sign-on and web identity, which read them. */
const NOT_HANDED_ON =
  "filepath configFilepath ssoClient ssoStartUrl ssoAccountId ssoRegion ssoRoleName ssoSession " +
  "webIdentityToken providerId policyArns policy durationSeconds";

/** Every other option that one of the SDK's providers reads. */
const READ =
  "profile ignoreCache logger clientConfig parentClientConfig callerClientConfig clientPlugins mfaCodeProvider " +
  "roleAssumer roleAssumerWithWebIdentity webIdentityTokenFile roleArn roleSessionName " +
  "awsContainerCredentialsRelativeUri awsContainerCredentialsFullUri " +
  "awsContainerAuthorizationToken awsContainerAuthorizationTokenFile timeout maxRetries ec2MetadataV1Disabled";

/** Where nobody said an option, a provider would read what all objects inherit. */
const unsaidOptions = once(() => ({ ...unsaid(READ), ...unsaid(NOT_HANDED_ON) }));

/** The same options; what is missing is an own `undefined`, which goes along where the SDK spreads them. */
export function stockInit<T extends object>(init: T | undefined): T {
  return { ...unsaidOptions(), ...init } as T;
}

/**
 * The same, for the profile and the files whose settings hold: the SDK does not look at the environment again, which may
 * have changed, or inherit a variable.
 */
export function stockInitFor<T extends ConfigFileLocations>(init: T, profile: string, system: Pick<System, "env">): T {
  const { filepath, configFilepath } = ownProperties(init);
  return stockInit({
    ...init,
    profile,
    filepath: locate("credentials", system, filepath),
    configFilepath: locate("config", system, configFilepath),
  });
}

/** What a client tells a provider of the SDK, and nothing that all objects inherit. */
export function stockCall<T extends object>(call: T | undefined): T {
  return { callerClientConfig: undefined, forceRefresh: undefined, ...call } as unknown as T;
}

/** Keys by which the SDK decides what a profile's credentials are. */
const WAYS = (
  "aws_access_key_id aws_secret_access_key aws_session_token role_arn source_profile credential_source " +
  "credential_process web_identity_token_file login_session " +
  "sso_session sso_start_url sso_account_id sso_region sso_role_name"
).split(" ");

/**
 * The SDK keeps profiles in plain objects, and makes plain options of them: what data has put on `Object.prototype` would
 * be a key of every profile, and its credentials, or a program that is run for them.
 * @throws CredentialsProviderError; the chain goes on behind it where the profile names no credentials of its own
 */
export async function requireOwnKeys(profile: object | undefined, name: string): Promise<void> {
  const stray = [...WAYS, ...NOT_HANDED_ON.split(" ")].find((key) => Reflect.has(Object.prototype, key));
  if (stray === undefined) return;
  const { CredentialsProviderError } = await loadSdkConfig();
  throw new CredentialsProviderError(
    `Could not resolve credentials using profile: [${name}]. All objects of this process inherit a property ${stray}`,
    { tryNextLink: profile === undefined || !WAYS.some((key) => Object.hasOwn(profile, key)) },
  );
}
