// @ts-check
/** What comes back over the network, and what a Linux host says of its routes. */
import { createRequire } from "node:module";
import { isIP } from "node:net";
import { hold, SECRETS } from "../oracle.mjs";

const require = createRequire(import.meta.url);
/** Untyped: packets that its types rule out are the point. @returns {any} */
const codecOf = () => require("dns-packet");
const texts = (/** @type {readonly string[]} */ ...list) => list.map((text) => Buffer.from(text, "latin1"));
const TTL = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60\r\n";

/** @type {readonly import("../targets.mjs").Target[]} */
export const NETWORK = [
  {
    name: "probe-answer",
    sentence: "the bytes that answer the probe: judged the same in whatever pieces they arrive, and without the token",
    sources: ["network/probe-answer"],
    maxBytes: 9_000,
    words: [
      "HTTP/1.1 200 OK\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.0 ",
      "\r\n",
      "\r\n\r\n",
      "\n\n",
      TTL,
      "Server: ",
      "Content-Length: ",
      "Transfer-Encoding: chunked\r\n",
      "0\r\n\r\n",
      "ffffffff\r\n",
      ";x=y",
      "Metadata-Flavor: Google\r\n",
      SECRETS.token,
    ],
    seeds: () =>
      texts(
        `HTTP/1.1 200 OK\r\n${TTL}Server: EC2ws\r\nContent-Length: ${SECRETS.token.length}\r\n\r\n${SECRETS.token}`,
        `HTTP/1.1 200 OK\r\n${TTL}Transfer-Encoding: chunked\r\n\r\n10\r\n${SECRETS.token.slice(0, 16)}\r\n0\r\n\r\n`,
        "HTTP/1.1 404 Not Found\r\nMetadata-Flavor: Google\r\nServer: Metadata Server for VM\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad Request\r\nServer: IMDS/150.870.65.1971\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n",
      ),
    async open(load) {
      const { readProbeAnswer } = await load("network/probe-answer");
      return (input) => {
        const text = input.toString("latin1");
        const answer = readProbeAnswer(text, true);
        hold(answer !== undefined, "there is an answer at the end");
        hold(/^[\x20-\x7e]{0,64}$/.test(answer.server ?? ""), "a server's name can be shown", answer);
        hold(
          answer.kind !== "imdsv2" || (answer.tokenLength >= 1 && answer.tokenLength <= 1_024),
          "a token has a length",
          answer,
        );
        // Whoever decides early has to decide as at the end, or a responder could choose by how it cuts its packets.
        for (const part of [0.25, 0.5, 0.75, 0.9, 1]) {
          const early = readProbeAnswer(text.slice(0, Math.floor(text.length * part)), false);
          hold(
            early === undefined || JSON.stringify(early) === JSON.stringify(answer),
            "an early answer is the answer",
            { part, early, answer },
          );
        }
        return `${answer.kind} ${answer.status === 200} ${answer.detail ?? ""} ${answer.cloud ?? ""}`;
      };
    },
  },
  {
    name: "dns-answer",
    sentence: "DNS packets: addresses only of the name that was asked, and only those that the packet holds",
    sources: ["network/dns-message"],
    maxBytes: 1_024,
    words: [
      Buffer.from("c00c", "hex"),
      Buffer.from("c01c", "hex"),
      Buffer.from("00010001", "hex"),
      Buffer.from("00050001", "hex"),
      Buffer.from("001c0001", "hex"),
      Buffer.from("0000003c0004", "hex"),
      Buffer.from("00010001000000000004a9fea9fe", "hex"),
      Buffer.from("8180", "hex"),
      Buffer.from("8183", "hex"),
      Buffer.from("8380", "hex"),
      Buffer.from("0029", "hex"),
      Buffer.from("8001", "hex"),
      Buffer.from("04696d647300", "hex"),
    ],
    seeds() {
      const { encode } = codecOf();
      const question = { type: "A", name: "imds.example" };
      const answer = (/** @type {object} */ more) =>
        encode({ type: "response", id: 4_660, flags: 0x0180, questions: [question], ...more });
      const record = (/** @type {object} */ more) => ({
        type: "A",
        name: "imds.example",
        ttl: 60,
        class: "IN",
        ...more,
      });
      return [
        answer({ answers: [record({ data: "192.0.2.1" }), record({ data: "192.0.2.2" })] }),
        answer({ flags: 0x0183 }),
        answer({ flags: 0x0380 }),
        answer({ flags: 0x0182 }),
        answer({
          answers: [
            record({ type: "CNAME", data: "b.example" }),
            record({ name: "b.example", type: "CNAME", data: "c.example" }),
            record({ name: "c.example", data: "192.0.2.3" }),
          ],
        }),
        answer({ answers: [record({ type: "CNAME", data: "imds.example" })] }),
        answer({
          answers: [record({ type: "AAAA", data: "2001:db8::1" })],
          additionals: [{ type: "OPT", name: ".", udpPayloadSize: 4096, flags: 0, options: [] }],
        }),
      ];
    },
    async open(load) {
      const { createQuery, readAnswer, MAX_ADDRESSES } = await load("network/dns-message");
      const codec = codecOf();
      const query = createQuery(4_660, "A", "imds.example", codec);
      return (input) => {
        const answer = readAnswer(input, query, codec);
        if (answer.kind === "base/addresses") {
          const { addresses } = answer;
          hold(
            addresses.length >= 1 && addresses.length <= MAX_ADDRESSES && new Set(addresses).size === addresses.length,
            "as many addresses as may be",
            addresses,
          );
          const held = codec
            .decode(input)
            .answers.filter((/** @type {any} */ { type }) => type === "A")
            .map((/** @type {any} */ { data }) => data);
          for (const address of addresses)
            hold(isIP(address) === 4 && held.includes(address), "an address is one that the packet holds", {
              address,
              held,
            });
        }
        if (answer.kind !== "unrelated")
          hold(
            input.readUInt16BE(0) === 4_660 && (input.readUInt8(2) & 0x80) !== 0,
            "what is related answers the question",
          );
        return `${answer.kind} ${answer.rcode ?? String(answer.reason ?? "").replace(/\d+/, "N")}`;
      };
    },
  },
  {
    name: "routes",
    sentence: "/proc/net/route and /proc/net/arp: routes that hold together, the best of them, and words for them",
    sources: ["network/routes"],
    maxBytes: 2_048,
    words: [
      "eth0\t",
      "*\t",
      "00000000\t",
      "FEA9FEA9\t",
      "0000FFFF\t",
      "FFFFFFFF",
      "0003\t",
      "0205\t",
      "0x2",
      "0x0",
      "02:00:00:00:00:01",
      "00:00:00:00:00:00",
      "169.254.169.254",
      "\n",
      "\t0\t0\t",
    ],
    seeds: () =>
      texts(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\neth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\nlo\t0000007F\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n*\tFEA9FEA9\t00000000\t0205\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n",
        "IP address       HW type     Flags       HW address            Mask     Device\n192.0.2.1        0x1         0x2         02:00:00:00:00:01     *        eth0\n",
      ),
    async open(load) {
      const { parseRoutes, parseArp, routeFor, describeRoute } = await load("network/routes");
      const inside = (/** @type {any} */ { destination, prefixLength }) => {
        const bits = (/** @type {string} */ text) =>
          text
            .split(".")
            .map((part) => Number(part).toString(2).padStart(8, "0"))
            .join("")
            .slice(0, prefixLength);
        return bits(destination) === bits("169.254.169.254");
      };
      return (input) => {
        const text = input.toString("latin1");
        const routes = [...parseRoutes(text), ...parseRoutes(text, "BE")];
        for (const route of routes) {
          hold(
            isIP(route.destination) === 4 &&
              route.prefixLength >= 0 &&
              route.prefixLength <= 32 &&
              (route.gateway === undefined || isIP(route.gateway) === 4),
            "a route has addresses",
            route,
          );
          hold(
            (route.effect === "forward") === (route.interface !== undefined) &&
              !describeRoute(route).includes("undefined"),
            "a route can be told",
            route,
          );
        }
        const best = routeFor("169.254.169.254", routes);
        const fitting = routes.filter(inside);
        hold((best === undefined) === (fitting.length === 0), "a route is found where there is one", { best, fitting });
        if (best !== undefined)
          hold(
            fitting.every(
              (route) =>
                route.prefixLength < best.prefixLength ||
                (route.prefixLength === best.prefixLength && route.metric >= best.metric),
            ),
            "the best route is best",
            { best, fitting },
          );
        const neighbours = parseArp(text);
        for (const { address, mac } of neighbours)
          hold(isIP(address) === 4 && /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac), "a neighbour has two addresses", {
            address,
            mac,
          });
        return `${best === undefined ? "no route" : `${best.effect} ${best.gateway !== undefined}`} ${Math.min(2, neighbours.length)}`;
      };
    },
  },
  {
    name: "ipv6-routes",
    sentence: "/proc/net/ipv6_route: prefixes, the best route, and addresses in the form of RFC 5952",
    sources: ["network/ipv6-routes", "base/addresses#ipv6Text"],
    also: ["base/addresses"],
    maxBytes: 2_048,
    words: [
      "0".repeat(32),
      "fd000ec2000000000000000000000254",
      "fe80000000000000020000fffe000001",
      "00000000000000000000ffffa9fea9fe",
      "80",
      "20",
      "00000001",
      "00000200",
      "ffffffff",
      "00450003",
      "80200001",
      " eth0\n",
      " lo\n",
    ],
    seeds: () =>
      texts(
        `fd000ec2000000000000000000000000 20 ${"0".repeat(32)} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0\n${"0".repeat(32)} 00 ${"0".repeat(32)} 00 ${"0".repeat(32)} ffffffff 00000001 00000000 00200200       lo\n`,
        `fd000ec2000000000000000000000254 80 ${"0".repeat(32)} 00 ${"0".repeat(32)} 00000000 00000001 00000000 80200001       lo\n`,
      ),
    async open(load) {
      const { parseIpv6Routes, ipv6RouteFor, describeIpv6Route } = await load("network/ipv6-routes");
      const { ipv6Text, parseIp } = await load("base/addresses");
      return (input) => {
        const bytes = Buffer.concat([input, Buffer.alloc(16)]).subarray(0, 16);
        const written = ipv6Text(bytes);
        hold(
          isIP(written) === 6 && Buffer.from(parseIp(written)?.bytes ?? []).equals(bytes),
          "an address is read as it was written",
          written,
        );
        const hostname = new URL(`http://[${written}]/`).hostname;
        hold(
          written.startsWith("::ffff:") || hostname === `[${written}]`,
          "an address is written as the WHATWG writes it",
          { written, hostname },
        );
        const routes = parseIpv6Routes(input.toString("latin1"));
        for (const route of routes) {
          hold(
            isIP(route.destination) === 6 &&
              route.prefixLength <= 128 &&
              (route.gateway === undefined || isIP(route.gateway) === 6),
            "a route has addresses",
            route,
          );
          hold(!describeIpv6Route(route).includes("undefined"), "a route can be told", route);
        }
        const best = ipv6RouteFor("fd00:ec2::254", routes);
        return best === undefined
          ? `none of ${Math.min(3, routes.length)}`
          : `${best.rejects} ${best.gateway !== undefined} ${best.advertised}`;
      };
    },
  },
];
