import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import type { Socket } from "node:net";
import type { Answer } from "dns-packet";
import { afterEach, describe, expect, it } from "vitest";
import { ImdsUnavailableError } from "../../src/base/errors.js";
import { resolveHost } from "../../src/network/dns.js";
import { compileRoom } from "./namespace.js";
import { reply, startDnsServer } from "./dns-server.js";
import type { Answering, Asked, DnsServer } from "./dns-server.js";

const open: DnsServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function serve(udp: Answering, tcp?: (socket: Socket, asked: Asked) => void): Promise<DnsServer> {
  const server = await startDnsServer(udp, tcp);
  open.push(server);
  return server;
}

/** Long for answers that come, in tests of answers that do not come {@link SHORT}. */
const LONG = 20_000;
const SHORT = 800;

const addressesOf = ({ type, name }: Asked): Answer[] =>
  type === "A" ? [{ type, name, ttl: 1, data: "192.0.2.7" }] : [{ type, name, ttl: 1, data: "2001:db8::7" }];
const genuine: Answering = (asked) => [reply(asked, { answers: addressesOf(asked) })];
const silent: Answering = () => [];

async function failureOf(name: string, servers: readonly string[], timeoutMs = LONG): Promise<ImdsUnavailableError> {
  const error: unknown = await resolveHost(name, { servers, timeoutMs }).then(
    (addresses) => new Error(`resolved to ${addresses.join()}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ImdsUnavailableError)) throw error;
  expect(error.code).toBe("ERR_IMDS_ENDPOINT_UNRESOLVED");
  expect(error.tryNextLink).toBe(true);
  return error;
}

const valuesOf = (error: ImdsUnavailableError): (string | undefined)[] => error.evidence.map(({ value }) => value);

describe("resolveHost", () => {
  it("asks one server for both families and returns all addresses", async () => {
    const server = await serve(genuine);
    expect(await resolveHost("IMDS.Example.", { servers: [server.address], timeoutMs: LONG })).toEqual([
      "192.0.2.7",
      "2001:db8::7",
    ]);
    expect(server.asked.map(({ name, type }) => `${name} ${type}`).sort()).toEqual([
      "imds.example A",
      "imds.example AAAA",
    ]);
    expect(server.askedOverTcp).toEqual([]);
  });

  it("takes a server over IPv6, written in brackets", async () => {
    const server = createSocket("udp6").on("message", (packet, remote) => {
      const type = packet.readUInt16BE(packet.length - 4) === 1 ? "A" : "AAAA";
      const asked = { id: packet.readUInt16BE(0), type, name: "imds.example", packet } as const;
      server.send(reply(asked, { answers: addressesOf(asked) }), remote.port, remote.address);
    });
    const bound = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).bind(0, "::1", () => resolve(true));
    });
    try {
      const answer = bound
        ? await resolveHost("imds.example", { servers: [`[::1]:${server.address().port}`], timeoutMs: LONG })
        : [];
      expect(answer).toHaveLength(bound ? 2 : 0);
    } finally {
      server.close();
    }
  });

  it("is content with one family", async () => {
    const server = await serve((asked) => [reply(asked, { answers: asked.type === "A" ? addressesOf(asked) : [] })]);
    expect(await resolveHost("imds.example", { servers: [server.address], timeoutMs: LONG })).toEqual(["192.0.2.7"]);
    const broken = await serve((asked) => [
      asked.type === "A" ? reply(asked, { rcode: 3 }) : reply(asked, { answers: addressesOf(asked) }),
    ]);
    expect(await resolveHost("imds.example", { servers: [broken.address], timeoutMs: LONG })).toEqual(["2001:db8::7"]);
  });

  it("keeps to 16 addresses", async () => {
    const server = await serve((asked) => [
      reply(asked, {
        answers:
          asked.type === "A"
            ? Array.from({ length: 12 }, (_, index) => ({
                type: "A",
                name: asked.name,
                ttl: 1,
                data: `192.0.2.${index}`,
              }))
            : Array.from({ length: 12 }, (_, index) => ({
                type: "AAAA",
                name: asked.name,
                ttl: 1,
                data: `2001:db8::${index + 1}`,
              })),
      }),
    ]);
    expect(await resolveHost("imds.example", { servers: [server.address], timeoutMs: LONG })).toHaveLength(16);
  });

  it("returns literals and localhost names without a packet", async () => {
    const server = await serve(genuine);
    const options = { servers: [server.address], timeoutMs: LONG };
    expect(await resolveHost("192.0.2.1", options)).toEqual(["192.0.2.1"]);
    expect(await resolveHost("fd00:ec2::254", options)).toEqual(["fd00:ec2::254"]);
    for (const name of ["localhost", "LOCALHOST.", "db.localhost"])
      expect(await resolveHost(name, options)).toEqual(["127.0.0.1", "::1"]);
    expect(server.asked).toEqual([]);
  });

  it.each([
    "",
    ".",
    "..",
    "a..b",
    ".a",
    "a..",
    "-a.example",
    "a-.example",
    "a_b.example",
    "a b",
    "a\0b",
    "a/b",
    "user@host",
    "host:80",
    "[::1]",
    "*",
    "127.1",
    "1.2.3.256",
    "0x7f000001",
    "2130706433",
    "a.0x",
    "\u0131mds.example",
    "\u212Aimds.example",
    "a.0XF",
    "a\n",
    `${"a".repeat(64)}.example`,
    `${"a.".repeat(127)}a`,
  ])("refuses the name %j without a packet", async (name) => {
    const server = await serve(genuine);
    const error = await failureOf(name, [server.address]);
    expect(error.evidence).toEqual([]);
    expect(server.asked).toEqual([]);
  });

  it("takes the longest name there is", async () => {
    const server = await serve(genuine);
    const name = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
    expect(await resolveHost(name, { servers: [server.address], timeoutMs: LONG })).toHaveLength(2);
  });

  it("passes over answers to other questions and takes the one that follows", async () => {
    const server = await serve((asked) => [
      Buffer.from("garbage"),
      reply(asked, { id: asked.id ^ 1, answers: [{ type: "A", name: asked.name, data: "203.0.113.66" }] }),
      reply(asked, { name: "evil.example", answers: [{ type: "A", name: "evil.example", data: "203.0.113.66" }] }),
      asked.packet,
      ...genuine(asked, undefined as never),
    ]);
    expect(await resolveHost("imds.example", { servers: [server.address], timeoutMs: LONG })).toEqual([
      "192.0.2.7",
      "2001:db8::7",
    ]);
  });

  it("does not hear answers from another port", async () => {
    const spoofer = createSocket("udp4");
    const server = await serve((asked, remote) => {
      const forged = reply(asked, { answers: [{ type: "A", name: asked.name, data: "203.0.113.66" }] });
      spoofer.send(forged, remote.port, remote.address);
      return [];
    });
    const error = await failureOf("imds.example", [server.address], SHORT);
    expect(valuesOf(error)).toEqual(["ETIMEDOUT"]);
    spoofer.close();
  });

  it("asks once more when a datagram is lost", async () => {
    const seen = new Set<string>();
    const server = await serve((asked, remote) => {
      if (seen.has(asked.type)) return genuine(asked, remote);
      seen.add(asked.type);
      return [];
    });
    expect(await resolveHost("imds.example", { servers: [server.address], timeoutMs: SHORT })).toHaveLength(2);
  });

  it.each<[string, Answering, string]>([
    ["is silent", silent, "ETIMEDOUT"],
    ["fails", (asked) => [reply(asked, { rcode: 2 })], "SERVFAIL"],
    ["refuses", (asked) => [reply(asked, { rcode: 5 })], "REFUSED"],
    ["sends garbage only", () => [Buffer.from("garbage")], "ETIMEDOUT"],
    [
      "sends an endless alias",
      (asked) => [reply(asked, { answers: [{ type: "CNAME", name: asked.name, data: asked.name }] })],
      "aliases without end",
    ],
    [
      "lies about its records",
      (asked) => {
        const packet = Buffer.concat([reply(asked), Buffer.alloc(80)]);
        packet.writeUInt16BE(50_176, 10);
        return [packet];
      },
      "50176 records announced",
    ],
  ])("goes on to the next server when one %s", async (_, answering, value) => {
    const [first, second] = [await serve(answering), await serve(genuine)];
    // The first server's share of the time is all that a silent one costs.
    const options = { servers: [first.address, second.address], timeoutMs: 2 * SHORT };
    expect(await resolveHost("imds.example", options)).toEqual(["192.0.2.7", "2001:db8::7"]);
    expect(first.asked.length).toBeGreaterThan(0);
    expect(valuesOf(await failureOf("imds.example", [first.address], SHORT))).toEqual([value]);
  });

  it("goes on when nobody listens", async () => {
    const gone = await startDnsServer(genuine);
    await gone.close();
    const server = await serve(genuine);
    expect(
      await resolveHost("imds.example", { servers: [gone.address, server.address], timeoutMs: LONG }),
    ).toHaveLength(2);
    expect(valuesOf(await failureOf("imds.example", [gone.address]))).toEqual(["ECONNREFUSED"]);
  });

  it.each<[string, Answering, string]>([
    ["a name that does not exist", (asked) => [reply(asked, { rcode: 3 })], "NXDOMAIN"],
    ["a name without address", (asked) => [reply(asked)], "NODATA"],
  ])("believes the first server about %s", async (_, answering, value) => {
    const [first, second] = [await serve(answering), await serve(genuine)];
    const error = await failureOf("imds.example", [first.address, second.address]);
    expect(valuesOf(error)).toEqual([value]);
    expect(second.asked).toEqual([]);
  });

  it.each([
    "",
    "example.com",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.1:x",
    "[127.0.0.1",
    "[::1]x",
    "::1]:53",
    "127.1",
    "2001:db8::1%eth0",
  ])("says that %j is no server", async (text) => {
    const error = await failureOf("imds.example", [text]);
    expect(error.evidence).toMatchObject([{ says: "this is no address of a DNS server" }]);
  });

  it("says that there is no server", async () => {
    expect((await failureOf("imds.example", [])).evidence).toEqual([]);
  });

  it("names every server it asked", async () => {
    const [first, second] = [
      await serve((asked) => [reply(asked, { rcode: 2 })]),
      await serve((asked) => [reply(asked, { rcode: 5 })]),
    ];
    const error = await failureOf("imds.example", [first.address, second.address]);
    expect(error.evidence.map(({ source }) => source)).toEqual([
      `DNS server "${first.address}"`,
      `DNS server "${second.address}"`,
    ]);
    expect(valuesOf(error)).toEqual(["SERVFAIL", "REFUSED"]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("takes no timeout of %d", async (timeoutMs) => {
    await expect(resolveHost("imds.example", { servers: [], timeoutMs })).rejects.toMatchObject({
      name: "TypeError",
      code: "ERR_INVALID_ARG_VALUE",
    });
  });
});

describe("resolveHost over TCP", () => {
  const truncated: Answering = (asked) => [reply(asked, { truncated: true })];
  const framed = (packet: Buffer, length = packet.length): Buffer =>
    Buffer.concat([Buffer.of(length >> 8, length & 0xff), packet]);

  it("fetches an answer that did not fit", async () => {
    const server = await serve(truncated, (socket, asked) =>
      socket.write(framed(reply(asked, { answers: addressesOf(asked) }))),
    );
    expect(await resolveHost("imds.example", { servers: [server.address], timeoutMs: LONG })).toEqual([
      "192.0.2.7",
      "2001:db8::7",
    ]);
    expect(server.askedOverTcp).toHaveLength(2);
  });

  it("puts an answer together from single bytes", async () => {
    const server = await serve(truncated, (socket, asked) => {
      socket.setNoDelay(true);
      const bytes = [...framed(reply(asked, { answers: addressesOf(asked) }))];
      const drip = (): void => {
        const byte = bytes.shift();
        if (byte !== undefined && !socket.destroyed) socket.write(Buffer.of(byte), () => setImmediate(drip));
      };
      drip();
    });
    expect(await resolveHost("imds.example", { servers: [server.address], timeoutMs: LONG })).toHaveLength(2);
  });

  it.each<[string, (socket: Socket, asked: Asked) => void, string]>([
    ["ends early", (socket, asked) => socket.end(framed(reply(asked), 200)), "the connection ended early"],
    ["ends at once", (socket) => socket.end(), "the connection ended early"],
    ["announces too much", (socket) => socket.write(Buffer.of(0xff, 0xff)), "65535 bytes announced"],
    [
      "answers another question",
      (socket, asked) => socket.write(framed(reply(asked, { id: asked.id ^ 1 }))),
      "unrelated answer over TCP",
    ],
    [
      "is cut short again",
      (socket, asked) => socket.write(framed(reply(asked, { truncated: true }))),
      "truncated answer over TCP",
    ],
    ["announces nothing", (socket) => socket.write(Buffer.of(0, 0)), "unrelated answer over TCP"],
    ["is reset", (socket) => socket.resetAndDestroy(), "ECONNRESET"],
  ])("refuses an answer that %s", async (_, tcp, value) => {
    const server = await serve(truncated, tcp);
    expect(valuesOf(await failureOf("imds.example", [server.address]))).toEqual([value]);
  });

  it("does not wait longer than it may for an answer that never comes", async () => {
    const server = await serve(truncated, () => undefined);
    expect(valuesOf(await failureOf("imds.example", [server.address], SHORT))).toEqual(["ETIMEDOUT"]);
  });
});

describe("resolveHost in a process of its own", { timeout: 60_000 }, () => {
  it.each<[string, Answering, number, number]>([
    ["an answer", genuine, 600_000, 0],
    ["a silent server", silent, 100, 3],
    ["a server silent over TCP", (asked) => [reply(asked, { truncated: true })], 100, 3],
  ])("leaves nothing behind that holds it after %s", async (_, answering, timeoutMs, exitCode) => {
    const server = await serve(answering, () => undefined);
    const room = compileRoom();
    const program = `
      import { resolveHost } from "./network/dns.js";
      resolveHost("imds.example", { servers: ["${server.address}"], timeoutMs: ${timeoutMs} }).catch((error) => {
        process.exitCode = error.code === "ERR_IMDS_ENDPOINT_UNRESOLVED" ? 3 : 4;
      });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      cwd: room.directory,
      stdio: "inherit",
    });
    // A timer or socket left open would keep the process far beyond this test's own limit.
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(exitCode);
    room.remove();
  });
});
