// @ts-check
/**
 * IAM Roles Anywhere with a key that never leaves its token: PKCS#11 by pkcs11js (npm install pkcs11js), tried with SoftHSM2.
 *
 *     softhsm2-util --init-token --free --label app --pin 1234 --so-pin 1234
 *     softhsm2-util --import tls.key --token app --label app --id 01 --pin 1234
 *     PKCS11_MODULE=/usr/lib/softhsm/libsofthsm2.so PKCS11_PIN=1234 CERTIFICATE=tls.crt node pkcs11.mjs
 *
 * ARNs and endpoint are taken from IMDS_GUARD_ROLES_ANYWHERE_* or the profile.
 */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { fromRolesAnywhere } from "imds-guard";

/** @type {any} */
const pkcs11js = createRequire(import.meta.url)("pkcs11js");
const {
  PKCS11_MODULE = "/usr/lib/softhsm/libsofthsm2.so",
  PKCS11_PIN = "",
  PKCS11_LABEL = "app",
  CERTIFICATE = "tls.crt",
} = process.env;

const token = new pkcs11js.PKCS11();
token.load(PKCS11_MODULE);
token.C_Initialize();
const slot = token
  .C_GetSlotList(true)
  .find((/** @type {Buffer} */ one) => token.C_GetTokenInfo(one).label.trim() === PKCS11_LABEL);
const session = token.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION);
token.C_Login(session, pkcs11js.CKU_USER, PKCS11_PIN);
token.C_FindObjectsInit(session, [
  { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
  { type: pkcs11js.CKA_LABEL, value: PKCS11_LABEL },
]);
const key = token.C_FindObjects(session);
token.C_FindObjectsFinal(session);

/** DER of DigestInfo for SHA-256 (RFC 8017, 9.2), in front of the hash. */
const SHA256 = Buffer.from("3031300d060960864801650304020105000420", "hex");

/** @type {import("imds-guard").FromRolesAnywhereInit["sign"]} */
const sign = (message, { algorithm }) => {
  const hash = createHash("sha256").update(message).digest();
  const rsa = algorithm === "AWS4-X509-RSA-SHA256";
  token.C_SignInit(session, { mechanism: rsa ? pkcs11js.CKM_RSA_PKCS : pkcs11js.CKM_ECDSA }, key);
  const raw = token.C_Sign(session, rsa ? Buffer.concat([SHA256, hash]) : hash, Buffer.alloc(512));
  return rsa ? raw : derOf(raw);
};

/** r and s of a token, as ECDSA-Sig-Value (RFC 3279). @param {Buffer} raw */
function derOf(raw) {
  const integers = [raw.subarray(0, raw.length / 2), raw.subarray(raw.length / 2)].map((part) => {
    const first = part.findIndex((octet) => octet !== 0);
    const bare = part.subarray(first === -1 ? part.length - 1 : first);
    const positive = (bare[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.alloc(1), bare]) : bare;
    return Buffer.concat([Buffer.from([0x02, positive.length]), positive]);
  });
  const body = Buffer.concat(integers);
  return Buffer.concat([Buffer.from(body.length < 0x80 ? [0x30, body.length] : [0x30, 0x81, body.length]), body]);
}

const credentials = fromRolesAnywhere({ certificate: CERTIFICATE, sign });
const { accessKeyId, expiration } = await credentials();
console.log(`${accessKeyId} until ${expiration?.toISOString()}`);
token.C_Logout(session);
token.C_CloseSession(session);
token.C_Finalize();
