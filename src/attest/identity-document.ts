/** Reads an instance identity document strictly, and attests one: shape, region's key, signature, in this order. */
import { isAccountId } from "../aws/access-key.js";
import { IDENTITY_PATH } from "../aws/imds-protocol.js";
import { fact, ImdsImpersonationError } from "../base/errors.js";
import { textOf } from "../base/text.js";
import { attestationInvalid } from "./attestation-error.js";
import type { AttestationRule } from "./attestation-rules.js";
import { matchesDigest, readSignedIdentity, verifySignedIdentity } from "./cms.js";
import { isRegionName } from "../aws/region.js";
import type { KeyRing } from "./key-ring.js";
import { isUtcTime } from "../base/utc-time.js";

/** The fields of an instance identity document that imds-guard uses. */
export interface IdentityDocument {
  /** 12 digits. */
  readonly accountId: string;
  /** `i-` and 8 or 17 hexadecimal digits. */
  readonly instanceId: string;
  readonly region: string;
  /** When the instance was launched or last started, ISO 8601 in UTC. */
  readonly pendingTime: string;
  readonly imageId?: string;
  readonly instanceType?: string;
  readonly architecture?: string;
  readonly availabilityZone?: string;
  readonly privateIp?: string;
}

/** Longest document that is read, in bytes. Genuine ones have fewer than 600. */
export const MAX_DOCUMENT_BYTES = 8 * 1024;

/** Only shown to people, so a strange value is left out rather than refused. */
const OPTIONAL = ["imageId", "instanceType", "architecture", "availabilityZone", "privateIp"] as const;
const SANE = /^[\w.:-]{1,64}$/;

/**
 * Verifies the body of `/latest/dynamic/instance-identity/rsa2048` against `keyRing` and returns the embedded document.
 * The document's own region chooses the key, so a document is only ever as good as the key of the region it names.
 *
 * @throws ImdsImpersonationError `ERR_IMDS_ATTESTATION_INVALID` (not a genuine document; `evidence[0].value` is the
 * rule
 *   that failed) or `ERR_IMDS_ATTESTATION_REGION` (well-formed, but its region has no key: genuine or not, it proves
 * nothing)
 */
export function attestDocument(body: Uint8Array, keyRing: KeyRing): IdentityDocument {
  const signed = readSignedIdentity(body);
  const document = parseIdentityDocument(signed.content);
  // The digest needs no key, so that content swapped under a real signature is named as such in every region.
  if (!matchesDigest(signed)) throw attestationInvalid("digest-mismatch");
  const keys = keyRing.keysFor(document.region);
  if (keys.length === 0) throw unknownRegion(document.region);
  if (!verifySignedIdentity(signed, keys)) throw attestationInvalid("signature-mismatch");
  return document;
}

/**
 * Parses the text of an identity document: UTF-8, one JSON object of at most 8 KiB in which no name occurs twice.
 * This proves nothing: only {@link attestDocument} does.
 *
 * @throws ImdsImpersonationError `ERR_IMDS_ATTESTATION_INVALID`; `evidence[0].value` is the rule that failed
 */
export function parseIdentityDocument(content: Buffer): IdentityDocument {
  if (content.length === 0 || content.length > MAX_DOCUMENT_BYTES) throw attestationInvalid("document-size");
  const fields = readObject(decodeUtf8(content));
  return {
    accountId: required(fields, "accountId", isAccountId, "document-account"),
    instanceId: required(fields, "instanceId", isInstanceId, "document-instance"),
    region: required(fields, "region", isRegionName, "document-region"),
    pendingTime: required(fields, "pendingTime", isUtcTime, "document-pending-time"),
    ...Object.fromEntries(
      OPTIONAL.map((name) => [name, fields.get(name)] as const).filter(
        ([, value]) => typeof value === "string" && SANE.test(value),
      ),
    ),
  };
}

function required(
  fields: ReadonlyMap<string, unknown>,
  name: string,
  isValid: (text: string) => boolean,
  rule: AttestationRule,
): string {
  const value = fields.get(name);
  if (typeof value !== "string" || !isValid(value)) throw attestationInvalid(rule);
  return value;
}

function isInstanceId(text: string): boolean {
  return /^i-[0-9a-f]{8}(?:[0-9a-f]{9})?$/.test(text);
}

function decodeUtf8(content: Buffer): string {
  try {
    // A byte order mark is kept, and then is no JSON.
    return textOf(content, "kept");
  } catch {
    throw attestationInvalid("document-utf8");
  }
}

/** The members as a Map, so that a name such as `__proto__` is a name like any other. */
function readObject(text: string): ReadonlyMap<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw attestationInvalid("document-json");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw attestationInvalid("document-json");
  const members = Object.entries(value);
  // JSON.parse keeps the last of two members with one name, other readers the first: such a document means two things.
  if (countMembers(text) !== members.length) throw attestationInvalid("document-key-twice");
  return new Map(members);
}

/** How many members the outermost object of valid JSON has, repeated names included. */
function countMembers(text: string): number {
  let depth = 0;
  let members = 0;
  // Strings are matched whole, so that no bracket or colon inside one counts.
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    else if (token === ":" && depth === 1) members += 1;
  }
  return members;
}

function unknownRegion(region: string): ImdsImpersonationError {
  return new ImdsImpersonationError(
    "ERR_IMDS_ATTESTATION_REGION",
    `No public key is known for the region ${region} that the instance identity document names`,
    {
      evidence: [
        fact(
          `GET ${IDENTITY_PATH}`,
          "the document names a region without a known key, so its signature cannot be verified",
          region,
        ),
      ],
      advice:
        "If this instance is in that region, add the region's RSA-2048 certificate from the AWS documentation to the trusted " +
        "certificates, or set expectedAccounts or AWS_REGION, or update imds-guard. If it is not, whoever answered is not the instance metadata service.",
    },
  );
}
