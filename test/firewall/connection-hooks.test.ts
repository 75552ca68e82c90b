/** The hooks on the prototypes of the native handles, called as Node calls them. */
import { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import type { Method, TcpHandle } from "./kernel.js";
import { arrivals, kernel } from "./kernel.js";
import { rememberCallers } from "../../src/firewall/caller-stacks.js";
import { publish } from "../../src/firewall/own-connections.js";
import { createClassifier } from "../../src/firewall/classify.js";
import { hookConnections } from "../../src/firewall/connection-hooks.js";
import { nativePrototypes } from "../../src/firewall/native-prototypes.js";
import type { Dial, Redirect } from "../../src/firewall/redirect.js";
import type { Attempt } from "../../src/firewall/refusal.js";
import { EACCES } from "../../src/firewall/refusal.js";
import { markOwn } from "../../src/base/own-sockets.js";

const CAUSE = new Error("why");
const classifier = createClassifier([]);
let attempts: Attempt[];

/** Refuses; or lets pass what it was asked about. */
function hooked(blocked = true): void {
  attempts = [];
  const attempted = (attempt: Attempt) => {
    attempts.push(attempt);
    return { blocked, cause: CAUSE };
  };
  hookConnections({ classifier, attempted }, nativePrototypes());
}

/** The functions of a stack, from the top. */
function functions(stack: string | undefined): (string | undefined)[] {
  return (
    stack
      ?.split("\n")
      .slice(1)
      .map((line) => /at (\S+) \(/.exec(line)?.[1]) ?? []
  );
}

interface Request {
  oncomplete?: unknown;
  readonly seen: unknown[][];
}

function request(): Request {
  const seen: unknown[][] = [];
  return {
    seen,
    oncomplete(this: unknown, ...args: unknown[]) {
      seen.push([this, ...args]);
    },
  };
}

const V4 = {
  imds: "169.254.169.254",
  dns: "169.254.169.253",
  ntp: "169.254.169.123",
  ecs: "169.254.170.2",
  eks: "169.254.170.23",
};
const TCP_TARGETS = [
  ...Object.entries(V4).map(([service, literal]) => ["connect", literal, service] as const),
  ...Object.entries(V4).map(([service, literal]) => ["connect6", `::ffff:${literal}`, service] as const),
  ["connect6", "fd00:ec2::254", "imds"],
  ["connect6", "fd00:ec2::254%eth0", "imds"],
  ["connect6", "fd00:ec2::9", "reserved"],
  ["connect6", "fe80::a9fe:a9fe%2", "openstack"],
] as const;

/** What is no string and becomes one, perhaps another one at each reading. */
const DISGUISES: Readonly<Record<string, (first: string, then: string) => unknown>> = {
  "a String": (first) => new String(first),
  "an object with a toString": (first, then) => {
    let readings = 0;
    return { toString: () => (readings++ === 0 ? first : then) };
  },
  "an object that becomes a primitive": (first, then) => {
    let readings = 0;
    return { [Symbol.toPrimitive]: () => (readings++ === 0 ? first : then) };
  },
  "a list of one": (first) => [first],
  "a function": (first) => Object.assign(() => undefined, { toString: () => first }),
};

describe("connect of a TCP handle", () => {
  /** What is no string and becomes one, perhaps another one at each reading. */
  const DISGUISES: Readonly<Record<string, (first: string, then: string) => unknown>> = {
    "a String": (first) => new String(first),
    "an object with a toString": (first, then) => {
      let readings = 0;
      return { toString: () => (readings++ === 0 ? first : then) };
    },
    "an object that becomes a primitive": (first, then) => {
      let readings = 0;
      return { [Symbol.toPrimitive]: () => (readings++ === 0 ? first : then) };
    },
    "a list of one": (first) => [first],
    "a function": (first) => Object.assign(() => undefined, { toString: () => first }),
  };

  beforeEach(() => hooked());

  it.each(TCP_TARGETS)(
    "%s to %s (%s) fails later, as a refusal of the system does",
    async (method, literal, service) => {
      const handle = new kernel.TCP();
      const asked = request();
      const program = (): unknown => handle[method](asked, literal, 80);
      expect(program()).toBe(0);
      expect(asked.seen).toEqual([]);
      expect(attempts).toEqual([{ literal, port: 80, service, via: "tcp", stack: expect.any(String) }]);
      expect(functions(attempts[0]?.stack)[0]).toBe("program");
      await turn();
      expect(asked.seen).toEqual([[asked, EACCES, handle, asked, false, false]]);
      expect(arrivals()).toEqual([]);
    },
  );

  it.each([
    ["connect", [{}, "10.0.0.1", 80]],
    ["connect", [{}, "169.254.1.1", 80, 7]],
    // Nothing reads these as the other family.
    ["connect", [{}, "fd00:ec2::254", 80]],
    ["connect6", [{}, "2001:db8::1", 80]],
    ["connect6", [{}, "169.254.169.254", 80]],
    ["connect", [{}, undefined, 80]],
    ["connect", []],
  ] as const)("%s of %j is the system's", (method, args) => {
    const handle = new kernel.TCP();
    expect(handle[method](...args)).toBe(`answer of tcp.${method}`);
    expect(kernel.arrived).toEqual([{ method: `tcp.${method}`, self: handle, args }]);
    expect(kernel.arrived[0]?.self).toBe(handle);
    expect(attempts).toEqual([]);
  });

  it.each(Object.entries(DISGUISES))("%s is what it says when it is read once", async (_, disguise) => {
    const handle = new kernel.TCP();
    const asked = request();
    expect(handle.connect(asked, disguise(V4.imds, "10.0.0.1"), 80)).toBe(0);
    await turn();
    expect(asked.seen).toHaveLength(1);
    expect(arrivals()).toEqual([]);
    // The other way about, what was looked at is what is dialled.
    handle.connect(asked, disguise("10.0.0.1", V4.imds), 80);
    expect(kernel.arrived).toEqual([{ method: "tcp.connect", self: handle, args: [asked, "10.0.0.1", 80] }]);
  });

  it.each([undefined, "80", null])("knows no port where it is %j", (port) => {
    new kernel.TCP().connect(request(), V4.imds, port);
    expect(attempts[0]).toMatchObject({ port: undefined });
  });

  it("says why to the socket that the handle belongs to", async () => {
    const handle = new kernel.TCP();
    const seen: unknown[] = [];
    handle[Symbol("async_id_symbol")] = { destroy: () => seen.push("wrong one") };
    handle[Symbol("owner_symbol")] = {
      destroy(error: Error) {
        seen.push(error.cause);
      },
    };
    const owner = handle[Object.getOwnPropertySymbols(handle)[1] as symbol] as { destroy(error: Error): void };
    handle.connect({ oncomplete: () => owner.destroy(new Error("connect EACCES")) }, V4.imds, 80);
    await turn();
    expect(seen).toEqual([CAUSE]);
  });

  it.each([{}, { oncomplete: 7 }, { oncomplete: null }])("waits for nobody where the request is %j", async (asked) => {
    expect(new kernel.TCP().connect(asked, V4.imds, 80)).toBe(0);
    await turn();
    expect(attempts).toHaveLength(1);
  });

  it("calls what the request has by then", async () => {
    const asked: Request = { seen: [] };
    new kernel.TCP().connect(asked, V4.imds, 80);
    asked.oncomplete = () => asked.seen.push(["by then"]);
    await turn();
    expect(asked.seen).toEqual([["by then"]]);
  });

  it("names whoever asked the socket, and not who dials for it", () => {
    rememberCallers(classifier);
    const handle = new kernel.TCP();
    const socket = new Socket();
    handle[Symbol("owner_symbol")] = socket;
    const program = (): unknown => socket.connect(80, V4.imds);
    const node = (): unknown => handle.connect(request(), V4.imds, 80);
    program();
    node();
    expect(functions(attempts[0]?.stack)).toContain("program");
    expect(functions(attempts[0]?.stack)).not.toContain("node");
  });
});

describe("where programs are answered", () => {
  interface Led {
    readonly dial: Dial;
    readonly refuse: () => void;
  }
  let led: Led[];
  beforeEach(() => {
    led = [];
    attempts = [];
    const attempted = (attempt: Attempt) => {
      attempts.push(attempt);
      return { blocked: true, cause: CAUSE };
    };
    const redirect: Redirect = (dial, refuse) => void led.push({ dial, refuse });
    hookConnections({ classifier, attempted, redirect }, nativePrototypes());
  });
  const owned = (): { handle: TcpHandle; owner: object } => {
    const handle = new kernel.TCP();
    const owner = { destroy: () => undefined };
    handle[Symbol("owner_symbol")] = owner;
    return { handle, owner };
  };

  it.each([
    ["connect", V4.imds],
    ["connect6", `::ffff:${V4.imds}`],
    ["connect6", "fd00:ec2::254"],
  ] as const)("%s to %s port 80 is led away, and no attempt", async (method, literal) => {
    const { handle, owner } = owned();
    const asked = request();
    expect(handle[method](asked, literal, 80)).toBe(0);
    await turn();
    expect(led.map(({ dial }) => dial)).toEqual([{ handle, owner, request: asked }]);
    expect([led[0]?.dial.handle === handle, led[0]?.dial.request === asked]).toEqual([true, true]);
    expect([attempts, asked.seen, arrivals()]).toEqual([[], [], []]);
  });

  it("is an attempt, and fails, where it cannot be led away", async () => {
    const { handle } = owned();
    const asked = request();
    handle.connect(asked, V4.imds, 80);
    led[0]?.refuse();
    await turn();
    expect(attempts).toMatchObject([{ literal: V4.imds, port: 80, service: "imds", via: "tcp" }]);
    expect(asked.seen).toEqual([[asked, EACCES, handle, asked, false, false]]);
  });

  it.each([
    ["another port", V4.imds, 8080],
    ["no port that is a number", V4.imds, "80"],
    ["another service", V4.ecs, 80],
    ["a name server", V4.dns, 80],
  ])("%s is refused as ever", async (_, literal, port) => {
    const asked = request();
    owned().handle.connect(asked, literal, port);
    await turn();
    expect([led, attempts.length, asked.seen.length, arrivals()]).toEqual([[], 1, 1, []]);
  });

  it("a handle that belongs to nobody is refused as ever", async () => {
    const asked = request();
    new kernel.TCP().connect(asked, V4.imds, 80);
    await turn();
    expect([led, attempts.length, asked.seen.length]).toEqual([[], 1, 1]);
  });

  it("the guard's own goes where it is meant to go", () => {
    const { handle } = owned();
    publish(nativePrototypes(), {});
    markOwn({ _handle: handle });
    handle.connect(request(), V4.imds, 80);
    expect([led, arrivals()]).toEqual([[], ["tcp.connect"]]);
  });
});

const UDP_TARGETS = [
  ["connect", [V4.imds, 53], V4.imds, "imds", 53],
  ["connect6", ["fd00:ec2::253", 53], "fd00:ec2::253", "dns", 53],
  ["send", [{}, [], 1, 123, V4.ntp, true], V4.ntp, "ntp", 123],
  ["send", [{}, [], 1, undefined, V4.ntp, true], V4.ntp, "ntp", undefined],
  ["send6", [{}, [], 1, 123, "fd00:ec2::123", false], "fd00:ec2::123", "ntp", 123],
  ["connect", [V4.dns, "53"], V4.dns, "dns", undefined],
] as const;

describe("a UDP handle", () => {
  it.each(UDP_TARGETS)("%s with %j fails at once", (method, args, literal, service, port) => {
    hooked();
    const handle = new kernel.UDP();
    const program = (): unknown => handle[method](...args);
    expect(program()).toBe(EACCES);
    expect(attempts).toEqual([{ literal, port, service, via: "udp", stack: expect.any(String) }]);
    expect(functions(attempts[0]?.stack)[0]).toBe("program");
    expect(arrivals()).toEqual([]);
  });

  it.each(UDP_TARGETS)("%s with %j passes where it is only to be seen", (method, args) => {
    hooked(false);
    const handle = new kernel.UDP();
    expect(handle[method](...args)).toBe(`answer of udp.${method}`);
    expect(kernel.arrived).toEqual([{ method: `udp.${method}`, self: handle, args }]);
    expect(attempts).toHaveLength(1);
  });

  it.each(Object.entries(DISGUISES))("%s is what it says when it is read once", (_, disguise) => {
    hooked();
    const handle = new kernel.UDP();
    expect(handle.connect(disguise(V4.imds, "10.0.0.1"), 53)).toBe(EACCES);
    expect(handle.send({}, [], 1, 53, disguise(V4.imds, "10.0.0.1"), true)).toBe(EACCES);
    expect(arrivals()).toEqual([]);
    handle.connect(disguise("10.0.0.1", V4.imds), 53);
    handle.send({}, [], 1, 53, disguise("10.0.0.1", V4.imds), true);
    expect(kernel.arrived.map(({ args }) => args)).toEqual([
      ["10.0.0.1", 53],
      [{}, [], 1, 53, "10.0.0.1", true],
    ]);
  });

  it.each([
    ["send", [{}, [], 1, 53, "10.0.0.1", true]],
    // Of a socket that is connected: no address.
    ["send", [{}, [], 1, true]],
    ["send6", [{}, [], 1, 53, "2001:db8::1", true]],
    ["send6", [{}, [], 1, 53, V4.imds, true]],
    ["send", [V4.imds, [], 1, 53, "10.0.0.1", true]],
    ["connect", ["10.0.0.1", 53]],
    ["connect6", ["2001:db8::1", 53]],
  ] as const)("%s with %j is the system's", (method, args) => {
    hooked();
    const handle = new kernel.UDP();
    expect(handle[method](...args)).toBe(`answer of udp.${method}`);
    expect(kernel.arrived).toEqual([{ method: `udp.${method}`, self: handle, args }]);
    expect(kernel.arrived[0]?.self).toBe(handle);
    expect(attempts).toEqual([]);
  });

  it("takes a method of its own, as Node gives it for IPv6, and is guarded through it", () => {
    hooked();
    const handle = new kernel.UDP();
    handle.send = handle.send6;
    expect(Object.getOwnPropertyDescriptor(handle, "send")).toMatchObject({
      writable: true,
      configurable: true,
      enumerable: true,
    });
    expect(handle.send({}, [], 1, 123, "fd00:ec2::123", true)).toBe(EACCES);
    expect(new kernel.UDP().send({}, [], 1, 123, "fd00:ec2::123", true)).toBe("answer of udp.send");
  });

  it("names whoever asked the socket", () => {
    hooked();
    rememberCallers(classifier);
    const handle = new kernel.UDP();
    const socket = new Socket();
    handle[Symbol("owner_symbol")] = socket;
    const program = (): unknown => socket.connect(80, V4.imds);
    const node = (): unknown => handle.connect(V4.imds, 53);
    program();
    node();
    expect(functions(attempts[0]?.stack)).toContain("program");
  });
});

describe("setServers of a resolver", () => {
  it.each([
    [[[4, V4.dns, 53]], { literal: V4.dns, service: "dns", port: 53 }],
    [[[6, "fd00:ec2::253", 53]], { literal: "fd00:ec2::253", service: "dns", port: 53 }],
    [
      [
        [4, "10.0.0.1", 53],
        [4, V4.imds, 5353],
      ],
      { literal: V4.imds, service: "imds", port: 5353 },
    ],
    [[7, [4, 7, 53], [4], [4, V4.dns]], { literal: V4.dns, service: "dns", port: undefined }],
    [
      [
        [6, "2001:db8::1", 53],
        [6, "::ffff:169.254.169.253", "53"],
        [4, V4.dns, 53],
      ],
      { literal: "::ffff:169.254.169.253", service: "dns", port: undefined },
    ],
  ])("refuses %j", (servers, attempt) => {
    hooked();
    const program = (): unknown => new kernel.ChannelWrap().setServers(servers);
    // c-ares: ARES_EREFUSED
    expect(program()).toBe(6);
    expect(attempts).toEqual([{ ...attempt, via: "dns-server", stack: expect.any(String) }]);
    expect(functions(attempts[0]?.stack)[0]).toBe("program");
    expect(arrivals()).toEqual([]);
  });

  it.each([
    [
      [
        [4, "10.0.0.1", 53],
        [6, "2001:db8::1", 53],
      ],
    ],
    [[]],
    [undefined],
    ["169.254.169.253"],
    [[["4", undefined, 53]]],
    [[undefined, "169.254.169.253", ["169.254.169.253", undefined, undefined]]],
  ])("leaves %j to the system", (servers) => {
    hooked();
    const resolver = new kernel.ChannelWrap();
    expect(resolver.setServers(servers, "more")).toBe("answer of cares.setServers");
    expect(kernel.arrived).toEqual([{ method: "cares.setServers", self: resolver, args: [servers, "more"] }]);
    expect(kernel.arrived[0]?.self).toBe(resolver);
    expect(attempts).toEqual([]);
  });

  it.each(Object.entries(DISGUISES))("takes %s for what it says when it is read once", (_, disguise) => {
    hooked();
    const resolver = new kernel.ChannelWrap();
    expect(resolver.setServers([[4, disguise(V4.dns, "10.0.0.1"), 53]])).toBe(6);
    const changing = [7];
    let readings = 0;
    Object.defineProperty(changing, 0, { get: () => [4, readings++ === 0 ? V4.dns : "10.0.0.1", 53] });
    expect(resolver.setServers(changing)).toBe(6);
    expect(arrivals()).toEqual([]);
    resolver.setServers([[4, disguise("10.0.0.1", V4.dns), 53]]);
    expect(kernel.arrived.map(({ args }) => args)).toEqual([[[[4, "10.0.0.1", 53]]]]);
  });

  it.each([
    [[[V4.dns, 53]], true],
    [
      [
        ["10.0.0.1", 53],
        [V4.dns, 53],
      ],
      true,
    ],
    [[[V4.imds, 53]], false],
    [[V4.dns], false],
    [[undefined], false],
    [[], false],
    [undefined, false],
    [V4.dns, false],
  ])("may set again what is configured: %j", (configured, passes) => {
    hooked();
    kernel.servers = configured;
    expect(new kernel.ChannelWrap().setServers([[4, V4.dns, 53]])).toBe(passes ? "answer of cares.setServers" : 6);
    expect(attempts).toHaveLength(passes ? 0 : 1);
  });

  it("passes, and tells of every server, where they are only to be seen", () => {
    hooked(false);
    expect(
      new kernel.ChannelWrap().setServers([
        [4, V4.dns, 53],
        [4, "10.0.0.1", 53],
        [4, V4.imds, 53],
      ]),
    ).toBe("answer of cares.setServers");
    expect(attempts.map(({ literal }) => literal)).toEqual([V4.dns, V4.imds]);
    expect(arrivals()).toEqual(["cares.setServers"]);
  });
});

describe("every hook", () => {
  const HOOKS = [
    ["TCP", "connect"],
    ["TCP", "connect6"],
    ["UDP", "connect"],
    ["UDP", "connect6"],
    ["UDP", "send"],
    ["UDP", "send6"],
    ["ChannelWrap", "setServers"],
  ] as const;
  const ARGS = { TCP: [{}, V4.imds, 80], UDP: [V4.imds, 53], ChannelWrap: [[[4, V4.imds, 53]]] };
  const prototypeOf = (name: "TCP" | "UDP" | "ChannelWrap") =>
    kernel[name].prototype as unknown as Record<string, Method>;

  it.each(HOOKS)("of %s.prototype.%s can be neither replaced nor deleted", (name, method) => {
    hooked();
    const prototype = prototypeOf(name);
    const hook = prototype[method];
    expect(hook?.name).toBe(method);
    expect(Object.getOwnPropertyDescriptor(prototype, method)).toMatchObject({ configurable: false, enumerable: true });
    expect(() => (prototype[method] = () => 0)).toThrow(new TypeError(`${method} is guarded by imds-guard`));
    expect(() => delete prototype[method]).toThrow(TypeError);
    expect(() => Object.defineProperty(prototype, method, { value: () => 0 })).toThrow(TypeError);
    expect(prototype[method]).toBe(hook);
  });

  it.each(HOOKS)("of %s.prototype.%s stays named like what it guards, whoever names it anew", (name, method) => {
    hooked();
    expect(Object.getOwnPropertyDescriptor(prototypeOf(name)[method], "name")).toMatchObject({ configurable: true });
  });

  it.each([
    ["TCP", 0],
    ["UDP", EACCES],
    ["ChannelWrap", 6],
  ] as const)("lets a %s of the guard's own pass", (name, refusal) => {
    hooked();
    publish(nativePrototypes(), {});
    const method = name === "ChannelWrap" ? "setServers" : "connect";
    const handle = new kernel[name]() as unknown as Record<string, Method>;
    markOwn({ _handle: handle });
    expect(handle[method]?.(...ARGS[name])).toMatch(/^answer of/);
    expect(kernel.arrived).toMatchObject([{ args: ARGS[name] }]);
    expect(kernel.arrived[0]?.self).toBe(handle);
    expect(attempts).toEqual([]);
    expect((new kernel[name]() as unknown as Record<string, Method>)[method]?.(...ARGS[name])).toBe(refusal);
  });

  it.each(["connect", "connect6"] as const)("lets %s of TCP pass where it is only to be seen", async (method) => {
    hooked(false);
    const handle = new kernel.TCP();
    const asked = request();
    const args = [asked, method === "connect" ? V4.imds : "fd00:ec2::254", 80, "more"];
    expect(handle[method](...args)).toBe(`answer of tcp.${method}`);
    await turn();
    expect(kernel.arrived).toEqual([{ method: `tcp.${method}`, self: handle, args }]);
    expect(kernel.arrived[0]?.self).toBe(handle);
    expect([attempts.length, asked.seen]).toEqual([1, []]);
  });

  it("keeps refusing when the built-ins that it needs are replaced", async () => {
    hooked();
    const tcp = new kernel.TCP();
    const resolver = new kernel.ChannelWrap();
    const asked = request();
    const { apply } = Reflect;
    const { isArray } = Array;
    const { setImmediate } = globalThis;
    const { charCodeAt } = String.prototype;
    const answers: unknown[] = [];
    try {
      Reflect.apply = () => "replaced";
      Array.isArray = (() => false) as unknown as typeof Array.isArray;
      globalThis.setImmediate = (() => undefined) as unknown as typeof setImmediate;
      String.prototype.charCodeAt = () => 0;
      answers[0] = tcp.connect(asked, V4.imds, 80);
      answers[1] = resolver.setServers([[6, "fd00:ec2::253", 53]]);
    } finally {
      Reflect.apply = apply;
      Array.isArray = isArray;
      globalThis.setImmediate = setImmediate;
      String.prototype.charCodeAt = charCodeAt;
    }
    await turn();
    expect(answers).toEqual([0, 6]);
    expect(asked.seen).toHaveLength(1);
  });
});
