/** The bridges of this host: where containers and virtual machines come from. */
import { existsSync } from "node:fs";
import { networkInterfaces } from "node:os";

/** A bridge and its own addresses. */
export interface Bridge {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** Link-local addresses of IPv6 are left out: what is led to a bridge arrives at one that clients can name. */
export function bridgesOf(sys = "/sys", interfaces = networkInterfaces()): readonly Bridge[] {
  return Object.entries(interfaces).flatMap(([name, addresses = []]) => {
    if (!existsSync(`${sys}/class/net/${name}/bridge`)) return [];
    const own = addresses.filter(({ address }) => !address.startsWith("fe80:")).map(({ address }) => address);
    return own.length > 0 ? [{ name, addresses: own }] : [];
  });
}
