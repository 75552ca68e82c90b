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
  "foreign-account-signed": fixed(
    eventOf("credentials.foreign_account_signed", {
      message:
        "This process signs requests to s3.eu-central-1.amazonaws.com with an access key of account 609629065308",
      claimed: { accountId: "609629065308", accessKeyId: "ASIAY34FZKBOKMUTVV7A" },
    }),
  ),
  "foreign-account-in-log": fixed(
    eventOf("egress.foreign_account", {
      message: "access.log shows a request to s3 in eu-central-1 with credentials of account 609629065308",
      claimed: { accountId: "609629065308", accessKeyId: "ASIAY34FZKBOKMUTVV7A", region: "eu-central-1" },
      evidence: [{ source: "client", value: "10.0.0.7", says: "who sent it" }],
    }),
  ),
  "setting-invalid": fixed(eventOf("settings.invalid")),
};
