import { describe, expect, it } from "vitest";
import { ImdsRefusedError } from "../../src/base/errors.js";
import { golden, wordingOf } from "../support/wording.js";
import { assertNotMetadataUrl, isMetadataAddress, MAX_URL } from "../../src/firewall/urls.js";
import { carriers, compressed, groups, IMDS_QUAD } from "./forms.js";
import { fc } from "../support/properties.js";

function refusal(url: string): unknown {
  try {
    assertNotMetadataUrl(url);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("isMetadataAddress", () => {
  const carried = Object.values(carriers(IMDS_QUAD)).flatMap((bytes) => [
    groups(bytes),
    compressed(groups(bytes)),
    `[${compressed(groups(bytes))}]`,
  ]);
  it.each([
    "169.254.169.254",
    "169.254.169.253",
    "169.254.169.123",
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::254",
    "[fd00:ec2::254]",
    "fd00:ec2::254%eth0",
    "fd00:ec2::23",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "025177524776",
    "0251.0376.0251.0376",
    "169.16689662",
    "169.254.43518",
    "169.254.169.254.",
    " 169.254.169.254 ",
    "\uff11\uff16\uff19.254.169.254",
    "169\u3002254\u3002169\u3002254",
    "169.254.169.254...",
    `169-254-169-254.${"a".repeat(496)}`,
    "169.254.169.254:80",
    ...carried,
  ])("%s", (text) => {
    expect(isMetadataAddress(text)).toBe(true);
  });

  it.each([
    "169.254.1.1",
    "127.0.0.1",
    "10.0.0.1",
    "8.8.8.8",
    "::1",
    "2001:db8::1",
    "fe80::1",
    "2852039167",
    "example.com",
    "",
    "instance",
    "...",
    "[",
    "]",
    "%",
    ":",
    `169-254-169-254.${"a".repeat(497)}`,
    "12:34",
    "10.0.0.1:80",
  ])("not %j", (text) => {
    expect(isMetadataAddress(text)).toBe(false);
  });

  it("takes nothing but text", () => {
    expect(() => isMetadataAddress(2852039166 as unknown as string)).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_ARG_VALUE",
        message: expect.stringMatching(/\bip\b.*an address as a string/),
      }),
    );
  });
});

const REFUSED: readonly (readonly [string, string])[] = [
  ["http://169.254.169.254/latest/meta-data/", "host"],
  ["https://169.254.169.254", "host"],
  ["http://169.254.169.254:8080/", "host"],
  ["http://169.254.169.254./", "host"],
  ["http://2852039166/", "host"],
  ["http://0xa9fea9fe/", "host"],
  ["http://0251.0376.0251.0376/", "host"],
  ["http://169.16689662/", "host"],
  ["http://[::ffff:169.254.169.254]/", "host"],
  ["http://[::ffff:a9fe:a9fe]/", "host"],
  ["http://[64:ff9b::a9fe:a9fe]/", "host"],
  ["http://[2002:a9fe:a9fe::1]/", "host"],
  ["http://[fd00:ec2::254]/", "host"],
  ["http://169.254.170.2/v2/credentials/x", "host"],
  ["http://user:pass@169.254.169.254/", "host"],
  ["http://example.com@169.254.169.254/", "host"],
  ["http:\\\\169.254.169.254\\latest", "host"],
  ["http:169.254.169.254/", "host"],
  ["http:///169.254.169.254/", "host"],
  [" \thttp://169.254\n.169.254/", "host"],
  ["http://%31%36%39.254.169.254/", "host"],
  ["http://\uff11\uff16\uff19\u3002254\u3002169\u3002254/", "host"],
  ["gopher://0xa9fea9fe:80/_GET", "host"],
  ["ftp://169.254.169.254/", "host"],
  ["http://instance-data/latest/meta-data/", "host"],
  ["http://instance-data.ec2.internal./latest", "host"],
  ["http://metadata.google.internal/", "host"],
  ["http://169.254.169.254.nip.io/", "host"],
  ["http://a.169-254-169-254.sslip.io/", "host"],
  ["http://a9fea9fe.nip.io/", "host"],
  ["http://169.254.169.254@example.com/", "user info"],
  ["http://169.254.169.254%2f@example.com/", "user info"],
  ["http://2852039166:x@example.com/", "user info"],
  ["https://example.com/fetch?url=http://169.254.169.254/latest", "text"],
  ["https://example.com/fetch?url=http%3A%2F%2F169.254.169.254%2Flatest", "text"],
  ["https://example.com/fetch?url=http%253A%252F%252F169.254.169.254%252Flatest", "text"],
  ["https://example.com/fetch?url=http%25253A%25252F%25252F0xa9fea9fe%25252Flatest", "text"],
  ["https://example.com/request-url-http-3A-2F-2F169.254.169.254-2Flatest-2Fmeta-data", "text"],
  ["https://example.com/request_url_http_3A_2F_2F2852039166_2Flatest", "text"],
  ["https://example.com/fetch?url=%68%74%74%70%3a%2f%2f%31%36%39%2e%32%35%34%2e%31%36%39%2e%32%35%34", "text"],
  ["https://example.com/fetch?url=//0xa9fea9fe/", "text"],
  ["https://example.com/fetch?url=http://[::ffff:a9fe:a9fe]/", "text"],
  ["https://example.com/fetch?host=::ffff:a9fe:a9fe", "text"],
  ["https://example.com/169.254.169.254/latest", "text"],
  ["https://example.com/#http://instance-data/latest", "text"],
  ["https://example.com/?u=http://user@2852039166/", "text"],
  ["https://example.com/?u=http:%5c%5c169.254.169.254", "text"],
  ["https://example.com/%2525252525252525252541", "text"],
  ["not a url", "syntax"],
  ["/latest/meta-data", "syntax"],
  ["", "syntax"],
  ["http://[fd00:ec2::254%25eth0]/", "syntax"],
  ["http://ip-169-254-169-254/", "host"],
  ["http://x-a9fea9fe/", "host"],
  ["http://x.0xa9feaa02.nip.io/", "host"],
  ["https://example.com/?u=http://user@instance-data/", "text"],
  ["https://example.com/?u=//instance-data:80/", "text"],
  ["https://example.com/?u=//instance-data:/", "text"],
  ["https://example.com/?u=http://2852039166@example.org/", "text"],
  ["https://example.com/x/169.254.169.254.html", "text"],
  ["https://example.com/?h=::ffff:a9fe:a9fe&x=1", "text"],
  ["https://example.com/?u=http://169%E3%80%82254%E3%80%82169%E3%80%82254/", "text"],
  ["https://example.com/x-2F-2F-5Bfd00-3Aec2-3A-3A254-5D-2F", "text"],
  ["https://example.com/%252525252541", "text"],
  ["http://metadata.goog/computeMetadata/v1/", "host"],
  ["http://metadata/computeMetadata/v1/", "host"],
  // One slash, none, or three: to a parser of URLs they are all the same.
  ["https://example.com/?u=http:/0xa9fea9fe/", "text"],
  ["https://example.com/?u=http:0xa9fea9fe", "text"],
  ["https://example.com/?u=https:///2852039166", "text"],
  ["https://example.com/?u=wss:%5c025177524776/", "text"],
  ["https://example.com/?u=http:instance-data/latest&v=1", "text"],
  ["https://example.com/?u=ftp:/x@metadata.google.internal:80", "text"],
  ["https://example.com/?u=h%09ttp:/%0a/0xa9%0dfea9fe/", "text"],
  // A number alone is a host to whoever puts `http://` in front of it.
  ["https://example.com/?host=2852039166", "text"],
  ["https://example.com/fetch/0xa9.0xfe.0xa9.0xfe", "text"],
  ["https://example.com/?host=169.254.43518&port=80", "text"],
  ["https://example.com/?host=0251.00000000000376.0251.0376.", "text"],
  ["https://example.com/?u=%E2%91%A0%E2%91%A5%E2%91%A8.254.169.254", "text"],
  ["https://example.com/?u=//16%C2%AD9.254.169%EF%BD%A1254/", "text"],
  // What a server decodes before it fetches: base64 in both alphabets, with and without padding, and hexadecimal.
  ["https://example.com/?u=aHR0cDovLzE2OS4yNTQuMTY5LjI1NC8=", "text"],
  ["https://example.com/?u=aHR0cDovLzE2OS4yNTQuMTY5LjI1NC8%3D", "text"],
  ["https://example.com/?u=MTY5LjI1NC4xNjkuMjU0", "text"],
  ["https://example.com/?u=MHhhOWZlYTlmZQ", "text"],
  ["https://example.com/#Mjg1MjAzOTE2Ng", "text"],
  ["https://example.com/image/aHR0cDovL1s6OmZmZmY6YTlmZTphOWZlXS9sYXRlc3Q_/100x100", "text"],
  ["https://example.com/insecure/aHR0cDovLzE2OS4y/NTQuMTY5LjI1NC8x/", "text"],
  ["https://example.com/x687474703a2f2f3136392e3235342e3136392e3235342f", "text"],
  ["https://example.com/687474703A2F2F696E7374616E63652D646174612F", "text"],
  ["https://example.com/?u=YUhSMGNEb3ZMekUyT1M0eU5UUXVNVFk1TGpJMU5DOD0=", "text"],
  ["https://example.com/?u=aHR0cCUzQSUyRiUyRjB4YTlmZWE5ZmUlMkY", "text"],
  ["https://example.com/?u=77yR77yW77yZLjI1NC4xNjkuMjU0", "text"],
  ["https://example.com/?d=eyJ1IjoiaHR0cDpcL1wvXHUwMDMxNjkuMjU0LjE2OS4yNTQifQ==", "text"],
  ['https://example.com/?d={"u":"http:%5C/%5C/%5Cu003169.254.169.254"}', "text"],
  ["https://example.com/?u=%u0031%u0036%u0039.254.169.254", "text"],
  ["https://example.com/?u=::ffff:a9fe:aa02", "text"],
  ["https://example.com/?u=[fd00:ec2::7]", "text"],
  ["https://example.com/?u=[fe80::a9fe:a9fe]", "text"],
  [`https://example.com/${"//a.b".repeat(3_000)}?u=http:/0xa9fea9fe/`, "text"],
];

describe("assertNotMetadataUrl", () => {
  it.each(REFUSED)("refuses %s", (url, where) => {
    const error = refusal(url);
    expect(error).toBeInstanceOf(ImdsRefusedError);
    expect(error).toMatchObject({ code: "ERR_IMDS_URL_REFUSED", evidence: [{ source: where }] });
  });

  it.each([
    "https://example.com/",
    "http://127.0.0.1:8080/x",
    "http://10.0.0.1/",
    "http://169.254.1.1/",
    "https://example.com/?t=12:34:56",
    "https://example.com/a%20b?c=%E2%82%AC&d=100%25",
    "https://example.com/169.254.169.25/",
    "https://example.com/v1.169.254.169.254.2",
    "http://[2001:db8::1]/",
    "https://user:pw@example.com/p-3a-b",
    "data:text/plain,hello",
    "https://example.com/?u=https%3A%2F%2Fexample.org%2Fcat.png",
    "https://instance-data.example.com/",
    "https://example.com/=3D=3D",
    "https://host-169-254-1-1.example/",
    "https://xa9fea9fe.example/",
    "https://a9fea9aa.nip.io/",
    "https://a9feaa7b.nip.io/",
    "https://example.com/%2525252541",
    "https://example.com/?u=//example.org:80/",
    "https://example.com/?id=2852039167",
    "https://example.com/?id=x2852039166",
    "https://example.com/2852039166.html",
    "https://example.com/v2852039166-3",
    "https://example.com/?n=0xa9fea9feff",
    "https://example.com/?n=1.2852039166",
    "https://example.com/?n=0251.0376.0251.0388",
    "https://cdn.example.com//metadata/x.json",
    "https://example.com/docs/instance-data.html",
    "https://example.com/docs/instance-data/",
    "https://example.com/?topic=instance-data",
    "https://example.com/?u=aHR0cHM6Ly9leGFtcGxlLm9yZy9jYXQucG5n",
    "https://example.com/?sha=687474703a2f2f6578616d706c652e6f72672f",
    "https://example.com/?jwt=eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.c2lnbmF0dXJl",
  ])("lets %s pass", (url) => {
    expect(refusal(url)).toBeUndefined();
    expect(assertNotMetadataUrl(url).href).toBe(new URL(url).href);
  });

  it("reads numbers as a URL parser does", () => {
    const number = fc.oneof(
      fc.constantFrom(
        "0xa9fea9fe",
        "169",
        "254",
        "43518",
        "0251",
        "0xA9",
        "0x",
        "025177524776",
        "0",
        "08",
        "256",
        "1e9",
      ),
      fc.nat(4_294_967_300).map(String),
      fc.nat(300).map((value) => `0${value.toString(8)}`),
    );
    const hosts = fc.array(number, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("."));
    fc.assert(
      fc.property(hosts, (host) => {
        const url = `http://${host}/`;
        const refused = refusal(`https://example.com/?u=${host}&x`) !== undefined;
        // What is no host leads nowhere; whoever passes on its last number does.
        // What is no host leads nowhere; whoever passes on its last number does.
        if (URL.canParse(url)) expect([host, refused]).toEqual([host, isMetadataAddress(new URL(url).hostname)]);
        else expect([host, refused && !host.includes("0xa9fea9fe")]).toEqual([host, false]);
      }),
    );
  });

  it("says what it found, and where", async () => {
    const texts = REFUSED.map(([url]) => {
      const { message, evidence } = refusal(url) as ImdsRefusedError;
      expect(message).toMatch(/^The URL was refused: [^]*See docs\/errors\.md#ERR_IMDS_URL_REFUSED$/);
      expect(message).toContain(evidence[0]?.says);
      return [url, `${evidence[0]?.source}: ${evidence[0]?.says}`] as const;
    });
    await expect(
      golden({
        "as an error": wordingOf(refusal("http://169.254.169.254/latest")),
        "in short": Object.fromEntries(texts),
      }),
    ).toMatchFileSnapshot("golden/url-refusals.json");
  });

  it("takes a URL that was parsed", () => {
    expect(assertNotMetadataUrl(new URL("https://example.com/a")).href).toBe("https://example.com/a");
    expect(() => assertNotMetadataUrl(new URL("http://169.254.169.254/"))).toThrow(ImdsRefusedError);
  });

  it("refuses what is longer than anybody needs", () => {
    const start = "http://example.com/";
    expect(refusal(start + "a".repeat(MAX_URL - start.length))).toBeUndefined();
    expect(refusal(start + "a".repeat(MAX_URL - start.length + 1))).toMatchObject({
      message: "The URL was refused: it is longer than 16384 characters. See docs/errors.md#ERR_IMDS_URL_REFUSED",
    });
    expect(refusal(`http://example.com/${"a".repeat(MAX_URL)}`)).toMatchObject({
      code: "ERR_IMDS_URL_REFUSED",
      evidence: [{ source: "length" }],
    });
  });

  it("sees the address however often it is encoded, up to its limit, and refuses beyond", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9 }),
        fc.constantFrom("169.254.169.254", "0xa9fea9fe", "2852039166", "[::ffff:a9fe:a9fe]"),
        (times, host) => {
          let inner = `http://${host}/latest`;
          for (let count = 0; count < times; count++)
            inner = [...inner]
              .map((char) =>
                char === "%" || Math.abs(char.charCodeAt(0) % 3) === count % 3
                  ? `%${char.charCodeAt(0).toString(16)}`
                  : char,
              )
              .join("");
          expect(refusal(`https://example.com/?u=${inner}`)).toMatchObject({ code: "ERR_IMDS_URL_REFUSED" });
        },
      ),
    );
  });

  it("sees it in base64 and hexadecimal, wherever in a run it begins", () => {
    const host = fc.constantFrom("169.254.169.254", "0xa9fea9fe", "2852039166", "[::ffff:a9fe:a9fe]", "169.254.170.2");
    const text = fc.tuple(fc.string({ maxLength: 9 }), host, fc.string({ maxLength: 9 }));
    const encoding = fc.constantFrom("base64", "base64url", "hex");
    fc.assert(
      fc.property(text, encoding, fc.stringMatching(/^[a-zA-Z0-9/]{0,5}$/), ([before, written, after], how, lead) => {
        const inner = Buffer.from(`${before} ${written} ${after}`).toString(how as BufferEncoding);
        expect(refusal(`https://example.com/?u=${lead}${inner}`)).toMatchObject({ code: "ERR_IMDS_URL_REFUSED" });
      }),
    );
  });

  it("never throws anything but its refusal, and ends, on any text", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "binary" }), fc.webUrl({ withQueryParameters: true, withFragments: true })),
        (text) => {
          const error = refusal(text);
          if (error !== undefined) expect(error).toMatchObject({ code: "ERR_IMDS_URL_REFUSED" });
        },
      ),
      { numRuns: 2_000 },
    );
  });

  describe("with resolve", () => {
    it("checks every answer and returns them", async () => {
      const asked: string[] = [];
      const resolve = (name: string) => {
        asked.push(name);
        return Promise.resolve(["192.0.2.1", "2001:db8::1"]);
      };
      await expect(assertNotMetadataUrl("https://Example.com./x", { resolve })).resolves.toEqual([
        "192.0.2.1",
        "2001:db8::1",
      ]);
      await expect(assertNotMetadataUrl("http://192.0.2.7/", { resolve })).resolves.toEqual(["192.0.2.7"]);
      await expect(assertNotMetadataUrl("http://[2001:db8::7]/", { resolve })).resolves.toEqual(["2001:db8::7"]);
      await expect(assertNotMetadataUrl("http://192.10.20.77/", { resolve })).resolves.toEqual(["192.10.20.77"]);
      expect(asked).toEqual(["example.com"]);
      // Names, where the scheme is not one whose hosts are read as addresses.
      for (const url of ["foo://a.1.2.3.4/", "foo://1.2.3.4.example/"]) await assertNotMetadataUrl(url, { resolve });
      expect(asked.slice(1)).toEqual(["a.1.2.3.4", "1.2.3.4.example"]);
    });

    it.each([
      [["192.0.2.1", "169.254.169.254"], "its host name leads to 169.254.169.254 (imds)"],
      [["::ffff:169.254.169.254"], "its host name leads to ::ffff:169.254.169.254 (imds)"],
      [["2852039166"], 'its host name leads to "2852039166", which is 169.254.169.254 (imds)'],
      [[], "its host name has no address"],
      ["192.0.2.1" as unknown as string[], "its host name has no address"],
      [[undefined as unknown as string], "its host name leads to an answer that is no address"],
      [Array<string>(257).fill("192.0.2.1"), "its host name has more than 256 addresses"],
    ])("refuses answers: %#", async (answers, says) => {
      await expect(assertNotMetadataUrl("https://rebind.example/", { resolve: () => answers })).rejects.toMatchObject({
        code: "ERR_IMDS_URL_REFUSED",
        evidence: [{ source: "DNS", value: '"https://rebind.example/"', says }],
      });
    });

    it("takes as many answers as anybody needs", async () => {
      const answers = Array<string>(256).fill("192.0.2.1");
      await expect(assertNotMetadataUrl("https://many.example/", { resolve: () => answers })).resolves.toEqual(answers);
    });

    it("refuses before it asks, and passes on what the resolver throws", async () => {
      await expect(assertNotMetadataUrl("http://0xa9fea9fe/", { resolve: () => ["192.0.2.1"] })).rejects.toMatchObject({
        code: "ERR_IMDS_URL_REFUSED",
      });
      const failing = () => Promise.reject(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }));
      await expect(assertNotMetadataUrl("http://nowhere.example/", { resolve: failing })).rejects.toMatchObject({
        code: "ENOTFOUND",
      });
    });
  });
});
