/** The signed message: every shape AWS has used is read, and each rule broken alone is named. */
import { createHash, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { readSignedIdentity, verifySignedIdentity } from "../../src/attest/cms.js";
import type { MessageOverrides } from "../support/identity-signer.mjs";
import {
  OID,
  algorithm,
  attribute,
  buildMessage,
  createSigner,
  documentText,
  indefinite,
  integer,
  nothing,
  octets,
  oid,
  sequence,
  set,
  tlv,
  toBody,
} from "../support/identity-signer.mjs";
import { outcomeOf } from "./outcome.js";

const signer = createSigner();
const stranger = createSigner();
const key = createPublicKey(signer.publicKeyPem);
const strangersKey = createPublicKey(stranger.publicKeyPem);
const text = documentText();
const none = Buffer.alloc(0);
const withNull = algorithm(OID.sha256);
const digestOf = (content: string): Buffer => createHash("sha256").update(content).digest();

const contentType = attribute(OID.contentType, oid(OID.data));
const messageDigest = attribute(OID.messageDigest, octets(digestOf(text)));
const signingTime = (tag: number, time: string): Buffer => attribute(OID.signingTime, tlv(tag, Buffer.from(time)));

const read = (overrides: MessageOverrides): string =>
  outcomeOf(() => readSignedIdentity(Buffer.from(toBody(buildMessage(text, signer.privateKey, overrides)))));

describe("readSignedIdentity", () => {
  const genuine: readonly [string, MessageOverrides][] = [
    ["indefinite lengths, constructed content, digest without parameters (2026)", {}],
    ["NULL parameters (2021)", { digestAlgorithm: withNull }],
    [
      "rsaEncryption and no algorithm protection (2017)",
      {
        digestAlgorithm: withNull,
        signatureAlgorithm: algorithm(OID.rsaEncryption),
        attributes: [contentType, signingTime(0x17, "180509123103Z"), messageDigest],
      },
    ],
    ["primitive content", { primitive: true }],
    ["definite lengths", { definite: true }],
    ["definite lengths and primitive content", { definite: true, primitive: true }],
    [
      "content in pieces",
      { content: indefinite(0x24, octets(Buffer.from(text.slice(0, 100))), octets(Buffer.from(text.slice(100)))) },
    ],
    ["no signing time", { attributes: [contentType, messageDigest] }],
    [
      "an attribute of a kind not seen yet",
      { attributes: [contentType, messageDigest, attribute("1.2.840.113549.1.9.99", integer(1))] },
    ],
  ];

  test.each(genuine)("reads and verifies %s", (_, overrides) => {
    const signed = readSignedIdentity(Buffer.from(signer.sign(text, overrides)));
    expect(signed.content.toString()).toBe(text);
    expect(signed.messageDigest).toEqual(digestOf(text));
    expect(signed.signedAttributes[0]).toBe(0x31);
    expect(verifySignedIdentity(signed, [key])).toBe(true);
    expect(verifySignedIdentity(signed, [strangersKey, key])).toBe(true);
    expect(verifySignedIdentity(signed, [strangersKey])).toBe(false);
    expect(verifySignedIdentity(signed, [])).toBe(false);
  });

  const oneSigner = sequence(integer(1));
  const digest256 = algorithm(OID.sha256);
  const broken: readonly [string, MessageOverrides, string][] = [
    ["a message that is no sequence", { message: set(oid(OID.signedData)) }, "content-info"],
    ["another type of message", { messageType: oid(OID.data) }, "content-info"],
    ["a message of three parts", { message: sequence(oid(OID.signedData), tlv(0xa0), nothing()) }, "content-info"],
    ["a wrapper of another tag", { message: sequence(oid(OID.signedData), tlv(0xa1, sequence())) }, "content-info"],
    [
      "two messages in the wrapper",
      { message: sequence(oid(OID.signedData), tlv(0xa0, sequence(), sequence())) },
      "content-info",
    ],
    ["SignedData that is a set", { signedData: set() }, "signed-data"],
    ["SignedData of three parts", { signers: none }, "signed-data"],
    ["certificates", { certificates: tlv(0xa0, sequence()) }, "certificates-embedded"],
    ["an empty set of certificates", { certificates: tlv(0xa0) }, "certificates-embedded"],
    ["revocation lists", { certificates: tlv(0xa1, sequence()) }, "certificates-embedded"],
    ["version 3", { version: integer(3) }, "signed-data-version"],
    ["a version of two octets", { version: tlv(0x02, Buffer.from([0, 1])) }, "signed-data-version"],
    [
      "a version of two octets, the first of them 1",
      { version: tlv(0x02, Buffer.from([1, 0])) },
      "signed-data-version",
    ],
    ["a version that is no integer", { version: octets(Buffer.from([1])) }, "signed-data-version"],
    ["no digest algorithm", { digestAlgorithms: set() }, "digest-algorithms"],
    ["two digest algorithms", { digestAlgorithms: set(digest256, algorithm(OID.sha1)) }, "digest-algorithms"],
    ["SHA-1 as digest algorithm", { digestAlgorithms: set(algorithm(OID.sha1)) }, "digest-algorithms"],
    [
      "digest parameters that are not NULL",
      { digestAlgorithms: set(algorithm(OID.sha256, integer(1))) },
      "digest-algorithms",
    ],
    [
      "digest parameters twice",
      { digestAlgorithms: set(sequence(oid(OID.sha256), nothing(), nothing())) },
      "digest-algorithms",
    ],
    ["digest algorithms in a sequence", { digestAlgorithms: sequence(digest256) }, "digest-algorithms"],
    ["content of another type", { contentType: oid(OID.signedData) }, "content-type"],
    ["content without a type", { encapsulated: sequence() }, "content-type"],
    ["content in a set", { encapsulated: set(oid(OID.data)) }, "content-type"],
    ["detached content", { wrapper: none }, "content-missing"],
    ["a content wrapper of another tag", { wrapper: tlv(0xa1, octets(Buffer.from(text))) }, "content-octets"],
    ["an empty content wrapper", { wrapper: tlv(0xa0) }, "content-octets"],
    ["two contents", { wrapper: tlv(0xa0, octets(none), octets(none)) }, "content-octets"],
    ["content that is text", { content: tlv(0x0c, Buffer.from(text)) }, "content-octets"],
    ["content whose pieces are text", { content: tlv(0x24, tlv(0x0c, Buffer.from(text))) }, "content-octets"],
    ["content in pieces of pieces", { content: tlv(0x24, tlv(0x24, octets(Buffer.from(text)))) }, "content-octets"],
    [
      "signed attributes as content",
      { content: octets(set(contentType, messageDigest)), signedAttributes: none },
      "signed-attributes",
    ],
    ["no signer", { signers: set() }, "signer-count"],
    ["two signers", { signers: set(oneSigner, oneSigner) }, "signer-count"],
    ["signers in a sequence", { signers: sequence(oneSigner) }, "signer-count"],
    ["a signer that is a set", { signer: set() }, "signer-info"],
    ["unsigned attributes", { unsignedAttributes: tlv(0xa1, contentType) }, "signer-info"],
    ["a signer without signature", { signatureOctets: none }, "signer-info"],
    ["a signer of version 3", { signerVersion: integer(3) }, "signer-version"],
    ["a signer named by key id", { signerIdentifier: tlv(0x80, Buffer.alloc(20)) }, "signer-identifier"],
    ["a signer without serial number", { signerIdentifier: sequence(sequence()) }, "signer-identifier"],
    ["a signer whose issuer is text", { signerIdentifier: sequence(octets(none), integer(1)) }, "signer-identifier"],
    ["a signer whose serial is text", { signerIdentifier: sequence(sequence(), octets(none)) }, "signer-identifier"],
    ["a signer's digest of SHA-1", { signerDigest: algorithm(OID.sha1) }, "signer-digest"],
    ["no signed attributes", { signedAttributes: none }, "signed-attributes"],
    [
      "attributes that are not sequences",
      { signedAttributes: tlv(0xa0, set(oid(OID.contentType), set(oid(OID.data)))) },
      "signed-attributes",
    ],
    [
      "an attribute of three parts",
      { attributes: [contentType, messageDigest, sequence(oid(OID.signingTime), set(integer(1)), set(integer(1)))] },
      "signed-attributes",
    ],
    [
      "an attribute whose values are a sequence",
      { attributes: [contentType, messageDigest, sequence(oid(OID.signingTime), sequence(integer(1)))] },
      "signed-attributes",
    ],
    [
      "an attribute without values",
      { attributes: [contentType, messageDigest, attribute(OID.signingTime)] },
      "signed-attributes",
    ],
    [
      "an attribute with two values",
      { attributes: [contentType, attribute(OID.messageDigest, octets(digestOf(text)), octets(digestOf("other")))] },
      "signed-attributes",
    ],
    [
      "an attribute whose name is no identifier",
      { attributes: [contentType, messageDigest, sequence(integer(1), set(integer(1)))] },
      "signed-attributes",
    ],
    [
      "attributes of indefinite length",
      { signedAttributes: indefinite(0xa0, contentType, messageDigest) },
      "signed-attributes",
    ],
    [
      "one attribute of indefinite length",
      {
        signedAttributes: tlv(0xa0, contentType, indefinite(0x30, oid(OID.messageDigest), set(octets(digestOf(text))))),
      },
      "signed-attributes",
    ],
    [
      "the message digest twice",
      { attributes: [contentType, messageDigest, attribute(OID.messageDigest, octets(digestOf("other")))] },
      "attribute-twice",
    ],
    ["the content type twice", { attributes: [contentType, contentType, messageDigest] }, "attribute-twice"],
    ["no content type", { attributes: [messageDigest] }, "attribute-content-type"],
    [
      "a signed content type that is not data",
      { attributes: [attribute(OID.contentType, oid(OID.signedData)), messageDigest] },
      "attribute-content-type",
    ],
    ["no message digest", { attributes: [contentType] }, "attribute-message-digest"],
    [
      "a message digest of 20 bytes",
      { attributes: [contentType, attribute(OID.messageDigest, octets(Buffer.alloc(20)))] },
      "attribute-message-digest",
    ],
    [
      "a message digest in pieces",
      { attributes: [contentType, attribute(OID.messageDigest, tlv(0x24, octets(digestOf(text))))] },
      "attribute-message-digest",
    ],
    ["a signature algorithm of ECDSA", { signatureAlgorithm: algorithm("1.2.840.10045.4.3.2") }, "signature-algorithm"],
    [
      "a signature algorithm of RSA with SHA-1",
      { signatureAlgorithm: algorithm("1.2.840.113549.1.1.5") },
      "signature-algorithm",
    ],
    [
      "a signature algorithm of RSA-PSS",
      { signatureAlgorithm: algorithm("1.2.840.113549.1.1.10") },
      "signature-algorithm",
    ],
    ["an empty signature", { signature: none }, "signature-octets"],
    ["a signature of RSA-1024", { signature: Buffer.alloc(128) }, "signature-octets"],
    ["nothing in a signature of RSA-8192", { signature: Buffer.alloc(1024) }, "ok"],
    ["a signature too long for RSA-8192", { signature: Buffer.alloc(1025) }, "signature-octets"],
    ["a signature in pieces", { signatureOctets: tlv(0x24, octets(Buffer.alloc(256))) }, "signature-octets"],
  ];

  test.each(broken)("refuses %s", (_, overrides, rule) => {
    expect(read(overrides)).toBe(rule);
  });

  const whole = signer.sign(text);
  const oneLine = whole.replaceAll("\n", "");
  const encodings: readonly [string, string, string][] = [
    ["lines of 76", whole, "ok"],
    ["one line", oneLine, "ok"],
    ["other white space", ` ${oneLine.replace(/.{64}/g, "$&\r\n\t")} \n`, "ok"],
    ["nothing", "", "text-size"],
    ["white space alone", " \n", "text-base64"],
    ["16 KiB and one byte", oneLine.padEnd(16 * 1024 + 1, "\n"), "text-size"],
    ["16 KiB", oneLine.padEnd(16 * 1024, "\n"), "ok"],
    ["a PEM header", `-----BEGIN PKCS7-----\n${whole}\n-----END PKCS7-----`, "text-base64"],
    ["URL-safe letters", Buffer.from(oneLine, "base64").toString("base64url"), "text-base64"],
    ["rubbish in between", `${oneLine.slice(0, 40)}!${oneLine.slice(40)}`, "text-base64"],
    ["a vertical tab", `${oneLine}\v`, "text-base64"],
    ["a letter beyond ASCII", `${oneLine}\u00e9`, "text-base64"],
    ["a zero byte", `${oneLine}\0`, "text-base64"],
    ["padding in the middle", `BQA=${oneLine}`, "text-base64"],
    ["padding missing", "BQA", "text-base64"],
    ["spare bits that are not zero", "BQB=", "text-base64"],
    ["8 KiB of zeros", Buffer.alloc(8 * 1024).toString("base64"), "ber-tag"],
    ["more than 8 KiB", Buffer.alloc(8 * 1024 + 1).toString("base64"), "message-size"],
    [
      "something after the end",
      Buffer.concat([Buffer.from(oneLine, "base64"), Buffer.alloc(1)]).toString("base64"),
      "ber-trailing",
    ],
    ["HTML", "<html></html>", "text-base64"],
  ];

  test.each(encodings)("text with %s", (_, body, outcome) => {
    expect(outcomeOf(() => readSignedIdentity(Buffer.from(body)))).toBe(outcome);
  });

  test("reads a view into a larger buffer", () => {
    const larger = Buffer.concat([Buffer.from("!!!"), Buffer.from(oneLine), Buffer.from("!!!")]);
    const view = new Uint8Array(larger.buffer, larger.byteOffset + 3, oneLine.length);
    expect(verifySignedIdentity(readSignedIdentity(view), [key])).toBe(true);
  });

  const times: readonly [number, string, string][] = [
    [0x17, "260216003828Z", "2026-02-16T00:38:28Z"],
    [0x17, "491231235959Z", "2049-12-31T23:59:59Z"],
    [0x17, "500101000000Z", "1950-01-01T00:00:00Z"],
    [0x18, "20510101000000Z", "2051-01-01T00:00:00Z"],
    [0x17, "2602160038Z", "attribute-signing-time"],
    [0x17, "260216003828+0100", "attribute-signing-time"],
    [0x17, "260230003828Z", "attribute-signing-time"],
    [0x17, "20510101000000Z", "attribute-signing-time"],
    [0x18, "510101000000Z", "attribute-signing-time"],
    [0x18, "20510101000000.5Z", "attribute-signing-time"],
    [0x04, "260216003828Z", "attribute-signing-time"],
    [0x17, "", "attribute-signing-time"],
  ];

  test.each(times)("signing time %i %s", (tag, time, wanted) => {
    const body = Buffer.from(signer.sign(text, { attributes: [contentType, signingTime(tag, time), messageDigest] }));
    const outcome = outcomeOf(() => readSignedIdentity(body));
    expect(outcome === "ok" ? readSignedIdentity(body).signingTime : outcome).toBe(wanted);
  });
});

describe("verifySignedIdentity", () => {
  const verified = (overrides: MessageOverrides): boolean =>
    verifySignedIdentity(readSignedIdentity(Buffer.from(signer.sign(text, overrides))), [key]);

  test("refuses content that was swapped", () => {
    expect(verified({ content: octets(Buffer.from(documentText({ accountId: "999999999999" }))) })).toBe(false);
  });

  test("refuses attributes that were not signed", () => {
    const other = documentText({ accountId: "999999999999" });
    const attributes = tlv(0xa0, contentType, attribute(OID.messageDigest, octets(digestOf(other))));
    expect(verified({ content: octets(Buffer.from(other)), signedAttributes: attributes })).toBe(false);
  });

  test("refuses a signature over the content in place of the attributes", () => {
    expect(verified({ signature: sign("sha256", Buffer.from(text), signer.privateKey) })).toBe(false);
  });

  test("refuses a signature over the attributes as they travel", () => {
    expect(
      verified({
        signature: sign("sha256", tlv(0xa0, contentType, messageDigest), signer.privateKey),
        attributes: [contentType, messageDigest],
      }),
    ).toBe(false);
  });

  test("refuses SHA-1 and SHA-512 under the name of SHA-256", () => {
    const attributes = [contentType, messageDigest];
    for (const digest of ["sha1", "sha512"])
      expect(verified({ attributes, signature: sign(digest, set(...attributes), signer.privateKey) })).toBe(false);
  });

  test("refuses zero bytes and the signature of another message", () => {
    expect(verified({ signature: Buffer.alloc(256) })).toBe(false);
    const other = readSignedIdentity(Buffer.from(signer.sign(documentText({ instanceId: "i-0fedcba9876543210" }))));
    expect(verified({ signature: other.signature })).toBe(false);
  });

  test("verifies with longer keys", () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
    const signed = readSignedIdentity(Buffer.from(toBody(buildMessage(text, privateKey))));
    expect(verifySignedIdentity(signed, [publicKey])).toBe(true);
  });
});
