/** Which connections are the guard's own, and what an installed firewall leaves for it to find. */
import { describe, expect, it } from "vitest";
import { FIREWALL, kernel } from "./kernel.js";
import { nativePrototypes } from "../../src/firewall/native-prototypes.js";
import { isOwn, publish } from "../../src/firewall/own-connections.js";
import { firewallAt, markOwn } from "../../src/base/own-sockets.js";

describe("publish", () => {
  it("leaves what marks connections on every kind of handle, and tells nothing, for good", () => {
    const prototypes = [kernel.TCP, kernel.UDP, kernel.ChannelWrap].map(({ prototype }) => prototype as object);
    expect(prototypes.map(firewallAt)).toEqual([undefined, undefined, undefined]);
    const value = publish(nativePrototypes(), { extra: 7 });
    expect(prototypes.map(firewallAt)).toEqual([value, value, value]);
    expect(value.extra).toBe(7);
    expect([Object.getPrototypeOf(value), Object.isFrozen(value), Reflect.ownKeys(value)]).toEqual([
      null,
      true,
      ["protocol", "own", "extra"],
    ]);
    expect(value.protocol).toBe(1);
    expect(kernel.published).toMatchObject({ value, enumerable: false, writable: false, configurable: false });
    expect(FIREWALL in globalThis).toBe(false);
  });

  it("is not found where somebody inherits it", () => {
    publish(nativePrototypes(), {});
    expect(firewallAt(Object.create(kernel.TCP.prototype as object))).toBeUndefined();
    expect([firewallAt(undefined), firewallAt(null), firewallAt("text")]).toEqual([undefined, undefined, undefined]);
  });

  it.each(["TCP", "UDP", "ChannelWrap"] as const)("marks a connection with a handle of %s, and no other", (kind) => {
    const handle = new kernel[kind]();
    const connection = { _handle: handle };
    expect(markOwn(connection)).toBe(connection);
    expect([isOwn(connection), isOwn(handle)]).toEqual([false, false]);
    publish(nativePrototypes(), {});
    expect(markOwn(connection)).toBe(connection);
    expect([isOwn(connection), isOwn(handle), isOwn({ _handle: handle })]).toEqual([true, true, false]);
    const request = {};
    expect([isOwn(markOwn(request)), isOwn(markOwn(request, connection))]).toEqual([false, true]);
  });

  it("goes on when a WeakSet is no longer what it was", () => {
    publish(nativePrototypes(), {});
    const { add, has } = WeakSet.prototype;
    const own = { _handle: new kernel.TCP() };
    const other = {};
    const answers: boolean[] = [];
    try {
      WeakSet.prototype.add = function () {
        return this;
      };
      WeakSet.prototype.has = () => true;
      markOwn(own);
      answers[0] = isOwn(own);
      answers[1] = isOwn(other);
    } finally {
      WeakSet.prototype.add = add;
      WeakSet.prototype.has = has;
    }
    expect(answers).toEqual([true, false]);
  });
});
