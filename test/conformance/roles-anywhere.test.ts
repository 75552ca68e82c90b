/** Signed CreateSession requests, certificates, hosts and captures of aws_signing_helper against the shared data. */
import { verify, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readCertificateChain } from "../../src/roles-anywhere/certificate.js";
import { serviceEndpoint } from "../../src/roles-anywhere/endpoint.js";
import { readHelperLine } from "../../src/roles-anywhere/helper-line.js";
import { readPrivateKey } from "../../src/roles-anywhere/private-key.js";
import { prepareRequest, signatureOf } from "../../src/roles-anywhere/signature.js";
import { judge } from "../support/roles-anywhere-service.mjs";

const root = new URL("../../../shared/roles-anywhere-vectors/", import.meta.url);
const absent = !existsSync(root);
if (absent) console.log("conformance/roles-anywhere: skipped, ../shared/roles-anywhere-vectors is not there");

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- says what a file holds
function read<T>(name: string): T {
  return absent ? ({} as T) : (JSON.parse(readFileSync(new URL(name, root), "utf8")) as T);
}

interface Vector {
  readonly name: string;
  readonly needs?: string;
  readonly certificatePem: string;
  readonly chainPem: readonly string[];
  readonly privateKeyPem: string;
  readonly passphrase?: string;
  readonly trustAnchorPem?: string;
  readonly input: {
    readonly region: string;
    readonly host: string;
    readonly date: string;
    readonly profileArn: string;
    readonly roleArn: string;
    readonly trustAnchorArn: string;
    readonly durationSeconds: number;
    readonly roleSessionName?: string;
  };
  readonly expected: {
    readonly algorithm: string;
    readonly serialDecimal: string;
    readonly path: string;
    readonly body: string;
    readonly headers: Record<string, string>;
    readonly signedHeaders: string;
    readonly canonicalRequest: string;
    readonly stringToSign: string;
    readonly deterministic: boolean;
    readonly signature: string;
  };
}

const { vectors = [] } = read<{ vectors?: Vector[] }>("create-session.json");
const mlDsa = Number(process.versions.node.split(".")[0]) >= 25 || /^v24\.(?:[6-9]|\d\d)/.test(process.version);

describe.skipIf(absent)("signed requests", () => {
  test.each(vectors.map((vector) => [vector.name, vector] as const))("%s", (_, vector) => {
    const { input, expected, needs } = vector;
    const now = Date.parse(input.date);
    const load = () => ({
      chain: readCertificateChain(
        { text: vector.certificatePem, source: "certificate" },
        vector.chainPem.length > 0 ? { text: vector.chainPem.join("\n"), source: "chain" } : undefined,
        now,
      ),
      key: readPrivateKey(vector.privateKeyPem, "key", vector.passphrase),
    });
    if (needs !== undefined && !mlDsa) {
      expect(load).toThrow(/Node\.js 24\.6 or later/);
      return;
    }
    const { chain, key } = load();
    expect(chain.leaf.checkPrivateKey(key)).toBe(true);
    const request = prepareRequest({ ...input, date: new Date(now) }, chain);
    expect(request).toMatchObject({ method: "POST", path: expected.path, body: expected.body });
    expect(request.headers).toEqual(expected.headers);
    expect(request.canonicalRequest).toBe(expected.canonicalRequest);
    expect(request.stringToSign).toBe(expected.stringToSign);
    expect(request.algorithm).toBe(expected.algorithm);
    expect(chain.serial).toBe(expected.serialDecimal);
    expect(request.authorization).toContain(`SignedHeaders=${expected.signedHeaders}, Signature=`);
    const signature = signatureOf(Buffer.from(request.stringToSign), request.algorithm, key);
    if (expected.deterministic) expect(signature.toString("hex")).toBe(expected.signature);
    const digest = expected.algorithm === "AWS4-X509-MLDSA" ? null : "sha256";
    expect(verify(digest, Buffer.from(expected.stringToSign), chain.publicKey, signature)).toBe(true);
  });
});

interface CertificateCase {
  readonly name: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly passphrase?: string;
  readonly expect: "ok" | "error" | "error-or-warning";
}
const certificates = read<{ now?: string; cases?: CertificateCase[] }>("certificates.json");

describe.skipIf(absent)("certificates and keys", () => {
  test.each((certificates.cases ?? []).map((one) => [one.name, one] as const))("%s", (_, one) => {
    const load = () => {
      const now = Date.parse(certificates.now ?? "");
      const chain = readCertificateChain({ text: one.certificatePem, source: "certificate" }, undefined, now);
      const key = readPrivateKey(one.privateKeyPem, "key", one.passphrase);
      if (!chain.leaf.checkPrivateKey(key)) throw Object.assign(new Error("pair"), { code: "ERR_ROLES_ANYWHERE_KEY" });
      return chain;
    };
    if (one.expect === "ok") {
      const chain = load();
      expect(chain.intermediates).toHaveLength(one.name.includes("intermediate") ? 1 : 0);
      return;
    }
    let thrown: unknown;
    try {
      load();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: expect.stringMatching(/^ERR_ROLES_ANYWHERE_(?:CERTIFICATE|KEY)$/) as string });
    if (one.passphrase !== undefined)
      expect(JSON.stringify([thrown, (thrown as Error).message])).not.toContain(one.passphrase);
  });
});

type Forms = "standard" | "fips" | "dualStack" | "fipsDualStack";
const { endpoints = [] } = read<{ endpoints?: ({ region: string } & Partial<Record<Forms, string>>)[] }>(
  "endpoints.json",
);
const PARTITIONS: readonly (readonly [string, string])[] = [
  ["us-gov-", "aws-us-gov"],
  ["cn-", "aws-cn"],
  ["eusc-", "aws-eusc"],
  ["us-iso-", "aws-iso"],
  ["us-isob-", "aws-iso-b"],
  ["eu-isoe-", "aws-iso-e"],
  ["us-isof-", "aws-iso-f"],
];

describe.skipIf(absent)("hosts", () => {
  test.each(endpoints)("$region", ({ region, ...hosts }) => {
    const partition = PARTITIONS.find(([start]) => region.startsWith(start))?.[1] ?? "aws";
    for (const [form, host] of Object.entries(hosts)) {
      const fips = form.startsWith("fips");
      const dualStack = /dualstack/i.test(form);
      expect(serviceEndpoint({ region, partition, fips, dualStack }).href).toBe(`https://${host}/`);
    }
  });
});

interface Line {
  readonly line: string;
  readonly native?: Readonly<Record<string, string | number>>;
}
const { lines = [] } = read<{ lines?: Line[] }>("credential-process-lines.json");

describe.skipIf(absent)("lines of aws_signing_helper", () => {
  test.each(lines.map(({ line, native }) => [line, native] as const))("%s", (line, native) => {
    const read = readHelperLine(line);
    if (native === undefined) expect(read.kind).toBe("process");
    else expect(read).toMatchObject({ kind: "native", settings: native });
    if (read.kind === "native")
      expect(Object.keys(read.settings).toSorted()).toEqual(Object.keys(native ?? {}).toSorted());
  });
});

interface Captures {
  readonly trustAnchorPem: string;
  readonly captures: readonly { readonly name: string; readonly requestBase64: string }[];
}
const captures = read<Partial<Captures>>("helper-captures.json");

describe.skipIf(absent)("the stand-in for the service accepts what aws_signing_helper sent", () => {
  test.each((captures.captures ?? []).map((one) => [one.name, one] as const))("%s", (_, { requestBase64 }) => {
    const raw = Buffer.from(requestBase64, "base64");
    const end = raw.indexOf("\r\n\r\n");
    const [first = "", ...lines] = raw.subarray(0, end).toString("latin1").split("\r\n");
    const [method = "", target = ""] = first.split(" ");
    const fields = lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });
    const anchors = [new X509Certificate(captures.trustAnchorPem ?? "")];
    const request = { method, target, fields, body: raw.subarray(end + 4) };
    expect(judge(request, { anchors, now: undefined })).toMatchObject({ ok: true });
    const changed = { ...request, body: Buffer.from('{"durationSeconds":43200}') };
    expect(judge(changed, { anchors, now: undefined })).toMatchObject({ ok: false, why: "Invalid signature" });
    expect(judge(request, { anchors: [], now: undefined })).toMatchObject({ ok: false });
  });
});
