import { describe, expect, it } from "vitest";
import { hopLimitOf } from "../../src/fleet/hop-limit.js";

describe("a hop limit", () => {
  it.each([
    [1, {}, undefined, "none", undefined],
    [2, {}, undefined, "none", /no tag tells of containers: 1 would do/],
    [64, { Name: "web" }, undefined, "none", /hop limit 64/],
    [2, { "kubernetes.io/cluster/prod": "owned" }, undefined, "containers", /gateway --bridges/],
    [2, { "aws:eks:cluster-name": "prod" }, undefined, "containers", /2 for containers/],
    [2, { "karpenter.sh/nodepool": "default" }, undefined, "containers", /2 for containers/],
    [2, { AmazonECSManaged: "" }, undefined, "containers", /2 for containers/],
    [3, { "aws:ecs:clusterName": "c" }, undefined, "containers", /2 is enough/],
    [1, { "eks:nodegroup-name": "a" }, undefined, "containers", undefined],
    [2, {}, "arn:aws:iam::123456789012:instance-profile/ecsInstanceRole", "containers", /2 for containers/],
    [undefined, {}, undefined, "none", undefined],
  ] as const)("of %s with tags %o and profile %s is of a host for %s", (limit, tags, profile, host, advice) => {
    const found = hopLimitOf(limit, new Map(Object.entries(tags)), profile);
    expect(found.host).toBe(host);
    if (advice === undefined) expect(found.advice).toBeUndefined();
    else expect(found.advice).toMatch(advice);
  });
});
