/** Names of regions, in the two forms in which they are taken. */

declare const form: unique symbol;

/** The name of an AWS region as a responder may state it: strict, because nobody chose whom to believe. */
export type RegionName = string & { readonly [form]: "region name" };

/**
 * What a user may configure as a region: any host label, as in the AWS SDK, because it is the user's own word. `auto`,
 * `nyc3`, `local`, `aws-global` and `us-east-1-fips` are such.
 */
export type ConfiguredRegion = string & { readonly [form]: "region name" | "host label" };

const REGION = /^[a-z]{2,}(?:-[a-z]+)+-\d+$/;
const LONGEST_REGION = 32;
/** RFC 1123 section 2.1; the SDK's `isValidHostLabel`. */
const HOST_LABEL = /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)$/;

/** Whether `text` has the form of an AWS region name, such as `us-gov-east-1`; says nothing about its existence. */
export function isRegionName(text: string): text is RegionName {
  return text.length <= LONGEST_REGION && REGION.test(text);
}

/** Whether a client may be configured with `text` as its region: one label of a host name, of which it becomes a part. */
export function isConfiguredRegion(text: string): text is ConfiguredRegion {
  return HOST_LABEL.test(text);
}
