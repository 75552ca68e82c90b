/**
 * The profiles of both shared files as they are now: looked at by stat, and read again when a file changed, for
 * programs that outlive the keys in it.
 */
import { statSync } from "node:fs";
import type { System } from "../base/system.js";
import type { ConfigFileLocations, Profile } from "./config-files.js";
import { readAllProfiles } from "./config-files.js";
import { LOOK_INTERVAL_MS, FILE_KINDS, locate } from "./locations.js";

/** By name, without a prototype. */
export type Profiles = Readonly<Record<string, Profile | undefined>>;

/** What the files said when they were read last. */
export interface ProfilesRead {
  /** Undefined where a file could not be used. */
  readonly profiles: Profiles | undefined;
  /** Whether a file was being written at that moment, or may have been. */
  readonly unsettled: boolean;
}

/** Both files. */
export interface SharedProfiles {
  /** As they are, or were at most a second ago. `now` looks whenever that was. */
  look(now?: boolean): ProfilesRead;
}

/** A file that was written to this shortly before may not be whole yet, in milliseconds. */
export const SETTLE_MS = 200;

interface Marks {
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly changed: number;
}

/**
 * Watches the files at these places, on behalf of the profile `name`. It has no timer: the files are looked at when
 * somebody asks.
 */
export function createSharedProfiles(
  name: string,
  locations: ConfigFileLocations,
  system: Pick<System, "env" | "platform" | "readFile" | "now" | "monotonic">,
): SharedProfiles {
  let read: ProfilesRead | undefined;
  let marks = "";
  let nextLook = 0;
  let lookedAt = 0;

  function isTimeToLook(): boolean {
    // The clock of the day counts as well: the other one stands still while a machine sleeps.
    return system.monotonic() >= nextLook || Math.abs(system.now() - lookedAt) >= LOOK_INTERVAL_MS;
  }

  function lookAgainIn(milliseconds: number): void {
    nextLook = system.monotonic() + milliseconds;
    lookedAt = system.now();
  }

  return {
    look(now = false) {
      if (read !== undefined && !now && !isTimeToLook()) return read;
      lookAgainIn(LOOK_INTERVAL_MS);
      const found = marksOf(locations, system);
      if (read !== undefined && found.text === marks && !read.unsettled) return read;
      const age = system.now() - found.changed;
      const young = age >= 0 && age < SETTLE_MS;
      if (read !== undefined && young && !now) {
        lookAgainIn(SETTLE_MS);
        return read;
      }
      const { profiles, whole } = readAllProfiles(name, locations, system);
      const unsettled = young || !whole || marksOf(locations, system).text !== found.text;
      if (unsettled) lookAgainIn(SETTLE_MS);
      marks = found.text;
      read = { profiles, unsettled: unsettled && Math.abs(age) < LOOK_INTERVAL_MS };
      return read;
    },
  };
}

/** What tells that a file is another one, or was written to. */
function marksOf({ configFilepath, filepath }: ConfigFileLocations, system: Pick<System, "env">): Marks {
  const places = { config: configFilepath, credentials: filepath };
  let changed = Number.NEGATIVE_INFINITY;
  const text = FILE_KINDS.map((kind) => {
    try {
      const stat = statSync(locate(kind, system, places[kind]), { throwIfNoEntry: false });
      if (stat === undefined) return "absent";
      // A pipe is read once, and its times are those of its last reader.
      if (!stat.isFile()) return `${stat.dev}:${stat.ino}`;
      changed = Math.max(changed, stat.mtimeMs);
      return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  }).join(" ");
  return { text, changed };
}
