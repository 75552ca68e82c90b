/** The same, with what its client would ask IMDS for given to it by a guard that is bundled with it. */
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { createGuard } from "imds-guard";
import { signedBy } from "./signed-by.mjs";

const guard = createGuard();
void signedBy((endpoint) =>
  new S3Client({ ...guard.clientConfig(), endpoint, forcePathStyle: true, maxAttempts: 1 }).send(
    new ListBucketsCommand({}),
  ),
);
