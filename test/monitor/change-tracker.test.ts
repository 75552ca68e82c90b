/** What a watch reports: things once when they come, when a known trait changes, and once when they have gone. */
import { describe, expect, test } from "vitest";
import { connectionsToImds } from "../../src/monitor/connections.js";
import type { Sighting } from "../../src/monitor/change-tracker.js";
import { createChangeTracker, MAX_FOLLOWED } from "../../src/monitor/change-tracker.js";
import { fc } from "../support/properties.js";

const thing = (key: string, traits: Sighting["traits"] = {}, more: Partial<Sighting> = {}): Sighting => ({
  key,
  traits,
  appeared: "imds.impersonation_detected",
  changed: "monitor.responder_changed",
  gone: "monitor.responder_gone",
  details: { message: key },
  ...more,
});
const look = (...sightings: Sighting[]) => ({ sightings, untold: [] as string[] });

describe("watch", () => {
  test("reports what appears once", () => {
    const watch = createChangeTracker();
    expect(watch.step(look(thing("a"))).map(({ code }) => code)).toEqual(["imds.impersonation_detected"]);
    for (let n = 0; n < 5; n += 1) expect(watch.step(look(thing("a")))).toEqual([]);
    expect(watch.present()).toEqual(["a"]);
  });

  test("says what changed, from what to what", () => {
    const watch = createChangeTracker();
    watch.step(look(thing("a", { mac: "02:01", interface: "eth0" })));
    const [change] = watch.step(look(thing("a", { mac: "02:02", interface: "eth0" })));
    expect(change).toEqual({
      code: "monitor.responder_changed",
      details: {
        message: "a: mac was 02:01 and is 02:02",
        evidence: [{ source: "mac", value: "02:02", says: "was 02:01" }],
      },
    });
    expect(watch.step(look(thing("a", { mac: "02:02", interface: "eth0" })))).toEqual([]);
  });

  test("takes what is not known for no change, and remembers what was known", () => {
    const watch = createChangeTracker();
    watch.step(look(thing("a", { mac: undefined })));
    expect(watch.step(look(thing("a", { mac: "02:01" })))).toEqual([]);
    expect(watch.step(look(thing("a", { mac: undefined })))).toEqual([]);
    expect(watch.step(look(thing("a", { mac: "02:02" })))).toHaveLength(1);
  });

  test("has patience with what is missing, and none of it counts while nothing can be told", () => {
    const watch = createChangeTracker();
    const a = thing("imds a", {}, { patience: 3 });
    watch.step(look(a));
    expect(
      [watch.step(look()), watch.step(look()), watch.step(look(a)), watch.step(look()), watch.step(look())].flat(),
    ).toEqual([]);
    for (let n = 0; n < 9; n += 1) expect(watch.step({ sightings: [], untold: ["imds "] })).toEqual([]);
    expect(watch.step(look())).toEqual([
      { code: "monitor.responder_gone", details: { message: "no longer so: imds a", advice: undefined } },
    ]);
    expect(watch.step(look())).toEqual([]);
    expect(watch.step(look(a)).map(({ code }) => code)).toEqual(["imds.impersonation_detected"]);
  });

  test("can be silent about each of the three", () => {
    const watch = createChangeTracker();
    const quiet = thing("a", { x: "1" }, { appeared: undefined, changed: undefined, gone: undefined });
    expect(
      [watch.step(look(quiet)), watch.step(look({ ...quiet, traits: { x: "2" } })), watch.step(look())].flat(),
    ).toEqual([]);
  });

  test("follows a bounded number of things and counts the rest", () => {
    const watch = createChangeTracker();
    const many = Array.from({ length: MAX_FOLLOWED + 7 }, (_, n) => thing(`thing ${n}`));
    expect(watch.step(look(...many))).toHaveLength(MAX_FOLLOWED);
    expect(watch.overflow).toBe(7);
    expect(watch.present()).toHaveLength(MAX_FOLLOWED);
  });

  test("whatever comes and goes: appearances and departures alternate, and what is present is what has appeared", () => {
    const presence = fc.array(fc.uniqueArray(fc.constantFrom("a", "b", "c")), { maxLength: 40 });
    fc.assert(
      fc.property(presence, fc.integer({ min: 1, max: 3 }), (looks, patience) => {
        const watch = createChangeTracker();
        const state = new Map<string, boolean>();
        for (const keys of looks) {
          for (const { code, details } of watch.step(look(...keys.map((key) => thing(key, {}, { patience }))))) {
            const key = (details.message as string).at(-1) as string;
            const came = code === "imds.impersonation_detected";
            expect(state.get(key) ?? false).toBe(!came);
            state.set(key, came);
          }
          expect(new Set(watch.present())).toEqual(
            new Set([...state].filter(([, there]) => there).map(([key]) => key)),
          );
        }
      }),
    );
  });
});

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

describe("connections", () => {
  test("finds those to IMDS in both tables, whatever spelling the kernel uses", () => {
    const v4 = `${HEAD}   0: 0A00020F:C350 FEA9FEA9:0050 01 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 20 4 30 10 -1\n   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0\n`;
    expect(connectionsToImds(v4, "LE")).toEqual([
      { localPort: 50_000, remoteAddress: "169.254.169.254", remotePort: 80, state: "established", uid: 1000 },
    ]);
    const mapped = `${HEAD}   0: 0000000000000000FFFF00000F02000A:C351 0000000000000000FFFF0000FEA9FEA9:0050 06 00000000:00000000 03:00000B22 00000000     0        0 0 3 0\n`;
    expect(connectionsToImds(mapped, "LE")).toMatchObject([{ localPort: 50_001, state: "time-wait", uid: undefined }]);
    const servers = `${HEAD}   0: FEA9FEA9:0050 FEA9FEA9:82E0 06 00000000:00000000 03:00000B22 00000000     0        0 0 3 0\n   1: FEA9FEA9:82E0 FEA9FEA9:0050 01 00000000:00000000 00:00000000 00000000  1000        0 2 1 0\n`;
    expect(connectionsToImds(servers, "LE")).toMatchObject([{ localPort: 0x82e0, uid: 1000 }]);
    const v6 = `${HEAD}   0: 00000000000000000000000001000000:C352 C20E00FD000000000000000054020000:0050 02 00000000:00000001 01:00000064 00000000   33        0 9 2 0\n`;
    expect(connectionsToImds(v6, "LE")).toMatchObject([{ remoteAddress: "fd00:ec2::254", state: "syn-sent", uid: 33 }]);
  });

  test("survives any text", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (text) => {
        expect(connectionsToImds(text, "LE")).toEqual([]);
      }),
    );
    const word = fc.constantFrom("FEA9FEA9:0050", "0100007F:1F90", "01", "ZZ", "1000", "0", "x", "FEA9FEA9:", "");
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        for (const { remoteAddress, localPort } of connectionsToImds(words.join(" "), "LE")) {
          expect(remoteAddress).toBe("169.254.169.254");
          expect(localPort).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});
