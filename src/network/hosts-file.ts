/** Names that the administrator of this host gave to addresses: the hosts file, which comes before DNS. */
import { parseIp } from "../base/addresses.js";
import { inSystem32 } from "../base/system.js";
import type { System } from "../base/system.js";

/** Larger files are not read. */
const MAX_HOSTS_FILE = 256 * 1024;
/** Addresses of one name that are kept. */
const MAX_ADDRESSES = 16;

/** The addresses of a name, IPv4 first; none where the file has none, or cannot be read. */
export function addressesInHostsFile(name: string, { readFile, platform, env }: System): readonly string[] {
  const read = readFile(hostsFile(platform, env["SystemRoot"]), MAX_HOSTS_FILE);
  return read.kind === "content" ? parseHosts(read.bytes.toString("latin1"), name) : [];
}

/** `address name [alias]... # comment`, one address a line (hosts(5)). Upper and lower case are the same. */
export function parseHosts(text: string, name: string): readonly string[] {
  const wanted = name.toLowerCase().replace(/\.$/, "");
  const found = new Set<string>();
  for (const line of text.split(/\r\n|\n|\r/)) {
    const [address = "", ...names] = line.replace(/#.*$/, "").trim().split(/\s+/);
    if (names.length === 0 || parseIp(address) === undefined) continue;
    if (names.some((each) => each.toLowerCase().replace(/\.$/, "") === wanted)) found.add(address);
    if (found.size >= MAX_ADDRESSES) break;
  }
  return [...found].sort((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
}

function hostsFile(platform: System["platform"], systemRoot: string | undefined): string {
  return platform === "win32" ? inSystem32(systemRoot, "drivers\\etc\\hosts") : "/etc/hosts";
}
