/** What the main entry does for an application. */
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { createGuard, fromNodeProviderChain } from "imds-guard";
import { signedBy } from "./signed-by.mjs";

export const doors = {
  chain: async () => (await fromNodeProviderChain()()).accessKeyId,
  client: () =>
    signedBy((endpoint) =>
      new S3Client({ ...createGuard().clientConfig(), endpoint, forcePathStyle: true, maxAttempts: 1 }).send(
        new ListBucketsCommand({}),
      ),
    ),
  metadata: () => createGuard().metadata("/latest/meta-data/placement/region"),
};
