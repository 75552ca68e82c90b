/** The gateway's HTTP side, asked over real sockets by this very process. */
import type { Socket } from "node:net";
import { connect } from "node:net";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { ImdsUnavailableError } from "../../src/base/errors.js";
import { readAccounts } from "../../src/gateway/accounts.js";
import type { CallerLookup } from "../../src/gateway/callers.js";
import { createCallerLookup } from "../../src/gateway/callers.js";
import type { Exchange, Responder, ResponderOptions } from "../../src/gateway/responder.js";
import { startResponder } from "../../src/gateway/responder.js";
import type { Caller } from "../../src/gateway/rules.js";
import { readRules } from "../../src/gateway/rules-file.js";
import { createTokenMint } from "../../src/gateway/tokens.js";
import type { GuardedSource } from "../../src/gateway/upstream.js";
import { createUpstream } from "../../src/gateway/upstream.js";
import { rejection } from "../guard/guarded-host.js";
import { freePort } from "../support/free-port.js";
import { exchange } from "./exchange.js";

const ROLE = "/latest/meta-data/iam/security-credentials/";
const TTL = { "X-aws-ec2-metadata-token-ttl-seconds": "60" };
const EXPIRATION = new Date("2030-01-01T00:00:00.000Z");
/** Neither tokens nor what is remembered of answers get older while a test runs. */
const still = () => 0;
const OWN = process.getuid?.() ?? 0;

let responder: Responder | undefined;
let exchanges: Exchange[] = [];
let fetched: string[] = [];
let issued = 0;
let slow: Promise<void>;
/** Lets be answered what was asked for at a path that ends with `slow`. */
let release: () => void;

afterEach(async () => {
  release();
  await responder?.close();
  responder = undefined;
});

const source: GuardedSource = {
  async fetch(path) {
    fetched.push(path);
    if (path.endsWith("slow")) await slow;
    if (path.endsWith("missing"))
      throw new ImdsUnavailableError("ERR_IMDS_NOT_FOUND", "IMDS has no such path", { advice: "None." });
    if (path.endsWith("forbidden"))
      throw new ImdsUnavailableError("ERR_IMDS_FORBIDDEN", "IMDS refuses this", { advice: "None." });
    if (path.endsWith("busy")) throw new ImdsUnavailableError("ERR_IMDS_STATUS", "IMDS is busy", { advice: "None." });
    return Buffer.from(`of ${path}`);
  },
  async credentials() {
    issued += 1;
    return {
      accessKeyId: "ASIA",
      secretAccessKey: "secret",
      sessionToken: "token",
      expiration: EXPIRATION,
      roleName: "app",
    };
  },
};

async function start(options: Partial<ResponderOptions> & { readonly text?: string } = {}): Promise<void> {
  exchanges = [];
  fetched = [];
  issued = 0;
  slow = new Promise((resolve) => (release = resolve));
  const accounts = readAccounts();
  const { rules, problems } = readRules(
    options.text ?? `[[rule]]\nuser = ${OWN}\nrole = true\nuser_data = true\n`,
    accounts,
  );
  expect(problems).toEqual([]);
  responder = await startResponder({
    port: 0,
    addresses: ["127.0.0.1"],
    bridgeOf: () => undefined,
    lookup: createCallerLookup({ accounts }),
    mint: createTokenMint(still),
    upstream: createUpstream(source, still, still),
    rules: () => rules,
    uidMin: 1_000,
    refusal: async () => undefined,
    v1: "refuse",
    onExchange: (exchange) => exchanges.push(exchange),
    ...options,
  });
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

function ask(method: string, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { port } = responder!;
    const sent = request(
      { host: "127.0.0.1", port, method, path, headers: { Host: "169.254.169.254", ...headers }, agent: false },
      (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (piece: string) => (body += piece));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers }));
      },
    );
    sent.on("error", reject).end();
  });
}

const get = async (path: string): Promise<Reply> =>
  ask("GET", path, { "X-aws-ec2-metadata-token": (await ask("PUT", "/latest/api/token", TTL)).body });

/** What comes back for bytes that no client library would send; "" where the connection just ends. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(responder!.port, "127.0.0.1", () => socket.write(bytes));
    let answer = "";
    socket.setEncoding("latin1").on("data", (piece: string) => {
      answer += piece;
      socket.end();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer.split("\r\n", 1)[0] ?? ""));
  });
}

describe.skipIf(process.platform !== "linux")("the responder", () => {
  it("gives tokens as the service does", async () => {
    await start();
    const { status, body, headers } = await ask("PUT", "/latest/api/token", TTL);
    expect({ status, length: body.length }).toEqual({ status: 200, length: 56 });
    expect(headers).toMatchObject({
      "content-type": "text/plain",
      server: "EC2ws",
      "x-aws-ec2-metadata-token-ttl-seconds": "60",
    });
  });

  it.each([
    [400, {}],
    [400, { "X-aws-ec2-metadata-token-ttl-seconds": "0" }],
    [400, { "X-aws-ec2-metadata-token-ttl-seconds": "21601" }],
    [400, { "X-aws-ec2-metadata-token-ttl-seconds": "1e3" }],
    [200, { "X-aws-ec2-metadata-token-ttl-seconds": "21600" }],
    [403, { ...TTL, "X-Forwarded-For": "10.0.0.1" }],
    [403, { ...TTL, Forwarded: "for=10.0.0.1" }],
    [403, { ...TTL, Via: "1.1 proxy" }],
    [400, { ...TTL, Connection: "X-aws-ec2-metadata-token-ttl-seconds" }],
    [400, { ...TTL, TE: "trailers" }],
    [400, { ...TTL, Host: "evil.example" }],
    [400, { ...TTL, Host: "169.254.169.254:8080" }],
    [200, { ...TTL, Host: "[fd00:ec2::254]" }],
    [200, { ...TTL, Host: "169.254.169.254:80" }],
  ])("answers %i to a PUT with %j", async (status, headers) => {
    await start();
    expect((await ask("PUT", "/latest/api/token", headers as Record<string, string>)).status).toBe(status);
  });

  it("knows the other methods and paths of the token", async () => {
    await start();
    expect((await ask("GET", "/latest/api/token")).status).toBe(405);
    expect((await ask("PUT", "/2021-03-23/api/token", TTL)).status).toBe(403);
    expect((await ask("PUT", "//latest/api/token", TTL)).status).toBe(200);
    expect((await ask("PUT", "/latest/meta-data/mac", TTL)).status).toBe(405);
    expect((await ask("POST", "/latest/meta-data/mac")).status).toBe(405);
  });

  it("answers metadata with a token, and the seconds that are left", async () => {
    await start();
    const { status, body, headers } = await get("/2021-03-23//meta-data/mac");
    expect({ status, body }).toEqual({ status: 200, body: "of /latest/meta-data/mac" });
    expect(headers["x-aws-ec2-metadata-token-ttl-seconds"]).toBe("60");
    const missing = await get("/latest/meta-data/missing");
    expect(missing).toMatchObject({ status: 404, headers: { "content-type": "text/html" } });
    expect(missing.body).toContain("404 - Not Found");
    expect(exchanges.at(-1)).toMatchObject({ outcome: "answered", reason: "ERR_IMDS_NOT_FOUND" });
    expect((await get("/latest/meta-data/busy")).status).toBe(503);
    expect(exchanges.at(-1)).toMatchObject({ outcome: "unavailable", reason: "ERR_IMDS_STATUS" });
    expect((await get("/latest/meta-data/forbidden")).status).toBe(403);
    expect(exchanges.at(-1)).toMatchObject({ outcome: "refused", reason: "ERR_IMDS_FORBIDDEN" });
    expect((await get("/latest/meta-data/../user-data")).status).toBe(404);
  });

  it("refuses IMDSv1, or answers and says so", async () => {
    await start();
    expect((await ask("GET", "/latest/meta-data/mac")).status).toBe(401);
    expect((await ask("GET", "/latest/meta-data/mac", { "X-aws-ec2-metadata-token": "x" })).status).toBe(401);
    expect(exchanges).toMatchObject([
      { version: 1, status: 401, outcome: "denied", reason: "IMDSv1: a request without a token" },
      { version: 2, status: 401, outcome: "denied" },
    ]);
    await responder?.close();
    await start({ v1: "report" });
    expect((await ask("GET", "/latest/meta-data/mac")).status).toBe(200);
    expect((await ask("GET", "/latest/meta-data/mac", { "X-aws-ec2-metadata-token": "x" })).status).toBe(401);
    expect(exchanges[0]).toMatchObject({ version: 1, status: 200, caller: { uid: OWN, pid: process.pid } });
  });

  it("gives the role as the rule says", async () => {
    await start();
    expect((await get(ROLE)).body).toBe("app");
    expect(JSON.parse((await get(`${ROLE}app`)).body)).toMatchObject({
      Code: "Success",
      Type: "AWS-HMAC",
      AccessKeyId: "ASIA",
      SecretAccessKey: "secret",
      Token: "token",
      Expiration: "2030-01-01T00:00:00Z",
    });
    expect((await get(`${ROLE}other`)).status).toBe(404);
    await responder?.close();
    await start({ text: `[[rule]]\nuser = ${OWN}\nrole = "other"\n` });
    expect((await get(ROLE)).status).toBe(404);
    expect((await get(`${ROLE}app`)).status).toBe(404);
    await responder?.close();
    await start({ text: `[[rule]]\nuser = ${OWN}\n` });
    expect((await get(`${ROLE}app`)).status).toBe(403);
    expect((await get("/latest/user-data")).status).toBe(403);
    expect(issued).toBe(0);
  });

  it("refuses everything off EC2, without asking anybody", async () => {
    await start({ refusal: async () => "this host is not EC2" });
    expect((await ask("PUT", "/latest/api/token", TTL)).status).toBe(403);
    expect((await ask("GET", "/latest/meta-data/mac")).status).toBe(403);
    expect(fetched).toEqual([]);
    expect(exchanges).toMatchObject([{ outcome: "refused", reason: "this host is not EC2" }, { outcome: "refused" }]);
  });

  it("asks once, however many wait", async () => {
    await start();
    const token = (await ask("PUT", "/latest/api/token", TTL)).body;
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => ask("GET", "/latest/meta-data/ami-id", { "X-aws-ec2-metadata-token": token })),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(fetched).toEqual(["/latest/meta-data/ami-id"]);
  });

  it.each([
    [
      "two requests of which the second is smuggled",
      "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    ],
    [
      "an upgrade",
      "GET /latest/meta-data/mac HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ["CONNECT", "CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 10.0.0.1:443\r\n\r\n"],
    ["no HTTP", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"],
    ["a header without an end", `GET / HTTP/1.1\r\nX: ${"a".repeat(20_000)}\r\n\r\n`],
  ])("gives nothing to %s", async (_, bytes) => {
    await start();
    expect(await raw(bytes)).not.toMatch(/ 200 /);
    expect(fetched).toEqual([]);
  });

  it.each([
    ["an absolute URL", "GET http://169.254.169.254/latest/user-data HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n"],
    ["two Hosts", "GET /latest/meta-data/mac HTTP/1.1\r\nHost: 169.254.169.254\r\nHost: evil\r\n\r\n"],
    ["no Host", "GET /latest/meta-data/mac HTTP/1.1\r\n\r\n"],
    ["a body", "GET /latest/meta-data/mac HTTP/1.1\r\nHost: 169.254.169.254\r\nContent-Length: 3\r\n\r\nabc"],
  ])("refuses %s", async (_, bytes) => {
    await start({ v1: "report" });
    expect(await raw(bytes)).toMatch(/^HTTP\/1.1 40[04] /);
    expect(fetched).toEqual([]);
  });

  it("answers many more programs of one user at once than it may hold connections", async () => {
    await start({ connectionsOfUser: 150 });
    const token = (await ask("PUT", "/latest/api/token", TTL)).body;
    const headers = { "X-aws-ec2-metadata-token": token };
    const answers = await Promise.all(Array.from({ length: 400 }, () => ask("GET", `${ROLE}app`, headers)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });

  const until = async (done: () => boolean) => {
    while (!done()) await new Promise((resolve) => setImmediate(resolve));
  };

  const opened = async (count: number) => {
    const sockets = Array.from({ length: count }, () => connect(responder!.port, "127.0.0.1"));
    for (const socket of sockets) socket.on("error", () => undefined);
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
    return sockets;
  };

  it("answers while idle connections fill it, of which the oldest give way", async () => {
    const crowded: (number | undefined)[] = [];
    await start({ connectionsOfUser: 20, onCrowded: (uid) => crowded.push(uid) });
    const idle = await opened(50);
    expect((await get("/latest/meta-data/mac")).status).toBe(200);
    expect(responder!.connections()).toBeLessThanOrEqual(20);
    expect(new Set(crowded)).toEqual(new Set([OWN]));
    expect(crowded.length).toBeGreaterThanOrEqual(30);
    // The last are those that stayed.
    expect(idle.slice(-10).map(({ destroyed }) => destroyed)).toEqual(Array.from({ length: 10 }, () => false));
    for (const socket of idle) socket.destroy();
  });

  it("ends a new connection of a user all of whose others are being answered", async () => {
    await start({ connectionsOfUser: 2 });
    const token = (await ask("PUT", "/latest/api/token", TTL)).body;
    const headers = { "X-aws-ec2-metadata-token": token };
    const asked = [1, 2].map((each) => ask("GET", `/latest/meta-data/${each}slow`, headers));
    await until(() => fetched.length === 2);
    const [third] = await opened(1);
    await new Promise((resolve) => third!.once("close", resolve));
    release();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200]);
  });

  it("takes the place for a new connection from whoever holds the most, however long others have been there", async () => {
    const real = createCallerLookup({ accounts: readAccounts() });
    let first: number | undefined;
    const crowded: (number | undefined)[] = [];
    await start({
      maxConnections: 150,
      onCrowded: (uid) => crowded.push(uid),
      lookup: {
        ...real,
        async userOf(connection) {
          first ??= connection.remotePort;
          const owner = await real.userOf(connection);
          return owner && connection.remotePort === first ? { ...owner, uid: OWN + 1 } : owner;
        },
      },
    });
    const [other] = await opened(1);
    let gone = false;
    other!.on("close", () => (gone = true));
    // By now it is known whose it is.
    await ask("PUT", "/latest/api/token", TTL);
    const many = await opened(250);
    expect((await get("/latest/meta-data/mac")).status).toBe(200);
    expect(responder!.connections()).toBeLessThanOrEqual(150);
    expect(gone).toBe(false);
    expect(new Set(crowded)).toEqual(new Set([OWN]));
    for (const socket of [other!, ...many]) socket.destroy();
  });

  it("ends a connection that has had its time, and answers first what was asked on it", async () => {
    await start({ connectionMs: 200 });
    const token = (await ask("PUT", "/latest/api/token", TTL)).body;
    const agent = new Agent({ keepAlive: true });
    const asked = new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { Host: "169.254.169.254", "X-aws-ec2-metadata-token": token };
      request({ host: "127.0.0.1", port: responder!.port, path: "/latest/meta-data/slow", headers, agent }, resolve)
        .on("error", reject)
        .end();
    });
    await until(() => fetched.length === 1);
    // It was opened later, so that its time is over later.
    const [idle] = await opened(1);
    await new Promise((resolve) => idle!.once("close", resolve));
    release();
    const answer = await asked;
    answer.resume();
    expect(answer.headers.connection).toBe("close");
    expect(answer.statusCode).toBe(200);
    agent.destroy();
  });

  it("takes no token of another user, nor of an earlier gateway", async () => {
    const mint = createTokenMint(still);
    const token = mint.issue("user 1", 60);
    expect(mint.secondsLeft(token, "user 1")).toBe(60);
    expect(mint.secondsLeft(token, "user 2")).toBeUndefined();
    expect(createTokenMint(still).secondsLeft(token, "user 1")).toBeUndefined();
    await start({ mint });
    expect(
      (await ask("GET", "/latest/meta-data/mac", { "X-aws-ec2-metadata-token": mint.issue(`user ${OWN + 1}`, 60) }))
        .status,
    ).toBe(401);
    expect(
      (await ask("GET", "/latest/meta-data/mac", { "X-aws-ec2-metadata-token": mint.issue(`user ${OWN}`, 60) })).status,
    ).toBe(200);
  });

  describe("with callers of a test's own making", () => {
    /** Whom the connections come from, in the order in which they are opened; the last again and again. */
    let who: Partial<Caller>[] = [];
    let identified: { readonly bridge: string | undefined; readonly exact: boolean }[] = [];
    const lookup: CallerLookup = {
      userOf: () => {
        const uid = (who.length > 1 ? who.shift() : who[0])?.uid;
        return Promise.resolve(uid === undefined ? undefined : { uid, inode: String(uid) });
      },
      identify: (_, owner, bridge, exact) => {
        identified.push({ bridge, exact });
        return Promise.resolve({ ...exchange({}, { uid: owner?.uid, bridge, ...who[0] }).caller });
      },
    };
    const startWith = (callers: readonly Partial<Caller>[], options: Parameters<typeof start>[0] = {}) => {
      who = [...callers];
      identified = [];
      return start({ lookup, text: "[[rule]]\n", v1: "report", ...options });
    };

    it.each([
      [true, '[[rule]]\nuser = 1\n[[rule]]\nunit = "a.service"\n'],
      [true, '[[rule]]\ncontainer = "0123456789ab"\n[[rule]]\nuser = 1\n'],
      [true, '[[rule]]\ncontainer = "0123456789ab"\nunit = "a.service"\n'],
      [false, "[[rule]]\nuser = 1\n[[rule]]\ngroup = 1\n"],
      [false, ""],
    ])("looks exactly (%s) by the rules %j", async (exact, text) => {
      await startWith([{ uid: OWN }], { text });
      await ask("GET", "/latest/meta-data/mac");
      expect(identified).toEqual([{ bridge: undefined, exact }]);
    });

    it("takes nobody on loopback for a client on a bridge, whether or not it can be told", async () => {
      for (const uid of [1_500, undefined]) {
        await startWith([{ uid }], { bridgeOf: () => "br0" });
        expect((await ask("GET", "/latest/meta-data/mac")).status).toBe(200);
        expect(identified).toEqual([{ bridge: undefined, exact: false }]);
        expect(exchanges).toMatchObject([{ caller: { uid } }]);
        await responder?.close();
      }
    });

    const bridged = { uid: undefined, bridge: "br0", address: "10.0.0.5" };
    const unknown = { uid: undefined };
    it.each<[number, Partial<Caller>, Partial<Caller>]>([
      [200, { uid: 1_500 }, { uid: 1_500, address: "10.0.0.6" }],
      [401, { uid: 1_500 }, { uid: 1_501 }],
      [401, { uid: 1_500 }, unknown],
      [200, unknown, { uid: undefined, address: "10.0.0.6" }],
      [200, bridged, bridged],
      [401, bridged, { ...bridged, address: "10.0.0.6" }],
      [401, bridged, { ...bridged, bridge: "br1" }],
      [401, bridged, unknown],
      [401, unknown, bridged],
    ])("answers %i where %j asks for a token and %j uses it", async (status, one, other) => {
      await startWith([one]);
      const token = (await ask("PUT", "/latest/api/token", TTL)).body;
      who = [other];
      const headers = { "X-aws-ec2-metadata-token": token };
      expect((await ask("GET", "/latest/api/x", headers)).status).toBe(status);
    });

    /** Connections one after the other, each of which is known when the next one comes. */
    const oneByOne = async (count: number) => {
      const sockets = [];
      for (let index = 0; index < count; index += 1) {
        const before = responder!.connections();
        sockets.push(...(await opened(1)));
        await until(() => responder!.connections() > before);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return sockets;
    };
    const closed = (socket: Socket) => new Promise((resolve) => socket.once("close", resolve));
    const OF = (uid: number): Partial<Caller> => ({ uid });

    it("ends for a new one the oldest idle connection of whoever holds the most", async () => {
      await startWith([1, 2, 2, 2, 3, 4].map(OF), { maxConnections: 5 });
      const sockets = await oneByOne(5);
      const ended = closed(sockets[1]!);
      const [last] = await opened(1);
      await ended;
      expect([...sockets, last!].map(({ destroyed }) => destroyed)).toEqual([false, true, false, false, false, false]);
    });

    it("ends for a new one no connection that is being answered where another is idle", async () => {
      await startWith([1, 1, 1, 2].map(OF), { maxConnections: 3 });
      const asked = ask("GET", "/latest/meta-data/slow");
      await until(() => fetched.length === 1);
      const sockets = await oneByOne(2);
      const ended = closed(sockets[0]!);
      await opened(1);
      await ended;
      release();
      expect([(await asked).status, sockets[1]!.destroyed]).toEqual([200, false]);
    });

    it("ends for a new one the oldest where all are being answered", async () => {
      await startWith([1, 1, 2].map(OF), { maxConnections: 2 });
      const first = rejection(ask("GET", "/latest/meta-data/1slow"));
      await until(() => fetched.length === 1);
      const second = ask("GET", "/latest/meta-data/2slow");
      await until(() => fetched.length === 2);
      await opened(1);
      expect(await first).toMatchObject({ code: "ECONNRESET" });
      release();
      expect((await second).status).toBe(200);
    });

    it("takes a connection on which an answer was given for idle again", async () => {
      await startWith([1, 1].map(OF), { connectionsOfUser: 1 });
      const [first] = await opened(1);
      first!.write("GET /latest/meta-data/mac HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
      await new Promise((resolve) => first!.once("data", resolve));
      const ended = closed(first!);
      const [second] = await opened(1);
      await ended;
      second!.write("GET /latest/meta-data/mac HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
      await new Promise((resolve) => second!.once("data", resolve));
    });

    it("forgets connections that have ended", async () => {
      await startWith([OF(1)]);
      const sockets = await oneByOne(3);
      expect(responder!.connections()).toBe(3);
      sockets[0]!.destroy();
      await until(() => responder!.connections() === 2);
      sockets[1]!.end();
      await until(() => responder!.connections() === 1);
      await responder!.close();
      await until(() => responder!.connections() === 0);
    });

    it("tells of nothing that was asked by who is gone", async () => {
      await startWith([OF(1)]);
      const [socket] = await opened(1);
      socket!.write("GET /latest/meta-data/slow HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
      await until(() => fetched.length === 1);
      socket!.destroy();
      await until(() => responder!.connections() === 0);
      release();
      await ask("GET", "/latest/meta-data/mac");
      expect(exchanges).toMatchObject([{ path: "/latest/meta-data/mac" }]);
    });

    it("ends without a word where it fails itself", async () => {
      const mistake = () => Promise.reject(new TypeError("a mistake"));
      await startWith([OF(1)], { refusal: mistake });
      expect(await rejection(ask("GET", "/latest/meta-data/mac"))).toMatchObject({ code: "ECONNRESET" });
      await responder!.close();
      await startWith([OF(1)], { lookup: { ...lookup, identify: mistake } });
      for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "\0\r\n\r\n"])
        expect(await raw(bytes)).toBe("");
      expect(exchanges).toEqual([]);
    });

    it("has nothing to say to who ends in the midst of a request", async () => {
      await startWith([OF(1)]);
      const [socket] = await opened(1);
      let heard = "";
      socket!.setEncoding("latin1").on("data", (piece: string) => (heard += piece));
      socket!.end("GET /latest");
      await closed(socket!);
      expect([heard, exchanges]).toEqual(["", []]);
    });
  });

  it("takes no header from what every object inherits", async () => {
    await start({ v1: "refuse" });
    const inherited = Object.prototype as unknown as Record<string, unknown>;
    try {
      for (const name of ["x-aws-ec2-metadata-token-ttl-seconds", "via", "te", "expect"]) inherited[name] = "60";
      expect((await ask("PUT", "/latest/api/token")).status).toBe(400);
      expect(exchanges).toMatchObject([{ reason: "x-aws-ec2-metadata-token-ttl-seconds has to be 1 to 21600" }]);
    } finally {
      for (const name of ["x-aws-ec2-metadata-token-ttl-seconds", "via", "te", "expect"]) delete inherited[name];
    }
  });

  it("does not begin where an address is taken, and leaves none of the others taken", async () => {
    await start();
    const other = await freePort();
    const { port } = responder!;
    await expect(start({ port })).rejects.toMatchObject({ code: "EADDRINUSE" });
    await responder!.close();
    await expect(start({ port: other, addresses: ["127.0.0.1", "192.0.2.1"] })).rejects.toMatchObject({
      code: "EADDRNOTAVAIL",
    });
    await start({ port: other });
    expect(responder!.port).toBe(other);
  });

  it("is gone when it is closed", async () => {
    await start({ addresses: ["127.0.0.1", "127.0.0.2"] });
    const { port } = responder!;
    const [socket] = await opened(1);
    const ended = new Promise((resolve) => socket!.once("close", resolve));
    await responder!.close();
    await ended;
    for (const host of ["127.0.0.1", "127.0.0.2"]) {
      const refused = new Promise((resolve) => connect(port, host).once("error", resolve));
      expect(await refused).toMatchObject({ code: "ECONNREFUSED" });
    }
  });
});
