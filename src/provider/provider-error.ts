/** Dresses errors of the guard as the SDK's own, so that chains and handlers of applications treat them as they should. */
import type { CredentialsProviderError } from "@smithy/core/config";
import type { Logger } from "@smithy/types";
import type { ImdsGuardError } from "../errors.js";
import { brandAs, isImdsGuardError } from "../errors.js";
import { loadSdkConfig } from "../sdk.js";

/** An error that is both: `CredentialsProviderError` of the SDK, and `ImdsGuardError` with code, evidence and advice. */
export type GuardedProviderError = CredentialsProviderError & Pick<ImdsGuardError, "code" | "kind" | "evidence" | "advice">;

/**
 * The SDK's error for one of ours, with `tryNextLink` as ours has it unless given; anything else is returned as it is.
 * `cause` is the original.
 */
export async function toProviderError(error: unknown, logger?: Logger, tryNextLink?: boolean): Promise<unknown> {
  if (!isImdsGuardError(error)) return error;
  const { CredentialsProviderError } = await loadSdkConfig();
  if (error instanceof CredentialsProviderError) return error;
  const { code, kind, evidence, advice } = error;
  const dressed = new CredentialsProviderError(error.message, { logger, tryNextLink: tryNextLink ?? error.tryNextLink });
  brandAs(dressed, kind);
  return Object.assign(dressed, { code, kind, evidence, advice, cause: error });
}
