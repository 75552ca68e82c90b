/** IAM policies against the use of instance credentials elsewhere and against IMDSv1, with what each of them breaks. */
import { invalidArgument } from "../base/errors.js";
import { parseNetwork } from "../base/addresses.js";
import {
  ORGANIZATION_TITLES,
  POLICY_LIMITS,
  RESOURCE_SERVICES,
  eachLike,
  policyMaker,
  single,
} from "./policy-document.js";
import type { DenyingPolicy, Statement } from "./policy-document.js";

/** Options of {@link instanceCredentialPolicies}. */
export interface PolicyOptions {
  /**
   * VPCs from whose endpoints instance credentials may be used. Default: each instance only from its own VPC, whichever
   * that is.
   */
  readonly vpcIds?: readonly string[] | undefined;
  /** Public networks (NAT gateways, offices) from which they may be used too; needs `vpcIds`. CIDR notation. */
  readonly sourceCidrs?: readonly string[] | undefined;
  /** ARNs of roles and users that the policies leave alone; `*` and `?` are wildcards. */
  readonly exemptPrincipals?: readonly string[] | undefined;
  /** Without `vpcIds`: also bind the credentials to the primary address of their instance. Default `true`. */
  readonly bindAddress?: boolean | undefined;
  /** Service prefixes that the resource control policy covers. Default: those which had such policies first. */
  readonly resourceServices?: readonly string[] | undefined;
  /** Default `aws`. */
  readonly partition?: "aws" | "aws-cn" | "aws-us-gov" | undefined;
}

/** One policy, ready to be pasted. */
export type InstanceCredentialPolicy = DenyingPolicy<
  "service-control-policy" | "resource-control-policy" | "role-policy"
>;

/** Actions of data planes that AWS' data perimeter samples leave out of conditions on the network. */
const WITHOUT_NETWORK_KEYS = [
  "es:ES*",
  "dax:GetItem",
  "dax:BatchGetItem",
  "dax:Query",
  "dax:Scan",
  "dax:PutItem",
  "dax:UpdateItem",
  "dax:DeleteItem",
  "dax:BatchWriteItem",
  "dax:ConditionCheckItem",
  "neptune-db:*",
  "kafka-cluster:*",
  "elasticfilesystem:client*",
  "rds-db:connect",
];

const COMMON = [
  "Composed from the IAM reference and from AWS' data perimeter samples. Try it on one account or one role first, and watch CloudTrail for AccessDenied.",
  "It does not stop a host off EC2 from using credentials of somebody else's account, which is what an impersonator of the metadata service hands out: set expectedAccounts in imds-guard, and aws:PrincipalOrgID or aws:ResourceOrgID in the policies of VPC endpoints.",
];
const OWN_VPC = [
  "Every call then has to go through a VPC endpoint in the VPC of the instance: calls to services without one, to other regions, or through NAT are denied.",
  "Endpoints in another VPC (shared or peered) are denied.",
];
const OWN_ADDRESS =
  "The statement on the address denies calls from secondary network interfaces, from pods with addresses of their own, and from behind NAT; --no-address leaves it out.";
const NAMED_VPCS = "Ids of VPCs are unique within a region only: the same id in another region would be let through.";
const VERSION_1 =
  "NoImdsV1Credentials denies instances that still use IMDSv1; the CloudWatch metric MetadataNoToken and the field ec2RoleDelivery of CloudTrail show which do. It has no effect on other principals.";

/**
 * A service control policy (on the organization, a unit or an account), a resource control policy (likewise, for the
 * resources there) and a role policy (on one instance role) that deny the use of instance credentials outside their
 * network, and of credentials that were delivered by IMDSv1.
 *
 * Sources: IAM User Guide, "AWS global condition context keys"; EC2 condition keys; AWS data perimeter policy examples.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for malformed ids, networks or ARNs, and for so many that a
 * policy
 *   exceeds its limit
 */
export function instanceCredentialPolicies(options: PolicyOptions = {}): readonly InstanceCredentialPolicy[] {
  const { vpcIds, exemptPrincipals = [], bindAddress = true, resourceServices = RESOURCE_SERVICES } = checked(options);
  const statements = networkConditions(options, bindAddress);
  const partition = options.partition ?? "aws";
  // EBS and KMS attach encrypted volumes under this role from networks of AWS.
  const exempt = [`arn:${partition}:iam::*:role/aws:ec2-infrastructure`, ...exemptPrincipals];
  const network = vpcIds === undefined ? [...OWN_VPC, ...(bindAddress ? [OWN_ADDRESS] : [])] : [NAMED_VPCS];
  const deny = (Sid: string, rest: object, conditions: object): Statement => ({
    Sid,
    Effect: "Deny",
    ...rest,
    Condition: conditions,
  });
  const ofInstances = { Null: { "ec2:SourceInstanceArn": "false" } };
  const withExempt = (bool: object): object => ({
    ...ofInstances,
    BoolIfExists: { "aws:ViaAWSService": "false", ...bool },
    ArnNotLikeIfExists: { "aws:PrincipalArn": single(exempt) },
  });
  const versionOne = { NumericLessThan: { "ec2:RoleDelivery": "2.0" } };
  const versionOneUnlessExempt =
    exemptPrincipals.length === 0
      ? versionOne
      : { ...versionOne, ArnNotLikeIfExists: { "aws:PrincipalArn": single(exemptPrincipals) } };
  const policy = policyMaker("vpcIds, sourceCidrs and exemptPrincipals", "use wildcards in the ARNs");
  const actions = resourceServices.map((service) => `${service}:*`);
  return [
    policy(
      "service-control-policy",
      ORGANIZATION_TITLES.service,
      POLICY_LIMITS.organizations,
      [
        ...statements.map(({ sid, condition }) =>
          deny(sid, { NotAction: WITHOUT_NETWORK_KEYS, Resource: "*" }, { ...condition, ...withExempt({}) }),
        ),
        deny("NoImdsV1Credentials", { Action: "*", Resource: "*" }, versionOneUnlessExempt),
      ],
      [...COMMON, "It does not apply to the management account of the organization.", ...network, VERSION_1],
    ),
    policy(
      "resource-control-policy",
      ORGANIZATION_TITLES.resource,
      POLICY_LIMITS.organizations,
      [
        ...statements.map(({ sid, condition }) =>
          deny(
            sid,
            { Principal: "*", Action: actions, Resource: "*" },
            { ...condition, ...withExempt({ "aws:PrincipalIsAWSService": "false" }) },
          ),
        ),
        deny("NoImdsV1Credentials", { Principal: "*", Action: actions, Resource: "*" }, versionOneUnlessExempt),
      ],
      [
        ...COMMON,
        "It covers only services that support resource control policies, here those of its actions, and applies to instances of other accounts that use these resources as well.",
        ...network,
        VERSION_1,
      ],
    ),
    policy(
      "role-policy",
      "Role policy: attach to one instance role",
      POLICY_LIMITS.managed,
      [
        ...statements.map(({ sid, condition }) =>
          deny(
            sid,
            { NotAction: WITHOUT_NETWORK_KEYS, Resource: "*" },
            { ...condition, ...ofInstances, BoolIfExists: { "aws:ViaAWSService": "false" } },
          ),
        ),
        deny("NoImdsV1Credentials", { Action: "*", Resource: "*" }, versionOne),
      ],
      [
        ...COMMON,
        "Whoever may change the role may remove it.",
        "As a managed policy it may be 6,144 characters long; inline policies of a role share 10,240.",
        ...network,
        VERSION_1,
      ],
    ),
  ];
}

function networkConditions(
  { vpcIds, sourceCidrs = [] }: PolicyOptions,
  bindAddress: boolean,
): readonly { readonly sid: string; readonly condition: object }[] {
  if (vpcIds !== undefined) {
    const condition = {
      StringNotEqualsIfExists: { "aws:SourceVpc": single(vpcIds) },
      ...(sourceCidrs.length > 0 && { NotIpAddressIfExists: { "aws:SourceIp": single(sourceCidrs) } }),
    };
    return [{ sid: "Ec2CredsOnlyFromNamedNetworks", condition }];
  }
  // In quotes on purpose: these are variables of IAM, not of this program.
  const own = {
    sid: "Ec2CredsOnlyInTheirVpc",
    condition: { StringNotEquals: { "aws:Ec2InstanceSourceVpc": "${aws:SourceVpc}" } },
  };
  const address = {
    sid: "Ec2CredsOnlyFromTheirIp",
    condition: { StringNotEquals: { "aws:Ec2InstanceSourcePrivateIPv4": "${aws:VpcSourceIp}" } },
  };
  return bindAddress ? [own, address] : [own];
}

function checked(options: PolicyOptions): PolicyOptions {
  const { vpcIds, sourceCidrs = [], exemptPrincipals = [], resourceServices = [], partition = "aws" } = options;
  if (!["aws", "aws-cn", "aws-us-gov"].includes(partition))
    throw invalidArgument("partition", partition, "aws, aws-cn, aws-us-gov");
  if (options.resourceServices?.length === 0)
    throw invalidArgument("resourceServices", "[]", "at least one service, or the option left out");
  if (vpcIds?.length === 0) throw invalidArgument("vpcIds", "[]", "at least one VPC, or the option left out");
  eachLike("vpcIds", vpcIds ?? [], /^vpc-(?:[0-9a-f]{8}|[0-9a-f]{17})$/, "ids such as vpc-0123456789abcdef0");
  eachLike(
    "exemptPrincipals",
    exemptPrincipals,
    /^arn:aws[a-z-]*:iam::(?:\d{12}|\*):(?:role|user)\/[\w+=,.@:*?/-]{1,512}$/,
    "ARNs such as arn:aws:iam::123456789012:role/NAME",
  );
  eachLike("resourceServices", resourceServices, /^[a-z][a-z0-9-]{1,40}$/, "service prefixes such as s3");
  for (const cidr of sourceCidrs) parseNetwork(cidr, "sourceCidrs");
  if (sourceCidrs.length > 0 && vpcIds === undefined)
    throw invalidArgument("sourceCidrs", sourceCidrs[0], "nothing without vpcIds");
  return options;
}
