/** Lets credentials pass once STS has named the same identity, and asks once for each key. */
import { accountOfAccessKey } from "../aws/access-key.js";
import type { ExpectedIdentity, SignableCredentials, StsOptions } from "./sts-identity.js";
import type { KeyRing } from "../attest/user-keys.js";
import type { Settings } from "../settings/options.js";

/** How the gate reaches STS. */
export interface StsGateOptions {
  readonly settings: Pick<Settings, "verifyWithSts" | "timeout" | "configuredRegion">;
  readonly keyRing: KeyRing;
  /** For tests: another STS than AWS's. */
  readonly sts?: Pick<StsOptions, "origin" | "ca"> | undefined;
}

/** What is known of credentials before STS is asked. */
export interface KnownIdentity extends ExpectedIdentity {
  /** The attested region. Default: the configured one, else `us-east-1`. */
  readonly region?: string | undefined;
}

/** Resolves when the credentials may pass. @throws as `verifyWithSts` of the attest room */
export type StsGate = (credentials: SignableCredentials, known: KnownIdentity) => Promise<void>;

/** Keys that passed are remembered by id; more than this many are not in use at a time. */
const MAX_REMEMBERED = 64;

/** Makes a gate. With `verifyWithSts: "off"` everything passes and nothing is asked. */
export function createStsGate({ settings, keyRing, sts }: StsGateOptions): StsGate {
  const passed = new Set<string>();
  return async (credentials, known) => {
    if (settings.verifyWithSts === "off" || passed.has(credentials.accessKeyId)) return;
    const { verifyWithSts } = await import("./sts-identity.js");
    const region = known.region ?? settings.configuredRegion ?? "us-east-1";
    const key = accountOfAccessKey(credentials.accessKeyId);
    const account = known.account ?? (key.kind === "known" ? key.accountId : undefined);
    await verifyWithSts(
      credentials,
      { account, roleName: known.roleName, instanceId: known.instanceId },
      { region, partition: keyRing.partitionOf(region), timeoutMs: settings.timeout, ...sts },
    );
    if (passed.size >= MAX_REMEMBERED) passed.clear();
    passed.add(credentials.accessKeyId);
  };
}
