import { isIP } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { sameAddress } from "../../src/base/addresses.js";
import { parseEndpoint } from "../../src/settings/endpoint.js";
import { fc } from "../support/properties.js";

// Properties and processes of their own take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

describe("parseEndpoint takes", () => {
  test.each<[string, "address" | "name", string, number, boolean]>([
    ["http://169.254.169.254", "address", "169.254.169.254", 80, false],
    ["http://169.254.169.254/", "address", "169.254.169.254", 80, false],
    ["HTTP://169.254.169.254:80/", "address", "169.254.169.254", 80, false],
    ["http://[fd00:ec2::254]", "address", "fd00:ec2::254", 80, false],
    ["http://[FD00:EC2::254]:8080/", "address", "fd00:ec2::254", 8080, false],
    ["http://[::ffff:169.254.169.254]", "address", "::ffff:169.254.169.254", 80, false],
    ["http://127.0.0.1:1", "address", "127.0.0.1", 1, true],
    ["http://127.255.255.254:65535", "address", "127.255.255.254", 65535, true],
    ["http://[::1]:9911", "address", "::1", 9911, true],
    ["http://[0:0:0:0:0:0:0:1]", "address", "0:0:0:0:0:0:0:1", 80, true],
    ["http://[::ffff:127.0.0.1]", "address", "::ffff:127.0.0.1", 80, true],
    ["http://0.0.0.0", "address", "0.0.0.0", 80, false],
    ["http://[::]", "address", "::", 80, false],
    ["http://localhost", "name", "localhost", 80, true],
    ["http://LocalHost:80", "name", "localhost", 80, true],
    ["http://localhost.:80", "name", "localhost", 80, true],
    ["http://imds.localhost", "name", "imds.localhost", 80, true],
    ["http://localhost.example.com", "name", "localhost.example.com", 80, false],
    ["http://notlocalhost", "name", "notlocalhost", 80, false],
    ["http://imds.example.com:1338/", "name", "imds.example.com", 1338, false],
    ["http://instance-data", "name", "instance-data", 80, false],
    ["http://xn--bcher-kva.example", "name", "xn--bcher-kva.example", 80, false],
    ["http://3com.example", "name", "3com.example", 80, false],
    ["http://0xcafe.example", "name", "0xcafe.example", 80, false],
  ])("%s", (text, kind, host, port, loopback) => expect(parseEndpoint(text)).toEqual({ kind, host, port, loopback }));
});

describe("parseEndpoint refuses", () => {
  test.each<[string, string]>([
    ["", "it has no scheme"],
    ["169.254.169.254", "it has no scheme"],
    ["//169.254.169.254", "it has no scheme"],
    ["localhost:80", "it has no scheme"],
    ["http:169.254.169.254", "it has no scheme"],
    ["http:/169.254.169.254", "it has no scheme"],
    ["https://169.254.169.254", 'its scheme is "https"'],
    ["ftp://169.254.169.254", 'its scheme is "ftp"'],
    ["file:///etc/passwd", 'its scheme is "file"'],
    ["http+unix://socket", 'its scheme is "http+unix"'],
    ["http://user@169.254.169.254", "user info"],
    ["http://user:secret@169.254.169.254", "user info"],
    ["http://@169.254.169.254", "user info"],
    ["http://169.254.169.254@192.0.2.1", "user info"],
    ["http://169.254.169.254:80@192.0.2.1/", "user info"],
    ["http://169.254.169.254/latest", "path"],
    ["http://169.254.169.254//", "path"],
    ["http:///169.254.169.254", "path"],
    ["http://169.254.169.254/.", "path"],
    ["http://169.254.169.254?x", "query"],
    ["http://169.254.169.254#x", "query, fragment"],
    ["http://192.0.2.1#@169.254.169.254", "user info"],
    ["http://192.0.2.1\\@169.254.169.254", "user info"],
    ["http://169.254.169.254\\", "backslash"],
    ["http:\\\\169.254.169.254", "no scheme"],
    ["http://2852039166", "decimal, octal"],
    ["http://0xA9FEA9FE", "hexadecimal"],
    ["http://0251.0376.0251.0376", "octal"],
    ["http://0xa9.0xfe.0xa9.0xfe", "hexadecimal"],
    ["http://169.254.43518", "short form"],
    ["http://169.16689662", "short form"],
    ["http://127.1", "short form"],
    ["http://0", "short form"],
    ["http://0x", "hexadecimal"],
    ["http://169.254.169.0254", "octal"],
    ["http://169.254.169.256", "decimal"],
    ["http://169.254.169.254.", "short form"],
    ["http://1.2.3.4.5", "short form"],
    ["http://example.1", "short form"],
    ["http://[fd00:ec2::254%25eth0]", "zone id"],
    ["http://[fe80::1%eth0]", "zone id"],
    ["http://169.254.169.254%00.example.com", "zone id or percent-encoding"],
    ["http://%31%36%39.254.169.254", "percent-encoding"],
    ["http://[fd00:ec2::254", "cannot be told apart"],
    ["http://fd00:ec2::254]", "cannot be told apart"],
    ["http://fd00:ec2::254", "cannot be told apart"],
    ["http://[[::1]]", "cannot be told apart"],
    ["http://[::1]x", "cannot be told apart"],
    ["http://x[::1]", "cannot be told apart"],
    ["http://[]", "not an IPv6"],
    ["http://[127.0.0.1]", "not an IPv6"],
    ["http://[localhost]", "not an IPv6"],
    ["http://[v1.x]", "not an IPv6"],
    ["http://[::1::]", "not an IPv6"],
    ["http://", "it has no host"],
    ["http://:80", "it has no host"],
    ["http://localhost:", "cannot be told apart"],
    ["http://localhost:0", "port 0"],
    ["http://localhost:65536", "port 65536"],
    ["http://localhost:99999", "port 99999"],
    ["http://localhost:123456", "cannot be told apart"],
    ["http://localhost:-1", "cannot be told apart"],
    ["http://localhost:+80", "cannot be told apart"],
    ["http://localhost:80:80", "cannot be told apart"],
    ["http://localhost:0x50", "cannot be told apart"],
    ["http://local_host", "malformed"],
    ["http://-localhost", "malformed"],
    ["http://localhost-", "malformed"],
    ["http://a..b", "malformed"],
    ["http://.localhost", "malformed"],
    ["http://localhost..", "malformed"],
    [`http://${"a".repeat(64)}`, "malformed"],
    [`http://${"a.".repeat(127)}a.example`, "malformed"],
    [`http://${"a".repeat(400)}`, "longer than 300"],
    ["http://169.254.169.254 ", "white space"],
    [" http://169.254.169.254", "white space"],
    ["http://169.254.169\t.254", "white space"],
    ["ht\ntp://169.254.169.254", "white space"],
    ["http://169.254.169.254\n", "white space"],
    ["http://169.254.169.254\0", "control"],
    ["http://169.254.169.254\0.example.com", "control"],
    ["http://\uff11\uff16\uff19.254.169.254", "non-ASCII"],
    ["http://169\u3002254\u3002169\u3002254", "non-ASCII"],
    ["http://\u2460.example", "non-ASCII"],
    ["http://b\u00fccher.example", "non-ASCII"],
    ["http://localho\u017ft", "non-ASCII"],
    ["http://local\u00adhost", "non-ASCII"],
    ["http://\u212aelvin", "non-ASCII"],
    ["\ufeffhttp://localhost", "non-ASCII"],
  ])("%j", (text, problem) => {
    const parsed = parseEndpoint(text);
    expect("problem" in parsed && parsed.problem).toContain(problem);
  });
});

const asciiPieces = fc.constantFrom(
  "http://",
  "HTTP://",
  "https://",
  "169.254.169.254",
  "127.0.0.1",
  "0x7f.1",
  "2852039166",
  "localhost",
  "[",
  "]",
  "[::1]",
  "::",
  "fd00:ec2::254",
  ":",
  ":80",
  ":0",
  "/",
  "//",
  "@",
  "%",
  "%25",
  "?",
  "#",
  "\\",
  ".",
  "..",
  "a",
  "-",
  "xn--a",
  "0",
  "1",
  "0x",
  "\0",
  " ",
  "\t",
  "\uff11",
  "\u3002",
);
const anything = fc.oneof(
  fc.string({ unit: "binary", maxLength: 320 }),
  fc.array(asciiPieces, { maxLength: 8 }).map((pieces) => pieces.join("")),
  fc.array(asciiPieces, { maxLength: 6 }).map((pieces) => `http://${pieces.join("")}`),
  fc.webUrl(),
  fc.ipV4Extended().map((ip) => `http://${ip}`),
  fc.tuple(fc.ipV6(), fc.nat(70_000)).map(([ip, port]) => `http://[${ip}]:${port}`),
  fc.tuple(fc.domain(), fc.nat(70_000)).map(([name, port]) => `http://${name}:${port}/`),
);

test("whatever is written: never thrown, and no URL parser reads another endpoint out of it", () => {
  fc.assert(
    fc.property(anything, (text) => {
      const endpoint = parseEndpoint(text);
      if ("problem" in endpoint) {
        expect(endpoint.problem).toMatch(/^[\x20-\x7e]+$/);
        return;
      }
      const { host, kind, port } = endpoint;
      expect(isIP(host) !== 0).toBe(kind === "address");
      if (!URL.canParse(text)) {
        // Names in an invalid Punycode are names to a resolver and nothing to a URL.
        expect(host).toContain("xn--");
        return;
      }
      const url = new URL(text);
      const read = url.hostname.replace(/^\[|\]$/g, "");
      expect(kind === "address" ? sameAddress(read, host) : read.replace(/\.$/, "") === host).toBe(true);
      expect([
        url.protocol,
        url.port === "" ? 80 : Number(url.port),
        url.pathname,
        url.username,
        url.search,
        url.hash,
      ]).toEqual(["http:", port, "/", "", "", ""]);
    }),
    { numRuns: 5_000 },
  );
});

test("every address that Node knows, in its URL form, is taken", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }), (ip, port) => {
      const parsed = parseEndpoint(isIP(ip) === 6 ? `http://[${ip}]:${port}` : `http://${ip}:${port}`);
      expect(parsed).toMatchObject({ kind: "address", host: ip.toLowerCase(), port });
    }),
  );
});
