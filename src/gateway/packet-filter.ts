/** The packet filter rules that lead every connection of the host to the gateway, as text; nothing is run here. */
import { IMDS_IPV4, IMDS_IPV6 } from "../base/addresses.js";

/** The nftables table, and the prefix of iptables chains. Nothing else is ever touched. */
export const TABLE = "imds_guard_gateway";

/** What the rules say. */
export interface FilterPlan {
  /** The user whose connections pass: the daemon's, and nobody else's. A name where there is no such user yet. */
  readonly uid: number | string;
  readonly port: number;
  /** Names of bridges whose clients are led, too. */
  readonly bridges: readonly string[];
}

/**
 * For `nft -f`: one transaction, whatever was there before. Ahead of other programs' translations at the same hook, the
 * first of which would win.
 */
export function nftRules({ uid, port, bridges }: FilterPlan): string {
  const redirect = [
    `ip daddr ${IMDS_IPV4} tcp dport 80 redirect to :${port}`,
    `ip6 daddr ${IMDS_IPV6} tcp dport 80 redirect to :${port}`,
  ];
  const names = bridges.map((name) => `"${name}"`).join(", ");
  const prerouting = [
    "  chain prerouting {",
    "    type nat hook prerouting priority -110; policy accept;",
    ...redirect.map((rule) => `    iifname { ${names} } ${rule}`),
    "  }",
  ];
  return [
    `table inet ${TABLE} {}`,
    `delete table inet ${TABLE}`,
    `table inet ${TABLE} {`,
    "  chain output {",
    "    type nat hook output priority -110; policy accept;",
    `    meta skuid ${typeof uid === "string" ? JSON.stringify(uid) : uid} accept`,
    ...redirect.map((rule) => `    ${rule}`),
    "  }",
    ...(bridges.length > 0 ? prerouting : []),
    "}",
    "",
  ].join("\n");
}

/** For `nft -f`: takes the table away, and is no error where there is none. */
export const NFT_REMOVAL = `table inet ${TABLE} {}\ndelete table inet ${TABLE}\n`;

const OUTPUT = "IMDS_GUARD_OUTPUT";
const PREROUTING = "IMDS_GUARD_PREROUTING";

/** One call of a program, with what it reads. */
export interface FilterCall {
  readonly command: readonly string[];
  readonly input?: string;
  /** A further call that is made only where this one fails; it says what is there already. */
  readonly unless?: readonly string[];
}

/**
 * For hosts without nft. The chains are filled in one transaction each; then the built-in ones are led into them. The
 * jump that leads programs of this host over IPv4 comes last: where it is, all the others are.
 */
export function iptablesCalls({ uid, port, bridges }: FilterPlan): readonly FilterCall[] {
  return (["ip6tables", "iptables"] as const).flatMap((program) => {
    const address = program === "iptables" ? `${IMDS_IPV4}/32` : `${IMDS_IPV6}/128`;
    const redirect = `-d ${address} -p tcp --dport 80 -j REDIRECT --to-ports ${port}`;
    const input = [
      "*nat",
      `:${OUTPUT} - [0:0]`,
      `:${PREROUTING} - [0:0]`,
      `-A ${OUTPUT} -m owner --uid-owner ${uid} -j RETURN`,
      `-A ${OUTPUT} ${redirect}`,
      ...bridges.map((name) => `-A ${PREROUTING} -i ${name} ${redirect}`),
      "COMMIT",
      "",
    ].join("\n");
    return [
      { command: [`${program}-restore`, "--noflush", "-w"], input },
      jump(program, "PREROUTING", PREROUTING),
      jump(program, "OUTPUT", OUTPUT),
    ];
  });
}

function jump(program: string, from: string, to: string): FilterCall {
  return {
    command: [program, "-w", "-t", "nat", "-I", from, "1", "-j", to],
    unless: [program, "-w", "-t", "nat", "-C", from, "-j", to],
  };
}

/** Takes the chains away; a call that fails found nothing to take. */
export function iptablesRemoval(): readonly (readonly string[])[] {
  return ["iptables", "ip6tables"].flatMap((program) =>
    [
      ["OUTPUT", OUTPUT],
      ["PREROUTING", PREROUTING],
    ].flatMap(([from = "", chain = ""]) => [
      [program, "-w", "-t", "nat", "-D", from, "-j", chain],
      [program, "-w", "-t", "nat", "-F", chain],
      [program, "-w", "-t", "nat", "-X", chain],
    ]),
  );
}

/** How to ask whether the rules are in place, by program: each of these calls succeeds. */
export const STATUS_CALLS = {
  nft: [["nft", "list", "table", "inet", TABLE]],
  iptables: ["iptables", "ip6tables"].map((program) => [program, "-w", "-t", "nat", "-C", "OUTPUT", "-j", OUTPUT]),
} as const;
