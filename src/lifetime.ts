/** The life of one set of credentials: fetched once for all callers, renewed ahead of time, carried through an outage. */
import { ImdsUnavailableError } from "./errors.js";
import type { System } from "./system.js";

/** What has an end. */
export interface Expiring {
  readonly expiration: Date;
}

/** How {@link createLifetime} obtains and judges. */
export interface LifetimeOptions<C extends Expiring> {
  readonly system: System;
  /** Obtains new credentials. Anything but an {@link ImdsUnavailableError} is a finding and drops what is held. */
  readonly acquire: () => Promise<C>;
  /** Called when credentials are served past their end because of an outage. */
  readonly onExtended: (original: C, until: Date, cause: ImdsUnavailableError) => void;
  /** Called when a renewal nobody waited for failed with a finding. */
  readonly onDropped?: (error: unknown) => void;
}

/** A source of credentials that are fresh, or as fresh as an outage allows. */
export interface Lifetime<C extends Expiring> {
  get(options?: { readonly forceRefresh?: boolean | undefined }): Promise<C>;
  /** Forgets everything; the next call acquires anew. */
  drop(): void;
}

const MINUTE = 60_000;
/** Renewal begins this long before the end, plus up to as much again. IMDS offers new credentials at least 5 minutes ahead. */
export const RENEW_AHEAD_MS = 5 * MINUTE;
/** Least time between two attempts while the held credentials still serve, plus up to as much again. */
export const ATTEMPT_INTERVAL_MS = 30_000;
/** An outage extends credentials by this much at a time, plus up to half as much again. */
export const EXTENSION_MS = 10 * MINUTE;
/** Longest time past their own end that credentials are served. */
export const MAX_EXTENSION_MS = 6 * 60 * MINUTE;
/** Less than this before the end, callers wait for the renewal instead of being served what is held. */
const URGENT_MS = MINUTE;

/**
 * Codes of an outage. A refusal (401, 403, 404) is an answer and no outage: what IMDS takes back is not served on.
 * Static stability: AWS SDKs and Tools Reference Guide, "Static credentials stability".
 */
const OUTAGE: readonly string[] = [
  "ERR_IMDS_TIMEOUT",
  "ERR_IMDS_TOKEN_TIMEOUT",
  "ERR_IMDS_UNREACHABLE",
  "ERR_IMDS_STATUS",
  "ERR_IMDS_CREDENTIALS_EXPIRED",
];

interface Held<C> {
  /** As acquired, with its own end. */
  readonly original: C;
  /** As served: during an outage with a later end. */
  readonly served: C;
  readonly renewFrom: number;
  nextAttempt: number;
}

/** Makes a {@link Lifetime}. It owns no timer: time is looked at when somebody asks. */
export function createLifetime<C extends Expiring>(options: LifetimeOptions<C>): Lifetime<C> {
  const { system, acquire } = options;
  let held: Held<C> | undefined;
  let flight: Promise<C> | undefined;
  let generation = 0;

  function renew(): Promise<C> {
    flight ??= renewOnce().finally(() => {
      flight = undefined;
    });
    return flight;
  }

  async function renewOnce(): Promise<C> {
    const started = generation;
    try {
      const fresh = await acquire();
      if (started === generation) held = hold(fresh);
      return fresh;
    } catch (error) {
      if (!(error instanceof ImdsUnavailableError)) {
        held = undefined;
        throw error;
      }
      return carryOn(error);
    }
  }

  function hold(fresh: C): Held<C> {
    const now = system.now();
    const end = fresh.expiration.getTime();
    // Short-lived credentials are renewed at half their life instead of at once.
    const ahead = Math.min(RENEW_AHEAD_MS * (1 + system.random()), (end - now) / 2);
    return { original: fresh, served: fresh, renewFrom: end - ahead, nextAttempt: 0 };
  }

  /** Serves what is held while it lives, and past its end for a capped time if nothing but an outage stands in the way. */
  function carryOn(error: ImdsUnavailableError): C {
    const now = system.now();
    if (!held) throw error;
    held.nextAttempt = now + ATTEMPT_INTERVAL_MS * (1 + system.random());
    const end = held.original.expiration.getTime();
    if (end > now) return held.original;
    if (!OUTAGE.includes(error.code) || now - end > MAX_EXTENSION_MS) {
      held = undefined;
      throw error;
    }
    const until = new Date(Math.min(now + EXTENSION_MS * (1 + system.random() / 2), end + MAX_EXTENSION_MS + EXTENSION_MS));
    const served = { ...held.original, expiration: until };
    held = { ...held, served, nextAttempt: until.getTime() - RENEW_AHEAD_MS };
    options.onExtended(held.original, until, error);
    return served;
  }

  return {
    async get({ forceRefresh = false } = {}) {
      if (!held || forceRefresh) return renew();
      const now = system.now();
      // A clock that jumped back must not keep credentials from ever being renewed.
      const due = now >= held.renewFrom || held.original.expiration.getTime() - now > 36 * 60 * MINUTE;
      if (!due || now < held.nextAttempt) return now < held.served.expiration.getTime() ? held.served : renew();
      if (held.served.expiration.getTime() - now < URGENT_MS) return renew();
      const serving = held.served;
      renew().catch((error: unknown) => options.onDropped?.(error));
      return serving;
    },
    drop() {
      held = undefined;
      generation++;
    },
  };
}
