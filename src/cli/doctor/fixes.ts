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
