/**
 * The line on stderr that says that IMDS was refused, where the SDK keeps the guard's error to itself: once in ten
 * minutes a process, whatever asked and through whichever copy of this package.
 */
import { shareInProcess } from "../base/process-wide.js";
import { boundAscii } from "../base/text.js";
import { REPEAT_WINDOW_MS, writeStderr } from "./sinks.js";

const SAID = Symbol.for("imds-guard.refusal-said.1");

/** What is said. */
export interface RefusalWords {
  /** A sentence without the name of the package. */
  readonly reason: string;
  readonly advice: string;
  readonly code: string;
}

/** Says it, unless this process did within ten minutes. `now` in milliseconds since 1970. */
export function sayRefusal({ reason, advice, code }: RefusalWords, now: number): void {
  const said = shareInProcess(SAID, "data", () => ({ at: -Infinity }));
  // A clock that was set back must not silence it for longer.
  if (now >= said.at && now - said.at < REPEAT_WINDOW_MS) return;
  said.at = now;
  const why = boundAscii(reason.replace(/\.$/, ""), 1_000);
  writeStderr(`imds-guard: IMDS was refused: ${why}. ${boundAscii(advice, 900)} (imds-guard help ${code})`);
}
