import { gzipSync } from "node:zlib";
import { Socket } from "node:net";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, test, vi } from "vitest";
import { ImdsGuardError, ImdsUnavailableError } from "../../src/base/errors.js";
import type { ImdsRequest, ImdsResponse } from "../../src/imds/transport.js";
import { exchange, startDeadline, wasReset, wasUnreachable } from "../../src/imds/transport.js";
import type { RawServer } from "./raw-server.js";
import { freePort } from "../support/free-port.js";
import { golden, wordingOf } from "../support/wording.js";
import { answer, deadlineOf, drip, flood, LONG, seeingSockets, SHORT, startServer } from "./raw-server.js";
import { compileSource } from "../support/compiled-source.mjs";
import { fc } from "../support/properties.js";

// Properties and processes of their own take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const GET: ImdsRequest = {
  method: "GET",
  path: "/latest/meta-data/x",
  headers: { "x-aws-ec2-metadata-token": "T" },
  maxBody: 1_024,
};
const PUT: ImdsRequest = {
  method: "PUT",
  path: "/latest/api/token",
  headers: { "x-aws-ec2-metadata-token-ttl-seconds": "21600" },
  maxBody: 1_024,
};

const ask = (server: RawServer, request = GET, milliseconds = LONG, address = "127.0.0.1"): Promise<ImdsResponse> =>
  exchange({ address, port: server.port }, request, deadlineOf(milliseconds));

async function failure(exchanged: Promise<unknown>): Promise<ImdsGuardError> {
  const error: unknown = await exchanged.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ImdsGuardError)) throw new Error(`expected an error of the guard, got ${String(error)}`);
  return error;
}

describe("what goes over the wire", () => {
  test("a PUT is these bytes and no others", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "ok")));
    await ask(server, PUT);
    expect(server.requests).toEqual([
      "PUT /latest/api/token HTTP/1.1\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\ncontent-length: 0\r\n" +
        `Host: 127.0.0.1:${server.port}\r\nConnection: close\r\n\r\n`,
    ]);
  });

  test("a GET is these bytes and no others", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "ok")));
    await ask(server);
    expect(server.requests).toEqual([
      `GET /latest/meta-data/x HTTP/1.1\r\nx-aws-ec2-metadata-token: T\r\nHost: 127.0.0.1:${server.port}\r\nConnection: close\r\n\r\n`,
    ]);
  });

  test("IPv6 is spoken to with its address in brackets", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "six")), { host: "::1" });
    expect((await ask(server, GET, LONG, "::1")).body.toString()).toBe("six");
    expect(server.requests[0]).toContain(`Host: [::1]:${server.port}\r\n`);
  });

  test("one exchange is one connection: the one whose peer was checked", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "ok")));
    await ask(server, PUT);
    await ask(server);
    expect(server.connections()).toBe(2);
    expect(server.requests).toHaveLength(2);
  });
});

describe("what is taken for an answer", () => {
  test.each<[string, string | Buffer, number, string]>([
    ["stated length", answer(200, "body"), 200, "body"],
    ["no length, ended by closing", "HTTP/1.1 200 OK\r\n\r\nbody", 200, "body"],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nbody", 200, "body"],
    ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n", 200, "body"],
    ["an empty body", answer(200), 200, ""],
    [
      "two informational answers before it",
      `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${answer(200, "body").toString()}`,
      200,
      "body",
    ],
    ["a redirect, as it is", answer(302, "", { Location: "http://192.0.2.1/" }), 302, ""],
    ["an unauthorized answer", answer(401, "no"), 401, "no"],
    ["a body as large as allowed", answer(200, "x".repeat(1_024)), 200, "x".repeat(1_024)],
    ["a compressed body, as it is", answer(200, "packed", { "Content-Encoding": "gzip" }), 200, "packed"],
  ])("%s", async (_, bytes, status, body) => {
    const server = await startServer((socket) => socket.end(bytes));
    const response = await ask(server);
    expect([response.status, response.body.toString()]).toEqual([status, body]);
    expect(server.connections()).toBe(1);
  });

  test("a packed body is never unpacked", async () => {
    const packed = gzipSync("x".repeat(100_000));
    const server = await startServer((socket) => socket.end(answer(200, packed, { "Content-Encoding": "gzip" })));
    expect((await ask(server)).body.equals(packed)).toBe(true);
  });

  test("is complete even if the responder keeps the connection open", async () => {
    const server = await startServer((socket) => socket.write(answer(200, "open")));
    expect((await ask(server)).body.toString()).toBe("open");
  });
});

const HEAD = "HTTP/1.1 200 OK\r\n";

describe("what is refused as malformed", () => {
  test.each<[string, string]>([
    ["a hundred 100s", "HTTP/1.1 100 Continue\r\n\r\n".repeat(100)],
    ["three 102s", `${"HTTP/1.1 102 Processing\r\n\r\n".repeat(3)}${HEAD}Content-Length: 2\r\n\r\nok`],
    ["three 103s", `${"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n".repeat(3)}${HEAD}Content-Length: 2\r\n\r\nok`],
    [
      "three of each kind",
      `HTTP/1.1 100 A\r\n\r\nHTTP/1.1 102 B\r\n\r\nHTTP/1.1 103 C\r\n\r\n${HEAD}Content-Length: 0\r\n\r\n`,
    ],
    ["a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"],
    ["a switch to nothing", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    ["an HTTP/0.9 answer", "ASIAEXAMPLE\n"],
    ["HTML without a head", "<!DOCTYPE html><html></html>"],
    ["another protocol", "SSH-2.0-OpenSSH_9.9\r\n"],
    ["TLS", "\x15\x03\x01\x00\x02\x02\x50"],
    ["two lengths that differ", `${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!`],
    ["two lengths that agree", `${HEAD}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`],
    ["a length and chunks", `${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`],
    ["a negative length", `${HEAD}Content-Length: -1\r\n\r\n`],
    ["a length in words", `${HEAD}Content-Length: two\r\n\r\nok`],
    ["a length beyond numbers", `${HEAD}Content-Length: 99999999999999999999999\r\n\r\nok`],
    ["a header line without a colon", `${HEAD}nonsense\r\n\r\n`],
    ["a NUL in a header", `${HEAD}A: b\0c\r\n\r\n`],
    ["a bare CR in a header", `${HEAD}A: b\rc\r\n\r\n`],
    ["a chunk size that is none", `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n`],
    ["a chunk longer than stated", `${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n`],
  ])("%s", async (_, text) => {
    const server = await startServer((socket) => socket.write(Buffer.from(text, "latin1")));
    const error = await failure(ask(server));
    expect([error.kind, error.code]).toEqual(["untrusted", "ERR_IMDS_MALFORMED"]);
    expect(error.tryNextLink).toBe(false);
  });

  test("an answer before the question", async () => {
    // The responder is another thread, and this one sleeps until its words must have arrived.
    const thread = new Worker(
      `const { parentPort } = require("node:worker_threads");
       const server = require("node:net").createServer((socket) => { socket.on("error", () => {}); socket.write("HTTP/1.1 200 OK\\r\\n\\r\\nearly"); });
       server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));`,
      { eval: true },
    );
    const [port] = (await once(thread, "message")) as [number];
    const asleep = (): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    const connect = Socket.prototype.connect as (this: Socket, ...args: unknown[]) => Socket;
    Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
      setImmediate(asleep);
      return connect.apply(this, args);
    };
    const error = await failure(exchange({ address: "127.0.0.1", port }, GET, deadlineOf(LONG))).finally(() => {
      Socket.prototype.connect = connect;
    });
    await thread.terminate();
    expect([error.code, error.evidence[0]?.says]).toEqual([
      "ERR_IMDS_MALFORMED",
      "the peer sent data before it was asked",
    ]);
  });
});

describe("what is refused as too large", () => {
  test.each<[string, string, (socket: Socket) => void]>([
    ["a header", "8192 bytes of headers", (socket) => socket.write(`${HEAD}A: ${"b".repeat(20_000)}\r\n\r\n`)],
    ["headers without end", "8192 bytes of headers", (socket) => (socket.write(HEAD), flood(socket, "A: b\r\n"))],
    [
      "a header without end",
      "8192 bytes of headers",
      (socket) => (socket.write(`${HEAD}A: `), flood(socket, "b".repeat(1_000))),
    ],
    ["a stated body", "states a body of 1025 bytes", (socket) => socket.write(`${HEAD}Content-Length: 1025\r\n\r\n`)],
    [
      "a stated body of an exbibyte",
      "states a body of 1152921504606847000 bytes",
      (socket) => socket.write(`${HEAD}Content-Length: 1152921504606846976\r\n\r\n`),
    ],
    [
      "a body without end",
      "sends more than 1024 bytes",
      (socket) => (socket.write(`${HEAD}\r\n`), flood(socket, Buffer.alloc(65_536))),
    ],
    [
      "chunks without end",
      "sends more than 1024 bytes",
      (socket) => (socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`), flood(socket, "4\r\nabcd\r\n")),
    ],
  ])("%s", async (_, says, onRequest) => {
    const server = await startServer(onRequest);
    const error = await failure(ask(server));
    expect([error.kind, error.code]).toEqual(["untrusted", "ERR_IMDS_TOO_LARGE"]);
    expect(error.evidence[0]?.says).toContain(says);
  });

  test("chunk extensions without end", async () => {
    const server = await startServer(
      (socket) => (socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n1;`), flood(socket, "x".repeat(1_000))),
    );
    expect((await failure(ask(server))).kind).toBe("untrusted");
  });

  test("trailers without end", async () => {
    const server = await startServer(
      (socket) => (socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n`), flood(socket, "A: b\r\n")),
    );
    expect((await failure(ask(server))).kind).toBe("untrusted");
  });

  test("a flood leaves no memory behind", async () => {
    const server = await startServer((socket) => (socket.write(`${HEAD}\r\n`), flood(socket, Buffer.alloc(1_048_576))));
    const before = process.memoryUsage().arrayBuffers;
    for (let round = 0; round < 5; round++) await failure(ask(server));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1_048_576);
  });
});

describe("what never ends, ends at the deadline", () => {
  test.each<[string, (socket: Socket) => void]>([
    ["silence", () => undefined],
    ["half a head", (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-")],
    ["half a body", (socket) => socket.write(`${HEAD}Content-Length: 10\r\n\r\nhalf`)],
    ["a head drop by drop", (socket) => drip(socket, `${HEAD}${"A: b\r\n".repeat(1_000)}`)],
    ["a body drop by drop", (socket) => drip(socket, `${HEAD}Content-Length: 1000\r\n\r\n${"x".repeat(1_000)}`)],
    ["chunks that pause for ever", (socket) => socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n`)],
    ["an informational answer and nothing more", (socket) => socket.write("HTTP/1.1 100 Continue\r\n\r\n")],
  ])("%s", async (_, onRequest) => {
    const server = await startServer(onRequest);
    const error = await failure(ask(server, GET, SHORT));
    expect([error.kind, error.code]).toEqual(["unavailable", "ERR_IMDS_TIMEOUT"]);
    expect(wasUnreachable(error)).toBe(false);
  });

  test("a deadline that has passed opens no connection", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "ok")));
    let opened = 0;
    expect(
      (
        await seeingSockets(
          () => opened++,
          () => failure(ask(server, GET, 0)),
        )
      ).code,
    ).toBe("ERR_IMDS_TIMEOUT");
    expect([opened, server.requests]).toEqual([0, []]);
  });

  test("a deadline counts on a clock of its own and never below zero", () => {
    let time = 1_000;
    const deadline = startDeadline(50, () => time);
    expect(deadline.remaining()).toBe(50);
    time = 1_030;
    expect(deadline.remaining()).toBe(20);
    time = 5_000;
    expect(deadline.remaining()).toBe(0);
  });
});

describe("what breaks on the way", () => {
  test.each<[string, (socket: Socket) => void]>([
    ["a reset instead of an answer", (socket) => socket.resetAndDestroy()],
    ["an end instead of an answer", (socket) => socket.end()],
    ["an end in the middle of a body", (socket) => socket.end(`${HEAD}Content-Length: 10\r\n\r\nhalf`)],
    [
      "a reset in the middle of a body",
      (socket) =>
        socket.write(`${HEAD}Content-Length: 10\r\n\r\nhalf`, () => setTimeout(() => socket.resetAndDestroy(), 50)),
    ],
    ["an end in the middle of chunks", (socket) => socket.end(`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhalf`)],
  ])("%s may pass", async (_, onRequest) => {
    const server = await startServer(onRequest);
    const error = await failure(ask(server));
    expect([error.kind, error.code, wasReset(error)]).toEqual(["unavailable", "ERR_IMDS_UNREACHABLE", true]);
  });

  test("an end before the question may pass", async () => {
    const server = await startServer(() => undefined, { onConnection: (socket) => socket.end() });
    const error = await failure(ask(server));
    expect([error.kind, error.code, wasReset(error)]).toEqual(["unavailable", "ERR_IMDS_UNREACHABLE", true]);
  });

  test("a connection that breaks before the question sends nothing", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "ok")));
    const broken = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    let sent = 0;
    const error = await seeingSockets(
      (socket) => socket.once("connect", () => setImmediate(() => socket.destroy(broken))),
      () => failure(ask(server, { ...GET, onSent: () => sent++ })),
    );
    // What would be sent is sent in this turn of the event loop or the next.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect([error.code, wasReset(error), sent, server.requests]).toEqual(["ERR_IMDS_UNREACHABLE", true, 0, []]);
  });

  test("a connection that is reset as soon as it stands may pass: nobody led it elsewhere", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "ok")));
    // A reset that comes between the connection and the question for its peer leaves a socket without one.
    const error = await seeingSockets(
      (socket) => socket.once("connect", () => socket.destroy()),
      () => failure(ask(server)),
    );
    expect([error.kind, error.code, wasReset(error)]).toEqual(["unavailable", "ERR_IMDS_UNREACHABLE", true]);
    expect(server.requests).toEqual([]);
  });

  test("a head that ends in the middle is no answer", async () => {
    const server = await startServer((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Le"));
    expect((await failure(ask(server))).tryNextLink).toBeTypeOf("boolean");
  });

  test("a refused connection will not pass", async () => {
    const closed = await startServer(() => undefined);
    const free = await freePort();
    const error = await failure(exchange({ address: "127.0.0.1", port: free }, GET, deadlineOf(LONG)));
    expect([error.code, error.evidence[0]?.value, wasUnreachable(error), wasReset(error)]).toEqual([
      "ERR_IMDS_UNREACHABLE",
      "ECONNREFUSED",
      true,
      false,
    ]);
    expect(closed.connections()).toBe(0);
  });

  test("what does not say how it failed was no reset", () => {
    const silent = new ImdsUnavailableError("ERR_IMDS_UNREACHABLE", "x", { advice: "x" });
    expect([wasUnreachable(silent), wasReset(silent)]).toEqual([true, false]);
  });

  test("other errors are neither unreachable nor reset", () => {
    const timeout = new ImdsUnavailableError("ERR_IMDS_TIMEOUT", "x", { advice: "x" });
    for (const error of [timeout, new Error("ECONNRESET"), undefined, "ECONNRESET"]) {
      expect([wasUnreachable(error), wasReset(error)]).toEqual([false, false]);
    }
  });
});

/** Has the connection that `run` makes at once go elsewhere, as code in the same process could. */
function ledTo<T>(elsewhere: { readonly host: string; readonly port: number }, run: () => Promise<T>): Promise<T> {
  const connect = Socket.prototype.connect as (this: Socket, ...args: unknown[]) => Socket;
  Socket.prototype.connect = function (this: Socket) {
    return connect.call(this, elsewhere);
  };
  try {
    return run();
  } finally {
    Socket.prototype.connect = connect;
  }
}

describe("the pin", () => {
  test("a connection that something in the process leads elsewhere is refused before a byte is sent", async () => {
    const elsewhere = await startServer((socket) => socket.end(answer(200, "gotcha")), { host: "127.0.0.2" });
    const error = await ledTo({ host: "127.0.0.2", port: elsewhere.port }, () => failure(ask(elsewhere)));
    expect([error.kind, error.code]).toEqual(["untrusted", "ERR_IMDS_PEER_MISMATCH"]);
    expect(error.evidence[0]?.value).toBe(`127.0.0.2 port ${elsewhere.port}`);
    expect(elsewhere.requests).toEqual([]);
  });

  test("a connection that is led to another port of the same address is refused, too", async () => {
    const elsewhere = await startServer((socket) => socket.end(answer(200, "gotcha")));
    const pinned = await startServer((socket) => socket.end(answer(200, "pinned")));
    const error = await ledTo({ host: "127.0.0.1", port: elsewhere.port }, () => failure(ask(pinned)));
    expect([error.code, error.evidence[0]?.value]).toEqual([
      "ERR_IMDS_PEER_MISMATCH",
      `127.0.0.1 port ${elsewhere.port}`,
    ]);
    expect(elsewhere.requests).toEqual([]);
  });

  test("an address that stands for another one is refused", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "any")));
    expect((await failure(ask(server, GET, LONG, "0.0.0.0"))).code).toBe("ERR_IMDS_PEER_MISMATCH");
    expect(server.requests).toEqual([]);
  });

  test("an IPv4 address in IPv6 dress is the same address", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "mapped")));
    expect((await ask(server, GET, LONG, "::ffff:127.0.0.1")).body.toString()).toBe("mapped");
  });
});

test("says of each failure what was asked, what came of it, and what to do about it", async () => {
  const says = async (onRequest: (socket: Socket) => void): Promise<object> =>
    wordingOf(await failure(ask(await startServer(onRequest))));
  const idle = await startServer(() => undefined);
  const nowhere = await freePort();
  const told: Record<string, object> = {
    "three informational answers": await says((socket) => socket.write("HTTP/1.1 102 Processing\r\n\r\n".repeat(3))),
    "a switch of protocols": await says((socket) =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    ),
    "a switch to nothing": await says((socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n")),
    "two lengths": await says((socket) => socket.write(`${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!`)),
    "a stated length beyond the cap": await says((socket) => socket.write(`${HEAD}Content-Length: 1025\r\n\r\n`)),
    "a body beyond the cap": await says((socket) => socket.end(`${HEAD}\r\n${"x".repeat(1_025)}`)),
    "headers beyond the cap": await says((socket) => socket.write(`${HEAD}A: ${"x".repeat(9_000)}\r\n\r\n`)),
    "a reset": await says((socket) => socket.resetAndDestroy()),
    "an end in the middle": await says((socket) => socket.end(`${HEAD}Content-Length: 10\r\n\r\nhalf`)),
    "no connection": wordingOf(await failure(exchange({ address: "127.0.0.1", port: nowhere }, PUT, deadlineOf(LONG)))),
    "a connection that was reset at once": wordingOf(
      await seeingSockets(
        (socket) => socket.once("connect", () => socket.destroy()),
        () => failure(ask(idle)),
      ),
    ),
    "an error of the connection without a code": wordingOf(
      await seeingSockets(
        (socket) => socket.once("connect", () => setImmediate(() => socket.destroy(new Error("x")))),
        () => failure(ask(idle)),
      ),
    ),
    "no answer in time": wordingOf(await failure(ask(idle, PUT, 0))),
    "another peer": wordingOf(
      await ledTo({ host: "127.0.0.1", port: idle.port }, () =>
        failure(exchange({ address: "127.0.0.1", port: nowhere }, GET, deadlineOf(LONG))),
      ),
    ),
  };
  await expect(golden(told).replaceAll(/port \d+/g, "port N")).toMatchFileSnapshot("golden/transport.json");
});

describe("proxies", () => {
  test.each(["HTTP_PROXY", "http_proxy", "ALL_PROXY"])(
    "%s gets no connection, whatever NODE_USE_ENV_PROXY says",
    async (variable) => {
      const server = await startServer((socket) => socket.end(answer(200, "direct")));
      const proxy = await startServer((socket) => socket.end(answer(200, "proxied")));
      const body = await inChild(server.port, {
        NODE_USE_ENV_PROXY: "1",
        [variable]: `http://127.0.0.1:${proxy.port}`,
      });
      expect(body).toBe("direct");
      expect(proxy.connections()).toBe(0);
    },
  );

  test("a changed global agent gets no connection either", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "direct")));
    const proxy = await startServer((socket) => socket.end(answer(200, "proxied")));
    const lead = `const { createConnection } = http.globalAgent; http.globalAgent.createConnection = http.Agent.prototype.createConnection =
      (options, done) => net.connect({ host: "127.0.0.1", port: ${proxy.port} }, done);`;
    expect(await inChild(server.port, {}, lead)).toBe("direct");
    expect(proxy.connections()).toBe(0);
  });

  test("a library that forces an agent upon every request, loaded before or after, gets nothing", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "direct")));
    const proxy = await startServer((socket) => socket.end(answer(200, "proxied")));
    // As global-agent 3 does it, whatever `options` say.
    const force = `const { request } = http; const agent = new http.Agent();
      agent.createConnection = (options, done) => net.connect({ host: "127.0.0.1", port: ${proxy.port} }, done);
      http.globalAgent = agent; http.request = (options, done) => request({ ...options, agent }, done);
      (await import("node:module")).syncBuiltinESMExports();`;
    expect(await inChild(server.port, {}, force)).toBe("direct");
    expect(await inChild(server.port, {}, "", force)).toBe("direct");
    expect(proxy.connections()).toBe(0);
  });

  test("a library that exchanges the socket of a request gets no request", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "direct")));
    const proxy = await startServer((socket) => socket.end(answer(200, "proxied")));
    const exchanged = `const { onSocket } = http.ClientRequest.prototype;
      http.ClientRequest.prototype.onSocket = function () { onSocket.call(this, net.connect(${proxy.port}, "127.0.0.1")); };`;
    expect(await inChild(server.port, {}, exchanged)).toBe("ERR_IMDS_PEER_MISMATCH");
    expect([server.requests, proxy.requests]).toEqual([[], []]);
  });

  test("an answer that comes over another socket is none", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "direct")));
    const exchanged = `const { emit } = http.ClientRequest.prototype;
      http.ClientRequest.prototype.emit = function (name, first) {
        return name === "response" ? emit.call(this, name, Object.create(first, { socket: { value: new net.Socket() } })) : emit.apply(this, arguments);
      };`;
    expect(await inChild(server.port, {}, exchanged)).toBe("ERR_IMDS_PEER_MISMATCH");
  });

  test("what is put on Object.prototype changes nothing, whichever option of Node's it is", async () => {
    const server = await startServer((socket) => socket.end(answer(200, "direct")));
    const proxy = await startServer((socket) => socket.end(answer(200, "proxied")));
    // Neither "timeout" nor "signal": with those, Node's own events and answers break, in any program.
    const pollute = `const own = { auth: "a:b", defaultPort: 1, family: 6, fd: 99, hints: 1, hostname: "localhost", localAddress: "192.0.2.1",
        path: "/elsewhere", port: ${proxy.port}, protocol: "https:", setDefaultHeaders: false, setHost: false, socketPath: "/nowhere",
        lookup: (name, options, done) => done(null, "192.0.2.1", 4), method: "POST", headers: { polluted: "1" }, insecureHTTPParser: true,
        createConnection: () => net.connect(${proxy.port}, "127.0.0.1"), agent: new http.Agent(), maxHeaderSize: 1, joinDuplicateHeaders: true,
        uniqueHeaders: ["x"], onread: { buffer: new Uint8Array(1), callback: () => true }, polluted: 1 };
      for (const [name, value] of Object.entries(own)) Object.defineProperty(Object.prototype, name, { value, enumerable: true, configurable: true, writable: true });`;
    expect(await inChild(server.port, {}, "", pollute)).toBe("direct");
    expect(proxy.connections()).toBe(0);
    const requests = [...server.requests];
    server.requests.length = 0;
    await inChild(server.port, {});
    expect(requests).toEqual(server.requests);
  });
});

/** One exchange in a process of its own, on the running Node; the body it got, or the code of the error. */
async function inChild(
  port: number,
  env: Readonly<Record<string, string>>,
  before = "",
  between = "",
): Promise<string> {
  const program = `
    import http from "node:http"; import net from "node:net"; void process.stdout, process.stderr; ${before}
    const { exchange } = await import(process.argv[1]);
    ${between}
    await exchange({ address: "127.0.0.1", port: ${port} }, { method: "GET", path: "/", headers: {}, maxBody: 99 }, { remaining: () => 10000 })
      .then(({ body }) => process.stdout.write(body), ({ code }) => process.stdout.write(code));`;
  const { url, remove } = compileSource("imds/transport");
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, url], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await new Promise((resolve) => child.once("close", resolve));
  remove();
  return output;
}

test("whatever is answered, the outcome is an answer or an error of the guard", async () => {
  let bytes: Uint8Array = new Uint8Array();
  const server = await startServer((socket) => socket.end(bytes));
  const line = fc.constantFrom(
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 A\r\n\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "\r\n",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    "abc",
    "\0",
    "HTTP/",
  );
  const spoken = fc.oneof(
    fc.array(line, { maxLength: 8 }).map((lines) => Buffer.from(lines.join(""))),
    fc.uint8Array({ maxLength: 200 }),
  );
  await fc.assert(
    fc.asyncProperty(spoken, async (said) => {
      bytes = said;
      const outcome = await ask(server).catch((error: unknown) => error);
      expect(outcome instanceof ImdsGuardError || (outcome as ImdsResponse).body.length <= GET.maxBody).toBe(true);
    }),
    { numRuns: 150 },
  );
});
