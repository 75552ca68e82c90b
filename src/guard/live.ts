/** The life of a guard where IMDS may be asked: credentials are acquired, held against STS, kept and renewed. */
import { accountOfAccessKey } from "../aws/access-key.js";
import { createLifetime } from "../base/lifetime.js";
import type { System } from "../base/system.js";
import type { Acquired } from "./acquire.js";
import type { GuardFamily } from "./family.js";
import { reportFinding } from "./findings.js";
import { openAcquirer } from "./open-acquirer.js";
import { endpointOf } from "./locate.js";
import type { Allowed, Living } from "./stages.js";

/** @throws ImdsUnavailableError `ERR_IMDS_ENDPOINT_UNRESOLVED`; that is an event, too */
export async function startLife(allowed: Allowed, system: System, family: GuardFamily): Promise<Living> {
  const { reporter, decision, host, askSts } = allowed;
  let latest: Acquired | undefined;
  const acquirer = await openAcquirerOf(allowed, system);

  async function acquire(forced: boolean): Promise<Acquired> {
    try {
      const acquired = await acquirer.acquire(forced);
      await verifyWithSts(acquired);
      return (latest = acquired);
    } catch (error) {
      reportFinding(error, allowed, () => family.noteFinding(drop));
      throw error;
    }
  }

  async function verifyWithSts(acquired: Acquired): Promise<void> {
    const { document } = acquired.attestation;
    const key = accountOfAccessKey(acquired.accessKeyId);
    const account = key.kind === "known" ? key.accountId : document?.accountId;
    // A role of another expected account was assumed by an agent of this instance, in a session of a name of its own.
    const byAgent = document !== undefined && account !== document.accountId;
    const instanceId = document?.instanceId ?? host.instanceId;
    try {
      await askSts(acquired, { account, roleName: acquired.roleName, instanceId, byAgent, region: document?.region });
    } catch (error) {
      // What has ended is refused by STS, whoever gave it.
      throw acquired.overdue ?? error;
    }
  }

  const lifetime = createLifetime<Acquired>({
    system,
    acquire,
    onExtended(original, until, cause) {
      reporter.report("imds.static_stability", {
        message: `IMDS is out (${cause.code}): credentials that ended at ${original.expiration.toISOString()} are served until ${until.toISOString()}`,
        endpoint: endpointOf(decision.target),
        evidence: cause.evidence,
        advice: cause.advice,
      });
    },
  });
  const drop = (): void => lifetime.drop();
  family.onFinding(drop);
  return { acquirer, lifetime, latest: () => latest };
}

async function openAcquirerOf(allowed: Allowed, system: System): Promise<Living["acquirer"]> {
  try {
    return await openAcquirer({ ...allowed, system });
  } catch (error) {
    reportFinding(error, allowed);
    throw error;
  }
}
