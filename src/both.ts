/** Two things asked at once, of which a finding counts more than an outage. */
import { ImdsUnavailableError } from "./errors.js";

/**
 * Waits for both. A finding is thrown at once; an outage only once the other has had its chance to end in a finding.
 */
export async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  try {
    return await Promise.all([first, second]);
  } catch (error) {
    if (!(error instanceof ImdsUnavailableError)) throw error;
    for (const outcome of await Promise.allSettled([first, second])) {
      if (outcome.status === "rejected" && !(outcome.reason instanceof ImdsUnavailableError)) throw outcome.reason;
    }
    throw error;
  }
}
