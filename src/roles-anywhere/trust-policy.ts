/** What IAM needs for IAM Roles Anywhere: the trust policy of the role, as narrow as what is known of the certificate. */
import { invalidArgument } from "../base/errors.js";
import { parseArn } from "./arns.js";

/** What is known. */
export interface TrustPolicyOptions {
  /** ARN of the trust anchor. Default: a placeholder with account 111122223333. */
  readonly trustAnchorArn?: string | undefined;
  /** Common names of the certificates that may take the role; `*` and `?` are wildcards. */
  readonly commonNames?: readonly string[] | undefined;
  /** Organizational units, one of which the certificate has to name. */
  readonly organizationalUnits?: readonly string[] | undefined;
}

/** The policy, and what to do with it. */
export interface RolesAnywherePolicy {
  readonly kind: "roles-anywhere-trust-policy";
  readonly title: string;
  readonly document: {
    readonly Version: "2012-10-17";
    readonly Statement: readonly Readonly<Record<string, unknown>>[];
  };
  /** The document without white space, as AWS counts it. */
  readonly json: string;
  /** Characters that IAM takes for a trust policy by default. */
  readonly limit: 2_048;
  readonly caveats: readonly string[];
}

const PLACEHOLDER = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/00000000-0000-4000-8000-000000000000";

/**
 * The trust policy of a role for workloads with a certificate.
 * AWS: Roles Anywhere User Guide, "Trust policy" and "Mapping attributes".
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an ARN of something else or a name that IAM cannot hold
 */
export function rolesAnywherePolicy(options: TrustPolicyOptions = {}): RolesAnywherePolicy {
  const { trustAnchorArn = PLACEHOLDER, commonNames = [], organizationalUnits = [] } = options;
  const anchor = parseArn("trustAnchorArn", trustAnchorArn);
  if (anchor === undefined)
    throw invalidArgument(
      "trustAnchorArn",
      trustAnchorArn,
      "arn:PARTITION:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID",
    );
  const names = {
    "aws:PrincipalTag/x509Subject/CN": checked("commonNames", commonNames),
    "aws:PrincipalTag/x509Subject/OU": checked("organizationalUnits", organizationalUnits),
  };
  const named = Object.entries(names).filter(([, values]) => values.length > 0);
  const document = {
    Version: "2012-10-17" as const,
    Statement: [
      {
        Sid: "RolesAnywhere",
        Effect: "Allow",
        Principal: { Service: "rolesanywhere.amazonaws.com" },
        Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        Condition: {
          ArnEquals: { "aws:SourceArn": trustAnchorArn },
          StringEquals: { "aws:SourceAccount": anchor.account },
          ...(named.length > 0 && { StringLike: Object.fromEntries(named) }),
        },
      },
    ],
  };
  return {
    kind: "roles-anywhere-trust-policy",
    title: "Trust policy of a role for IAM Roles Anywhere",
    document,
    json: JSON.stringify(document),
    limit: 2_048,
    caveats: [
      ...(options.trustAnchorArn === undefined
        ? ["The trust anchor is a placeholder: name yours with --trust-anchor."]
        : []),
      ...(named.length === 0
        ? [
            "Without a name every certificate of the trust anchor may take the role: narrow it with --common-name or --organizational-unit.",
          ]
        : []),
      `Use it: aws iam create-role --role-name ROLE --assume-role-policy-document file://trust.json`,
      "The trust anchor holds the certificate of your authority: aws rolesanywhere create-trust-anchor --enabled --name NAME --source sourceType=CERTIFICATE_BUNDLE,sourceData={x509CertificateData=PEM}",
      `The profile lists the roles: aws rolesanywhere create-profile --enabled --name NAME --role-arns arn:${anchor.partition}:iam::${anchor.account}:role/ROLE --duration-seconds 3600`,
      "Least privilege: give the role only what the workload does, and a session policy in the profile (--session-policy) to what all of its roles may do at most. A revoked certificate needs a CRL (aws rolesanywhere import-crl).",
      "No permission of the workload itself is needed for CreateSession: the certificate is its authority.",
    ],
  };
}

/** Values of tags: IAM User Guide, "Tags for AWS Identity and Access Management resources"; and the wildcards. */
function checked(option: string, values: readonly string[]): readonly string[] {
  for (const value of values)
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@*?]{1,256}$/u.test(value) || /^\*+$/.test(value))
      throw invalidArgument(
        option,
        value,
        "a name of 1 to 256 letters, digits, spaces and _.:/=+-@, with * and ? as wildcards, and not * alone",
      );
  return values;
}
