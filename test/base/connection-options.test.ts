/** Options of connections: what Node.js makes of them where all objects inherit others. */
import { createServer } from "node:http";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, createServer as createTcpServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { detachInherited, requestOptions, tcpOptions } from "../../src/base/connection-options.js";
import { secureContextOptions, tlsOptions } from "../../src/base/tls-options.js";

const shared = Object.prototype as Record<string, unknown>;
const STRAY: Readonly<Record<string, unknown>> = {
  localAddress: "192.0.2.1",
  path: "/nonexistent/socket",
  socketPath: "/nonexistent/socket",
  hostname: "192.0.2.1",
  family: 6,
  agent: "x",
  auth: "user:password",
  protocol: "ftp:",
  lookup: () => undefined,
};
afterEach(() => {
  for (const name of Object.keys(STRAY)) Reflect.deleteProperty(shared, name);
});

test.each(Object.keys(STRAY))("%s that all objects inherit changes neither connection nor request", async (name) => {
  const server = createServer((asked, reply) => {
    reply.end(`${asked.method} ${asked.url} ${asked.headers.host} ${asked.headers.authorization ?? "nobody"}`);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const said = await new Promise<string>((resolve, reject) => {
      shared[name] = STRAY[name];
      const socket = detachInherited(connect(tcpOptions("127.0.0.1", port)));
      socket.once("error", reject);
      socket.once("connect", () => {
        const asked = { method: "PUT", path: "/x", host: "127.0.0.1", port, headers: { a: "b" } };
        const sent = detachInherited(request(requestOptions(socket, { ...asked, maxHeaderSize: 4096, setHost: true })));
        sent.once("error", reject);
        sent.once("response", (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (part: string) => (text += part));
          response.once("end", () => {
            resolve(text);
            socket.destroy();
          });
        });
        sent.end();
      });
    });
    Reflect.deleteProperty(shared, name);
    expect(said).toBe(`PUT /x 127.0.0.1:${port} nobody`);
  } finally {
    Reflect.deleteProperty(shared, name);
    server.close();
  }
});

test("what was made is freed of what it inherits besides its options", () => {
  const listeners = {};
  const connection = { _events: listeners, timeout: 5 };
  expect(detachInherited(connection as never)).toBe(connection);
  expect([Object.getPrototypeOf(listeners), connection.timeout]).toEqual([null, undefined]);
  const bare = {};
  expect(detachInherited(bare as never)).toBe(bare);
  expect(Object.hasOwn(bare, "timeout")).toBe(true);
});

test("a host in brackets is that address, and families are tried as asked", async () => {
  const server = createTcpServer((socket) => socket.end());
  await new Promise<void>((resolve) => void server.listen(0, "::1", resolve));
  const { port } = server.address() as AddressInfo;
  const socket = connect(tcpOptions("[::1]", port, true));
  await new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  expect(socket.remoteAddress).toBe("::1");
  socket.destroy();
  server.close();
  expect(tcpOptions("x", 1, true)).toMatchObject({ autoSelectFamily: true, host: "x", port: 1 });
  expect(tcpOptions("x", 1).autoSelectFamily).toBeUndefined();
});

test("TLS is verified, asks for no address as a server name, and begins at 1.2", () => {
  const context = {} as never;
  expect(tlsOptions(undefined, "sts.example", context)).toMatchObject({
    host: "sts.example",
    servername: "sts.example",
    rejectUnauthorized: true,
    requestCert: true,
    isServer: false,
    secureContext: context,
  });
  for (const address of ["192.0.2.1", "[2001:db8::1]", "2001:db8::1"])
    expect(tlsOptions(undefined, address, context)).toMatchObject({
      host: address.replace(/[[\]]/g, ""),
      servername: "",
    });
  const { checkServerIdentity: check } = tlsOptions(undefined, "sts.example", context);
  const certificate = (name: string): never => ({ subject: { CN: name }, subjectaltname: `DNS:${name}` }) as never;
  expect(check?.("other.example", certificate("sts.example"))).toBeUndefined();
  expect(check?.("other.example", certificate("other.example"))).toMatchObject({
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  });
  expect(secureContextOptions({ ca: "c", cert: "d", key: "e" })).toMatchObject({
    ca: "c",
    cert: "d",
    key: "e",
    passphrase: undefined,
    minVersion: "TLSv1.2",
  });
});

test("whatever is not asked for is said to be off, so that nothing else can switch it on", () => {
  const on = (options: object): unknown[] =>
    Object.entries(options).filter(([, value]) => value !== undefined && value !== false);
  const { checkServerIdentity, ...tls } = tlsOptions(undefined, "x", {} as never);
  expect(typeof checkServerIdentity).toBe("function");
  expect(on(tls)).toEqual([
    ["host", "x"],
    ["servername", "x"],
    ["secureContext", {}],
    ["rejectUnauthorized", true],
    ["minDHSize", 1024],
    ["requestCert", true],
  ]);
  expect(on(secureContextOptions({}))).toEqual([["minVersion", "TLSv1.2"]]);
  expect(on(tcpOptions("x", 1))).toEqual([
    ["host", "x"],
    ["port", 1],
  ]);
  const asked = { method: "GET", path: "/", host: "x", port: 1, headers: {}, maxHeaderSize: 9, setHost: false };
  const { createConnection, ...rest } = requestOptions({} as never, asked);
  expect(typeof createConnection).toBe("function");
  expect(on(rest)).toEqual([
    ["method", "GET"],
    ["path", "/"],
    ["host", "x"],
    ["port", 1],
    ["maxHeaderSize", 9],
    ["headers", {}],
  ]);
});

test.each(["[x", "x]", "[", "[]x", "x[y]"])("brackets that enclose no whole host stay: %s", (host) => {
  expect(tcpOptions(host, 1)).toMatchObject({ host });
  expect(tlsOptions(undefined, host, {} as never)).toMatchObject({ host, servername: host });
});
