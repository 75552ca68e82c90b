/** Lets credentials pass once STS has named the same identity, and asks once for each key. */
import { accountOfAccessKey } from "../aws/access-key.js";
import { loadExtra } from "../base/extra.js";
import { partitionOfRegion } from "../aws/partitions.js";
import type { ExpectedIdentity, SignableCredentials, StsOptions } from "./sts-identity.js";
import type { Settings } from "../settings/options.js";

/** How the gate reaches STS. */
export interface StsGateOptions {
  readonly settings: Pick<Settings, "verifyWithSts" | "timeout" | "configuredRegion">;
  /** Roots and proxy that the code names. */
  readonly connection?: Pick<StsOptions, "ca" | "proxy"> | undefined;
  /** For tests: another STS than AWS's. */
  readonly sts?: Pick<StsOptions, "origin" | "ca"> | undefined;
}

/** What is known of credentials before STS is asked. */
export interface KnownIdentity extends ExpectedIdentity {
  /** The attested region. Default: the configured one if it is a known one of AWS, else `us-east-1`. */
  readonly region?: string | undefined;
}

/**
 * Resolves when the credentials may pass: with the account that STS names, or with undefined where it is not asked.
 * @throws as {@link verifyWithSts}
 */
export type StsGate = (credentials: SignableCredentials, known: KnownIdentity) => Promise<string | undefined>;

/** Where STS is asked if nothing tells a better region. */
const DEFAULT_REGION = "us-east-1";

/** What passed is remembered by key and expectation; more than this many are not in use at a time. */
const MAX_REMEMBERED = 64;

/** Makes a gate. With `verifyWithSts: "off"` everything passes and nothing is asked. */
export function createStsGate({ settings, connection, sts }: StsGateOptions): StsGate {
  const passed = new Map<string, string>();
  return async (credentials, known) => {
    if (settings.verifyWithSts === "off") return undefined;
    const key = accountOfAccessKey(credentials.accessKeyId);
    const account = known.account ?? (key.kind === "known" ? key.accountId : undefined);
    const { roleName, instanceId, byAgent } = known;
    const expected = { account, roleName, instanceId, byAgent };
    const question = JSON.stringify([credentials.accessKeyId, ...Object.values(expected)]);
    const before = passed.get(question);
    if (before !== undefined) return before;
    const { verifyWithSts } = await loadExtra("sts", "verifyWithSts on", () => import("./sts-identity.js"));
    const region = known.region ?? (await knownRegion(settings.configuredRegion)) ?? DEFAULT_REGION;
    const identity = await verifyWithSts(credentials, expected, {
      region,
      partition: partitionOfRegion(region),
      timeoutMs: settings.timeout,
      ...connection,
      ...sts,
    });
    if (passed.size >= MAX_REMEMBERED) passed.clear();
    passed.set(question, identity.account);
    return identity.account;
  };
}

/** A region from a setting goes into the name of the host that gets a signed request: only those of the table count. */
async function knownRegion(region: string | undefined): Promise<string | undefined> {
  const { AWS_PUBLIC_KEYS } = await import("../attest/aws-public-keys.js");
  return region !== undefined && AWS_PUBLIC_KEYS.has(region) ? region : undefined;
}
