/** What a call came to, as one word a table can compare: `ok`, the rule that failed, or the code of the error. */
import { ImdsImpersonationError, isImdsGuardError } from "../../src/base/errors.js";

export function outcomeOf(run: () => unknown): string {
  try {
    run();
    return "ok";
  } catch (error) {
    if (error instanceof ImdsImpersonationError && error.code === "ERR_IMDS_ATTESTATION_INVALID")
      return error.evidence[0]?.value ?? "no rule";
    if (isImdsGuardError(error)) return error.code;
    throw error;
  }
}
