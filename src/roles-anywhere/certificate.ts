/** Reads the certificate of a workload and its intermediates, and refuses what Roles Anywhere would refuse. */
import type { KeyObject } from "node:crypto";
import { X509Certificate } from "node:crypto";
import { fact, RolesAnywhereError } from "../base/errors.js";
import { printable } from "../base/text.js";
import type { PemBlock } from "./pem.js";
import { insteadOf, readPem } from "./pem.js";
import type { SignatureAlgorithm } from "./private-key.js";
import { algorithmOf, KEY_KINDS, keyInWords, needsNewerNode } from "./private-key.js";

/** A certificate that can be used now, with the intermediates up to the trust anchor. */
export interface CertificateChain {
  readonly leaf: X509Certificate;
  /** From the leaf's issuer upward, without a self-signed root. */
  readonly intermediates: readonly X509Certificate[];
  readonly publicKey: KeyObject;
  readonly algorithm: SignatureAlgorithm;
  /** In decimal, as CreateSession wants it. */
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Text and where it is from. */
export interface PemSource {
  readonly text: string;
  readonly source: string;
}

const LONGEST_CHAIN = 10;

/**
 * Reads the leaf, which stands first, and finds its intermediates behind it and in `more`; other certificates are
 * left out, so that AWS is not told what else there is.
 * AWS: Roles Anywhere User Guide, "Trust model" (end-entity certificates: X.509 v3, CA false, digital signature).
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_CERTIFICATE`
 */
export function readCertificateChain(pem: PemSource, more: PemSource | undefined, now: number): CertificateChain {
  const [leaf, ...behind] = certificatesOf(pem);
  if (leaf === undefined) throw noCertificate(pem);
  const others = more === undefined ? [] : certificatesOf(more);
  // Tools leave an empty file where there are no intermediates.
  if (more !== undefined && others.length === 0 && more.text.trim() !== "") throw noCertificate(more);
  const pool = [...behind, ...others];
  const { source } = pem;
  const { publicKey, algorithm } = checkLeaf(leaf, source, pool.length > 0, now);
  const intermediates = pathOf(leaf, pool, now);
  for (const certificate of intermediates) checkValidity(certificate, more?.source ?? source, "intermediate", now);
  const { notBefore, notAfter } = validityOf(leaf);
  return { leaf, intermediates, publicKey, algorithm, serial: serialOf(leaf, source), notBefore, notAfter };
}

const ADVICE_FORM =
  "Give a file in PEM form: the certificate first, then its intermediates. OpenSSL makes one of others: openssl x509 -inform DER -in FILE, openssl pkcs12 -in FILE -nodes, openssl pkcs7 -print_certs -in FILE.";

function noCertificate({ text, source }: PemSource): RolesAnywhereError {
  const instead = insteadOf(text, readPem(text));
  return certificateError(source, `it holds no certificate in PEM form${instead}`, ADVICE_FORM);
}

function certificatesOf({ text, source }: PemSource): X509Certificate[] {
  const { blocks, problem } = readPem(text);
  if (problem !== undefined) throw certificateError(source, `it ${problem}`, ADVICE_FORM);
  return blocks.filter(({ label }) => isCertificateLabel(label)).map((block) => decode(block, source));
}

/** RFC 7468, and what OpenSSL reads besides. */
export function isCertificateLabel(label: string): boolean {
  return label === "CERTIFICATE" || label === "X509 CERTIFICATE";
}

function decode({ der }: PemBlock, source: string): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw certificateError(source, `it holds what is no X.509 certificate (${code ?? "unknown"})`, ADVICE_FORM);
  }
}

function checkLeaf(
  leaf: X509Certificate,
  source: string,
  others: boolean,
  now: number,
): { readonly publicKey: KeyObject; readonly algorithm: SignatureAlgorithm } {
  const fields = fieldsOf(leaf.raw);
  if (fields[0]?.equals(VERSION_3) !== true)
    throw certificateError(source, "it is no X.509 version 3 certificate", "Roles Anywhere takes version 3 alone.");
  if (leaf.ca) {
    const order = others
      ? " Its first certificate has to be the one of the workload: leaf first, then intermediates."
      : "";
    throw certificateError(
      source,
      `${subjectOf(leaf)} is the certificate of a certificate authority`,
      `Roles Anywhere takes end-entity certificates (CA false).${order}`,
    );
  }
  if (leavesOutSignature(fields))
    throw certificateError(
      source,
      "its key usage leaves out digitalSignature",
      "Roles Anywhere wants key usage digitalSignature.",
    );
  checkValidity(leaf, source, "certificate", now);
  let publicKey: KeyObject;
  try {
    ({ publicKey } = leaf);
  } catch {
    throw certificateError(
      source,
      needsNewerNode(leaf.raw) ?? "its public key is of a kind that node:crypto does not know",
      `Allowed: ${KEY_KINDS}.`,
    );
  }
  const algorithm = algorithmOf(publicKey);
  if (algorithm === undefined)
    throw certificateError(source, `it is for ${keyInWords(publicKey)}`, `Allowed: ${KEY_KINDS}.`);
  // OpenSSL finds the name of such a curve by itself; RFC 5480 forbids them, and other readers refuse them.
  if (publicKey.asymmetricKeyType === "ec" && fields[PUBLIC_KEY]?.includes(PRIME_FIELD) === true)
    throw certificateError(source, "it writes its curve out and does not name it", `Allowed: ${KEY_KINDS}.`);
  return { publicKey, algorithm };
}

/** [0] EXPLICIT INTEGER 2, with which the body of a version 3 certificate begins (RFC 5280, 4.1). */
const VERSION_3 = Buffer.from("a003020102", "hex");
/** Where the public key stands in such a body: behind version, serial number, algorithm, issuer, validity and subject. */
const PUBLIC_KEY = 6;
/** Tag of the extensions. */
const EXTENSIONS = 0xa3;
/** The object identifier of the key usage, 2.5.29.15. */
const KEY_USAGE = Buffer.from("0603551d0f", "hex");
const DIGITAL_SIGNATURE = 0x80;
/** The object identifier 1.2.840.10045.1.1, with which the parameters of a curve begin. */
const PRIME_FIELD = Buffer.from("06072a8648ce3d0101", "hex");

/** The body of a certificate: node:crypto tells neither its version nor its key usage (its `keyUsage` is the extended one). */
function fieldsOf(raw: Buffer): Buffer[] {
  return elementsIn(elementsIn(raw)[0]);
}

function leavesOutSignature(fields: readonly Buffer[]): boolean {
  const [extensions] = elementsIn(fields.find((field) => field[0] === EXTENSIONS));
  const usage = elementsIn(extensions)
    .map(elementsIn)
    .find(([name]) => name?.equals(KEY_USAGE) === true);
  // OCTET STRING, and in it BIT STRING: tag, length, unused bits, and then the first octet of usages.
  const [bits] = elementsIn(usage?.at(-1));
  return bits !== undefined && ((bits[3] ?? 0) & DIGITAL_SIGNATURE) === 0;
}

/** The DER elements within another, header and all. OpenSSL has read them by now, so that they are as long as they say. */
function elementsIn(der: Buffer | undefined): Buffer[] {
  const found: Buffer[] = [];
  if (der === undefined) return found;
  for (let at = contentOf(der, 0); at < der.length;) {
    const end = endOf(der, at);
    found.push(der.subarray(at, end));
    at = end;
  }
  return found;
}

/** Where the content of the element at `at` begins. */
function contentOf(der: Buffer, at: number): number {
  const length = der[at + 1] ?? 0;
  return at + 2 + (length & 0x80 ? length & 0x7f : 0);
}

function endOf(der: Buffer, at: number): number {
  const content = contentOf(der, at);
  if (content === at + 2) return content + (der[at + 1] ?? 0);
  return der.subarray(at + 2, content).reduce((length, octet) => length * 256 + octet, 0) + content;
}

/** From the leaf's issuer to the last that is no root. Of two that would do, the one that is valid now. */
function pathOf(leaf: X509Certificate, pool: readonly X509Certificate[], now: number): X509Certificate[] {
  const path: X509Certificate[] = [];
  for (let current = leaf; path.length < LONGEST_CHAIN;) {
    const candidates = pool.filter(
      (other) => other.fingerprint256 !== leaf.fingerprint256 && !path.includes(other) && current.checkIssued(other),
    );
    const issuer = candidates.find((candidate) => isValid(candidate, now)) ?? candidates[0];
    if (issuer === undefined || issuer.checkIssued(issuer)) return path;
    path.push(issuer);
    current = issuer;
  }
  return path;
}

function validityOf(certificate: X509Certificate): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(certificate.validFrom), notAfter: new Date(certificate.validTo) };
}

function isValid(certificate: X509Certificate, now: number): boolean {
  const { notBefore, notAfter } = validityOf(certificate);
  return notBefore.getTime() <= now && now <= notAfter.getTime();
}

function checkValidity(certificate: X509Certificate, source: string, what: string, now: number): void {
  const { notBefore, notAfter } = validityOf(certificate);
  const name = what === "certificate" ? "it" : `its intermediate ${subjectOf(certificate)}`;
  if (Number.isNaN(notBefore.getTime()) || Number.isNaN(notAfter.getTime()))
    throw certificateError(source, `${name} has a date that is none`, "Have it issued again.");
  const clock = `If it is not, the clock of this host is wrong: it says ${new Date(now).toISOString()}.`;
  if (notAfter.getTime() < now)
    throw certificateError(source, `${name} expired at ${notAfter.toISOString()}`, `Have it issued again. ${clock}`);
  if (notBefore.getTime() > now)
    throw certificateError(source, `${name} is not valid before ${notBefore.toISOString()}`, `Wait for it. ${clock}`);
}

function serialOf(leaf: X509Certificate, source: string): string {
  const { serialNumber } = leaf;
  // node:crypto writes a negative one as "-05". RFC 5280 demands positive ones, and AWS's parser refuses others.
  if (!/^[0-9A-F]{1,128}$/.test(serialNumber))
    throw certificateError(source, "its serial number is negative", "Have it issued with a positive serial number.");
  return BigInt(`0x${serialNumber}`).toString();
}

function subjectOf(certificate: X509Certificate): string {
  return printable(certificate.subject.replaceAll("\n", ", "), 120);
}

/** An error of the certificate; `says` completes "because". */
export function certificateError(source: string, says: string, advice: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError(
    "ERR_ROLES_ANYWHERE_CERTIFICATE",
    `The certificate (${source}) cannot be used: ${says}`,
    {
      evidence: [fact(source, says)],
      advice,
      cause,
    },
  );
}
