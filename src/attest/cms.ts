/** Reads and verifies the one shape of signed message that AWS serves as `rsa2048`, and nothing else. */
import { constants, createHash, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { attestationInvalid } from "./attestation-error.js";
import type { AttestationRule } from "./attestation-rules.js";
import { readBer } from "./ber.js";
import type { BerElement } from "./ber.js";
import { isUtcTime } from "../base/utc-time.js";

/** The parts of a signed identity message. Nothing in it is to be believed before {@link verifySignedIdentity}. */
export interface SignedIdentity {
  /** The embedded document, byte for byte. */
  readonly content: Buffer;
  /** The signed attributes as they were signed: a DER SET OF (first octet 0x31). */
  readonly signedAttributes: Buffer;
  readonly signature: Buffer;
  /** SHA-256 of the content, as the signed attributes state it. */
  readonly messageDigest: Buffer;
  /** When AWS signed, ISO 8601 in UTC with seconds. Seconds after launch; it says nothing about freshness. */
  readonly signingTime: string | undefined;
}

/** Longest base64 text that is read, in bytes. */
export const MAX_TEXT_BYTES = 16 * 1024;
/** Longest decoded message that is read, in bytes. */
export const MAX_MESSAGE_BYTES = 8 * 1024;

const TAG = {
  integer: 0x02,
  octets: 0x04,
  octetsOfParts: 0x24,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
};

/** Object identifiers as the hexadecimal form of their content octets. */
const OID = {
  data: "2a864886f70d010701",
  signedData: "2a864886f70d010702",
  contentType: "2a864886f70d010903",
  messageDigest: "2a864886f70d010904",
  signingTime: "2a864886f70d010905",
  sha256: "608648016503040201",
  rsaEncryption: "2a864886f70d010101",
  sha256WithRsa: "2a864886f70d01010b",
};

const NULL_ELEMENT = Buffer.from([0x05, 0x00]);

/**
 * Reads the body of `/latest/dynamic/instance-identity/rsa2048`: base64 text (white space ignored, at most 16 KiB) of a
 * PKCS7 SignedData of at most 8 KiB with embedded content, no certificates, SHA-256 and one RSA signer with signed
 * attributes.
 *
 * @throws ImdsImpersonationError `ERR_IMDS_ATTESTATION_INVALID`; `evidence[0].value` is the rule that failed
 */
export function readSignedIdentity(body: Uint8Array): SignedIdentity {
  const signedData = signedDataOf(readBer(decodeBase64(body)));
  if (signedData.length > 4) throw attestationInvalid("certificates-embedded");
  const [version, digests, encapsulated, signers] = exactly(signedData, 4, "signed-data");
  requireOne(version, "signed-data-version");
  const [digest] = exactPartsOf(digests, TAG.set, 1, "digest-algorithms");
  requireAlgorithm(digest, [OID.sha256], "digest-algorithms");
  const content = contentOf(encapsulated);
  const [signer] = exactPartsOf(signers, TAG.set, 1, "signer-count");
  return { content, ...readSigner(signer) };
}

/**
 * Whether the content is the one that was signed, and the signature verifies with one of `keys` (RSA PKCS1 v1.5 with
 * SHA-256, whatever the message says). An empty list of keys verifies nothing.
 */
export function verifySignedIdentity(signed: SignedIdentity, keys: readonly KeyObject[]): boolean {
  return matchesDigest(signed) && keys.some((key) => verifyAttributes(signed, key));
}

/** Whether the embedded content has the digest that the signed attributes state. */
export function matchesDigest(signed: SignedIdentity): boolean {
  return createHash("sha256").update(signed.content).digest().equals(signed.messageDigest);
}

function verifyAttributes(signed: SignedIdentity, key: KeyObject): boolean {
  return verify("sha256", signed.signedAttributes, { key, padding: constants.RSA_PKCS1_PADDING }, signed.signature);
}

function decodeBase64(body: Uint8Array): Buffer {
  if (body.length === 0 || body.length > MAX_TEXT_BYTES) throw attestationInvalid("text-size");
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    .toString("latin1")
    .replace(/[ \t\r\n]+/g, "");
  const bytes = Buffer.from(text, "base64");
  // Node decodes leniently (URL-safe letters, missing padding, rubbish); only what encodes back to itself is base64.
  if (text === "" || bytes.toString("base64") !== text) throw attestationInvalid("text-base64");
  if (bytes.length > MAX_MESSAGE_BYTES) throw attestationInvalid("message-size");
  return bytes;
}

function signedDataOf(message: BerElement): readonly BerElement[] {
  const [type, wrapper] = exactPartsOf(message, TAG.sequence, 2, "content-info");
  requireOid(type, [OID.signedData], "content-info");
  const [signedData] = exactPartsOf(wrapper, TAG.context0, 1, "content-info");
  return partsOf(signedData, TAG.sequence, "signed-data");
}

function contentOf(encapsulated: BerElement): Buffer {
  const parts = partsOf(encapsulated, TAG.sequence, "content-type");
  if (parts.length === 1) throw attestationInvalid("content-missing");
  const [type, wrapper] = exactly(parts, 2, "content-type");
  requireOid(type, [OID.data], "content-type");
  const [octets] = exactPartsOf(wrapper, TAG.context0, 1, "content-octets");
  if (octets.tag === TAG.octets) return octets.body;
  const pieces = partsOf(octets, TAG.octetsOfParts, "content-octets");
  return Buffer.concat(pieces.map((piece) => bodyOf(piece, TAG.octets, "content-octets")));
}

function readSigner(signer: BerElement): Omit<SignedIdentity, "content"> {
  const parts = partsOf(signer, TAG.sequence, "signer-info");
  // Without its signed attributes the signature is over the content itself, and the content could then be a set of
  // attributes that AWS signed for another document.
  if (!parts.some((part) => part.tag === TAG.context0)) throw attestationInvalid("signed-attributes");
  const [version, identifier, digest, attributes, algorithm, signature] = exactly(parts, 6, "signer-info");
  requireOne(version, "signer-version");
  const [issuer, serial] = exactPartsOf(identifier, TAG.sequence, 2, "signer-identifier");
  partsOf(issuer, TAG.sequence, "signer-identifier");
  bodyOf(serial, TAG.integer, "signer-identifier");
  requireAlgorithm(digest, [OID.sha256], "signer-digest");
  requireAlgorithm(algorithm, [OID.rsaEncryption, OID.sha256WithRsa], "signature-algorithm");
  const octets = bodyOf(signature, TAG.octets, "signature-octets");
  // RSA of 2048 to 8192 bits: the range of keys that may be trusted.
  if (octets.length < 256 || octets.length > 1024) throw attestationInvalid("signature-octets");
  return { ...readAttributes(attributes), signature: octets };
}

function readAttributes(
  attributes: BerElement,
): Pick<SignedIdentity, "signedAttributes" | "messageDigest" | "signingTime"> {
  const rule = "signed-attributes";
  const values = new Map<string, BerElement>();
  for (const attribute of partsOf(attributes, TAG.context0, rule)) {
    const [type, set] = exactPartsOf(attribute, TAG.sequence, 2, rule);
    const name = bodyOf(type, TAG.oid, rule).toString("hex");
    if (values.has(name)) throw attestationInvalid("attribute-twice");
    const [value] = exactPartsOf(set, TAG.set, 1, rule);
    values.set(name, value);
  }
  if (!attributes.definite) throw attestationInvalid(rule);
  requireOid(values.get(OID.contentType), [OID.data], "attribute-content-type");
  const messageDigest = bodyOf(values.get(OID.messageDigest), TAG.octets, "attribute-message-digest");
  if (messageDigest.length !== 32) throw attestationInvalid("attribute-message-digest");
  // RFC 5652, section 5.4: what is signed is the SET OF, not the [0] it travels under.
  const signedAttributes = Buffer.from(attributes.raw);
  signedAttributes[0] = TAG.set;
  const signingTime = values.get(OID.signingTime);
  return {
    signedAttributes,
    messageDigest,
    signingTime: signingTime === undefined ? undefined : readTime(signingTime),
  };
}

/** RFC 5652, section 11.3: UTCTime through 2049, GeneralizedTime after, both in `Z` with seconds. */
function readTime(time: BerElement): string {
  const text = time.body.toString("latin1");
  const century = time.tag === TAG.generalizedTime ? "" : text < "5" ? "20" : "19";
  const iso = `${century}${text}`.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  if ((time.tag !== TAG.utcTime && time.tag !== TAG.generalizedTime) || !isUtcTime(iso))
    throw attestationInvalid("attribute-signing-time");
  return iso;
}

type Tuple<N extends number, T, R extends T[] = []> = R["length"] extends N ? R : Tuple<N, T, [...R, T]>;

function exactly<N extends number>(
  parts: readonly BerElement[],
  count: N,
  rule: AttestationRule,
): Tuple<N, BerElement> {
  if (parts.length !== count) throw attestationInvalid(rule);
  return parts as unknown as Tuple<N, BerElement>;
}

function exactPartsOf<N extends number>(
  element: BerElement,
  tag: number,
  count: N,
  rule: AttestationRule,
): Tuple<N, BerElement> {
  return exactly(partsOf(element, tag, rule), count, rule);
}

function partsOf(element: BerElement, tag: number, rule: AttestationRule): readonly BerElement[] {
  if (element.tag !== tag) throw attestationInvalid(rule);
  return element.children;
}

function bodyOf(element: BerElement | undefined, tag: number, rule: AttestationRule): Buffer {
  if (element?.tag !== tag) throw attestationInvalid(rule);
  return element.body;
}

function requireOne(element: BerElement, rule: AttestationRule): void {
  const body = bodyOf(element, TAG.integer, rule);
  if (body.length !== 1 || body[0] !== 1) throw attestationInvalid(rule);
}

function requireOid(element: BerElement | undefined, allowed: readonly string[], rule: AttestationRule): void {
  if (!allowed.includes(bodyOf(element, TAG.oid, rule).toString("hex"))) throw attestationInvalid(rule);
}

/** An AlgorithmIdentifier whose parameters are absent (AWS since 2026) or NULL. */
function requireAlgorithm(element: BerElement, allowed: readonly string[], rule: AttestationRule): void {
  const [oid, parameters, ...more] = partsOf(element, TAG.sequence, rule);
  requireOid(oid, allowed, rule);
  const isNull = parameters === undefined || parameters.raw.equals(NULL_ELEMENT);
  if (!isNull || more.length > 0) throw attestationInvalid(rule);
}
