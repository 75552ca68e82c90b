/** The permissions that looking and changing need, as policies of IAM. */
import type { PolicyDocument } from "../detection/policy-document.js";

/** Actions of an audit. EC2, Auto Scaling, CloudWatch and IAM know no resources for them. */
export const READ_ACTIONS = [
  "autoscaling:DescribeAutoScalingGroups",
  "autoscaling:DescribeLaunchConfigurations",
  "cloudwatch:GetMetricData",
  "ec2:DescribeImages",
  "ec2:DescribeInstances",
  "ec2:DescribeLaunchTemplateVersions",
  "ec2:DescribeLaunchTemplates",
  "ec2:DescribeRegions",
  "ec2:GetInstanceMetadataDefaults",
  "iam:GetAccountAuthorizationDetails",
] as const;

/** The policies that `fleet permissions` prints. */
export interface FleetPolicies {
  /** For `fleet audit` and `fleet plan`. */
  readonly audit: PolicyDocument;
  /** For `fleet apply` and `fleet undo`, beside the other. */
  readonly apply: PolicyDocument;
  /** For whoever takes the role in other accounts; absent without one. */
  readonly caller?: PolicyDocument | undefined;
}

/** @param partition `aws`, `aws-cn`, ... */
export function fleetPolicies(
  partition: string,
  role: string | undefined,
  accountIds: readonly string[],
): FleetPolicies {
  const resources = (accountIds.length === 0 ? ["*"] : accountIds).map(
    (accountId) => `arn:${partition}:iam::${accountId}:role/${role ?? ""}`,
  );
  return {
    audit: document([{ Sid: "FleetAudit", Effect: "Allow", Action: READ_ACTIONS, Resource: "*" }]),
    apply: document([
      {
        Sid: "FleetInstances",
        Effect: "Allow",
        Action: "ec2:ModifyInstanceMetadataOptions",
        Resource: `arn:${partition}:ec2:*:*:instance/*`,
      },
      {
        Sid: "FleetTemplates",
        Effect: "Allow",
        Action: ["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"],
        Resource: `arn:${partition}:ec2:*:*:launch-template/*`,
      },
      { Sid: "FleetDefaults", Effect: "Allow", Action: "ec2:ModifyInstanceMetadataDefaults", Resource: "*" },
    ]),
    ...(role !== undefined && {
      caller: document([{ Sid: "FleetRole", Effect: "Allow", Action: "sts:AssumeRole", Resource: resources }]),
    }),
  };
}

function document(statements: PolicyDocument["Statement"]): PolicyDocument {
  return { Version: "2012-10-17", Statement: statements };
}
