/**
 * Signs instance identity documents in the shape of AWS's `rsa2048`, with a throw-away key. Only Node built-ins, so
 * that a fake IMDS in any suite can use it as it is.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";

export const OID = {
  data: "1.2.840.113549.1.7.1",
  signedData: "1.2.840.113549.1.7.2",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingTime: "1.2.840.113549.1.9.5",
  algorithmProtection: "1.2.840.113549.1.9.52",
  sha1: "1.3.14.3.2.26",
  sha256: "2.16.840.1.101.3.4.2.1",
  rsaEncryption: "1.2.840.113549.1.1.1",
  sha256WithRsa: "1.2.840.113549.1.1.11",
  organizationName: "2.5.4.10",
};

/** One element with a definite length in its shortest form. */
export function tlv(tag, ...parts) {
  const body = Buffer.concat(parts);
  const n = body.length;
  const length =
    n < 0x80
      ? [n]
      : n < 0x100
        ? [0x81, n]
        : n < 0x10000
          ? [0x82, n >> 8, n & 0xff]
          : [0x83, n >> 16, (n >> 8) & 0xff, n & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

/** One constructed element of indefinite length. */
export function indefinite(tag, ...parts) {
  return Buffer.concat([Buffer.from([tag, 0x80]), ...parts, Buffer.alloc(2)]);
}

export function oid(dotted) {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const octets = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return tlv(0x06, Buffer.from(octets));
}

export const integer = (value) => tlv(0x02, Buffer.from([value]));
export const sequence = (...parts) => tlv(0x30, ...parts);
export const set = (...parts) => tlv(0x31, ...parts);
export const octets = (bytes) => tlv(0x04, bytes);
export const nothing = () => tlv(0x05);
/** An AlgorithmIdentifier; AWS writes the digest with NULL parameters until 2022, without from 2026. */
export const algorithm = (dotted, parameters = nothing()) => sequence(oid(dotted), parameters);
export const attribute = (dotted, ...values) => sequence(oid(dotted), set(...values));

/**
 * The elements of a genuine-shaped message, each of which `overrides` may replace by other bytes (an empty buffer
 * leaves it out). `signedAttributes` is the list of attributes; the signature is made over them unless it is given.
 */
export function buildMessage(document, privateKey, overrides = {}) {
  const content = Buffer.from(document);
  const digestAlgorithm = overrides.digestAlgorithm ?? algorithm(OID.sha256, Buffer.alloc(0));
  const attributes = overrides.attributes ?? [
    attribute(OID.contentType, oid(OID.data)),
    attribute(OID.signingTime, tlv(0x17, Buffer.from("260216003828Z"))),
    attribute(OID.algorithmProtection, sequence(digestAlgorithm, tlv(0xa1, oid(OID.sha256WithRsa), nothing()))),
    attribute(OID.messageDigest, octets(createHash("sha256").update(content).digest())),
  ];
  const signature = overrides.signature ?? sign("sha256", set(...attributes), privateKey);
  const wrap = overrides.definite === true ? tlv : indefinite;
  const embedded = overrides.content ?? (overrides.primitive === true ? octets(content) : wrap(0x24, octets(content)));
  const signer =
    overrides.signer ??
    sequence(
      overrides.signerVersion ?? integer(1),
      overrides.signerIdentifier ??
        sequence(sequence(set(sequence(oid(OID.organizationName), tlv(0x13, Buffer.from("Test"))))), integer(7)),
      overrides.signerDigest ?? digestAlgorithm,
      overrides.signedAttributes ?? tlv(0xa0, ...attributes),
      overrides.signatureAlgorithm ?? algorithm(OID.sha256WithRsa),
      overrides.signatureOctets ?? octets(signature),
      overrides.unsignedAttributes ?? Buffer.alloc(0),
    );
  const signedData =
    overrides.signedData ??
    wrap(
      0x30,
      overrides.version ?? integer(1),
      overrides.digestAlgorithms ?? set(digestAlgorithm),
      overrides.encapsulated ??
        wrap(0x30, overrides.contentType ?? oid(OID.data), overrides.wrapper ?? wrap(0xa0, embedded)),
      overrides.certificates ?? Buffer.alloc(0),
      overrides.signers ?? set(signer),
    );
  return overrides.message ?? wrap(0x30, overrides.messageType ?? oid(OID.signedData), wrap(0xa0, signedData));
}

/** Base64 in lines of 76, as IMDS serves it. */
export function toBody(message) {
  return message.toString("base64").replace(/.{76}(?=.)/g, "$&\n");
}

/** An identity document as text, in the layout AWS uses since 2018. A field set to `undefined` is left out. */
export function documentText(fields = {}) {
  const values = {
    accountId: "123456789012",
    architecture: "x86_64",
    availabilityZone: "us-west-2a",
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: "ami-0123456789abcdef0",
    instanceId: "i-0123456789abcdef0",
    instanceType: "t3.micro",
    kernelId: null,
    pendingTime: "2026-02-16T00:38:27Z",
    privateIp: "10.0.0.10",
    ramdiskId: null,
    region: "us-west-2",
    version: "2017-09-30",
    ...fields,
  };
  const lines = Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `  ${JSON.stringify(name)} : ${JSON.stringify(value)}`);
  return `{\n${lines.join(",\n")}\n}`;
}

/** A signer with a key of its own, or with the one of `privateKeyPem`, so that several processes can share it. */
export function createSigner({ privateKeyPem, modulusLength = 2048 } = {}) {
  const privateKey =
    privateKeyPem === undefined
      ? generateKeyPairSync("rsa", { modulusLength }).privateKey
      : createPrivateKey(privateKeyPem);
  return {
    privateKey,
    privateKeyPem: privateKey.export({ format: "pem", type: "pkcs8" }),
    publicKeyPem: createPublicKey(privateKey).export({ format: "pem", type: "spki" }),
    /** The body of `/latest/dynamic/instance-identity/rsa2048` for this document. */
    sign: (document, overrides) => toBody(buildMessage(document, privateKey, overrides)),
  };
}
