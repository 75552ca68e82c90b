// @ts-check
/**
 * Stands in for `aws_signing_helper credential-process`: prints, in its format, the credentials that another program of
 * this machine keeps in the file `CREDENTIALS_FILE`.
 */
import { readFileSync } from "node:fs";

const { accessKeyId, secretAccessKey, sessionToken, expiration } = JSON.parse(
  readFileSync(process.env["CREDENTIALS_FILE"] ?? "credentials.json", "utf8"),
);
process.stdout.write(
  JSON.stringify({
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration,
  }),
);
