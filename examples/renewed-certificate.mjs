// @ts-check
/**
 * A service off EC2 whose certificate is renewed every day by cert-manager, step or spiffe-helper: one provider for its
 * whole life. Files are read again for each session, so nothing has to be restarted or told.
 *
 *     step ca renew --daemon /etc/pki/app/tls.crt /etc/pki/app/tls.key
 *     node renewed-certificate.mjs
 */
import { setTimeout as sleep } from "node:timers/promises";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { createGuard, fromRolesAnywhere, isImdsGuardError } from "imds-guard";

const {
  CERTIFICATE = "/etc/pki/app/tls.crt",
  PRIVATE_KEY = "/etc/pki/app/tls.key",
  AWS_REGION = "eu-central-1",
} = process.env;
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());

const guard = createGuard({
  expectedAccounts: [process.env["APP_ACCOUNT"] ?? "111122223333"],
  // roles_anywhere.certificate_ending says that nobody renews, days or hours ahead.
  onEvent: ({ severity, code, message }) => console.log(`event ${severity} ${code}: ${message}`),
  log: "off",
});
const credentials = fromRolesAnywhere({
  guard,
  certificate: CERTIFICATE,
  privateKey: PRIVATE_KEY,
  // ARNs and endpoint are taken from IMDS_GUARD_ROLES_ANYWHERE_* or the profile.
});
const sts = new STSClient({ region: AWS_REGION, credentials });

while (!stop.signal.aborted) {
  try {
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}), { abortSignal: stop.signal });
    console.log(`I am ${Arn}`);
  } catch (error) {
    if (stop.signal.aborted) break;
    // An outage passes; what is wrong with settings, certificate or key is for a person, and advice says what to do.
    if (isImdsGuardError(error) && error.code !== "ERR_ROLES_ANYWHERE_UNREACHABLE")
      console.error(`${error.message} [${error.code}]; ${error.advice}`);
    else console.error(error instanceof Error ? error.message : String(error));
  }
  await sleep(Number(process.env["INTERVAL_MS"] ?? 60_000), undefined, { signal: stop.signal }).catch(() => undefined);
}
await guard.close();
