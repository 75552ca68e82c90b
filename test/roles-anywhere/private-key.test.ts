/** Private keys: which are taken, and what is said of others, without a word of what is in them. */
import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { algorithmOf, keyInWords, needsNewerNode, readPrivateKey } from "../../src/roles-anywhere/private-key.js";
import { encrypted, issue, pem } from "../support/certificates.mjs";

const one = issue({ name: "x" });
const PASSPHRASE = "correct horse battery";

function refusal(text: string, passphrase?: string) {
  try {
    readPrivateKey(text, "key.pem", passphrase);
  } catch (error) {
    expect(error).toMatchObject({ name: "RolesAnywhereError", code: "ERR_ROLES_ANYWHERE_KEY" });
    const { evidence, advice, message } = error as Error & {
      evidence: { source: string; says: string }[];
      advice: string;
    };
    expect(message).toContain(`The private key (key.pem) cannot be used: ${evidence[0]?.says}`);
    const told = `${JSON.stringify(error)} ${(error as Error).stack}`;
    expect(told).not.toContain(PASSPHRASE.slice(0, 8));
    expect(told).not.toContain(text.split("\n")[1]?.slice(0, 16) || "nothing");
    return { ...evidence[0], advice };
  }
  throw new Error("it was taken");
}

describe("a key", () => {
  test.each([
    ["p256", "AWS4-X509-ECDSA-SHA256"],
    ["p384", "AWS4-X509-ECDSA-SHA256"],
    ["p521", "AWS4-X509-ECDSA-SHA256"],
    ["rsa", "AWS4-X509-RSA-SHA256"],
  ] as const)("of %s", (kind, algorithm) => {
    const { key, privateKey } = issue({ name: "x", kind });
    const read = readPrivateKey(key, "key.pem");
    expect(read.equals(privateKey)).toBe(true);
    expect(algorithmOf(read)).toBe(algorithm);
  });

  test.each([
    [2_047, undefined],
    [2_048, "AWS4-X509-RSA-SHA256"],
    [4_096, "AWS4-X509-RSA-SHA256"],
    [4_104, undefined],
  ])("of RSA with %i bits: %s", (modulusLength, algorithm) => {
    // As node:crypto describes one; making them takes seconds.
    const described = { asymmetricKeyType: "rsa", asymmetricKeyDetails: { modulusLength } };
    expect(algorithmOf(described as Parameters<typeof algorithmOf>[0])).toBe(algorithm);
  });

  test("beside certificates and parameters", () => {
    const text = `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${one.key}${one.cert}`;
    expect(readPrivateKey(text, "key.pem").equals(one.privateKey)).toBe(true);
  });

  test("that is encrypted, of either format", () => {
    const old = one.privateKey.export({ type: "sec1", format: "pem", cipher: "aes-256-cbc", passphrase: PASSPHRASE });
    for (const text of [encrypted(one.key, PASSPHRASE), String(old)]) {
      expect(readPrivateKey(text, "key.pem", PASSPHRASE).equals(one.privateKey)).toBe(true);
      for (const none of [undefined, ""])
        expect(refusal(text, none).says).toBe("it is encrypted and no passphrase is given");
    }
    const wrong = {
      says: expect.stringMatching(
        /^it cannot be decrypted with the passphrase given(?:, or is no key that node:crypto reads)? \(ERR_OSSL_/,
      ) as string,
      advice: "Correct the passphrase.",
    };
    expect(refusal(encrypted(one.key, PASSPHRASE), "another")).toMatchObject(wrong);
    // One in 256 gives bytes that end as a whole block does.
    let told = refusal(String(old), "another 0");
    for (let index = 1; index < 20_000 && told.says?.includes("ERR_OSSL_UNSUPPORTED") !== true; index += 1)
      told = refusal(String(old), `another ${index}`);
    expect(told.says).toContain("ERR_OSSL_UNSUPPORTED");
    expect(told).toMatchObject(wrong);
  });

  test("that is not encrypted wants no passphrase", () => {
    expect(readPrivateKey(one.key, "key.pem", PASSPHRASE).equals(one.privateKey)).toBe(true);
  });
});

describe("cannot be used", () => {
  test.each([
    ["it holds no private key in PEM form, but CERTIFICATE", one.cert],
    ["it holds no private key in PEM form", ""],
    ["it ends within a block (begun in line 1), as a file does that is being written", one.key.slice(0, -40)],
    ["it holds 2 private keys", one.key + issue({ name: "y" }).key],
    ["it is a key of a TPM", pem("TSS2 PRIVATE KEY", Buffer.from("3003020101", "hex"))],
    [/^it is no key that node:crypto reads \(ERR_/, pem("PRIVATE KEY", Buffer.from("3003020101", "hex"))],
    [
      /^it cannot be decrypted|^it is no key that node:crypto reads/,
      pem("ENCRYPTED PRIVATE KEY", Buffer.from("3003020101", "hex")),
    ],
  ])("%s", (says, text) => {
    expect(refusal(text, text.includes("ENCRYPTED") ? PASSPHRASE : undefined)).toMatchObject({
      source: "key.pem",
      says: typeof says === "string" ? says : (expect.stringMatching(says) as string),
    });
  });

  test.each(["rsa1024", "ed25519", "secp256k1"] as const)("of %s", (kind) => {
    const { key, privateKey } = issue({ name: "x", kind });
    expect(refusal(key)).toMatchObject({
      says: `it is ${keyInWords(privateKey)}`,
      advice: "Allowed: RSA of 2048 to 4096 bits, P-256, P-384, P-521, ML-DSA.",
    });
  });
});

test("in words", () => {
  expect(keyInWords(generateKeyPairSync("ed25519").privateKey)).toBe("a key of kind ed25519");
  expect(keyInWords(one.privateKey)).toBe("a key of kind ec on prime256v1");
  expect(keyInWords(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey)).toBe(
    "a key of kind rsa of 1024 bits",
  );
});

test.each([
  [0x10, undefined],
  [0x11, "ML-DSA-44"],
  [0x12, "ML-DSA-65"],
  [0x13, "ML-DSA-87"],
  [0x14, undefined],
])("the version that reads ML-DSA, by its object identifier: %i", (level, name) => {
  const der = Buffer.concat([Buffer.from("300b06096086480165030403", "hex"), Buffer.from([level])]);
  const told = needsNewerNode(der);
  if (name === undefined) expect(told).toBeUndefined();
  else expect(told).toBe(`${name} needs Node.js 24.6 or later, and this is ${process.version}`);
  expect(needsNewerNode(Buffer.from("3000", "hex"))).toBeUndefined();
});

test.runIf(/^v2[0-3]\.|^v24\.[0-5]\./.test(process.version))("a key of ML-DSA names that version", () => {
  const der = Buffer.concat([Buffer.from("300d020100300b06096086480165030403", "hex"), Buffer.from([0x12])]);
  expect(refusal(pem("PRIVATE KEY", der))).toMatchObject({
    says: `ML-DSA-65 needs Node.js 24.6 or later, and this is ${process.version}`,
    advice: "Use a newer Node.js, or leave this key to aws_signing_helper.",
  });
});
