/** Which certificates can be used, in which order, and why others cannot. */
import { describe, expect, test } from "vitest";
import { readCertificateChain } from "../../src/roles-anywhere/certificate.js";
import { issue, pem } from "../support/certificates.mjs";

const HOUR = 3_600_000;
const NOW = Date.now();
const root = issue({ name: "root", ca: true });
const upper = issue({ name: "upper", ca: true, issuer: root });
const lower = issue({ name: "lower", ca: true, issuer: upper });
const leaf = issue({ name: "leaf", issuer: lower });
const alone = issue({ name: "alone", issuer: root });
const at = (text: string) => ({ text, source: "cert.pem" });
const read = (text: string, more?: string, now = NOW) =>
  readCertificateChain(at(text), more === undefined ? undefined : { text: more, source: "chain.pem" }, now);
const names = (text: string, more?: string) =>
  read(text, more).intermediates.map(({ subject }) => subject.replace("CN=", ""));

function refusal(text: string, more?: string, now?: number) {
  try {
    read(text, more, now);
  } catch (error) {
    expect(error).toMatchObject({ name: "RolesAnywhereError", code: "ERR_ROLES_ANYWHERE_CERTIFICATE" });
    const { message, evidence, advice } = error as Error & {
      evidence: { source: string; says: string }[];
      advice: string;
    };
    expect(message).toContain(`The certificate (${evidence[0]?.source}) cannot be used: ${evidence[0]?.says}`);
    return { ...evidence[0], advice };
  }
  throw new Error("it was taken");
}

describe("a chain", () => {
  test.each([
    ["behind the leaf", leaf.cert + lower.cert + upper.cert, undefined],
    ["in any order", leaf.cert + upper.cert + lower.cert, undefined],
    ["in a file of its own", leaf.cert, upper.cert + lower.cert],
    ["in both", leaf.cert + lower.cert, upper.cert],
    ["with the root, which is left out", leaf.cert + lower.cert + upper.cert + root.cert, undefined],
    ["with others, which are left out", leaf.cert + alone.cert + lower.cert, upper.cert + leaf.cert],
    ["with its key between", leaf.cert + leaf.key + lower.cert + upper.cert, undefined],
  ])("%s", (_, text, more) => {
    expect(names(text, more)).toEqual(["lower", "upper"]);
  });

  test("is none for a leaf of the root, and as long as it is there", () => {
    expect(names(alone.cert)).toEqual([]);
    expect(names(alone.cert, root.cert)).toEqual([]);
    expect(names(leaf.cert, upper.cert)).toEqual([]);
  });

  test("takes of two issuers the one that is valid now", () => {
    const old = issue({ name: "lower", ca: true, issuer: upper, privateKey: lower.privateKey, notAfter: NOW - HOUR });
    expect(read(leaf.cert, old.cert + lower.cert).intermediates[0]?.validTo).toBe(
      read(leaf.cert, lower.cert).intermediates[0]?.validTo,
    );
    expect(refusal(leaf.cert, old.cert)).toMatchObject({
      source: "chain.pem",
      says: expect.stringMatching(/^its intermediate "?CN=lower"? expired at /) as string,
    });
  });

  test("ends after ten", () => {
    let issuer = root;
    const chain = Array.from({ length: 12 }, (_, level) => (issuer = issue({ name: `ca${level}`, ca: true, issuer })));
    const low = issue({ name: "low", issuer });
    expect(names(low.cert, chain.map(({ cert }) => cert).join(""))).toHaveLength(10);
  });
});

describe("a leaf", () => {
  test("gives serial, times, key and algorithm", () => {
    const notBefore = Math.floor(NOW / 1000) * 1000 - HOUR;
    const one = issue({ name: "x", issuer: root, serial: Buffer.from("0102030405060708", "hex"), notBefore });
    expect(read(one.cert)).toMatchObject({
      serial: String(0x0102030405060708n),
      notBefore: new Date(notBefore),
      algorithm: "AWS4-X509-ECDSA-SHA256",
    });
    expect(read(one.cert).publicKey.equals(read(one.cert).leaf.publicKey)).toBe(true);
  });

  test.each([
    ["p256", "AWS4-X509-ECDSA-SHA256"],
    ["p384", "AWS4-X509-ECDSA-SHA256"],
    ["p521", "AWS4-X509-ECDSA-SHA256"],
    ["rsa", "AWS4-X509-RSA-SHA256"],
  ] as const)("with a key of %s", (kind, algorithm) => {
    expect(read(issue({ name: "x", issuer: root, kind }).cert).algorithm).toBe(algorithm);
  });

  test.each(["rsa1024", "ed25519", "secp256k1"] as const)("not with a key of %s", (kind) => {
    expect(refusal(issue({ name: "x", issuer: root, kind }).cert)).toMatchObject({
      says: expect.stringMatching(/^it is for a key of kind (?:rsa of 1024 bits|ed25519|ec on secp256k1)$/) as string,
      advice: "Allowed: RSA of 2048 to 4096 bits, P-256, P-384, P-521, ML-DSA.",
    });
  });

  test("labelled as OpenSSL once did", () => {
    expect(read(alone.cert.replaceAll("CERTIFICATE", "X509 CERTIFICATE")).algorithm).toBe("AWS4-X509-ECDSA-SHA256");
  });

  test("with other usages, or none named", () => {
    for (const usage of [0x80, 0xa0, -1]) expect(read(issue({ name: "x", issuer: root, usage }).cert)).toBeDefined();
    expect(refusal(issue({ name: "x", issuer: root, usage: 0x20 }).cert).says).toBe(
      "its key usage leaves out digitalSignature",
    );
  });
});

describe("cannot be used", () => {
  test.each([
    ["it holds no certificate in PEM form", ""],
    ["it holds no certificate in PEM form, but PRIVATE KEY", leaf.key],
    ["it ends within a block (begun in line 1), as a file does that is being written", leaf.cert.slice(0, -40)],
    [/^it holds what is no X\.509 certificate \(/, pem("CERTIFICATE", Buffer.from("3003020101", "hex"))],
    ["it is no X.509 version 3 certificate", issue({ name: "x", issuer: root, v1: true }).cert],
    ["its serial number is negative", issue({ name: "x", issuer: root, serial: Buffer.from([0x85]) }).cert],
  ])("%s", (says, text) => {
    expect(refusal(text)).toMatchObject({
      source: "cert.pem",
      says: typeof says === "string" ? says : (expect.stringMatching(says) as string),
    });
  });

  test("of an authority, and the order where there are more", () => {
    const says = expect.stringMatching(/^"?CN=lower"? is the certificate of a certificate authority$/) as string;
    expect(refusal(lower.cert)).toMatchObject({ says, advice: expect.not.stringContaining("leaf first") as string });
    expect(refusal(lower.cert + leaf.cert)).toMatchObject({
      says,
      advice: expect.stringContaining("leaf first, then intermediates") as string,
    });
  });

  test("before and after its time, by a clock that may be wrong", () => {
    const from = Math.floor(NOW / 1000) * 1000;
    const one = issue({ name: "x", issuer: root, notBefore: from, notAfter: from + HOUR });
    for (const now of [from, from + HOUR]) expect(read(one.cert, undefined, now)).toBeDefined();
    const late = refusal(one.cert, undefined, from + HOUR + 1);
    expect(late.says).toBe(`it expired at ${new Date(from + HOUR).toISOString()}`);
    expect(late.advice).toContain(`it says ${new Date(from + HOUR + 1).toISOString()}`);
    const early = refusal(one.cert, undefined, from - 1);
    expect(early.says).toBe(`it is not valid before ${new Date(from).toISOString()}`);
    expect(early.advice).toMatch(/^Wait for it\. If it is not, the clock of this host is wrong/);
    expect(late.advice).toMatch(/^Have it issued again\./);
  });
});
