/** `fromIotRoleAlias`: credentials of a role alias of AWS IoT, for a device that has a certificate. */
import type { AwsCredentialIdentityProvider, Logger } from "@smithy/types";
import type { IotOptions } from "../roles-anywhere/certificate-settings.js";
import { certificateProvider } from "./certificate-provider.js";
import type { GuardKey } from "./guard-option.js";

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
export const fromIotRoleAlias = (init: FromIotRoleAliasInit = {}): AwsCredentialIdentityProvider =>
  certificateProvider(init, { name: "fromIotRoleAlias", kind: "iot", source: "AWS IoT", options: OPTIONS });
