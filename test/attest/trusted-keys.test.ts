/** Keys that users add, as PEM text. */
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parseTrustedKeys, requireTrustedKeys } from "../../src/attest/trusted-keys.js";
import { ImdsGuardSettingsError } from "../../src/base/errors.js";
import { algorithm, createSigner, integer, OID, oid, sequence, set, tlv } from "../support/identity-signer.mjs";
import { outcomeOf } from "./outcome.js";
import { golden, refusalOf } from "../support/wording.js";
import { fc } from "../support/properties.js";

const signer = createSigner();
const pem = signer.publicKeyPem;
const spki = createPublicKey(pem).export({ format: "der", type: "spki" });
const wrap = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END ${label}-----\n`;
const publicPem = (key: KeyObject): string => key.export({ format: "pem", type: "spki" }) as string;

/** A certificate around the signer's key. Its own signature is zeros: only the key counts. */
const name = sequence(set(sequence(oid(OID.organizationName), tlv(0x0c, Buffer.from("Test")))));
const expired = sequence(tlv(0x17, Buffer.from("150814000000Z")), tlv(0x17, Buffer.from("160814000000Z")));
const toBeSigned = sequence(tlv(0xa0, integer(2)), integer(7), algorithm(OID.sha256WithRsa), name, expired, name, spki);
const certificate = wrap(
  "CERTIFICATE",
  sequence(toBeSigned, algorithm(OID.sha256WithRsa), tlv(0x03, Buffer.alloc(257))),
);

const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
const lowExponent = generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 }).publicKey;
/** A key of so many bits, made of nothing but ones: only its size counts, and a real one would take minutes to make. */
function ofBits(bits: number): KeyObject {
  const modulus = Buffer.alloc(Math.ceil(bits / 8), 0xff);
  modulus[0] = 0xff >> (modulus.length * 8 - bits);
  return createPublicKey({
    key: { kty: "RSA", n: modulus.toString("base64url"), e: "AQAB" },
    format: "jwk",
  });
}
const elliptic = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
const pss = generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey;

function complaintOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ImdsGuardSettingsError && error.code === "ERR_IMDS_GUARD_SETTING")
      return error.evidence[0]?.says ?? "";
    throw error;
  }
  return "none";
}

describe("parseTrustedKeys", () => {
  test.each([
    ["a public key", pem, 1],
    ["a certificate, expired or not", certificate, 1],
    ["several blocks and text between them", `# ours\n${pem}\n\nsubject=O = Test\n${certificate}${pem}`, 3],
    ["CRLF line ends", pem.replaceAll("\n", "\r\n"), 1],
    ["16 blocks", pem.repeat(16), 16],
  ])("reads %s", (_, text, count) => {
    const keys = parseTrustedKeys("us-west-2", text);
    expect(keys.map((key) => key.export({ format: "der", type: "spki" }).equals(spki))).toEqual(
      Array(count).fill(true),
    );
  });

  test.each([
    ["nothing", "", "no PEM block of a certificate or public key"],
    ["a path", "/etc/ssl/aws.pem", "no PEM block of a certificate or public key"],
    ["a private key", signer.privateKeyPem, "a private key; only public keys and certificates belong there"],
    [
      "a private key after a public one",
      `${pem}${signer.privateKeyPem}`,
      "a private key; only public keys and certificates belong there",
    ],
    [
      "a private key cut short",
      signer.privateKeyPem.slice(0, 200),
      "a private key; only public keys and certificates belong there",
    ],
    [
      "an encrypted private key",
      wrap("ENCRYPTED PRIVATE KEY", spki),
      "a private key; only public keys and certificates belong there",
    ],
    [
      "a PKCS1 private key",
      wrap("RSA PRIVATE KEY", spki),
      "a private key; only public keys and certificates belong there",
    ],
    [
      "a certificate request",
      wrap("CERTIFICATE REQUEST", spki),
      "a PEM block that is neither CERTIFICATE nor PUBLIC KEY",
    ],
    ["a block without end", pem.slice(0, -10), "a PEM block that is not well-formed"],
    ["a good block and one without end", `${pem}${pem.slice(0, -10)}`, "a PEM block that is not well-formed"],
    ["a good block and an end alone", `${pem}-----END PUBLIC KEY-----`, "a PEM block that is not well-formed"],
    ["a good block and a beginning alone", `${pem}-----BEGIN PUBLIC KEY-----\n`, "a PEM block that is not well-formed"],
    ["an end of another kind", pem.replace("END PUBLIC KEY", "END CERTIFICATE"), "a PEM block that is not well-formed"],
    ["rubbish inside", pem.replace("\n", "\n!!\n"), "a PEM block that is not well-formed"],
    ["a key under the label of a certificate", wrap("CERTIFICATE", spki), "a CERTIFICATE block that cannot be read"],
    ["an empty key", wrap("PUBLIC KEY", Buffer.alloc(0)), "a PUBLIC KEY block that cannot be read"],
    ["17 blocks", pem.repeat(17), "more than 16 PEM blocks"],
    ["more than 64 KiB", pem + " ".repeat(64 * 1024), "longer than 64 KiB"],
    ["an RSA-1024 key", publicPem(weak), "an RSA key of 1024 bits; allowed: 2048 to 8192"],
    ["an RSA key with exponent 3", publicPem(lowExponent), "an RSA key with a public exponent below 65537"],
    ["an RSA key of 8193 bits", publicPem(ofBits(8193)), "an RSA key of 8193 bits; allowed: 2048 to 8192"],
    ["an elliptic key", publicPem(elliptic), "a key that is not RSA"],
    ["an RSA-PSS key", publicPem(pss), "a key that is not RSA"],
  ])("refuses %s", (_, text, says) => {
    expect(complaintOf(() => parseTrustedKeys("us-west-2", text))).toBe(says);
  });

  test("every sentence is the one that is kept", async () => {
    const texts = {
      "no region": refusalOf(() => parseTrustedKeys("", pem)),
      "a ring for no region": refusalOf(() => requireTrustedKeys("", [])),
      "a private key": refusalOf(() => parseTrustedKeys("us-west-2", signer.privateKeyPem)),
      "a private key in a ring": refusalOf(() => requireTrustedKeys("us-west-2", [signer.privateKey])),
      "a weak key": refusalOf(() => parseTrustedKeys("us-west-2", publicPem(weak))),
      "a broken block": refusalOf(() => parseTrustedKeys("us-west-2", wrap("CERTIFICATE", spki))),
    };
    await expect(golden(texts)).toMatchFileSnapshot("golden/trusted-keys.json");
  });

  test("reads 64 KiB, and not one byte more", () => {
    const padded = pem + " ".repeat(64 * 1024 - pem.length);
    expect(parseTrustedKeys("us-west-2", padded)).toHaveLength(1);
    expect(complaintOf(() => parseTrustedKeys("us-west-2", `${padded} `))).toBe("longer than 64 KiB");
  });

  test("reads keys of 8192 bits", () => {
    expect(parseTrustedKeys("us-west-2", publicPem(ofBits(8192)))).toHaveLength(1);
  });

  test("refuses what is not a region", () => {
    for (const region of ["", "US-WEST-2", "us-west-2a", "__proto__", "us-west-2\n"]) {
      expect(complaintOf(() => parseTrustedKeys(region, pem))).toBe(
        "the region they are given for is not a region name",
      );
    }
  });

  test("names the region and shows nothing of the text", () => {
    expect(() => parseTrustedKeys("us-west-2", signer.privateKeyPem)).toThrow(/us-west-2.*private key/);
    expect(() => parseTrustedKeys("us-west-2", signer.privateKeyPem)).not.toThrow(signer.privateKeyPem.slice(30, 60));
  });

  test("any text is read or refused by a setting error", () => {
    const piece = fc.oneof(
      fc.constantFrom("-----BEGIN ", "-----END ", "PUBLIC KEY", "CERTIFICATE", "-----", "\n", pem, certificate),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        expect(outcomeOf(() => parseTrustedKeys("us-west-2", pieces.join("")))).toMatch(
          /^(ok|ERR_IMDS_GUARD_SETTING)$/,
        );
      }),
    );
  });
});
