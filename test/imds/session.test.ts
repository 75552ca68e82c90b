import type { Socket } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { ImdsGuardError } from "../../src/base/errors.js";
import type { ImdsSession } from "../../src/imds/session.js";
import { createSession } from "../../src/imds/session.js";
import type { System } from "../../src/base/system.js";
import { realSystem } from "../../src/base/system.js";
import type { RawServer } from "./raw-server.js";
import { freePort } from "../support/free-port.js";
import { golden, wordingOf } from "../support/wording.js";
import { answer, deadlineOf, LONG, readHead, seeingSockets, SHORT, startServer } from "./raw-server.js";

// Properties and processes of their own take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const TOKEN = "AQAEAExampleTokenExampleTokenExampleTokenExampleToken0==";
const PATH = "/latest/meta-data/instance-id";

interface Service {
  /** Answers the nth token request; default: token number n. */
  readonly token?: (socket: Socket, nth: number) => void;
  /** Answers the nth GET; default: "content". */
  readonly content?: (socket: Socket, nth: number, token: string) => void;
}

const give =
  (status: number, body = "", headers: Readonly<Record<string, string>> = {}) =>
  (socket: Socket) =>
    socket.end(answer(status, body, headers));
const numbered = (nth: number): string => TOKEN.replace("0==", `${nth}==`);

async function startImds(
  service: Service = {},
  options: { host?: string; port?: number } = {},
): Promise<RawServer & { count: (method: string) => number; paths: () => string[] }> {
  const server = await startServer((socket, head) => {
    const { method, headers } = readHead(head);
    const nth = server.requests.filter((request) => request.startsWith(method)).length - 1;
    if (method === "PUT")
      return (
        service.token ??
        ((to: Socket, n: number) => give(200, numbered(n), { "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "21600" })(to))
      )(socket, nth);
    return (service.content ?? give(200, "content"))(socket, nth, headers.get("x-aws-ec2-metadata-token") ?? "");
  }, options);
  return {
    ...server,
    count: (method) => server.requests.filter((request) => request.startsWith(method)).length,
    paths: () => server.requests.map((head) => readHead(head)).map(({ method, path }) => `${method} ${path}`),
  };
}

const clock = { monotonic: 0 };
const system: System = { ...realSystem, monotonic: () => clock.monotonic, random: () => 0 };

function open(
  port: number,
  { addresses = ["127.0.0.1"], maxRetries = 2 }: { addresses?: readonly string[]; maxRetries?: number } = {},
): ImdsSession {
  return createSession({ pin: { addresses, port }, system, maxRetries });
}

async function failure(promise: Promise<unknown>): Promise<ImdsGuardError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ImdsGuardError)) throw new Error(`expected an error of the guard, got ${String(error)}`);
  return error;
}

const get = (session: ImdsSession, milliseconds = LONG): Promise<Buffer> =>
  session.get(PATH, 1_024, deadlineOf(milliseconds));

describe("the token", () => {
  test("is fetched once and used for everything", async () => {
    const imds = await startImds();
    const session = open(imds.port);
    expect(imds.connections()).toBe(0);
    for (let i = 0; i < 5; i++) expect((await get(session)).toString()).toBe("content");
    expect([imds.count("PUT"), imds.count("GET")]).toEqual([1, 5]);
    const tokens = imds.requests.slice(1).map((head) => readHead(head).headers.get("x-aws-ec2-metadata-token"));
    expect(new Set(tokens)).toEqual(new Set([numbered(0)]));
  });

  test("is asked for with the longest life", async () => {
    const imds = await startImds();
    await get(open(imds.port));
    expect(readHead(imds.requests[0] ?? "").headers.get("x-aws-ec2-metadata-token-ttl-seconds")).toBe("21600");
  });

  test("is fetched once for callers at the same time", async () => {
    const imds = await startImds();
    const session = open(imds.port);
    await Promise.all(Array.from({ length: 50 }, () => get(session)));
    expect([imds.count("PUT"), imds.count("GET")]).toEqual([1, 50]);
  });

  test("is renewed when nine tenths of its stated life are over", async () => {
    const imds = await startImds({
      token: (socket, nth) => give(200, numbered(nth), { "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "100" })(socket),
    });
    const session = open(imds.port);
    clock.monotonic = 0;
    await get(session);
    clock.monotonic = 89_999;
    await get(session);
    expect(imds.count("PUT")).toBe(1);
    clock.monotonic = 90_000;
    await get(session);
    expect(imds.count("PUT")).toBe(2);
  });

  test("is on its way when a session has begun, and answers who asks first", async () => {
    let answerNow = (): void => undefined;
    const imds = await startImds({
      token: (socket, nth) => {
        answerNow = () => give(200, numbered(nth), { "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "21600" })(socket);
      },
    });
    const session = open(imds.port);
    await session.begin(deadlineOf(LONG));
    const asked = [get(session), get(session)];
    await vi.waitFor(() => expect(imds.count("PUT")).toBe(1));
    answerNow();
    expect((await Promise.all(asked)).map(String)).toEqual(["content", "content"]);
    expect([imds.count("PUT"), imds.count("GET")]).toEqual([1, 2]);
  });

  test("that failed as a session began is told to who asks first, and asked for again by the next", async () => {
    const imds = await startImds({
      token: (socket, nth) =>
        give(nth === 0 ? 403 : 200, numbered(nth), { "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "21600" })(socket),
    });
    const session = open(imds.port);
    await session.begin(deadlineOf(LONG));
    expect((await failure(get(session))).code).toBe("ERR_IMDS_FORBIDDEN");
    expect([imds.count("PUT"), imds.count("GET")]).toEqual([1, 0]);
    expect((await get(session)).toString()).toBe("content");
    expect([imds.count("PUT"), imds.count("GET")]).toEqual([2, 1]);
  });

  test("of an address at which nobody listens fails once for both", async () => {
    const session = open(await freePort());
    await session.begin(deadlineOf(LONG));
    expect((await failure(session.token(deadlineOf(LONG)))).code).toBe("ERR_IMDS_UNREACHABLE");
  });

  test("that is refused is renewed once, with the same question again", async () => {
    const imds = await startImds({
      content: (socket, _, token) => give(token === numbered(0) ? 401 : 200, "content")(socket),
    });
    expect((await get(open(imds.port))).toString()).toBe("content");
    expect(imds.paths()).toEqual(["PUT /latest/api/token", `GET ${PATH}`, "PUT /latest/api/token", `GET ${PATH}`]);
  });

  test("that is refused to many callers is renewed once for all of them", async () => {
    const imds = await startImds({
      content: (socket, _, token) => give(token === numbered(0) ? 401 : 200, "content")(socket),
    });
    const session = open(imds.port);
    await Promise.all(Array.from({ length: 20 }, () => get(session)));
    expect(imds.count("PUT")).toBe(2);
  });

  test("that another caller has renewed is not renewed once more by who learns late that the old one was refused", async () => {
    let late: Socket | undefined;
    const answers: ((socket: Socket) => void)[] = [
      (socket) => (late = socket),
      give(401),
      (socket) => (give(200, "content")(socket), late && give(401)(late)),
      give(200, "content"),
    ];
    const imds = await startImds({ content: (socket, nth) => answers[nth]?.(socket) });
    const session = open(imds.port);
    await Promise.all([get(session), get(session)]);
    expect([imds.count("PUT"), imds.count("GET")]).toEqual([2, 4]);
  });

  test("that is refused again is an error, and is not kept", async () => {
    const imds = await startImds({ content: give(401) });
    const session = open(imds.port);
    expect((await failure(get(session))).code).toBe("ERR_IMDS_UNAUTHORIZED");
    expect([imds.count("PUT"), imds.count("GET")]).toEqual([2, 2]);
    await failure(get(session));
    expect(imds.count("PUT")).toBe(4);
  });

  test("that could not be had is asked for again by the next caller", async () => {
    const imds = await startImds({
      token: (socket, nth) => (nth === 0 ? give(403)(socket) : give(200, TOKEN)(socket)),
    });
    const session = open(imds.port);
    expect((await failure(get(session))).code).toBe("ERR_IMDS_FORBIDDEN");
    expect((await get(session)).toString()).toBe("content");
  });
});

describe("an answer to the token request", () => {
  test.each<[string, (socket: Socket) => void, string, string, number]>([
    ["404", give(404), "untrusted", "ERR_IMDS_V1_ONLY", 1],
    ["405", give(405), "untrusted", "ERR_IMDS_V1_ONLY", 1],
    ["400", give(400), "unavailable", "ERR_IMDS_STATUS", 1],
    ["401", give(401), "unavailable", "ERR_IMDS_STATUS", 1],
    ["403", give(403), "unavailable", "ERR_IMDS_FORBIDDEN", 1],
    ["a redirect", give(302, "", { Location: "http://127.0.0.1/" }), "untrusted", "ERR_IMDS_REDIRECT", 1],
    ["a redirect with a token", give(307, TOKEN), "untrusted", "ERR_IMDS_REDIRECT", 1],
    ["201", give(201, TOKEN), "unavailable", "ERR_IMDS_STATUS", 1],
    ["204", (socket) => socket.end("HTTP/1.1 204 No Content\r\n\r\n"), "unavailable", "ERR_IMDS_STATUS", 1],
    ["429", give(429), "unavailable", "ERR_IMDS_STATUS", 3],
    ["500", give(500), "unavailable", "ERR_IMDS_STATUS", 3],
    ["503", give(503), "unavailable", "ERR_IMDS_STATUS", 3],
    ["an empty 200", give(200), "untrusted", "ERR_IMDS_MALFORMED", 3],
    ["a reset", (socket) => socket.resetAndDestroy(), "unavailable", "ERR_IMDS_UNREACHABLE", 3],
    ["an end without an answer", (socket) => socket.end(), "unavailable", "ERR_IMDS_UNREACHABLE", 3],
    ["a page", give(200, "<!DOCTYPE html><title>Sign in</title>"), "untrusted", "ERR_IMDS_MALFORMED", 1],
    ["a token with a line break", give(200, `${TOKEN}\r\nX-Evil: 1`), "untrusted", "ERR_IMDS_MALFORMED", 1],
    ["a token of 257 characters", give(200, "A".repeat(257)), "untrusted", "ERR_IMDS_MALFORMED", 1],
    ["a body beyond all tokens", give(200, "A".repeat(1_025)), "untrusted", "ERR_IMDS_TOO_LARGE", 1],
    [
      "a lifetime of nothing",
      give(200, TOKEN, { "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": "0" }),
      "untrusted",
      "ERR_IMDS_MALFORMED",
      1,
    ],
    [
      "two lifetimes",
      (socket) =>
        socket.end(
          `HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60\r\n\r\nA`,
        ),
      "untrusted",
      "ERR_IMDS_MALFORMED",
      1,
    ],
  ])("%s", async (_, token, kind, code, asked) => {
    const imds = await startImds({ token });
    const error = await failure(get(open(imds.port)));
    expect([error.kind, error.code]).toEqual([kind, code]);
    expect([imds.count("PUT"), imds.count("GET")]).toEqual([asked, 0]);
  });

  test("without a stated lifetime is a token nevertheless", async () => {
    const imds = await startImds({ token: give(200, TOKEN) });
    expect((await get(open(imds.port))).toString()).toBe("content");
  });

  test("that never comes is told apart from other timeouts, with what a container can do", async () => {
    const imds = await startImds({ token: () => undefined });
    const error = await failure(get(open(imds.port), SHORT));
    expect(error.code).toBe("ERR_IMDS_TOKEN_TIMEOUT");
    expect(error.advice).toContain("--http-put-response-hop-limit 2");
    expect(imds.count("GET")).toBe(0);
  });
});

describe("an answer to a GET", () => {
  test.each<[string, (socket: Socket) => void, string, string, number]>([
    ["400", give(400), "unavailable", "ERR_IMDS_STATUS", 1],
    ["403", give(403), "unavailable", "ERR_IMDS_FORBIDDEN", 1],
    ["404", give(404), "unavailable", "ERR_IMDS_NOT_FOUND", 1],
    ["405", give(405), "unavailable", "ERR_IMDS_STATUS", 1],
    ["300", give(300), "untrusted", "ERR_IMDS_REDIRECT", 1],
    ["301", give(301, "", { Location: "/latest/" }), "untrusted", "ERR_IMDS_REDIRECT", 1],
    ["304", (socket) => socket.end("HTTP/1.1 304 Not Modified\r\n\r\n"), "untrusted", "ERR_IMDS_REDIRECT", 1],
    ["308", give(308, "content"), "untrusted", "ERR_IMDS_REDIRECT", 1],
    ["206", give(206, "content"), "unavailable", "ERR_IMDS_STATUS", 1],
    ["429", give(429), "unavailable", "ERR_IMDS_STATUS", 3],
    ["502", give(502), "unavailable", "ERR_IMDS_STATUS", 3],
    ["599", give(599), "unavailable", "ERR_IMDS_STATUS", 3],
    ["an empty 200", give(200), "untrusted", "ERR_IMDS_MALFORMED", 3],
    ["a reset", (socket) => socket.resetAndDestroy(), "unavailable", "ERR_IMDS_UNREACHABLE", 3],
    [
      "a body cut short",
      (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
      "unavailable",
      "ERR_IMDS_UNREACHABLE",
      3,
    ],
    ["a body beyond the cap", give(200, "x".repeat(1_025)), "untrusted", "ERR_IMDS_TOO_LARGE", 1],
  ])("%s", async (_, content, kind, code, asked) => {
    const imds = await startImds({ content });
    const error = await failure(get(open(imds.port)));
    expect([error.kind, error.code]).toEqual([kind, code]);
    expect([imds.count("PUT"), imds.count("GET")]).toEqual([1, asked]);
    expect(JSON.stringify(error)).not.toContain(numbered(0));
  });

  test.each([429, 500, 503])("%d may pass", async (status) => {
    const imds = await startImds({
      content: (socket, nth) => (nth < 2 ? give(status)(socket) : give(200, "content")(socket)),
    });
    expect((await get(open(imds.port))).toString()).toBe("content");
    expect(imds.count("GET")).toBe(3);
  });

  test.each([
    [0, 1],
    [1, 2],
    [2, 3],
  ])("with %d retries is asked for %d times", async (maxRetries, asked) => {
    const imds = await startImds({ content: give(503) });
    await failure(get(open(imds.port, { maxRetries })));
    expect(imds.count("GET")).toBe(asked);
  });

  test.each([
    [0, [25, 50, 100]],
    [0.5, [37.5, 75, 150]],
  ])("is repeated after 50, 100, 200 ms, of which chance (%d) takes up to half", async (random, expected) => {
    const imds = await startImds({ content: give(503) });
    const wait = setTimeout;
    const pauses: number[] = [];
    const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(((done: () => void, ms: number) => {
      if (ms !== LONG) pauses.push(ms);
      return wait(done, ms === LONG ? ms : 0);
    }) as typeof setTimeout);
    const session = createSession({
      pin: { addresses: ["127.0.0.1"], port: imds.port },
      system: { ...system, random: () => random },
      maxRetries: 3,
    });
    await failure(session.get(PATH, 1_024, { remaining: () => LONG })).finally(() => spy.mockRestore());
    expect(pauses).toEqual(expected);
  });

  test("that never comes ends at the deadline, retries or not", async () => {
    const imds = await startImds({ content: () => undefined });
    expect((await failure(get(open(imds.port), SHORT))).code).toBe("ERR_IMDS_TIMEOUT");
    expect(imds.count("GET")).toBe(1);
  });

  test("that is never ready is asked for only within the deadline", async () => {
    const imds = await startImds({ content: (socket) => setTimeout(() => give(503)(socket), 250) });
    expect((await failure(get(open(imds.port), SHORT))).kind).toBe("unavailable");
    expect(imds.count("GET")).toBeLessThan(3);
  });

  test("a redirect is not followed", async () => {
    const elsewhere = await startServer((socket) => socket.end(answer(200, "followed")));
    const imds = await startImds({ content: give(302, "", { Location: `http://127.0.0.1:${elsewhere.port}/` }) });
    await failure(get(open(imds.port)));
    expect(elsewhere.connections()).toBe(0);
  });
});

describe("the questions", () => {
  test("are asked at the documented paths", async () => {
    const imds = await startImds({ content: give(200, "my-role") });
    const session = open(imds.port);
    expect(await session.roleName(deadlineOf(LONG))).toBe("my-role");
    await session.roleCredentials("my-role", deadlineOf(LONG));
    await session.signedIdentity(deadlineOf(LONG));
    expect(imds.paths().slice(1)).toEqual([
      "GET /latest/meta-data/iam/security-credentials/",
      "GET /latest/meta-data/iam/security-credentials/my-role",
      "GET /latest/dynamic/instance-identity/rsa2048",
    ]);
  });

  test("no role attached is an answer of its own", async () => {
    const imds = await startImds({ content: give(404) });
    const error = await failure(open(imds.port).roleName(deadlineOf(LONG)));
    expect([error.code, error.tryNextLink]).toEqual(["ERR_IMDS_NO_ROLE", true]);
  });

  test("no role because IMDS is disabled is not the same", async () => {
    const imds = await startImds({ content: give(403) });
    expect((await failure(open(imds.port).roleName(deadlineOf(LONG)))).code).toBe("ERR_IMDS_FORBIDDEN");
  });

  test.each([
    ["alone", ""],
    ["among other letters", "role-"],
  ])("a role that is named by the token, %s, is an echo", async (_, before) => {
    const imds = await startImds({ content: (socket, __, token) => give(200, before + token)(socket) });
    const error = await failure(open(imds.port).roleName(deadlineOf(LONG)));
    expect([error.kind, error.code]).toEqual(["untrusted", "ERR_IMDS_MALFORMED"]);
    expect(JSON.stringify([error.message, error])).not.toContain(numbered(0));
  });

  test("a role that is gone is not the same", async () => {
    const imds = await startImds({ content: give(404) });
    expect((await failure(open(imds.port).roleCredentials("gone", deadlineOf(LONG)))).code).toBe("ERR_IMDS_NOT_FOUND");
  });
});

describe("two addresses", () => {
  test("the second is asked when the first refuses, and that is no retry", async () => {
    const imds = await startImds(
      { token: (socket, nth) => (nth === 0 ? give(503)(socket) : give(200, TOKEN)(socket)) },
      { host: "127.0.0.2" },
    );
    const session = open(imds.port, { addresses: ["127.0.0.1", "127.0.0.2"], maxRetries: 1 });
    expect(session.pin).toEqual({ address: "127.0.0.1", port: imds.port });
    expect((await get(session)).toString()).toBe("content");
    expect(session.pin).toEqual({ address: "127.0.0.2", port: imds.port });
  });

  test("the first is asked where it answers, and stays", async () => {
    const first = await startImds({
      content: (socket, nth) => (nth === 0 ? give(200, "first")(socket) : socket.resetAndDestroy()),
    });
    const second = await startImds({}, { host: "127.0.0.2", port: first.port });
    const session = open(first.port, { addresses: ["127.0.0.1", "127.0.0.2"] });
    expect((await get(session)).toString()).toBe("first");
    expect((await failure(get(session))).code).toBe("ERR_IMDS_UNREACHABLE");
    expect(second.connections()).toBe(0);
  });

  test("a token is for who gave it: where the first is gone, the second is not asked with it", async () => {
    const first = await startImds();
    const second = await startImds({}, { host: "127.0.0.2", port: first.port });
    const session = open(first.port, { addresses: ["127.0.0.1", "127.0.0.2"] });
    await get(session);
    first.stop();
    expect((await failure(get(session))).evidence[0]?.value).toBe("ECONNREFUSED");
    expect(second.connections()).toBe(0);
  });

  test("a token that has run out is renewed by who gave it, or not at all", async () => {
    const first = await startImds();
    const second = await startImds({}, { host: "127.0.0.2", port: first.port });
    const session = open(first.port, { addresses: ["127.0.0.1", "127.0.0.2"] });
    clock.monotonic = 0;
    await get(session);
    clock.monotonic = 21_600_000;
    first.stop();
    expect((await failure(get(session))).evidence[0]).toMatchObject({
      source: "PUT /latest/api/token",
      value: "ECONNREFUSED",
    });
    expect(second.connections()).toBe(0);
  });

  test("a token is for who gave it, even if another caller has gone on to the second meanwhile", async () => {
    let late: Socket | undefined;
    const first = await startImds({
      content: (socket, nth) => (nth === 0 ? (late = socket) : (first.stop(), give(401)(socket))),
    });
    const own = TOKEN.replace("0==", "2==");
    const content = (socket: Socket): unknown => (give(200, "second")(socket), late && give(503)(late));
    const second = await startImds({ token: give(200, own), content }, { host: "127.0.0.2", port: first.port });
    const session = open(first.port, { addresses: ["127.0.0.1", "127.0.0.2"] });
    const outcomes = await Promise.allSettled([get(session), get(session)]);
    expect(second.requests.slice(1).map((head) => readHead(head).headers.get("x-aws-ec2-metadata-token"))).toEqual([
      own,
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("an answer of the first, even a refusal, is not shopped around", async () => {
    const first = await startImds({ token: give(403) });
    const second = await startImds({}, { host: "127.0.0.2", port: first.port });
    expect((await failure(get(open(first.port, { addresses: ["127.0.0.1", "127.0.0.2"] })))).code).toBe(
      "ERR_IMDS_FORBIDDEN",
    );
    expect(second.connections()).toBe(0);
  });

  test("where all refuse, each was asked once, and the next caller begins again", async () => {
    const port = await freePort();
    const session = open(port, { addresses: ["127.0.0.1", "127.0.0.2", "127.0.0.3"] });
    const asked: string[] = [];
    const error = await seeingSockets(
      (socket) => socket.on("connectionAttempt", (address) => asked.push(address)),
      () => failure(get(session)),
    );
    expect(error.evidence[0]?.value).toBe("ECONNREFUSED");
    expect(asked).toEqual(["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    const late = await startImds({}, { port });
    expect((await get(session)).toString()).toBe("content");
    expect(late.count("PUT")).toBe(1);
  });
});

test("says of each failure what was asked, what came of it, and what to do about it", async () => {
  const over = { remaining: () => 0 };
  const ask = async (service: Service, question: (session: ImdsSession) => Promise<unknown> = get): Promise<object> => {
    const imds = await startImds(service);
    return wordingOf(await failure(question(open(imds.port, { maxRetries: 0 }))));
  };
  const roleName = (session: ImdsSession): Promise<string> => session.roleName(deadlineOf(LONG));
  const overAfterToken = async (session: ImdsSession): Promise<Buffer> => {
    await session.token(deadlineOf(LONG));
    return session.get(PATH, 1_024, over);
  };
  const told: Record<string, object> = {
    "no token in time": await ask({}, (session) => session.token(over)),
    "a redirect instead of a role": await ask({ content: give(302) }, roleName),
    "no role": await ask({ content: give(404) }, roleName),
    "the token instead of a role": await ask({ content: (socket, _, token) => give(200, token)(socket) }, roleName),
    "no answer in time": await ask({}, overAfterToken),
    "an empty answer": await ask({ content: give(200) }),
    "an answer cut short": await ask({
      content: (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
    }),
  };
  for (const status of [300, 400, 401, 403, 404, 405, 429, 500])
    told[`${status} to the token request`] = await ask({ token: give(status) });
  for (const status of [206, 300, 399, 400, 401, 403, 404, 405, 429, 499, 500, 503])
    told[`${status} to a GET`] = await ask({ content: give(status) });
  await expect(golden(told).replaceAll(/port \d+/g, "port N")).toMatchFileSnapshot("golden/session.json");
});
