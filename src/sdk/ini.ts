/**
 * `fromIni`: the SDK's profile provider, except that a `credential_source = Ec2InstanceMetadata` leaf goes through a
 * guard, and that a leaf may name IAM Roles Anywhere or a role alias of AWS IoT.
 */
import type { fromIni as stock } from "@aws-sdk/credential-providers";
import type { AwsCredentialIdentity } from "@smithy/types";
import { isImdsGuardError } from "../base/errors.js";
import { hasExtra, loadExtra } from "../base/extra.js";
import type { Guard } from "../guard/guard.js";
import { credentialStateOf, withCredentialState } from "../guard/credential-state.js";
import { instanceCredentials, servicesOf } from "../guard/guard.js";
import type { AwsSettings } from "../guard/certificate-plan.js";
import type { CertificateLink } from "../roles-anywhere/certificate-link.js";
import { kindsInProfile, namesCertificate } from "../settings/certificate-names.js";
import type { ProviderCall } from "./memoize.js";
import { memoize } from "./memoize.js";
import { loadIniFiles, loadSdkConfig, loadSdkProviders } from "../base/load-sdk.js";
import type { GuardKey } from "./guard-option.js";
import { ownProperties, ownPropertiesBut, ownProperty } from "../base/own-properties.js";
import { nestedClientConfig } from "./defaults-mode.js";
import { guardOf, guardOfCall, profileOfCall } from "./guard-option.js";
import { toProviderError } from "./provider-error.js";
import { requireOwnKeys, stockCall, stockInit as explicit, stockInitFor } from "./stock-init.js";

type StockInit = NonNullable<Parameters<typeof stock>[0]>;
type StockProvider = ReturnType<typeof stock>;
type Call = Parameters<StockProvider>[0];
type Profile = Readonly<Record<string, string | undefined>>;
type Profiles = Readonly<Record<string, Profile | undefined>>;
type RoleAssumer = NonNullable<StockInit["roleAssumer"]>;
type Role = Parameters<RoleAssumer>[1];

/** Options of {@link fromIni}: the SDK's own, and `guard`. */
export type FromIniInit = StockInit & GuardKey;

/**
 * Credentials of a shared config profile. Every kind of profile is the SDK's own business but one: where the profile,
 * or the one its `source_profile` chain ends in, takes its source credentials from IMDS, they come from the guard and
 * the roles on the way are assumed with them. Where it names IAM Roles Anywhere or AWS IoT with keys of this package, or
 * with a line of aws_signing_helper, they come from there and no program is run for them. Keys that stand in the profile
 * itself are read again when the file is renewed. With `expectedAccounts`, credentials of every kind of profile are held
 * against it.
 *
 * @example
 * ```ts
 * import { S3Client } from "@aws-sdk/client-s3";
 * import { fromIni } from "imds-guard";
 * // [profile backup] credential_source = Ec2InstanceMetadata, role_arn = ...
 * const s3 = new S3Client({ region: "eu-central-1", credentials: fromIni({ profile: "backup" }) });
 * ```
 * @throws CredentialsProviderError; where the guard refused, one that is also an {@link ImdsGuardError}
 */
export const fromIni = (init: FromIniInit = {}): StockProvider => {
  const stockInit = ownPropertiesBut(init, "guard");
  const shared = guardOf(init);
  // Remembered by profile: clients with profiles of their own may share this provider.
  const byProfile = new Map<string, StockProvider>();
  const resolve: StockProvider = async (call) => {
    const named: { certificate: boolean; run?: AwsSettings } = { certificate: false };
    try {
      const profile = profileOfCall(shared, stockInit, call);
      const guard = guardOfCall(shared, stockInit, profile);
      // What is endless, or would lose a setting, ends here, before anybody opens it once more.
      const services = await servicesOf(guard);
      const name = services.settings.profile;
      const own: StockInit = ownProperties({
        ...stockInitFor(stockInit, name, services.system),
        clientConfig: nestedClientConfig(guard, stockInit.clientConfig as object | undefined),
      });
      const forceRefresh = ownProperty(call as ProviderCall | undefined, "forceRefresh") === true;
      const byCertificate = async (profiles: Profiles): Promise<AwsCredentialIdentity | undefined> => {
        const way = routeToCertificate(profiles, name);
        if (way === undefined) return undefined;
        named.certificate = true;
        const link = await certificateLinkOf(guard, profiles, way, profile);
        if (link === undefined) {
          named.run = { system: services.system, profile: profiles[way.leaf] ?? {} };
          return undefined;
        }
        return alongRoute(own, call, profiles, way.route, async () => ({ ...(await link.get({ forceRefresh })) }));
      };
      const { sharedKeysOf } = await import("./shared-keys.js");
      const keys = sharedKeysOf(services, name, stockInit);
      const now = forceRefresh || stockInit.ignoreCache === true;
      const { profiles } = keys.look(now);
      const renewed = profiles && (await byCertificate(profiles));
      if (renewed !== undefined) return await guard.verify(renewed, "profile");
      if (!named.certificate) {
        const found = await keys.get(now);
        if (found !== undefined) {
          const copy = { ...found };
          noteSource(copy, "CREDENTIALS_PROFILE", "n");
          const verified = await guard.verify(copy, "profile");
          keys.accepted(found);
          return withCredentialState(verified, () => (keys.isCurrent(found) ? "current" : "withdrawn"));
        }
      }
      const { parseKnownFiles } = await loadIniFiles();
      const read = ownKeysOnly((await parseKnownFiles({ ...own, ignoreCache: now || keys.isNews() })) as Profiles);
      const toInstance = routeToImds(read, name);
      const credentials =
        (await byCertificate(read)) ??
        (toInstance === undefined
          ? await bySdk(own, call, read[name])
          : await alongRoute(own, call, read, toInstance, () => instanceCredentials(guard)));
      return await guard.verify(credentials, "profile");
    } catch (error) {
      if (named.certificate) noteCertificate(error);
      throw await toProviderError(named.run ? await failureOfRun(error, named.run) : error, stockInit.logger);
    }
  };
  const provider: StockProvider = (call) => {
    // A program that calls it by itself is given what holds at that moment, as by the stock one.
    if (call === undefined) return resolve();
    const key = profileOfCall(shared, stockInit, call) ?? "";
    let memoized = byProfile.get(key);
    if (memoized === undefined)
      byProfile.set(
        key,
        (memoized = memoize<AwsCredentialIdentity, Call & ProviderCall>(resolve, credentialStateOf) as StockProvider),
      );
    return memoized(call);
  };
  // A client that remembered once more would serve keys without an end for ever, whatever stands in the file by then.
  return Object.assign(provider, { memoized: true });
};

/** Not read again: the SDK shall judge the very files that were judged here. */
async function bySdk(init: StockInit, call: Call, profile: Profile | undefined): Promise<AwsCredentialIdentity> {
  await requireOwnKeys(profile, init.profile ?? "default");
  const sdk = await loadSdkProviders();
  return sdk.fromIni({ ...withWebIdentity(sdk, init, call), ignoreCache: false })(stockCall(call));
}

/** The SDK's profiles are plain objects. */
function ownKeysOnly(profiles: Profiles): Profiles {
  const copies = Object.create(null) as Record<string, Profile | undefined>;
  for (const [name, profile] of Object.entries(profiles)) copies[name] = profile && ownProperties(profile);
  return copies;
}

/** Credentials of the source, and with them each role on the way back from `route`'s end. */
async function alongRoute(
  init: StockInit,
  call: Call,
  profiles: Profiles,
  route: readonly string[],
  source: () => Promise<AwsCredentialIdentity>,
): Promise<AwsCredentialIdentity> {
  await requireMfaCallback(init, profiles, route);
  const { roleAssumer: given } = init;
  const region = profiles[route[0] ?? ""]?.["region"];
  const assume: RoleAssumer = async (...role) =>
    (given ?? stsRoleAssumer(await loadSdkProviders(), init, call, region))(...role);
  let credentials = await source();
  noteSource(credentials, "CREDENTIALS_PROFILE_NAMED_PROVIDER", "p");
  for (const step of route.toReversed()) {
    const profile = profiles[step] ?? {};
    if (profile["role_arn"]) credentials = await assume(credentials, await roleOf(profile, init));
    noteSource(credentials, "CREDENTIALS_PROFILE_SOURCE_PROFILE", "o");
  }
  return credentials;
}

/** The SDK hands the options of its clients to every link of a profile but the one with a web identity token. */
function withWebIdentity(sdk: typeof import("@aws-sdk/credential-providers"), init: StockInit, call: Call): StockInit {
  if (init.roleAssumerWithWebIdentity !== undefined) return init;
  return {
    ...init,
    roleAssumerWithWebIdentity: (params) =>
      sdk.fromWebToken(
        explicit({
          roleArn: params.RoleArn,
          webIdentityToken: params.WebIdentityToken,
          roleSessionName: params.RoleSessionName,
          providerId: params.ProviderId,
          policyArns: params.PolicyArns,
          policy: params.Policy,
          durationSeconds: params.DurationSeconds,
          clientConfig: init.clientConfig as object | undefined,
          clientPlugins: init.clientPlugins,
          parentClientConfig: init.parentClientConfig,
          logger: init.logger,
        } as Parameters<typeof sdk.fromWebToken>[0]),
      )(stockCall(call)),
  };
}

/**
 * The profiles from `name` to the one whose source is IMDS, or undefined if it ends elsewhere. Takes the turns that
 * `@aws-sdk/credential-provider-ini` takes; whatever that would reject (cycles, unknown sources) is left to it.
 */
export function routeToImds(profiles: Profiles, name: string): readonly string[] | undefined {
  const route: string[] = [];
  let current = name;
  for (;;) {
    const profile = ownProperty(profiles, current);
    if (!profile || route.includes(current)) return undefined;
    const { role_arn: role, source_profile: source, credential_source: origin } = profile;
    const nested = route.length > 0;
    if (nested && profile["aws_access_key_id"] && profile["aws_secret_access_key"]) return undefined;
    // A source profile with a credential_source and no role hands its own source through, and source_profile wins
    // there.
    const handsThrough = nested && !role && origin !== undefined;
    // Everywhere else a role with exactly one of the two is what it takes.
    if (!handsThrough && (!role || (source === undefined) === (origin === undefined))) return undefined;
    route.push(current);
    if (source === undefined) return origin === "Ec2InstanceMetadata" ? route : undefined;
    current = source;
  }
}

/** The way to a profile whose credentials a certificate gives. */
export interface CertificateRoute {
  /** Profiles whose roles are assumed with them, the outermost first. */
  readonly route: readonly string[];
  /** The profile that names them. */
  readonly leaf: string;
}

/**
 * The way from `name` by `source_profile` to a profile that names credentials by certificate, or undefined. A role with
 * a source in that profile itself goes the way of its source.
 */
export function routeToCertificate(profiles: Profiles, name: string): CertificateRoute | undefined {
  const route: string[] = [];
  for (let current = name; ;) {
    const profile = ownProperty(profiles, current);
    if (!profile) return undefined;
    const { role_arn: role, source_profile: source, credential_source: origin } = profile;
    const onward = role && source !== undefined && origin === undefined && !route.includes(current);
    if (namesCertificate(profile) && !onward) return { route, leaf: current };
    const nested = route.length > 0;
    if (nested && profile["aws_access_key_id"] && profile["aws_secret_access_key"]) return undefined;
    if (!onward) return undefined;
    route.push(current);
    current = source;
  }
}

/** The link that the leaf names, or undefined where the helper of its line has to be run. */
export async function certificateLinkOf(
  guard: Guard,
  profiles: Profiles,
  { route, leaf }: CertificateRoute,
  named: string | undefined,
): Promise<CertificateLink | undefined> {
  const profile = profiles[leaf] ?? {};
  // A bundle that cannot read the helper's line runs the helper, as the SDK does.
  if (kindsInProfile(profile).length === 0 && !hasExtra("certificates")) return undefined;
  const [{ chooseCertificate, linkFor }, { system, settings, reporter, links }] = await Promise.all([
    loadExtra("certificates", "a profile of a certificate", () => import("../guard/certificate-links.js")),
    servicesOf(guard),
  ]);
  const environment = route.length > 0 ? "endpoint" : named === undefined ? "all" : "adds";
  const choice = chooseCertificate({ system, profile, environment });
  if (choice === undefined) return undefined;
  const verify = (credentials: AwsCredentialIdentity): Promise<unknown> => guard.verify(credentials, "certificate");
  return linkFor(choice, { system, profile }, { links, system, reporter, settings, verify });
}

/** Why a line that was run gives nothing: what its certificate and key have, or the error without the line. */
async function failureOfRun(error: unknown, aws: AwsSettings): Promise<unknown> {
  if (isImdsGuardError(error) || !(error instanceof Error)) return error;
  if (hasExtra("certificates")) {
    const { findingOfLine } = await loadExtra(
      "certificates",
      "a profile of a certificate",
      () => import("../guard/certificate-links.js"),
    );
    const finding = await findingOfLine(aws).catch((reason: unknown) => reason);
    if (finding !== undefined) return finding;
  }
  // Node.js shows the command of a program that failed, and a passphrase may stand on it.
  const line = aws.profile["credential_process"] ?? "";
  for (const part of ["message", "stack"] as const)
    if (line !== "") error[part] = error[part]?.replaceAll(line, "credential_process") ?? "";
  return error;
}

/** Noted on the error itself: chain and profile provider may be of two copies of this package. */
const AFTER_CERTIFICATE = Symbol.for("imds-guard.after-certificate.1");

function noteCertificate(error: unknown): void {
  // A frozen error stays as it is.
  if (typeof error === "object" && error !== null)
    Reflect.defineProperty(error, AFTER_CERTIFICATE, ownProperties({ value: true }));
}

/** Whether an error, or what caused it, is of a profile that names a certificate: IMDS is not asked after it. */
export function isAfterCertificate(error: unknown): boolean {
  for (let at = error, depth = 0; typeof at === "object" && at !== null && depth < 8; depth += 1) {
    if (Object.hasOwn(at, AFTER_CERTIFICATE) || (isImdsGuardError(at) && at.kind === "roles-anywhere")) return true;
    at = (at as { cause?: unknown }).cause;
  }
  return false;
}

/** Asked for before anything is sent, the outermost role first, as in the SDK. */
async function requireMfaCallback(init: StockInit, profiles: Profiles, route: readonly string[]): Promise<void> {
  if (init.mfaCodeProvider) return;
  const name = route.find((step) => profiles[step]?.["role_arn"] && profiles[step]["mfa_serial"]);
  if (name === undefined) return;
  const { CredentialsProviderError } = await loadSdkConfig();
  throw new CredentialsProviderError(
    `Profile ${name} requires multi-factor authentication, but no MFA code callback was provided.`,
    {
      tryNextLink: false,
      logger: init.logger,
    },
  );
}

async function roleOf(profile: Profile, init: StockInit): Promise<Role> {
  const serial = profile["mfa_serial"];
  return {
    RoleArn: profile["role_arn"] as string,
    RoleSessionName: profile["role_session_name"] || `aws-sdk-js-${Date.now()}`,
    ExternalId: profile["external_id"],
    DurationSeconds: Number.parseInt(profile["duration_seconds"] || "3600", 10),
    ...(serial && { SerialNumber: serial, TokenCode: await init.mfaCodeProvider?.(serial) }),
  };
}

/** What the SDK does where no `roleAssumer` is given: AssumeRole with the client options of `init`. */
function stsRoleAssumer(
  sdk: typeof import("@aws-sdk/credential-providers"),
  init: StockInit,
  call: Call,
  profileRegion: string | undefined,
): RoleAssumer {
  const { clientPlugins, logger, parentClientConfig: parent } = init;
  const clientConfig = init.clientConfig as object | undefined;
  const region = profileRegion ?? parent?.region;
  return async (source, { TokenCode: code, ...role }) => {
    const { credentialScope, ...credentials } = await sdk.fromTemporaryCredentials({
      masterCredentials: source,
      params: role,
      ...(code !== undefined && { mfaCodeProvider: () => Promise.resolve(code) }),
      clientConfig: {
        ...(region !== undefined && { region }),
        ...(parent?.requestHandler !== undefined && { requestHandler: parent.requestHandler as object }),
        ...clientConfig,
      },
      ...(clientPlugins && { clientPlugins }),
      ...(logger && { logger }),
    })(stockCall(call));
    const accountId = role.RoleArn?.split(":")[4];
    noteSource(credentials, "CREDENTIALS_STS_ASSUME_ROLE", "i");
    return { ...credentials, ...(credentialScope && { credentialScope }), ...(accountId && { accountId }) };
  };
}

/** The SDK's record of where credentials came from, which ends up in the user agent. */
function noteSource(credentials: AwsCredentialIdentity, feature: string, value: string): void {
  const marked = credentials as { $source?: Record<string, string> };
  (marked.$source ??= {})[feature] = value;
}
