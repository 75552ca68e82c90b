/** What refusals and reports say, as golden files keep it: the text that operators act on. */
import { isImdsGuardError } from "../../src/base/errors.js";

/** Everything that a refusal says. Throws what is no error of this package. */
export function wordingOf(error: unknown): object {
  if (!isImdsGuardError(error)) throw error;
  const { name, code, message, evidence, advice, tryNextLink } = error;
  return { name, code, message, evidence, advice, tryNextLink };
}

/** {@link wordingOf} what `run` throws, which has to throw. */
export function refusalOf(run: () => unknown): object {
  try {
    run();
  } catch (error) {
    return wordingOf(error);
  }
  throw new Error("was not refused");
}

/** A golden file as its test keeps it. */
export function golden(texts: Readonly<Record<string, object>>): string {
  return `${JSON.stringify(texts, null, 2)}\n`;
}
