/** AWS's partitions: how their regions begin, and how the names of their hosts end. */
import { ownProperty } from "../base/own-properties.js";

/** How the names of a partition's hosts end. */
export interface Suffixes {
  /** DNS suffix of service endpoints. */
  readonly suffix: string;
  /** DNS suffix of dual-stack endpoints, where there are any. */
  readonly dualStack?: string;
}

/** Beginning of region names -> partition. Every other region is one of `aws`. */
const BEGINNINGS = [
  ["cn-", "aws-cn"],
  ["us-gov-", "aws-us-gov"],
  ["eusc-", "aws-eusc"],
  ["us-iso-", "aws-iso"],
  ["us-isob-", "aws-iso-b"],
  ["eu-isoe-", "aws-iso-e"],
  ["us-isof-", "aws-iso-f"],
] as const;

/** The name of a partition. */
export type Partition = "aws" | (typeof BEGINNINGS)[number][1];

/** From the endpoint rules of the AWS SDKs (partitions.json). */
const SUFFIXES: Readonly<Record<Partition, Suffixes>> = {
  "aws-cn": { suffix: "amazonaws.com.cn", dualStack: "api.amazonwebservices.com.cn" },
  "aws-us-gov": { suffix: "amazonaws.com", dualStack: "api.aws" },
  "aws-eusc": { suffix: "amazonaws.eu", dualStack: "api.amazonwebservices.eu" },
  "aws-iso": { suffix: "c2s.ic.gov" },
  "aws-iso-b": { suffix: "sc2s.sgov.gov" },
  "aws-iso-e": { suffix: "cloud.adc-e.uk" },
  "aws-iso-f": { suffix: "csp.hci.ic.gov" },
  aws: { suffix: "amazonaws.com", dualStack: "api.aws" },
};

/** The partition of a region, told by its name. */
export function partitionOfRegion(region: string): Partition {
  return BEGINNINGS.find(([beginning]) => region.startsWith(beginning))?.[1] ?? "aws";
}

/** How hosts of a partition are named; undefined for an unknown partition. */
export function suffixesOfPartition(partition: string): Suffixes | undefined {
  return ownProperty(SUFFIXES as Readonly<Record<string, Suffixes>>, partition);
}
