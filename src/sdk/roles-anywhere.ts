/** `fromRolesAnywhere`: credentials of a role for a workload that has a certificate, without a helper program. */
import type { AwsCredentialIdentityProvider, Logger } from "@smithy/types";
import type { RolesAnywhereOptions } from "../roles-anywhere/certificate-settings.js";
import { certificateProvider } from "./certificate-provider.js";
import type { GuardKey } from "./guard-option.js";

/** Options of {@link fromRolesAnywhere}. */
export interface FromRolesAnywhereInit extends RolesAnywhereOptions, GuardKey {
  /** Shared config profile that says what is left out here. Default: `AWS_PROFILE`, else `default`. */
  readonly profile?: string | undefined;
  readonly logger?: Logger | undefined;
}

const OPTIONS = [
  "certificate",
  "privateKey",
  "passphrase",
  "certificateChain",
  "trustAnchorArn",
  "profileArn",
  "roleArn",
  "durationSeconds",
  "roleSessionName",
  "region",
  "endpoint",
  "sign",
  "guard",
  "profile",
  "logger",
];

/**
 * Credentials of an IAM role by IAM Roles Anywhere: CreateSession signed with the private key of a certificate. What
 * `init` leaves out is taken from `IMDS_GUARD_ROLES_ANYWHERE_*` and the profile keys `imds_guard_roles_anywhere_*`.
 *
 * One session serves all callers. It is renewed 5 to 10 minutes before its end, and certificate and key are read again
 * for that; while a renewal fails, what is held is served to its end. The guard's `timeout` covers one CreateSession
 * with its retries; default here 10 seconds. With `expectedAccounts`, the session's account is held against it.
 *
 * @example
 * ```ts
 * import { S3Client } from "@aws-sdk/client-s3";
 * import { fromRolesAnywhere } from "imds-guard";
 * const credentials = fromRolesAnywhere({
 *   certificate: "/etc/pki/app/tls.crt",
 *   privateKey: "/etc/pki/app/tls.key",
 *   trustAnchorArn: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/6f0e2c1a-0000-4000-8000-000000000000",
 *   profileArn: "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/9a2b4c6d-0000-4000-8000-000000000000",
 *   roleArn: "arn:aws:iam::111122223333:role/app",
 * });
 * const s3 = new S3Client({ region: "eu-central-1", credentials });
 * ```
 * @throws TypeError `ERR_INVALID_ARG_VALUE` at once, for an option that is unknown or of another type
 * @throws CredentialsProviderError that is also a {@link RolesAnywhereError} or another {@link ImdsGuardError}
 */
export const fromRolesAnywhere = (init: FromRolesAnywhereInit = {}): AwsCredentialIdentityProvider =>
  certificateProvider(init, {
    name: "fromRolesAnywhere",
    kind: "roles-anywhere",
    source: "Roles Anywhere",
    options: OPTIONS,
  });
