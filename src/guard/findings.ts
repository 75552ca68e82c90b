/** Errors of a guard as events of its own. */
import { ImdsGuardError, ImdsUnavailableError } from "../base/errors.js";
import { reportFailure } from "../events/failure-events.js";
import { endpointOf } from "./locate.js";
import type { Located } from "./stages.js";

/** Reports an error of ours; `note` is called where it is a finding and no outage. */
export function reportFinding(
  error: unknown,
  { reporter, decision }: Pick<Located, "reporter" | "decision">,
  note?: () => void,
): void {
  if (error instanceof ImdsGuardError) reportFailure(reporter, error, endpointOf(decision.target));
  if (!(error instanceof ImdsUnavailableError)) note?.();
}
