/** What the responder proves about itself: its signed document, and what it says beside it. */
import { detailsOf } from "../events/failure-events.js";
import { INFO_PATH } from "../aws/imds-protocol.js";
import { readSignedIdentity } from "../attest/cms.js";
import type { IdentityDocument } from "../attest/identity-document.js";
import { attestDocument, parseIdentityDocument } from "../attest/identity-document.js";
import type { KeyRing } from "../attest/key-ring.js";
import type { Proof } from "./decide.js";
import { ImdsImpersonationError, ImdsUnavailableError } from "../base/errors.js";
import type { Reporter } from "../events/reporter.js";
import { parseObject } from "../imds/responses.js";
import type { ImdsSession } from "../imds/session.js";
import type { Deadline } from "../imds/transport.js";
import type { Settings } from "../settings/options.js";

/** What the responder proved, or, for a region without a known key, merely claimed. */
export interface Identity {
  readonly document: IdentityDocument | undefined;
  readonly claim: IdentityDocument | undefined;
  readonly instanceProfileArn: string | undefined;
  readonly instanceProfileId: string | undefined;
}

/** What the proof waits for: that these requests went out, or that there will be none. */
export interface Waits {
  readonly begun?: Promise<void>;
  readonly keyAsked?: Promise<void>;
}

/** What a proof is made with. */
export interface ProverOptions {
  readonly proof: Proof;
  readonly settings: Settings;
  readonly keyRing: KeyRing;
  readonly reporter: Reporter;
}

/**
 * Asks over `session` for the proof of whoever answers. @throws ImdsImpersonationError, ImdsUntrustedError,
 * ImdsUnavailableError
 */
export type Prover = (session: ImdsSession, deadline: Deadline, waits?: Waits) => Promise<Identity>;

/** Of a responder that has to prove nothing. */
export const NO_IDENTITY: Identity = {
  document: undefined,
  claim: undefined,
  instanceProfileArn: undefined,
  instanceProfileId: undefined,
};
const MAX_IAM_INFO = 4_096;

/** Makes a prover. Only what stands in a signed document is proved; the rest is held against it. */
export function createProver({ proof, settings, keyRing, reporter }: ProverOptions): Prover {
  async function namedIdentity(
    session: ImdsSession,
    deadline: Deadline,
    keyAsked: Promise<void> | undefined,
  ): Promise<Pick<Identity, "document" | "claim">> {
    const body = await signedIdentity(session, deadline);
    await keyAsked;
    try {
      return { document: attestDocument(body, keyRing), claim: undefined };
    } catch (error) {
      const unknownRegion = error instanceof ImdsImpersonationError && error.code === "ERR_IMDS_ATTESTATION_REGION";
      if (!unknownRegion || proof !== "unless-unknown-region") throw error;
      const claim = parseIdentityDocument(readSignedIdentity(body).content);
      if (!isVouchedFor(claim.region, settings)) throw error;
      reporter.report("imds.attestation_unavailable", {
        endpoint: session.pin,
        ...detailsOf(error),
      });
      return { document: undefined, claim };
    }
  }

  return async (session, deadline, { begun, keyAsked } = {}) => {
    await begun;
    const [named, info] = await findingFirst(namedIdentity(session, deadline, keyAsked), iamInfo(session, deadline));
    return { ...named, ...info };
  };
}

async function signedIdentity(session: ImdsSession, deadline: Deadline): Promise<Buffer> {
  // A token that is refused says that the whole service is off, and not that this path is withheld.
  await session.token(deadline);
  try {
    return await session.signedIdentity(deadline);
  } catch (error) {
    // Every genuine service has one; without it this is a downgrade and not an outage.
    const withheld =
      error instanceof ImdsUnavailableError && ["ERR_IMDS_NOT_FOUND", "ERR_IMDS_FORBIDDEN"].includes(error.code);
    throw withheld ? attestationMissing(error) : error;
  }
}

async function iamInfo(
  session: ImdsSession,
  deadline: Deadline,
): Promise<Pick<Identity, "instanceProfileArn" | "instanceProfileId">> {
  try {
    const fields = parseObject(await session.get(INFO_PATH, MAX_IAM_INFO, deadline), `GET ${INFO_PATH}`);
    return {
      instanceProfileArn: asText(fields["InstanceProfileArn"]),
      instanceProfileId: asText(fields["InstanceProfileId"]),
    };
  } catch (error) {
    // Only a cross-check: its absence proves nothing, a contradiction or garbage does.
    if (error instanceof ImdsUnavailableError) return { instanceProfileArn: undefined, instanceProfileId: undefined };
    throw error;
  }
}

/**
 * Anybody can name a region that has no key. Without something that the responder does not choose, that would be a way
 * round the whole proof.
 */
function isVouchedFor(region: string, settings: Settings): boolean {
  return (
    settings.expectedAccounts.length > 0 ||
    settings.expectedRegions.includes(region) ||
    settings.configuredRegion === region
  );
}

function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function attestationMissing(cause: ImdsUnavailableError): ImdsImpersonationError {
  return new ImdsImpersonationError(
    "ERR_IMDS_ATTESTATION_MISSING",
    "The responder has no signed identity document; every EC2 instance has one",
    {
      evidence: cause.evidence,
      advice:
        "Whoever answered is not the instance metadata service, or something filters the path. An emulator that you trust needs attestation off " +
        "and should be pinned with expectedAccounts.",
      cause,
    },
  );
}

/**
 * Waits for both. A finding is thrown at once; an outage only once the other has had its chance to end in a finding.
 */
export async function findingFirst<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
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
