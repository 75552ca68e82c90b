/**
 * The life of one set of credentials: fetched once for all callers, renewed ahead of time, carried through an outage.
 */
import { ImdsUnavailableError } from "./errors.js";
import type { System } from "./system.js";

/** What has an end. */
export interface Expiring {
  readonly expiration: Date;
  /** Given where it was handed out past its end: why that may be. */
  readonly overdue?: ImdsUnavailableError | undefined;
}

/** How {@link createLifetime} obtains and judges. */
export interface LifetimeOptions<C extends Expiring> {
  readonly system: Pick<System, "now" | "monotonic" | "random">;
  /**
   * Obtains new credentials; `forced` where a caller does not want those that are held. What an error means for those,
   * `judge` says.
   */
  readonly acquire: (forced: boolean) => Promise<C>;
  /**
   * What a failed renewal means for what is held. Default, as it is for IMDS: an outage extends it, anything else that
   * is unavailable leaves it to its end, and a finding drops it.
   */
  readonly judge?: (error: unknown) => Judgement;
  /** Called when credentials are served past their end because of an outage. */
  readonly onExtended?: (original: C, until: Date, cause: ImdsUnavailableError) => void;
}

/** `extend`: served on past its end; `keep`: served to its end; `drop`: not served any more. */
export type Judgement = "extend" | "keep" | "drop";

/** A source of credentials that are fresh, or as fresh as an outage allows. */
export interface Lifetime<C extends Expiring> {
  get(options?: { readonly forceRefresh?: boolean | undefined }): Promise<C>;
  /** Whether somebody should ask: what was served is not what is held any more, or its renewal is due. */
  isDue(served: C): boolean;
  /** Forgets everything; the next call acquires anew. */
  drop(): void;
}

const MINUTE = 60_000;
/**
 * Renewal begins this long before the end, plus up to as much again. IMDS offers new credentials at least 5 minutes
 * ahead.
 */
export const RENEW_AHEAD_MS = 5 * MINUTE;
/** Least time between two attempts while what is held still serves, plus up to as much again. */
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

function judgeImds(error: unknown): Judgement {
  if (!(error instanceof ImdsUnavailableError)) return "drop";
  return OUTAGE.includes(error.code) ? "extend" : "keep";
}

interface Held<C> {
  /** As acquired, with its own end. */
  readonly original: C;
  /** As served during an outage, with a later end. */
  readonly extended?: C;
  /** Milliseconds past its own end that it is served during an outage. */
  readonly extension: number;
  /** Its own end on the clock that never jumps. */
  readonly end: number;
  /** Renewal begins when this much is left. */
  readonly ahead: number;
  /** On the clock that never jumps. */
  readonly nextAttempt: number;
}

/** Makes a {@link Lifetime}. It owns no timer: time is looked at when somebody asks. */
export function createLifetime<C extends Expiring>(options: LifetimeOptions<C>): Lifetime<C> {
  const { system, acquire, judge = judgeImds } = options;
  let held: Held<C> | undefined;
  let flight: Promise<C> | undefined;
  let generation = 0;

  function renew(forced: boolean): Promise<C> {
    if (flight) return flight;
    const mine = renewOnce(forced).finally(() => {
      if (flight === mine) flight = undefined;
    });
    flight = mine;
    return mine;
  }

  async function renewOnce(forced: boolean): Promise<C> {
    const started = generation;
    try {
      const fresh = await acquire(forced);
      if (started === generation && !isOlder(fresh)) held = hold(fresh);
      // What is past its end is served as through an outage: for a capped time, and with its word.
      if (fresh.overdue !== undefined) throw fresh.overdue;
      return fresh;
    } catch (error) {
      const judgement = judge(error);
      if (judgement === "drop") held = undefined;
      if (judgement === "drop" || started !== generation) throw error;
      return carryOn(error, judgement);
    }
  }

  function isOlder({ expiration, overdue }: C): boolean {
    return overdue !== undefined && held !== undefined && held.original.expiration > expiration;
  }

  function hold(fresh: C): Held<C> {
    const life = fresh.expiration.getTime() - system.now();
    // Short-lived credentials are renewed at half their life instead of at once.
    const ahead = Math.min(RENEW_AHEAD_MS * (1 + system.random()), life / 2);
    return { original: fresh, extension: 0, end: system.monotonic() + life, ahead, nextAttempt: 0 };
  }

  /**
   * Milliseconds to the end of what was acquired, by the clock that says less: the clock of the day may be set back,
   * and the one that never jumps stands still while a machine sleeps.
   */
  function left({ original, end }: Held<C>): number {
    return Math.min(original.expiration.getTime() - system.now(), end - system.monotonic());
  }

  /**
   * Serves what is held while it lives, and past its end for a capped time if nothing but an outage stands in the way.
   */
  function carryOn(error: unknown, judgement: Judgement): C {
    if (!held) throw error;
    const past = -left(held);
    const nextAttempt = system.monotonic() + ATTEMPT_INTERVAL_MS * (1 + system.random());
    if (past < 0) {
      held = { ...held, nextAttempt };
      return held.original;
    }
    if (judgement !== "extend" || past >= MAX_EXTENSION_MS) {
      held = undefined;
      throw error;
    }
    const extension = Math.min(past + EXTENSION_MS * (1 + system.random() / 2), MAX_EXTENSION_MS);
    const more = extension - past;
    const until = new Date(system.now() + more);
    const extended = { ...held.original, expiration: until };
    held = {
      ...held,
      extended,
      extension,
      nextAttempt: Math.max(nextAttempt, system.monotonic() + more - RENEW_AHEAD_MS),
    };
    options.onExtended?.(held.original, until, error as ImdsUnavailableError);
    return extended;
  }

  return {
    async get({ forceRefresh = false } = {}) {
      if (!held || forceRefresh) return renew(forceRefresh);
      const remaining = left(held);
      const serving = remaining > 0 ? held.original : held.extended;
      const servable = remaining + held.extension;
      if (!serving || servable <= 0) return renew(false);
      if (remaining > held.ahead || system.monotonic() < held.nextAttempt) return serving;
      if (servable < URGENT_MS) return renew(false);
      // Nobody waits for it; what it finds, the next call faces.
      renew(false).catch(() => undefined);
      return serving;
    },
    isDue(served) {
      if (held === undefined || (served !== held.original && served !== held.extended)) return true;
      return flight === undefined && left(held) <= held.ahead && system.monotonic() >= held.nextAttempt;
    },
    drop() {
      held = undefined;
      flight = undefined;
      generation++;
    },
  };
}
