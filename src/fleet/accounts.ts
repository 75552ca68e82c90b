/** Whose fleet it is: the account of the credentials that the guard gave, and those in which they may take a role. */
import type { AwsCredentialIdentityProvider } from "@smithy/types";
import { partitionOfRegion } from "../aws/partitions.js";
import type { Guard } from "../guard/guard.js";
import { fromNodeProviderChain } from "../sdk/node-chain.js";
import { fromTemporaryCredentials } from "../sdk/temporary-credentials.js";
import { textIn } from "./answers.js";
import type { FleetAccount } from "./audit.js";
import type { AwsApis } from "./aws-api.js";

/** Shows in CloudTrail who asked. */
const SESSION_NAME = "imds-guard-fleet";

/** Which accounts, and how. */
export interface AccountOptions {
  readonly guard: Guard;
  readonly apis: AwsApis;
  readonly homeRegion: string;
  /** Twelve digits each; empty for the account of the credentials alone. */
  readonly accountIds: readonly string[];
  /** Name of the role, with its path where it has one: the same in every account. */
  readonly role: string | undefined;
}

/** Accounts that are named and have no role to take. */
export class RoleNeededError extends Error {
  override readonly name = "RoleNeededError";
  readonly code = "ERR_FLEET_ROLE";
  constructor(accountId: string, own: string) {
    super(`account ${accountId} is another than that of the credentials (${own}), and no role is named`);
  }
}

/**
 * The accounts, each with its credentials. In the account of the credentials no role is taken.
 * @throws RoleNeededError; the errors of the guard's chain and of STS
 */
export async function fleetAccounts(options: AccountOptions): Promise<readonly FleetAccount[]> {
  const { guard, apis, homeRegion, accountIds, role } = options;
  const credentials: AwsCredentialIdentityProvider = fromNodeProviderChain({ guard });
  const identity = await apis.open(homeRegion, credentials).call("sts", "GetCallerIdentity", {});
  const own = textIn(identity, "Account") ?? "unknown";
  if (accountIds.length === 0) return [{ accountId: own, credentials }];
  const partition = textIn(identity, "Arn")?.split(":")[1] ?? partitionOfRegion(homeRegion);
  return [...new Set(accountIds)].map((accountId): FleetAccount => {
    if (accountId === own) return { accountId, credentials };
    if (role === undefined) throw new RoleNeededError(accountId, own);
    const taken = fromTemporaryCredentials({
      guard,
      masterCredentials: credentials,
      params: { RoleArn: `arn:${partition}:iam::${accountId}:role/${role}`, RoleSessionName: SESSION_NAME },
      clientConfig: { region: homeRegion },
    });
    return { accountId, credentials: remembered(taken) };
  });
}

/** Before so many milliseconds of their end new ones are fetched. */
const RENEW_MS = 300_000;

/** One call to STS for all clients of an account; a failure is remembered, too, so that each region need not ask anew. */
function remembered(provide: AwsCredentialIdentityProvider): AwsCredentialIdentityProvider {
  let held: ReturnType<AwsCredentialIdentityProvider> | undefined;
  let until = -Infinity;
  return async () => {
    if (held === undefined || Date.now() > until) {
      until = Infinity;
      held = provide();
      const { expiration } = await held;
      until = expiration === undefined ? Infinity : expiration.getTime() - RENEW_MS;
    }
    return held;
  };
}
