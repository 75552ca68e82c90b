/** `fromNodeProviderChain`: the SDK's default chain link by link, with a guard as its last link. */
import type { fromNodeProviderChain as stock } from "@aws-sdk/credential-providers";
import type { AwsCredentialIdentity } from "@smithy/types";
import { isImdsGuardError } from "../base/errors.js";
import type { Guard } from "../guard/guard.js";
import { credentialStateOf } from "../guard/credential-state.js";
import { profileNameOf, servicesOf } from "../guard/guard.js";
import { kindsInEnvironment } from "../settings/certificate-names.js";
import type { System } from "../base/system.js";
import { realSystem } from "../base/system.js";
import { loadSdkConfig, loadSdkProviders } from "../base/load-sdk.js";
import { loadPlainly } from "../base/plain-load.js";
import { FULL_URI, RELATIVE_URI, warnOfContainerEndpoint } from "./container-endpoint.js";
import { fromIni, isAfterCertificate } from "./ini.js";
import type { GuardKey } from "./guard-option.js";
import { shareInProcess } from "../base/process-wide.js";
import { ownProperties, ownPropertiesBut } from "../base/own-properties.js";
import { nestedClientConfig } from "./defaults-mode.js";
import { guardOf, guardOfCall, profileOfCall } from "./guard-option.js";
import { hasEnvironmentKeys, hasSharedFiles, hasWebIdentity } from "./link-inputs.js";
import { memoize } from "./memoize.js";
import { asGuardError, toProviderError } from "./provider-error.js";
import { requireOwnKeys, stockCall, stockInitFor } from "./stock-init.js";

type StockInit = NonNullable<Parameters<typeof stock>[0]>;
type StockProvider = ReturnType<typeof stock>;
type Call = Parameters<StockProvider>[0];
type Link = readonly [name: string, provide: (call: Call) => Promise<AwsCredentialIdentity>];

/** Options of {@link fromNodeProviderChain}: the SDK's own, and `guard`. */
export type FromNodeProviderChainInit = StockInit & GuardKey;

/**
 * The SDK's default credential chain: environment, SSO, profiles, login, process, web identity and container as the
 * SDK itself provides them, in its order; and IMDS through a guard. Behind the environment's keys comes what
 * `IMDS_GUARD_ROLES_ANYWHERE_*` or `IMDS_GUARD_IOT_*` name; where those or a profile name a certificate, IMDS is no link. With `expectedAccounts`, credentials of every link
 * are held against it.
 *
 * Nothing of the SDK is loaded and nothing is read before the first call, and a link whose variables or files are not
 * there is not loaded at all. With a `logger` every link is asked, so that it says for itself what it lacks.
 *
 * @example
 * ```ts
 * import { S3Client } from "@aws-sdk/client-s3";
 * import { fromNodeProviderChain } from "imds-guard";
 * const credentials = fromNodeProviderChain({ guard: { expectedAccounts: ["111122223333"] } });
 * const s3 = new S3Client({ region: "eu-central-1", credentials });
 * ```
 * @throws CredentialsProviderError; where IMDS was the last hope, one that is also an {@link ImdsGuardError}
 */
export const fromNodeProviderChain = (init: FromNodeProviderChainInit = {}): StockProvider => {
  const shared = guardOf(init);
  return chainOf(init, shared, (profile) => guardOfCall(shared, init, profile));
};

/** The chain of a guard; `guardFor` tells whose settings hold where it is asked anew, for a profile or for none by name. */
export function chainOf(
  init: FromNodeProviderChainInit,
  shared: Guard,
  guardFor: (profile: string | undefined) => Guard,
): StockProvider {
  const stockInit = ownPropertiesBut(init, "guard");
  // Credentials are remembered by profile: clients with profiles of their own may share this provider.
  const byProfile = new Map<string, StockProvider>();
  const ofProfile = (profile: string | undefined): StockProvider =>
    memoize<AwsCredentialIdentity, NonNullable<Call>>(async (call) => {
      const guard = guardFor(profile);
      const own = ownProperties({ ...stockInit, ...(profile !== undefined && { profile }) });
      const name = await profileRead(guard, own);
      const chosen = stockInit.profile ?? profileNameOf(shared);
      return firstOf(chainLinks(own, guard, { system: realSystem, chosen, name }), guard, own, call);
    }, credentialStateOf);
  const provider: StockProvider = (call) => {
    const profile = profileOfCall(shared, stockInit, call);
    const key = profile ?? "";
    let remembering = byProfile.get(key);
    if (remembering === undefined) byProfile.set(key, (remembering = ofProfile(profile)));
    return remembering(call);
  };
  // This chain remembers for itself. A client that remembered once more would go on serving what a finding withdrew.
  return Object.assign(provider, { memoized: true });
}

/** The profile whose settings hold. Files that are endless, or lose a setting with them, end here and reach no link. */
export async function profileRead(guard: Guard, init: Pick<StockInit, "logger">): Promise<string> {
  try {
    return (await servicesOf(guard)).settings.profile;
  } catch (error) {
    throw await toProviderError(error, init.logger, false);
  }
}

const INSTANCE = "instance metadata";

interface Surroundings {
  readonly system: System;
  /** The profile that code names for the chain. As in the SDK, that of a client leaves the environment's keys. */
  readonly chosen: string | undefined;
  /** The profile whose settings hold. */
  readonly name: string;
}

function chainLinks(init: StockInit, guard: Guard, { system, chosen, name }: Surroundings): Link[] {
  const clientConfig = nestedClientConfig(guard, init.clientConfig as object | undefined);
  const own: StockInit = ownProperties({ ...init, clientConfig });
  const stock: StockInit = ownProperties({ ...stockInitFor(init, name, system), clientConfig });
  const named = chosen ?? system.env["AWS_PROFILE"];
  if (named) warnOfTwoSources(init);
  const { ssoStartUrl, ssoAccountId, ssoRegion, ssoRoleName, ssoSession } = init;
  const sso = ssoStartUrl || ssoAccountId || ssoRegion || ssoRoleName || ssoSession;
  const verbose = init.logger !== undefined;
  const files = verbose || hasSharedFiles(own, system);
  const inContainer = system.env[RELATIVE_URI] || system.env[FULL_URI];
  const container: typeof sdkLink = async (begin) => {
    await warnOfContainerEndpoint(guard, system);
    return sdkLink(begin);
  };
  return [
    ...when<Link>(!named && (verbose || hasEnvironmentKeys(system)), [
      "environment",
      () => sdkLink((sdk) => sdk.fromEnv(stock)()),
    ]),
    ...when<Link>(chosen === undefined && kindsInEnvironment(system.env).length > 0, [
      "certificate",
      async (call) => {
        const link = await (await servicesOf(guard)).certificateLink();
        // Not where the guard was made for a profile by name.
        if (link === undefined) throw Object.assign(new Error("no certificate is named"), { tryNextLink: true });
        return { ...(await link.get({ forceRefresh: call?.forceRefresh })) };
      },
    ]),
    ...when<Link>(sso, ["SSO", (call) => sdkLink((sdk) => sdk.fromSSO(stock)(stockCall(call)))]),
    ...when<Link>(files, ["profile", (call) => fromIni({ ...own, guard })(call)]),
    ...when<Link>(files, [
      "credential process",
      async (call) => {
        // A profile that has one of its own came to it by the link before.
        await requireOwnKeys(undefined, name);
        return sdkLink((sdk) => sdk.fromProcess(stock)(stockCall(call)));
      },
    ]),
    ...when<Link>(verbose || hasWebIdentity(own, system), [
      "web identity token",
      (call) => sdkLink((sdk) => sdk.fromTokenFile(stock)(stockCall(call))),
    ]),
    ...(inContainer
      ? ([
          ["container (HTTP)", () => container((sdk) => sdk.fromHttp(stock)())],
          ["container", () => container((sdk) => sdk.fromContainerMetadata(stock)())],
        ] satisfies Link[])
      : ([[INSTANCE, (call) => guard.credentials({ forceRefresh: call?.forceRefresh })]] satisfies Link[])),
  ];
}

/** A link of the SDK's. It loads more of the SDK before it first waits. */
async function sdkLink<T>(begin: (sdk: Awaited<ReturnType<typeof loadSdkProviders>>) => Promise<T>): Promise<T> {
  const sdk = await loadSdkProviders();
  return loadPlainly(() => begin(sdk));
}

function when<T>(condition: unknown, item: T): T[] {
  return condition ? [item] : [];
}

async function firstOf(
  links: readonly Link[],
  guard: Guard,
  init: StockInit,
  call: Call,
): Promise<AwsCredentialIdentity> {
  let last: unknown;
  let certificateNamed = false;
  for (const [name, provide] of links) {
    // Whoever names a certificate does not want to be somebody else when it fails.
    if (certificateNamed && name === INSTANCE) continue;
    init.logger?.debug(`imds-guard - fromNodeProviderChain::${name}`);
    try {
      return await guard.verify(await provide(call), name);
    } catch (error) {
      if (!certificateNamed) last = error;
      certificateNamed ||= isAfterCertificate(error);
      if ((error as { tryNextLink?: boolean } | null)?.tryNextLink !== true)
        throw await toProviderError(error, init.logger, false);
    }
  }
  throw await exhausted(last, init);
}

/** The end of the chain: the SDK's sentence, followed by why IMDS, its last link, gave nothing. */
async function exhausted(last: unknown, init: StockInit): Promise<Error> {
  const { CredentialsProviderError } = await loadSdkConfig();
  const why = isImdsGuardError(last) ? `. ${last.message}` : "";
  const error = new CredentialsProviderError(`Could not load credentials from any providers${why}`, {
    logger: init.logger,
    tryNextLink: false,
  });
  if (!isImdsGuardError(last)) return Object.assign(error, { cause: last });
  return asGuardError(error, last);
}

const WARNED = Symbol.for("imds-guard.warned-of-two-sources.1");

/** The SDK's own warning, once, for the one case in which it prefers the less obvious of two sources. */
function warnOfTwoSources(init: StockInit): void {
  if (!hasEnvironmentKeys(realSystem)) return;
  const warned = shareInProcess(WARNED, "data", () => ({ yes: false }));
  if (warned.yes) return;
  warned.yes = true;
  const { logger } = init;
  // eslint-disable-next-line no-console -- where the SDK says it, too
  const warn = logger?.warn && logger.constructor?.name !== "NoOpLogger" ? logger.warn.bind(logger) : console.warn;
  warn(
    "imds-guard - fromNodeProviderChain WARNING: both a profile and the pair AWS_ACCESS_KEY_ID/AWS_SECRET_ACCESS_KEY are set. " +
      "As in the AWS SDK, the profile is used.",
  );
}
