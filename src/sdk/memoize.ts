/** Remembers what a chain resolved, as the SDK's own chain does, but lets go of it after a finding. */
import { isImdsGuardError } from "../base/errors.js";
import { ownProperty } from "../base/own-properties.js";

/** What a caller may ask for. */
export interface ProviderCall {
  readonly forceRefresh?: boolean;
}

interface Expiring {
  readonly expiration?: Date;
}

/** Credentials with less than this left are renewed in the background. The SDK's figure. */
const REFRESH_WINDOW_MS = 5 * 60_000;

/**
 * Callers share one resolution; credentials near their end are served while one renewal runs; expired ones are not
 * served. A renewal or a forced refresh that ends in a finding (not in an outage) drops the credentials, so that the
 * next call faces it. `stateOf` is asked before credentials are served again: a guard whose credentials are `due` is
 * asked in the background, those that it has `withdrawn` are dropped.
 */
export function memoize<C extends Expiring, Call extends ProviderCall>(
  resolve: (call?: Call) => Promise<C>,
  stateOf: (credentials: C) => "current" | "due" | "withdrawn" = () => "current",
): (call?: Call) => Promise<C> {
  let held: C | undefined;
  let active: Promise<C> | undefined;
  let passive: Promise<unknown> | undefined;
  let forced: Promise<C> | undefined;

  const keep = (credentials: C): C => (held = credentials);
  const dropAfterFinding = (error: unknown): void => {
    // An outage, or IMDS not being asked at the end of a chain whose other links failed, says nothing of what is held.
    if (isImdsGuardError(error) && error.kind !== "unavailable" && error.kind !== "refused") held = undefined;
  };

  return async (call) => {
    if (ownProperty(call, "forceRefresh") === true) {
      forced ??= resolve(call)
        .then(keep, (error: unknown) => {
          dropAfterFinding(error);
          throw error;
        })
        .finally(() => (forced = undefined));
      return forced;
    }
    const state = held === undefined ? "current" : stateOf(held);
    if (state === "withdrawn") held = undefined;
    if (held?.expiration === undefined) {
      if (held !== undefined) return held;
    } else {
      const left = held.expiration.getTime() - Date.now();
      if (left >= REFRESH_WINDOW_MS && state !== "due") return held;
      if (left > 0) {
        passive ??= resolve(call)
          .then(keep, dropAfterFinding)
          .finally(() => (passive = undefined));
        return held;
      }
      held = undefined;
    }
    active ??= resolve(call)
      .then(keep)
      .finally(() => (active = undefined));
    return active;
  };
}
