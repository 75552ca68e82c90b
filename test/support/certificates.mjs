// @ts-check
/** Certificate authorities and certificates made on the spot, so that tests need no files and no openssl. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { oid, octets, sequence, set, tlv } from "./identity-signer.mjs";

/** @typedef {import("node:crypto").KeyObject} KeyObject */
/**
 * @typedef {object} Issued
 * @property {string} cert PEM
 * @property {string} key PEM, PKCS#8
 * @property {KeyObject} privateKey
 * @property {Buffer} name DER of the subject
 */
/**
 * @typedef {object} Wanted
 * @property {string} name common name
 * @property {Issued} [issuer] default: itself
 * @property {"rsa" | "p256" | "p384" | "p521" | "rsa1024" | "ed25519" | "secp256k1"} [kind] default p256
 * @property {boolean} [ca]
 * @property {number} [notBefore] milliseconds since the epoch; default an hour ago
 * @property {number} [notAfter] default in a day
 * @property {Buffer} [serial] content octets
 * @property {number} [usage] first octet of the key usage, or none
 * @property {boolean} [v1]
 * @property {boolean} [sha1] signed by an RSA key with the hash that TLS no longer takes
 * @property {KeyObject} [privateKey] of another one that is to be certified again
 */

const HOUR = 3_600_000;

/** @param {number} time */
function generalizedTime(time) {
  return tlv(0x18, Buffer.from(new Date(time).toISOString().replace(/[-:T]|\.\d{3}/g, "")));
}

/** @param {string} name */
const nameOf = (name) => sequence(set(sequence(oid("2.5.4.3"), tlv(0x0c, Buffer.from(name)))));

const CURVES = { p256: "P-256", p384: "P-384", p521: "P-521", secp256k1: "secp256k1" };

/** @param {NonNullable<Wanted["kind"]>} kind */
function makeKey(kind) {
  if (kind === "rsa" || kind === "rsa1024")
    return generateKeyPairSync("rsa", { modulusLength: kind === "rsa" ? 2048 : 1024 }).privateKey;
  if (kind === "ed25519") return generateKeyPairSync("ed25519").privateKey;
  return generateKeyPairSync("ec", { namedCurve: CURVES[kind] }).privateKey;
}

/** @param {Wanted} wanted @returns {Issued} */
export function issue({
  name,
  issuer,
  kind = "p256",
  ca = false,
  notBefore = Date.now() - HOUR,
  notAfter = Date.now() + 24 * HOUR,
  serial = Buffer.from([
    1 + Math.floor(Math.random() * 126),
    ...Array.from({ length: 7 }, () => Math.floor(Math.random() * 256)),
  ]),
  usage = ca ? 0x06 : 0x80,
  v1 = false,
  sha1 = false,
  privateKey = makeKey(kind),
}) {
  const subject = nameOf(name);
  const signer = issuer?.privateKey ?? privateKey;
  const rsa = signer.asymmetricKeyType === "rsa";
  const algorithm = rsa
    ? sequence(oid(`1.2.840.113549.1.1.${sha1 ? 5 : 11}`), tlv(0x05, Buffer.alloc(0)))
    : signer.asymmetricKeyType === "ed25519"
      ? sequence(oid("1.3.101.112"))
      : sequence(oid("1.2.840.10045.4.3.2"));
  const critical = tlv(0x01, Buffer.from([0xff]));
  const extensions = [
    sequence(oid("2.5.29.19"), critical, octets(sequence(...(ca ? [critical] : [])))),
    ...(usage < 0 ? [] : [sequence(oid("2.5.29.15"), critical, octets(tlv(0x03, Buffer.from([0, usage]))))]),
  ];
  const body = sequence(
    ...(v1 ? [] : [tlv(0xa0, tlv(0x02, Buffer.from([2])))]),
    tlv(0x02, serial),
    algorithm,
    issuer?.name ?? subject,
    sequence(generalizedTime(notBefore), generalizedTime(notAfter)),
    subject,
    createPublicKey(privateKey).export({ type: "spki", format: "der" }),
    ...(v1 ? [] : [tlv(0xa3, sequence(...extensions))]),
  );
  const signature = sign(signer.asymmetricKeyType === "ed25519" ? null : sha1 ? "sha1" : "sha256", body, signer);
  const der = sequence(body, algorithm, tlv(0x03, Buffer.concat([Buffer.from([0]), signature])));
  return {
    cert: pem("CERTIFICATE", der),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    privateKey,
    name: subject,
  };
}

/** @param {string} label @param {Buffer} der */
export function pem(label, der) {
  return `-----BEGIN ${label}-----\n${der.toString("base64").replace(/.{64}/g, "$&\n").trimEnd()}\n-----END ${label}-----\n`;
}

/** @param {string} key PEM @param {string} passphrase */
export function encrypted(key, passphrase) {
  return createPrivateKey(key).export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }).toString();
}
