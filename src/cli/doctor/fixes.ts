/** Changes that shut the metadata addresses on this host: printed for a person, never applied. */
import type { Fix } from "./check.js";

const NFT_RULES = `table inet imds_guard {
  set imds4 { type ipv4_addr; elements = { 169.254.169.254, 169.254.169.253 }
  }
  set imds6 { type ipv6_addr; flags interval; elements = { fd00:ec2::/32 }
  }
  chain output { type filter hook output priority -10; policy accept;
    ip daddr @imds4 jump deny
    ip6 daddr @imds6 jump deny
  }
  # Containers and virtual machines on bridges of this host.
  chain forward { type filter hook forward priority -10; policy accept;
    ip daddr @imds4 jump deny
    ip6 daddr @imds6 jump deny
  }
  chain deny {
    limit rate 10/minute burst 20 packets log group 5 prefix "imds-guard "
    counter
    meta l4proto tcp reject with tcp reset
    reject with icmpx type admin-prohibited
  }
}`;

const IPTABLES = [
  ["iptables", "169.254.169.254/32"],
  ["ip6tables", "fd00:ec2::/32"],
].flatMap(([tool, network]) =>
  ["OUTPUT", "FORWARD"].map((chain) => `${tool} -I ${chain} -d ${network} -p tcp -j REJECT --reject-with tcp-reset`),
);

/** A user of the host whose programs need the role; the others get nothing. */
const TRUSTED = "trusted-user";

const NFT_BY_USER = `table inet imds_guard_users {
  chain output { type filter hook output priority -10; policy accept;
    ip daddr 169.254.169.254 meta skuid != { root, ${TRUSTED} } counter jump deny
    ip6 daddr fd00:ec2::254 meta skuid != { root, ${TRUSTED} } counter jump deny
  }
  chain deny {
    meta l4proto tcp reject with tcp reset
    reject with icmpx type admin-prohibited
  }
}`;

// A list of its own, so that two users can pass: a match by owner names one.
const IPTABLES_BY_USER = [
  ["iptables", "169.254.169.254/32"],
  ["ip6tables", "fd00:ec2::254/128"],
]
  .flatMap(([tool, network]) => [
    `${tool} -N IMDS_USERS`,
    ...["root", TRUSTED].map((user) => `${tool} -A IMDS_USERS -m owner --uid-owner ${user} -j RETURN`),
    `${tool} -A IMDS_USERS -p tcp -j REJECT --reject-with tcp-reset`,
    `${tool} -I OUTPUT -d ${network} -p tcp --dport 80 -j IMDS_USERS`,
  ])
  .join("\n");

const IPFW_BY_USER = ["169.254.169.254", "fd00:ec2::254"]
  .flatMap((address) => [
    ...["root", TRUSTED].map((user) => `ipfw add allow tcp from any to ${address} uid ${user}`),
    `ipfw add deny tcp from any to ${address}`,
  ])
  .join("\n");

const PF_BY_USER = [
  ["inet", "169.254.169.254"],
  ["inet6", "fd00:ec2::254"],
]
  .flatMap(([family, address]) => [
    `block return out ${family} proto tcp from any to ${address}`,
    `pass out ${family} proto tcp from any to ${address} user { root, ${TRUSTED} }`,
  ])
  .join("\n");

/** What limits IMDS on EC2 to some users of the instance (EC2 User Guide, "Limit access to IMDS"). */
export function limitsByUser(platform: string): readonly Fix[] {
  const who = `put the users whose programs need the role in the place of ${TRUSTED}`;
  switch (platform) {
    case "linux":
      return [
        {
          title: `IMDS for some users alone, with nftables (${who}; $ nft -f FILE)`,
          file: "/etc/nftables.d/imds-guard-users.nft",
          text: NFT_BY_USER,
        },
        { title: `Or with iptables (${who})`, text: IPTABLES_BY_USER },
        {
          title:
            "Or the gateway: paths and roles by user, group, unit and container, every answer proved, and who asks by IMDSv1",
          text: "useradd --system --no-create-home --shell /usr/sbin/nologin imds-guard\nimds-guard gateway install\nsystemctl enable --now imds-guard-gateway",
        },
      ];
    case "freebsd":
      return [
        { title: `IMDS for some users alone, with ipfw (${who})`, text: IPFW_BY_USER },
        { title: `Or with pf, in /etc/pf.conf (${who})`, text: PF_BY_USER },
      ];
    case "openbsd":
      return [{ title: `IMDS for some users alone, with pf, in /etc/pf.conf (${who})`, text: PF_BY_USER }];
    default:
      return [];
  }
}

/** Any one of these is enough; the first is the most complete. */
export const BLOCK_FIXES: readonly Fix[] = [
  {
    title: "Block the metadata addresses with nftables (refused in milliseconds, logged; $ nft -f FILE)",
    file: "/etc/nftables.d/imds-guard.nft",
    text: NFT_RULES,
  },
  { title: "Or with iptables", text: IPTABLES.join("\n") },
  {
    title: "Or with routes, where there is no packet filter",
    text: "ip route add prohibit 169.254.169.254/32\nip -6 route add prohibit fd00:ec2::/32",
  },
  {
    title: "Or for one systemd service (it may not reach the addresses; the rest of the host may)",
    file: "/etc/systemd/system/<name>.service.d/no-imds.conf",
    text: "[Service]\nIPAddressDeny=169.254.169.254/32 169.254.169.253/32 fd00:ec2::/32\nEnvironment=AWS_EC2_METADATA_DISABLED=true",
  },
];
