/** Whose stack is remembered for a connection, and whose is not worth the time. */
import { Socket as DatagramSocket } from "node:dgram";
import { Socket } from "node:net";
import { runInThisContext } from "node:vm";
import { beforeEach, describe, expect, it } from "vitest";
import { arrivals, kernel, noting, put } from "./kernel.js";
import { callerOf, rememberCallers } from "../../src/firewall/caller-stacks.js";
import { createClassifier } from "../../src/firewall/classify.js";

beforeEach(() => rememberCallers(createClassifier(["dns"])));

/** What Node's own classes are to the hooks: anything with their methods. */
type Called = Record<"connect" | "send", (...args: unknown[]) => unknown>;
const stream = (): Called => Object.create(Socket.prototype) as Called;
const datagram = (): Called => Object.create(DatagramSocket.prototype) as Called;

const REMEMBERED = [
  "169.254.169.254",
  "169.254.170.2",
  "fd00:ec2::254",
  "FD00:EC2:0:0::254",
  "::ffff:169.254.169.254",
  "64:ff9b::a9fe:a9fe",
  "2002:a9fe:a9fe::1",
  // Names, and what only a resolver takes for an address.
  "metadata.example",
  "a",
  "instance-data",
  "169.254.169.254.nip.io",
  "7f000001.a9fea9fe.rbndr.us",
  "1.example",
  "2852039166",
  "0xa9fea9fe",
  "0251.0376.0251.0376",
  "169.254.169.254.",
  "localhost.example",
  "\uff11\uff16\uff19.254.169.254",
];
const NOT_REMEMBERED = [
  "",
  "localhost",
  "127.0.0.1",
  "10.0.0.1",
  "169.254.1.1",
  "169.254.169.253",
  "0.0.0.0",
  "9.9.9.9",
  "::1",
  "::",
  "2001:db8::1",
  "fe80::1%eth0",
  "fd00:ec2::253",
  "abcd:1::1",
  undefined,
  null,
  7,
  {},
  ["169.254.169.254"],
];

describe("connect of a stream socket", () => {
  const FORMS = {
    options: (host: unknown) => [{ host, port: 80 }],
    "port and host": (host: unknown) => [80, host],
    "what net.connect has normalized": (host: unknown) => [[{ host, port: 80 }, null]],
  };

  it.each(Object.entries(FORMS).flatMap(([form, make]) => REMEMBERED.map((host) => [form, host, make] as const)))(
    "remembers the caller of %s with %j",
    (_, host, make) => {
      const socket = stream();
      const program = (): unknown => socket.connect(...make(host));
      program();
      expect(callerOf(socket)?.split("\n")[1]).toContain("at program (");
    },
  );

  it.each(Object.entries(FORMS).flatMap(([form, make]) => NOT_REMEMBERED.map((host) => [form, host, make] as const)))(
    "forgets the caller of %s with %j",
    (_, host, make) => {
      const socket = stream();
      socket.connect(...make(host));
      expect(callerOf(socket)).toBeUndefined();
    },
  );

  it.each([[], [80], [null], [{}], ["/run/a.sock"], [[]], [[null]], [{ path: "169.254.169.254" }]])(
    "goes on with %j",
    (...args) => {
      const socket = stream();
      expect(socket.connect(...args)).toBe("answer of Socket.connect");
      expect(callerOf(socket)).toBeUndefined();
    },
  );
});

describe.each(["send", "connect"] as const)("%s of a datagram socket", (method) => {
  it.each(REMEMBERED)("remembers the caller with %j", (host) => {
    for (const args of [
      ["m", 53, host],
      ["m", 0, 1, 53, host, () => undefined],
      ["m", host],
    ]) {
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
  const WRAPPED = [
    [Socket.prototype, "connect", "Socket.connect"],
    [DatagramSocket.prototype, "send", "dgram.send"],
    [DatagramSocket.prototype, "connect", "dgram.connect"],
  ] as const;

  it.each(WRAPPED)("passes everything on, and looks like what it wraps: %#", (prototype, name, arrived) => {
    const method = (prototype as unknown as Called)[name];
    expect([method.name, Object.getOwnPropertyDescriptor(method, "length")]).toEqual([
      name,
      { value: prototype === Socket.prototype ? 2 : 0, writable: false, enumerable: false, configurable: true },
    ]);
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
    const clearQueue = runInThisContext("(function clearQueue(send) { send(); })", { filename: "node:dgram" }) as (
      send: () => void,
    ) => void;
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
    rememberCallers(createClassifier([]));
    const socket = stream();
    const program = (): unknown => socket.connect(80, "metadata.example");
    program();
    expect(callerOf(socket)).toContain("at program (");
    expect(arrivals()).toEqual(["Socket.connect"]);
    put(Socket.prototype, "connect", () => "replaced");
    expect(socket.connect(80, "metadata.example")).toBe("replaced");
  });
});

describe("before the first handle", () => {
  let loaded: string[];
  let first: number;
  const wait = (classifier = createClassifier(["dns"])): void =>
    rememberCallers(classifier, {
      prototypes: { tcp: kernel.TCP.prototype as object, udp: kernel.UDP.prototype as object },
      onFirstSocket: () => first++,
    });
  const unwrapped = (): [unknown, unknown, unknown] => [
    Socket.prototype.connect,
    DatagramSocket.prototype.send,
    DatagramSocket.prototype.connect,
  ];
  type Asked = { getAsyncId(): unknown } & Record<symbol, unknown>;
  const ask = (handle: object): unknown => (handle as Asked).getAsyncId();
  /** What all handles have in common, below those of TCP. */
  let all: object;

  beforeEach(() => {
    first = 0;
    loaded = ["NativeModule fs"];
    for (const object of [Socket.prototype, DatagramSocket.prototype] as const)
      put(object, "connect", noting("connect"));
    put(DatagramSocket.prototype, "send", noting("send"));
    put(process, "moduleLoadList", loaded);
    all = { getAsyncId: noting("getAsyncId", 7) };
    Object.setPrototypeOf(kernel.TCP.prototype, all);
    Object.setPrototypeOf(kernel.UDP.prototype, all);
  });

  it("nothing is wrapped, and handles of other modules change nothing", () => {
    const before = unwrapped();
    wait();
    expect(ask(new kernel.TCP())).toBe(7);
    expect(ask(new kernel.UDP())).toBe(7);
    expect([unwrapped(), first]).toEqual([before, 0]);
    expect(arrivals()).toEqual(["getAsyncId", "getAsyncId"]);
  });

  it("the first of a stream wraps them, and is known by whoever made it", () => {
    const method = Object.getOwnPropertyDescriptor(all, "getAsyncId");
    const before = unwrapped();
    wait();
    loaded.push("NativeModule net");
    const handle = new kernel.TCP();
    const socket = {};
    handle[Symbol("owner_symbol")] = socket;
    const program = (): unknown => ask(handle);
    expect(program()).toBe(7);
    expect(callerOf(socket)?.split("\n")[2]).toContain("at program (");
    expect(first).toBe(1);
    expect(Object.getOwnPropertyDescriptor(all, "getAsyncId")).toEqual(method);
    const [connect, send] = unwrapped();
    expect([connect === before[0], send === before[1]]).toEqual([false, true]);
    // From now on it is the wrapper that knows.
    const other = stream();
    const later = (): unknown => other.connect(80, "metadata.example");
    later();
    expect(callerOf(other)).toContain("at later (");
    ask(handle);
    expect(first).toBe(1);
  });

  it.each([null, undefined, 7, "text"])("the first may belong to nobody (%j)", (owner) => {
    wait();
    loaded.push("NativeModule net");
    const handle = new kernel.TCP();
    handle[Symbol("owner_symbol")] = owner;
    expect(ask(handle)).toBe(7);
    expect(first).toBe(1);
  });

  it("no program ends for the sake of a stack", () => {
    rememberCallers(createClassifier([]), {
      prototypes: { tcp: kernel.TCP.prototype as object, udp: kernel.UDP.prototype as object },
      onFirstSocket: () => {
        throw new Error("replaced");
      },
    });
    loaded.push("NativeModule net");
    const handle = new kernel.TCP();
    handle[Symbol("owner_symbol")] = Object.freeze({});
    expect(ask(handle)).toBe(7);
    expect(ask(new kernel.TCP())).toBe(7);
  });

  it("the first of datagrams wraps theirs, and leaves those of streams", () => {
    const before = unwrapped();
    wait();
    loaded.push("NativeModule dgram");
    expect(ask(new kernel.UDP())).toBe(7);
    const [connect, send, bound] = unwrapped();
    expect([connect === before[0], send === before[1], bound === before[2]]).toEqual([true, false, false]);
    expect([Object.hasOwn(kernel.UDP.prototype as object, "getAsyncId"), first]).toEqual([false, 0]);
  });

  it.each([
    ["the modules are there", () => loaded.push("NativeModule net", "NativeModule dgram"), 1],
    ["Node does not say which modules there are", () => put(process, "moduleLoadList", undefined), 1],
    ["handles are asked for nothing", () => Reflect.deleteProperty(all, "getAsyncId"), 1],
    ["nobody waits", () => undefined, 0],
  ])("all is wrapped at once where %s", (why, make, told) => {
    const before = unwrapped();
    make();
    if (why === "nobody waits") rememberCallers(createClassifier([]));
    else wait();
    expect(unwrapped().map((method, index) => method === before[index])).toEqual([false, false, false]);
    expect(first).toBe(told);
  });

  it("changes nothing for a program that replaced built-ins", () => {
    wait();
    loaded.push("NativeModule net");
    const { includes } = Array.prototype;
    const handle = new kernel.TCP();
    try {
      Array.prototype.includes = () => false;
      ask(handle);
    } finally {
      Array.prototype.includes = includes;
    }
    expect(first).toBe(1);
  });
});
