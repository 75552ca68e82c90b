/** Asking for a role alias: what is sent, how often, and what becomes of each answer. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RolesAnywhereError } from "../../src/base/errors.js";
import { realSystem } from "../../src/base/system.js";
import { readCertificateChain } from "../../src/roles-anywhere/certificate.js";
import type { SessionBounds, Signer } from "../../src/roles-anywhere/create-session.js";
import type { IotPlan } from "../../src/roles-anywhere/iot.js";
import { askRoleAlias } from "../../src/roles-anywhere/iot.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { issue } from "../support/certificates.mjs";
import { selfSignedCertificate } from "../support/tls-certificate.mjs";

const ACCOUNT = "111122223333";
const HOUR = 3_600_000;
const root = issue({ name: "Things", ca: true });
const issuing = issue({ name: "Issuing", ca: true, issuer: root });
const thing = issue({ name: "pump-7", issuer: issuing });
const chain = readCertificateChain({ text: thing.cert + issuing.cert, source: "x" }, undefined, Date.now());
const tls = selfSignedCertificate();

let server: Server;
let url: URL;
let requests: Pick<IncomingMessage, "method" | "url" | "headers">[] = [];
let clocks: number[] = [];
let respond: (response: ServerResponse, index: number) => void;

const credentials = (more: Record<string, unknown> = {}) => ({
  accessKeyId: accessKeyIdFor(ACCOUNT),
  secretAccessKey: "s",
  sessionToken: "t",
  expiration: new Date(Date.now() + HOUR).toISOString().replace(/\.\d{3}Z$/, "Z"),
  ...more,
});
const give = (response: ServerResponse): unknown => response.end(JSON.stringify({ credentials: credentials() }));
/** Answers with these statuses, one after the other, and goes on with the last. */
function answering(statuses: readonly number[], body = "{}", headers: Record<string, string> = {}): void {
  respond = (response, index) => {
    const status = statuses[Math.min(index, statuses.length - 1)] ?? 0;
    if (status === 200) give(response);
    else response.writeHead(status, headers).end(body);
  };
}

beforeAll(async () => {
  const demanding = { ...tls, requestCert: true, rejectUnauthorized: true, ca: root.cert };
  server = createServer(demanding, (request, response) => {
    const { method, url: target, headers } = request;
    // What arrives after its asker's time is no request of the next test.
    if (target?.includes("/late/") !== true) requests.push({ method, url: target, headers });
    respond(response, Math.max(0, requests.length - 1));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
beforeEach(() => {
  requests = [];
  clocks = [];
  answering([200]);
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

// Pauses as short as they may be: the clock that bounds them is the real one.
const system = { ...realSystem, env: {}, random: () => 0 };
const ask = (
  bounds: Partial<SessionBounds> = {},
  plan: Partial<IotPlan> = {},
  key: Signer | typeof thing.privateKey = thing.privateKey,
) =>
  askRoleAlias(
    { chain, key },
    { url, roleAlias: "device-uploads", ca: tls.cert, ...plan },
    { system, timeoutMs: 5_000, maxRetries: 1, onClock: (ahead) => clocks.push(ahead), ...bounds },
  );
async function refusal(asked: Promise<unknown>) {
  const error = await asked.then(
    () => new Error("it was given"),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "RolesAnywhereError" });
  const { code, message, cause, advice } = error as RolesAnywhereError;
  return { code: code.replace("ERR_ROLES_ANYWHERE_", ""), message, cause, advice };
}
const contains = (text: string): string => expect.stringContaining(text) as string;

describe("the request", () => {
  test("names alias and endpoint, and no thing where none is named", async () => {
    expect(await ask()).toMatchObject({ accountId: ACCOUNT, secretAccessKey: "s", sessionToken: "t" });
    const { method, url: target, headers } = requests[0] ?? {};
    expect([method, target]).toEqual(["GET", "/role-aliases/device-uploads/credentials"]);
    expect(headers).toEqual({ host: url.host, connection: "close" });
    expect(requests).toHaveLength(1);
    expect(clocks).toEqual([]);
  });

  test("names the thing, and an alias of every letter it may have", async () => {
    await ask({}, { roleAlias: "a=b,c@d-e_f", thingName: "line:3" });
    expect(requests[0]?.url).toBe("/role-aliases/a%3Db%2Cc%40d-e_f/credentials");
    expect(requests[0]?.headers["x-amzn-iot-thingname"]).toBe("line:3");
  });

  test("is not sent to whom the authorities do not know, nor through a proxy that is none", async () => {
    expect(await refusal(ask({ maxRetries: 0 }, { ca: root.cert }))).toMatchObject({ code: "UNREACHABLE" });
    const env = { HTTPS_PROXY: "socks5://127.0.0.1:1" };
    expect(await refusal(ask({ system: { ...system, env } }))).toMatchObject({ code: "SETTINGS" });
    expect(requests).toEqual([]);
  });

  test("is not made where a function signs: TLS needs the key", async () => {
    expect(await refusal(ask({}, {}, () => Buffer.alloc(0)))).toEqual({
      code: "KEY",
      message: contains("(sign) cannot be used: TLS needs the key itself"),
      advice: "Give privateKey.",
      cause: undefined,
    });
    expect(requests).toEqual([]);
  });
});

describe("is sent again", () => {
  test.each([
    [0, [500], 1],
    [1, [500], 2],
    [2, [429], 3],
    [2, [503, 500, 200], 3],
    [2, [503, 200], 2],
  ])("at most %i times, for %j", async (maxRetries, statuses, count) => {
    answering(statuses);
    const asked = ask({ maxRetries });
    if (statuses.at(-1) === 200) expect(await asked).toMatchObject({ accountId: ACCOUNT });
    else
      expect(await refusal(asked)).toMatchObject({
        code: "UNREACHABLE",
        message: contains(`No answer to GET /role-aliases/: HTTP ${statuses.at(-1)}.`),
      });
    expect(requests).toHaveLength(count);
  });

  test("where the connection breaks, and not where what comes is no HTTP", async () => {
    respond = (response, index) => (index === 0 ? response.socket?.destroy() : give(response));
    expect(await ask()).toMatchObject({ accountId: ACCOUNT });
    requests = [];
    respond = (response) => response.socket?.destroy();
    expect(await refusal(ask())).toMatchObject({
      code: "UNREACHABLE",
      message: contains("ECONNRESET"),
      cause: expect.any(Error) as Error,
    });
    expect(requests).toHaveLength(2);
    requests = [];
    respond = (response) => response.socket?.write("SSH-2.0-x\r\n");
    expect(await refusal(ask())).toMatchObject({ code: "MALFORMED", cause: expect.any(Error) as Error });
    expect(requests).toHaveLength(1);
  });

  test("only while there is time, which one answer may take whole", async () => {
    answering([500]);
    // 100 milliseconds are the least before the second.
    const late = { roleAlias: "late" };
    expect(await refusal(ask({ maxRetries: 9, timeoutMs: 99 }, late))).toMatchObject({ code: "UNREACHABLE" });
    respond = () => undefined;
    expect(await refusal(ask({ maxRetries: 9, timeoutMs: 300 }, late))).toMatchObject({
      code: "UNREACHABLE",
      message: contains("no whole answer within"),
    });
  });
});

describe("an answer that is none", () => {
  test.each([
    [201, "MALFORMED", "HTTP 201 where credentials are 200"],
    [302, "MALFORMED", "HTTP 302 where credentials are 200"],
    [399, "MALFORMED", "HTTP 399 where credentials are 200"],
    [400, "REFUSED", "AWS refused GET /role-aliases/ (HTTP 400)"],
    [403, "REFUSED", "AWS refused GET /role-aliases/ (HTTP 403)"],
    [404, "REFUSED", "AWS refused GET /role-aliases/ (HTTP 404)"],
  ])("of status %i is %s", async (status, code, message) => {
    answering([status]);
    expect(await refusal(ask({ maxRetries: 3 }))).toMatchObject({ code, message: contains(message) });
    expect(requests).toHaveLength(1);
  });

  test("says what AWS says, and what it takes", async () => {
    answering([403], '{"message":"Access Denied"}', { "x-amzn-errortype": "AccessDeniedException" });
    expect(await refusal(ask())).toMatchObject({
      message: contains('(HTTP 403 AccessDeniedException): "Access Denied"'),
      advice: contains("iot:AssumeRoleWithCertificate"),
    });
  });

  test.each([
    ["no JSON", "<html>"],
    ["nothing", ""],
    ["no credentials", "{}"],
    ["credentials of a user", JSON.stringify({ credentials: credentials({ accessKeyId: "AKIAIOSFODNN7EXAMPLE" }) })],
    ["credentials that are over", JSON.stringify({ credentials: credentials({ expiration: "2020-01-01T00:00:00Z" }) })],
  ])("holds %s", async (_, body) => {
    respond = (response) => response.end(body);
    expect(await refusal(ask())).toMatchObject({ code: "MALFORMED" });
    expect(requests).toHaveLength(1);
  });
});

describe("a clock that is", () => {
  test.each([
    ["two hours ahead", 2 * HOUR],
    ["two days behind", -48 * HOUR],
    ["a minute and a little ahead", 62_000],
  ])("%s is told of, and the end held against AWS's", async (_, off) => {
    await ask({ system: { ...system, now: () => Date.now() + off } });
    expect(clocks).toHaveLength(1);
    expect(Math.abs((clocks[0] ?? 0) - off)).toBeLessThan(2_000);
  });

  test("off by less than a minute, or not told, is taken as it is", async () => {
    await ask({ system: { ...system, now: () => Date.now() + 55_000 } });
    respond = (response) => {
      response.sendDate = false;
      give(response);
    };
    await ask();
    expect(await refusal(ask({ system: { ...system, now: () => Date.now() + 2 * HOUR } }))).toMatchObject({
      code: "MALFORMED",
    });
    expect(clocks).toEqual([]);
  });
});
