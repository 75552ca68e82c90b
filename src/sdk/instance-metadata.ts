/** `fromInstanceMetadata`: the SDK's provider of that name, through a guard. */
import type { fromInstanceMetadata as stock } from "@aws-sdk/credential-providers";
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from "@smithy/types";
import type { Guard } from "../guard/guard.js";
import { instanceCredentials } from "../guard/guard.js";
import type { GuardKey } from "./guard-option.js";
import { guardOf } from "./guard-option.js";
import type { ProviderCall } from "./memoize.js";
import { toProviderError } from "./provider-error.js";

/** Options of {@link fromInstanceMetadata}: the SDK's own, and `guard`. */
export type FromInstanceMetadataInit = Partial<NonNullable<Parameters<typeof stock>[0]>> & GuardKey;

/**
 * Credentials of the instance role, only where this host is EC2 and only from AWS's own metadata service.
 *
 * Same name, options and result as in `@aws-sdk/credential-providers`. `timeout` and `maxRetries` of the SDK are not
 * used; the guard has its own. `ec2MetadataV1Disabled` has no effect, because IMDSv1 is never used.
 *
 * @example
 * ```ts
 * import { fromInstanceMetadata } from "imds-guard";
 * const provider = fromInstanceMetadata({ guard: { attestation: "required" } });
 * const { accessKeyId, expiration } = await provider();
 * console.log(accessKeyId, expiration);
 * ```
 * @throws CredentialsProviderError that is also an {@link ImdsGuardError}, with `code`, `evidence` and `advice`
 */
export const fromInstanceMetadata = (init: FromInstanceMetadataInit = {}): AwsCredentialIdentityProvider =>
  instanceProvider(guardOf(init), init);

/** The provider over this guard. */
export function instanceProvider(guard: Guard, init: FromInstanceMetadataInit): AwsCredentialIdentityProvider {
  const provider = async (call?: ProviderCall): Promise<AwsCredentialIdentity> => {
    init.logger?.debug?.("imds-guard", "fromInstanceMetadata");
    try {
      // Asked for by name: not what a profile may name instead.
      const credentials = await instanceCredentials(guard, call?.forceRefresh);
      return Object.assign(credentials, { $source: { CREDENTIALS_IMDS: "0" } });
    } catch (error) {
      throw await toProviderError(error, init.logger);
    }
  };
  // The guard is its memory. A client that remembered once more would go on serving what a finding withdrew.
  return Object.assign(provider, { memoized: true });
}
