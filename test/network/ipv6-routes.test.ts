/** The IPv6 routing table of Linux, as captured, and the route that a packet takes. */
import { describe, expect, it } from "vitest";
import { ipv6Text, parseIp } from "../../src/base/addresses.js";
import { describeIpv6Route, ipv6RouteFor, parseIpv6Routes } from "../../src/network/ipv6-routes.js";
import { fc } from "../support/properties.js";

const ZERO = "0".repeat(32);
const line = (destination: string, prefix: string, metric: string, flags: string, device: string): string =>
  `${destination} ${prefix} ${ZERO} 00 fe800000000000000000000000000001 ${metric} 00000001 00000000 ${flags} ${device.padStart(8)}`;

const DEFAULT = line(ZERO, "00", "00000400", "00000003", "eth0");
const REJECT_ALL = line(ZERO, "00", "ffffffff", "00200200", "lo");
const ADVERTISED = line(`fd000ec2${"0".repeat(24)}`, "20", "00000400", "00840003", "eth0");
const PROHIBIT = line(`fd000ec2${"0".repeat(24)}`, "20", "00000100", "00200200", "lo");
const HOST = line("fd000ec2000000000000000000000254", "80", "00000400", "00000005", "eth1");
const DOWN = line("fd000ec2000000000000000000000254", "80", "00000001", "00000004", "eth9");

describe("the route to fd00:ec2::254", () => {
  it.each([
    [
      "the default one",
      [DEFAULT, REJECT_ALL],
      { interface: "eth0", prefixLength: 0, rejects: false, advertised: false },
    ],
    [
      "one learned from a router advertisement",
      [DEFAULT, ADVERTISED],
      { interface: "eth0", prefixLength: 32, advertised: true },
    ],
    ["one that refuses, by its metric", [ADVERTISED, PROHIBIT], { rejects: true, prefixLength: 32 }],
    ["the longest", [ADVERTISED, HOST, PROHIBIT], { interface: "eth1", prefixLength: 128 }],
    ["never one that is down", [DEFAULT, DOWN], { interface: "eth0" }],
  ])("%s", (_name, lines, wanted) => {
    expect(ipv6RouteFor("fd00:ec2::254", parseIpv6Routes(lines.join("\n")))).toMatchObject(wanted);
  });

  it("is told in the words of ip -6 route", () => {
    const told = (...lines: string[]) =>
      describeIpv6Route(ipv6RouteFor("fd00:ec2::254", parseIpv6Routes(lines.join("\n")))!);
    expect(told(DEFAULT)).toBe("default via fe80::1 dev eth0");
    expect(told(ADVERTISED)).toBe("fd00:ec2::/32 via fe80::1 dev eth0 proto ra");
    expect(told(PROHIBIT)).toBe("unreachable fd00:ec2::/32");
    expect(told(HOST.replace("fe800000000000000000000000000001", ZERO))).toBe("fd00:ec2::254/128 dev eth1");
  });

  it("is none where none fits, and the kernel's own last entry is none", () => {
    expect(ipv6RouteFor("fd00:ec2::254", parseIpv6Routes(REJECT_ALL))).toBeUndefined();
    expect(
      ipv6RouteFor(
        "fd00:ec2::254",
        parseIpv6Routes(line(`20010db8${"0".repeat(24)}`, "20", "00000400", "00000001", "eth0")),
      ),
    ).toBeUndefined();
    expect(ipv6RouteFor("169.254.169.254", parseIpv6Routes(DEFAULT))).toBeUndefined();
  });
});

describe("lines that are not understood", () => {
  it("are left out", () => {
    expect(
      parseIpv6Routes(["", "x", DEFAULT.replace("00000400", "zz"), DEFAULT.replace(" 00 ", " ff ")].join("\n")),
    ).toEqual([]);
    fc.assert(
      fc.property(fc.string(), fc.nat(), (text, at) => {
        const cut = at % DEFAULT.length;
        parseIpv6Routes(DEFAULT.slice(0, cut) + text + DEFAULT.slice(cut));
      }),
    );
  });
});

describe("ipv6Text", () => {
  it.each([
    ["fd00:ec2:0:0:0:0:0:254", "fd00:ec2::254"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["fe80:0:0:0:0:0:0:0", "fe80::"],
    ["0:0:0:0:0:ffff:a9fe:a9fe", "::ffff:169.254.169.254"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["10:0:0:1:0:0:20:3", "10::1:0:0:20:3"],
  ])("writes %s as %s", (long, short) => {
    expect(ipv6Text(parseIp(long)!.bytes)).toBe(short);
  });

  it("is read back as the same address", () => {
    const group = fc.oneof(fc.constant(0), fc.constant(0), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.tuple(group, group, group, group, group, group, group, group), (groups) => {
        const bytes = Uint8Array.from(groups.flatMap((value) => [value >> 8, value & 0xff]));
        expect(parseIp(ipv6Text(bytes))?.bytes).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});
