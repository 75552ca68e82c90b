/** The events whose encodings are kept as files in `golden/`; the id is fixed, everything else is as reported. */
import type { GuardEvent } from "../../src/events/catalogue.js";
import { IMPERSONATION, eventOf } from "./samples.js";

const fixed = (event: GuardEvent): GuardEvent => ({ ...event, id: "6f1c2a52-0f57-4c3e-9a34-3f6f0d1b7c11" });

export const GOLDEN: Readonly<Record<string, GuardEvent>> = {
  impersonation: fixed(eventOf("imds.impersonation_detected", IMPERSONATION)),
  "account-unexpected": fixed(
    eventOf("credentials.account_unexpected", {
      message: "Credentials of account 123456789012, expected 210987654321",
      claimed: { accountId: "123456789012" },
      advice: "Add the account to expectedAccounts if it is yours",
    }),
  ),
  "refused-not-ec2": fixed(
    eventOf("imds.refused_not_ec2", {
      endpoint: { address: "fd00:ec2::254", port: 80 },
      evidence: [{ source: "/sys/class/dmi/id/sys_vendor", value: "QEMU", says: "the vendor is not Amazon EC2" }],
    }),
  ),
  "override-refused": fixed(
    eventOf("imds.endpoint_override_refused", {
      endpoint: { address: "metadata.example", port: 8080 },
      advice: "Unset the endpoint",
    }),
  ),
  "token-timeout": fixed(eventOf("imds.token_timeout", { endpoint: { address: "169.254.169.254", port: 80 } })),
  "setting-invalid": fixed(eventOf("settings.invalid")),
};
