import { isIP } from "node:net";
import { describe, expect, it } from "vitest";
import {
  carriedAddresses,
  IMDS_IPV4,
  IMDS_IPV6,
  ipv6Text,
  isImdsAddress,
  isLocalOrPrivate,
  isLoopback,
  parseIp,
  sameAddress,
} from "../../src/base/addresses.js";
import { fc } from "../support/properties.js";

/** The spelling that the WHATWG URL parser of Node gives an IPv6 literal: an independent reading of the same bytes. */
function canonicalIpv6(text: string): string {
  return new URL(`http://[${text}]/`).hostname;
}

function groupsOf(bytes: Uint8Array): string {
  return Array.from({ length: 8 }, (_, index) => ((bytes[index * 2]! << 8) | bytes[index * 2 + 1]!).toString(16)).join(
    ":",
  );
}

/**
 * Text that is nearly an address: real ones of both families, and the same with characters put in, taken out, changed.
 */
const nearlyAddress = fc
  .tuple(
    fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV4Extended(),
      fc.constantFrom("::", "1::", "::1", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4"),
    ),
    fc.array(fc.tuple(fc.nat(45), fc.constantFrom("", ":", "::", ".", "0", "f", "g", "%", " ", "256", "[")), {
      maxLength: 2,
    }),
    fc.boolean(),
  )
  .map(([text, edits, replace]) =>
    edits.reduce((edited, [at, piece]) => edited.slice(0, at) + piece + edited.slice(replace ? at + 1 : at), text),
  );

describe("parseIp", () => {
  it.each([
    ["0.0.0.0", [0, 0, 0, 0]],
    ["255.255.255.255", [255, 255, 255, 255]],
    ["::", new Array(16).fill(0)],
    ["::1", [...new Array(15).fill(0), 1]],
    ["1:2:3:4:5:6:7::", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0]],
    ["FD00:0EC2::0254", [0xfd, 0, 0x0e, 0xc2, ...new Array(10).fill(0), 2, 0x54]],
    ["::ffff:169.254.169.254", [...new Array(10).fill(0), 255, 255, 169, 254, 169, 254]],
    ["1:2:3:4:5:6:1.2.3.4", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1, 2, 3, 4]],
  ])("reads %s", (text, bytes) => {
    expect([...parseIp(text)!.bytes]).toEqual(bytes);
  });

  it.each([
    "",
    ".",
    ":",
    ":::",
    "1.2.3",
    "1.2.3.4.",
    ".1.2.3.4",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.256",
    "1.2.3.-4",
    "0x7f.0.0.1",
    "2130706433",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4\n",
    "1.2.3.4\0",
    "::1\n",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:",
    ":1:2:3:4:5:6:7",
    "1::2::3",
    "12345::",
    "::g",
    "::1%lo",
    "[::1]",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "::1.2.3",
    "::01.2.3.4",
    "1:2:3:4:5:6:7:1.2.3.4",
    "localhost",
  ])("refuses %j", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  it("agrees with node:net on what an address is, zone identifiers aside", () => {
    fc.assert(
      fc.property(nearlyAddress, (text) => {
        expect(parseIp(text)?.family ?? 0).toBe(text.includes("%") ? 0 : isIP(text));
      }),
      { numRuns: 5000 },
    );
  });

  it("takes any text without throwing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(parseIp(text)?.family ?? 0).toBe(text.includes("%") ? 0 : isIP(text));
      }),
    );
  });

  it("reads the bytes that the URL parser reads", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const ip = parseIp(text)!;
        expect(canonicalIpv6(groupsOf(ip.bytes))).toBe(canonicalIpv6(text));
      }),
    );
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect([...parseIp(text)!.bytes].join(".")).toBe(new URL(`http://${text}/`).hostname);
      }),
    );
  });
});

describe("sameAddress", () => {
  it.each([
    ["fd00:ec2::254", "FD00:0EC2:0:0::0254"],
    ["169.254.169.254", "::ffff:169.254.169.254"],
    ["::ffff:a9fe:a9fe", "169.254.169.254"],
    ["::1", "0:0:0:0:0:0:0:1"],
  ])("%s is %s", (a, b) => {
    expect(sameAddress(a, b)).toBe(true);
    expect(sameAddress(b, a)).toBe(true);
  });

  it.each([
    ["169.254.169.254", "169.254.169.253"],
    ["169.254.169.254", "::169.254.169.254"],
    ["127.0.0.1", "::1"],
    ["nobody", "nobody"],
    ["nobody", "127.0.0.1"],
    ["127.0.0.1", "nobody"],
    ["127.0.0.1", "7f00:1::"],
    ["7f00:1::", "127.0.0.1"],
    ["fe80::1%a", "fe80::1%a"],
    ["", ""],
  ])("%j is not %j", (a, b) => {
    expect(sameAddress(a, b)).toBe(false);
  });

  it("holds for every IPv4 address and its mapped form, and for no two different ones", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), (a, b) => {
        expect(sameAddress(a, `::ffff:${a}`)).toBe(true);
        expect(sameAddress(a, b)).toBe(a === b);
      }),
    );
  });
});

describe("isLoopback", () => {
  it.each(["127.0.0.1", "127.255.255.254", "::1", "0::1", "::ffff:127.0.0.1", "::ffff:7f00:1"])("%s is", (text) => {
    expect(isLoopback(text)).toBe(true);
  });
  it.each(["126.0.0.1", "0.0.0.0", "::", "::2", "::127.0.0.1", "7f00::1", "localhost", "::1%lo", "127.1"])(
    "%s is not",
    (text) => {
      expect(isLoopback(text)).toBe(false);
    },
  );
});

describe("isImdsAddress", () => {
  it.each([
    IMDS_IPV4,
    IMDS_IPV6,
    "fd00:0ec2:0:0:0:0:0:254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:a9fe:00a9:fe00::",
    "64:ff9b:1:77a9:fe:a9fe::",
    "64:ff9b:1:7788:a9:fea9:fe00:0",
    "2002:a9fe:a9fe::1",
    "2001:0:c000:201:0:0:5601:5601",
    "fe80::5efe:169.254.169.254",
    "2001:db8::200:5efe:a9fe:a9fe",
    "::5efe:169.254.169.254",
    "fd00:ec2::254%eth0",
    "169.254.169.254\0.example",
  ])("recognises %j", (text) => {
    expect(isImdsAddress(text)).toBe(true);
  });

  it.each([
    "169.254.169.253",
    "169.254.254.169",
    "127.0.0.1",
    "::1",
    "::",
    "fd00:ec2::253",
    "fd00:ec2::1:254",
    "2002:a9fe:a9fd::1",
    "2003:a9fe:a9fe::",
    "64:ff9b:2::169.254.169.254",
    "2001:db8::a9fe:a9fe",
    "fe80::a9fe:a9fe",
    "2001:db8::100:5efe:a9fe:a9fe",
    "2001:db8::1:5efe:a9fe:a9fe",
    "2001:db8::5ffe:a9fe:a9fe",
    "2001:db8::5eff:a9fe:a9fe",
    "instance-data",
    "",
    "%",
    "\0",
  ])("does not take %j for it", (text) => {
    expect(isImdsAddress(text)).toBe(false);
  });

  it("is no wider than its list: random addresses are not IMDS", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        expect(isImdsAddress(text)).toBe(text === IMDS_IPV4);
      }),
    );
  });

  it("does not depend on the spelling", () => {
    fc.assert(
      fc.property(fc.ipV4(), (quad) => {
        const [a, b, c, d] = parseIp(quad)!.bytes;
        const hex = `${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`;
        expect(isImdsAddress(`::ffff:${quad}`)).toBe(isImdsAddress(quad));
        expect(isImdsAddress(`2002:${hex}::`)).toBe(isImdsAddress(quad));
      }),
      { examples: [[IMDS_IPV4]] },
    );
  });
});

describe("ipv6Text", () => {
  it("is the spelling of the URL parser", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const bytes = parseIp(text)?.bytes ?? new Uint8Array();
        fc.pre(!ipv6Text(bytes).includes("."));
        expect(`[${ipv6Text(bytes)}]`).toBe(canonicalIpv6(text));
      }),
    );
  });

  it.each([
    ["::", "::"],
    ["::1", "::1"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:0:2:3:0:0:4", "1::2:3:0:0:4"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["FD00:EC2:0::254", "fd00:ec2::254"],
    ["::ffff:a9fe:a9fe", "::ffff:169.254.169.254"],
  ])("of %s is %s", (text, written) => {
    expect(ipv6Text(parseIp(text)?.bytes ?? new Uint8Array())).toBe(written);
  });
});

it.each([
  ["127.0.0.1", true],
  ["::1", true],
  ["10.0.0.1", true],
  ["172.16.0.1", true],
  ["172.32.0.1", false],
  ["192.168.1.1", true],
  ["fd12::1", true],
  ["fd00:ec2::254", false],
  ["169.254.169.254", false],
  ["8.8.8.8", false],
  ["2001:db8::1", false],
  ["x", false],
])("%s is of this machine or private: %s", (text, is) => {
  expect(isLocalOrPrivate(text)).toBe(is);
});

it.each([
  ["::ffff:169.254.169.254", ["169.254.169.254"]],
  ["64:ff9b::a9fe:a9fe", ["169.254.169.254"]],
  ["2001:db8::1", []],
  ["169.254.169.254", []],
  ["x", []],
])("%s carries %j", (text, carried) => {
  expect(carriedAddresses(text)).toEqual(carried);
});
