/** Attesting a document: strict JSON, the key of the document's own region, and nothing used before it verified. */
import { createPublicKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { attestDocument, parseIdentityDocument } from "../../src/attest/identity-document.js";
import { createKeyRing } from "../../src/attest/key-ring.js";
import { ImdsImpersonationError, isImdsGuardError } from "../../src/base/errors.js";
import { createSigner, documentText, octets } from "../support/identity-signer.mjs";
import { outcomeOf } from "./outcome.js";
import { golden, wordingOf } from "../support/wording.js";
import { fc } from "../support/properties.js";

const parse = (text: string | Buffer): ReturnType<typeof parseIdentityDocument> =>
  parseIdentityDocument(Buffer.from(text));
const withText = (from: string, to: string): string => documentText().replace(from, to);

describe("parseIdentityDocument", () => {
  test("keeps the fields it knows and no other", () => {
    expect(parse(documentText())).toEqual({
      accountId: "123456789012",
      instanceId: "i-0123456789abcdef0",
      region: "us-west-2",
      pendingTime: "2026-02-16T00:38:27Z",
      imageId: "ami-0123456789abcdef0",
      instanceType: "t3.micro",
      architecture: "x86_64",
      availabilityZone: "us-west-2a",
      privateIp: "10.0.0.10",
    });
  });

  test("leaves out optional fields that are absent, null or strange", () => {
    const document = parse(
      documentText({
        imageId: null,
        instanceType: undefined,
        architecture: 5,
        availabilityZone: "a b",
        privateIp: "x".repeat(65),
      }),
    );
    expect(Object.keys(document)).toEqual(["accountId", "instanceId", "region", "pendingTime"]);
  });

  test.each([
    ["an account that begins with 0", { accountId: "042293964381" }],
    ["an instance id of 8 digits", { instanceId: "i-b355e7f6" }],
    ["a region of GovCloud", { region: "us-gov-west-1" }],
    ["a region of the sovereign cloud", { region: "eusc-de-east-1" }],
    ["fractions of a second", { pendingTime: "2026-02-16T00:38:27.123Z" }],
  ])("accepts %s", (_, fields) => {
    expect(parse(documentText(fields))).toMatchObject(fields);
  });

  test.each([
    [{ accountId: "12345678901" }, "document-account"],
    [{ accountId: "1234567890123" }, "document-account"],
    [{ accountId: "12345678901a" }, "document-account"],
    [{ accountId: "123456789012\n" }, "document-account"],
    [{ accountId: 123456789012 }, "document-account"],
    [{ accountId: null }, "document-account"],
    [{ accountId: ["123456789012"] }, "document-account"],
    [{ instanceId: "i-0123456789abcdef" }, "document-instance"],
    [{ instanceId: "i-0123456789ABCDEF0" }, "document-instance"],
    [{ instanceId: "mi-0123456789abcdef0" }, "document-instance"],
    [{ instanceId: undefined }, "document-instance"],
    [{ region: "us-west" }, "document-region"],
    [{ region: "US-WEST-2" }, "document-region"],
    [{ region: "us-west-2a" }, "document-region"],
    [{ region: "__proto__" }, "document-region"],
    [{ region: `us-${"west".repeat(10)}-2` }, "document-region"],
    [{ pendingTime: "2026-02-16 00:38:27" }, "document-pending-time"],
    [{ pendingTime: "2026-02-30T00:38:27Z" }, "document-pending-time"],
    [{ pendingTime: "2026-02-16T24:00:00Z" }, "document-pending-time"],
    [{ pendingTime: "2026-02-16T00:38:27+00:00" }, "document-pending-time"],
  ])("refuses %o", (fields, rule) => {
    expect(outcomeOf(() => parse(documentText(fields)))).toBe(rule);
  });

  test.each([
    ["nothing", "", "document-size"],
    ["more than 8 KiB", documentText({ version: "x".repeat(8 * 1024) }), "document-size"],
    ["no JSON", "accountId", "document-json"],
    ["an array", `[${documentText()}]`, "document-json"],
    ["null", "null", "document-json"],
    ["a string", '"accountId"', "document-json"],
    ["two objects", `${documentText()}${documentText()}`, "document-json"],
    ["a comma too many", withText('"version" : "2017-09-30"', '"version" : "2017-09-30",'), "document-json"],
    ["a byte order mark", `\ufeff${documentText()}`, "document-json"],
    ["a name twice", withText('"version"', '"accountId"'), "document-key-twice"],
    ["a name twice, once escaped", withText('"version"', '"account\\u0049d"'), "document-key-twice"],
    ["an unused name twice", withText('"kernelId"', '"version"'), "document-key-twice"],
    ["__proto__ twice", withText('"kernelId" : null', '"__proto__" : {}, "__proto__" : null'), "document-key-twice"],
    ["fields inside __proto__ alone", `{"__proto__":${documentText()}}`, "document-account"],
    ["an empty object", "{}", "document-account"],
  ])("refuses %s", (_, text, rule) => {
    expect(outcomeOf(() => parse(text))).toBe(rule);
  });

  test("refuses bytes that are not UTF-8", () => {
    const bytes = Buffer.from(documentText({ version: "?" }));
    bytes[bytes.indexOf("?")] = 0xff;
    expect(outcomeOf(() => parse(bytes))).toBe("document-utf8");
  });

  test("does not mistake nested or quoted names for repeated ones", () => {
    const fields = {
      billingProducts: [{ accountId: "1", a: { accountId: ":" } }],
      version: '{"accountId":"\\"',
      kernelId: "\\",
    };
    expect(parse(documentText(fields)).accountId).toBe("123456789012");
  });

  test("reads every object that JSON writes, and refuses it with any member repeated", () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 8 }), value, { maxKeys: 6 }), value, (extra, again) => {
        const text = documentText(extra);
        const known = Object.keys(JSON.parse(text) as object);
        if (known.length !== new Set(known).size || Buffer.byteLength(text) > 7_000) return;
        const complete = ["accountId", "instanceId", "region", "pendingTime"].every((name) => !(name in extra));
        if (complete) expect(parse(text).instanceId).toBe("i-0123456789abcdef0");
        const name = JSON.stringify(known.at(-1));
        const repeated = text.replace(/^\{/, () => `{${name}:${JSON.stringify(again)},`);
        if (Buffer.byteLength(repeated) <= 8 * 1024)
          expect(outcomeOf(() => parse(repeated))).toBe("document-key-twice");
      }),
    );
  });
});

describe("attestDocument", () => {
  const signer = createSigner();
  const ring = createKeyRing(
    new Map([
      ["us-west-2", [createPublicKey(signer.publicKeyPem)]],
      ["xx-test-1", [createPublicKey(signer.publicKeyPem)]],
    ]),
  );
  const attest = (body: string): ReturnType<typeof attestDocument> => attestDocument(Buffer.from(body), ring);

  test("returns the document", () => {
    expect(attest(signer.sign(documentText()))).toEqual(parse(documentText()));
  });

  test("uses the key of the region that the document names", () => {
    expect(attest(signer.sign(documentText({ region: "xx-test-1" }))).region).toBe("xx-test-1");
    expect(outcomeOf(() => attest(signer.sign(documentText({ region: "us-east-1" }))))).toBe("signature-mismatch");
  });

  test("says that a region has no key, and which", () => {
    for (const region of ["us-iso-east-1", "zz-constructor-1"]) {
      const body = signer.sign(documentText({ region }));
      expect(outcomeOf(() => attest(body))).toBe("ERR_IMDS_ATTESTATION_REGION");
      expect(() => attest(body)).toThrow(region);
    }
  });

  test("every sentence is the one that is kept", async () => {
    const told = (body: string): object => {
      try {
        attest(body);
      } catch (error) {
        return wordingOf(error);
      }
      throw new Error("was attested");
    };
    const texts = {
      "a region without a key": told(signer.sign(documentText({ region: "us-iso-east-1" }))),
      "another signature": told(signer.sign(documentText({ region: "us-east-1" }))),
      "no base64": told("!"),
    };
    await expect(golden(texts)).toMatchFileSnapshot("golden/identity-document.json");
  });

  test("a document of 8 KiB is read, and not one byte more", () => {
    const text = documentText();
    const padded = text + " ".repeat(8 * 1024 - text.length);
    expect(parse(padded)).toEqual(parse(text));
    expect(outcomeOf(() => parse(`${padded} `))).toBe("document-size");
  });

  test("names swapped content as such even where there is no key", () => {
    const content = octets(Buffer.from(documentText({ region: "us-iso-east-1" })));
    expect(outcomeOf(() => attest(signer.sign(documentText(), { content })))).toBe("digest-mismatch");
  });

  test("refuses the key of a stranger", () => {
    expect(outcomeOf(() => attest(createSigner().sign(documentText())))).toBe("signature-mismatch");
  });

  test("refuses signed content that is no document", () => {
    expect(outcomeOf(() => attest(signer.sign("hello")))).toBe("document-json");
  });

  test("stops a chain, and shows neither content nor signature", () => {
    const body = createSigner().sign(documentText());
    try {
      attest(body);
      expect.unreachable();
    } catch (error) {
      if (!isImdsGuardError(error)) throw error;
      expect(error).toBeInstanceOf(ImdsImpersonationError);
      expect(error.code).toBe("ERR_IMDS_ATTESTATION_INVALID");
      expect(error.tryNextLink).toBe(false);
      expect(error.advice).not.toBe("");
      expect(JSON.stringify([error.message, error.evidence])).not.toContain("123456789012");
    }
  });
});
