/** The canonical request and the string to sign, beside two programs that were written elsewhere. */
import { createHash, randomUUID, X509Certificate } from "node:crypto";
import { spawnSync } from "node:child_process";
import { SignatureV4Base } from "@smithy/signature-v4";
import type { HttpRequest } from "@smithy/types";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCertificateChain } from "../../src/roles-anywhere/certificate.js";
import type { SessionRequest } from "../../src/roles-anywhere/signature.js";
import { isSignatureOf, prepareRequest, signatureOf } from "../../src/roles-anywhere/signature.js";
import { issue } from "../support/certificates.mjs";
import { judge } from "../support/roles-anywhere-service.mjs";

const root = issue({ name: "root", ca: true });
const issuing = issue({ name: "issuing", ca: true, issuer: root });
const leaf = issue({ name: "leaf", issuer: issuing });
const alone = issue({ name: "alone", issuer: root, kind: "rsa" });
const chain = (text: string) => readCertificateChain({ text, source: "x" }, undefined, Date.now());
const CHAINS = [
  { chain: chain(leaf.cert + issuing.cert), key: leaf.privateKey },
  { chain: chain(alone.cert), key: alone.privateKey },
] as const;

/** Anything that a query may hold, its own signs among it. */
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
const requests: fc.Arbitrary<SessionRequest> = fc.record({
  region: fc.constantFrom("eu-central-1", "us-gov-west-1", "cn-north-1"),
  host: fc.constantFrom("rolesanywhere.eu-central-1.amazonaws.com", "127.0.0.1:8080", "[::1]:9", "vpce-1.example"),
  date: fc.date({ min: new Date("1999-12-31T23:59:59Z"), max: new Date("2099-01-01T00:00:00Z"), noInvalidDate: true }),
  profileArn: text,
  roleArn: fc.oneof(text, fc.constant("arn:aws:iam::111122223333:role/a!'()*~+ %2F/é=&?#")),
  trustAnchorArn: text,
  durationSeconds: fc.integer({ min: 900, max: 43_200 }),
  roleSessionName: fc.option(text, { nil: undefined }),
});

class Sha256 {
  readonly #hash = createHash("sha256");
  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
}

/** What the SDK for JavaScript makes of the request; the algorithm's name is put in. */
class Theirs extends SignatureV4Base {
  constructor(region: string) {
    const credentials = { accessKeyId: "x", secretAccessKey: "x" };
    super({ service: "rolesanywhere", region, credentials, sha256: Sha256 as never });
  }
  async of(request: HttpRequest, date: Date, body: string, algorithm: string, region: string) {
    const hash = createHash("sha256").update(body).digest("hex");
    const { authorization: _, ...headers } = request.headers;
    const canonical = this.createCanonicalRequest(request, headers, hash);
    const { longDate, shortDate } = this.formatDate(date);
    const scope = `${shortDate}/${region}/rolesanywhere/aws4_request`;
    return { canonical, toSign: await this.createStringToSign(longDate, scope, canonical, algorithm) };
  }
}

test("is what the SDK's own signer makes of the same request", async () => {
  await fc.assert(
    fc.asyncProperty(requests, fc.constantFrom(...CHAINS), async (request, identity) => {
      const { method, path, headers, body, algorithm, canonicalRequest, stringToSign } = prepareRequest(
        request,
        identity.chain,
      );
      const [pathname = "", query = ""] = path.split("?");
      const theirs = await new Theirs(request.region).of(
        {
          method,
          protocol: "https:",
          hostname: "x",
          path: pathname,
          query: Object.fromEntries(query.split("&").map((pair) => pair.split("=").map(decodeURIComponent))),
          headers: { ...headers },
        } as HttpRequest,
        request.date,
        body,
        algorithm,
        request.region,
      );
      expect(canonicalRequest).toBe(theirs.canonical);
      expect(stringToSign).toBe(theirs.toSign);
    }),
  );
});

test("is accepted by a service that rebuilds it from the bytes on the wire", () => {
  const anchors = [new X509Certificate(root.cert)];
  fc.assert(
    fc.property(requests, fc.constantFrom(...CHAINS), (request, identity) => {
      const made = prepareRequest(request, identity.chain);
      const signature = signatureOf(Buffer.from(made.stringToSign), made.algorithm, identity.key);
      expect(isSignatureOf(Buffer.from(made.stringToSign), signature, identity.chain)).toBe(true);
      const fields = Object.entries({
        ...made.headers,
        authorization: made.authorization + signature.toString("hex"),
      });
      const sent = { method: made.method, target: made.path, fields, body: Buffer.from(made.body) };
      expect(judge(sent, { anchors, now: undefined })).toMatchObject({ ok: true, region: request.region });
      // And nothing of it may be another.
      for (const changed of [
        { ...sent, body: Buffer.from(`${made.body} `) },
        { ...sent, target: made.path.replace("profileArn=", "profileArn=x") },
        { ...sent, method: "PUT" },
      ])
        expect(judge(changed, { anchors, now: undefined })).toMatchObject({ ok: false });
    }),
    { numRuns: 25 },
  );
});

const PYTHON = `
import json, sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
for line in sys.stdin:
    given = json.loads(line)
    auth = SigV4Auth(Credentials("x", "x"), "rolesanywhere", given["region"])
    request = AWSRequest(method=given["method"], url="https://" + given["host"] + given["path"], data=given["body"], headers=given["headers"])
    request.context["timestamp"] = given["headers"]["x-amz-date"]
    print(json.dumps(auth.canonical_request(request)))
`;
const botocore = spawnSync("python3", ["-c", "import botocore.auth"]).status === 0;
if (!botocore) console.log("signature: what botocore makes of it is skipped, there is no botocore");

describe.runIf(botocore)("botocore", () => {
  test("makes the same canonical request", () => {
    const made = fc
      .sample(requests, 200)
      .map((request) => ({ request, made: prepareRequest(request, CHAINS[0].chain) }));
    const input = made
      .map(({ request, made: { method, path, headers, body } }) =>
        JSON.stringify({ region: request.region, host: request.host, method, path, headers, body }),
      )
      .join("\n");
    const env = { PATH: process.env["PATH"], AWS_EC2_METADATA_DISABLED: "true", HOME: `/nowhere/${randomUUID()}` };
    const { stdout, stderr, status } = spawnSync("python3", ["-c", PYTHON], { input, env, encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    const theirs = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as string);
    expect(theirs).toEqual(made.map(({ made: { canonicalRequest } }) => canonicalRequest));
  });
});
