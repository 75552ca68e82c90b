// @ts-check
/** Signed identity documents and keys: what an impersonator of the metadata service would have to forge. */
import { createPublicKey } from "node:crypto";
import { attribute, buildMessage, OID, octets, oid, sequence, set, tlv } from "../../support/identity-signer.mjs";
import { declared, hold, SECRETS } from "../oracle.mjs";
import { MESSAGES, PUBLIC_KEY } from "./genuine.mjs";

const INVALID = { ImdsImpersonationError: ["ERR_IMDS_ATTESTATION_INVALID"] };
const REFUSED = { ImdsImpersonationError: ["ERR_IMDS_ATTESTATION_INVALID", "ERR_IMDS_ATTESTATION_REGION"] };
const SETTING = { ImdsGuardSettingsError: ["ERR_IMDS_GUARD_SETTING"] };

/**
 * The rule that was broken, which has words of its own. @param {any} error @param {Readonly<Record<string, readonly
 * string[]>>} announced
 */
function refusal(error, announced) {
  const code = declared(error, announced);
  return code === "ERR_IMDS_ATTESTATION_INVALID" ? String(error.evidence[0]?.value) : code;
}

/** A header of BER with each length that is written in another way. */
const HEADERS = [
  0x02, 0x04, 0x05, 0x06, 0x17, 0x18, 0x24, 0x30, 0x31, 0xa0, 0xa1, 0x00, 0x1f, 0x3f, 0x60, 0xe0,
].flatMap((tag) =>
  [
    [0x00],
    [0x01],
    [0x7f],
    [0x80],
    [0x81, 0x7f],
    [0x81, 0x80],
    [0x82, 0x00, 0x80],
    [0x82, 0x01, 0x00],
    [0x83, 0x01, 0x00, 0x00],
    [0x84, 0xff, 0xff, 0xff, 0xff],
  ].map((length) => Buffer.from([tag, ...length])),
);
const OBJECT_IDS = [
  "2a864886f70d010701",
  "2a864886f70d010702",
  "2a864886f70d010903",
  "2a864886f70d010904",
  "2a864886f70d010905",
  "608648016503040201",
  "2a864886f70d010101",
  "2a864886f70d01010b",
  "2b0e03021a",
].map((hex) => Buffer.from(`06${(hex.length / 2).toString(16).padStart(2, "0")}${hex}`, "hex"));

/** What the messages say, each as text. */
const DOCUMENT =
  `{"accountId":"123456789012","architecture":"x86_64","availabilityZone":"us-west-2a","imageId":"ami-0123456789abcdef0","instanceId":"i-0123456789abcdef0",` +
  `"instanceType":"t3.micro","billingProducts":null,"pendingTime":"2026-02-16T00:38:27Z","privateIp":"10.0.0.10","region":"us-west-2","version":"2017-09-30"}`;
const NAMES = [
  "accountId",
  "instanceId",
  "region",
  "pendingTime",
  "imageId",
  "instanceType",
  "architecture",
  "availabilityZone",
  "privateIp",
];
const JSON_WORDS = [
  "{",
  "}",
  "[",
  "]",
  '"',
  ":",
  ",",
  "null",
  "true",
  "0",
  "-1",
  "1e400",
  '"__proto__":',
  '"constructor":',
  "\\",
  "\\u0061",
  "\\ud800",
  "\ufeff",
  ...NAMES.map((name) => `"${name}":`),
];

/** No key is needed where the signature is given. @type {any} */
const NOBODY = undefined;

/** Other shapes than AWS's, signed by nobody. */
function shapes() {
  const signature = Buffer.alloc(256, 1);
  const time = (/** @type {number} */ tag, /** @type {string} */ text) => [
    attribute(OID.contentType, oid(OID.data)),
    attribute(OID.signingTime, tlv(tag, Buffer.from(text))),
    attribute(OID.messageDigest, octets(Buffer.alloc(32))),
  ];
  const deep = (/** @type {number} */ levels) =>
    Array.from({ length: levels }).reduce((/** @type {Buffer} */ inner) => sequence(inner), Buffer.from([5, 0]));
  return [
    { definite: true, signature, attributes: time(0x17, "490101000000Z") },
    { definite: true, signature, attributes: time(0x17, "990101000000Z") },
    { definite: true, signature, attributes: time(0x18, "20500101000000Z") },
    { signature, encapsulated: sequence(oid(OID.data)) },
    { signature: Buffer.alloc(1_025) },
    {
      signature,
      signedAttributes: tlv(0xa0, attribute(OID.contentType, oid(OID.data)), attribute(OID.contentType, oid(OID.data))),
    },
    { signature, certificates: tlv(0xa0, set(sequence())) },
    {
      signature,
      signedAttributes: Buffer.concat([
        Buffer.from("a080", "hex"),
        attribute(OID.contentType, oid(OID.data)),
        Buffer.alloc(2),
      ]),
    },
    { signature, signers: deep(17) },
    {
      signature,
      attributes: [attribute(OID.contentType, oid(OID.data)), attribute(OID.messageDigest, octets(Buffer.alloc(31)))],
    },
  ].map((overrides) => buildMessage(DOCUMENT, NOBODY, overrides));
}

/** @param {import("../targets.mjs").Load} load */
async function judgeOf(load) {
  const { attestDocument } = await load("attest/identity-document");
  const { readSignedIdentity } = await load("attest/cms");
  const key = createPublicKey({ key: PUBLIC_KEY, format: "der", type: "spki" });
  const keyRing = { keysFor: (/** @type {string} */ region) => (region === "us-west-2" ? [key] : []) };
  const contents = MESSAGES.map((message) => readSignedIdentity(Buffer.from(message.toString("base64"))).content);
  return (/** @type {Buffer} */ body) => {
    try {
      const document = attestDocument(body, keyRing);
      const { content } = readSignedIdentity(body);
      hold(
        contents.some((genuine) => genuine.equals(content)),
        "only what was signed is accepted",
        content.toString("latin1"),
      );
      const signed = JSON.parse(content.toString("utf8"));
      hold(
        Object.entries(document).every(([name, value]) => signed[name] === value),
        "an accepted document says what was signed",
        document,
      );
      return "accepted";
    } catch (error) {
      return refusal(error, REFUSED);
    }
  };
}

/** @type {readonly import("../targets.mjs").Target[]} */
export const ATTESTATION = [
  {
    name: "identity-message",
    sentence:
      "the PKCS7 message of the identity document: of any change to a signed one, only what was signed is ever accepted",
    sources: ["attest/ber", "attest/cms", "base/utc-time"],
    also: ["attest/identity-document"],
    words: [...HEADERS, ...OBJECT_IDS],
    maxBytes: 9_000,
    seeds: () => [...MESSAGES, ...shapes()],
    async open(load) {
      const judge = await judgeOf(load);
      return (input) => judge(Buffer.from(input.toString("base64")));
    },
  },
  {
    name: "identity-text",
    sentence: "the base64 text in which that message travels",
    sources: ["attest/cms", "attest/identity-document"],
    words: ["\n", "\r\n", "\t", " ", "=", "==", "===", "-", "_", "\0", "MIIB", "AAAA"],
    maxBytes: 17_000,
    seeds: () =>
      [...MESSAGES, ...shapes()].map((message) =>
        Buffer.from(message.toString("base64").replace(/.{76}(?=.)/g, "$&\n")),
      ),
    open: judgeOf,
  },
  {
    name: "ber",
    sentence: "elements of BER: they lie within each other without a gap and are what was received",
    sources: ["attest/ber"],
    words: HEADERS,
    maxBytes: 2_048,
    seeds: () => [
      Buffer.from("3003020101", "hex"),
      Buffer.from("308002010130800401ff00000000", "hex"),
      Buffer.concat([Buffer.from("30820100", "hex"), Buffer.alloc(256, "0400", "hex")]),
    ],
    async open(load) {
      const { readBer } = await load("attest/ber");
      const check = (/** @type {any} */ element, /** @type {number} */ depth) => {
        hold(depth <= 16, "nesting has an end");
        const header = element.raw.length - element.body.length - (element.raw[1] === 0x80 ? 2 : 0);
        hold(
          header >= 2 && header <= 4 && element.raw.includes(element.body),
          "an element is its header and its body",
          element,
        );
        if ((element.tag & 0x20) === 0) return hold(element.children.length === 0, "a primitive element has no parts");
        hold(
          Buffer.concat(element.children.map((/** @type {any} */ child) => child.raw)).equals(element.body),
          "the parts of an element are its body",
          element,
        );
        for (const child of element.children) check(child, depth + 1);
      };
      return (input) => {
        try {
          const element = readBer(input);
          hold(element.raw.equals(input), "an element is what was received");
          check(element, 1);
          return `${element.definite} ${element.children.length > 0}`;
        } catch (error) {
          return refusal(error, INVALID);
        }
      };
    },
  },
  {
    name: "identity-document",
    sentence: "the JSON of the identity document: one meaning for every reader, and no field of another form",
    sources: [
      "attest/identity-document#parseIdentityDocument,required,isAccountId,isInstanceId,decodeUtf8,readObject,countMembers",
      "base/utc-time",
      "aws/region",
    ],
    also: ["guard/metadata"],
    words: [...JSON_WORDS, "i-0bad0bad", "eu-central-1", "cn-north-1", "2026-02-30T00:00:00Z", "2026-02-16T24:00:00Z"],
    maxBytes: 9_000,
    seeds: () =>
      [DOCUMENT, '{"accountId":"1","accountId":"2"}', "[]", '{"a":{"b":[{"c":"\\""}]}}'].map((text) =>
        Buffer.from(text),
      ),
    async open(load) {
      const { parseIdentityDocument } = await load("attest/identity-document");
      const { checkAgainstDocument } = await load("guard/metadata");
      return (input) => {
        try {
          const document = parseIdentityDocument(input);
          const told = JSON.parse(input.toString("utf8"));
          for (const [name, value] of Object.entries(document))
            hold(NAMES.includes(name) && told[name] === value, "a field is what the document says", { name, value });
          hold(
            /^\d{12}$/.test(document.accountId) &&
              /^i-[0-9a-f]{8,17}$/.test(document.instanceId) &&
              !Number.isNaN(Date.parse(document.pendingTime)),
            "required fields have their form",
            document,
          );
          hold(
            Object.values(document).every((value) => /^[\x21-\x7e]{1,64}$/.test(value)),
            "fields can be shown as they are",
            document,
          );
          checkAgainstDocument("/latest/dynamic/instance-identity/document", input, document);
          return "read";
        } catch (error) {
          return refusal(error, INVALID);
        }
      };
    },
  },
  {
    name: "signed-metadata",
    sentence:
      "metadata beside the document that was signed: nothing else is let through about instance, region, zone and account",
    sources: ["guard/metadata", "guard/metadata"],
    words: [
      ...JSON_WORDS,
      "/latest/",
      "meta-data/instance-id",
      "meta-data/placement/region",
      "meta-data/placement/availability-zone",
      "dynamic/instance-identity/document",
      "security-credentials",
      "../",
      "%2e",
    ],
    maxBytes: 1_024,
    seeds: () =>
      [
        "/latest/meta-data/instance-id\ni-0123456789abcdef0",
        "/latest/meta-data/placement/region\nus-west-2\n",
        "/2021-01-03/meta-data/placement/availability-zone\nus-west-2a",
        `/latest/dynamic/instance-identity/document\n${DOCUMENT}`,
        "/latest/user-data/\nx",
      ].map((text) => Buffer.from(text)),
    async open(load) {
      const { checkAgainstDocument } = await load("guard/metadata");
      const { checkMetadataPath } = await load("guard/metadata");
      const document = JSON.parse(DOCUMENT);
      return (input) => {
        const end = Math.max(0, input.indexOf(10));
        const path = input.toString("latin1", 0, end);
        const body = input.subarray(end + 1);
        try {
          checkMetadataPath(path);
        } catch (error) {
          return declared(error, { TypeError: ["ERR_INVALID_ARG_VALUE"] });
        }
        hold(
          !/credentials|\/\.\.?(?:\/|$)|[?#%\\\s]/.test(path.slice(1)) ||
            (/credentials/.test(path) && !/\/(?:identity|security)-credentials(?:-extended)?(?:\/|$)/.test(path)),
          "no path leads to credentials or elsewhere",
          path,
        );
        try {
          checkAgainstDocument(path, body, document);
        } catch (error) {
          return declared(error, { ImdsImpersonationError: ["ERR_IMDS_INSTANCE_MISMATCH"] });
        }
        if (/^\/[^/]+\/meta-data\/instance-id\/?$/.test(path))
          hold(
            body.toString("utf8").trim() === document.instanceId,
            "the instance is the one that was signed",
            body.toString("latin1"),
          );
        if (/^\/[^/]+\/meta-data\/placement\/region\/?$/.test(path))
          hold(
            body.toString("utf8").trim() === document.region,
            "the region is the one that was signed",
            body.toString("latin1"),
          );
        return "let through";
      };
    },
  },
  {
    name: "trusted-keys",
    sentence: "PEM text of a user's own keys: public, RSA, strong, or refused by name",
    sources: ["attest/trusted-keys#parseTrustedKeys,readBlock,requireStrongRsa,unusable"],
    words: [
      "-----BEGIN ",
      "-----END ",
      "-----",
      "CERTIFICATE",
      "PUBLIC KEY",
      "PRIVATE KEY",
      "RSA PRIVATE KEY",
      "EC",
      "\n",
      "\r\n",
      "MIIB",
      SECRETS.key,
    ],
    maxBytes: 66_000,
    seeds: () => {
      const pem = (/** @type {string} */ label, /** @type {string} */ base64) =>
        `-----BEGIN ${label}-----\n${base64.replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;
      const key = PUBLIC_KEY.toString("base64");
      return [
        pem("PUBLIC KEY", key),
        pem("PUBLIC KEY", key).repeat(2),
        pem("CERTIFICATE", key),
        pem("PRIVATE KEY", SECRETS.key),
        pem("EC PARAMETERS", "BggqhkjOPQMBBw=="),
      ].map((text) => Buffer.from(text));
    },
    async open(load) {
      const { parseTrustedKeys } = await load("attest/trusted-keys");
      return (input) => {
        const text = input.toString("latin1");
        try {
          const keys = parseTrustedKeys("eu-central-1", text);
          hold(keys.length >= 1 && keys.length <= 16, "as many keys as blocks");
          hold(!/-----BEGIN [^\r\n]*PRIVATE KEY/.test(text), "no private key is taken");
          for (const {
            type,
            asymmetricKeyType,
            asymmetricKeyDetails: { modulusLength, publicExponent },
          } of keys) {
            hold(
              type === "public" && asymmetricKeyType === "rsa" && modulusLength >= 2_048 && publicExponent >= 65_537n,
              "only strong public RSA keys are taken",
              { type, modulusLength, publicExponent },
            );
          }
          return `${keys.length} keys`;
        } catch (error) {
          declared(error, SETTING);
          return String(/** @type {any} */ (error).evidence[0]?.says).replace(/\d+/, "N");
        }
      };
    },
  },
  {
    name: "access-key-id",
    sentence: "ids of access keys and principals: an account of 12 digits, or the reason why not; a mask that hides",
    sources: ["aws/access-key", "base/text#maskAccessKeyId"],
    words: ["AKIA", "ASIA", "AROA", "AIDA", "AIPA", "7777", "QQQQ"],
    maxBytes: 64,
    seeds: () =>
      ["ASIAQEAAAAAAAAAAAAAA", "AKIA7777777777777777", "AROAQEAAAAAAAAAAAAAAA", "AKIAIOSFODNN7EXAMPLE"].map((text) =>
        Buffer.from(text),
      ),
    async open(load) {
      const { accountOfAccessKey, accountOfPrincipalId } = await load("aws/access-key");
      const { maskAccessKeyId } = await load("base/text");
      return (input) => {
        const id = input.toString("latin1");
        const answers = [accountOfAccessKey(id), accountOfPrincipalId(id)];
        for (const { kind, accountId } of answers)
          hold(kind === "unknown" || /^\d{12}$/.test(accountId), "an account is 12 digits", accountId);
        const mask = maskAccessKeyId(id);
        hold(/^[A-Za-z0-9*?]{4,32}$/.test(mask) && (id.length < 16 || mask.length <= 32), "a mask can be shown", mask);
        // 8 characters may be seen of 16 and more.
        hold(mask.replace(/[*?]/g, "").length <= 8, "a mask shows eight characters at most", mask);
        return answers.map(({ kind, reason = "" }) => `${kind} ${reason}`).join();
      };
    },
  },
];
