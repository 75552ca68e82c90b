/** One exchange, byte for byte: over plain TCP, TLS and proxies, and everything that answers otherwise than AWS. */
import { once } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import { connect, createServer } from "node:net";
import { createServer as createSecureServer } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import type { Exchange } from "../../src/roles-anywhere/connection.js";
import { exchange, MAX_ANSWER, NoAnswer, proxyFor } from "../../src/roles-anywhere/connection.js";
import { issue } from "../support/certificates.mjs";
import { selfSignedCertificate } from "../support/tls-certificate.mjs";

const tls = selfSignedCertificate();
const servers: { server: Server; sockets: Set<Socket> }[] = [];
afterEach(async () => {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  }
});

/** A server that is given each connection, and what it received so far. */
async function serve(handle: (socket: Socket, text: () => string) => void, secure = false): Promise<number> {
  const sockets = new Set<Socket>();
  const take = (socket: Socket): void => {
    let received = "";
    sockets.add(socket.on("error", () => undefined));
    socket.on("data", (piece: Buffer) => (received += piece.toString("latin1")));
    handle(socket, () => received);
  };
  const server = secure ? createSecureServer(tls, take) : createServer(take);
  servers.push({ server, sockets });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
/** Answers the first request with these bytes, and keeps what was asked. */
async function answering(bytes: string, { secure = false, end = false } = {}) {
  const asked: string[] = [];
  const port = await serve((socket, text) => {
    socket.on("data", () => {
      if (!text().includes("\r\n\r\n") || asked.length > 0) return;
      asked.push(text());
      if (end) socket.end(bytes);
      else socket.write(bytes);
    });
  }, secure);
  return { port, asked };
}

const ask = (port: number, more: Partial<Exchange> = {}) =>
  exchange({
    url: new URL(`http://127.0.0.1:${port}`),
    method: "POST",
    path: "/sessions?a=b",
    headers: { host: "x.example", "x-a": "1" },
    body: "é",
    timeoutMs: 5_000,
    ...more,
  });
const over = (port: number, more: Partial<Exchange> = {}) =>
  ask(port, { url: new URL(`https://127.0.0.1:${port}`), ca: tls.cert, ...more });
async function failure(asked: Promise<unknown>): Promise<NoAnswer> {
  const error: unknown = await asked.then(
    () => new Error("it was answered"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(NoAnswer);
  return error as NoAnswer;
}

const OK = "HTTP/1.1 201 Created\r\nX-B: 2\r\nContent-Length: 2\r\n\r\nok";
const SENT =
  "POST /sessions?a=b HTTP/1.1\r\nhost: x.example\r\nx-a: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n";

describe("an answer", () => {
  test("over plain TCP, to exactly what was to be sent", async () => {
    const { port, asked } = await answering(OK);
    const { status, headers, body } = await ask(port);
    expect([status, headers["x-b"], body.toString()]).toEqual([201, "2", "ok"]);
    expect(asked).toEqual([`${SENT}\u00c3\u00a9`]);
  });

  test("to a request without a body", async () => {
    const { port, asked } = await answering(OK);
    await ask(port, { method: "GET", body: undefined });
    expect(asked).toEqual(["GET /sessions?a=b HTTP/1.1\r\nhost: x.example\r\nx-a: 1\r\nconnection: close\r\n\r\n"]);
  });

  test("over TLS, of the authority that is named alone", async () => {
    const { port, asked } = await answering(OK, { secure: true });
    expect((await over(port)).status).toBe(201);
    expect(asked).toEqual([`${SENT}\u00c3\u00a9`]);
    expect(await failure(over(port, { ca: issue({ name: "another", ca: true }).cert }))).toMatchObject({
      mayPass: true,
      message: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY/) as string,
    });
    expect(await failure(over(port, { ca: undefined }))).toMatchObject({ mayPass: true });
  });

  test("in pieces, and of as many bytes as may be", async () => {
    const pieces = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n";
    expect((await ask((await answering(pieces)).port)).body.toString()).toBe("abc");
    const most = `HTTP/1.1 200 OK\r\nContent-Length: ${MAX_ANSWER}\r\n\r\n${"x".repeat(MAX_ANSWER)}`;
    expect((await ask((await answering(most)).port)).body).toHaveLength(MAX_ANSWER);
    const untold = `HTTP/1.1 200 OK\r\n\r\n${"x".repeat(MAX_ANSWER)}`;
    expect((await ask((await answering(untold, { end: true })).port)).body).toHaveLength(MAX_ANSWER);
  });
});

describe("no answer", () => {
  test.each([
    ["an answer that states 65537 bytes", false, `HTTP/1.1 200 OK\r\nContent-Length: ${MAX_ANSWER + 1}\r\n\r\nx`],
    ["an answer of more than 65536 bytes", false, `HTTP/1.1 200 OK\r\n\r\n${"x".repeat(MAX_ANSWER + 1)}`],
    [
      "an answer that switches protocols",
      false,
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    ],
    ["no HTTP (HPE_INVALID_CONSTANT)", false, "SSH-2.0-OpenSSH_9.6\r\n"],
    ["no HTTP (HPE_HEADER_OVERFLOW)", false, `HTTP/1.1 200 OK\r\nX: ${"x".repeat(17_000)}\r\n\r\n`],
  ])("%s", async (reason, mayPass, bytes) => {
    const error = await failure(ask((await answering(bytes)).port));
    expect(error).toMatchObject({ name: "NoAnswer", message: reason, mayPass });
  });

  test.each([
    ["ECONNRESET", ""],
    ["the answer was cut short", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"],
  ])("%s", async (reason, bytes) => {
    const error = await failure(ask((await answering(bytes, { end: true })).port));
    expect(error).toMatchObject({ message: reason, mayPass: true, cause: expect.any(Error) as Error });
  });

  test("where nobody listens, and where nothing comes in time", async () => {
    const port = await serve(() => undefined);
    expect(await failure(ask(port, { timeoutMs: 60 }))).toMatchObject({
      message: "no whole answer within 60 ms",
      mayPass: true,
    });
    expect(await failure(over(port, { timeoutMs: 60 }))).toMatchObject({ mayPass: true });
    const { server } = servers.pop()!;
    server.close();
    expect(await failure(ask(port))).toMatchObject({ message: "ECONNREFUSED", mayPass: true });
    expect(await failure(ask(port, { url: new URL(`http://name.invalid:${port}`) }))).toMatchObject({ mayPass: true });
  });

  test("leaves no connection behind", async () => {
    let closed = 0;
    const port = await serve((socket) => socket.on("close", () => (closed += 1)));
    await failure(ask(port, { timeoutMs: 50 }));
    await expect.poll(() => closed).toBe(1);
  });
});

describe("through a proxy", () => {
  /** A proxy that leads to where it is asked, or answers with these bytes. */
  async function proxy(answer?: string, secure = false): Promise<{ url: URL; asked: string[] }> {
    const asked: string[] = [];
    const port = await serve((client, text) => {
      client.on("data", () => {
        if (!text().endsWith("\r\n\r\n") || asked.length > 0) return;
        asked.push(text());
        if (answer !== undefined) return void client.write(answer);
        const [, host = "", at = ""] = /^CONNECT ([^ ]+):(\d+) /.exec(text()) ?? [];
        const beyond = connect(Number(at), host, () => {
          client.removeAllListeners("data");
          client.write("HTTP/1.1 200 Connection established\r\n\r\n");
          client.pipe(beyond).pipe(client);
        });
        beyond.on("error", () => undefined);
      });
    }, secure);
    return { url: new URL(`${secure ? "https" : "http"}://127.0.0.1:${port}`), asked };
  }

  test("that is told where to, and nothing else", async () => {
    const { port, asked } = await answering(OK, { secure: true });
    const way = await proxy();
    expect((await over(port, { proxy: way.url })).body.toString()).toBe("ok");
    expect(asked).toEqual([`${SENT}\u00c3\u00a9`]);
    expect(way.asked).toEqual([
      `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`,
    ]);
  });

  test.each([
    ["user:pa%2Fss", "user:pa/ss"],
    ["user", "user:"],
    [":pass", ":pass"],
  ])("that wants %s", async (written, pair) => {
    const way = await proxy("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    const url = new URL(way.url.href.replace("//", `//${written}@`));
    const error = await failure(over(443, { proxy: url }));
    expect(error).toMatchObject({ message: `the proxy "${way.url.host}" answered 407`, mayPass: true });
    expect(way.asked[0]).toContain(`proxy-authorization: Basic ${Buffer.from(pair).toString("base64")}\r\n`);
    expect(JSON.stringify([error, error.stack])).not.toContain("pa/ss");
  });

  test("to an IPv6 address, and to the port that https has", async () => {
    const way = await proxy("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    await failure(ask(1, { url: new URL("https://[2001:db8::1]"), proxy: way.url }));
    expect(way.asked[0]).toMatch(/^CONNECT \[2001:db8::1\]:443 HTTP\/1\.1\r\nhost: \[2001:db8::1\]:443\r\n/);
  });

  test("that speaks first", async () => {
    const way = await proxy("HTTP/1.1 200 OK\r\n\r\nhello");
    expect(await failure(over(443, { proxy: way.url }))).toMatchObject({
      message: "the proxy sent data before it was asked",
      mayPass: true,
    });
  });

  test("over TLS, which is verified by the authorities of Node.js", async () => {
    const way = await proxy(undefined, true);
    expect(await failure(over(443, { proxy: way.url }))).toMatchObject({
      message: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY/) as string,
    });
    expect(way.asked).toEqual([]);
  });

  test("that is not there", async () => {
    const port = await serve(() => undefined);
    servers.pop()!.server.close();
    expect(await failure(over(443, { proxy: new URL(`http://127.0.0.1:${port}`) }))).toMatchObject({
      message: "ECONNREFUSED",
    });
  });
});

describe("which proxy", () => {
  const AWS = new URL("https://rolesanywhere.eu-central-1.amazonaws.com");
  test.each([
    [{}, undefined],
    [{ HTTPS_PROXY: "" }, undefined],
    [{ HTTPS_PROXY: "http://p:1" }, "http://p:1/"],
    [{ https_proxy: "http://q:1", HTTPS_PROXY: "http://p:1" }, "http://q:1/"],
    [{ https_proxy: "", HTTPS_PROXY: "http://p:1" }, "http://p:1/"],
    [{ HTTPS_PROXY: "p:3128" }, "http://p:3128/"],
    [{ HTTPS_PROXY: "https://p" }, "https://p/"],
    [{ HTTP_PROXY: "http://p:1", ALL_PROXY: "http://p:1" }, undefined],
  ])("%j: %s", (env, expected) => {
    expect(proxyFor(AWS, env)?.href).toBe(expected);
  });

  test("none for plain HTTP", () => {
    expect(proxyFor(new URL("http://127.0.0.1:1"), { HTTPS_PROXY: "http://p:1" })).toBeUndefined();
  });

  test.each([
    ["http://[", "HTTPS_PROXY is no URL"],
    ["socks5://secret@p:1", 'HTTPS_PROXY has the scheme "socks5:"'],
  ])("%s is none", (text, message) => {
    expect(() => proxyFor(AWS, { HTTPS_PROXY: text })).toThrow(new TypeError(message));
  });

  test.each([
    ["*", true],
    ["amazonaws.com", true],
    [".amazonaws.com", true],
    ["*.amazonaws.com", true],
    ["AmazonAWS.com", true],
    ["rolesanywhere.eu-central-1.amazonaws.com", true],
    ["rolesanywhere.eu-central-1.amazonaws.com:443", true],
    ["rolesanywhere.eu-central-1.amazonaws.com:8443", false],
    ["aws.com", false],
    ["x.rolesanywhere.eu-central-1.amazonaws.com", false],
    ["localhost, amazonaws.com", true],
    ["localhost amazonaws.com", true],
    ["localhost,,example.com", false],
    [".", false],
    ["", false],
    [":443", false],
    [`${"x,".repeat(255)}amazonaws.com`, true],
    [`${"x,".repeat(256)}amazonaws.com`, false],
  ])("NO_PROXY %s: %s", (list, exempt) => {
    for (const name of ["NO_PROXY", "no_proxy"])
      expect(proxyFor(AWS, { HTTPS_PROXY: "http://p:1", [name]: list }) === undefined).toBe(exempt);
  });

  test.each([
    ["https://[2001:db8::1]:8443", "2001:db8::1", true],
    ["https://[2001:db8::1]:8443", "[2001:db8::1]", true],
    ["https://[2001:db8::1]:8443", "[2001:db8::1]:8443", true],
    ["https://[2001:db8::1]:8443", "[2001:db8::1]:443", false],
    ["https://10.0.0.1:8443", "10.0.0.1", true],
    ["https://10.0.0.1:8443", "10.0.0.1:8443", true],
    ["https://10.0.0.1:8443", "10.0.0.1:443", false],
    ["https://10.0.0.1:8443", "0.0.1", false],
    ["https://[2001:db8::1.2.3.4]", "4", false],
  ])("%s beside NO_PROXY %s: %s", (url, list, exempt) => {
    expect(proxyFor(new URL(url), { HTTPS_PROXY: "http://p:1", NO_PROXY: list }) === undefined).toBe(exempt);
  });
});
