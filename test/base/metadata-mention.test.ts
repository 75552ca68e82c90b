/** Every way in which a text names a metadata service, and what only looks like one. */
import { describe, expect, test } from "vitest";
import type { MentionedService, MentionOptions } from "../../src/base/metadata-mention.js";
import { findMention, judgeText, TOO_DEEP, withoutEscapes, withoutPercent } from "../../src/base/metadata-mention.js";
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

/** What was found, in one line: kind, service, the part as it stood, the address, layers. */
function told(text: string, options?: MentionOptions): string {
  const found = judgeText(text, options);
  if (found === undefined || found === TOO_DEEP) return String(found);
  const { kind, service: of, written, address = "", layers } = found;
  return [kind, of, written, address, layers].join("|");
}

const IPV4 = "169.254.169.254";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const percent = (text: string): string => text.replace(/[^a-z]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);

describe("an IPv4 address", () => {
  test.each([
    ["alone", IPV4, IPV4],
    ["in a URL", `http://${IPV4}/latest`, IPV4],
    ["with a port behind a dot, as tcpdump writes it", `IP 10.0.0.1.5 > ${IPV4}.80: Flags`, IPV4],
    ["in a name, with dots", `a.${IPV4}.nip.io`, IPV4],
    ["in a name, with dashes", "ip-169-254-169-254.example", "169-254-169-254"],
    ["behind letters", `x${IPV4}`, IPV4],
    ["as one number", "http://2852039166/", "2852039166"],
    ["with dots as image and mail services write them", "169=2E254-2e169_2e254", IPV4],
    ["as one number of hexadecimal", "http://0xA9FEA9FE/", "0xA9FEA9FE"],
    ["as one number of octal", "http://025177524776/", "025177524776"],
    ["as two numbers", "http://169.16689662/", "169.16689662"],
    ["as three numbers", "http://169.254.43518/", "169.254.43518"],
    ["as four of different kinds", "http://0xa9.0376.169.0xfe/", "0xa9.0376.169.0xfe"],
    ["with zeros in front", "http://0000251.000376.0251.0376/", "0000251.000376.0251.0376"],
    ["as hexadecimal digits alone", "a9fea9fe", "a9fea9fe"],
    ["as hexadecimal digits in a name", "x-a9fea9fe.example", "a9fea9fe"],
    ["as a socket address", "saddr=02000050a9fea9fe0000", "02000050a9fea9fe"],
    ["in the kernel's own order", " 1: 0100007F:C350 FEA9FEA9:0050 01", "FEA9FEA9"],
  ])("%s", (_, text, written) => {
    expect(told(text)).toBe(`address|imds|${written}|${IPV4}|0`);
  });

  test.each([
    ["another one", "169.254.169.253 169.254.169.25 169.254.170.254 169.253.169.254"],
    ["a longer one in front", "1169.254.169.254"],
    ["a longer one behind", "169.254.169.2540"],
    ["five numbers with dashes", "1-169-254-169-254 169-254-169-254-1-2"],
    ["dots and dashes in turn", "169.254-169.254"],
    ["a number that is too large for its place", "http://169.254.169.254256/ http://256.1.1.1/ http://4294967296/"],
    ["a number beyond 32 bits with the same end", "http://7147006462/"],
    ["digits that are none of octal", "http://0251.0376.0251.0379/ http://0251.0376.0251.03769/"],
    ["numbers that would carry over", "169.254.168.510 169.253.425.254 http://0xa9.0xfe.0xa8.510/"],
    ["a short number", "http://169/ 0xfe"],
    ["a number in a word", "x2852039166 2852039166x 2852039166.5x"],
    ["hexadecimal digits in a longer run", "0a9fea9fe a9fea9fe0 fea9fea9 fea9fea9:80"],
    ["more than four numbers", "1.169.254.43518.1"],
    ["a number of more than 40 digits", `${"0".repeat(41)}25177524776`],
  ])("not %s", (_, text) => {
    expect(told(text)).toBe("undefined");
  });

  test("of a number may have 40 digits", () => {
    expect(service(`http://${"0".repeat(29)}25177524776/`)).toBe("imds");
  });
});

describe("what else is there", () => {
  const services = ["imds", "dns", "ntp", "ecs", "eks", "reserved", "openstack"] as const;

  test.each<[string, MentionedService, string]>([
    ["169.254.169.253", "dns", "169.254.169.253"],
    ["169.254.169.123", "ntp", "169.254.169.123"],
    ["169.254.170.2", "ecs", "169.254.170.2"],
    ["169.254.170.23", "eks", "169.254.170.23"],
    ["0xa9feaa02", "ecs", "169.254.170.2"],
    ["a9fea97b", "ntp", "169.254.169.123"],
    ["fd00:ec2::253", "dns", "fd00:ec2::253"],
    ["fd00:ec2::123", "ntp", "fd00:ec2::123"],
    ["fd00:ec2::23", "eks", "fd00:ec2::23"],
    ["fd00:ec2::254", "imds", "fd00:ec2::254"],
    ["fd00:ec2::1:254", "reserved", "fd00:ec2::1:254"],
    ["fd00:ec2:1::254", "reserved", "fd00:ec2:1::254"],
    ["fd00:ec2::255", "reserved", "fd00:ec2::255"],
    ["fe80::a9fe:a9fe", "openstack", "fe80::a9fe:a9fe"],
    ["::ffff:169.254.170.2", "ecs", "169.254.170.2"],
    ["::ffff:a9fe:a97b", "ntp", "169.254.169.123"],
  ])("%s is %s, where that is looked for", (text, of, address) => {
    expect(findMention(text, { services })).toMatchObject({ kind: "address", service: of, address });
    expect(findMention(text, { services: [of] })?.service).toBe(of);
    expect(findMention(text, { services: services.filter((one) => one !== of) })?.service).not.toBe(of);
    expect(service(text)).toBe(of === "imds" ? "imds" : undefined);
  });

  test.each(["fd00:ec3::254", "fe80::a9fe:a9ff", "::ffff:10.0.0.1", "ec2:", "5601", "a9fe:"])(
    "nothing at %s",
    (text) => {
      expect(findMention(text, { services })).toBeUndefined();
    },
  );
});

describe("an IPv6 address", () => {
  test.each([
    ["with a colon of the sentence", "asked fd00:ec2::254: no answer", "fd00:ec2::254"],
    ["with a full stop of the sentence", "asked fd00:ec2::254.", "fd00:ec2::254"],
    ["with a port behind a dot", "IP6 ::1 > fd00:ec2::254.80: Flags", "fd00:ec2::254"],
    ["whole, with a port behind one colon more", "fd00:0ec2:0:0:0:0:0:254:80 x", "fd00:0ec2:0:0:0:0:0:254"],
    ["in brackets", "http://[FD00:EC2::254]:80/", "FD00:EC2::254"],
    ["behind an interface's end", "fd00:ec2::254%eth0", "fd00:ec2::254"],
    ["that carries the other, with a dotted end", "::ffff:169.254.169.254", ""],
    ["of NAT64", "64:ff9b::169.254.169.254", ""],
    ["of Teredo", "2001:0:102:304:506:708:5601:5601", "2001:0:102:304:506:708:5601:5601"],
  ])("%s", (_, text, written) => {
    const found = findMention(text);
    expect(found).toMatchObject({ kind: "address", service: "imds" });
    if (written !== "") expect(found?.written).toBe(written);
  });

  test("of up to three numbers and names is behind them, and no further", () => {
    for (const before of ["1:", "1:2:", "1:2:3:", "x:", "name:1:2:"])
      expect(service(`${before}fd00:ec2::254 x`)).toBe("imds");
    expect(service("1:2:3:4:5:fd00:ec2::254 x")).toBeUndefined();
  });
});

describe("a name", () => {
  test.each([
    "instance-data.ec2.internal",
    "instance-data.eu-central-1.compute.internal",
    "instance-data.internal",
    "METADATA.google.internal",
    "http://instance-data/latest",
    "instance-data:80",
    "instance-data",
  ])("%s is one anywhere", (text) => {
    expect(findMention(text)).toMatchObject({ kind: "name", service: "imds", layers: 0 });
  });

  test.each([
    "my-instance-data.ec2.internal",
    "x.instance-data.internal",
    "instance-data-x",
    "instance-data and more",
    "metadata",
    "metadata.google",
  ])("%s is none", (text) => {
    expect(findMention(text)).toBeUndefined();
  });

  test.each([
    ["http://instance-data/", "instance-data"],
    ["http:instance-data", "instance-data"],
    ["see https://user:pass@METADATA.GOOG:443/x", "metadata.goog"],
    [String.raw`\\instance-data.ec2.internal\x`, "instance-data.ec2.internal"],
    ["ws:metadata.google.internal.", "metadata.google.internal"],
    ["x@metadata.goog.:80", "metadata.goog"],
    ["//metadata.google.internal?x", "metadata.google.internal"],
  ])("%s has it as its host", (text, written) => {
    expect(findMention(text, { names: "hosts" })).toMatchObject({ kind: "name", written });
  });

  test.each([
    "instance-data.ec2.internal",
    "http://x/instance-data.ec2.internal",
    "//metadata/x",
    "//metadata/x of metadata.google.internal",
    "http://metadata/",
    "http://x.metadata.goog/",
    "http://metadata.goog.example/",
  ])("%s has none as its host", (text) => {
    expect(findMention(text, { names: "hosts" })).toBeUndefined();
  });

  test("is looked for where IMDS is", () => {
    expect(findMention("http://instance-data/", { services: ["ecs"] })).toBeUndefined();
  });
});

describe("a path", () => {
  test.each([
    ["/latest/meta-data/", "latest/meta-data"],
    ["/latest/user-data", "latest/user-data"],
    ["/2021-07-15/meta-data/x", "2021-07-15/meta-data"],
    ["/latest//dynamic/instance-identity/document", "latest//dynamic/instance-identity"],
    ["/latest/api/token", "latest/api/token"],
    [String.raw`\latest\meta-data`, String.raw`latest\meta-data`],
    ["/x/meta-data/iam/info", "meta-data/iam"],
    ["/x/meta-data/identity-credentials/ec2", "meta-data/identity-credentials"],
    ["/x/iam/security-credentials/role", "iam/security-credentials"],
    ["/computeMetadata/v1/project", "computeMetadata/v1"],
    ["/LATEST/META-DATA", "LATEST/META-DATA"],
  ])("%s is one of IMDS", (text, written) => {
    expect(told(text)).toBe(`path|imds|${written}||0`);
    expect(findMention(text, { paths: false })).toBeUndefined();
    expect(findMention(text, { services: ["ecs"] })).toBeUndefined();
    expect(findMention(text, { paths: undefined })).toBeDefined();
  });

  test.each([
    "/latest/meta-database",
    "/latest/user-data-x",
    "/later/meta-data",
    "/21-07-15/meta-data/x",
    "/latest/api/tokens",
    "/meta-data/iamx",
    "/iam/security-credentials-extended",
    "/latest/dynamic/x",
  ])("%s is none", (text) => {
    expect(findMention(text)).toBeUndefined();
  });
});

describe("what hides it", () => {
  test.each<[string, string, number, string]>([
    ["percent-encoding", percent(IPV4), 1, IPV4],
    ["percent-encoding of all", "%31%36%39%2E254.169.254", 1, IPV4],
    ["percent-encoding twice", percent(IPV4).replaceAll("%", "%25"), 2, IPV4],
    ["percent-encoding five times", percent(IPV4).replaceAll("%", "%25252525"), 5, IPV4],
    ["percent-encoding of UTF-16", "%u0031%u0036%u0039.254.169.254", 1, IPV4],
    ["JSON's escapes", String.raw`169\u002e254\u002E169\u002e254`, 0, IPV4],
    ["backslashes before those", String.raw`169\\u002e254.169.254`, 0, IPV4],
    ["hexadecimal escapes", String.raw`169\x2e254\x2E169.254`, 0, IPV4],
    ["escaped slashes", String.raw`http:\/\/2852039166\/`, 0, "2852039166"],
    ["full-width digits", "\uff11\uff16\uff19.254.169.254", 0, IPV4],
    ["ideographic dots", "169\u3002254\uff0e169\uff61254", 0, IPV4],
    ["circled digits", "\u2460\u2465\u2468.254.169.254", 0, IPV4],
    ["characters that nobody sees", "169.254\u200b.169\u00ad.254", 0, IPV4],
    ["line breaks and tabs, which a URL parser drops", "http://169.2\r\n54.16\t9.254/", 0, IPV4],
    ["dashes for percent signs", "http-3A-2F-2F169.254-2E169.254", 0, IPV4],
    ["equals signs for percent signs", "169=2E254=2E169=2E254=3A80", 0, IPV4],
    ["bytes of UTF-8, as nginx writes them", String.raw`\xEF\xBC\x91\xEF\xBC\x96\xEF\xBC\x99.254.169.254`, 0, IPV4],
  ])("%s", (_, text, layers, written) => {
    expect(findMention(text)).toMatchObject({ service: "imds", layers, written });
  });

  test("percent-encoding deeper than five times is too deep, and no mention", () => {
    const deep = percent(IPV4).replaceAll("%", `%${"25".repeat(6)}`);
    expect(judgeText(deep)).toBe(TOO_DEEP);
    expect(findMention(deep)).toBeUndefined();
    expect(judgeText("%2525252525")).not.toBe(TOO_DEEP);
  });

  test("what unfolds into much more is no number", () => {
    expect(findMention(`\ufdfa${IPV4}`)).toBeDefined();
    expect(findMention("\ufdfa")).toBeUndefined();
  });

  test.each([
    ["base64", base64(`http://${IPV4}/`), 1],
    ["base64 for URLs", Buffer.from(`http://${IPV4}/?>?>`).toString("base64url"), 1],
    ["base64 that begins elsewhere", `xx${base64(`http://${IPV4}/`)}`, 1],
    ["base64 split by slashes", base64(`http://${IPV4}/latest/`).replace(/.{8}/g, "$&/"), 1],
    ["hexadecimal", Buffer.from(`http://${IPV4}/`).toString("hex"), 1],
    ["hexadecimal that begins elsewhere", `0${Buffer.from(`http://${IPV4}/`).toString("hex")}`, 1],
    ["base64 twice", base64(base64(`http://${IPV4}/`)), 2],
    ["percent-encoding within base64", base64(`http://${percent(IPV4)}/`), 2],
    ["base64 within percent-encoding", `%41 ${base64(`http://${IPV4}/`)}`, 1],
  ])("%s, where that is read", (_, text, layers) => {
    expect(findMention(text, { encoded: true })).toMatchObject({ service: "imds", written: IPV4, layers });
    expect(findMention(text)).toBeUndefined();
    expect(findMention(text, { encoded: false })).toBeUndefined();
  });

  test("base64 three times is not read", () => {
    expect(findMention(base64(base64(base64(`http://${IPV4}/`))), { encoded: true })).toBeUndefined();
  });

  test("what is found first in plain sight is told", () => {
    expect(told(`${base64("http://169.254.169.254/")} 2852039166`, { encoded: true })).toBe(
      `address|imds|2852039166|${IPV4}|0`,
    );
  });
});

test("a long part is cut", () => {
  const long = `0x${"0".repeat(32)}a9fea9fe`;
  expect(findMention(`http://${long}/`)?.written).toBe(long);
  const path = `latest${"/".repeat(200)}meta-data`;
  expect(findMention(path)?.written).toBe(`${path.slice(0, 125)}...`);
  const exact = `latest${"/".repeat(113)}meta-data`;
  expect(exact).toHaveLength(128);
  expect(findMention(exact)?.written).toBe(exact);
});

describe("escapes", () => {
  test.each([
    [String.raw`\u0041\x42\\x43`, "ABC"],
    [String.raw`\xc3\xa9`, "\u00e9"],
    [String.raw`\xe9`, "\u00e9"],
    [String.raw`a\/b\\/c`, "a/b/c"],
    [String.raw`a\nb\rc\\td`, "a b c d"],
    [String.raw`\u004`, String.raw`\u004`],
    ["plain", "plain"],
  ])("%s are undone", (text, plain) => {
    expect(withoutEscapes(text)).toBe(plain);
  });

  test.each([
    ["%41%62", "Ab"],
    ["%c3%A9", "\u00e9"],
    ["%7f%80", "\u007f\ufffd"],
    ["%7F", "\u007f"],
    ["%u0041%U00e9", "A\u00e9"],
    ["100% %4 %zz", "100% %4 %zz"],
    ["%2541", "%41"],
    ["plain", "plain"],
  ])("one layer of percent-encoding is undone: %s", (text, plain) => {
    expect(withoutPercent(text)).toBe(plain);
  });
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
