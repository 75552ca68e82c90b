/** Whose native handle a connection has, and how an installed firewall is told that it is ours. */
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns";
import { describe, expect, it } from "vitest";
import { FIREWALL, FIREWALL_PROTOCOL, firewallAt, handleOf, markOwn } from "../../src/base/own-sockets.js";

const HANDLE = { handle: "of a test" };
const STATE = Symbol("state symbol");

describe("handleOf", () => {
  it.each([
    ["a stream", { _handle: HANDLE }, HANDLE],
    ["a stream without a handle", { _handle: null }, undefined],
    ["what has none", {}, undefined],
    ["what has another thing there", { _handle: "text" }, undefined],
    ["a function there", { _handle: () => undefined }, undefined],
    ["a datagram socket", { [STATE]: { handle: HANDLE }, _handle: { wrong: 1 } }, HANDLE],
    ["another symbol before it", { [Symbol("kOther")]: { handle: { wrong: 1 } }, [STATE]: { handle: HANDLE } }, HANDLE],
    ["a state that is gone", { [STATE]: undefined, _handle: HANDLE }, HANDLE],
    ["a closed datagram socket", { [STATE]: { handle: null }, _handle: null }, undefined],
    ["a state with text in it", { [STATE]: { handle: "text" }, _handle: HANDLE }, HANDLE],
  ])("%s", (_, connection, handle) => {
    expect(handleOf(connection)).toBe(handle);
  });

  it("finds those of Node's own", () => {
    const socket = createSocket("udp4");
    expect(handleOf(socket)?.constructor.name).toBe("UDP");
    socket.close();
    expect(handleOf(socket)).toBeUndefined();
    expect(handleOf(new Resolver())?.constructor.name).toBe("ChannelWrap");
  });
});

describe("markOwn", () => {
  const marked: object[] = [];
  const firewall = { protocol: FIREWALL_PROTOCOL, own: (connection: object) => void marked.push(connection) };
  const guarded = { _handle: Object.create({ [FIREWALL]: firewall }) as object };

  it("tells the firewall on the prototype of the handle, and gives back the connection", () => {
    marked.length = 0;
    expect(markOwn(guarded)).toBe(guarded);
    expect(marked).toEqual([guarded]);
  });

  it("finds it by the socket of a request, which has no handle of its own", () => {
    marked.length = 0;
    const request = {};
    expect(markOwn(request, guarded)).toBe(request);
    expect(marked[0]).toBe(request);
  });

  it.each([
    ["no handle", {}],
    ["a handle without a firewall", { _handle: {} }],
    ["a handle that inherits nothing", { _handle: Object.create(null) as object }],
    ["a firewall further up", { _handle: Object.create(Object.create({ [FIREWALL]: firewall }) as object) as object }],
  ])("tells nobody where there is %s", (_, connection) => {
    marked.length = 0;
    expect(markOwn(connection)).toBe(connection);
    expect(marked).toEqual([]);
  });
});

describe("firewallAt", () => {
  it.each([undefined, null, "text", 5, {}, Object.create({ [FIREWALL]: {} }) as object])(
    "finds none at %s",
    (place) => {
      expect(firewallAt(place)).toBeUndefined();
    },
  );

  it("calls no getter that somebody has put there", () => {
    const place = Object.defineProperty({}, FIREWALL, {
      get: () => {
        throw new Error("called");
      },
    });
    expect(firewallAt(place)).toBeUndefined();
  });
});
