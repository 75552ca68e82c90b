/** Where Roles Anywhere is asked: AWS's host for the region, or an endpoint of the user's own. */
import { isLoopback } from "../base/addresses.js";
import { printable } from "../base/text.js";
import { partitionOfRegion, suffixesOfPartition } from "../aws/partitions.js";
import { settingsError } from "./arns.js";

/** What decides the host. */
export interface EndpointChoice {
  readonly region: string;
  readonly partition: string;
  readonly fips: boolean;
  readonly dualStack: boolean;
}

/**
 * The URL of AWS's service in a region, without a path.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS`
 */
export function serviceEndpoint({ region, partition, fips, dualStack }: EndpointChoice): URL {
  const known = partitionOfRegion(region);
  if (known !== partition)
    throw settingsError(
      `Region ${printable(region)} is of partition ${known}, and the trust anchor of ${printable(partition)}`,
      "trust anchor ARN",
    );
  const suffix = suffixesOfPartition(known)?.[dualStack ? "dualStack" : "suffix"];
  if (suffix === undefined)
    throw settingsError(`Partition ${known} has no dual-stack endpoints`, "AWS_USE_DUALSTACK_ENDPOINT");
  return new URL(`https://rolesanywhere${fips ? "-fips" : ""}.${region}.${suffix}`);
}

/** The form of an endpoint of the user's own. */
export const OWN_ENDPOINT_FORM = "https://HOST[:PORT], or http://127.0.0.1[:PORT], nothing behind it";

/**
 * Reads an endpoint as a user writes it: TLS, or plain HTTP to this machine alone.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS`
 */
export function ownEndpoint(text: string, setting: string): URL {
  const problem = (what: string): Error =>
    settingsError(`${setting} is ${printable(shown(text), 200)}: ${what}; allowed: ${OWN_ENDPOINT_FORM}`, setting);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw problem("it is no URL");
  }
  if (!/^https?:\/\/[\w.[\]:-]{1,260}\/?$/i.test(text)) throw problem("it is not scheme, host and port alone");
  if (url.protocol === "http:" && !isThisMachine(url.hostname)) throw problem("plain HTTP leaves this machine");
  return url;
}

/** User info may hold a password. */
function shown(text: string): string {
  return text.replace(/\/\/[^/]*@/, "//***@");
}

function isThisMachine(hostname: string): boolean {
  const literal = hostname.replace(/^\[(.*)\]$/, "$1");
  return isLoopback(literal) || hostname === "localhost";
}
