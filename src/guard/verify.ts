/** Holds credentials of any source against what the user expects of their account. */
import { accountOfAccessKey } from "../aws/access-key.js";
import { ImdsGuardError } from "../base/errors.js";
import { reportFailure } from "../events/failure-events.js";
import type { Verifiable } from "./accounts.js";
import { contradictionOf, requireExpectedAccount } from "./accounts.js";
import type { Opened } from "./stages.js";

/**
 * Returns the credentials; without `accountId` where that is not the account of their key. `link` names their source.
 * @throws ImdsImpersonationError `ERR_IMDS_ACCOUNT_UNEXPECTED`, `ERR_IMDS_ACCOUNT_UNKNOWN`, `ERR_IMDS_STS_MISMATCH`
 * @throws ImdsUnavailableError `ERR_IMDS_STS_UNAVAILABLE`
 */
export async function verifyCredentials<C extends Verifiable>(
  credentials: C,
  link: string,
  { settings, reporter, askSts }: Pick<Opened, "settings" | "reporter" | "askSts">,
): Promise<C> {
  try {
    // Where the key tells its account, a wrong one is refused without a packet.
    const keyTells = accountOfAccessKey(credentials.accessKeyId).kind === "known";
    if (keyTells) requireExpectedAccount(credentials, link, settings);
    const stsAccount = await askSts(credentials, {});
    if (!keyTells) requireExpectedAccount(credentials, link, settings, stsAccount);
    const contradiction = contradictionOf(credentials, link, stsAccount);
    if (contradiction === undefined) return credentials;
    reporter.report("credentials.stated_account_dropped", {
      message: `The account stated with the credentials from ${link} is not that of their key; it was dropped`,
      evidence: contradiction,
      advice: "Correct or remove AWS_ACCOUNT_ID, aws_account_id or the AccountId of the process.",
    });
    const { accountId: _, ...rest } = credentials;
    return rest as typeof credentials;
  } catch (error) {
    if (error instanceof ImdsGuardError) reportFailure(reporter, error);
    throw error;
  }
}
