/**
 * Whether an instance needs its hop limit: an answer to a container behind a bridge takes one hop more. What runs on an
 * instance is told by the tags that EKS, ECS and their relatives set, and by the name of its instance profile.
 */

/**
 * `containers`: tags or the instance profile say that it is a node of a cluster, where 2 may be needed. `none`: nothing
 * says so.
 */
export type ContainerHost = "containers" | "none";

/** What is to be said of a hop limit. */
export interface HopLimit {
  readonly host: ContainerHost;
  /** Lower-case and without a full stop; absent where nothing is to be said. */
  readonly advice?: string | undefined;
}

/** Keys of tags, as far as they are the same for every cluster. */
const CLUSTER_TAGS = [
  /^kubernetes\.io\/cluster\//,
  /^k8s\.io\//,
  /^(?:aws:)?eks:(?:cluster-name|nodegroup-name|eks-cluster-name)$/,
  /^karpenter\.(?:sh|k8s\.aws)\//,
  /^KubernetesCluster$/,
  /^kops\.k8s\.io\//,
  /^sigs\.k8s\.io\/cluster-api-provider-aws\//,
  /^red-hat-clustertype$/,
  /^aws:ecs:cluster(?:Name)?$/i,
  /^AmazonECSManaged$/,
  /^ecs:cluster/i,
  /^aws:batch:compute-environment$/,
  /^nomad[-_]/i,
];
/** Names of the instance profiles that AWS' own consoles and guides give to nodes. */
const CLUSTER_PROFILE = /ecsInstanceRole|eks-[^/]*node|NodeInstanceRole|KarpenterNode/i;

/** What the tags and the instance profile of an instance say about its hop limit. */
export function hopLimitOf(
  limit: number | undefined,
  tags: ReadonlyMap<string, string>,
  profile: string | undefined,
): HopLimit {
  const isNode =
    [...tags.keys()].some((key) => CLUSTER_TAGS.some((pattern) => pattern.test(key))) ||
    (profile !== undefined && CLUSTER_PROFILE.test(profile));
  if (!isNode)
    return limit !== undefined && limit > 1
      ? { host: "none", advice: `hop limit ${limit}, and no tag tells of containers: 1 would do` }
      : { host: "none" };
  if (limit === undefined || limit < 2) return { host: "containers" };
  return {
    host: "containers",
    advice:
      limit > 2
        ? `hop limit ${limit}: 2 is enough for containers`
        : "hop limit 2 for containers; with imds-guard gateway --bridges they are answered by rules, and 1 would do",
  };
}
