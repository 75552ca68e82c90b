/** Guards of one application for several profiles: what one finds out about this host is true for all of them. */
import type { Guard } from "./guard.js";
import type { Allowed, Living } from "./stages.js";

/** What guards have in common that only differ in the profile whose settings they follow. */
export interface GuardFamily {
  /** Findings so far: what was handed out before the last one rests on proof that it has shaken. */
  findings(): number;
  /** Lets go of what the members hold; `by` is left out, who lets go by itself. */
  noteFinding(by?: () => void): void;
  /** `drop` is called at each finding. */
  onFinding(drop: () => void): void;
  /** The member of this name, created where there is none yet. */
  member(name: string, create: () => Guard): Guard;
  /** What asks IMDS for members whose settings come to the same: started by the first of them, and again after a failure. */
  life(key: string, start: () => Promise<Living>): Promise<Living>;
  /** Closes every member. */
  close(): Promise<void>;
}

/** The family of a guard that stands alone so far. */
export function createFamily(): GuardFamily {
  const members = new Map<string, Guard>();
  const lives = new Map<string, Promise<Living>>();
  const drops = new Set<() => void>();
  let findings = 0;
  return {
    findings: () => findings,
    noteFinding(by) {
      findings += 1;
      for (const drop of drops) if (drop !== by) drop();
    },
    onFinding(drop) {
      drops.add(drop);
    },
    member(name, create) {
      const member = members.get(name) ?? create();
      members.set(name, member);
      return member;
    },
    async life(key, start) {
      const life = lives.get(key) ?? start();
      lives.set(key, life);
      try {
        return await life;
      } catch (error) {
        if (lives.get(key) === life) lives.delete(key);
        throw error;
      }
    },
    async close() {
      await Promise.all(Array.from(members.values(), (member) => member.close()));
    },
  };
}

/**
 * A text that is the same for two profiles where one exchange with IMDS serves both: all that decides what is asked, what
 * is believed, and who is told. Names of profiles, where settings come from, and what only clients read are left out.
 */
export function sameLife({ settings, decision, log, eventsFile, eventFormat, telemetry }: Allowed): string {
  const { profile: _profile, missingProfile: _missing, sources: _sources, defaultsMode: _mode, ...deciding } = settings;
  const certificates = [...settings.certificates];
  return JSON.stringify([{ ...deciding, certificates }, decision, log, eventsFile, eventFormat, telemetry]);
}
