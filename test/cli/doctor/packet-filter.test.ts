/**
 * Rules as `nft list ruleset` 1.0.6 and `iptables-save` 1.8.9 printed them in a network namespace, and what follows
 * from them.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { FilterRule } from "../../../src/cli/doctor/packet-filter.js";
import { readIptables, readNft, readNftJson } from "../../../src/cli/doctor/packet-filter.js";
import { fc } from "../../support/properties.js";

const captured = (name: string): string => readFileSync(new URL(`captured/${name}.txt`, import.meta.url), "utf8");
const inShort = (rules: readonly FilterRule[]): string[] =>
  rules.map(({ text, effect, ownPackets }) => `${effect} ${ownPackets ? "own" : "others'"}: ${text}`);

describe("readNft", () => {
  it("follows the sets and chains that --fix-plan prints", () => {
    expect(inShort(readNft(captured("nft-fix-plan")))).toEqual([
      "blocks own: ip daddr @imds4 jump deny",
      "blocks own: ip6 daddr @imds6 jump deny",
      "blocks others': ip daddr @imds4 jump deny",
      "blocks others': ip6 daddr @imds6 jump deny",
    ]);
  });

  it("tells what blocks from what passes, rewrites, is for others, or is never reached", () => {
    expect(inShort(readNft(captured("nft-site")))).toEqual([
      "blocks others': ip daddr 169.254.169.254 drop",
      'passes own: ip daddr 169.254.169.254 meta skuid 0 accept comment "drop everybody else below"',
      'blocks own: ip daddr 169.254.0.0/16 tcp dport 80 log prefix "link-local " goto refuse',
      "blocks own: ip daddr @clouds counter packets 0 bytes 0 drop",
      "blocks own: ip6 daddr fd00:ec2::254 drop",
      "blocks others': ip daddr 169.254.169.254 drop",
      "unclear own: ip daddr 169.254.169.254 tcp dport 80 dnat to 127.0.0.1:8181",
    ]);
  });

  it("reads what iptables made of its rules", () => {
    expect(inShort(readNft(captured("nft-of-iptables")))).toEqual([
      "passes own: ip daddr 169.254.169.254 skuid 0 counter packets 0 bytes 0 accept",
      "blocks own: meta l4proto tcp ip daddr 169.254.169.254  counter packets 0 bytes 0 jump REFUSE",
      "blocks own: ip daddr 169.254.169.253-169.254.169.254 counter packets 0 bytes 0 drop",
      "blocks others': ip daddr 169.254.169.254 counter packets 0 bytes 0 drop",
      "unclear own: ip daddr 169.254.169.254 tcp dport 80 counter packets 0 bytes 0 dnat to 127.0.0.1:8181",
      "blocks own: meta l4proto tcp ip6 daddr fd00:ec2::/32 counter packets 0 bytes 0 reject with tcp reset",
    ]);
  });
});

describe("readNftJson", () => {
  const captured = (name: string): string => readFileSync(new URL(`captured/${name}.json`, import.meta.url), "utf8");
  const text = (name: string): string => readFileSync(new URL(`captured/${name}.txt`, import.meta.url), "utf8");
  const judgements = (rules: readonly FilterRule[] | undefined): unknown =>
    rules?.map(({ address, effect, ownPackets }) => ({ address, effect, ownPackets }));

  // As `nft -j list ruleset` 1.0.6 printed what the text was loaded from.
  it.each(["nft-fix-plan", "nft-site"])("judges %s as its text is judged", (name) => {
    expect(judgements(readNftJson(captured(name)))).toEqual(judgements(readNft(text(name))));
  });

  it("says rules as nft does", () => {
    expect(inShort(readNftJson(captured("nft-site"))!)).toEqual(inShort(readNft(text("nft-site"))));
  });

  it("judges verdict maps, concatenated ranges, and what is no rule at all", () => {
    const rule = (...expr: object[]): string =>
      JSON.stringify({
        nftables: [
          { metainfo: { version: "1.0.6" } },
          { chain: { family: "ip", table: "t", name: "o", handle: 1, type: "filter", hook: "output", prio: 0 } },
          { rule: { family: "ip", table: "t", chain: "o", handle: 2, expr } },
        ],
      });
    const key = { payload: { protocol: "ip", field: "daddr" } };
    const vmap = {
      vmap: {
        key,
        data: {
          set: [
            ["169.254.169.254", { drop: null }],
            ["192.0.2.1", { accept: null }],
          ],
        },
      },
    };
    expect(judgements(readNftJson(rule(vmap)))).toEqual([
      { address: "169.254.169.254", effect: "blocks", ownPackets: true },
    ]);
    const range = { match: { op: "==", left: key, right: { range: ["169.254.169.0", "169.254.169.255"] } } };
    expect(inShort(readNftJson(rule(range, { redirect: { port: 9100 } }))!)).toEqual([
      "unclear own: ip daddr 169.254.169.0-169.254.169.255 redirect to :9100",
    ]);
    for (const none of ["", "{}", "[]", '{"nftables":7}', "Error: JSON support not compiled-in"])
      expect(readNftJson(none)).toBeUndefined();
  });

  it("reads any JSON", () => {
    const pieces = fc
      .jsonValue()
      .map((value) => JSON.stringify({ nftables: [{ rule: value }, { chain: value }, value] }));
    fc.assert(
      fc.property(pieces, (json) => {
        readNftJson(json);
      }),
    );
  });
});

describe("readIptables", () => {
  it("tells the same", () => {
    expect(inShort(readIptables(captured("iptables-save")))).toEqual([
      "blocks others': -d 169.254.169.254/32 -j DROP",
      "passes own: -d 169.254.169.254/32 -m owner --uid-owner 0 -j ACCEPT",
      'blocks own: -d 169.254.169.254/32 -p tcp -m comment --comment "no -j ACCEPT here" -j REFUSE',
      "blocks own: -m iprange --dst-range 169.254.169.253-169.254.169.254 -j DROP",
      "unclear own: -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 127.0.0.1:8181",
    ]);
    expect(inShort(readIptables(captured("ip6tables-save")))).toEqual([
      "blocks own: -d fd00:ec2::/32 -p tcp -j REJECT --reject-with tcp-reset",
    ]);
  });
});

it("any text is read, and chains that lead to one another end", () => {
  const circle = "table ip x {\nchain a {\nip daddr 169.254.169.254 jump b\n}\nchain b {\njump a\n}\n}\n";
  expect(inShort(readNft(circle))).toEqual(["unclear others': ip daddr 169.254.169.254 jump b"]);
  const lines = fc.array(
    fc.oneof(
      fc.string(),
      fc.constantFrom(...captured("nft-site").split("\n"), ...captured("iptables-save").split("\n")),
    ),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(lines, (text) => {
      readNft(text.join("\n"));
      readIptables(text.join("\n"));
    }),
  );
});
