/** A place that events go to, which may be away for a while without losing them. */
import type { GuardEvent } from "../events/catalogue.js";

/** Events that wait for one output; later ones are dropped and counted. Each takes a few kilobytes at most. */
export const MAX_WAITING = 1_024;

/** What became of the events of one output. */
export interface OutputStatus {
  readonly delivered: number;
  /** Waiting to be delivered. */
  readonly waiting: number;
  readonly dropped: number;
}

/** One output. Nothing it does throws or holds the process. */
export interface Output {
  /** For people and metrics: `stdout`, `file`, `syslog`. */
  readonly name: string;
  write(event: GuardEvent): void;
  /** Tries again what waits. */
  retry(): void;
  status(): OutputStatus;
  /** Delivers what can be delivered within `deadlineMs`, then lets go. */
  close(deadlineMs: number): Promise<void>;
}

/**
 * Keeps items in order up to a bound; the oldest are the ones that tell how something began, so the newest are dropped.
 */
export interface Spool<Item> {
  push(item: Item): void;
  /** Puts items back in front, whatever the bound. */
  putBack(items: readonly Item[]): void;
  shift(): Item | undefined;
  readonly length: number;
  readonly dropped: number;
}

/** Makes a {@link Spool}. */
export function createSpool<Item>(max = MAX_WAITING): Spool<Item> {
  let items: Item[] = [];
  let dropped = 0;
  return {
    push(item) {
      if (items.length < max) items.push(item);
      else dropped += 1;
    },
    putBack(earlier) {
      items = [...earlier, ...items];
    },
    shift: () => items.shift(),
    get length() {
      return items.length;
    },
    get dropped() {
      return dropped;
    },
  };
}
