/** What a call came to, as one word a table can compare: `ok`, the rule that failed, or the code of the error. */
import { ImdsImpersonationError, isImdsGuardError } from "../../src/errors.js";

export function outcomeOf(run: () => unknown): string {
  try {
    run();
    return "ok";
  } catch (error) {
    if (error instanceof ImdsImpersonationError && error.code === "ERR_IMDS_ATTESTATION_INVALID") return error.evidence[0]?.value ?? "no rule";
    if (isImdsGuardError(error)) return error.code;
    throw error;
  }
}

/** Everything that a call says when it refuses: the text that operators act on, kept whole in `golden/`. */
export function wordingOf(error: unknown): object {
  if (!isImdsGuardError(error)) throw error;
  const { name, code, message, evidence, advice, tryNextLink } = error;
  return { name, code, message, evidence, advice, tryNextLink };
}

/** A golden file as its test keeps it. */
export function golden(texts: Readonly<Record<string, object>>): string {
  return `${JSON.stringify(texts, null, 2)}\n`;
}
