// @ts-check
/** A self-signed certificate for 127.0.0.1, made on the spot, so that TLS stand-ins need no files and no openssl. */
import { generateKeyPairSync, sign } from "node:crypto";
import { algorithm, OID, oid, octets, sequence, set, tlv } from "./identity-signer.mjs";

/** @param {Date} date */
const utcTime = (date) =>
  tlv(
    0x17,
    Buffer.from(
      `${date
        .toISOString()
        .replace(/[-:T]|\.\d{3}/g, "")
        .slice(2)}`,
    ),
  );

/**
 * @returns {{ key: string, cert: string }} PEM; valid from yesterday to tomorrow, subject alternative name IP 127.0.0.1
 */
export function selfSignedCertificate() {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const name = sequence(set(sequence(oid(OID.organizationName), tlv(0x0c, Buffer.from("imds-guard tests")))));
  const day = 86_400_000;
  const validity = sequence(utcTime(new Date(Date.now() - day)), utcTime(new Date(Date.now() + day)));
  const subjectAltName = sequence(oid("2.5.29.17"), octets(sequence(tlv(0x87, Buffer.from([127, 0, 0, 1])))));
  const signature = algorithm(OID.sha256WithRsa);
  const body = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.from([1])),
    signature,
    name,
    validity,
    name,
    publicKey.export({ type: "spki", format: "der" }),
    tlv(0xa3, sequence(subjectAltName)),
  );
  const signed = tlv(0x03, Buffer.from([0]), sign("sha256", body, privateKey));
  const der = sequence(body, signature, signed).toString("base64").replace(/.{64}/g, "$&\n");
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----\n`,
  };
}
