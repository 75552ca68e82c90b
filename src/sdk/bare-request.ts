/** The SDK's bare HTTP request, for anybody but the instance metadata service. */
import { lookup as systemLookup } from "node:dns";
import type { RequestOptions } from "node:http";
import type { LookupFunction } from "node:net";
import { fact, ImdsRefusedError } from "../base/errors.js";
import { canonicalAddress, serviceOf } from "../firewall/classify.js";

/** What Node reads of a request; own properties, because what it is given inherits nothing of ours. */
const LEFT_OUT: RequestOptions = {
  agent: undefined,
  auth: undefined,
  createConnection: undefined,
  defaultPort: undefined,
  family: undefined,
  headers: undefined,
  hints: undefined,
  host: undefined,
  hostname: undefined,
  insecureHTTPParser: undefined,
  localAddress: undefined,
  localPort: undefined,
  maxHeaderSize: undefined,
  method: undefined,
  path: undefined,
  port: undefined,
  protocol: undefined,
  setHost: undefined,
  signal: undefined,
  socketPath: undefined,
  timeout: undefined,
};

/**
 * The same options for `node:http`, held to what is no instance metadata service: the host in every spelling that a URL
 * parser or a resolver takes for an address, and each address that a lookup gives for a name.
 *
 * @throws ImdsRefusedError `ERR_IMDS_CONNECTION_BLOCKED`
 */
export function refusingImds(options: RequestOptions): {
  readonly options: RequestOptions;
  /** Why the request failed, where it was refused by then. */
  readonly refusal: () => ImdsRefusedError | undefined;
} {
  const own: RequestOptions = { ...LEFT_OUT, ...options };
  const { hostname, host, lookup } = own;
  // As Node chooses.
  const named = hostname || host;
  if (typeof named === "string") {
    const address = canonicalAddress(named.replace(/^\[(.+)\]$/, "$1"));
    if (isImds(address)) throw refused(named, address);
  }
  let refusal: ImdsRefusedError | undefined;
  const refuse = (name: string, address: string): ImdsRefusedError => (refusal = refused(name, address));
  const held = refusingLookup(lookup ?? (systemLookup as unknown as LookupFunction), refuse);
  return { options: { ...own, lookup: held }, refusal: () => refusal };
}

/** What a name leads to is known only by then. */
function refusingLookup(lookup: LookupFunction, refuse: typeof refused): LookupFunction {
  return (name, options, callback) => {
    const done = callback as (error: Error | null, ...found: unknown[]) => void;
    lookup(name, options, ((error: Error | null, found: unknown, family: unknown) => {
      const addresses = Array.isArray(found)
        ? (found as readonly { readonly address?: unknown }[]).map(({ address }) => address)
        : [found];
      const imds = addresses.map(String).find(isImds);
      // Made text of here, as Node would, so that what was looked at is what is dialled.
      if (error === null && imds !== undefined) done(refuse(name, imds));
      else if (Array.isArray(found))
        done(
          error,
          (found as readonly object[]).map((entry, index) => ({ ...entry, address: String(addresses[index]) })),
        );
      else done(error, found === undefined ? found : String(found), family);
    }) as typeof callback);
  };
}

function isImds(address: string): boolean {
  const service = serviceOf(address);
  return service === "imds" || service === "openstack" || service === "reserved";
}

function refused(named: string, address: string): ImdsRefusedError {
  return new ImdsRefusedError("ERR_IMDS_CONNECTION_BLOCKED", `A bare HTTP request to ${named} was refused`, {
    evidence: [fact("httpRequest", "an address of the instance metadata service", address)],
    advice: "Use MetadataService of imds-guard, which decides, pins and proves before it asks.",
  });
}
