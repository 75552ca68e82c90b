/** Exact tests of the strings by which EC2 marks its hosts. */
import { describe, expect, test } from "vitest";
import {
  beginsEc2,
  isAmazonXenExtra,
  isAmazonXenVersion,
  isInstanceId,
  isZeroUuid,
  namesVendor,
} from "../../src/host/ec2-identifiers.js";
import { fc } from "../support/properties.js";

describe("beginsEc2", () => {
  test.each([
    ["ec2b371a-6899-fe84-b7c4-36fb2b772f13", true],
    ["EC2B371A-6899-FE84-B7C4-36FB2B772F13", true],
    ["45e12aec-dcd1-b213-94ed-012345abcdef", true],
    ["45E12AEC-DCD1-B213-94ED-012345ABCDEF", true],
    // Bytes ec and 2x swapped one place too far, or only half of the mark.
    ["45e1ec2a-dcd1-b213-94ed-012345abcdef", false],
    ["ec3b371a-6899-fe84-b7c4-36fb2b772f13", false],
    ["00ec2000-6899-fe84-b7c4-36fb2b772f13", false],
    ["44454c4c-0000-0000-0000-000000000000", false],
    ["00000000-0000-0000-0000-000000000000", false],
    ["ec2", false],
    ["ec2b371a", false],
    ["ec2b371a68 99fe84b7c436fb2b772f13", false],
    [" ec2b371a-6899-fe84-b7c4-36fb2b772f13", false],
    ["ec2b371a-6899-fe84-b7c4-36fb2b772f13 ", false],
    ["", false],
  ])("%j is %j", (uuid, expected) => {
    expect(beginsEc2(uuid)).toBe(expected);
  });

  test("holds for every UUID of EC2 in both byte orders and either case", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.boolean(), fc.boolean(), (any, swapped, upper) => {
        const big = `ec2${any.slice(3)}`;
        const bytes = big.slice(0, 8).match(/../g) ?? [];
        const uuid = swapped ? `${bytes.reverse().join("")}${big.slice(8)}` : big;
        expect(beginsEc2(upper ? uuid.toUpperCase() : uuid)).toBe(true);
      }),
    );
  });
});

test.each([
  ["4.2.amazon", true],
  ["4.11.amazon", true],
  ["3.4.3.amazon", true],
  ["4.17.0", false],
  ["4.4.1-xs", false],
  ["10.2.amazon", true],
  ["3.4.13.amazon", true],
  ["4.2.amazon ", false],
  ["4.2.Amazon", false],
  ["4.2.amazon.local", false],
  ["4.amazon", false],
  [".amazon", false],
  ["x4.2.amazon", false],
])("isAmazonXenVersion(%j) is %j", (version, expected) => {
  expect(isAmazonXenVersion(version)).toBe(expected);
});

test.each([
  [".amazon", true],
  [".3.amazon", true],
  [".1-xs", false],
  [".amazon.example", false],
  ["", false],
])("isAmazonXenExtra(%j) is %j", (extra, expected) => {
  expect(isAmazonXenExtra(extra)).toBe(expected);
});

test.each([
  ["i-0942732c100023582", true],
  ["i-8de5ff98", true],
  ["i-8de5ff9", false],
  ["i-0942732c1000235821", false],
  ["I-0942732C100023582", false],
  ["i-0942732c10002358g", false],
  ["i-0942732c100023582\n", false],
  ["ami-i-8de5ff98", false],
  ["", false],
])("isInstanceId(%j) is %j", (tag, expected) => {
  expect(isInstanceId(tag)).toBe(expected);
});

test.each([
  ["00000000-0000-0000-0000-000000000000", true],
  ["00000000-0000-0000-0000-000000000001", false],
  ["10000000-0000-0000-0000-000000000000", false],
  ["", false],
])("isZeroUuid(%j) is %j", (uuid, expected) => {
  expect(isZeroUuid(uuid)).toBe(expected);
});

test.each([
  ["Not Specified", false],
  ["Not specified", false],
  ["To Be Filled By O.E.M.", true],
  ["QEMU", true],
])("namesVendor(%j) is %j", (vendor, expected) => {
  expect(namesVendor(vendor)).toBe(expected);
});
