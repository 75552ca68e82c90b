/** How a connection is led to the responder: what the operating system is asked, in which order, and when it is not. */
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Answers } from "../../src/firewall/redirect.js";
import { createRedirect } from "../../src/firewall/redirect.js";
import { EACCES } from "../../src/firewall/refusal.js";

const LOCAL = 40_001;
const RESPONDER = 50_002;

interface Given {
  /** What the calls come to. Default: all is well. */
  readonly bind?: number;
  readonly connect?: number;
  readonly getsockname?: number;
  readonly name?: object;
  readonly port?: Answers["port"];
  readonly made?: () => Answers;
}

interface Stage {
  readonly lead: () => void;
  readonly calls: unknown[][];
  readonly expected: { port: number; isOurs: () => boolean }[];
  readonly refused: () => number;
  readonly handle: object;
  readonly owner: { _handle?: object | null; destroyed?: boolean };
  readonly request: object;
  /** What `getsockname` says from now on. */
  say: (name: object) => void;
}

function stage(given: Given = {}): Stage {
  const calls: unknown[][] = [];
  const expected: Stage["expected"] = [];
  let name = given.name ?? { port: LOCAL };
  let refused = 0;
  const tcp = {
    bind(this: object, ...args: unknown[]) {
      calls.push(["bind", this === handle, ...args]);
      return given.bind ?? 0;
    },
    connect(this: object, ...args: unknown[]) {
      calls.push(["connect", this === handle, ...args]);
      return given.connect ?? 0;
    },
    getsockname(this: object, found: object) {
      Object.assign(found, name);
      return given.getsockname ?? 0;
    },
  };
  const handle = Object.create(tcp) as object;
  const owner = { _handle: handle };
  const request = {};
  const answers = (): Answers => ({
    port: given.port ?? (() => Promise.resolve(RESPONDER)),
    expect: (port, isOurs) => {
      calls.push(["expect", port]);
      expected.push({ port, isOurs });
    },
  });
  const redirect = createRedirect({ tcp }, given.made ?? answers);
  // Whoever replaces a method later changes nothing.
  Object.assign(tcp, { bind: () => -1, connect: () => -1, getsockname: () => -1 });
  return {
    lead: () => redirect({ handle, owner, request }, () => refused++),
    calls,
    expected,
    refused: () => refused,
    handle,
    owner,
    request,
    say: (now) => (name = now),
  };
}

async function led(at: Stage): Promise<Stage> {
  at.lead();
  await turn();
  await turn();
  return at;
}

describe("a connection", () => {
  it("is bound to loopback, made to the responder with the request of the program, and announced", async () => {
    const at = await led(stage());
    expect(at.calls).toEqual([
      ["bind", true, "127.0.0.1", 0],
      ["connect", true, at.request, "127.0.0.1", RESPONDER],
      ["expect", LOCAL],
    ]);
    expect(at.calls[1]?.[2]).toBe(at.request);
    expect(at.refused()).toBe(0);
  });

  it("is announced for as long as its socket has that port", async () => {
    const at = await led(stage());
    const isOurs = at.expected[0]?.isOurs;
    expect(isOurs?.()).toBe(true);
    at.say({ port: LOCAL + 1 });
    expect(isOurs?.()).toBe(false);
    at.say({});
    expect(isOurs?.()).toBe(false);
  });

  it.each<[string, Given, string[]]>([
    ["nobody may be answered here", { port: () => Promise.resolve(undefined) }, []],
    ["the responder cannot be had", { port: () => Promise.reject(new Error("x")) }, []],
    [
      "the responder throws",
      {
        port: () => {
          throw new Error("x");
        },
      },
      [],
    ],
    [
      "there is no responder",
      {
        made: () => {
          throw new Error("x");
        },
      },
      [],
    ],
    ["the program bound it elsewhere", { bind: -22 }, ["bind"]],
    ["the system does not tell its port", { getsockname: -9 }, ["bind"]],
    ["the system tells no port", { name: {} }, ["bind"]],
    ["the system tells something else", { name: { port: "80" } }, ["bind"]],
    ["the responder is not reached", { connect: -111 }, ["bind", "connect"]],
  ])("is refused once where %s", async (_, given, calls) => {
    const at = await led(stage(given));
    expect(at.calls.map(([call]) => call)).toEqual(calls);
    expect([at.refused(), at.expected]).toEqual([1, []]);
  });

  it("is refused in a later turn, as a real refusal comes", () => {
    const at = stage({
      port: () => {
        throw new Error("x");
      },
    });
    at.lead();
    expect(at.refused()).toBe(0);
  });

  it.each<[string, (at: Stage) => void]>([
    ["was closed", (at) => (at.owner._handle = null)],
    ["was destroyed", (at) => (at.owner.destroyed = true)],
    ["was begun anew", (at) => (at.owner._handle = {})],
  ])("that %s meanwhile is left alone", async (_, happens) => {
    const at = stage();
    at.lead();
    happens(at);
    await turn();
    expect([at.calls, at.refused()]).toEqual([[], 0]);
  });
});

it("the responder is made with the first connection, and once", async () => {
  let made = 0;
  const at = stage({
    made: () => {
      made++;
      return { port: () => Promise.resolve(undefined), expect: () => undefined };
    },
  });
  expect(made).toBe(0);
  await led(at);
  await led(at);
  expect([made, at.refused()]).toEqual([1, 2]);
});

it("refuses as the system does", () => {
  expect(EACCES).toBe(process.platform === "win32" ? -4092 : -13);
});
