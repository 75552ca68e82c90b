/** Whose stack is remembered for a connection, and whose is not worth the time. */
import { Socket as DatagramSocket } from "node:dgram";
import { Socket } from "node:net";
import { runInThisContext } from "node:vm";
import { beforeEach, describe, expect, it } from "vitest";
import { arrivals, kernel, put } from "./kernel.js";
import { callerOf, watchCallers } from "../../src/firewall/callers.js";
import { createClassifier } from "../../src/firewall/classify.js";

beforeEach(() => watchCallers(createClassifier(["dns"])));

/** What Node's own classes are to the hooks: anything with their methods. */
type Called = Record<"connect" | "send", (...args: unknown[]) => unknown>;
const stream = (): Called => Object.create(Socket.prototype) as Called;
const datagram = (): Called => Object.create(DatagramSocket.prototype) as Called;

const REMEMBERED = [
  "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "FD00:EC2:0:0::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
  // Names, and what only a resolver takes for an address.
  "metadata.example", "a", "instance-data", "169.254.169.254.nip.io", "7f000001.a9fea9fe.rbndr.us", "1.example", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.169.254.", "localhost.example",
  "\uff11\uff16\uff19.254.169.254",
];
const NOT_REMEMBERED = ["", "localhost", "127.0.0.1", "10.0.0.1", "169.254.1.1", "169.254.169.253", "0.0.0.0", "9.9.9.9", "::1", "::", "2001:db8::1", "fe80::1%eth0", "fd00:ec2::253", "abcd:1::1", undefined, null, 7, {}, ["169.254.169.254"]];

describe("connect of a stream socket", () => {
  const FORMS = {
    options: (host: unknown) => [{ host, port: 80 }],
    "port and host": (host: unknown) => [80, host],
    "what net.connect has normalized": (host: unknown) => [[{ host, port: 80 }, null]],
  };

  it.each(Object.entries(FORMS).flatMap(([form, make]) => REMEMBERED.map((host) => [form, host, make] as const)))("remembers the caller of %s with %j", (_, host, make) => {
    const socket = stream();
    const program = (): unknown => socket.connect(...make(host));
    program();
    expect(callerOf(socket)?.split("\n")[1]).toContain("at program (");
  });

  it.each(Object.entries(FORMS).flatMap(([form, make]) => NOT_REMEMBERED.map((host) => [form, host, make] as const)))("forgets the caller of %s with %j", (_, host, make) => {
    const socket = stream();
    socket.connect(...make(host));
    expect(callerOf(socket)).toBeUndefined();
  });

  it.each([[], [80], [null], [{}], ["/run/a.sock"], [[]], [[null]], [{ path: "169.254.169.254" }]])("goes on with %j", (...args) => {
    const socket = stream();
    expect(socket.connect(...args)).toBe("answer of Socket.connect");
    expect(callerOf(socket)).toBeUndefined();
  });
});

describe.each(["send", "connect"] as const)("%s of a datagram socket", (method) => {
  it.each(REMEMBERED)("remembers the caller with %j", (host) => {
    for (const args of [["m", 53, host], ["m", 0, 1, 53, host, () => undefined], ["m", host]]) {
      const socket = datagram();
      const program = (): unknown => socket[method](...args);
      program();
      expect(callerOf(socket)?.split("\n")[1]).toContain("at program (");
    }
  });

  it.each(NOT_REMEMBERED)("forgets the caller with %j, whatever the message is", (host) => {
    const socket = datagram();
    socket[method]("metadata.example", 53, host);
    expect(callerOf(socket)).toBeUndefined();
  });
});

describe("every wrapper", () => {
  const WRAPPED = [[Socket.prototype, "connect", "Socket.connect"], [DatagramSocket.prototype, "send", "dgram.send"], [DatagramSocket.prototype, "connect", "dgram.connect"]] as const;

  it.each(WRAPPED)("passes everything on, and looks like what it wraps: %#", (prototype, name, arrived) => {
    const method = (prototype as unknown as Called)[name];
    expect([method.name, Object.getOwnPropertyDescriptor(method, "length")]).toEqual([name, { value: prototype === Socket.prototype ? 2 : 0, writable: false, enumerable: false, configurable: true }]);
    const socket = Object.create(prototype) as Called;
    const args = [80, "metadata.example", "more"];
    expect(socket[name](...args)).toBe(`answer of ${arrived}`);
    expect(kernel.arrived).toEqual([{ method: arrived, self: socket, args }]);
    expect(kernel.arrived[0]?.self).toBe(socket);
    // Nothing that a program could see on its socket.
    expect(Reflect.ownKeys(socket)).toEqual([]);
  });
});

describe("callerOf", () => {
  it.each([undefined, null, 7, "text", {}])("knows nobody for %j", (socket) => {
    expect(callerOf(socket)).toBeUndefined();
  });

  it("names the last one who asked", () => {
    const socket = stream();
    const first = (): unknown => socket.connect(80, "one.example");
    const second = (): unknown => socket.connect(80, "two.example");
    first();
    second();
    socket.connect(80, "10.0.0.1");
    expect(callerOf(socket)).toContain("at second (");
    expect(callerOf(socket)).not.toContain("at first (");
  });

  it("names the one before where Node itself sends what had to wait", () => {
    const clearQueue = runInThisContext("(function clearQueue(send) { send(); })", { filename: "node:dgram" }) as (send: () => void) => void;
    const socket = datagram();
    const program = (): unknown => socket.send("m", 53, "metadata.example");
    const again = (): unknown => socket.send("m", 53, "metadata.example");
    clearQueue(again);
    expect(callerOf(socket)).toContain("at again (");
    program();
    clearQueue(again);
    expect(callerOf(socket)).toContain("at program (");
    expect(callerOf(socket)).not.toContain("at again (");
  });

  it("gets along with a program that spoils stacks", () => {
    const { prepareStackTrace } = Error;
    const socket = stream();
    try {
      Error.prepareStackTrace = () => 7;
      socket.connect(80, "metadata.example");
      expect(callerOf(socket)).toBeUndefined();
      socket.connect(80, "metadata.example");
      expect(callerOf(socket)).toBeUndefined();
    } finally {
      Error.prepareStackTrace = prepareStackTrace as NonNullable<typeof prepareStackTrace>;
    }
  });

  it("is of the socket, whatever wrapped it twice", () => {
    watchCallers(createClassifier([]));
    const socket = stream();
    const program = (): unknown => socket.connect(80, "metadata.example");
    program();
    expect(callerOf(socket)).toContain("at program (");
    expect(arrivals()).toEqual(["Socket.connect"]);
    put(Socket.prototype, "connect", () => "replaced");
    expect(socket.connect(80, "metadata.example")).toBe("replaced");
  });
});
