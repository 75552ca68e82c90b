/** The name by which an operator knows the process that an event comes from. */
import type { GuardEvent } from "./catalogue.js";

/** Last part of the program's path, of either kind of path; empty when the process has none. */
export function programName({ caller }: GuardEvent): string {
  return caller.argv0.split(/[/\\]/).at(-1) ?? "";
}
