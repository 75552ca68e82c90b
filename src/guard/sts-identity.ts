/** Asks STS, over TLS, whose credentials these are: the one check that needs no encoding and no local evidence. */
import type { Hash, Hmac } from "node:crypto";
import { createHash, createHmac } from "node:crypto";
import type { HashConstructor } from "@smithy/types";
import { ImdsImpersonationError, ImdsUnavailableError } from "../base/errors.js";
import { printable } from "../base/text.js";
import { membersOf } from "../base/load-sdk.js";

/** Credentials to be checked. */
export interface SignableCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** Where and how long to ask. */
export interface StsOptions {
  /** Region whose STS endpoint is asked. */
  readonly region: string;
  /** Partition of the region, which decides the domain. Default `aws`. */
  readonly partition?: string | undefined;
  /** Milliseconds for the whole exchange. */
  readonly timeoutMs: number;
  /** Another origin than AWS's, `https://host[:port]`; for tests. */
  readonly origin?: string | undefined;
  /** Certificate authorities besides the system's, PEM; for tests. */
  readonly ca?: string | undefined;
}

/** What STS says: GetCallerIdentity, AWS STS API reference. */
export interface CallerIdentity {
  /** 12 digits. */
  readonly account: string;
  readonly arn: string;
}

/** What the identity has to be. Fields that are left out are not compared. */
export interface ExpectedIdentity {
  readonly account?: string | undefined;
  /** Name of the role whose credentials these are. */
  readonly roleName?: string | undefined;
  /** Instance roles are assumed in sessions named after the instance. */
  readonly instanceId?: string | undefined;
}

const DOMAINS: Readonly<Record<string, string>> = {
  aws: "amazonaws.com",
  "aws-us-gov": "amazonaws.com",
  "aws-cn": "amazonaws.com.cn",
  "aws-eusc": "amazonaws.eu",
  "aws-iso": "c2s.ic.gov",
  "aws-iso-b": "sc2s.sgov.gov",
  "aws-iso-e": "cloud.adc-e.uk",
  "aws-iso-f": "csp.hci.ic.gov",
};
const MAX_BODY = 64 * 1024;
const BODY = "Action=GetCallerIdentity&Version=2011-06-15";
const ARN = /^arn:aws[a-z-]*:(?:sts|iam)::(\d{12}):[\w+=,.@/-]{1,2048}$/;

/**
 * Calls GetCallerIdentity with the credentials and compares.
 * @throws ImdsImpersonationError `ERR_IMDS_STS_MISMATCH` when STS names another identity or refuses the credentials
 * @throws ImdsUnavailableError `ERR_IMDS_STS_UNAVAILABLE` when STS cannot be asked
 */
export async function verifyWithSts(
  credentials: SignableCredentials,
  expected: ExpectedIdentity,
  options: StsOptions,
): Promise<CallerIdentity> {
  const identity = await getCallerIdentity(credentials, options);
  if (expected.account !== undefined && identity.account !== expected.account) {
    throw mismatch(identity, `account ${identity.account}`, `account ${expected.account}`);
  }
  const [, role, session] = /:assumed-role\/([^/]+)\/([^/]+)$/.exec(identity.arn) ?? [];
  if (expected.roleName !== undefined && role !== expected.roleName) {
    throw mismatch(
      identity,
      role === undefined ? "no role" : `role ${printable(role)}`,
      `role ${printable(expected.roleName)}`,
    );
  }
  if (expected.instanceId !== undefined && session !== expected.instanceId) {
    throw mismatch(
      identity,
      session === undefined ? "no role session" : `session ${printable(session)}`,
      `instance ${expected.instanceId}`,
    );
  }
  return identity;
}

async function getCallerIdentity(credentials: SignableCredentials, options: StsOptions): Promise<CallerIdentity> {
  const url = new URL(options.origin ?? stsOrigin(options.region, options.partition));
  const { status, body } = await post(url, await signedHeaders(url, options.region, credentials), options);
  if (status === 403 || status === 401) throw rejected(status);
  if (status !== 200) throw unavailable(`HTTP ${status}`);
  const account = onlyMatch(body, /<Account>(\d{12})<\/Account>/g);
  const arn = onlyMatch(body, /<Arn>([^<]{1,2100})<\/Arn>/g);
  if (account === undefined || arn === undefined || ARN.exec(arn)?.[1] !== account)
    throw unavailable("an answer that is none of GetCallerIdentity");
  return { account, arn };
}

/**
 * The regional STS endpoint, `https://sts.REGION.DOMAIN`; `partition` defaults to `aws`.
 * @throws ImdsUnavailableError `ERR_IMDS_STS_UNAVAILABLE` for a partition whose domain is not known
 */
export function stsOrigin(region: string, partition = "aws"): string {
  const domain = Object.hasOwn(DOMAINS, partition) ? DOMAINS[partition] : undefined;
  if (domain === undefined) throw unavailable(`no STS domain is known for partition ${printable(partition)}`);
  return `https://sts.${region}.${domain}`;
}

function onlyMatch(text: string, pattern: RegExp): string | undefined {
  const matches = [...text.matchAll(pattern)];
  return matches.length === 1 ? matches[0]?.[1] : undefined;
}

/** Signature Version 4, by the SDK's own signer. */
async function signedHeaders(
  url: URL,
  region: string,
  credentials: SignableCredentials,
): Promise<Record<string, string>> {
  const { SignatureV4 } = membersOf(await import("@smithy/signature-v4"));
  const signer = new SignatureV4({ service: "sts", region, credentials, sha256: NodeSha256 });
  const { headers } = await signer.sign({
    method: "POST",
    protocol: url.protocol,
    hostname: url.hostname,
    path: "/",
    headers: { host: url.host, "content-type": "application/x-www-form-urlencoded" },
    body: BODY,
  });
  return headers;
}

/** SHA-256 or HMAC-SHA-256 of node:crypto in the shape that the signer asks for. */
class NodeSha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: ConstructorParameters<HashConstructor>[0]) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret as Buffer | string);
  }

  update(data: Uint8Array | string): void {
    this.#hash.update(data);
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
}

async function post(
  url: URL,
  headers: Record<string, string>,
  options: StsOptions,
): Promise<{ status: number; body: string }> {
  const https = await import("node:https");
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void => {
      reject(unavailable(why, cause));
      request.destroy();
    };
    const request = https.request(url, {
      method: "POST",
      headers: { ...headers, "content-length": String(Buffer.byteLength(BODY)) },
      signal: AbortSignal.timeout(options.timeoutMs),
      maxHeaderSize: 16 * 1024,
      ...(options.ca !== undefined && { ca: options.ca }),
    });
    request.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.name, error));
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      let total = 0;
      response.on("error", (error) => fail("the answer was cut short", error));
      response.on("data", (chunk: Buffer) => {
        total += chunk.length;
        if (total > MAX_BODY) fail("an answer of more than 64 KiB");
        else chunks.push(chunk);
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    request.end(BODY);
  });
}

const SOURCE = "STS GetCallerIdentity";

function mismatch(identity: CallerIdentity, said: string, expected: string): ImdsImpersonationError {
  return new ImdsImpersonationError(
    "ERR_IMDS_STS_MISMATCH",
    `STS says that these are credentials of ${said}, not of ${expected}`,
    {
      evidence: [{ source: SOURCE, value: printable(identity.arn, 160), says: `expected ${expected}` }],
      advice: "Whoever handed them out is not the metadata service of this instance. Do not use them.",
    },
  );
}

function rejected(status: number): ImdsImpersonationError {
  return new ImdsImpersonationError("ERR_IMDS_STS_MISMATCH", `STS does not accept the credentials (HTTP ${status})`, {
    evidence: [{ source: SOURCE, value: String(status), says: "not valid credentials of this partition" }],
    advice: "They are expired, revoked or made up. If the clock of this host is wrong, correct it.",
  });
}

function unavailable(why: string, cause?: unknown): ImdsUnavailableError {
  return new ImdsUnavailableError(
    "ERR_IMDS_STS_UNAVAILABLE",
    `STS could not be asked whose credentials these are: ${why}`,
    {
      evidence: [{ source: SOURCE, says: why }],
      advice: "verifyWithSts needs HTTPS to the regional STS endpoint (or a VPC endpoint for it).",
      // Going on to the next provider would hand out what was meant to be checked by somebody else.
      tryNextLink: false,
      cause,
    },
  );
}
