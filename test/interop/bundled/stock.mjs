/** An application that is bundled into one file, SDK included: a client with nothing configured. */
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { signedBy } from "./signed-by.mjs";

void signedBy((endpoint) =>
  new S3Client({ endpoint, forcePathStyle: true, maxAttempts: 1 }).send(new ListBucketsCommand({})),
);
