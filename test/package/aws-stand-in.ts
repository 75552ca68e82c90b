/** A loopback stand-in for S3 and STS that answers whoever signs, and remembers with which access key. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { accountOf } from "../support/access-keys.mjs";

/** A running stand-in. */
export interface AwsStandIn {
  readonly url: string;
  /** Access key ids of the requests so far, in order. */
  readonly keys: readonly string[];
  close(): Promise<void>;
}

/** Starts one. `GET /` is S3's ListBuckets, `POST /` STS's GetCallerIdentity. */
export async function startAwsStandIn(): Promise<AwsStandIn> {
  const keys: string[] = [];
  const server = createServer((request, response) => {
    const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? "")?.[1] ?? "unsigned";
    keys.push(key);
    request.resume();
    response.setHeader("Content-Type", request.method === "GET" ? "application/xml" : "text/xml");
    response.end(request.method === "GET" ? buckets(key) : callerIdentity(key));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    keys,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function buckets(key: string): string {
  const owner = `<Owner><ID>0</ID></Owner>`;
  const bucket = `<Bucket><Name>data-of-${accountOf(key)}</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>`;
  return `<?xml version="1.0" encoding="UTF-8"?><ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${owner}<Buckets>${bucket}</Buckets></ListAllMyBucketsResult>`;
}

function callerIdentity(key: string): string {
  const account = accountOf(key);
  const result = `<Arn>arn:aws:sts::${account}:assumed-role/app-server/session</Arn><UserId>AROAEXAMPLE:session</UserId><Account>${account}</Account>`;
  return `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>${result}</GetCallerIdentityResult><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></GetCallerIdentityResponse>`;
}
