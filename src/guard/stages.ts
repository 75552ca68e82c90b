/**
 * The stages of a guard, each reached once and from the one before: opened (settings are read), located (this host is
 * known, and whether IMDS may be asked), living (IMDS is asked), closed.
 */
import type { Acquired, Acquirer } from "./acquire.js";
import type { Contact } from "./decide.js";
import type { Whereabouts } from "./guard.js";
import type { StsGate } from "./sts.js";
import type { TrustedKeys } from "../attest/trusted-keys.js";
import { ImdsRefusedError } from "../base/errors.js";
import type { Lifetime } from "../base/lifetime.js";
import { hasOwnKey, ownProperty } from "../base/own-properties.js";
import type { Reporter } from "../events/reporter.js";
import type { Resolved } from "../settings/resolve.js";

/** What the settings come to. */
export interface Opened extends Resolved {
  readonly reporter: Reporter;
  /** Those that the user trusts beside AWS's. */
  readonly trustedKeys: TrustedKeys;
  readonly askSts: StsGate;
}

/** What follows from them on this host. */
export interface Located extends Whereabouts, Opened {
  /** Reports the decision, once: to whoever wants something of IMDS, and not to those who only ask where they are. */
  readonly announce: () => void;
  /** Says a refusal on stderr, where no event of it is printed there. */
  readonly speak: () => void;
  /** After a refusal off EC2: looks once, in the background, whether anybody answers as IMDS. */
  readonly probe: () => void;
}

/** Where IMDS may be asked. */
export type Allowed = Located & { readonly decision: Contact };

/** What asks IMDS, and what it gave. */
export interface Living {
  readonly acquirer: Acquirer;
  readonly lifetime: Lifetime<Acquired>;
  /** The last credentials that were obtained. */
  readonly latest: () => Acquired | undefined;
}

type State =
  | { readonly stage: "created" }
  | { readonly stage: "opened"; readonly opened: Opened }
  | { readonly stage: "located"; readonly opened: Opened; readonly located: Located }
  | { readonly stage: "living"; readonly opened: Opened; readonly located: Located; readonly living: Living }
  | { readonly stage: "closed" };

interface Reached {
  readonly opened: Opened;
  readonly located: Located;
  readonly living: Living;
}

/** How each stage is reached from the one before. */
export interface Steps {
  readonly open: () => Promise<Opened>;
  readonly locate: (opened: Opened) => Promise<Located>;
  readonly live: (allowed: Allowed) => Promise<Living>;
}

/** Each throws `ERR_IMDS_GUARD_CLOSED` once the guard is closed, even where that happened while it waited. */
export interface Stages {
  opened(): Promise<Opened>;
  located(): Promise<Located>;
  /** Only for a host on which IMDS may be asked. */
  living(): Promise<Living>;
  /** The last credentials that were obtained, until it is closed. */
  latest(): Acquired | undefined;
  readonly closed: boolean;
  /** Ends it, and gives what there is to be let go of. */
  close(): Promise<{ readonly opened?: Opened; readonly living?: Living }>;
}

/** A guard before its first call. Callers share a step; one that failed is taken again by the next who calls. */
export function createStages(steps: Steps): Stages {
  let state: State = { stage: "created" };
  let step: Promise<State> | undefined;

  async function next(from: State): Promise<State> {
    switch (from.stage) {
      case "created":
        return { stage: "opened", opened: await steps.open() };
      case "opened":
        return { ...from, stage: "located", located: await steps.locate(from.opened) };
      case "located":
        return { ...from, stage: "living", living: await steps.live(from.located as Allowed) };
      default:
        return from;
    }
  }

  async function take(from: State): Promise<State> {
    try {
      const reached = await next(from);
      if (state === from) state = reached;
      return reached;
    } catch (error) {
      // Settings that cannot be honoured are not remembered: the next who calls reads them again.
      if (state === from && from.stage === "opened") state = { stage: "created" };
      throw error;
    } finally {
      step = undefined;
    }
  }

  /** Takes steps until the state has this. */
  async function reach<K extends keyof Reached>(what: K): Promise<Reached[K]> {
    for (;;) {
      if (state.stage === "closed") throw closedError();
      const found = ownProperty<Partial<Reached>, K>(state as Partial<Reached>, what);
      if (found !== undefined) return found;
      await (step ??= take(state));
    }
  }

  return {
    opened: () => reach("opened"),
    located: () => reach("located"),
    living: () => reach("living"),
    latest: () => (state.stage === "living" ? state.living.latest() : undefined),
    get closed() {
      return state.stage === "closed";
    },
    async close() {
      const before = state;
      state = { stage: "closed" };
      const reached = (await step?.catch(() => undefined)) ?? before;
      return hasOwnKey(reached, "opened") ? reached : {};
    },
  };
}

function closedError(): ImdsRefusedError {
  return new ImdsRefusedError("ERR_IMDS_GUARD_CLOSED", "IMDS was not asked: this guard is closed", {
    advice: "Create another guard.",
  });
}
