/** The error raised where an identity document breaks one of its rules. */
import { NOT_GENUINE } from "../base/advice.js";
import { IDENTITY_PATH } from "../aws/imds-protocol.js";
import { fact, ImdsImpersonationError } from "../base/errors.js";
import type { AttestationRule } from "./attestation-rules.js";
import { breachOf } from "./attestation-rules.js";

/** The error for a message that breaks `rule`; its evidence holds the word and the words of the rule, never content. */
export function attestationInvalid(rule: AttestationRule): ImdsImpersonationError {
  return new ImdsImpersonationError(
    "ERR_IMDS_ATTESTATION_INVALID",
    `The instance identity document does not prove AWS: ${breachOf(rule)}`,
    {
      evidence: [fact(`GET ${IDENTITY_PATH}`, breachOf(rule), rule)],
      advice: NOT_GENUINE,
    },
  );
}
