/** Holds credentials of any source against the accounts the user expects. */
import { accountOfAccessKey } from "../aws/access-key.js";
import { maskAccessKeyId } from "../base/text.js";
import { ImdsImpersonationError } from "../base/errors.js";
import type { Settings } from "../settings/options.js";

/** Credentials of any source. */
export interface Verifiable {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly accountId?: string | undefined;
}

/**
 * Lets credentials of an expected account pass. The account encoded in the key wins over the one stated beside it; an
 * old-format key falls back on the latter, and then on `onUnknownAccount`.
 * @throws ImdsImpersonationError `ERR_IMDS_ACCOUNT_UNEXPECTED`, `ERR_IMDS_ACCOUNT_UNKNOWN`
 */
export function checkAccount(
  credentials: Pick<Verifiable, "accessKeyId" | "accountId">,
  link: string,
  settings: Pick<Settings, "expectedAccounts" | "onUnknownAccount">,
): void {
  const { expectedAccounts } = settings;
  if (expectedAccounts.length === 0) return;
  const key = accountOfAccessKey(credentials.accessKeyId);
  const accountId = key.kind === "known" ? key.accountId : credentials.accountId;
  const evidence = [
    {
      source: link,
      value: maskAccessKeyId(credentials.accessKeyId),
      says: key.kind === "known" ? "encodes its account" : key.reason,
    },
  ];
  const expected = expectedAccounts.slice(0, 5).join(", ");
  if (accountId === undefined) {
    if (settings.onUnknownAccount === "allow") return;
    throw new ImdsImpersonationError(
      "ERR_IMDS_ACCOUNT_UNKNOWN",
      `The account of the credentials from ${link} cannot be told; expected: ${expected}`,
      {
        evidence,
        advice: "Use a key issued since 2019, or set onUnknownAccount to allow if you trust this source.",
      },
    );
  }
  if (expectedAccounts.includes(accountId)) return;
  throw new ImdsImpersonationError(
    "ERR_IMDS_ACCOUNT_UNEXPECTED",
    `The credentials from ${link} belong to account ${accountId}; expected: ${expected}`,
    {
      evidence,
      advice: `Find out where ${link} gets them. If the account is yours, add it to expectedAccounts.`,
    },
  );
}
