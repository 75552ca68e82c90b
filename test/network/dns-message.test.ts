import * as dnsPacket from "dns-packet";
import { describe, expect, it } from "vitest";
import { parseIp } from "../../src/base/addresses.js";
import { createQuery, MAX_ADDRESSES, readAnswer } from "../../src/network/dns-message.js";
import type { DnsAnswer } from "../../src/network/dns-message.js";
import { reply } from "./dns-server.js";
import { fc } from "../support/properties.js";

const query = createQuery(0x1234, "A", "imds.example", dnsPacket);
const query6 = createQuery(0x1234, "AAAA", "imds.example", dnsPacket);
const read = (packet: Buffer, of = query): DnsAnswer => readAnswer(packet, of, dnsPacket);
const a = (name: string, data: string): dnsPacket.Answer => ({ type: "A", name, ttl: 60, data });
const cname = (name: string, data: string): dnsPacket.Answer => ({ type: "CNAME", name, ttl: 60, data });
const edit = (packet: Buffer, change: (bytes: Buffer) => void): Buffer => {
  const copy = Buffer.from(packet);
  change(copy);
  return copy;
};

const good = reply(query, { answers: [a("imds.example", "192.0.2.7")] });

/** The packet of 122 bytes that makes the decoder produce 50,176 records when it is asked first. */
function lyingCounts(): Buffer {
  const records = Buffer.alloc(122 - query.packet.length);
  const packet = Buffer.concat([query.packet, records]);
  packet.writeUInt16BE(0x8180, 2);
  packet.writeUInt16BE(50_176, 10);
  return packet;
}

describe("createQuery", () => {
  it("asks one recursive question", () => {
    expect(dnsPacket.decode(query.packet)).toMatchObject({
      id: 0x1234,
      flag_qr: false,
      flag_rd: true,
      questions: [{ name: "imds.example", type: "A", class: "IN" }],
      answers: [],
      additionals: [],
    });
  });
});

describe("readAnswer", () => {
  const many = Array.from({ length: 40 }, (_, index) => a("imds.example", `192.0.2.${index}`));
  const chain = (links: number): dnsPacket.Answer[] => [
    cname("imds.example", "c0.example"),
    ...Array.from({ length: links - 1 }, (_, index) => cname(`c${index}.example`, `c${index + 1}.example`)),
    a(`c${links - 1}.example`, "192.0.2.7"),
  ];

  it.each<[string, dnsPacket.Answer[], string[]]>([
    ["one address", [a("imds.example", "192.0.2.7")], ["192.0.2.7"]],
    ["several", [a("imds.example", "192.0.2.7"), a("imds.example", "192.0.2.8")], ["192.0.2.7", "192.0.2.8"]],
    ["the same one twice", [a("imds.example", "192.0.2.7"), a("imds.example", "192.0.2.7")], ["192.0.2.7"]],
    ["an owner in capitals", [a("IMDS.Example", "192.0.2.7")], ["192.0.2.7"]],
    ["an alias", [cname("imds.example", "b.example"), a("b.example", "192.0.2.7")], ["192.0.2.7"]],
    ["aliases in no order", chain(4).reverse(), ["192.0.2.7"]],
    ["eight aliases", chain(8), ["192.0.2.7"]],
    [
      "records of another owner beside ours",
      [a("evil.example", "203.0.113.1"), a("imds.example", "192.0.2.7")],
      ["192.0.2.7"],
    ],
    [
      "records of another type beside ours",
      [{ type: "TXT", name: "imds.example", data: "x" }, a("imds.example", "192.0.2.7")],
      ["192.0.2.7"],
    ],
    ["the first of many", many, many.slice(0, MAX_ADDRESSES).map((answer) => (answer as dnsPacket.StringAnswer).data)],
  ])("takes %s", (_, answers, addresses) => {
    expect(read(reply(query, { answers }))).toEqual({ kind: "addresses", addresses });
  });

  it("takes IPv6 addresses for the question that asks for them, and only there", () => {
    const answers: dnsPacket.Answer[] = [
      a("imds.example", "192.0.2.7"),
      { type: "AAAA", name: "imds.example", ttl: 1, data: "fd00:ec2::254" },
    ];
    expect(read(reply(query6, { answers }), query6)).toEqual({ kind: "addresses", addresses: ["fd00:ec2::254"] });
    expect(read(reply(query, { answers }))).toEqual({ kind: "addresses", addresses: ["192.0.2.7"] });
  });

  it("takes a question echoed in other letters", () => {
    expect(read(reply(query, { name: "iMdS.ExAmPlE", answers: [a("imds.example", "192.0.2.7")] }))).toMatchObject({
      kind: "addresses",
    });
  });

  it.each<[string, Buffer, DnsAnswer]>([
    ["no record", reply(query), { kind: "no-data" }],
    [
      "only records of another owner",
      reply(query, { answers: [a("evil.example", "203.0.113.1")] }),
      { kind: "no-data" },
    ],
    [
      "only records of another class",
      reply(query, { answers: [{ ...a("imds.example", "203.0.113.1"), class: "CH" } as dnsPacket.Answer] }),
      { kind: "no-data" },
    ],
    [
      "only records of multicast DNS",
      reply(query, { answers: [{ ...a("imds.example", "203.0.113.1"), flush: true } as dnsPacket.Answer] }),
      { kind: "no-data" },
    ],
    [
      "an alias that leads nowhere",
      reply(query, { answers: [cname("imds.example", "b.example")] }),
      { kind: "no-data" },
    ],
    ["NXDOMAIN", reply(query, { rcode: 3 }), { kind: "no-such-name" }],
    ["SERVFAIL", reply(query, { rcode: 2 }), { kind: "failed", rcode: "SERVFAIL" }],
    ["REFUSED", reply(query, { rcode: 5 }), { kind: "failed", rcode: "REFUSED" }],
    ["an error without a name", reply(query, { rcode: 9 }), { kind: "failed", rcode: "RCODE 9" }],
    ["truncation", reply(query, { truncated: true }), { kind: "truncated" }],
    [
      "truncation in the middle of a record",
      edit(good, (bytes) => bytes.writeUInt16BE(0x8380, 2)).subarray(0, -3),
      { kind: "truncated" },
    ],
    [
      "a loop of aliases",
      reply(query, { answers: [cname("imds.example", "b.example"), cname("b.example", "imds.example")] }),
      { kind: "malformed", reason: "aliases without end" },
    ],
    [
      "an alias of itself",
      reply(query, { answers: [cname("imds.example", "imds.example")] }),
      { kind: "malformed", reason: "aliases without end" },
    ],
    ["nine aliases", reply(query, { answers: chain(9) }), { kind: "malformed", reason: "aliases without end" }],
    [
      "two aliases for one name",
      reply(query, { answers: [cname("imds.example", "b.example"), cname("imds.example", "c.example")] }),
      { kind: "malformed", reason: "two aliases for one name" },
    ],
    ["counts that lie", lyingCounts(), { kind: "malformed", reason: "50176 records announced" }],
    [
      "more records than are believed",
      reply(query, { answers: Array.from({ length: 65 }, () => a("imds.example", "192.0.2.7")) }),
      { kind: "malformed", reason: "65 records announced" },
    ],
    ["a record cut short", good.subarray(0, -1), { kind: "malformed", reason: "records cannot be read" }],
    [
      "bytes behind the end",
      Buffer.concat([good, Buffer.of(0)]),
      { kind: "malformed", reason: "records cannot be read" },
    ],
    [
      "a length that lies",
      edit(reply(query, { answers: [{ type: "TXT", name: "x", data: "abcd" }] }), (bytes) =>
        bytes.writeUInt16BE(900, bytes.length - 7),
      ),
      { kind: "malformed", reason: "records cannot be read" },
    ],
  ])("understands %s", (_, packet, expected) => {
    expect(read(packet)).toEqual(expected);
  });

  it.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["a header alone", good.subarray(0, 12)],
    ["the question itself", query.packet],
    ["another id", reply(query, { id: 0x1235, answers: [a("imds.example", "203.0.113.1")] })],
    ["another question", reply(query, { name: "imdt.example", answers: [a("imds.example", "203.0.113.1")] })],
    ["another type", reply({ ...query, type: "AAAA" }, {})],
    ["another class", edit(good, (bytes) => bytes.writeUInt16BE(3, query.packet.length - 2))],
    ["no question", edit(good, (bytes) => bytes.writeUInt16BE(0, 4))],
    ["two questions", edit(good, (bytes) => bytes.writeUInt16BE(2, 4))],
    ["another operation", edit(good, (bytes) => bytes.writeUInt16BE(0xa980, 2))],
    [
      "a label with a dot in place of two labels",
      edit(good, (bytes) => {
        bytes[12] = 12;
        bytes[17] = 0x2e;
      }),
    ],
  ])("passes over %s", (_, packet) => {
    expect(read(packet)).toEqual({ kind: "unrelated" });
  });

  const anAnswer = fc.oneof(
    fc.ipV4().map((data) => a("imds.example", data)),
    fc.ipV6().map((data): dnsPacket.Answer => ({
      type: "AAAA",
      name: "imds.example",
      ttl: 1,
      data: [...parseIp(data)!.bytes].reduce(
        (text, byte, at) => `${text}${at > 0 && at % 2 === 0 ? ":" : ""}${byte.toString(16).padStart(2, "0")}`,
        "",
      ),
    })),
    fc.domain().map((data) => cname("imds.example", data)),
    fc.domain().map((name) => cname(name, "imds.example")),
    fc.constant<dnsPacket.Answer>({ type: "NS", name: "example", data: "ns.example" }),
    fc.constant<dnsPacket.Answer>({
      type: "SOA",
      name: "example",
      data: { mname: "ns.example", rname: "root.example" },
    }),
  );

  it("survives 10,000 mutated packets, and what it takes for an address is one", () => {
    const kinds = new Map<string, number>();
    fc.assert(
      fc.property(
        fc.array(anAnswer, { maxLength: 5 }),
        fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }),
        fc.option(fc.nat(300), { nil: undefined }),
        fc.constantFrom(query, query6),
        (answers, changes, cut, of) => {
          const packet = edit(reply(of, { answers }), (bytes) => {
            // Mostly behind the question: in front of it a change only makes the packet a stranger's.
            for (const [at, value] of changes) bytes[(at < 20 ? at : at + of.packet.length) % bytes.length] = value;
          });
          const answer = read(packet.subarray(0, cut), of);
          kinds.set(answer.kind, (kinds.get(answer.kind) ?? 0) + 1);
          if (answer.kind !== "addresses") return;
          expect(answer.addresses.length).toBeGreaterThan(0);
          for (const address of answer.addresses) expect(parseIp(address)?.family).toBe(of.type === "A" ? 4 : 6);
        },
      ),
      { numRuns: 10_000 },
    );
    // The mutations reach behind the first check; the rarer answers have their rows in the tables above.
    expect([...kinds.keys()]).toEqual(expect.arrayContaining(["addresses", "malformed", "no-data", "unrelated"]));
  });

  it("survives arbitrary bytes behind the right header and question", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.array(fc.nat(8), { minLength: 3, maxLength: 3 }),
        (rest, counts) => {
          const packet = Buffer.concat([query.packet, rest]);
          packet.writeUInt16BE(0x8180, 2);
          counts.forEach((count, index) => packet.writeUInt16BE(count, 6 + 2 * index));
          expect(["addresses", "malformed", "no-data"]).toContain(read(packet).kind);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
