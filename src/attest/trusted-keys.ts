/** The public keys that a user trusts to sign identity documents, beside those of AWS: read from PEM text. */
import type { KeyObject } from "node:crypto";
import { isRegionName } from "../aws/region.js";
import type { ImdsGuardSettingsError } from "../base/errors.js";
import { fact, settingError } from "../base/errors.js";

/** Region -> keys. */
export type TrustedKeys = ReadonlyMap<string, readonly KeyObject[]>;

/** Longest PEM text that is read, in bytes. */
export const MAX_PEM_BYTES = 64 * 1024;
/** Most certificates and keys in one PEM text. */
export const MAX_PEM_BLOCKS = 16;

const PRIVATE_KEY = "a private key; only public keys and certificates belong there";

/**
 * Reads the keys a user trusts for `region` from PEM text: `CERTIFICATE` and `PUBLIC KEY` blocks, at most 16 in 64 KiB,
 * RSA of 2048 to 8192 bits. Certificates stand for their key: validity dates and issuers are not looked at, because
 * AWS's certificates are self-signed and it renews them over the same key.
 *
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` for anything else; the message names what was wrong
 */
export function parseTrustedKeys(region: string, pem: string): KeyObject[] {
  requireRegion(region);
  if (Buffer.byteLength(pem) > MAX_PEM_BYTES) throw unusable(region, "longer than 64 KiB");
  // Looked for first: a private key in a setting has to be named as such, however broken the rest is.
  if (/-----BEGIN [^\r\n]*PRIVATE KEY/.test(pem)) throw unusable(region, PRIVATE_KEY);
  const blocks = [...pem.matchAll(/-----BEGIN ([^\r\n-]*)-----[\sA-Za-z0-9+/=]*-----END \1-----/g)];
  const [begins, ends] = [/-----BEGIN/g, /-----END/g].map((edge) => pem.match(edge)?.length ?? 0);
  if (begins !== blocks.length || ends !== blocks.length) throw unusable(region, "a PEM block that is not well-formed");
  if (blocks.length === 0) throw unusable(region, "no PEM block of a certificate or public key");
  if (blocks.length > MAX_PEM_BLOCKS) throw unusable(region, "more than 16 PEM blocks");
  return blocks.map(([block, label]) => requireStrongRsa(region, readBlock(region, block, label ?? "")));
}

/** Lets keys pass that may be trusted for `region`. @throws as {@link parseTrustedKeys} */
export function requireTrustedKeys(region: string, keys: readonly KeyObject[]): readonly KeyObject[] {
  requireRegion(region);
  return keys.map((key) => requireStrongRsa(region, key));
}

function requireRegion(region: string): void {
  if (!isRegionName(region)) throw unusable("", "the region they are given for is not a region name");
}

function readBlock(region: string, block: string, label: string): KeyObject {
  if (label !== "CERTIFICATE" && label !== "PUBLIC KEY")
    throw unusable(region, "a PEM block that is neither CERTIFICATE nor PUBLIC KEY");
  try {
    // Loading it costs milliseconds, which whoever verifies nothing must not pay; and options are checked synchronously.
    const { X509Certificate, createPublicKey } = process.getBuiltinModule("node:crypto");
    return label === "CERTIFICATE" ? new X509Certificate(block).publicKey : createPublicKey(block);
  } catch (cause) {
    throw unusable(region, `a ${label} block that cannot be read`, cause);
  }
}

function requireStrongRsa(region: string, key: KeyObject): KeyObject {
  if (key.type !== "public") throw unusable(region, PRIVATE_KEY);
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== "rsa") throw unusable(region, "a key that is not RSA");
  if (modulusLength < 2048 || modulusLength > 8192)
    throw unusable(region, `an RSA key of ${modulusLength} bits; allowed: 2048 to 8192`);
  // With the exponent 1 anybody can make a signature, with 3 sloppy padding checks were fooled.
  if (publicExponent < 65537n) throw unusable(region, "an RSA key with a public exponent below 65537");
  return key;
}

function unusable(region: string, what: string, cause?: unknown): ImdsGuardSettingsError {
  const of = region && ` of ${region}`;
  return settingError(
    `Trusted certificates${of} cannot be used: ${what}`,
    "Give PEM certificates or public keys, RSA of at least 2048 bits, for one region at a time.",
    fact("trusted certificates", what, region || undefined),
    cause,
  );
}
