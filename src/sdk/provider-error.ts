/**
 * Dresses errors of the guard as the SDK's own, so that chains and handlers of applications treat them as they should.
 */
import type { Logger } from "@smithy/types";
import { brandAs, carryEvidence, isImdsGuardError } from "../base/errors.js";
import type { ImdsGuardError } from "../base/errors.js";
import { loadSdkConfig } from "../base/load-sdk.js";

/**
 * The SDK's error for one of ours, with `tryNextLink` as ours has it unless given; anything else is returned as it is.
 * `cause` is the original.
 */
export async function toProviderError(error: unknown, logger?: Logger, tryNextLink?: boolean): Promise<unknown> {
  if (!isImdsGuardError(error)) return error;
  const { CredentialsProviderError } = await loadSdkConfig();
  if (error instanceof CredentialsProviderError) return error;
  const dressed = new CredentialsProviderError(error.message, {
    logger,
    tryNextLink: tryNextLink ?? error.tryNextLink,
  });
  return asGuardError(dressed, error);
}

/** Makes an error of the SDK carry what one of ours says; `cause` is the original. */
export function asGuardError<E extends Error>(dressed: E, error: ImdsGuardError): E {
  const { code, kind, advice } = error;
  brandAs(dressed, kind);
  carryEvidence(dressed, () => error.evidence);
  return Object.assign(dressed, { code, kind, advice, cause: error });
}
