/** `fromIni`: the SDK's profile provider, except that a `credential_source = Ec2InstanceMetadata` leaf goes through a guard. */
import type { fromIni as stock } from "@aws-sdk/credential-providers";
import type { AwsCredentialIdentity } from "@smithy/types";
import type { Guard } from "../guard.js";
import type { GuardKey } from "./guard-option.js";
import { guardOf } from "./guard-option.js";

type StockInit = NonNullable<Parameters<typeof stock>[0]>;
type StockProvider = ReturnType<typeof stock>;
type Call = Parameters<StockProvider>[0];
type Profiles = Readonly<Record<string, Readonly<Record<string, string | undefined>> | undefined>>;

/** Options of {@link fromIni}: the SDK's own, and `guard`. */
export type FromIniInit = StockInit & GuardKey;

/**
 * Credentials of a shared config profile. Every kind of profile is the SDK's own business but one: where the profile,
 * or the one its `source_profile` chain ends in, takes its source credentials from IMDS, they come from the guard and
 * the roles on the way are assumed with them. With `expectedAccounts`, credentials of every kind of profile are held
 * against it.
 *
 * @throws CredentialsProviderError; where the guard refused, one that is also an {@link ImdsGuardError}
 */
export const fromIni = (init: FromIniInit = {}): StockProvider => {
  const { guard: _, ...own } = init;
  const guard = guardOf(init);
  return async (call) => {
    const sdk = await import("@aws-sdk/credential-providers");
    const { parseKnownFiles, getProfileName } = await import("@smithy/shared-ini-file-loader");
    const profiles = (await parseKnownFiles(own)) as Profiles;
    const name = getProfileName({ profile: own.profile ?? profileOfCaller(call) });
    const route = routeToImds(profiles, name);
    try {
      const credentials = route === undefined ? await sdk.fromIni(own)(call) : await alongRoute(sdk, own, call, profiles, route, guard);
      return await guard.verify(credentials, "profile");
    } catch (error) {
      const { toProviderError } = await import("./provider-error.js");
      throw toProviderError(error, own.logger);
    }
  };
};

/** Credentials of the instance, and with them each role on the way back from `route`'s end. */
async function alongRoute(
  sdk: typeof import("@aws-sdk/credential-providers"),
  init: StockInit,
  call: Call,
  profiles: Profiles,
  route: readonly string[],
  guard: Guard,
): Promise<AwsCredentialIdentity> {
  let credentials: AwsCredentialIdentity = await guard.credentials();
  mark(credentials, "CREDENTIALS_PROFILE_NAMED_PROVIDER", "p");
  for (const step of route.toReversed()) {
    const profile = profiles[step] ?? {};
    if (profile["role_arn"]) credentials = await assume(sdk, init, call, step, profile, credentials);
    mark(credentials, "CREDENTIALS_PROFILE_SOURCE_PROFILE", "o");
  }
  return credentials;
}

function profileOfCaller(call: Call): string | undefined {
  return (call as { callerClientConfig?: { profile?: string } } | undefined)?.callerClientConfig?.profile;
}

/**
 * The profiles from `name` to the one whose source is IMDS, or undefined if it ends elsewhere. Takes the turns that
 * `@aws-sdk/credential-provider-ini` takes; whatever that would reject (cycles, unknown sources) is left to it.
 */
export function routeToImds(profiles: Profiles, name: string): readonly string[] | undefined {
  const route: string[] = [];
  let current = name;
  for (;;) {
    const profile = Object.hasOwn(profiles, current) ? profiles[current] : undefined;
    if (!profile || route.includes(current)) return undefined;
    const { role_arn: role, source_profile: source, credential_source: origin } = profile;
    const nested = route.length > 0;
    if (nested && profile["aws_access_key_id"] && profile["aws_secret_access_key"]) return undefined;
    // Exactly one of the two makes a profile assume a role; without a role only a nested named source counts.
    if ((source === undefined) === (origin === undefined)) return undefined;
    if (!role && !(nested && origin !== undefined)) return undefined;
    route.push(current);
    if (origin !== undefined) return origin === "Ec2InstanceMetadata" ? route : undefined;
    current = source as string;
  }
}

async function assume(
  sdk: typeof import("@aws-sdk/credential-providers"),
  init: StockInit,
  call: Call,
  name: string,
  profile: Readonly<Record<string, string | undefined>>,
  source: AwsCredentialIdentity,
): Promise<AwsCredentialIdentity> {
  const params = {
    RoleArn: profile["role_arn"] as string,
    RoleSessionName: profile["role_session_name"] || `aws-sdk-js-${Date.now()}`,
    ExternalId: profile["external_id"],
    DurationSeconds: Number.parseInt(profile["duration_seconds"] || "3600", 10),
    ...(profile["mfa_serial"] && { SerialNumber: profile["mfa_serial"], TokenCode: await mfaCode(init, name, profile["mfa_serial"]) }),
  };
  if (init.roleAssumer) return init.roleAssumer(source, params);
  const { clientConfig, clientPlugins, logger, parentClientConfig } = init;
  const region = profile["region"] ?? parentClientConfig?.region ?? regionOfCaller(call) ?? process.env["AWS_REGION"] ?? "us-east-1";
  return sdk.fromTemporaryCredentials({
    masterCredentials: source,
    // The code was asked for above; the SDK would ask for it a second time.
    params,
    ...(params.TokenCode !== undefined && { mfaCodeProvider: () => Promise.resolve(params.TokenCode as string) }),
    clientConfig: { region, ...clientConfig } as NonNullable<Parameters<typeof sdk.fromTemporaryCredentials>[0]["clientConfig"]>,
    ...(clientPlugins && { clientPlugins }),
    ...(logger && { logger }),
  })(call);
}

function regionOfCaller(call: Call): unknown {
  return (call as { callerClientConfig?: { region?: unknown } } | undefined)?.callerClientConfig?.region;
}

async function mfaCode(init: StockInit, name: string, serial: string): Promise<string> {
  if (init.mfaCodeProvider) return init.mfaCodeProvider(serial);
  const { CredentialsProviderError } = await import("@smithy/core/config");
  throw new CredentialsProviderError(`Profile ${name} requires multi-factor authentication, but no MFA code callback was provided.`, {
    tryNextLink: false,
    ...(init.logger && { logger: init.logger }),
  });
}

/** The SDK's record of where credentials came from, which ends up in the user agent. */
function mark(credentials: AwsCredentialIdentity, feature: string, value: string): void {
  const marked = credentials as { $source?: Record<string, string> };
  (marked.$source ??= {})[feature] = value;
}
