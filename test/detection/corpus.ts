/** Lines as products write them, in which the address of the metadata service was put where it would stand. */
import { readFileSync } from "node:fs";

/** One file of test/detection/corpus. */
export interface Sample {
  readonly file: string;
  /** What writes such lines. */
  readonly title: string;
  /** Lines in which there is something to find. */
  readonly planted: number;
  /** Whether the lines would be findings without the address, too: they tell a session of an instance. */
  readonly always?: true;
}

const sample = (file: string, title: string, planted: number): Sample => ({ file: `${file}.log`, title, planted });

export const CORPUS: readonly Sample[] = [
  sample("suricata-eve", "Suricata EVE: http, alert, fileinfo, flow, netflow, drop, anomaly, tls, dns, arp", 12),
  sample("suricata-fast", "Suricata and Snort fast.log", 3),
  sample("zeek-conn", "Zeek conn.log", 2),
  sample("zeek-http", "Zeek http.log", 2),
  sample("zeek-json", "Zeek, JSON: conn, dns, http, notice, files, weird, ssl", 8),
  sample("vpc-flow", "VPC flow log, header, version 2", 1),
  sample("vpc-flow-v2-plain", "VPC flow log, no header, version 2", 2),
  sample("vpc-flow-v3-plain", "VPC flow log, no header, version 3", 1),
  sample("vpc-flow-v5-own-order", "VPC flow log, header, order of one's own", 1),
  sample("vpc-flow-v7", "VPC flow log, no header, version 7", 1),
  sample("vpc-flow-later-plain", "VPC flow log, no header, versions 4, 6, 8 and 10", 4),
  sample("vpc-flow-json", "VPC flow log, JSON", 1),
  sample("tgw-flow", "Transit gateway flow log", 1),
  sample("nginx-combined", "nginx, combined: spellings of the address", 24),
  sample("nginx-json", "nginx, JSON", 2),
  sample("nginx-kv", "nginx, name=value", 1),
  sample("nginx-error", "nginx error log", 1),
  sample("apache-vhost", "Apache, with virtual host, and common", 2),
  sample("apache-error", "Apache error log", 2),
  sample("caddy", "Caddy", 1),
  sample("traefik", "Traefik, text and JSON", 2),
  sample("envoy", "Envoy and Istio, text: HTTP, TCP", 3),
  sample("istio-json", "Istio, JSON", 2),
  sample("haproxy", "HAProxy, HTTP and TCP", 3),
  sample("iis-w3c", "IIS", 2),
  sample("iis-plain", "IIS without a header", 2),
  sample("cloudfront", "CloudFront", 1),
  sample("alb", "Application load balancer", 2),
  sample("nlb", "Network load balancer", 1),
  sample("classic-elb", "Classic load balancer: HTTP, TCP", 2),
  sample("aws-waf", "AWS WAF", 2),
  sample("api-gateway", "API Gateway: access and execution logs", 5),
  sample("s3-access", "S3 server access log", 1),
  sample("squid", "Squid", 3),
  sample("proxies", "tinyproxy, mitmproxy, Privoxy, Nginx Proxy Manager, Smokescreen", 6),
  sample("rows", "columns without a header: Umbrella, CloudFront in real time", 2),
  sample("zscaler-netskope", "Zscaler web, JSON", 1),
  sample("cisco-asa", "Cisco ASA", 16),
  sample("cisco-ftd", "Cisco Firepower", 3),
  sample("cisco-ios", "Cisco IOS, Nexus", 4),
  sample("meraki", "Cisco Meraki", 3),
  sample("palo-alto", "Palo Alto: traffic, URL, CEF", 4),
  sample("fortigate", "FortiGate: traffic, web filter, DNS, CEF", 4),
  sample("check-point", "Check Point", 4),
  sample("juniper", "Juniper SRX", 3),
  sample("watchguard", "WatchGuard", 2),
  sample("f5", "F5: ASM, AFM", 2),
  sample("pfsense", "pfSense and OPNsense", 2),
  sample("netfilter", "UFW, iptables, firewalld, Shorewall", 4),
  sample("conntrack", "conntrack -L, -E", 5),
  sample("sockets", "ss, netstat, lsof", 4),
  sample("windows-firewall", "Windows firewall", 2),
  sample("cef-leef", "CEF and LEEF", 4),
  sample("auditd", "auditd: SOCKADDR, EXECVE, PROCTITLE", 5),
  sample("auditbeat-laurel", "Laurel, Auditbeat", 2),
  sample("falco", "Falco, JSON and text", 2),
  sample("tetragon", "Tetragon", 2),
  sample("hubble", "Hubble, JSON and text", 3),
  sample("osquery", "osquery", 4),
  sample("sysmon.xml", "Sysmon, 5156 and PowerShell, XML", 5),
  sample("windows-text", "5156, 4688 and 4104, JSON", 4),
  sample("crowdstrike-defender", "CrowdStrike, Defender, Carbon Black", 4),
  sample("ecs", "Elastic Common Schema: Filebeat, Packetbeat, exports", 6),
  sample("ocsf", "OCSF: Security Lake and others", 5),
  sample("splunk", "Splunk exports and events", 4),
  sample("splunk-csv", "Splunk, CSV", 1),
  sample("azure", "Azure: firewall, application gateway, flow logs", 8),
  sample("gcp", "Google Cloud: VPC flow logs, load balancer", 2),
  sample("tcpdump", "tcpdump, tshark", 10),
  { ...sample("cloudtrail", "CloudTrail, lines and EventBridge", 2), always: true },
  sample("guardduty", "GuardDuty findings", 2),
  sample("route53-resolver", "Route 53 resolver", 1),
  sample("dns-text", "dnsmasq, Unbound, BIND, CoreDNS, PowerDNS, systemd-resolved, Windows, dnstap, AdGuard", 11),
  sample("docker-journal", "Docker, Kubernetes, journal, CloudWatch, Vector around access logs", 10),
  sample("applications", "LTSV, Fluent Bit, Rails, Gin, OpenTelemetry", 5),
  sample(
    "collectors",
    "NetFlow, IPFIX, SentinelOne, Chronicle, Snort 3, Comware, Sysmon rendered, nft, RouterOS, Zscaler",
    11,
  ),
  sample("hosts", "strace, tcpconnect, ss alone, ARP in tcpdump, arp -a, ip neighbour, dumps", 9),
  sample("vendors", "Umbrella DNS, Zscaler feeds, FDR, SentinelOne, Packetbeat, Auditbeat, Forcepoint, HAR", 10),
  sample("generic-json", "any JSON", 2),
  sample("generic.csv", "any CSV", 2),
  sample("generic-kv", "any name=value", 2),
  sample("syslog-app", "messages of programs", 7),
];

/** What a file of the corpus holds. */
export function contentOf({ file }: Sample): string {
  return readFileSync(new URL(`./corpus/${file}`, import.meta.url), "utf8");
}

const HARMLESS: readonly (readonly [RegExp, string])[] = [
  [/169\.254\.169\.254/g, "198.51.100.254"],
  [/169-254-169-254/g, "198-51-100-254"],
  [/169%E3%80%82254%E3%80%82169%E3%80%82254/g, "198%E3%80%8251%E3%80%82100%E3%80%82254"],
  [/(?:\\xEF\\xBC\\x9\d){3}\.254\.169\.254/g, "198.51.100.254"],
  [/a9fe a9fe/g, "c633 64fe"],
  [/fd00:0?ec2:/g, "2001:db8:"],
  [/2852039166/g, "3325256958"],
  [/A9FEA9FE/gi, "C63364FE"],
  [/a9fe:a9fe/g, "c633:64fe"],
  [/0251\.0376\.0251\.0376/g, "0306.063.0144.0376"],
  [/0xA9\.254\.0xa9\.0376/g, "0xC6.51.0x64.0376"],
  [/169\.16689662/g, "198.3367166"],
  [/169\.254\.43518/g, "198.51.25854"],
  [/3136392E3235342E3136392E323534/g, "3139382E35312E3130302E323534"],
  [/49,54,57,46,50,53,52,46,49,54,57,46,50,53,52/g, "49,57,56,46,53,49,46,49,48,48,46,50,53,52"],
  [/latest/g, "newest"],
  [/security-credentials/g, "price-lists"],
  [/(?:meta|user)-data/g, "catalogue"],
  [/instance-identity/g, "instance-types"],
  [/EC2MetaDataSSRF_/g, "Other_"],
  [/InstanceCredentialExfiltration\.OutsideAWS/g, "Other"],
  [/MetadataDNSRebind/g, "Other"],
];

/** The same lines about another address: there is nothing to find in them. */
export function harmless(content: string): string {
  return HARMLESS.reduce((text, [pattern, other]) => text.replace(pattern, other), content);
}
