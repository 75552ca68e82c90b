/** `fromIotRoleAlias`: credentials of a role alias of AWS IoT, for a device that has a certificate. */
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider, Logger } from "@smithy/types";
import { servicesOf } from "../guard/guard.js";
import type { IotOptions } from "../roles-anywhere/certificate-settings.js";
import { settingsOfCode, mergeSettings } from "../roles-anywhere/certificate-settings.js";
import type { CertificateLink } from "../roles-anywhere/certificate-link.js";
import type { GuardKey } from "./guard-option.js";
import { guardOf } from "./guard-option.js";
import type { ProviderCall } from "./memoize.js";
import { toProviderError } from "./provider-error.js";

/** Options of {@link fromIotRoleAlias}. */
export interface FromIotRoleAliasInit extends IotOptions, GuardKey {
  /** Shared config profile that says what is left out here. Default: `AWS_PROFILE`, else `default`. */
  readonly profile?: string | undefined;
  readonly logger?: Logger | undefined;
}

const OPTIONS = [
  "endpoint",
  "roleAlias",
  "thingName",
  "certificate",
  "privateKey",
  "passphrase",
  "certificateChain",
  "guard",
  "profile",
  "logger",
];

/**
 * Credentials of a role by the credential provider of AWS IoT: mutual TLS with the certificate of a thing. What `init`
 * leaves out is taken from `IMDS_GUARD_IOT_*` and the profile keys `imds_guard_iot_*`. Shared, renewed and bounded as
 * {@link fromRolesAnywhere}, whose errors it has.
 *
 * @example
 * ```ts
 * import { S3Client } from "@aws-sdk/client-s3";
 * import { fromIotRoleAlias } from "imds-guard";
 * const credentials = fromIotRoleAlias({
 *   endpoint: "c2example.credentials.iot.eu-central-1.amazonaws.com",
 *   roleAlias: "device-uploads",
 *   thingName: "pump-7",
 *   certificate: "/etc/device/tls.crt",
 *   privateKey: "/etc/device/tls.key",
 * });
 * const s3 = new S3Client({ region: "eu-central-1", credentials });
 * ```
 * @throws TypeError `ERR_INVALID_ARG_VALUE` at once, for an option that is unknown or of another type
 * @throws CredentialsProviderError that is also a {@link RolesAnywhereError} or another {@link ImdsGuardError}
 */
export const fromIotRoleAlias = (init: FromIotRoleAliasInit = {}): AwsCredentialIdentityProvider => {
  const ofCode = settingsOfCode(init, OPTIONS);
  const guard = guardOf(init);
  let opening: Promise<CertificateLink> | undefined;
  const open = async (): Promise<CertificateLink> => {
    const [{ openRoleAlias, boundsOf }, { readCertificateSettings }, { settings, reporter, system, profile }] =
      await Promise.all([
        import("../guard/certificate-links.js"),
        import("../guard/certificate-plan.js"),
        servicesOf(guard),
      ]);
    const certificateSettings = mergeSettings(
      readCertificateSettings("iot", profile, "profile", system),
      readCertificateSettings("iot", system.env, "environment", system),
      ofCode,
    );
    const verify = (credentials: AwsCredentialIdentity): Promise<unknown> => guard.verify(credentials, "AWS IoT");
    return openRoleAlias(certificateSettings, { system, profile }, { system, reporter, verify, ...boundsOf(settings) });
  };
  const provider = async (call?: ProviderCall): Promise<AwsCredentialIdentity> => {
    init.logger?.debug?.("imds-guard", "fromIotRoleAlias");
    try {
      // Asked each time: a guard that was closed serves nothing.
      await servicesOf(guard);
      opening ??= open().catch((error: unknown) => {
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
};
