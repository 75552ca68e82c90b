/** A client and the chain, as small as a bundler makes them. */
import { S3Client } from "@aws-sdk/client-s3";
import { fromNodeProviderChain } from "imds-guard";

export const client = new S3Client({ credentials: fromNodeProviderChain() });
