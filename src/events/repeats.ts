/** Tells repeats from news, so that what happens again and again fills no file: the first of a kind passes at once. */
import { hostAndPort } from "./address.js";
import type { GuardEvent } from "./catalogue.js";

/** Milliseconds in which one kind of event is written once. */
export const REPEAT_WINDOW_MS = 10 * 60 * 1_000;
/** Kinds that are told apart; what is new beyond them is told apart by its code alone. */
export const MAX_KINDS = 256;

/** An event, and how many of its kind it stands for. */
export interface Counted {
  readonly event: GuardEvent;
  /** How many were held back since the last one that was passed on, this one included. Absent for a first one. */
  readonly repeats?: number;
}

/** What {@link createRepeats} makes. */
export interface Repeats {
  /** What is to be written at `now` because `event` happened: counts that are due, and the event if it is news. */
  pass(event: GuardEvent, now: number): readonly Counted[];
  /** Counts that are due at `now`; with `all` every count there is. */
  due(now: number, all?: boolean): readonly Counted[];
  /** When the next count is due, in the same milliseconds; undefined where nothing is held back. */
  next(): number | undefined;
}

interface Kind {
  readonly since: number;
  held: number;
  last: GuardEvent | undefined;
}

/**
 * Counts events of one kind: same code, endpoint, responder and claimed account. Whoever makes up another account for
 * each answer gains nothing by it: at most {@link MAX_KINDS} and one for each code are told apart in ten minutes.
 */
export function createRepeats(): Repeats {
  const kinds = new Map<string, Kind>();
  // No count is due before: the kinds need not be looked through for each event.
  let earliest = Infinity;

  function due(now: number, all = false): Counted[] {
    if (!all && now < earliest) return [];
    const counts: Counted[] = [];
    earliest = Infinity;
    for (const [key, { since, held, last }] of kinds) {
      if (all || now - since >= REPEAT_WINDOW_MS) {
        kinds.delete(key);
        if (last === undefined) continue;
        counts.push({ event: last, repeats: held });
        // A line was written just now: what follows belongs to the next ten minutes.
        if (!all) kinds.set(key, { since: now, held: 0, last: undefined });
      }
    }
    for (const { since } of kinds.values()) earliest = Math.min(earliest, since + REPEAT_WINDOW_MS);
    return counts;
  }

  return {
    pass(event, now) {
      const counts = due(now);
      const exact = kindOf(event);
      const key = kinds.has(exact) || kinds.size < MAX_KINDS ? exact : event.code;
      const kind = kinds.get(key);
      if (kind !== undefined) {
        kind.held += 1;
        kind.last = event;
        return counts;
      }
      kinds.set(key, { since: now, held: 0, last: undefined });
      earliest = Math.min(earliest, now + REPEAT_WINDOW_MS);
      return [...counts, { event }];
    },
    due,
    next: () => {
      let next: number | undefined;
      for (const { since, held } of kinds.values())
        if (held > 0) next = Math.min(next ?? Infinity, since + REPEAT_WINDOW_MS);
      return next;
    },
  };
}

function kindOf({ code, endpoint, responder, claimed }: GuardEvent): string {
  const { mac, interface: device, gateway, route, localAddress } = responder ?? {};
  const where = endpoint === undefined ? undefined : hostAndPort(endpoint);
  return JSON.stringify([code, where, mac, device, gateway, route, localAddress, claimed?.accountId]);
}
