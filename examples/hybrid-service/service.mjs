// @ts-check
/**
 * A service of a hybrid fleet: the same program on EC2 and on premises, told by its profile what to expect.
 *
 *     AWS_CONFIG_FILE=config AWS_PROFILE=on-premises node service.mjs
 */
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromNodeProviderChain, isImdsGuardError } from "imds-guard";

/** Exit statuses of `sysexits.h`, by which a supervisor tells "try again" from "do not". */
const EXIT = { tryAgain: 75, notPermitted: 77, misconfigured: 78 };

// Settings come from the profile, so the program holds none. The client takes its region from there as well.
const sts = new STSClient({ credentials: fromNodeProviderChain() });

try {
  const { Account, Arn } = await sts.send(new GetCallerIdentityCommand({}));
  console.log(`running as ${Arn} of account ${Account}`);
} catch (error) {
  if (!isImdsGuardError(error)) throw error;
  console.error(`no usable credentials: ${error.message} [${error.code}]`);
  console.error(`what to do: ${error.advice}`);
  process.exitCode = statusFor(error.kind);
}

/** @param {import("imds-guard").ImdsGuardErrorKind} kind */
function statusFor(kind) {
  switch (kind) {
    case "refused": // The other sources gave nothing either, and IMDS was not asked.
    case "unavailable":
      return EXIT.tryAgain;
    case "roles-anywhere": // Settings, certificate or key cannot work, or AWS refuses them.
    case "settings":
      return EXIT.misconfigured;
    case "untrusted": // Somebody else answered, or the keys are a stranger's. A restart would only ask the same party again.
    case "impersonation":
      return EXIT.notPermitted;
  }
}
