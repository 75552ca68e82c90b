/** The credential server on real sockets: who gets credentials, who is turned away, and what a caller can hold. */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, describe, expect, test } from "vitest";
import { ImdsImpersonationError, ImdsUnavailableError } from "../../src/base/errors.js";
import type {
  CredentialServer,
  CredentialServerOptions,
  ServableCredentials,
} from "../../src/serving/credential-server.js";
import {
  ANSWER_WITHIN_MS,
  containerFormat,
  ENDLESS_SERVED_MS,
  REQUEST_BURST,
  startCredentialServer,
} from "../../src/serving/credential-server.js";
import { MAX_CONNECTIONS } from "../../src/serving/loopback-server.js";
import { takeSocket } from "../../src/serving/service-manager.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { fc } from "../support/properties.js";

const ACCOUNT = "111122223333";
const CREDENTIALS: ServableCredentials = {
  accessKeyId: accessKeyIdFor(ACCOUNT),
  secretAccessKey: "the-secret-key",
  sessionToken: "the-session-token",
  expiration: new Date("2030-01-02T03:04:05.678Z"),
};

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(options: Partial<CredentialServerOptions> = {}) {
  const rejected: string[] = [];
  let asked = 0;
  const server = await startCredentialServer({
    provide: async () => ((asked += 1), CREDENTIALS),
    onRejected: (reason) => rejected.push(reason),
    ...options,
  });
  closing.push(() => server.close());
  return { server, rejected, asked: () => asked };
}

/** Sends bytes and returns everything that came back until the other side ended. */
function say(server: { port: number }, bytes: string, host = "127.0.0.1"): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, host, () => socket.write(bytes));
    let received = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => (received += chunk));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNRESET" || error.code === "EPIPE" ? resolve(received) : reject(error),
    );
    socket.on("close", () => resolve(received));
  });
}

describe("a source that is slow", () => {
  test("is asked once for all callers, who are answered in time, with the reason", async () => {
    let release: (credentials: ServableCredentials) => void = () => undefined;
    let asked = 0;
    const { server } = await serve({
      provide: () => {
        asked += 1;
        if (asked === 1)
          return Promise.reject(
            new ImdsUnavailableError("ERR_IMDS_TIMEOUT", "IMDS did not answer", { advice: "wait" }),
          );
        return asked > 2 ? Promise.resolve(CREDENTIALS) : new Promise((resolve) => (release = resolve));
      },
    });
    const ask = (): Promise<string> =>
      say(
        server,
        `GET ${new URL(server.url).pathname} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: ${server.token}\r\n\r\n`,
      );
    expect(await ask()).toContain("IMDS did not answer");
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(asked).toBe(2);
    for (const answer of answers) {
      expect(answer).toMatch(/^HTTP\/1.1 503 /);
      expect(answer).toContain(`no credentials within ${ANSWER_WITHIN_MS} ms`);
      expect(answer).toContain("IMDS did not answer");
    }
    release(CREDENTIALS);
    expect(await ask()).toContain(CREDENTIALS.accessKeyId);
  });
});

test.each([
  [{}, undefined],
  [{ LISTEN_PID: "7", LISTEN_FDS: "1" }, 3],
  [{ LISTEN_PID: "8", LISTEN_FDS: "1" }, undefined],
  [{ LISTEN_PID: "7", LISTEN_FDS: "0" }, undefined],
  [{ LISTEN_FDS: "1" }, undefined],
])("the environment %j of process 7 hands over descriptor %j", (given, descriptor) => {
  const env = { ...given, OTHER: "x" };
  expect(takeSocket(env, 7)).toBe(descriptor);
  expect(env).toEqual({ OTHER: "x" });
});

test("several sockets are one too many", () => {
  expect(() => takeSocket({ LISTEN_PID: "7", LISTEN_FDS: "2" }, 7)).toThrow(
    expect.objectContaining({ code: "EINVAL" }),
  );
});

interface Change {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly token?: string;
  readonly extra?: string;
}

function request(
  server: CredentialServer,
  {
    method = "GET",
    path = new URL(server.url).pathname,
    host = new URL(server.url).host,
    token = server.token,
    extra = "",
  }: Change = {},
): string {
  return `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${token}\r\n${extra}\r\n`;
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
const bodyOf = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));

describe("a caller with the token", () => {
  test("gets credentials in the container format", async () => {
    const { server } = await serve();
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}$/);
    const answer = await say(server, request(server));
    expect(statusOf(answer)).toBe(200);
    expect(answer).toContain("Cache-Control: no-store");
    expect(bodyOf(answer)).toEqual({
      AccessKeyId: CREDENTIALS.accessKeyId,
      SecretAccessKey: "the-secret-key",
      Token: "the-session-token",
      Expiration: "2030-01-02T03:04:05Z",
      AccountId: ACCOUNT,
    });
  });

  test("gets newer ones when there are newer ones", async () => {
    let n = 0;
    const { server } = await serve({
      provide: async () => ({ ...CREDENTIALS, secretAccessKey: `secret-${(n += 1)}` }),
    });
    for (const wanted of ["secret-1", "secret-2"])
      expect(bodyOf(await say(server, request(server)))).toMatchObject({ SecretAccessKey: wanted });
  });

  test.each([
    [
      new ImdsUnavailableError("ERR_IMDS_TIMEOUT", "no answer", { advice: "" }),
      503,
      { code: "ERR_IMDS_TIMEOUT", message: "no answer. See docs/errors.md#ERR_IMDS_TIMEOUT" },
    ],
    [
      new ImdsImpersonationError("ERR_IMDS_ACCOUNT_UNEXPECTED", "a stranger", { advice: "" }),
      403,
      { code: "ERR_IMDS_ACCOUNT_UNEXPECTED", message: "a stranger. See docs/errors.md#ERR_IMDS_ACCOUNT_UNEXPECTED" },
    ],
    [new Error("it printed hunter2"), 503, { code: "Unavailable", message: "no provider gave credentials" }],
  ])("is told of a failure: %s", async (error, status, body) => {
    const { server } = await serve({ provide: () => Promise.reject(error) });
    const answer = await say(server, request(server));
    expect(statusOf(answer)).toBe(status);
    expect(bodyOf(answer)).toEqual(body);
  });

  test("is slowed down when it asks without end, and no one else is by somebody without the token", async () => {
    let now = 0;
    const { server, rejected } = await serve({ monotonic: () => now });
    for (let n = 0; n < REQUEST_BURST; n += 1) await say(server, request(server, { token: "wrong" }));
    expect(new Set(rejected)).toEqual(new Set(["token"]));
    const statuses: number[] = [];
    for (let n = 0; n < REQUEST_BURST + 2; n += 1) statuses.push(statusOf(await say(server, request(server))));
    expect(statuses.filter((status) => status === 200)).toHaveLength(REQUEST_BURST);
    expect(statuses.at(-1)).toBe(429);
    now += 1_000;
    expect(statusOf(await say(server, request(server)))).toBe(200);
  });
});

describe("everybody else is turned away", () => {
  test.each<[string, (server: CredentialServer) => Change, number, string]>([
    ["a wrong token", () => ({ token: "A".repeat(43) }), 401, "token"],
    ["no token", () => ({ token: "" }), 401, "token"],
    ["a token with something behind it", ({ token }) => ({ token: `${token}x` }), 401, "token"],
    ["a bearer scheme", ({ token }) => ({ token: `Bearer ${token}` }), 401, "token"],
    ["another path", () => ({ path: "/" }), 404, "path"],
    ["the path with a query", ({ url }) => ({ path: `${new URL(url).pathname}?x` }), 404, "path"],
    ["the absolute form", ({ url }) => ({ path: url }), 404, "path"],
    ["a name that resolves to loopback", ({ port }) => ({ host: `rebound.example:${port}` }), 403, "host"],
    ["localhost", ({ port }) => ({ host: `localhost:${port}` }), 403, "host"],
    ["another loopback address", ({ port }) => ({ host: `127.0.0.2:${port}` }), 403, "host"],
    ["no port", () => ({ host: "127.0.0.1" }), 403, "host"],
    ["two Host headers", ({ port }) => ({ extra: `Host: 127.0.0.1:${port}\r\n` }), 403, "host"],
    ["POST", () => ({ method: "POST", extra: "Content-Length: 0\r\n" }), 405, "method"],
    ["HEAD", () => ({ method: "HEAD" }), 405, "method"],
    ["PUT", () => ({ method: "PUT", extra: "Content-Length: 0\r\n" }), 405, "method"],
    ["an expectation", () => ({ extra: "Expect: 100-continue\r\n" }), 405, "method"],
  ])("%s", async (_what, change, status, reason) => {
    const { server, rejected, asked } = await serve();
    const answer = await say(server, request(server, change(server)));
    // Node itself refuses a second Host header.
    expect([status, 400]).toContain(statusOf(answer));
    if (statusOf(answer) === status) expect(rejected).toEqual([reason]);
    expect(answer).not.toContain("the-secret-key");
    expect(asked()).toBe(0);
  });

  test("whatever the bytes: no credentials without path and token", async () => {
    const { server, asked } = await serve();
    const piece = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.constantFrom(
        "\r\n",
        "\r\n\r\n",
        " HTTP/1.1",
        "GET ",
        "Host: ",
        `127.0.0.1:${server.port}`,
        "Authorization: ",
        new URL(server.url).pathname,
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const answer = await say(server, `${pieces.join("")}\r\n\r\nX`);
        expect(answer).not.toContain("the-secret-key");
        expect(asked()).toBe(0);
      }),
      { numRuns: 60 },
    );
    expect(statusOf(await say(server, request(server)))).toBe(200);
  }, 120_000);

  test("and cannot reach it but on loopback", async () => {
    const { server } = await serve();
    const outward = Object.values(networkInterfaces())
      .flatMap((entries) => entries ?? [])
      .find(({ internal, family }) => !internal && family === "IPv4");
    if (outward !== undefined)
      await expect(say(server, request(server), outward.address)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await expect(say(server, request(server), "127.0.0.2")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("what a caller can hold", () => {
  function hold(server: CredentialServer, bytes: string): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(server.port, "127.0.0.1", () => {
        socket.write(bytes);
        resolve(socket);
      });
      socket.once("error", reject);
      socket.on("error", () => undefined);
      closing.push(() => socket.destroy());
    });
  }

  test("headers without end are cut off", async () => {
    const { server } = await serve();
    const answer = await say(server, `GET / HTTP/1.1\r\n${"X-Padding: 0123456789\r\n".repeat(2_000)}`);
    expect(answer === "" || statusOf(answer) === 431).toBe(true);
  });

  test("more connections than there may be cost the oldest that never asked, and nobody who asks", async () => {
    const { server } = await serve();
    const held: Socket[] = [];
    let gone = 0;
    for (let n = 0; n < MAX_CONNECTIONS * 3; n += 1) {
      const socket = await hold(server, "GET /slow HTTP/1.1\r\nX-");
      socket.once("close", () => (gone += 1));
      held.push(socket);
    }
    for (let n = 0; n < 5; n += 1) expect(statusOf(await say(server, request(server)))).toBe(200);
    expect(gone).toBeGreaterThanOrEqual(MAX_CONNECTIONS * 2);
  });

  test("closing ends everybody", async () => {
    const { server } = await serve();
    const socket = await hold(server, "GET /slow HTTP/1.1\r\nX-");
    const ended = new Promise((resolve) => socket.once("close", resolve));
    await server.close();
    await ended;
    await expect(say(server, "")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

test("a port that is taken is an error", async () => {
  const { server } = await serve();
  await expect(startCredentialServer({ provide: async () => CREDENTIALS, port: server.port })).rejects.toMatchObject({
    code: "EADDRINUSE",
  });
});

test("credentials without end, token and account are served so that every client can read them", () => {
  const now = Date.UTC(2030, 0, 1);
  expect(containerFormat({ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "s" }, now)).toEqual({
    AccessKeyId: "AKIDEXAMPLE",
    SecretAccessKey: "s",
    Token: "",
    Expiration: new Date(now + ENDLESS_SERVED_MS).toISOString().replace(".000", ""),
  });
});

test("a request that never ends is given up", { timeout: 30_000 }, async () => {
  const { server } = await serve();
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n");
  const drip = setInterval(() => socket.write("X-A: b\r\n"), 200);
  closing.push(() => clearInterval(drip));
  await new Promise((resolve) => socket.once("close", resolve));
});
