/** Requests as Node's HTTP client and undici publish them, of which some would leave through a proxy. */
import { channel } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { Agent } from "node:http";
import { beforeEach, describe, expect, it } from "vitest";
import { arrivals, kernel, noting, put } from "./kernel.js";
import { nativePrototypes } from "../../src/firewall/native-prototypes.js";
import { publish } from "../../src/firewall/own-connections.js";
import { createClassifier } from "../../src/firewall/classify.js";
import { isPlainName, keepOffProxies } from "../../src/firewall/proxies.js";
import type { Attempt } from "../../src/firewall/refusal.js";
import { EACCES } from "../../src/firewall/refusal.js";
import { markOwn } from "../../src/base/own-sockets.js";
import { fc } from "../support/properties.js";

const CAUSE = new Error("why");
const IMDS = "169.254.169.254";
let attempts: Attempt[];
let blocked: boolean;

function kept(node = "22.0.0"): void {
  put(process, "versions", { ...process.versions, node });
  keepOffProxies({
    classifier: createClassifier([]),
    attempted: (attempt) => {
      attempts.push(attempt);
      return { blocked, cause: CAUSE };
    },
  });
}

beforeEach(() => {
  attempts = [];
  blocked = true;
});

interface Shape {
  readonly agent?: unknown;
  readonly host?: unknown;
  readonly path?: unknown;
  readonly protocol?: unknown;
  /** The header. */
  readonly stated?: unknown;
}

/** A request of Node's client, as far as it is looked at. */
function request({ stated, ...shape }: Shape) {
  const ended: Error[] = [];
  return {
    agent: {},
    host: "10.0.0.1",
    path: "/",
    protocol: "http:",
    ...shape,
    ended,
    getHeader: (name: string) => (name === "host" ? stated : "wrong header"),
    destroy: (error: Error) => void ended.push(error),
  };
}

const created = (message: object): void => channel("http.client.request.created").publish({ request: message });
const started = (message: object): void => channel("http.client.request.start").publish({ request: message });
const asked = (message: object): void => channel("undici:request:create").publish({ request: message });

const refusal = (address: string, port: number) => ({
  message: `connect EACCES ${address}:${port}`,
  cause: CAUSE,
  errno: EACCES,
  code: "EACCES",
  syscall: "connect",
  address,
  port,
});
const toldBy = (error: unknown) => {
  const { message, cause, errno, code, syscall, address, port } = error as Error & Record<string, unknown>;
  return { message, cause, errno, code, syscall, address, port };
};

const HOSTS: readonly (readonly [string, string])[] = [
  [IMDS, "imds"],
  ["169.254.169.253", "dns"],
  ["169.254.169.123", "ntp"],
  ["169.254.170.2", "ecs"],
  ["169.254.170.23", "eks"],
  ["fd00:ec2::254", "imds"],
  ["[fd00:ec2::254]", "imds"],
  ["[fd00:ec2::23]", "eks"],
  ["::ffff:169.254.169.254", "imds"],
  ["[::ffff:a9fe:a9fe]", "imds"],
  ["[64:ff9b::a9fe:a9fe]", "imds"],
  ["2852039166", "imds"],
  ["0xa9fea9fe", "imds"],
  ["0251.0376.0251.0376", "imds"],
  ["169.16689662", "imds"],
  ["169.254.169.254.", "imds"],
  ["169.254.169.0xfe", "imds"],
  ["\uff11\uff16\uff19.254.169.254", "imds"],
  ["169.254.169.\uff12\uff15\uff14", "imds"],
  ["169.254.0251.0376", "imds"],
  // What becomes an address in a URL, which agents make of a host before they ask a proxy.
  ["%31%36%39.254.169.254", "imds"],
  ["169.254.169.%32%35%34", "imds"],
  ["169%2e254%2e169%2e254", "imds"],
  ["169\u3002254\u3002169\u3002254", "imds"],
  ["x@169.254.169.254", "imds"],
  ["169.254.169.254:80", "imds"],
  ["169.254.169.254/x", "imds"],
  ["169.254.169.254\\x", "imds"],
  ["\t169.254.169.254", "imds"],
  ["[fd00:ec2::254]:80", "imds"],
  ["[::ffff:169.254.169.254]:80", "imds"],
  ["x:y@[fd00:ec2::253]", "dns"],
];
const FREE = [
  "",
  "10.0.0.1",
  "127.0.0.1",
  "169.254.1.1",
  "169.254.169.25",
  "example.com",
  "example.1x",
  "metadata.google.internal",
  "1.2.3.999",
  "[2001:db8::1]",
  "::1",
  "2852039167",
  "a.",
  ".",
  "...",
  "/9",
  "0",
  "999999999999",
  "169.254.169.254.example",
  "b\u00fccher.example",
  "\u00fc",
  "a_b-c.example.",
  "_a",
  "-",
  "1.example",
  "[",
  "]",
  "[]",
  "[x",
  "a:b:c",
  "@",
  "%",
  "10.0.0.1:80",
  "[2001:db8::1]:80",
  "169.254.169.254@example.com",
  "169.254.169.254.example:80",
  "x y",
];

describe("a request of Node's client", () => {
  beforeEach(() => kept());

  it.each(HOSTS)("to %s (%s) is ended as a refused connection is", (host, service) => {
    const one = request({ host });
    const program = (): void => started(one);
    program();
    expect(one.ended.map(toldBy)).toEqual([refusal(host, 80)]);
    expect(attempts).toEqual([{ literal: host, port: 80, service, via: "http", stack: expect.any(String) }]);
    expect(attempts[0]?.stack).toContain("at program (");
    expect(attempts[0]?.stack).not.toContain("at check (");
  });

  it.each([...FREE, undefined, 7, ["169.254.169.254"]])("to %j goes on", (host) => {
    const one = request({ host });
    started(one);
    created(one);
    expect([one.ended, attempts]).toEqual([[], []]);
  });

  it.each<[string, string, number?]>([
    [`http://${IMDS}/latest/meta-data/`, IMDS],
    [`http://${IMDS}`, IMDS],
    [`HTTP://${IMDS}:80/`, IMDS],
    [`http://user:secret@${IMDS}/`, IMDS],
    [`http://user@${IMDS}:8080?x=1`, IMDS, 8080],
    [`http://${IMDS}:81/`, IMDS, 81],
    [`http://${IMDS}:82#a`, IMDS, 82],
    [`http://${IMDS}/a:83`, IMDS],
    [`http://${IMDS}/https://`, IMDS],
    [`http://u:9@${IMDS}/`, IMDS],
    [`http://${IMDS}#a`, IMDS],
    ["http://[fd00:ec2::254]/latest", "fd00:ec2::254"],
    ["http://user@[fd00:ec2::254]:80/", "fd00:ec2::254"],
    ["https://2852039166/", "2852039166", 443],
    ["http://169.254.169.%32%35%34:80/", "169.254.169.%32%35%34"],
    [`HTTPS://${IMDS}/`, IMDS, 443],
    ["git+http.x-1://0xa9fea9fe/", "0xa9fea9fe"],
    [`${IMDS}:80`, IMDS],
    [IMDS, IMDS],
    ["[fd00:ec2::254]:443", "fd00:ec2::254", 443],
  ])("for a proxy with %s is ended, with the port of its target", (path, literal, port = 80) => {
    const one = request({ path, stated: "10.0.0.1:3128" });
    started(one);
    expect(one.ended.map(toldBy)).toEqual([refusal(literal, port)]);
  });

  it.each([
    `/http://${IMDS}/`,
    "",
    "*",
    `/${IMDS}`,
    `http://example.com/?u=http://${IMDS}/`,
    `http://example.com/${IMDS}`,
    `http://${IMDS}@example.com/`,
    `http://example.com#@${IMDS}`,
    `http://x/@${IMDS}`,
    "http://",
    "http:///",
    "http://[",
    "http://[fd00:ec2::254",
    "a:b:c",
    `1http://${IMDS}/`,
    undefined,
    7,
    [IMDS],
  ])("with the path %j goes on", (path) => {
    const one = request({ path });
    started(one);
    expect([one.ended, attempts]).toEqual([[], []]);
  });

  it("looks at the target first, and at the host even so", () => {
    started(request({ host: "169.254.169.253", path: `http://${IMDS}/` }));
    started(request({ host: "169.254.169.253", path: "http://example.com/" }));
    started(request({ host: undefined, path: `http://${IMDS}/` }));
    expect(attempts.map(({ literal }) => literal)).toEqual([IMDS, "169.254.169.253", IMDS]);
  });

  it.each([
    [{ stated: `${IMDS}:8080` }, 8080],
    [{ stated: "[fd00:ec2::254]:81" }, 81],
    [{ stated: "name.example:1", protocol: "https:" }, 1],
    [{ stated: IMDS, protocol: "https:" }, 443],
    [{ stated: IMDS, protocol: "http:" }, 80],
    [{ stated: [`${IMDS}:8080`] }, 80],
    [{ stated: undefined, protocol: "https:" }, 443],
    [{ stated: "fd00:ec2::254:81" }, 80],
    [{ stated: `${IMDS}:8080x` }, 80],
    [{ stated: `${IMDS}:` }, 80],
    [{ stated: ":8080" }, 8080],
    [{ stated: `x ${IMDS}]:8080` }, 80],
    [{ getHeader: undefined }, 80],
  ] as readonly (readonly [Shape, number])[])("tells the port of %j: %i", (shape, port) => {
    const one = { ...request({ host: IMDS, stated: shape.stated }), ...shape };
    started(one);
    expect(one.ended.map(toldBy)).toEqual([refusal(IMDS, port)]);
  });

  it("is looked at when it is made, if an agent will dial for it, else when it starts", () => {
    const withAgent = request({ host: IMDS });
    created(withAgent);
    expect(withAgent.ended).toHaveLength(1);
    for (const agent of [undefined, false, null]) {
      const without = request({ host: IMDS, agent });
      created(without);
      expect(without.ended).toHaveLength(0);
      started(without);
      expect(without.ended).toHaveLength(1);
    }
  });

  it("of the guard's own goes on", () => {
    publish(nativePrototypes(), {});
    const one = markOwn(request({ host: IMDS }), { _handle: new kernel.TCP() });
    created(one);
    started(one);
    expect([one.ended, attempts]).toEqual([[], []]);
  });

  it("goes on where it is only to be seen", () => {
    blocked = false;
    const one = request({ host: IMDS });
    started(one);
    expect([one.ended, attempts.length]).toEqual([[], 1]);
  });
});

describe("isPlainName", () => {
  it("is what a regular expression says, of anything", () => {
    const label = fc.string({ unit: fc.constantFrom(..."azAZ09_-.@[`{/:% \u212a\u017f"), maxLength: 6 });
    const host = fc.oneof(
      fc.array(label, { maxLength: 4 }).map((labels) => labels.join(".")),
      fc.string({ unit: "binary", maxLength: 12 }),
    );
    fc.assert(fc.property(host, (text) => isPlainName(text) === /^(?:[\w-]+\.)*[a-z_-][\w-]*\.?$/i.test(text)));
  });

  it.each(["a", "A", "z9", "s3.eu-central-1.amazonaws.com", "localhost.", "_dns", "-", "1.a", "a.b-9_."])(
    "%s is one",
    (host) => {
      expect(isPlainName(host)).toBe(true);
    },
  );

  it.each([
    "",
    ".",
    "..",
    "1",
    "a.1",
    "a..b",
    ".a",
    "a..",
    "a.1.",
    "127.0.0.1",
    "[::1]",
    "a b",
    "a/b",
    "a:1",
    "\u212a",
    "\u00e9",
  ])("%j is none", (host) => {
    expect(isPlainName(host)).toBe(false);
  });
});

describe("an agent", () => {
  const addRequest = (one: object, ...rest: unknown[]): unknown =>
    Reflect.apply((Agent.prototype as unknown as { addRequest: (...args: unknown[]) => unknown }).addRequest, AGENT, [
      one,
      ...rest,
    ]);
  const AGENT = {};

  it.each(["20.19.0", "21.7.3"])("of Node %s never hears of a request that was refused", (node) => {
    kept(node);
    const given: unknown[] = [];
    const one = { ...request({ host: IMDS }), destroyed: false, onSocket: (socket: unknown) => given.push(socket) };
    one.destroy = (error) => {
      one.ended.push(error);
      one.destroyed = true;
    };
    expect(addRequest(one, "options")).toBe(1);
    expect([one.ended.map(toldBy), given, arrivals()]).toEqual([[refusal(IMDS, 80)], [null], []]);
    const other = { ...request({}), destroyed: false, onSocket: (socket: unknown) => given.push(socket) };
    expect(addRequest(other, "options", 7)).toBe("answer of Agent.addRequest");
    expect(kernel.arrived).toEqual([{ method: "Agent.addRequest", self: AGENT, args: [other, "options", 7] }]);
    expect(kernel.arrived[0]?.self).toBe(AGENT);
    expect(given).toHaveLength(1);
  });

  it.each(["22.0.0", "24.1.0"])("of Node %s is left as it is", (node) => {
    kept(node);
    expect(addRequest(request({ host: IMDS }))).toBe("answer of Agent.addRequest");
    expect(attempts).toEqual([]);
  });
});

describe("an agent that Node has not loaded yet", () => {
  beforeEach(() => {
    put(process, "moduleLoadList", ["NativeModule net"]);
  });
  type Added = Record<"addRequest", (...args: unknown[]) => unknown>;
  const refused = () => ({ ...request({ host: IMDS }), destroyed: true, onSocket: () => "told" });

  it("is guarded as Node makes it", () => {
    kept("20.19.0");
    expect((Agent.prototype as unknown as Added).addRequest({})).toBe("answer of Agent.addRequest");
    kernel.arrived.length = 0;
    // As in lib/_http_agent.js.
    const prototype = Object.create(EventEmitter.prototype) as Added & { createConnection?: unknown };
    prototype.createConnection = () => undefined;
    prototype.addRequest = noting("the agent's own");
    expect(Object.getOwnPropertyDescriptor(prototype, "addRequest")).toMatchObject({
      writable: true,
      enumerable: true,
      configurable: true,
    });
    const agent = Object.create(prototype) as Added;
    expect(agent.addRequest(refused())).toBe("told");
    expect([attempts.length, arrivals()]).toEqual([1, []]);
    expect(agent.addRequest({ ...request({}), destroyed: false }, 7)).toBe("answer of the agent's own");
    expect(kernel.arrived[0]?.self).toBe(agent);
  });

  it("is told from other emitters", () => {
    kept("20.19.0");
    expect(Reflect.get(new EventEmitter(), "addRequest")).toBeUndefined();
    for (const value of [() => 7, undefined, "text"]) {
      const other = Object.assign(new EventEmitter(), { addRequest: value });
      expect(Object.getOwnPropertyDescriptor(other, "addRequest")).toEqual({
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    class Queue extends EventEmitter {
      createConnection = 7;
      addRequest = 8;
    }
    expect(new Queue()).toMatchObject({ createConnection: 7, addRequest: 8 });
  });

  it("is left alone by Node 22", () => {
    kept("22.0.0");
    expect(Object.hasOwn(EventEmitter.prototype, "addRequest")).toBe(false);
  });
});

describe("a request of undici", () => {
  beforeEach(() => kept());

  function undici(shape: { origin?: unknown; path?: unknown }) {
    const ended: unknown[] = [];
    return {
      path: "/",
      ...shape,
      ended,
      onError: (error: Error) => void ended.push(error),
      onResponseError: () => void ended.push("wrong one"),
    };
  }

  it.each([
    [`http://${IMDS}`, IMDS, 80],
    [`https://${IMDS}`, IMDS, 443],
    [`HTTPS://${IMDS}`, IMDS, 443],
    [`HTTP://${IMDS}:8080`, IMDS, 8080],
    [new URL(`http://${IMDS}:81/path`), IMDS, 81],
    [new URL("https://[fd00:ec2::254]/"), "fd00:ec2::254", 443],
    ["http://[fd00:ec2::254]:82", "fd00:ec2::254", 82],
    ["http://2852039166", "2852039166", 80],
  ])("to %s is ended", (origin, literal, port) => {
    const one = undici({ origin });
    const program = (): void => asked(one);
    program();
    expect(one.ended.map(toldBy)).toEqual([refusal(literal, port)]);
    expect(attempts).toEqual([{ literal, port, service: "imds", via: "http", stack: expect.any(String) }]);
    expect(attempts[0]?.stack).toContain("at program (");
    expect(attempts[0]?.stack).not.toContain("at dispatched (");
  });

  it.each([
    "http://10.0.0.1",
    "https://example.com:443",
    undefined,
    7,
    { origin: `http://${IMDS}` },
    [`http://${IMDS}`],
    "",
  ])("to %j goes on", (origin) => {
    const one = undici({ origin });
    asked(one);
    expect([one.ended, attempts]).toEqual([[], []]);
  });

  it.each([
    ["the handlers of undici 8", (ended: unknown[]) => ({ onResponseError: (error: Error) => void ended.push(error) })],
    [
      "the handlers of earlier ones",
      (ended: unknown[]) => ({ onError: (error: Error) => void ended.push(error), onResponseError: 7 }),
    ],
  ])("tells %s", (_, handlers) => {
    const ended: unknown[] = [];
    asked({ origin: `http://${IMDS}`, path: "/", ...handlers(ended) });
    expect(ended.map(toldBy)).toEqual([refusal(IMDS, 80)]);
  });

  it("is an attempt, whoever hears of its end, and goes on where it is only to be seen", () => {
    asked({ origin: `http://${IMDS}`, path: "/" });
    expect(attempts).toHaveLength(1);
    blocked = false;
    const one = undici({ origin: `http://${IMDS}` });
    asked(one);
    expect([one.ended, attempts.length]).toEqual([[], 2]);
  });

  it.each([
    [`${IMDS}:443`, 443],
    [`${IMDS}:8080`, 8080],
    [`http://${IMDS}/latest`, 80],
    [`http://${IMDS}:81/latest`, 81],
    [`https://user@${IMDS}/latest`, 443],
  ])("through a proxy to %s is ended with the port of its target", (path, port) => {
    const one = undici({ origin: "http://10.0.0.1:3128", path });
    asked(one);
    expect(one.ended.map(toldBy)).toEqual([refusal(IMDS, port)]);
  });
});

describe("NO_PROXY", () => {
  const ALL = "169.254.169.254,[fd00:ec2::254],169.254.169.253,169.254.170.2,169.254.170.23,[fd00:ec2::23]";
  it.each([
    [undefined, undefined, ALL, undefined],
    ["", undefined, ALL, undefined],
    [" , ,", undefined, ALL, undefined],
    ["example.com", undefined, `example.com,${ALL}`, undefined],
    [" example.com , 10.0.0.0/8 ", undefined, `example.com,10.0.0.0/8,${ALL}`, undefined],
    ["*", undefined, "*", undefined],
    [" * ", undefined, " * ", undefined],
    ["*,a", undefined, `*,a,${ALL}`, undefined],
    [undefined, "example.com", undefined, `example.com,${ALL}`],
    [undefined, "*", undefined, "*"],
    [undefined, "", undefined, ALL],
    ["a", "b", `a,${ALL}`, `b,${ALL}`],
    ["*", "b", "*", `b,${ALL}`],
    ["b", "*", `b,${ALL}`, "*"],
    [ALL, undefined, ALL, undefined],
    [
      "169.254.170.2,x, [fd00:ec2::254]",
      undefined,
      "169.254.170.2,x,[fd00:ec2::254],169.254.169.254,169.254.169.253,169.254.170.23,[fd00:ec2::23]",
      undefined,
    ],
  ])("%j and no_proxy %j become %j and %j", (upper, lower, upperAfter, lowerAfter) => {
    if (upper !== undefined) process.env["NO_PROXY"] = upper;
    if (lower !== undefined) process.env["no_proxy"] = lower;
    kept();
    expect([process.env["NO_PROXY"], process.env["no_proxy"]]).toEqual([upperAfter, lowerAfter]);
    kept();
    expect([process.env["NO_PROXY"], process.env["no_proxy"]]).toEqual([upperAfter, lowerAfter]);
  });
});
