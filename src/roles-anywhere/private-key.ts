/** Reads the private key of a certificate, and tells which of the three signature algorithms it can make. */
import type { KeyObject } from "node:crypto";
import { createPrivateKey } from "node:crypto";
import { fact, RolesAnywhereError } from "../base/errors.js";
import type { PemBlock } from "./pem.js";
import { insteadOf, readPem } from "./pem.js";

/** The algorithm identifiers of CreateSession. */
export type SignatureAlgorithm = "AWS4-X509-RSA-SHA256" | "AWS4-X509-ECDSA-SHA256" | "AWS4-X509-MLDSA";

/** What the keys of Roles Anywhere are, for messages. */
export const KEY_KINDS = "RSA of 2048 to 4096 bits, P-256, P-384, P-521, ML-DSA";

const CURVES: readonly string[] = ["prime256v1", "secp384r1", "secp521r1"];
/** DER of the object identifiers 2.16.840.1.101.3.4.3.17 to 19, without the last octet. */
const ML_DSA_OID = Buffer.from("06096086480165030403", "hex");
const ML_DSA_LEVELS: Readonly<Record<number, string>> = { 0x11: "ML-DSA-44", 0x12: "ML-DSA-65", 0x13: "ML-DSA-87" };

/** Why node:crypto of this version cannot read `der`, or undefined where that is not the reason. */
export function needsNewerNode(der: Buffer): string | undefined {
  const at = der.indexOf(ML_DSA_OID);
  const level = at === -1 ? undefined : ML_DSA_LEVELS[der[at + ML_DSA_OID.length] ?? 0];
  return level === undefined ? undefined : `${level} needs Node.js 24.6 or later, and this is ${process.version}`;
}

/**
 * The algorithm of a key, or undefined for one that Roles Anywhere does not take.
 * AWS: Roles Anywhere User Guide, "Signature verification".
 */
export function algorithmOf(key: KeyObject): SignatureAlgorithm | undefined {
  const details = key.asymmetricKeyDetails;
  switch (key.asymmetricKeyType as string | undefined) {
    case "rsa": {
      const bits = details?.modulusLength ?? 0;
      return bits >= 2048 && bits <= 4096 ? "AWS4-X509-RSA-SHA256" : undefined;
    }
    case "ec":
      return CURVES.includes(details?.namedCurve ?? "") ? "AWS4-X509-ECDSA-SHA256" : undefined;
    case "ml-dsa-44":
    case "ml-dsa-65":
    case "ml-dsa-87":
      return "AWS4-X509-MLDSA";
    default:
      return undefined;
  }
}

/** A key in words, for messages: "an RSA key of 1024 bits". */
export function keyInWords(key: KeyObject): string {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  const kind = key.asymmetricKeyType ?? "unknown";
  return `a key of kind ${kind}${modulusLength === undefined ? "" : ` of ${modulusLength} bits`}${namedCurve === undefined ? "" : ` on ${namedCurve}`}`;
}

/**
 * Reads the one private key of `text`, which may hold certificates as well. `source` names where it is from; neither
 * the key nor the passphrase is ever part of an error.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_KEY`
 */
export function readPrivateKey(text: string, source: string, passphrase?: string): KeyObject {
  const read = readPem(text);
  const { blocks, problem } = read;
  const keys = blocks.filter(({ label }) => label.endsWith("PRIVATE KEY"));
  const [block] = keys;
  if (block === undefined)
    throw keyError(
      source,
      problem === undefined ? `it holds no private key in PEM form${insteadOf(text, read)}` : `it ${problem}`,
      ADVICE_FORM,
    );
  if (keys.length > 1)
    throw keyError(source, `it holds ${keys.length} private keys`, "Leave the one that fits the certificate.");
  if (block.label === "TSS2 PRIVATE KEY")
    throw keyError(source, "it is a key of a TPM", "Give a function as sign, or leave this key to aws_signing_helper.");
  if (block.label === "OPENSSH PRIVATE KEY")
    throw keyError(source, "it is in the form of OpenSSH", "Write it anew: ssh-keygen -p -m PKCS8 -f FILE");
  if (block.encrypted && (passphrase === undefined || passphrase === ""))
    throw keyError(source, "it is encrypted and no passphrase is given", "Name a passphrase file, or decrypt the key.");
  const key = decode(block, source, passphrase);
  if (algorithmOf(key) === undefined) throw keyError(source, `it is ${keyInWords(key)}`, `Allowed: ${KEY_KINDS}.`);
  return key;
}

const ADVICE_FORM =
  "Give a file with one key in PEM form. OpenSSL makes one of others: openssl pkey -inform DER -in FILE, openssl pkcs12 -in FILE -nodes.";

function decode(block: PemBlock, source: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: block.text, format: "pem", ...(block.encrypted && { passphrase }) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (block.encrypted && code !== undefined && /^ERR_OSSL_.*(?:DECRYPT|CIPHER|PASSWORD|CANCELLED)/.test(code))
      throw keyError(source, `it cannot be decrypted with the passphrase given (${code})`, "Correct the passphrase.");
    // With one passphrase in 256 that is wrong, what comes out seems to be whole and is no key.
    if (block.encrypted && code === "ERR_OSSL_UNSUPPORTED")
      throw keyError(
        source,
        `it cannot be decrypted with the passphrase given, or is no key that node:crypto reads (${code})`,
        "Correct the passphrase.",
      );
    if (block.encrypted && code === "ERR_OSSL_EVP_UNSUPPORTED")
      throw keyError(
        source,
        `it is encrypted in a way that this Node.js does not have (${code})`,
        "Encrypt it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out FILE.pem, with -provider legacy -provider default where OpenSSL asks for it.",
      );
    const newer = needsNewerNode(block.der);
    throw keyError(
      source,
      newer ?? `it is no key that node:crypto reads (${code ?? "unknown"})`,
      newer === undefined ? ADVICE_FORM : "Use a newer Node.js, or leave this key to aws_signing_helper.",
    );
  }
}

/** An error of the key; `says` completes "because". */
export function keyError(source: string, says: string, advice: string): RolesAnywhereError {
  return new RolesAnywhereError("ERR_ROLES_ANYWHERE_KEY", `The private key (${source}) cannot be used: ${says}`, {
    evidence: [fact(source, says)],
    advice,
  });
}
