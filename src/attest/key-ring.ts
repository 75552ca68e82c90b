/** The public keys that may sign identity documents: those of AWS, by region, and those the user adds. */
import type { KeyObject } from "node:crypto";
import { ImdsGuardSettingsError } from "../base/errors.js";
import { AWS_PUBLIC_KEYS } from "./aws-public-keys.js";
import { isRegionName } from "../aws/region.js";

/** Longest PEM text that is read, in bytes. */
export const MAX_PEM_BYTES = 64 * 1024;
/** Most certificates and keys in one PEM text. */
export const MAX_PEM_BLOCKS = 16;

/** Looks up the keys of a region. */
export interface KeyRing {
  /** The keys whose signature counts in `region`: that of AWS first, then the user's. Empty when there is none. */
  readonly keysFor: (region: string) => readonly KeyObject[];
  /** The partition (`aws`, `aws-cn`, ...) of a region whose key AWS publishes; `undefined` for any other. */
  readonly partitionOf: (region: string) => string | undefined;
}

/**
 * A key ring of the published AWS keys and of `extra` (region -> keys), which are added and never replace any.
 *
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` when an extra key is not a public RSA key of 2048 to 8192
 * bits
 */
export function createKeyRing(extra: ReadonlyMap<string, readonly KeyObject[]> = new Map()): KeyRing {
  const added = new Map<string, readonly KeyObject[]>();
  for (const [region, keys] of extra) {
    if (!isRegionName(region)) throw unusable("", "the region they are given for is not a region name");
    added.set(
      region,
      keys.map((key) => requireStrongRsa(region, key)),
    );
  }
  const cache = new Map<string, readonly KeyObject[]>();
  return {
    keysFor(region) {
      const known = cache.get(region);
      if (known !== undefined) return known;
      const published = AWS_PUBLIC_KEYS.get(region);
      const keys = [
        ...(published === undefined ? [] : [publishedKey(region, published.spki)]),
        ...(added.get(region) ?? []),
      ];
      // Names without a key are chosen by whoever answers, so they are not remembered.
      if (keys.length > 0) cache.set(region, Object.freeze(keys));
      return keys;
    },
    partitionOf: (region) => AWS_PUBLIC_KEYS.get(region)?.partition,
  };
}

/**
 * Reads the keys a user trusts for `region` from PEM text: `CERTIFICATE` and `PUBLIC KEY` blocks, at most 16 in 64 KiB,
 * RSA of 2048 to 8192 bits. Certificates stand for their key: validity dates and issuers are not looked at, because
 * AWS's certificates are self-signed and it renews them over the same key.
 *
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` for anything else; the message names what was wrong
 */
export function parseTrustedKeys(region: string, pem: string): KeyObject[] {
  if (!isRegionName(region)) throw unusable("", "the region they are given for is not a region name");
  if (Buffer.byteLength(pem) > MAX_PEM_BYTES) throw unusable(region, "longer than 64 KiB");
  // Looked for first: a private key in a setting has to be named as such, however broken the rest is.
  if (/-----BEGIN [^\r\n]*PRIVATE KEY/.test(pem))
    throw unusable(region, "a private key; only public keys and certificates belong there");
  const blocks = [...pem.matchAll(/-----BEGIN ([^\r\n-]*)-----[\sA-Za-z0-9+/=]*-----END \1-----/g)];
  const [begins, ends] = [/-----BEGIN/g, /-----END/g].map((edge) => pem.match(edge)?.length ?? 0);
  if (begins !== blocks.length || ends !== blocks.length) throw unusable(region, "a PEM block that is not well-formed");
  if (blocks.length === 0) throw unusable(region, "no PEM block of a certificate or public key");
  if (blocks.length > MAX_PEM_BLOCKS) throw unusable(region, "more than 16 PEM blocks");
  return blocks.map(([block, label]) => requireStrongRsa(region, readBlock(region, block, label ?? "")));
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

const publishedKeys = new Map<string, KeyObject>();

/** The published key of a region, read once for all key rings. */
function publishedKey(region: string, spki: string): KeyObject {
  const known = publishedKeys.get(region);
  if (known !== undefined) return known;
  const key = process
    .getBuiltinModule("node:crypto")
    .createPublicKey({ key: Buffer.from(spki, "base64"), format: "der", type: "spki" });
  publishedKeys.set(region, key);
  return key;
}

function requireStrongRsa(region: string, key: KeyObject): KeyObject {
  if (key.type !== "public") throw unusable(region, "a private key; only public keys and certificates belong there");
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== "rsa") throw unusable(region, "a key that is not RSA");
  if (modulusLength < 2048 || modulusLength > 8192)
    throw unusable(region, `an RSA key of ${modulusLength} bits; allowed: 2048 to 8192`);
  // With the exponent 1 anybody can make a signature, with 3 sloppy padding checks were fooled.
  if (publicExponent < 65537n) throw unusable(region, "an RSA key with a public exponent below 65537");
  return key;
}

function unusable(region: string, what: string, cause?: unknown): ImdsGuardSettingsError {
  const of = region === "" ? "Trusted certificates" : `Trusted certificates of ${region}`;
  return new ImdsGuardSettingsError("ERR_IMDS_GUARD_SETTING", `${of} cannot be used: ${what}`, {
    evidence: [{ source: "trusted certificates", ...(region === "" ? {} : { value: region }), says: what }],
    advice: "Give PEM certificates or public keys, RSA of at least 2048 bits, for one region at a time.",
    cause,
  });
}
