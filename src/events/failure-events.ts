/** Which event tells of which error. */
import type { ImdsGuardError, ImdsGuardErrorCode } from "../base/errors.js";
import type { EventEndpoint } from "./catalogue.js";
import type { EventCode } from "./weights.js";
import type { Reporter } from "./reporter.js";

/** The event for each error code; codes that are not listed are plain unavailability. */
const EVENT_OF: Partial<Record<ImdsGuardErrorCode, EventCode>> = {
  ERR_IMDS_TOKEN_TIMEOUT: "imds.token_timeout",
  ERR_IMDS_FORBIDDEN: "imds.forbidden",
  ERR_IMDS_NO_ROLE: "imds.no_role",
  ERR_IMDS_PEER_MISMATCH: "imds.peer_mismatch",
  ERR_IMDS_REDIRECT: "imds.redirect_refused",
  ERR_IMDS_V1_ONLY: "imds.v1_only_responder",
  ERR_IMDS_TOO_LARGE: "imds.oversized_answer",
  ERR_IMDS_MALFORMED: "imds.malformed_answer",
  ERR_IMDS_ATTESTATION_MISSING: "imds.attestation_failed",
  ERR_IMDS_ATTESTATION_INVALID: "imds.attestation_failed",
  ERR_IMDS_ATTESTATION_REGION: "imds.attestation_failed",
  ERR_IMDS_INSTANCE_MISMATCH: "imds.instance_mismatch",
  ERR_IMDS_ACCOUNT_MISMATCH: "imds.account_mismatch",
  ERR_IMDS_ROLE_MISMATCH: "imds.account_mismatch",
  ERR_IMDS_IDENTITY_CHANGED: "imds.identity_changed",
  ERR_IMDS_ACCOUNT_UNEXPECTED: "credentials.account_unexpected",
  ERR_IMDS_ACCOUNT_UNKNOWN: "credentials.account_unknown",
  ERR_IMDS_ROLE_UNEXPECTED: "credentials.role_unexpected",
  ERR_IMDS_REGION_UNEXPECTED: "credentials.role_unexpected",
  ERR_IMDS_STS_MISMATCH: "credentials.sts_mismatch",
  ERR_IMDS_STS_UNAVAILABLE: "credentials.sts_unavailable",
};

/** Reports an error that a caller is about to see. */
export function reportFailure(reporter: Reporter, error: ImdsGuardError, endpoint?: EventEndpoint): void {
  const { message, evidence, advice } = error;
  reporter.report(EVENT_OF[error.code] ?? "imds.unavailable", { message, evidence, advice, endpoint });
}
