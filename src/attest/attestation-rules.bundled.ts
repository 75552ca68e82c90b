/** The form of attestation-rules.ts in a bundle, where two thousand bytes for what no genuine answer breaks are many. */
import type { AttestationRule } from "./attestation-rules.js";

export function breachOf(rule: AttestationRule): string {
  return `it breaks the rule ${rule}`;
}
