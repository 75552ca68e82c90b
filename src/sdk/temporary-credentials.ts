/** `fromTemporaryCredentials`: the SDK's provider of that name, starting from the guarded chain. */
import type { fromTemporaryCredentials as stock } from "@aws-sdk/credential-providers";
import { loadSdkTemporaryCredentials } from "../base/load-sdk.js";
import type { GuardKey } from "./guard-option.js";
import { ownPropertiesBut, ownProperty } from "../base/own-properties.js";
import { servicesOf } from "../guard/guard.js";
import { nestedClientConfig } from "./defaults-mode.js";
import { guardOf, requirePlainOptions } from "./guard-option.js";
import { fromNodeProviderChain } from "./node-chain.js";
import { toProviderError } from "./provider-error.js";

type StockOptions = Parameters<typeof stock>[0];
type StockProvider = ReturnType<typeof stock>;

/** Options of {@link fromTemporaryCredentials}: the SDK's own, and `guard`. */
export type FromTemporaryCredentialsOptions = StockOptions & GuardKey;

/**
 * Credentials of a role assumed with STS. Without `masterCredentials` (and without `clientConfig.credentials`) the SDK
 * would start from its own default chain; here it starts from the guarded one.
 *
 * @example
 * ```ts
 * import { fromTemporaryCredentials } from "imds-guard";
 * const credentials = fromTemporaryCredentials({
 *   params: { RoleArn: "arn:aws:iam::111122223333:role/backup", RoleSessionName: "nightly" },
 *   guard: { expectedAccounts: ["111122223333"] },
 * });
 * ```
 * @throws CredentialsProviderError; where the guard refused, one that is also an {@link ImdsGuardError}; errors of STS
 * as they are
 */
export const fromTemporaryCredentials = (options: FromTemporaryCredentialsOptions): StockProvider => {
  requirePlainOptions(options);
  const own = ownPropertiesBut(options, "guard");
  const profile = ownProperty(own.clientConfig, "profile");
  const guard = guardOf({ guard: ownProperty(options, "guard"), ...(profile !== undefined && { profile }) });
  const configured = own.masterCredentials ?? ownProperty(own.clientConfig, "credentials");
  const masterCredentials = configured ?? fromNodeProviderChain({ guard });
  let provider: StockProvider | undefined;
  return async (call) => {
    try {
      // Files of settings pass the guard's reader before the SDK looks a region up in them.
      await servicesOf(guard);
      provider ??= (await loadSdkTemporaryCredentials()).fromTemporaryCredentials({
        ...own,
        clientConfig: nestedClientConfig(guard, own.clientConfig),
        masterCredentials,
      });
      return await guard.verify(await provider(call), "temporary credentials");
    } catch (error) {
      throw await toProviderError(error, own.logger);
    }
  };
};
