/** PEM text taken apart, by RFC 7468 and by what OpenSSL writes. */
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_PEM, readPem } from "../../src/roles-anywhere/pem.js";
import { pem } from "../support/certificates.mjs";

const A = pem("CERTIFICATE", Buffer.from("the first certificate"));
const B = pem("CERTIFICATE", Buffer.alloc(100, 7));
const problemOf = (text: string) => readPem(text).problem;

describe("blocks", () => {
  test.each([
    ["one after the other", A + B],
    ["with text between them", `Bag Attributes\n    localKeyID: 01\n${A}subject=CN = x\n${B}the end`],
    ["with line ends of Windows", (A + B).replaceAll("\n", "\r\n")],
    ["with spaces around lines", (A + B).replaceAll("\n", " \n  ")],
    ["with empty lines in them", (A + B).replaceAll("\n", "\n\n")],
  ])("%s", (_, text) => {
    const { blocks, problem } = readPem(text);
    expect(problem).toBeUndefined();
    expect(blocks.map(({ label, der, encrypted }) => [label, der.toString("latin1"), encrypted])).toEqual([
      ["CERTIFICATE", "the first certificate", false],
      ["CERTIFICATE", "\x07".repeat(100), false],
    ]);
  });

  test("are none in other text", () => {
    expect(readPem("")).toEqual({ blocks: [] });
    expect(readPem("a certificate\n-----END CERTIFICATE-----\n")).toEqual({ blocks: [] });
  });

  test("keep the header lines of older formats, which say that a key is encrypted", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const old = privateKey.export({ type: "sec1", format: "pem", cipher: "aes-128-cbc", passphrase: "x" }) as string;
    const newer = privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "x" }) as string;
    for (const text of [old, old.replaceAll("\n", "\r\n"), newer]) {
      const [block] = readPem(text).blocks;
      expect(block?.encrypted).toBe(true);
      expect(createPrivateKey({ key: block?.text ?? "", passphrase: "x" }).equals(privateKey)).toBe(true);
    }
    expect(readPem(old.replace("4,ENCRYPTED", "4,MIC-ONLY")).blocks[0]?.encrypted).toBe(false);
  });
});

describe("what is wrong", () => {
  test.each([
    ["is longer than 262144 characters", "x".repeat(MAX_PEM + 1)],
    ["has a malformed BEGIN line (2)", `x\n-----BEGIN certificate-----\n`],
    ["ends a block (line 3) that it did not begin", A.replace("END CERTIFICATE", "END PUBLIC KEY")],
    ["has a block (line 2) that is not base64", `\n-----BEGIN X-----\n-----END X-----\n`],
    ["has a block (line 1) that is not base64", "-----BEGIN X-----\nAAA\n-----END X-----\n"],
    ["has a block (line 1) that is not base64", "-----BEGIN X-----\nAA==\nAAAA\n-----END X-----\n"],
    ["has a line (2) within a block that is not base64", "-----BEGIN X-----\nA*AA\n-----END X-----\n"],
    ["has a line (3) within a block that is not base64", "-----BEGIN X-----\nAAAA\nProc-Type: 4\n-----END X-----\n"],
    ["has more than 32 blocks", A.repeat(33)],
    ["ends within a block (begun in line 1), as a file does that is being written", A.slice(0, -30)],
  ])("%s", (words, text) => {
    expect(problemOf(text)).toBe(words);
  });

  test("leaves the blocks before it", () => {
    expect(readPem(A + B.slice(0, 60)).blocks).toHaveLength(1);
    expect(readPem(A.repeat(32))).toMatchObject({ blocks: { length: 32 } });
    expect(problemOf("x".repeat(MAX_PEM))).toBeUndefined();
  });
});

test("what was written is read", () => {
  const block = fc.record({
    label: fc.constantFrom("CERTIFICATE", "PRIVATE KEY", "X509 CRL", "TSS2 PRIVATE KEY"),
    der: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    before: fc.constantFrom("", "\n", "# a comment\n", "Key: value\n"),
  });
  fc.assert(
    fc.property(fc.array(block, { maxLength: 5 }), fc.constantFrom("\n", "\r\n"), (wanted, end) => {
      const text = wanted.map(({ label, der, before }) => before + pem(label, Buffer.from(der))).join("");
      const { blocks, problem } = readPem(text.replaceAll("\n", end));
      expect(problem).toBeUndefined();
      expect(blocks.map(({ label, der }) => [label, [...der]])).toEqual(
        wanted.map(({ label, der }) => [label, [...der]]),
      );
    }),
  );
});
