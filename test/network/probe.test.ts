import { spawn } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { probeImds } from "../../src/network/probe.js";
import type { ProbeResult } from "../../src/network/probe.js";
import { compileRoom, namespacesAllowed, runInNamespace, SILENT_LINK } from "./namespace.js";
import type { CompiledRoom } from "./namespace.js";

const TOKEN = "AQAAALHzBzY3xGqVYhPmFz4XqY4Nq0gWqkQm0A1PzD5nq8Ow3kdZLw==";
const HEAD = "HTTP/1.1 200 OK\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60\r\nServer: EC2ws\r\n";
const GENUINE = `${HEAD}Content-Length: ${TOKEN.length}\r\n\r\n${TOKEN}`;
/** Long for answers that come, in tests of answers that do not come {@link SHORT}. */
const LONG = 20_000;
const SHORT = 500;

interface Listener {
  readonly port: number;
  readonly requests: string[];
  readonly server: Server;
}

const open: { server: Server; sockets: Set<Socket> }[] = [];
afterEach(async () => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Starts a responder that treats each connection as `onRequest` says once the whole head of the request is there. */
async function respond(onRequest: (socket: Socket) => void, host = "127.0.0.1"): Promise<Listener> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    let request = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      request += chunk.toString("latin1");
      if (!request.endsWith("\r\n\r\n")) return;
      requests.push(request);
      onRequest(socket);
    });
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, host, resolve));
  open.push({ server, sockets });
  return { port: (server.address() as AddressInfo).port, requests, server };
}

const probe = (port: number, timeoutMs = LONG): Promise<ProbeResult> =>
  probeImds({ address: "127.0.0.1", port }, { timeoutMs });

/** Writes `text` in pieces of `size`, each on its own. */
function drip(socket: Socket, text: string, size: number): void {
  socket.setNoDelay(true);
  let at = 0;
  const next = (): void => {
    if (at >= text.length || socket.destroyed) return;
    socket.write(text.slice(at, (at += size)), () => setImmediate(next));
  };
  next();
}

describe("probeImds", () => {
  it("sends exactly one request, which holds no secret", async () => {
    const { port, requests } = await respond((socket) => socket.end(GENUINE));
    expect(await probe(port)).toEqual({
      kind: "imdsv2",
      status: 200,
      tokenLength: 56,
      server: "EC2ws",
    });
    expect(requests).toEqual([
      `PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n` +
        "User-Agent: imds-guard-probe/1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ]);
  });

  it.each<[string, (socket: Socket) => void, ProbeResult]>([
    [
      "a token without waiting for the end of the connection",
      (socket) => socket.write(GENUINE),
      { kind: "imdsv2", status: 200, tokenLength: 56, server: "EC2ws" },
    ],
    [
      "a chunked token",
      (socket) => socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n38\r\n${TOKEN}\r\n0\r\n\r\n`),
      { kind: "imdsv2", status: 200, tokenLength: 56, server: "EC2ws" },
    ],
    [
      "a token in single bytes",
      (socket) => drip(socket, GENUINE, 1),
      { kind: "imdsv2", status: 200, tokenLength: 56, server: "EC2ws" },
    ],
    [
      "a token without length",
      (socket) => socket.end(`${HEAD}\r\n${TOKEN}`),
      { kind: "imdsv2", status: 200, tokenLength: 56, server: "EC2ws" },
    ],
    [
      "an early end",
      (socket) => socket.end(GENUINE.slice(0, -30)),
      { kind: "imdsv2", status: 200, tokenLength: 26, server: "EC2ws" },
    ],
    [
      "another cloud",
      (socket) => socket.end("HTTP/1.1 404 Not Found\r\nMetadata-Flavor: Google\r\nContent-Length: 0\r\n\r\n"),
      { kind: "http", status: 404, cloud: "gcp" },
    ],
    [
      "a flood",
      (socket) => drip(socket, `${HEAD}\r\n${"x".repeat(1_000_000)}`, 60_000),
      { kind: "http", status: 200, server: "EC2ws" },
    ],
    [
      "a flood of headers",
      (socket) => drip(socket, `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(200_000)}`, 60_000),
      { kind: "answers", detail: "sent an unfinished HTTP head" },
    ],
    [
      "a flood of garbage",
      (socket) => drip(socket, "\0".repeat(1_000_000), 60_000),
      { kind: "answers", detail: "sent something that is not HTTP" },
    ],
    [
      "an end without a word",
      (socket) => socket.end(),
      { kind: "answers", detail: "took the connection and sent nothing" },
    ],
    [
      "a reset",
      (socket) => socket.resetAndDestroy(),
      { kind: "answers", detail: "took the connection and sent nothing" },
    ],
  ])("recognises %s", async (_, onRequest, expected) => {
    const { port } = await respond(onRequest);
    expect(await probe(port)).toEqual(expected);
  });

  it.each<[string, (socket: Socket) => void, ProbeResult]>([
    ["nothing at all", () => undefined, { kind: "answers", detail: "took the connection and sent nothing" }],
    [
      "a body that never ends",
      (socket) => socket.write(`${HEAD}Content-Length: 99\r\n\r\n${TOKEN}`),
      { kind: "imdsv2", status: 200, tokenLength: 56, server: "EC2ws" },
    ],
    [
      "a head that never ends",
      (socket) => {
        const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write("x")), 20);
        socket.write("HTTP/1.1 200 OK\r\n");
      },
      { kind: "answers", detail: "sent an unfinished HTTP head" },
    ],
  ])("judges %s at the deadline", async (_, onRequest, expected) => {
    const { port } = await respond(onRequest);
    expect(await probe(port, SHORT)).toEqual(expected);
  });

  it("does not follow a redirect", async () => {
    const lure = await respond((socket) => socket.end(GENUINE));
    const { port } = await respond((socket) =>
      socket.end(`HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:${lure.port}/\r\n\r\n`),
    );
    expect(await probe(port)).toEqual({ kind: "http", status: 307 });
    expect(lure.requests).toEqual([]);
  });

  it("keeps the token out of the result", async () => {
    const { port } = await respond((socket) => socket.end(GENUINE));
    expect(JSON.stringify(await probe(port))).not.toContain(TOKEN.slice(0, 8));
  });

  it("finds nobody where nobody listens", async () => {
    const { port, server } = await respond(() => undefined);
    await new Promise((resolve) => server.close(resolve));
    expect(await probe(port)).toEqual({ kind: "refused", code: "ECONNREFUSED" });
  });

  it.each([
    [{ address: "localhost", port: 80 }, 100],
    [{ address: "127.1", port: 80 }, 100],
    [{ address: "::1%lo", port: 80 }, 100],
    [{ address: "", port: 80 }, 100],
    [{ address: "127.0.0.1", port: 0 }, 100],
    [{ address: "127.0.0.1", port: 65_536 }, 100],
    [{ address: "127.0.0.1", port: 1.5 }, 100],
    [{ address: "127.0.0.1", port: 80 }, 0],
    [{ address: "127.0.0.1", port: 80 }, Number.NaN],
  ])("refuses the target %o within %d ms", async (target, timeoutMs) => {
    await expect(probeImds(target, { timeoutMs })).rejects.toMatchObject({
      name: "TypeError",
      code: "ERR_INVALID_ARG_VALUE",
    });
  });
});

describe("probeImds in a process of its own", { timeout: 60_000 }, () => {
  let room: CompiledRoom;
  beforeAll(() => {
    room = compileRoom();
  });
  afterAll(() => room.remove());

  it("does not hold the process", async () => {
    const { port } = await respond(() => undefined);
    const program = `
      import { probeImds } from "./network/probe.js";
      probeImds({ address: "127.0.0.1", port: ${port} }, { timeoutMs: 600_000 });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      cwd: room.directory,
      stdio: "inherit",
    });
    // Waiting for the answer would take ten minutes, far beyond this test's own limit.
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
  });

  describe.skipIf(!namespacesAllowed)("inside a network namespace", () => {
    const program = (address: string, timeoutMs: number): string => `
      import { createServer } from "node:net";
      import { probeImds } from "./network/probe.js";
      const seen = [];
      const server = createServer((socket) => socket.on("error", () => undefined).once("data", (data) => {
        seen.push(String(data).split("\\r\\n")[1]);
        socket.end(${JSON.stringify(GENUINE)});
      }));
      server.on("error", () => undefined);
      await new Promise((resolve) => server.listen(80, resolve));
      const result = await probeImds({ address: ${JSON.stringify(address)}, port: 80 }, { timeoutMs: ${timeoutMs} });
      server.close();
      console.log(JSON.stringify({ kind: result.kind, code: result.code, seen }));`;

    it.each<[string, string, string, object]>([
      [
        "the IPv4 address",
        "ip addr add 169.254.169.254/32 dev lo",
        "169.254.169.254",
        { kind: "imdsv2", seen: ["Host: 169.254.169.254"] },
      ],
      [
        "the IPv6 address",
        "ip addr add fd00:ec2::254/128 dev lo",
        "fd00:ec2::254",
        { kind: "imdsv2", seen: ["Host: [fd00:ec2::254]"] },
      ],
      ["an address without a route", ":", "169.254.169.254", { kind: "refused", code: "ENETUNREACH", seen: [] }],
      [
        "a prohibited address",
        "ip route add prohibit 169.254.169.254/32",
        "169.254.169.254",
        { kind: "refused", code: "EACCES", seen: [] },
      ],
      [
        "an address that swallows packets",
        `${SILENT_LINK} ip route add default via 192.0.2.1`,
        "169.254.169.254",
        { kind: "silent", seen: [] },
      ],
    ])("probes %s", async (_, setup, address, expected) => {
      const timeoutMs = setup.includes("default") ? 300 : 20_000;
      expect(JSON.parse(await runInNamespace(room, setup, program(address, timeoutMs)))).toEqual(expected);
    });
  });
});
