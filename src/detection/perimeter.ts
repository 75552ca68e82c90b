/** Policies that stop the keys of strangers at one's own VPC endpoints and resources, with what each of them breaks. */
import { checkAccountIds } from "../aws/access-key.js";
import {
  ORGANIZATION_TITLES,
  POLICY_LIMITS,
  RESOURCE_SERVICES,
  eachLike,
  policyMaker,
  single,
} from "./policy-document.js";
import type { DenyingPolicy, Statement } from "./policy-document.js";

/** Options of {@link perimeterPolicies}. */
export interface PerimeterOptions {
  /** Accounts of one's own, 12 digits each; at least one. */
  readonly accounts: readonly string[];
  /** Ids of one's own VPC endpoints. With them, resources refuse what comes through other endpoints. Default: none. */
  readonly vpceIds?: readonly string[] | undefined;
  /** Id of the organization: its principals are let in besides those of the accounts, and its resources are reached. */
  readonly organizationId?: string | undefined;
}

/** One policy of the perimeter. */
export type PerimeterPolicy = DenyingPolicy<
  "vpc-endpoint-policy" | "service-control-policy" | "resource-control-policy"
>;

const RESOURCE_ACTIONS = RESOURCE_SERVICES.map((service) => `${service}:*`);
/** Calls whose resources AWS owns, or that begin a session. */
const WITHOUT_RESOURCE_ACCOUNT = [
  "iam:GetPolicy",
  "iam:GetPolicyVersion",
  "iam:ListEntitiesForPolicy",
  "sts:AssumeRole*",
];
const TRY =
  "Try it on one endpoint, account or unit first, and watch CloudTrail for AccessDenied and VpceAccessDenied.";

/**
 * A VPC endpoint policy (on each endpoint), a service control policy and a resource control policy (on the organization, a
 * unit or an account): only principals and resources of the accounts, or of the organization, meet.
 *
 * Sources: IAM User Guide, "AWS global condition context keys"; AWS data perimeter policy examples.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for malformed ids, and for so many that a policy exceeds its limit
 */
export function perimeterPolicies(options: PerimeterOptions): readonly PerimeterPolicy[] {
  const { accounts, vpceIds = [], organizationId } = checked(options);
  const ours = single(accounts);
  // With the organization, either is enough: a statement for each where it allows, both conditions where it denies.
  const foreignPrincipal = {
    StringNotEqualsIfExists: {
      "aws:PrincipalAccount": ours,
      ...(organizationId !== undefined && { "aws:PrincipalOrgID": organizationId }),
    },
  };
  const allow = (Sid: string, condition: object): Statement => ({
    Sid,
    Effect: "Allow",
    Principal: "*",
    Action: "*",
    Resource: "*",
    Condition: { StringEquals: condition },
  });
  const endpoint = [
    allow("OurAccountsToOurResources", { "aws:PrincipalAccount": ours, "aws:ResourceAccount": ours }),
    ...(organizationId === undefined
      ? []
      : [
          allow("OurOrganizationToItsResources", {
            "aws:PrincipalOrgID": organizationId,
            "aws:ResourceOrgID": organizationId,
          }),
        ]),
  ];
  const service = [
    {
      Sid: "OnlyOurResources",
      Effect: "Deny",
      NotAction: WITHOUT_RESOURCE_ACCOUNT,
      Resource: "*",
      Condition: {
        StringNotEqualsIfExists: {
          "aws:ResourceAccount": ours,
          ...(organizationId !== undefined && { "aws:ResourceOrgID": organizationId }),
        },
        BoolIfExists: { "aws:ViaAWSService": "false" },
      },
    },
  ];
  const resource = [
    {
      Sid: "OnlyOurPrincipals",
      Effect: "Deny",
      Principal: "*",
      Action: RESOURCE_ACTIONS,
      Resource: "*",
      Condition: { ...foreignPrincipal, BoolIfExists: { "aws:PrincipalIsAWSService": "false" } },
    },
    ...(vpceIds.length === 0
      ? []
      : [
          {
            Sid: "OnlyThroughOurEndpoints",
            Effect: "Deny",
            Principal: "*",
            Action: RESOURCE_ACTIONS,
            Resource: "*",
            Condition: {
              Null: { "aws:SourceVpce": "false" },
              StringNotEquals: { "aws:SourceVpce": single(vpceIds) },
              BoolIfExists: { "aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false" },
            },
          },
        ]),
  ];
  const policy = policyMaker("accounts and vpceIds", "an organization instead of its accounts is shorter");
  return [
    policy(
      "vpc-endpoint-policy",
      `VPC endpoint policy: attach to ${vpceIds.length === 0 ? "each of your VPC endpoints" : vpceIds.join(", ")}`,
      POLICY_LIMITS.endpoint,
      endpoint,
      [
        TRY,
        "A request that a stranger's key signs is refused at the endpoint, and CloudTrail network activity events show it as VpceAccessDenied.",
        "Resources of AWS and of others (package repositories, images of EKS, Windows updates in S3) are no longer reached through the endpoint: add statements for those that you need.",
        "A host that reaches AWS around the endpoint, by the internet, is not stopped.",
      ],
    ),
    policy("service-control-policy", ORGANIZATION_TITLES.service, POLICY_LIMITS.organizations, service, [
      TRY,
      "It keeps your own principals from resources of others; a stranger's key is none of your principals, and it does not bind it.",
      "It does not apply to the management account of the organization.",
      "Resources that AWS owns for you (images, public parameters, layers) are resources of others: add their accounts.",
    ]),
    policy("resource-control-policy", ORGANIZATION_TITLES.resource, POLICY_LIMITS.organizations, resource, [
      TRY,
      "It covers only services that support resource control policies, here those of its actions.",
      "Partners who use your buckets, keys or queues are refused: add their accounts.",
      "sts:* covers the assumption of your roles by others, and by identity providers, too.",
    ]),
  ];
}

function checked(options: PerimeterOptions): PerimeterOptions {
  const { accounts, vpceIds = [], organizationId } = options;
  checkAccountIds(accounts);
  eachLike("vpceIds", vpceIds, /^vpce-(?:[0-9a-f]{8}|[0-9a-f]{17})$/, "ids such as vpce-0123456789abcdef0");
  if (organizationId !== undefined)
    eachLike("organizationId", [organizationId], /^o-[a-z0-9]{10,32}$/, "an id such as o-a1b2c3d4e5");
  return options;
}
