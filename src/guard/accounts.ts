/** Holds credentials of any source against the accounts the user expects. */
import { accountOfAccessKey, isAccountId } from "../aws/access-key.js";
import type { Evidence } from "../base/errors.js";
import { fact, ImdsImpersonationError } from "../base/errors.js";
import { maskAccessKeyId } from "../base/text.js";
import type { Settings } from "../settings/options.js";

/** Credentials of any source. */
export interface Verifiable {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly accountId?: string | undefined;
}

type Key = Pick<Verifiable, "accessKeyId">;

/**
 * Lets credentials of an expected account pass. Only the account that the key encodes counts, or else the one that STS
 * named (`vouched`). Where neither tells it, `onUnknownAccount` decides: an account that is merely stated beside a key
 * is no evidence, because whoever sets the key sets that, too.
 *
 * @throws ImdsImpersonationError `ERR_IMDS_ACCOUNT_UNEXPECTED`, `ERR_IMDS_ACCOUNT_UNKNOWN`
 */
export function requireExpectedAccount(
  credentials: Key,
  link: string,
  settings: Pick<Settings, "expectedAccounts" | "onUnknownAccount">,
  stsAccount?: string,
): void {
  const { expectedAccounts } = settings;
  if (expectedAccounts.length === 0) return;
  const accountId = accountOf(credentials, stsAccount);
  const evidence = [keyEvidence(credentials, link, stsAccount)];
  const expected = expectedAccounts.slice(0, 5).join(", ");
  if (accountId === undefined) {
    if (settings.onUnknownAccount === "allow") return;
    throw new ImdsImpersonationError(
      "ERR_IMDS_ACCOUNT_UNKNOWN",
      `The account of the credentials from ${link} cannot be told; expected: ${expected}`,
      {
        evidence,
        advice:
          "Use a key issued since 2019, let STS tell whose it is (verifyWithSts: on), or set onUnknownAccount to allow if you trust this source.",
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

/**
 * What contradicts the account stated beside a key (`AWS_ACCOUNT_ID`, `aws_account_id`, `AccountId` of a process):
 * undefined where nothing is stated, nothing is known, or both agree.
 */
export function contradictionOf(
  credentials: Pick<Verifiable, "accessKeyId" | "accountId">,
  link: string,
  stsAccount?: string,
): readonly Evidence[] | undefined {
  const accountId = accountOf(credentials, stsAccount);
  const stated = credentials.accountId;
  if (stated === undefined || accountId === undefined || stated === accountId) return undefined;
  return [
    fact(link, "states this account beside the key", isAccountId(stated) ? stated : undefined),
    keyEvidence(credentials, link, stsAccount),
  ];
}

function accountOf({ accessKeyId }: Key, stsAccount: string | undefined): string | undefined {
  const key = accountOfAccessKey(accessKeyId);
  return key.kind === "known" ? key.accountId : stsAccount;
}

function keyEvidence({ accessKeyId }: Key, link: string, stsAccount: string | undefined): Evidence {
  const key = accountOfAccessKey(accessKeyId);
  const says =
    key.kind === "known"
      ? "encodes its account"
      : stsAccount === undefined
        ? key.reason
        : `STS says that it is of account ${stsAccount}`;
  return fact(link, says, maskAccessKeyId(accessKeyId));
}
