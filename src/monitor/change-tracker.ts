/** What has been there before and what has not: turns one observation after another into appeared, changed and gone. */
import type { EventDetails } from "../events/catalogue.js";
import type { EventCode } from "../events/weights.js";

/** One thing that an observation found. */
export interface Sighting {
  /** What it is; the same thing has the same key in every observation. */
  readonly key: string;
  /** What may change about it. A trait that is missing is not known this time, and that is no change. */
  readonly traits: Readonly<Record<string, string | undefined>>;
  /** Reported when it is seen for the first time; nothing is where absent. */
  readonly appeared?: EventCode | undefined;
  /** Reported when a known trait has another value than before. */
  readonly changed?: EventCode | undefined;
  /** Reported once it has been missing for {@link Sighting.patience} observations. */
  readonly gone?: EventCode | undefined;
  /** Observations in a row that have to miss it, so that one lost packet does not end it. Default 1. */
  readonly patience?: number | undefined;
  readonly details: EventDetails;
}

/** What one look around came to. */
export interface Observation {
  readonly sightings: readonly Sighting[];
  /**
   * Beginnings of keys about which nothing could be told this time: what was there counts neither as seen nor as
   * missed.
   */
  readonly untold: readonly string[];
}

/** An event to report. */
export interface Change {
  readonly code: EventCode;
  readonly details: EventDetails;
}

/** Remembers what is there. */
export interface ChangeTracker {
  /** What is to be reported after this observation, in its order. */
  step(observation: Observation): readonly Change[];
  /** Keys of what is there. */
  present(): readonly string[];
  /** Things that were not followed because there were too many. */
  readonly overflow: number;
}

/** Things that are followed at once; more are counted and not reported, so that nobody can fill the memory. */
export const MAX_FOLLOWED = 512;

interface Followed {
  sighting: Sighting;
  traits: Readonly<Record<string, string | undefined>>;
  missed: number;
}

/** Makes a {@link ChangeTracker} that has seen nothing yet. */
export function createChangeTracker(): ChangeTracker {
  const followed = new Map<string, Followed>();
  let overflow = 0;

  function see(sighting: Sighting): Change | undefined {
    const before = followed.get(sighting.key);
    if (before === undefined) {
      if (followed.size >= MAX_FOLLOWED) {
        overflow += 1;
        return undefined;
      }
      followed.set(sighting.key, { sighting, traits: sighting.traits, missed: 0 });
      return sighting.appeared && { code: sighting.appeared, details: sighting.details };
    }
    const differences = Object.entries(sighting.traits).filter(
      ([name, value]) => value !== undefined && before.traits[name] !== undefined && before.traits[name] !== value,
    );
    const were = before.traits;
    before.traits = { ...were, ...known(sighting.traits) };
    before.sighting = sighting;
    before.missed = 0;
    if (differences.length === 0 || sighting.changed === undefined) return undefined;
    const evidence = differences.map(([name, value]) => ({
      source: name,
      value: value as string,
      says: `was ${were[name] as string}`,
    }));
    const { message, ...details } = sighting.details;
    const what = differences
      .map(([name, value]) => `${name} was ${were[name] as string} and is ${value as string}`)
      .join(", ");
    return {
      code: sighting.changed,
      details: {
        ...details,
        message: `${message ?? sighting.key}: ${what}`,
        evidence: [...evidence, ...(details.evidence ?? [])],
      },
    };
  }

  function miss(key: string, entry: Followed): Change | undefined {
    entry.missed += 1;
    if (entry.missed < (entry.sighting.patience ?? 1)) return undefined;
    followed.delete(key);
    const { gone, details } = entry.sighting;
    return (
      gone && {
        code: gone,
        details: { ...details, message: `no longer so: ${details.message ?? key}`, advice: undefined },
      }
    );
  }

  return {
    step({ sightings, untold }) {
      const seen = new Set(sightings.map(({ key }) => key));
      const changes = sightings.map(see);
      for (const [key, entry] of followed) {
        if (!seen.has(key) && !untold.some((beginning) => key.startsWith(beginning))) changes.push(miss(key, entry));
      }
      return changes.filter((change) => change !== undefined);
    },
    present: () => [...followed.keys()],
    get overflow() {
      return overflow;
    },
  };
}

function known(traits: Sighting["traits"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(traits).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
