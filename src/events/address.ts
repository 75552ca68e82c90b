/** How events show the address of an endpoint. */
import { parseIp } from "../base/addresses.js";
import type { EventEndpoint } from "./catalogue.js";

/** `address:port`, an IPv6 address in brackets. */
export function hostAndPort({ address, port }: EventEndpoint): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** 4 or 6, or 0 for what a field of type ip would reject: a name, or an address with a zone (`fe80::1%eth0`). */
export function ipVersion(address: string): number {
  return parseIp(address)?.family ?? 0;
}
