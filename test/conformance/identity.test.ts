/** Genuine and forged identity documents, and the generated table of AWS keys, against the shared data. */
import { spawnSync } from "node:child_process";
import { createHash, createPublicKey } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { AWS_PUBLIC_KEYS } from "../../src/attest/aws-public-keys.js";
import { readSignedIdentity, verifySignedIdentity } from "../../src/attest/cms.js";
import { attestDocument, parseIdentityDocument } from "../../src/attest/identity-document.js";
import { createKeyRing } from "../../src/attest/key-ring.js";
import { parseTrustedKeys } from "../../src/attest/trusted-keys.js";
import { outcomeOf } from "../attest/outcome.js";

const root = new URL("../../../shared/", import.meta.url);
const absent = !existsSync(new URL("identity-vectors/", root));
if (absent) console.log("conformance/identity: skipped, ../shared/identity-vectors is not there");

interface Vector {
  readonly id: string;
  readonly region: string;
  readonly accountId: string;
  readonly instanceId: string;
  readonly document: string;
  readonly rsa2048?: string;
  readonly signature?: string;
  readonly pkcs7?: string;
  readonly verifies_with?: { readonly rsa2048?: { readonly spki: string } };
  readonly expect: "valid" | "invalid";
}
interface Forgery {
  readonly id: string;
  readonly region: string;
  readonly document: string;
  readonly rsa2048?: string;
  readonly signature?: string;
  readonly expect: "reject" | "either";
}
interface Certificate {
  readonly region: string;
  readonly kind: string;
  readonly spki: string;
  readonly current: boolean;
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(new URL(path, root), "utf8"));
const vectors: readonly Vector[] = absent
  ? []
  : readdirSync(new URL("identity-vectors/", root))
      .filter((name) => name.endsWith(".json"))
      .map((name) => readJson(`identity-vectors/${name}`) as Vector);
const forgeries = absent ? [] : (readJson("identity-forgeries/forgeries.json") as readonly Forgery[]);
const signedVectors = vectors.filter((vector) => vector.rsa2048 !== undefined);
const genuine = signedVectors.filter((vector) => vector.expect === "valid");
const bodyOf = ({ rsa2048 }: { readonly rsa2048?: string }): Buffer => Buffer.from(rsa2048 ?? "");
const ring = createKeyRing();

/** Not "rejected": whatever comes out must be the document that AWS signed, byte for byte as parsed. */
function attested(body: Buffer): string {
  return JSON.stringify(attestDocument(body, ring));
}

describe.skipIf(absent)("genuine documents", () => {
  test("there are some", () => {
    expect(genuine.length).toBeGreaterThan(0);
  });

  test.each(genuine)("$id is attested by its region's key and no other", (vector) => {
    const signed = readSignedIdentity(bodyOf(vector));
    expect(signed.content.toString("utf8")).toBe(vector.document);
    const document = attestDocument(bodyOf(vector), ring);
    expect(document).toMatchObject({
      accountId: vector.accountId,
      instanceId: vector.instanceId,
      region: vector.region,
    });
    const delay = Date.parse(signed.signingTime ?? "") - Date.parse(document.pendingTime);
    expect(delay).toBeGreaterThanOrEqual(0);
    expect(delay).toBeLessThan(600_000);
    const verifying = [...AWS_PUBLIC_KEYS.keys()].filter((region) =>
      verifySignedIdentity(signed, ring.keysFor(region)),
    );
    expect(verifying).toEqual([vector.region]);
    const spki = createHash("sha256")
      .update(Buffer.from(AWS_PUBLIC_KEYS.get(vector.region) ?? "", "base64"))
      .digest("hex");
    expect(vector.verifies_with?.rsa2048?.spki).toBe(spki);
  });

  test.each(vectors)(
    "$id: the document parses, whichever way it was signed",
    ({ document, accountId, instanceId, region }) => {
      expect(parseIdentityDocument(Buffer.from(document))).toMatchObject({ accountId, instanceId, region });
    },
  );

  test.each(signedVectors.filter((vector) => vector.expect === "invalid"))("$id is refused", (vector) => {
    expect(outcomeOf(() => attested(bodyOf(vector)))).not.toBe("ok");
  });

  test.each(vectors.filter(({ pkcs7 }) => pkcs7 !== undefined))(
    "$id: DSA with SHA-1 is refused in place of RSA",
    ({ pkcs7 = "" }) => {
      expect(outcomeOf(() => attested(Buffer.from(pkcs7)))).not.toBe("ok");
    },
  );

  test.each(vectors.filter(({ signature }) => signature !== undefined))(
    "$id: a bare signature is refused in place of a message",
    ({ signature = "" }) => {
      expect(outcomeOf(() => attested(Buffer.from(signature)))).not.toBe("ok");
    },
  );
});

describe.skipIf(absent)("tampered documents", () => {
  test.each(genuine)("$id: no flipped bit changes what is attested", (vector) => {
    const wanted = attested(bodyOf(vector));
    const message = Buffer.from(bodyOf(vector).toString(), "base64");
    const content = message.indexOf(vector.document);
    let refused = 0;
    for (let at = 0; at < message.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const copy = Buffer.from(message);
        copy[at] = (copy[at] ?? 0) ^ (1 << bit);
        const outcome = outcomeOf(() => {
          if (attested(Buffer.from(copy.toString("base64"))) !== wanted)
            throw new Error(`byte ${at}, bit ${bit}: other content was attested`);
        });
        if (outcome !== "ok") refused += 1;
        else if (content >= 0 && at >= content && at < content + vector.document.length)
          expect.unreachable(`byte ${at} of the content does not count`);
      }
    }
    // What survives is in the unsigned name of the signer and in algorithm parameters.
    expect(refused / (message.length * 8)).toBeGreaterThan(0.9);
  });

  test.each(genuine)("$id: cut anywhere, it is refused", (vector) => {
    const message = Buffer.from(bodyOf(vector).toString(), "base64");
    for (let length = 0; length < message.length; length += 1) {
      expect(outcomeOf(() => attested(Buffer.from(message.subarray(0, length).toString("base64"))))).not.toBe("ok");
    }
  });

  test.each(forgeries.filter((forgery) => forgery.expect === "reject"))(
    "$id: no attested identity comes out",
    (forgery) => {
      // A genuine message beside a forged document gives the genuine content: the document beside it is never read.
      const outcome = outcomeOf(() => attestDocument(Buffer.from(forgery.rsa2048 ?? forgery.signature ?? ""), ring));
      if (outcome !== "ok") return;
      const { content } = readSignedIdentity(bodyOf(forgery));
      expect(vectors.map(({ document }) => document)).toContain(content.toString());
      expect(content.toString()).not.toBe(forgery.document);
    },
  );
});

describe.skipIf(absent)("keys of AWS", () => {
  const certificates = absent
    ? {}
    : (readJson("aws-certificates/certificates.json") as Record<
        string,
        { partition: string; rsa2048: string; rsa?: string }
      >);
  const inventory = absent ? [] : (readJson("aws-certificates/inventory.json") as readonly Certificate[]);
  const directory = mkdtempSync(join(tmpdir(), "aws-keys-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const script = fileURLToPath(new URL("../../scripts/generate-aws-keys.mjs", import.meta.url));
  const check = (input: unknown): { status: number | null; stderr: string } => {
    const path = join(directory, "certificates.json");
    writeFileSync(path, JSON.stringify(input));
    return spawnSync(process.execPath, [script, "--check", path], { encoding: "utf8" });
  };

  test("the committed file is what the generator makes", () => {
    expect(spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" })).toMatchObject({
      status: 0,
      stderr: "",
    });
    expect(check(Object.fromEntries(Object.entries(certificates).reverse()))).toMatchObject({ status: 0, stderr: "" });
  });

  test("the generator notices a region more or less and refuses garbled, weak or shared certificates", () => {
    const [first = "", second = ""] = Object.keys(certificates);
    const [one, two] = [certificates[first], certificates[second]];
    if (one === undefined || two === undefined) throw new Error("fewer than two certificates");
    const { [first]: _, ...fewer } = certificates;
    expect(check(fewer)).toMatchObject({ status: 1, stderr: expect.stringContaining("differs") as string });
    const der = Buffer.from(one.rsa2048.replace(/-----[^-]+-----|\s/g, ""), "base64");
    der[der.length - 1] = (der[der.length - 1] ?? 0) ^ 1;
    const garbled = `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`;
    const refusals: readonly (readonly [object, string])[] = [
      [{ ...certificates, [first]: { ...one, rsa2048: garbled } }, "not signed by its own key"],
      [{ ...certificates, [first]: { ...one, rsa2048: one.rsa } }, "not an RSA-2048 key"],
      [{ ...certificates, [second]: { ...two, rsa2048: one.rsa2048 } }, "same key"],
      [{ ...certificates, __proto: one }, "not a region name"],
      [{}, "no certificates"],
    ];
    for (const [input, says] of refusals)
      expect(check(input)).toMatchObject({ status: 1, stderr: expect.stringContaining(says) as string });
  });

  test.each([...AWS_PUBLIC_KEYS])("%s has a 2048-bit RSA key, that of its certificate", (region, spki) => {
    expect(region).toMatch(/^[a-z]{2,}(-[a-z]+)+-\d+$/);
    const der = Buffer.from(spki, "base64");
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    expect([
      key.asymmetricKeyType,
      key.asymmetricKeyDetails?.modulusLength,
      key.asymmetricKeyDetails?.publicExponent,
    ]).toEqual(["rsa", 2048, 65537n]);
    expect(parseTrustedKeys(region, certificates[region]?.rsa2048 ?? "").map((own) => own.equals(key))).toEqual([true]);
    const digest = createHash("sha256").update(der).digest("hex");
    const listed = inventory.filter((row) => row.kind === "rsa2048" && row.region === region);
    expect(listed.map((row) => row.spki)).toContain(digest);
  });

  test("no two regions share a key, and no region is missing", () => {
    expect(new Set(AWS_PUBLIC_KEYS.values()).size).toBe(AWS_PUBLIC_KEYS.size);
    expect([...AWS_PUBLIC_KEYS.keys()].toSorted()).toEqual(Object.keys(certificates).sort());
  });
});
