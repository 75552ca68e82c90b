/** `fromGuardedRegion`: a region provider for SDK clients that never takes a stranger's word. */
import type { Provider } from "@smithy/types";
import type { GuardKey } from "./guard-option.js";
import { guardOf } from "./guard-option.js";

/** Options of {@link fromGuardedRegion}. */
export interface FromGuardedRegionInit extends GuardKey {
  /** Name of the shared config profile. Default: that of the guard, else `AWS_PROFILE`, else `default`. */
  readonly profile?: string | undefined;
}

/**
 * The region for an SDK client: `AWS_REGION` or `AWS_DEFAULT_REGION`, then the profile's `region`, then the region of
 * the signed identity document of this EC2 instance. The SDK's own lookup ends by believing whoever answers at
 * 169.254.169.254.
 *
 * @example
 * ```ts
 * import { S3Client } from "@aws-sdk/client-s3";
 * import { createGuard, fromGuardedRegion, fromNodeProviderChain } from "imds-guard";
 * const guard = createGuard();
 * const s3 = new S3Client({ region: fromGuardedRegion({ guard }), credentials: fromNodeProviderChain({ guard }) });
 * ```
 * @throws ImdsGuardError; `ERR_IMDS_NO_REGION` where nothing vouches for a region
 */
export const fromGuardedRegion = (init: FromGuardedRegionInit = {}): Provider<string> => {
  const guard = guardOf(init);
  let known: Promise<string> | undefined;
  return () => {
    known ??= guard.region().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
};
