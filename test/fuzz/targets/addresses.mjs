// @ts-check
/** Addresses, URLs and endpoints: every spelling of the metadata address that Node.js itself understands is known. */
import { isIP, isIPv4, isIPv6 } from "node:net";
import { declared, hold } from "../oracle.mjs";

const texts = (/** @type {readonly string[]} */ ...list) => list.map((text) => Buffer.from(text));
const FORMS = [
  "169.254.169.254",
  "2852039166",
  "0xa9fea9fe",
  "0251.0376.0251.0376",
  "169.254.43518",
  "169.16689662",
  "0xa9.254.0xa9fe",
  "[::ffff:a9fe:a9fe]",
  "::ffff:169.254.169.254",
  "::169.254.169.254",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1:a9fe:a9:fe00::",
  "2002:a9fe:a9fe::",
  "2001:0:0:0:0:0:5601:5601",
  "fe80::5efe:a9fe:a9fe",
  "fd00:ec2::254",
  "fd00:ec2:0:0:0:0:0:254",
  "fd00:0ec2::0254",
  "169.254.170.2",
  "169.254.170.23",
  "169.254.169.253",
  "169.254.169.123",
  "::ffff:0:a9fe:a9fe",
  "fe80::a9fe:a9fe%eth0",
];
const PIECES = [
  "169",
  "254",
  ".",
  "0x",
  "0",
  "::",
  ":",
  "ffff",
  "a9fe",
  "%eth0",
  "%25",
  "[",
  "]",
  "\0",
  "\u3002",
  "\uff11",
  "\u2460",
  "@",
  "#",
  "?",
  "\\",
  "//",
  "http:",
  "https://",
  "user:pass@",
  ":80",
  ":65536",
  "/latest/meta-data/",
  "nip.io",
  "localhost",
  "127.0.0.1",
  "[::1]",
  "metadata.google.internal",
  "instance-data",
  "%2f",
  "%2F%2F",
  "%3a",
  "%40",
  "-3A-2F-2F",
  "%25252f",
  "\t",
  "\n",
  " ",
  "a9fea9fe",
  "169-254-169-254",
];

/** @type {readonly import("../targets.mjs").Target[]} */
export const ADDRESSES = [
  {
    name: "addresses",
    sentence:
      "address literals: a literal here is one for Node.js, and the spellings of the metadata address are its own",
    sources: [
      "base/addresses#parseIp,sameAddress,isLoopback,isImdsAddress,parseIpv4,parseIpv6,parseGroups,equal,startsWith,unmapped,carriedIpv4,isatap",
    ],
    words: [...FORMS, ...PIECES],
    maxBytes: 128,
    seeds: () => texts(...FORMS, "127.0.0.1", "::1", "::ffff:127.1.2.3", "1.2.3.4.5", "1::2::3"),
    async open(load) {
      const { parseIp, sameAddress, isImdsAddress, isLoopback } = await load("base/addresses");
      return (input) => {
        const text = input.toString("utf8");
        const ip = parseIp(text);
        hold((ip?.family ?? 0) === (text.includes("%") ? 0 : isIP(text)), "a literal is one for Node.js too", {
          text,
          ip,
        });
        if (ip !== undefined) {
          const url = new URL(`http://${ip.family === 6 ? `[${text}]` : text}/`);
          const canonical = url.hostname.replace(/[[\]]/g, "");
          hold(
            sameAddress(text, canonical) && sameAddress(canonical, text) && sameAddress(text, text),
            "a literal is the same in its canonical form",
            { text, canonical },
          );
          hold(
            isLoopback(text) === (/^127\.|^::1$/.test(canonical) || /^::ffff:7f/.test(canonical)),
            "loopback is loopback",
            { text, canonical },
          );
          if (["169.254.169.254", "::ffff:a9fe:a9fe", "fd00:ec2::254"].includes(canonical))
            hold(isImdsAddress(text), "the metadata address is known in every spelling", text);
        }
        hold(ip === undefined || isImdsAddress(`${text}%eth0`) === isImdsAddress(text), "a zone is looked past", text);
        return `${ip?.family} ${isImdsAddress(text)} ${isLoopback(text)}`;
      };
    },
  },
  {
    name: "classify",
    sentence:
      "the firewall's arithmetic on literals: it agrees with the strict reader, and with Node.js on what is an address",
    sources: ["firewall/classify"],
    also: ["base/addresses"],
    words: [...FORMS, ...PIECES],
    maxBytes: 128,
    seeds: () => texts(...FORMS, "1.2.3.4", "2001:db8::1"),
    async open(load) {
      const { createClassifier, isPlainQuad, serviceOf, serviceOfV4, serviceOfV6 } = await load("firewall/classify");
      const { isImdsAddress, parseIp } = await load("base/addresses");
      const open = createClassifier(["gcp", "dns", "ntp", "ecs", "eks", "openstack"]);
      const shut = createClassifier([]);
      return (input) => {
        const text = input.toString("utf8");
        const service = serviceOf(text);
        const plain = text.split(/[%\0]/)[0] ?? "";
        if (isIPv4(text)) {
          hold(
            (serviceOfV4(text) === "imds") === isImdsAddress(text),
            "an IPv4 literal is read as by the strict reader",
            { text, service },
          );
          hold(
            shut.v4(text) === serviceOfV4(text) && (open.v4(text) === undefined || service === undefined),
            "what is open is open, and nothing else",
            text,
          );
        }
        if (isIPv6(text) && plain.length <= 39) {
          // The firewall holds all of Amazon's prefix reserved, whatever address lies in it.
          hold(
            serviceOfV6(text) === "reserved" || (serviceOfV6(text) === "imds") === isImdsAddress(text),
            "an IPv6 literal is read as by the strict reader",
            { text, service: serviceOfV6(text) },
          );
          const amazons = Buffer.from(parseIp(plain)?.bytes ?? [])
            .toString("hex")
            .startsWith("fd000ec2");
          hold(
            shut.v6(text) === serviceOfV6(text) && (!amazons || service !== "imds" || open.v6(text) === "imds"),
            "no word for another cloud opens Amazon's own address",
            text,
          );
        }
        hold(
          isPlainQuad(text) === (isIPv4(text) && new URL(`http://${text}/`).hostname === text),
          "a plain quad is what the WHATWG would write",
          text,
        );
        return `${service} ${isIP(text)}`;
      };
    },
  },
  {
    name: "urls",
    sentence:
      "URLs of users: none is called safe whose host the WHATWG reads as an address of a metadata service, in any spelling",
    sources: ["firewall/urls"],
    also: ["base/addresses"],
    words: [
      ...FORMS,
      ...PIECES,
      ...FORMS.map((form) => `http://${form.includes("::") && !form.startsWith("[") ? `[${form}]` : form}/`),
    ],
    maxBytes: 17_000,
    seeds: () =>
      texts(
        ...FORMS.map(
          (form) => `http://${form.includes(":") && !form.startsWith("[") ? `[${form}]` : form}/latest/meta-data/`,
        ),
        "https://images.example/cat.png?u=http%3A%2F%2F169.254.169.254%2F",
        "http://169.254.169.254@example.com/",
        "http://example.com/?x=-3A-2F-2F169.254.169.254",
        "http://a.example/\n192.0.2.1\n198.51.100.1",
        "http://192.0.2.1/\n",
        `http://a.example/\n${"192.0.2.1\n".repeat(300)}`,
        `http://a.example/%25${"25".repeat(8)}41`,
        `http://a.example/${"x".repeat(16_400)}`,
        "ftp://user:p%40ss@example.org:21/a#b",
        `http://example.com/${"a/".repeat(100)}`,
      ),
    async open(load) {
      const { assertNotMetadataUrl, isMetadataAddress } = await load("firewall/urls");
      const { isImdsAddress } = await load("base/addresses");
      const refuses = (/** @type {string} */ url) => {
        try {
          assertNotMetadataUrl(url);
          return undefined;
        } catch (error) {
          declared(error, { ImdsRefusedError: ["ERR_IMDS_URL_REFUSED"] });
          return String(/** @type {any} */ (error).evidence[0]?.source);
        }
      };
      /** What stands in further lines are the answers of DNS. @param {string} url @param {readonly string[]} answers */
      const answered = async (url, ...answers) => {
        try {
          const addresses = await assertNotMetadataUrl(url, { resolve: () => answers });
          for (const address of addresses)
            hold(!isImdsAddress(address), "no answer of DNS is the metadata address", addresses);
          return "passed with DNS";
        } catch (error) {
          declared(error, { ImdsRefusedError: ["ERR_IMDS_URL_REFUSED"] });
          return `refused ${String(/** @type {any} */ (error).evidence[0]?.source)}`;
        }
      };
      return (input) => {
        const text = input.toString("utf8");
        const refused = refuses(text);
        const url = URL.canParse(text) ? new URL(text) : undefined;
        if (url === undefined) {
          hold(refused !== undefined, "what is no URL is refused", text);
          return refused;
        }
        // Other schemes leave the host as it is written; whoever fetches reads it as http does.
        const asHttp = URL.canParse(`http://${url.host}/`) ? new URL(`http://${url.host}/`) : url;
        for (const hostname of [url.hostname, asHttp.hostname]) {
          const host = hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
          if (isImdsAddress(host))
            hold(
              refused !== undefined && isMetadataAddress(hostname),
              "no URL is called safe whose host is the metadata address",
              { text, host },
            );
        }
        // What a parser makes of it is as safe as what was written, and the other way round for the host.
        if (refused === undefined && url.href.length <= 16_384)
          hold(
            refuses(url.href) === undefined || refuses(url.href) === "text",
            "a URL is as safe as it is written by the parser",
            { text, href: url.href, as: refuses(url.href) },
          );
        hold(typeof isMetadataAddress(text) === "boolean", "any text may be asked about");
        if (text.includes("\n") && refused === undefined)
          return answered(.../** @type {[string, ...string[]]} */ (text.split("\n")));
        return refused ?? `passed ${url.protocol === "http:"}`;
      };
    },
  },
  {
    name: "endpoint",
    sentence:
      "endpoints as settings have them: host and port are those of the WHATWG's reading, and loopback is loopback",
    sources: ["settings/endpoint"],
    also: ["base/addresses"],
    words: [...FORMS, ...PIECES, "HTTP://", "http://127.1", "http://0x7f.1", ".localhost", "xn--", "a".repeat(64)],
    maxBytes: 400,
    seeds: () =>
      texts(
        "http://169.254.169.254",
        "http://[fd00:ec2::254]:80/",
        "http://localhost:1338",
        "http://imds.example.com.",
        "http://127.0.0.1:65535/",
        "https://x",
        "http://x.localhost/",
      ),
    async open(load) {
      const { parseEndpoint } = await load("settings/endpoint");
      const { sameAddress } = await load("base/addresses");
      return (input) => {
        const text = input.toString("utf8");
        const read = parseEndpoint(text);
        if ("problem" in read) return read.problem.replace(/".*"|\d+/, "X");
        const { host, kind, port, loopback } = read;
        // A name that only claims to be an international one is left to DNS.
        if (/(?:^|\.)xn--/.test(host)) return "an international name";
        hold(URL.canParse(text), "an endpoint is a URL", text);
        const url = new URL(text);
        const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
        hold(
          (kind === "address") === (isIP(hostname) !== 0) &&
            (kind === "address" ? sameAddress(host, hostname) : host === hostname),
          "the host is the one the WHATWG reads",
          { text, host, hostname },
        );
        hold(
          port === Number(url.port === "" ? "80" : url.port) &&
            url.pathname === "/" &&
            url.username === "" &&
            url.search === "",
          "there is nothing but host and port",
          { text, port },
        );
        const local =
          kind === "address" ? /^127\.|^::1$|^::ffff:7f/.test(hostname) : /(?:^|\.)localhost$/.test(hostname);
        hold(loopback === local, "loopback is loopback", { text, loopback });
        return `${kind} ${loopback} ${port === 80}`;
      };
    },
  },
];
