/** IP networks: membership, overlap and spellings. */
import { describe, expect, it } from "vitest";
import { inNetwork, overlaps, parseNetwork, spellings } from "../../src/base/addresses.js";
import { fc } from "../support/properties.js";

describe("membership", () => {
  it.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.20.30.40", "10.20.30.40", true],
    ["10.20.30.40/31", "10.20.30.41", true],
    ["10.20.30.40/31", "10.20.30.42", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["fd00:ec2::/32", "fd00:0ec2:0000:0000:0000:0000:0000:0254", true],
    ["fd00:ec2::/32", "fd00:ec3::1", false],
    ["fc00::/7", "fd12::1", true],
    ["fc00::/7", "fe80::1", false],
    ["169.254.169.254/32", "::ffff:169.254.169.254", true],
    ["169.254.169.254/32", "::ffff:a9fe:a9fe", true],
    ["169.254.169.254/32", "not an address", false],
    ["169.254.169.254/32", "", false],
  ])("%s contains %s: %s", (network, address, expected) =>
    expect(inNetwork(parseNetwork(network), address)).toBe(expected),
  );

  it.each(["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0/8", "::/129", "x/8", "10.0.0.0/8/8", "10.0.0.0/"])(
    "refuses %j",
    (text) => {
      expect(() => parseNetwork(text)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }));
    },
  );
});

describe("overlap", () => {
  it.each([
    ["10.0.0.0/8", "10.20.0.0/16", true],
    ["10.20.0.0/16", "10.0.0.0/8", true],
    ["10.0.0.0/16", "10.1.0.0/16", false],
    ["0.0.0.0/0", "169.254.169.254", true],
    ["::/0", "169.254.169.254", false],
  ])("%s and %s: %s", (a, b, expected) => expect(overlaps(parseNetwork(a), parseNetwork(b))).toBe(expected));
});

describe("spellings", { timeout: 60_000 }, () => {
  const group = fc.integer({ min: 0, max: 0xffff });

  /** One of the ways to write an IPv6 address. */
  const spelled = fc
    .tuple(fc.array(group, { minLength: 8, maxLength: 8 }), fc.infiniteStream(fc.nat(4)), fc.boolean(), fc.boolean())
    .map(([groups, widths, compress, upper]) => {
      const parts = groups.map((value) => value.toString(16).padStart(widths.next().value as number, "0"));
      const zero = groups.indexOf(0);
      const text =
        compress && zero !== -1
          ? `${parts.slice(0, zero).join(":")}::${parts.slice(zero + 1).join(":")}`
          : parts.join(":");
      return { groups, text: upper ? text.toUpperCase() : text };
    });

  it("are in every spelling of every address of the network", () => {
    fc.assert(
      fc.property(spelled, fc.integer({ min: 0, max: 128 }), ({ groups, text }, bits) => {
        const network = parseNetwork(`${groups.map((value) => value.toString(16)).join(":")}/${bits}`);
        expect(inNetwork(network, text)).toBe(true);
        const known = spellings(network);
        if (known !== undefined) expect(known.some((part) => text.toLowerCase().includes(part))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("are known for the networks that matter", () => {
    expect(spellings(parseNetwork("169.254.169.254"))).toEqual(["169.254.169.254", "a9fe:a9fe"]);
    expect(spellings(parseNetwork("fd00:ec2::/32"))).toEqual(["fd00:ec2:", "fd00:0ec2:"]);
    expect(spellings(parseNetwork("10.0.0.0/8"))).toBeUndefined();
    expect(spellings(parseNetwork("2001::/32"))).toBeUndefined();
  });
});
