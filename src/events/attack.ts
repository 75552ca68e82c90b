/** What findings are signs of, in the words of MITRE ATT&CK, version 14 or later. */
import type { EventCode } from "./weights.js";

/** An id and its name. */
export interface Named {
  readonly uid: string;
  readonly name: string;
}

/** One technique in one tactic. */
export interface Attack {
  readonly tactic: Named;
  readonly technique: Named;
  readonly sub_technique?: Named;
}

const CREDENTIAL_ACCESS: Named = { uid: "TA0006", name: "Credential Access" };
const IN_THE_MIDDLE: Attack = {
  tactic: CREDENTIAL_ACCESS,
  technique: { uid: "T1557", name: "Adversary-in-the-Middle" },
};

const IMPERSONATION: readonly Attack[] = [
  {
    tactic: CREDENTIAL_ACCESS,
    technique: { uid: "T1552", name: "Unsecured Credentials" },
    sub_technique: { uid: "T1552.005", name: "Cloud Instance Metadata API" },
  },
  IN_THE_MIDDLE,
];

/** Whoever signs with a stranger's keys gives data to the stranger's account. */
const FOREIGN_ACCOUNT: readonly Attack[] = [
  {
    tactic: { uid: "TA0010", name: "Exfiltration" },
    technique: { uid: "T1537", name: "Transfer Data to Cloud Account" },
  },
  IN_THE_MIDDLE,
];

/** What a finding of this code is a sign of, what fits best first. */
export function attacksOf(code: EventCode): readonly Attack[] {
  return code === "credentials.foreign_account_signed" || code === "egress.foreign_account"
    ? FOREIGN_ACCOUNT
    : IMPERSONATION;
}
