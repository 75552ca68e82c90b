/**
 * The X.509 variant of Signature Version 4, with which CreateSession is signed by the private key itself.
 * AWS: Roles Anywhere User Guide, "The IAM Roles Anywhere authentication signing process".
 * Written out, because the request has one form only; AWS's own helper passes the same verifier in the tests.
 */
import { createHash, sign as signWithKey, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { CertificateChain } from "./certificate.js";
import type { SignatureAlgorithm } from "./private-key.js";

/** What is asked for. */
export interface SessionRequest {
  readonly region: string;
  /** As the Host header has it. */
  readonly host: string;
  readonly date: Date;
  readonly profileArn: string;
  readonly roleArn: string;
  readonly trustAnchorArn: string;
  readonly durationSeconds: number;
  readonly roleSessionName?: string | undefined;
}

/** The request but for its signature. */
export interface UnsignedRequest {
  readonly method: "POST";
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly algorithm: SignatureAlgorithm;
  readonly canonicalRequest: string;
  readonly stringToSign: string;
  /** What stands in front of the signature in the Authorization header. */
  readonly authorization: string;
}

/** The canonical request and the string to sign. */
export function prepareRequest(request: SessionRequest, chain: CertificateChain): UnsignedRequest {
  const { region, host, date, profileArn, roleArn, trustAnchorArn, durationSeconds, roleSessionName } = request;
  const { leaf, intermediates, serial, algorithm } = chain;
  const time = date.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const query = `profileArn=${encode(profileArn)}&roleArn=${encode(roleArn)}&trustAnchorArn=${encode(trustAnchorArn)}`;
  const body = JSON.stringify({ durationSeconds, ...(roleSessionName !== undefined && { roleSessionName }) });
  // In the order of their names, as they are signed. An empty chain header would be refused: it is left out.
  const headers: Record<string, string> = {
    "content-type": "application/json",
    host,
    "x-amz-date": time,
    "x-amz-x509": leaf.raw.toString("base64"),
    ...(intermediates.length > 0 && {
      "x-amz-x509-chain": intermediates.map(({ raw }) => raw.toString("base64")).join(","),
    }),
  };
  const signed = Object.keys(headers).join(";");
  const canonicalRequest = [
    "POST",
    "/sessions",
    query,
    ...Object.entries(headers).map(([name, value]) => `${name}:${value}`),
    "",
    signed,
    sha256(body),
  ].join("\n");
  const scope = `${time.slice(0, 8)}/${region}/rolesanywhere/aws4_request`;
  const stringToSign = [algorithm, time, scope, sha256(canonicalRequest)].join("\n");
  const authorization = `${algorithm} Credential=${serial}/${scope}, SignedHeaders=${signed}, Signature=`;
  return {
    method: "POST",
    path: `/sessions?${query}`,
    headers,
    body,
    algorithm,
    canonicalRequest,
    stringToSign,
    authorization,
  };
}

/** The raw signature: PKCS#1 v1.5 for RSA, DER for ECDSA, without a hash of its own for ML-DSA. */
export function signatureOf(message: Buffer, algorithm: SignatureAlgorithm, key: KeyObject): Buffer {
  return signWithKey(digestOf(algorithm), message, key);
}

/** Whether a signature that somebody else made is one of the certificate's key. */
export function isSignatureOf(message: Buffer, signature: Buffer, chain: CertificateChain): boolean {
  return verify(digestOf(chain.algorithm), message, chain.publicKey, signature);
}

function digestOf(algorithm: SignatureAlgorithm): "sha256" | null {
  return algorithm === "AWS4-X509-MLDSA" ? null : "sha256";
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** RFC 3986, as AWS canonicalises: `encodeURIComponent` leaves five characters that it may not. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
