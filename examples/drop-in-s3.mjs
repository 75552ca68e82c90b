// @ts-check
/**
 * Lists the buckets of the account, with one import changed: the SDK's credential chain, guarded.
 *
 *     AWS_REGION=eu-central-1 node drop-in-s3.mjs
 *
 * `AWS_ENDPOINT_URL_S3`, a setting of the SDK itself, points it at another S3.
 */
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { fromNodeProviderChain, isImdsGuardError } from "imds-guard"; // was: "@aws-sdk/credential-providers"

const s3 = new S3Client({
  // A client without a region asks IMDS for it by itself, and that question passes no guard.
  region: process.env["AWS_REGION"] ?? "eu-central-1",
  credentials: fromNodeProviderChain(),
});

try {
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  for (const { Name } of Buckets) console.log(Name);
} catch (error) {
  if (!isImdsGuardError(error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  for (const { source, value, says } of error.evidence)
    console.error(`  ${source}${value === undefined ? "" : ` = ${value}`}: ${says}`);
  console.error(`  what to do: ${error.advice}`);
  process.exitCode = 1;
}
