/** What `fromRolesAnywhere` and `fromIotRoleAlias` have in common: settings of three sources, one link, its errors. */
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider, Logger } from "@smithy/types";
import type { GuardServices } from "../guard/guard.js";
import { servicesOf } from "../guard/guard.js";
import type { CertificateLink } from "../roles-anywhere/certificate-link.js";
import { mergeSettings, settingsOfCode } from "../roles-anywhere/certificate-settings.js";
import type { CertificateKind } from "../settings/certificate-names.js";
import type { GuardKey } from "./guard-option.js";
import { guardOf } from "./guard-option.js";
import type { ProviderCall } from "./memoize.js";
import { toProviderError } from "./provider-error.js";

/** What options of both have besides those of their kind. */
interface CertificateProviderInit extends GuardKey {
  readonly logger?: Logger | undefined;
}

/** One of the two. */
export interface CertificateProviderKind {
  /** The name of its function. */
  readonly name: string;
  readonly kind: CertificateKind;
  /** As errors and events call it. */
  readonly source: string;
  /** Names of options. */
  readonly options: readonly string[];
}

/**
 * A provider that opens its link when it is first called, and again after that failed.
 * @throws TypeError `ERR_INVALID_ARG_VALUE` at once, for an option that is unknown or of another type
 */
export function certificateProvider(
  init: CertificateProviderInit,
  { name, kind, source, options }: CertificateProviderKind,
): AwsCredentialIdentityProvider {
  const guard = guardOf(init);
  const ofCode = settingsOfCode(init as object, options);
  let opening: Promise<CertificateLink> | undefined;
  const open = async ({ settings, reporter, system, profile }: GuardServices): Promise<CertificateLink> => {
    const [{ openRoleAlias, openRolesAnywhere, boundsOf }, { readCertificateSettings }] = await Promise.all([
      import("../guard/certificate-links.js"),
      import("../guard/certificate-plan.js"),
    ]);
    const certificateSettings = mergeSettings(
      readCertificateSettings(kind, profile, "profile", system),
      readCertificateSettings(kind, system.env, "environment", system),
      ofCode,
    );
    const verify = (credentials: AwsCredentialIdentity): Promise<unknown> => guard.verify(credentials, source);
    const openLink = kind === "iot" ? openRoleAlias : openRolesAnywhere;
    return openLink(certificateSettings, { system, profile }, { system, reporter, verify, ...boundsOf(settings) });
  };
  const provider = async (call?: ProviderCall): Promise<AwsCredentialIdentity> => {
    init.logger?.debug?.("imds-guard", name);
    try {
      // Asked each time: a guard that was closed serves nothing.
      const services = await servicesOf(guard);
      opening ??= open(services).catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return { ...(await (await opening).get({ forceRefresh: call?.forceRefresh })) };
    } catch (error) {
      throw await toProviderError(error, init.logger);
    }
  };
  // It remembers for itself, and what is withdrawn here must not be served by a client's own memory.
  return Object.assign(provider, { memoized: true });
}
