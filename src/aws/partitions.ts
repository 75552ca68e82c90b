/** AWS's partitions: how their regions begin, and how the names of their hosts end. */

/** What sets a partition apart. */
export interface Partition {
  readonly name: string;
  /** How its region names begin; the empty beginning of `aws` fits every other. */
  readonly regions: string;
  /** DNS suffix of service endpoints. */
  readonly suffix: string;
  /** DNS suffix of dual-stack endpoints, where there are any. */
  readonly dualStack?: string;
}

/** From the endpoint rules of the AWS SDKs (partitions.json). */
const PARTITIONS: readonly Partition[] = [
  { name: "aws-cn", regions: "cn-", suffix: "amazonaws.com.cn", dualStack: "api.amazonwebservices.com.cn" },
  { name: "aws-us-gov", regions: "us-gov-", suffix: "amazonaws.com", dualStack: "api.aws" },
  { name: "aws-eusc", regions: "eusc-", suffix: "amazonaws.eu", dualStack: "api.amazonwebservices.eu" },
  { name: "aws-iso", regions: "us-iso-", suffix: "c2s.ic.gov" },
  { name: "aws-iso-b", regions: "us-isob-", suffix: "sc2s.sgov.gov" },
  { name: "aws-iso-e", regions: "eu-isoe-", suffix: "cloud.adc-e.uk" },
  { name: "aws-iso-f", regions: "us-isof-", suffix: "csp.hci.ic.gov" },
  { name: "aws", regions: "", suffix: "amazonaws.com", dualStack: "api.aws" },
];

/** The partition of a region, told by its name. */
export function partitionOfRegion(region: string): Partition {
  return PARTITIONS.find(({ regions }) => region.startsWith(regions)) as Partition;
}

/** The suffix of a partition's service endpoints, such as `amazonaws.com`; undefined for an unknown partition. */
export function suffixOfPartition(partition: string): string | undefined {
  return PARTITIONS.find(({ name }) => name === partition)?.suffix;
}
