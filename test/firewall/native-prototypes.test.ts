/** Where the hooks go: the prototypes of the bindings, else of objects that are made and thrown away. */
import { Resolver } from "node:dns";
import { createSocket } from "node:dgram";
import { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { kernel, put, putBack } from "./kernel.js";
import { nativePrototypes } from "../../src/firewall/native-prototypes.js";

/** Those of sockets and look-ups. */
function openHandles(): number {
  return process.getActiveResourcesInfo().filter((kind) => /^(?:TCP|UDP|GetAddr)/.test(kind)).length;
}

describe("nativePrototypes", () => {
  it("takes them from the bindings, quietly", () => {
    const told: unknown[] = [];
    put(process, "noDeprecation", undefined);
    const bindings = kernel.bindings;
    put(process, "binding", function (this: unknown, name: string) {
      told.push([name, this === process, process.noDeprecation]);
      return bindings[name];
    });
    expect(nativePrototypes()).toEqual({
      tcp: kernel.TCP.prototype,
      udp: kernel.UDP.prototype,
      resolver: kernel.ChannelWrap.prototype,
    });
    expect(nativePrototypes().tcp).toBe(kernel.TCP.prototype);
    expect(told.slice(0, 3)).toEqual([
      ["tcp_wrap", true, true],
      ["udp_wrap", true, true],
      ["cares_wrap", true, true],
    ]);
    expect(Object.hasOwn(process, "noDeprecation")).toBe(false);
  });

  it.each([true, false])("leaves process.noDeprecation at %j", (value) => {
    put(process, "noDeprecation", value);
    nativePrototypes();
    expect(process.noDeprecation).toBe(value);
    kernel.bindings["udp_wrap"] = undefined;
    putBack(Socket.prototype, "connect");
    nativePrototypes();
    expect(process.noDeprecation).toBe(value);
  });

  describe("without bindings", () => {
    // Only here: to a name that nobody looks up.
    beforeEach(async () => {
      putBack(Socket.prototype, "connect");
      await turn();
    });

    it.each([
      ["there is no tcp_wrap", () => (kernel.bindings["tcp_wrap"] = undefined)],
      ["there is no udp_wrap", () => (kernel.bindings["udp_wrap"] = undefined)],
      ["there is no cares_wrap", () => (kernel.bindings["cares_wrap"] = undefined)],
      ["tcp_wrap is empty", () => (kernel.bindings["tcp_wrap"] = {})],
      ["udp_wrap is empty", () => (kernel.bindings["udp_wrap"] = {})],
      ["cares_wrap is empty", () => (kernel.bindings["cares_wrap"] = {})],
      ["a class has no prototype", () => (kernel.bindings["tcp_wrap"] = { TCP: () => undefined })],
      ["process.binding is gone", () => put(process, "binding", undefined)],
    ])("takes them from objects where %s, and leaves none of those open", async (_, take) => {
      take();
      const open = openHandles();
      const { tcp, udp, resolver } = nativePrototypes();
      const sender = createSocket("udp4");
      const symbol = Object.getOwnPropertySymbols(sender).find(
        ({ description }) => description === "state symbol",
      ) as symbol;
      const { handle } = (sender as unknown as Record<symbol, { handle: object }>)[symbol] as { handle: object };
      const { _handle: channel } = new Resolver() as unknown as { _handle: object };
      sender.close();
      expect(udp).toBe(Object.getPrototypeOf(handle));
      expect(resolver).toBe(Object.getPrototypeOf(channel));
      for (const [name, prototype] of [
        ["connect6", tcp],
        ["listen", tcp],
        ["send6", udp],
        ["setServers", resolver],
      ] as const)
        expect([name, typeof (prototype as Record<string, unknown>)[name]]).toEqual([name, "function"]);
      await turn();
      expect(openHandles()).toBeLessThanOrEqual(open);
    });
  });
});
