/** What `gateway install` leaves for the daemon, which may not read the packet filter: whom the rules exempt. */
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { FilterPlan } from "./packet-filter.js";

/** Written by root, read by everybody, gone with the next boot as the rules are. */
export const STATE_FILE = "/run/imds-guard/gateway.json";

/** The rules that are in place. */
export interface InstalledState extends FilterPlan {
  readonly uid: number;
  readonly user: string;
  readonly by: "nft" | "iptables";
}

/** Writes it whole or not at all. */
export function writeState(state: InstalledState, path = STATE_FILE): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(state)}\n`, { mode: 0o644, flag: "wx" });
  renameSync(draft, path);
}

/** Takes it away, if it is there. */
export function removeState(path = STATE_FILE): void {
  rmSync(path, { force: true });
}

/** Undefined where no rules were put in place, or where the file is not root's: then it says nothing. */
export function readState(path = STATE_FILE): InstalledState | undefined {
  try {
    const file = lstatSync(path);
    if (!file.isFile() || file.uid !== 0 || (file.mode & 0o022) !== 0 || file.size > 64 * 1024) return undefined;
    const state = JSON.parse(readFileSync(path, "utf8")) as InstalledState;
    const sound = Number.isInteger(state.uid) && Number.isInteger(state.port) && Array.isArray(state.bridges);
    return sound ? state : undefined;
  } catch {
    return undefined;
  }
}
