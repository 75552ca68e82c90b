/** Which event tells of which error. */
import { ownProperty } from "../base/own-properties.js";
import type { ImdsGuardError, ImdsGuardErrorCode } from "../base/errors.js";
import type { EventDetails, EventEndpoint } from "./catalogue.js";
import type { EventCode } from "./weights.js";
import type { Reporter } from "./reporter.js";

type Named<Code> = Code extends `ERR_IMDS_${infer Name}` ? Name : never;

/** What stands behind `ERR_IMDS_` in an error's code -> its event; what is not listed is plain unavailability. */
const EVENT_OF: Readonly<Partial<Record<Named<ImdsGuardErrorCode>, EventCode>>> = {
  TOKEN_TIMEOUT: "imds.token_timeout",
  FORBIDDEN: "imds.forbidden",
  NO_ROLE: "imds.no_role",
  PEER_MISMATCH: "imds.peer_mismatch",
  REDIRECT: "imds.redirect_refused",
  V1_ONLY: "imds.v1_only_responder",
  TOO_LARGE: "imds.oversized_answer",
  MALFORMED: "imds.malformed_answer",
  ATTESTATION_MISSING: "imds.attestation_failed",
  ATTESTATION_INVALID: "imds.attestation_failed",
  ATTESTATION_REGION: "imds.attestation_failed",
  INSTANCE_MISMATCH: "imds.instance_mismatch",
  ACCOUNT_MISMATCH: "imds.account_mismatch",
  ROLE_MISMATCH: "imds.account_mismatch",
  IDENTITY_CHANGED: "imds.identity_changed",
  ACCOUNT_UNEXPECTED: "credentials.account_unexpected",
  ACCOUNT_UNKNOWN: "credentials.account_unknown",
  ROLE_UNEXPECTED: "credentials.role_unexpected",
  REGION_UNEXPECTED: "credentials.role_unexpected",
  STS_MISMATCH: "credentials.sts_mismatch",
  STS_UNAVAILABLE: "credentials.sts_unavailable",
};

/** Reports an error that a caller is about to see. */
export function reportFailure(reporter: Reporter, error: ImdsGuardError, endpoint?: EventEndpoint): void {
  const name = error.code.replace("ERR_IMDS_", "") as keyof typeof EVENT_OF;
  reporter.report(ownProperty(EVENT_OF, name) ?? "imds.unavailable", { ...detailsOf(error), endpoint });
}

/** What an error says, as an event tells it. */
export function detailsOf({ message, evidence, advice }: ImdsGuardError): EventDetails {
  return { message, evidence, advice };
}
