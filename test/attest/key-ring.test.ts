/** The ring that holds the keys that users add beside those of AWS. */
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { AWS_PUBLIC_KEYS } from "../../src/attest/aws-public-keys.js";
import { createKeyRing } from "../../src/attest/key-ring.js";
import { createSigner } from "../support/identity-signer.mjs";
import { outcomeOf } from "./outcome.js";

const signer = createSigner();
const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
const elliptic = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;

describe("createKeyRing", () => {
  const own = createPublicKey(signer.publicKeyPem);

  test("holds one key for each region that AWS publishes one for", () => {
    const ring = createKeyRing();
    expect(AWS_PUBLIC_KEYS.size).toBeGreaterThan(0);
    for (const [region, base64] of AWS_PUBLIC_KEYS) {
      expect(ring.keysFor(region).map((key) => key.export({ format: "der", type: "spki" }).toString("base64"))).toEqual(
        [base64],
      );
    }
  });

  test("parses a key once, also for several rings", () => {
    const ring = createKeyRing();
    expect(ring.keysFor("us-west-2")).toBe(ring.keysFor("us-west-2"));
    expect(createKeyRing().keysFor("us-west-2")[0]).toBe(ring.keysFor("us-west-2")[0]);
    expect(ring.keysFor("us-west-1")[0]).not.toBe(ring.keysFor("us-west-2")[0]);
  });

  test("remembers no region that it has no key for", () => {
    const ring = createKeyRing();
    expect(ring.keysFor("xx-nowhere-1")).not.toBe(ring.keysFor("xx-nowhere-1"));
  });

  test("adds keys and replaces none", () => {
    const ring = createKeyRing(
      new Map([
        ["us-west-2", [own]],
        ["us-iso-east-1", [own]],
      ]),
    );
    expect(ring.keysFor("us-west-2").map((key) => key.equals(own))).toEqual([false, true]);
    expect(ring.keysFor("us-iso-east-1")).toEqual([own]);
    expect(ring.keysFor("us-east-1").some((key) => key.equals(own))).toBe(false);
  });

  test.each(["", "nowhere", "__proto__", "constructor", "toString", "us-west-2 "])("has nothing for %j", (region) => {
    const ring = createKeyRing(new Map([["us-west-2", [own]]]));
    expect(ring.keysFor(region)).toEqual([]);
  });

  test.each([
    ["a private key", signer.privateKey],
    ["a weak key", weak],
    ["an elliptic key", elliptic],
  ])("refuses %s", (_, key) => {
    expect(outcomeOf(() => createKeyRing(new Map([["us-west-2", [key]]])))).toBe("ERR_IMDS_GUARD_SETTING");
  });

  test("refuses keys for what is not a region", () => {
    expect(outcomeOf(() => createKeyRing(new Map([["*", [own]]])))).toBe("ERR_IMDS_GUARD_SETTING");
  });
});
