/** The packet filter's rules, word for word: a wrong one would lead nobody, or somebody else's connections. */
import { expect, it } from "vitest";
import {
  iptablesCalls,
  iptablesRemoval,
  NFT_REMOVAL,
  nftRules,
  STATUS_CALLS,
  TABLE,
} from "../../src/gateway/packet-filter.js";

it("nftables, for programs of this host", () => {
  expect(nftRules({ uid: 123, port: 9_100, bridges: [] })).toBe(`table inet imds_guard_gateway {}
delete table inet imds_guard_gateway
table inet imds_guard_gateway {
  chain output {
    type nat hook output priority -110; policy accept;
    meta skuid 123 accept
    ip daddr 169.254.169.254 tcp dport 80 redirect to :9100
    ip6 daddr fd00:ec2::254 tcp dport 80 redirect to :9100
  }
}
`);
});

it("nftables, with a user that is not there yet, and for clients on bridges", () => {
  expect(nftRules({ uid: "imds-guard", port: 1, bridges: ["docker0", "br-1"] })).toBe(`table inet imds_guard_gateway {}
delete table inet imds_guard_gateway
table inet imds_guard_gateway {
  chain output {
    type nat hook output priority -110; policy accept;
    meta skuid "imds-guard" accept
    ip daddr 169.254.169.254 tcp dport 80 redirect to :1
    ip6 daddr fd00:ec2::254 tcp dport 80 redirect to :1
  }
  chain prerouting {
    type nat hook prerouting priority -110; policy accept;
    iifname { "docker0", "br-1" } ip daddr 169.254.169.254 tcp dport 80 redirect to :1
    iifname { "docker0", "br-1" } ip6 daddr fd00:ec2::254 tcp dport 80 redirect to :1
  }
}
`);
});

it("iptables", () => {
  const inputFor = (address: string) => `*nat
:IMDS_GUARD_OUTPUT - [0:0]
:IMDS_GUARD_PREROUTING - [0:0]
-A IMDS_GUARD_OUTPUT -m owner --uid-owner 123 -j RETURN
-A IMDS_GUARD_OUTPUT -d ${address} -p tcp --dport 80 -j REDIRECT --to-ports 9100
-A IMDS_GUARD_PREROUTING -i docker0 -d ${address} -p tcp --dport 80 -j REDIRECT --to-ports 9100
COMMIT
`;
  const words = (line: string) => line.split(" ");
  expect(iptablesCalls({ uid: 123, port: 9_100, bridges: ["docker0"] })).toEqual(
    [
      ["ip6tables", "fd00:ec2::254/128"],
      ["iptables", "169.254.169.254/32"],
    ].flatMap(([program = "", address = ""]) => [
      { command: words(`${program}-restore --noflush -w`), input: inputFor(address) },
      ...["PREROUTING", "OUTPUT"].map((chain) => ({
        command: words(`${program} -w -t nat -I ${chain} 1 -j IMDS_GUARD_${chain}`),
        unless: words(`${program} -w -t nat -C ${chain} -j IMDS_GUARD_${chain}`),
      })),
    ]),
  );
});

it("what takes them away, and what tells whether they are there", () => {
  expect(NFT_REMOVAL).toBe(`table inet ${TABLE} {}\ndelete table inet ${TABLE}\n`);
  expect(iptablesRemoval().map((words) => words.join(" "))).toEqual(
    ["iptables", "ip6tables"].flatMap((program) =>
      ["OUTPUT", "PREROUTING"].flatMap((chain) => [
        `${program} -w -t nat -D ${chain} -j IMDS_GUARD_${chain}`,
        `${program} -w -t nat -F IMDS_GUARD_${chain}`,
        `${program} -w -t nat -X IMDS_GUARD_${chain}`,
      ]),
    ),
  );
  const asked = (by: "nft" | "iptables") => STATUS_CALLS[by].map((words) => words.join(" "));
  expect(asked("nft")).toEqual(["nft list table inet imds_guard_gateway"]);
  expect(asked("iptables")).toEqual([
    "iptables -w -t nat -C OUTPUT -j IMDS_GUARD_OUTPUT",
    "ip6tables -w -t nat -C OUTPUT -j IMDS_GUARD_OUTPUT",
  ]);
});
