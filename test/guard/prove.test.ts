/** The proof of a responder that answers as each test says. */
import type { Server } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createKeyRing } from "../../src/attest/key-ring.js";
import { parseTrustedKeys } from "../../src/attest/trusted-keys.js";
import { ImdsImpersonationError, ImdsUnavailableError } from "../../src/base/errors.js";
import { createReporter } from "../../src/events/reporter.js";
import type { Proof } from "../../src/guard/decide.js";
import { createProver, findingFirst } from "../../src/guard/prove.js";
import type { Identity } from "../../src/guard/prove.js";
import { createSession } from "../../src/imds/session.js";
import { startDeadline } from "../../src/imds/transport.js";
import type { Settings } from "../../src/settings/options.js";
import { resolveSettings } from "../../src/settings/resolve.js";
import { identityDocument } from "../support/imds-server.mjs";
import { golden } from "../support/wording.js";
import { ACCOUNT, INSTANCE, machine, REGION, rejection, signer } from "./guarded-host.js";

const finding = new ImdsImpersonationError("ERR_IMDS_STS_MISMATCH", "x", { advice: "y" });
const outage = (): ImdsUnavailableError => new ImdsUnavailableError("ERR_IMDS_STATUS", "x", { advice: "y" });

/** What is answered in place of the usual: a status, or a body. */
interface Answers {
  readonly token?: number;
  readonly signed?: number | string;
  readonly info?: number | string;
}

interface Given {
  readonly answers?: Answers;
  readonly proof?: Proof;
  readonly settings?: Partial<Settings>;
}

const INFO = JSON.stringify({ InstanceProfileArn: "an arn", InstanceProfileId: "an id", Code: "Success" });
const DOCUMENT = signer.sign(identityDocument({ account: ACCOUNT, instanceId: INSTANCE, region: REGION }));
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function prover({ answers = {}, proof = "required", settings = {} }: Given): Promise<{
  readonly prove: () => Promise<Identity>;
  readonly port: number;
  readonly events: unknown[];
  readonly asked: string[];
}> {
  const events: unknown[] = [];
  const asked: string[] = [];
  const usual: Readonly<Record<string, number | string>> = {
    "/latest/api/token": answers.token ?? "dG9rZW4=",
    "/latest/dynamic/instance-identity/rsa2048": answers.signed ?? DOCUMENT,
    "/latest/meta-data/iam/info": answers.info ?? INFO,
  };
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const answer = usual[request.url ?? ""] ?? 404;
    response.writeHead(typeof answer === "number" ? answer : 200, { "x-aws-ec2-metadata-token-ttl-seconds": "21600" });
    response.end(typeof answer === "number" ? "" : answer);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { system } = machine();
  const resolved = (await resolveSettings({}, system)).settings;
  const prove = createProver({
    proof,
    settings: { ...resolved, ...settings },
    keyRing: createKeyRing(new Map([[REGION, parseTrustedKeys(REGION, signer.publicKeyPem)]])),
    reporter: createReporter({ system, sinks: [{ write: (event) => void events.push(event) }] }),
  });
  const session = createSession({ pin: { addresses: ["127.0.0.1"], port }, system, maxRetries: 0 });
  return { prove: () => prove(session, startDeadline(5_000, system.monotonic)), port, events, asked };
}

const proofOf = async (given: Given): Promise<Identity> => (await prover(given)).prove();

const WHOLE = {
  document: expect.objectContaining({ accountId: ACCOUNT, instanceId: INSTANCE }) as object,
  claim: undefined,
  instanceProfileArn: "an arn",
  instanceProfileId: "an id",
};

describe("a responder", () => {
  test("is who its signed document says, beside what it claims of its instance profile", async () => {
    const { prove, asked, events } = await prover({});
    expect(await prove()).toEqual(WHOLE);
    expect(asked.sort()).toEqual([
      "GET /latest/dynamic/instance-identity/rsa2048",
      "GET /latest/meta-data/iam/info",
      "PUT /latest/api/token",
    ]);
    expect(events).toEqual([]);
  });

  test.each([404, 403])("without a document (%d) is none", async (signed) => {
    const error = await rejection(proofOf({ answers: { signed } }));
    expect(error).toMatchObject({ code: "ERR_IMDS_ATTESTATION_MISSING", cause: { kind: "unavailable" } });
    const { message, advice } = error as ImdsImpersonationError;
    await expect(golden({ "no document": { message, advice } })).toMatchFileSnapshot("golden/no-document.json");
  });

  test("that cannot give its document now, or no token, is out", async () => {
    expect(await rejection(proofOf({ answers: { signed: 500 } }))).toMatchObject({ code: "ERR_IMDS_STATUS" });
    expect(await rejection(proofOf({ answers: { token: 403 } }))).toMatchObject({ code: "ERR_IMDS_FORBIDDEN" });
  });

  test("need not tell its instance profile", async () => {
    const nothing = { ...WHOLE, instanceProfileArn: undefined, instanceProfileId: undefined };
    for (const info of [404, 500, "{}", '{"InstanceProfileArn":5,"InstanceProfileId":["x"]}'])
      expect(await proofOf({ answers: { info } })).toEqual(nothing);
  });

  test("must not tell nonsense of it", async () => {
    const error = await rejection(proofOf({ answers: { info: "<html>" } }));
    expect(error).toMatchObject({
      code: "ERR_IMDS_MALFORMED",
      evidence: [expect.objectContaining({ source: "GET /latest/meta-data/iam/info" })],
    });
  });
});

describe("a region without a known key", () => {
  const region = "xx-nowhere-1";
  const signed = signer.sign(identityDocument({ account: ACCOUNT, instanceId: INSTANCE, region }));
  const lenient = { answers: { signed }, proof: "unless-unknown-region" } as const;
  const vouchers: readonly Partial<Settings>[] = [
    { expectedAccounts: [ACCOUNT] },
    { expectedRegions: [region] },
    { configuredRegion: region },
  ];

  test.each(vouchers)("is a claim, with a warning, where %j vouches for it", async (settings) => {
    const { prove, events, port } = await prover({ ...lenient, settings });
    expect(await prove()).toMatchObject({ document: undefined, claim: { accountId: ACCOUNT, region } });
    const { message, evidence, advice } = (await rejection(proofOf(lenient))) as ImdsImpersonationError;
    const endpoint = { address: "127.0.0.1", port };
    expect(events).toEqual([
      expect.objectContaining({ code: "imds.attestation_unavailable", endpoint, message, evidence, advice }),
    ]);
  });

  test.each(vouchers)("is refused in spite of %j where proof is required", async (settings) => {
    const { prove, events } = await prover({ ...lenient, proof: "required", settings });
    expect(await rejection(prove())).toMatchObject({ code: "ERR_IMDS_ATTESTATION_REGION" });
    expect(events).toEqual([]);
  });

  test.each<Partial<Settings>>([{}, { expectedRegions: [REGION] }, { configuredRegion: REGION }])(
    "is refused where only %j is set",
    async (settings) => {
      expect(await rejection(proofOf({ ...lenient, settings }))).toMatchObject({
        code: "ERR_IMDS_ATTESTATION_REGION",
      });
    },
  );
});

describe("of two that are waited for", () => {
  const never = new Promise<never>(() => undefined);

  test("both results are given, in their order", async () => {
    expect(await findingFirst(Promise.resolve(1), Promise.resolve("a"))).toEqual([1, "a"]);
  });

  test("a finding of either does not wait for the other", async () => {
    expect(await rejection(findingFirst(Promise.reject(finding), never))).toBe(finding);
    expect(await rejection(findingFirst(never, Promise.reject(finding)))).toBe(finding);
  });

  test("an outage does, and gives way to a finding that comes later", async () => {
    const out = outage();
    const later = (): Promise<never> => new Promise((_, reject) => setImmediate(() => reject(finding)));
    expect(await rejection(findingFirst(Promise.reject(out), later()))).toBe(finding);
    expect(await rejection(findingFirst(later(), Promise.reject(out)))).toBe(finding);
    expect(await rejection(findingFirst(Promise.reject(out), Promise.resolve(1)))).toBe(out);
    expect(await rejection(findingFirst(Promise.reject(out), Promise.reject(outage())))).toBe(out);
  });
});
