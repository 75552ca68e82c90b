/** Where an IPv6 address of the metadata service begins in the texts that logs make of it. */
import { describe, expect, test } from "vitest";
import { findMention } from "../../src/base/metadata-mention.js";
import { fc, MANY } from "../support/properties.js";

const ADDRESSES = [
  "fd00:ec2::254",
  "fd00:0ec2:0:0:0:0:0:254",
  "::ffff:a9fe:a9fe",
  "0:0:0:0:0:ffff:a9fe:a9fe",
  "64:ff9b::a9fe:a9fe",
];
const service = (text: string) => findMention(text)?.service;

describe.each(ADDRESSES)("%s", (address) => {
  test.each([
    ["alone", address],
    ["behind the name of a file and a line, as grep writes them", `/var/log/app.log:12:${address}=1`],
    ["behind a file, a line and a column", `app.log:2012:7:${address} x`],
    ["behind a name", `dst:${address}`],
    ["behind a name that ends in letters of hexadecimal", `load:${address}`],
    ["behind an interface, as Cisco writes it", `inside:${address}/80`],
    ["behind a name in brackets", `peer:[${address}]:80`],
  ])("%s", (_, text) => {
    expect(service(text)).toBe("imds");
  });
});

test.each([
  "2001:db8:fd00:ec2::254",
  "fe80::fd00:ec2:0:254",
  "1fd00:ec2::254",
  "xfd00:ec2::254",
  "dst:2001:db8::254",
  "dst:fd00:ec3::254",
  "12:34:56:78:9a:bc",
  "00:00:5e:00:ec2:254",
])("not %s", (text) => {
  expect(findMention(text)).toBeUndefined();
});

test("takes time in proportion to the text", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(":", "1:", "a:", "ec2:", "fd00:", "x:1:"),
      fc.constantFrom("", "g", "."),
      (piece, end) => {
        findMention(`ec2:${piece.repeat(MANY)}${end}`);
      },
    ),
    { numRuns: 18 },
  );
});
