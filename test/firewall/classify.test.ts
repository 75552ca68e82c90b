import { describe, expect, it } from "vitest";
import { isImdsAddress } from "../../src/base/addresses.js";
import { createClassifier, isPlainQuad, serviceOf, serviceOfV6 } from "../../src/firewall/classify.js";
import { carriers, compressed, groups, IMDS_QUAD } from "./forms.js";
import { fc } from "../support/properties.js";

describe("serviceOf", () => {
  it.each([
    ["169.254.169.254", "imds"],
    ["169.254.169.253", "dns"],
    ["169.254.169.123", "ntp"],
    ["169.254.170.2", "ecs"],
    ["169.254.170.23", "eks"],
    ["169.254.169.254\0x", "imds"],
    ["169.254.169.254\0.1.1", "imds"],
    ["fd00:ec2::254", "imds"],
    ["FD00:0EC2:0:0:0:0:0:254", "imds"],
    ["fd00:ec2::0254%lo", "imds"],
    ["fd00:ec2::254\0zz", "imds"],
    ["fd00:ec2::253", "dns"],
    ["fd00:ec2::123", "ntp"],
    ["fd00:ec2::23", "eks"],
    ["fd00:ec2::240", "reserved"],
    ["fd00:ec2:1::254", "reserved"],
    ["fd00:0ec2:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"],
    ["fe80::a9fe:a9fe%2", "openstack"],
    ["::ffff:169.254.169.254", "imds"],
    ["::ffff:169.254.170.2", "ecs"],
    ["::169.254.169.254", "imds"],
    ["::ffff:a9fe:a9fe%1", "imds"],
    ["0:0:0:0:0:ffff:169.254.169.254", "imds"],
    ["64:ff9b::169.254.169.254", "imds"],
    // libuv reads 39 characters in front of a zone and drops the rest.
    ["fd00:0ec2:0000:0000:0000:0000:0000:0254zzz%lo", "imds"],
    ["0000:0000:0000:0000:0000:ffff:a9fe:a9fe1111%1", "imds"],
    // Those are another address, and what stands there in full is looked at all the same.
    ["00:0:0000:0000:0000:ffff:169.254.169.254%1", "imds"],
    ["fd00:ec2::0:0:0:0:254", "imds"],
    ["64:ff9b:1:a9fe:a9:fe00:0.0.0.255", "imds"],
    ["fd00:ec2:0:1::254", "reserved"],
    ["fd00:ec2::1:0:0:254", "reserved"],
    ["fd00:ec2::1:0:254", "reserved"],
    ["fd00:ec2::1:254", "reserved"],
    ["fe80:0:0:1::a9fe:a9fe", "openstack"],
  ])("%j is %s", (literal, service) => {
    expect(serviceOf(literal)).toBe(service);
  });

  it.each([
    "",
    ":",
    "::",
    ":::",
    "::1",
    "127.0.0.1",
    "10.0.0.1",
    "169.254.1.1",
    "169.254.169.25",
    "169.254.169.255",
    "169.254.169.2540",
    "169.254.169",
    "169.254.169.254.1",
    "169.254.169.254 ",
    " 169.254.169.254",
    "0169.254.169.254",
    "1169.254.169.254",
    "2001:db8::1",
    "fd00:ec3::254",
    "fd00:ec2",
    "fe80::1",
    "fe80::a9fe:a9fd",
    "::fffe:169.254.169.254",
    "169.254.169.254::",
    "1:2:3:4:5:6:7:8:9",
    "fd00:ec2::254::",
    "12345::",
    "g::",
    "fd00:ec2::2g4",
    "::1.2.3",
    "64:ff9b:2::a9fe:a9fe",
    "169.254.171.2",
    "169.254.168.254",
    "169.254.170.24",
    "169.254.170.3",
    "169.254.169.510",
    "169.254.169.24>",
    "169.254.169x254",
    "169.254.169.0254",
    "169.254\0aaaaaa",
    "169..254.169.254",
    "::ffff:425.254.169.254",
    "::ffff:169.254.169.510",
    "0:0:0:0:0:ffff:169.254",
    "0:0:0:0:0:ffff:a9fe:169.254.169.254",
    "::ffff:169.254.169.2540",
    "::ffff:a@fe:a9fe",
    "0000:0000:0000:0000:0000:ffff:a9fe:a9fe1111",
    ":0ffff:a9fe:a9fe",
    ":1::",
    "0fd00:ec2::254",
    "::0ffff:a9fe:a9fe",
    "fd00:ec2:::254",
    "::fd00:ec2::254",
    "fd00:ec2:0:0:0::0:0:254",
    "fd00:ec2:0:0:0:0:0:0:254",
    "fd01:ec2::254",
    "::ec2:0:0:0:0:0:254",
    "fe80::1:a9fe:a9fe",
    "fe80::1:0:a9fe:a9fe",
    "fe81::a9fe:a9fe",
    "fe80::a9fd:a9fe",
    "1::a9fe:a9fe",
  ])("%j is none, whatever was read before", (literal) => {
    for (const before of ["169.254.169.254", "0:0:0:0:0:ffff:169.254.169.254", "fd00:ec2:0:0:0:0:0:254"]) {
      expect(serviceOf(before)).toBe("imds");
      expect(serviceOf(literal)).toBeUndefined();
    }
  });

  it.each(Object.entries(carriers(IMDS_QUAD)))(
    "sees the IPv4 address in the %s form, in every spelling",
    (_, bytes) => {
      const long = groups(bytes);
      for (const spelling of [long, compressed(long), long.toUpperCase(), `${compressed(long)}%eth0`, `${long}\0junk`])
        expect(serviceOf(spelling), spelling).toBe("imds");
    },
  );

  it("agrees with the slow reader on every IPv6 literal, near the known layouts and far from them", () => {
    const anywhere = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => [...bytes]);
    const near = fc
      .tuple(
        fc.constantFrom(...Object.values(carriers(IMDS_QUAD))),
        fc.array(fc.tuple(fc.nat(15), fc.nat(255)), { maxLength: 2 }),
      )
      .map(([bytes, changes]) => changes.reduce<number[]>((all, [at, value]) => all.with(at, value), [...bytes]));
    fc.assert(
      fc.property(fc.oneof(anywhere, near), fc.boolean(), (bytes, short) => {
        const text = short ? compressed(groups(bytes)) : groups(bytes);
        if (text.startsWith("fd00:ec2:")) return;
        expect(serviceOf(text) === "imds", text).toBe(isImdsAddress(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it("agrees with the slow reader on any text", () => {
    const character = fc.constantFrom(..."0123456789abcdef:.%z\0");
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 50 }), (text) => {
        const cut = /^[^%\0]*/.exec(text)?.[0] ?? "";
        if (serviceOf(cut) === "imds") expect(isImdsAddress(cut), cut).toBe(true);
        if (isImdsAddress(text)) expect(serviceOf(text)).toBe("imds");
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("createClassifier", () => {
  const V4 = {
    imds: "169.254.169.254",
    dns: "169.254.169.253",
    ntp: "169.254.169.123",
    ecs: "169.254.170.2",
    eks: "169.254.170.23",
  };

  it.each([
    [[], []],
    [["gcp"], ["imds"]],
    [["azure"], ["imds"]],
    [["openstack"], ["imds"]],
    [["ecs"], ["ecs"]],
    [["eks"], ["eks"]],
    [["dns"], ["dns"]],
    [["ntp"], ["ntp"]],
    [
      ["dns", "ntp", "ecs", "eks"],
      ["dns", "ntp", "ecs", "eks"],
    ],
  ] as const)("allow %j opens %j and nothing else", (allow, open) => {
    const { v4, v6 } = createClassifier(allow);
    for (const [service, literal] of Object.entries(V4)) {
      const expected = (open as readonly string[]).includes(service) ? undefined : service;
      expect(v4(literal)).toBe(expected);
      expect(v6(`::ffff:${literal}`)).toBe(expected);
    }
  });

  it("never opens Amazon's own IPv6 address for another cloud", () => {
    const { v6 } = createClassifier(["gcp", "azure", "openstack"]);
    expect(v6("fd00:ec2::254")).toBe("imds");
    expect(v6("fe80::a9fe:a9fe")).toBeUndefined();
    expect(createClassifier(["gcp"]).v6("fe80::a9fe:a9fe%1")).toBe("openstack");
  });

  it("asks whether a container address is named, for such an address only", () => {
    const asked: string[] = [];
    const { v4, v6 } = createClassifier([], (service) => {
      asked.push(service);
      return service === "ecs";
    });
    expect([v4(V4.ecs), v4(V4.eks), v4(V4.imds), v4("10.0.0.1"), v6("::1"), v6("fd00:ec2::23")]).toEqual([
      undefined,
      "eks",
      "imds",
      undefined,
      undefined,
      "eks",
    ]);
    expect(asked).toEqual(["ecs", "eks", "eks"]);
  });

  it("keeps its answers when the built-ins are replaced", () => {
    const literals = ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "64:ff9b::a9fe:a9fe"];
    const { charCodeAt } = String.prototype;
    const { call, apply } = Function.prototype;
    try {
      String.prototype.charCodeAt = () => 0;
      Function.prototype.call = () => undefined;
      Function.prototype.apply = () => undefined;
      const results: unknown[] = [];
      for (let index = 0; index < literals.length; index++)
        results[index] = index === 0 ? serviceOf(literals[index] as string) : serviceOfV6(literals[index] as string);
      String.prototype.charCodeAt = charCodeAt;
      Function.prototype.call = call;
      Function.prototype.apply = apply;
      expect(results).toEqual(["imds", "imds", "imds", "imds"]);
    } finally {
      String.prototype.charCodeAt = charCodeAt;
      Function.prototype.call = call;
      Function.prototype.apply = apply;
    }
  });
});

describe("isPlainQuad", () => {
  it.each(["127.0.0.1", "0.0.0.0", "255.255.255.255", "169.254.169.254"])("%j", (text) => {
    expect(isPlainQuad(text)).toBe(true);
  });

  it.each([
    "",
    ".",
    "1.2.3",
    "1.2.3.",
    "1.2.3.4.",
    "1.2.3.4.5",
    "1..3.4",
    ".1.2.3",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.00",
    "0x1.2.3.4",
    "1.2.3.4 ",
    "1.2.3.\uff14",
    "1.2.3.4\0",
    "1.2.3.a",
    "1.2.3.:",
    "1.2.3./",
    "2852039166",
  ])("not %j", (text) => {
    expect(isPlainQuad(text)).toBe(false);
  });

  it("is what the WHATWG parser leaves as it is", () => {
    const part = fc.oneof(
      fc.nat(300).map(String),
      fc.nat(300).map((value) => `0${value}`),
      fc.nat(300).map((value) => `0x${value.toString(16)}`),
      fc.constantFrom("", "0", "00", "4294967295"),
    );
    const text = fc.oneof(
      fc.ipV4(),
      fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(".")),
    );
    fc.assert(
      fc.property(text, (host) => {
        const url = `http://${host}/`;
        return !isPlainQuad(host) || (URL.canParse(url) && new URL(url).hostname === host);
      }),
    );
  });
});

it("remembers no more than literals that lead nowhere", () => {
  let named = true;
  const { v6 } = createClassifier(["dns"], () => named);
  const ask = (): unknown[] =>
    [
      "2001:db8::1",
      "2001:db8::1",
      "::ffff:169.254.169.253",
      "fd00:ec2::23",
      "fd00:ec2::254",
      "2001:db8::2",
      "",
      "",
    ].map((literal) => v6(literal));
  expect(ask()).toEqual([undefined, undefined, undefined, undefined, "imds", undefined, undefined, undefined]);
  named = false;
  expect(ask()).toEqual([undefined, undefined, undefined, "eks", "imds", undefined, undefined, undefined]);
});
