import { describe, expect, it } from "vitest";
import { describeRoute, parseArp, parseRoutes, routeFor } from "../../src/network/routes.js";
import { fc } from "../support/properties.js";

const HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
const ROUTES = [
  HEADER,
  "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0  ",
  "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0  ",
  "eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0  ",
  "eth1\t0000FEA9\t00000000\t0001\t0\t0\t1000\t0000FFFF\t0\t0\t0  ",
  "*\tFEA9FEA9\t00000000\t0205\t0\t0\t0\tFFFFFFFF\t0\t0\t0  ",
  "*\t0000080A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0  ",
  "eth2\t0000070A\t00000000\t0000\t0\t0\t0\t0000FFFF\t0\t0\t0  ",
  "",
].join("\n");

describe("parseRoutes and routeFor", () => {
  const routes = parseRoutes(ROUTES);

  it.each([
    ["198.51.100.7", "default via 192.0.2.1 dev eth0"],
    ["192.0.2.9", "192.0.2.0/24 dev eth0"],
    ["169.254.170.2", "169.254.0.0/16 dev eth1"],
    ["169.254.169.254", "unreachable 169.254.169.254/32"],
    ["10.8.1.1", "blackhole 10.8.0.0/16"],
    ["10.7.1.1", "default via 192.0.2.1 dev eth0"],
  ])("%s leaves by %s", (address, expected) => {
    expect(describeRoute(routeFor(address, routes)!)).toBe(expected);
  });

  it.each(["::1", "example.com", "", "1.2.3"])("%j has no route", (address) => {
    expect(routeFor(address, routes)).toBeUndefined();
  });

  it("has no answer without a route", () => {
    expect(routeFor("192.0.2.1", parseRoutes(`${HEADER}\n`))).toBeUndefined();
  });

  it("reads the words of a big-endian machine", () => {
    const text = `${HEADER}\neth0\tA9FE0000\t00000000\t0001\t0\t0\t0\tFFFF0000\t0\t0\t0`;
    expect(parseRoutes(text, "BE")).toMatchObject([{ destination: "169.254.0.0", prefixLength: 16 }]);
  });

  it.each([
    ["a mask with holes", "eth0\t00000000\t00000000\t0001\t0\t0\t0\tFF00FF00\t0\t0\t0"],
    ["host bits beyond the mask", "eth0\t01000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0"],
    ["a short line", "eth0\t00000000\t00000000"],
    ["words that are no hex", "eth0\t0000000G\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0"],
    ["flags that are no hex", "eth0\t00000000\t00000000\txx\t0\t0\t0\t00000000\t0\t0\t0"],
    ["a metric that is no number", "eth0\t00000000\t00000000\t0001\t0\t0\t-1\t00000000\t0\t0\t0"],
  ])("leaves out %s", (_, line) => {
    expect(parseRoutes(`${HEADER}\n${line}`)).toEqual([]);
  });

  const route = fc.record({
    device: fc.constantFrom("eth0", "wg0", "br-1a2b", "*"),
    bits: fc.integer(),
    length: fc.integer({ min: 0, max: 32 }),
    gateway: fc.integer(),
    flags: fc.constantFrom(0x1, 0x3, 0x5, 0x201, 0x0, 0x7),
    metric: fc.nat(5000),
  });
  const word = (value: number): string => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return bytes.toString("hex").toUpperCase();
  };
  const mask = (length: number): number => (length === 0 ? 0 : -1 << (32 - length));

  it("finds the longest prefix and then the lowest metric, as a search through every network does", () => {
    fc.assert(
      fc.property(fc.array(route, { maxLength: 12 }), fc.integer(), fc.nat(31), (entries, seed, keep) => {
        // An address near one of the networks, so that there is something to find.
        const bits =
          entries.length === 0 ? seed : entries[Math.abs(seed) % entries.length]!.bits ^ (seed & ~mask(keep));
        const address = [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join(".");
        const lines = entries.map((e) =>
          [
            e.device,
            word(e.bits & mask(e.length)),
            word(e.gateway),
            e.flags.toString(16).padStart(4, "0"),
            0,
            0,
            e.metric,
            word(mask(e.length)),
            0,
            0,
            0,
          ].join("\t"),
        );
        const found = routeFor(address, parseRoutes([HEADER, ...lines].join("\n")));
        const up = entries.filter((e) => (e.flags & 1) === 1 && ((e.bits ^ bits) & mask(e.length)) === 0);
        up.sort((a, b) => b.length - a.length || a.metric - b.metric);
        expect(found && [found.prefixLength, found.metric]).toEqual(up[0] && [up[0].length, up[0].metric]);
      }),
      { numRuns: 2000 },
    );
  });

  it("takes any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.array(fc.string(), { maxLength: 12 }), (text, fields) => {
        parseRoutes(text);
        for (const found of parseRoutes(`${HEADER}\n${fields.join("\t")}\n${text}`)) describeRoute(found);
        parseArp(`h\n${text}\n${fields.join(" ")}`);
      }),
    );
  });
});

describe("parseArp", () => {
  const row = (address: string, flags: string, mac: string, device = "eth0"): string =>
    `${address.padEnd(17)}0x1         ${flags.padEnd(12)}${mac.padEnd(22)}*        ${device}`;

  it("reads resolved and permanent neighbours", () => {
    const text = [
      "IP address       HW type     Flags       HW address            Mask     Device",
      row("192.0.2.1", "0x2", "02:FC:00:00:00:05"),
      row("169.254.169.254", "0x6", "02:00:00:00:00:09", "eth1"),
      "",
    ].join("\n");
    expect(parseArp(text)).toEqual([
      { address: "192.0.2.1", mac: "02:fc:00:00:00:05", interface: "eth0" },
      { address: "169.254.169.254", mac: "02:00:00:00:00:09", interface: "eth1" },
    ]);
  });

  it.each([
    ["an unresolved one", row("192.0.2.1", "0x0", "00:00:00:00:00:00")],
    ["an empty hardware address", row("192.0.2.1", "0x2", "00:00:00:00:00:00")],
    ["another kind of hardware address", row("192.0.2.1", "0x2", "80:00:00:48:fe:80:00:00")],
    ["flags that are no number", row("192.0.2.1", "two", "02:fc:00:00:00:05")],
    ["an address that is none", row("192.0.2.256", "0x2", "02:fc:00:00:00:05")],
    ["a short line", "192.0.2.1 0x1 0x2 02:fc:00:00:00:05"],
  ])("leaves out %s", (_, line) => {
    expect(parseArp(`header\n${line}`)).toEqual([]);
  });
});
