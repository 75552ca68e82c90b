import { createServer } from "node:https";
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyWithSts } from "../../src/attest/sts-identity.js";
import { isImdsGuardError } from "../../src/errors.js";
import { selfSignedCertificate } from "../support/tls-certificate.mjs";

const { key, cert } = selfSignedCertificate();
const ARN = "arn:aws:sts::111122223333:assumed-role/app-server/i-0a1b2c3d4e5f60718";
const CREDENTIALS = { accessKeyId: "ASIARTX3GSDSY43XP4G5", secretAccessKey: "secret-that-never-shows", sessionToken: "token-that-never-shows" };

let answer: RequestListener;
let seen: { headers: Record<string, unknown>; body: string; method?: string | undefined; url?: string | undefined } | undefined;
let server: Server;
let origin: string;

beforeAll(async () => {
  server = createServer({ key, cert }, (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen = { headers: request.headers, body, method: request.method, url: request.url };
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

function xml(account: string, arn: string): RequestListener {
  return (_, response) =>
    response.end(
      `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>${arn}</Arn>` +
        `<UserId>AROAEXAMPLE:session</UserId><Account>${account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
    );
}

function ask(expected: Parameters<typeof verifyWithSts>[1], options: Partial<Parameters<typeof verifyWithSts>[2]> = {}) {
  return verifyWithSts(CREDENTIALS, expected, { region: "eu-central-1", timeoutMs: 2_000, origin, ca: cert, ...options });
}

async function failure(call: Promise<unknown>) {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isImdsGuardError(error)) throw new Error("no error of the guard", { cause: error });
  return error;
}

describe("verifyWithSts", () => {
  it("signs one GetCallerIdentity for the region and returns what STS says", async () => {
    answer = xml("111122223333", ARN);
    await expect(ask({ account: "111122223333", instanceId: "i-0a1b2c3d4e5f60718" })).resolves.toEqual({ account: "111122223333", arn: ARN });
    expect(seen).toMatchObject({ method: "POST", url: "/", body: "Action=GetCallerIdentity&Version=2011-06-15" });
    expect(seen?.headers["authorization"]).toMatch(
      /^AWS4-HMAC-SHA256 Credential=ASIARTX3GSDSY43XP4G5\/\d{8}\/eu-central-1\/sts\/aws4_request, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*x-amz-security-token[a-z0-9;-]*, Signature=[0-9a-f]{64}$/,
    );
    expect(seen?.headers["x-amz-security-token"]).toBe(CREDENTIALS.sessionToken);
  });

  it.each([
    ["another account", xml("999922223333", ARN.replace("111122223333", "999922223333")), "ERR_IMDS_STS_MISMATCH"],
    ["another role", xml("111122223333", ARN.replace("app-server", "admin")), "ERR_IMDS_STS_MISMATCH"],
    ["another session", xml("111122223333", ARN.replace("60718", "60719")), "ERR_IMDS_STS_MISMATCH"],
    ["a user and no role session", xml("111122223333", "arn:aws:iam::111122223333:user/somebody"), "ERR_IMDS_STS_MISMATCH"],
    ["a refusal", ((_, response) => response.writeHead(403).end("<Error/>")) satisfies RequestListener, "ERR_IMDS_STS_MISMATCH"],
    ["an outage", ((_, response) => response.writeHead(503).end()) satisfies RequestListener, "ERR_IMDS_STS_UNAVAILABLE"],
    ["account and ARN that disagree", xml("111122223333", ARN.replace("111122223333", "999922223333")), "ERR_IMDS_STS_UNAVAILABLE"],
    ["two accounts", xml("111122223333</Account><Account>111122223333", ARN), "ERR_IMDS_STS_UNAVAILABLE"],
    ["no XML", ((_, response) => response.end("hello")) satisfies RequestListener, "ERR_IMDS_STS_UNAVAILABLE"],
    ["a flood", ((_, response) => response.end("x".repeat(100_000))) satisfies RequestListener, "ERR_IMDS_STS_UNAVAILABLE"],
    ["half an answer", ((_, response) => (response.writeHead(200, { "content-length": "100" }), response.write("<"), response.socket?.destroy())) as RequestListener, "ERR_IMDS_STS_UNAVAILABLE"],
    ["a redirect", ((_, response) => response.writeHead(302, { location: "https://127.0.0.1:1/" }).end()) satisfies RequestListener, "ERR_IMDS_STS_UNAVAILABLE"],
  ] as const)("refuses on %s", async (_, listener, code) => {
    answer = listener;
    const error = await failure(ask({ account: "111122223333", roleName: "app-server", instanceId: "i-0a1b2c3d4e5f60718" }));
    expect(error.code).toBe(code);
    expect(error.tryNextLink).toBe(false);
    expect(JSON.stringify([error.message, error.evidence, error.advice])).not.toMatch(/never-shows/);
  });

  it("ends at its deadline when STS is silent", async () => {
    answer = () => undefined;
    expect((await failure(ask({}, { timeoutMs: 100 }))).code).toBe("ERR_IMDS_STS_UNAVAILABLE");
  });

  it("does not talk to a server whose certificate nobody vouches for", async () => {
    seen = undefined;
    expect((await failure(ask({}, { ca: undefined }))).code).toBe("ERR_IMDS_STS_UNAVAILABLE");
    expect(seen).toBeUndefined();
  });

  it("knows no domain for an unknown partition", async () => {
    expect((await failure(ask({}, { partition: "aws-nowhere" }))).code).toBe("ERR_IMDS_STS_UNAVAILABLE");
  });
});
