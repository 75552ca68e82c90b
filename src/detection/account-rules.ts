/**
 * Sigma rules for a list of accounts, with the patterns of their keys filled in: signatures of strangers in logs of proxies
 * and applications, names of hosts, and what CloudTrail and GuardDuty tell.
 */
import { createHash } from "node:crypto";
import { checkAccountIds } from "../aws/access-key.js";
import { invalidArgument } from "../base/errors.js";
import { anyOf, partsByKey, partsByNumber } from "./account-parts.js";
import type { Part } from "./account-parts.js";
import type { CorrelationRule, DetectionRule, Level, ShippedRule } from "./sigma-rule.js";

/** What the rules are made for. */
export interface AccountRulesOptions {
  /** Accounts of one's own, each 12 digits; at least one. */
  readonly accounts: readonly string[];
  /** Source identities of Roles Anywhere sessions that are known, such as `CN=host-1`. Default: no rule about them. */
  readonly certificates?: readonly string[] | undefined;
}

const DATE = "2026-11-28";
const BULLETIN = "https://aws.amazon.com/security/security-bulletins/AWS-2025-021/";
const NETWORK_ACTIVITY =
  "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-network-events-with-cloudtrail.html";
const GUARDDUTY = "https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-types-iam.html";
const SIGNED_REQUEST = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html";
const MONITORING_ROLES_ANYWHERE =
  "https://docs.aws.amazon.com/rolesanywhere/latest/userguide/logging-using-cloudtrail.html";
const HYBRID = "https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-setting-up-nodes.html";
const CLOUDTRAIL = { product: "aws", service: "cloudtrail" };
const EXFILTRATION = ["attack.exfiltration", "attack.t1567.002", "attack.credential-access", "attack.t1552.005"];
const FOREIGN = ["Partners and suppliers whose accounts are not in the list", "Hosts of guests and contractors"];

/**
 * The rules, those about other things than single accounts last. Over 256 accounts, a rule that names them is written as
 * several: each judges the keys, or the account numbers, with certain first letters, so that together they judge all.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for no account, what is none, and no text of a certificate
 */
export function accountRules({ accounts, certificates }: AccountRulesOptions): readonly ShippedRule[] {
  checkAccountIds(accounts);
  const unnamed = certificates?.find((name) => !/^[ -~]{1,256}$/.test(name));
  if (unnamed !== undefined) throw invalidArgument("certificates", unnamed, "source identities such as CN=host-1");
  const own = [...new Set(accounts)].sort();
  const byKey = partsByKey(own);
  const byNumber = partsByNumber(own);
  return [
    ...byKey.flatMap((part, index) => [
      signedProxy(part, index),
      presigned(part, index),
      signedApplication(part, index),
    ]),
    ...byNumber.flatMap((part, index) => [dnsName(part, index), sniName(part, index)]),
    ...byNumber.flatMap((part, index) => [foreignSession(part, index), foreignPrincipal(part, index)]),
    ...byKey.map((_, index) => afterMetadata("proxy_foreign_account", "Signature of Foreign Account", "c-ip", index)),
    ...byNumber.map((_, index) =>
      afterMetadata("vpce_foreign_session", "Foreign Instance Session at VPC Endpoint", "sourceIPAddress", index),
    ),
    ...GENERAL,
    ...(certificates === undefined ? [] : [unknownCertificate(certificates)]),
  ];
}

/** The keys that a part judges, and those of them that are our own. */
const keys = (part: Part): string => `(?:AKIA|ASIA)${anyOf(part.prefixes)}`;
const ownKeys = (part: Part): string => `(?:AKIA|ASIA)(?:${part.own.join("|")})`;
const numbers = (part: Part): string => (part.alone ? "[0-9]{12}" : `(?:${part.prefixes.map(rest).join("|")})`);
const rest = (prefix: string): string => `${prefix}[0-9]{${12 - prefix.length}}`;
const ownNumbers = (part: Part): string => `(?:${part.own.join("|")})`;

function named(file: string, { alone }: Part, index: number): { readonly file: string; readonly suffix: string } {
  return { file: alone ? file : `${file}_${index + 1}`, suffix: alone ? "" : ` ${index + 1}` };
}

interface About {
  readonly file: string;
  readonly title: string;
  readonly name?: string;
  readonly description: string;
  readonly references: readonly string[];
  readonly tags?: readonly string[];
  readonly falsepositives?: readonly string[];
  readonly level: Level;
}

function described({ file, title, name, description, references, tags, falsepositives, level }: About) {
  return {
    title,
    id: idOf(file),
    ...(name !== undefined && { name }),
    status: "experimental",
    // As YAML reads a text of more than one line.
    description: description.includes("\n") ? `${description}\n` : description,
    references: [...references],
    author: "imds-guard",
    date: DATE,
    tags: [...(tags ?? EXFILTRATION)],
    falsepositives: [...(falsepositives ?? FOREIGN)],
    level,
  } as const;
}

function rule(about: About, logsource: DetectionRule["logsource"], detection: DetectionRule["detection"]): ShippedRule {
  const { falsepositives, level, ...first } = described(about);
  return { file: about.file, rule: { ...first, logsource, detection, falsepositives, level } };
}

/** The same name has the same id, whatever the list. */
function idOf(file: string): string {
  const hex = createHash("sha256").update(`imds-guard ${file}`).digest("hex");
  const variant = "89ab"[Number.parseInt(hex[16]!, 16) % 4]!;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function signedProxy(part: Part, index: number): ShippedRule {
  const { file, suffix } = named("proxy_aws_foreign_account_signature", part, index);
  // Each by itself: in SQL nothing is said of a field that is absent, and a filter that asks for all would never let one by.
  const searches = Object.entries({
    header: "cs-authorization",
    plain: "authorization",
    headers: "request_headers",
  });
  return rule(
    {
      file,
      title: `Request Signed With AWS Key of Foreign Account Through Proxy${suffix}`,
      name: `proxy_foreign_account_${index + 1}`,
      description:
        "Detects requests whose Authorization header is signed with an AWS access key of an account that is not listed.\nA host whose instance metadata is impersonated signs with keys of the account of whoever impersonates it.",
      references: [BULLETIN, SIGNED_REQUEST],
      level: "high",
    },
    {
      category: "proxy",
      definition: "Requirements: the header Authorization of requests, or the part of it before the signature",
    },
    {
      ...Object.fromEntries(
        searches.flatMap(([of, field]) => [
          [`selection_${of}`, { [`${field}|re`]: `Credential=${keys(part)}` }],
          [`filter_main_${of}`, { [`${field}|re`]: `Credential=${ownKeys(part)}` }],
        ]),
      ),
      condition: searches.map(([of]) => `(selection_${of} and not filter_main_${of})`).join(" or "),
    },
  );
}

function presigned(part: Part, index: number): ShippedRule {
  const { file, suffix } = named("proxy_aws_foreign_account_presigned", part, index);
  const credential = "(?:X-Amz-Credential|x-amz-credential|AWSAccessKeyId)(?:=|%3[Dd])";
  return rule(
    {
      file,
      title: `Upload to Presigned URL of Foreign AWS Account Through Proxy${suffix}`,
      description: "Detects uploads to URLs that were signed with an AWS access key of an account that is not listed.",
      references: [BULLETIN, SIGNED_REQUEST],
      falsepositives: ["Services that take uploads by presigned URLs", ...FOREIGN],
      level: "medium",
    },
    { category: "proxy" },
    {
      selection: { "cs-method": ["PUT", "POST"], "c-uri|re": credential + keys(part) },
      filter_main_own: { "c-uri|re": credential + ownKeys(part) },
      condition: "selection and not filter_main_own",
    },
  );
}

function signedApplication(part: Part, index: number): ShippedRule {
  const { file, suffix } = named("app_aws_foreign_account_signature", part, index);
  return rule(
    {
      file,
      title: `Request Signed With AWS Key of Foreign Account in Application Log${suffix}`,
      description:
        "Detects signatures with an AWS access key of an account that is not listed in what applications and the AWS SDKs log.",
      references: [BULLETIN, SIGNED_REQUEST],
      level: "high",
    },
    { category: "application", definition: "Requirements: the text of the line as message" },
    {
      // Splunk has no search for expressions alone.
      selection: { "message|contains": "Credential=", "message|re": `Credential=${keys(part)}` },
      filter_main_own: { "message|re": `Credential=${ownKeys(part)}` },
      condition: "selection and not filter_main_own",
    },
  );
}

const NAMES = String.raw`\.(?:ddb|dkr\.ecr|dkr-ecr|s3-control|d\.codeartifact|signin)\.`;

function nameRule(
  file: string,
  title: string,
  log: DetectionRule["logsource"],
  field: string,
  part: Part,
): ShippedRule {
  return rule(
    {
      file,
      title,
      description:
        "Detects names of AWS hosts that carry the number of an account that is not listed.\nThe AWS SDKs ask for such names once their credentials tell the account, so that a name tells whose credentials a host has.",
      references: [BULLETIN, "https://docs.aws.amazon.com/sdkref/latest/guide/feature-account-endpoints.html"],
      falsepositives: ["Images and packages of others, such as those that AWS offers for EKS", ...FOREIGN],
      level: "medium",
    },
    log,
    {
      selection: { [`${field}|contains`]: "aws", [`${field}|re`]: `(?:^|-)${numbers(part)}${NAMES}` },
      filter_main_own: { [`${field}|re`]: `(?:^|-)${ownNumbers(part)}${NAMES}` },
      condition: "selection and not filter_main_own",
    },
  );
}

function dnsName(part: Part, index: number): ShippedRule {
  const { file, suffix } = named("net_dns_aws_foreign_account_name", part, index);
  return nameRule(file, `DNS Query for AWS Host Name of Foreign Account${suffix}`, { category: "dns" }, "query", part);
}

function sniName(part: Part, index: number): ShippedRule {
  const { file, suffix } = named("zeek_ssl_aws_foreign_account_name", part, index);
  const log = { product: "zeek", service: "ssl" };
  return nameRule(file, `TLS Connection to AWS Host Name of Foreign Account${suffix}`, log, "server_name", part);
}

function foreignSession(part: Part, index: number): ShippedRule {
  const { file, suffix } = named("aws_cloudtrail_vpce_foreign_instance_session", part, index);
  return rule(
    {
      file,
      title: `Instance Session of Foreign AWS Account at VPC Endpoint${suffix}`,
      name: `vpce_foreign_session_${index + 1}`,
      description:
        "Detects calls through our VPC endpoints with the credentials of an EC2 instance of an account that is not listed.\nFrom a network without such instances it is a host that believed an impersonator of instance metadata.",
      references: [BULLETIN, NETWORK_ACTIVITY],
      level: "high",
    },
    { ...CLOUDTRAIL, definition: "Requirements: network activity events of the VPC endpoints" },
    {
      selection: {
        eventType: "AwsVpceEvent",
        "userIdentity.principalId|re": ":i-[0-9a-f]{8,17}$",
        "userIdentity.accountId|re": `^${numbers(part)}$`,
      },
      filter_main_own: { "userIdentity.accountId": part.own },
      condition: "selection and not filter_main_own",
    },
  );
}

function foreignPrincipal(part: Part, index: number): ShippedRule {
  const { file, suffix } = named("aws_cloudtrail_vpce_foreign_account", part, index);
  return rule(
    {
      file,
      title: `Principal of Foreign AWS Account at VPC Endpoint${suffix}`,
      description: "Detects calls through our VPC endpoints by principals of an account that is not listed.",
      references: [BULLETIN, NETWORK_ACTIVITY],
      level: "medium",
    },
    { ...CLOUDTRAIL, definition: "Requirements: network activity events of the VPC endpoints" },
    {
      selection: { eventType: "AwsVpceEvent", "userIdentity.accountId|re": `^${numbers(part)}$` },
      filter_main_own: { "userIdentity.accountId": part.own },
      condition: "selection and not filter_main_own",
    },
  );
}

/** `firewall_imds_destination` is a shipped rule. */
function afterMetadata(kind: string, title: string, field: string, index: number): ShippedRule {
  const name = `${kind}_${index + 1}`;
  return correlation(
    {
      file: `correlation_imds_then_${name}`,
      title: `${title} After Request to Instance Metadata Address ${index + 1}`,
      description:
        "Detects an address that asked for the EC2 instance metadata service and within the hour used credentials of an account that is not listed: an impersonator was believed.",
      references: [BULLETIN],
      level: "critical",
    },
    {
      type: "temporal_ordered",
      rules: ["firewall_imds_destination", name],
      aliases: { host_ip: { firewall_imds_destination: "src_ip", [name]: field } },
      "group-by": ["host_ip"],
      timespan: "1h",
      condition: { gte: 2 },
    },
  );
}

function correlation(about: About, what: CorrelationRule["correlation"]): ShippedRule {
  const { falsepositives, level, ...first } = described(about);
  return { file: about.file, rule: { ...first, correlation: { ...what, generate: true }, falsepositives, level } };
}

/** How private addresses begin: not every back end compares with several networks, or with those of IPv6. */
const PRIVATE = [
  ...["10.", "192.168.", "fc", "fd"],
  ...Array.from({ length: 16 }, (_, index) => `172.${16 + index}.`),
  ...Array.from({ length: 64 }, (_, index) => `100.${64 + index}.`),
];

/** Rules that name no account. */
const GENERAL: readonly ShippedRule[] = [
  rule(
    {
      file: "aws_cloudtrail_vpce_access_denied",
      title: "Call Denied by Policy of VPC Endpoint",
      name: "vpce_access_denied",
      description:
        "Detects calls that the policy of one of our VPC endpoints denied, as one with aws:PrincipalOrgID does.",
      references: [NETWORK_ACTIVITY],
      falsepositives: ["Policies that are stricter than meant"],
      level: "low",
    },
    { ...CLOUDTRAIL, definition: "Requirements: network activity events of the VPC endpoints" },
    { selection: { eventType: "AwsVpceEvent", errorCode: "VpceAccessDenied" }, condition: "selection" },
  ),
  correlation(
    {
      file: "correlation_vpce_access_denied_by_address",
      title: "Many Calls of One Address Denied by Policy of VPC Endpoint",
      description: "Detects an address with ten calls within an hour that the policy of a VPC endpoint denied.",
      references: [NETWORK_ACTIVITY],
      falsepositives: ["Policies that are stricter than meant"],
      level: "medium",
    },
    {
      type: "event_count",
      rules: ["vpce_access_denied"],
      "group-by": ["sourceIPAddress"],
      timespan: "1h",
      condition: { gte: 10 },
    },
  ),
  rule(
    {
      file: "aws_guardduty_instance_credential_exfiltration",
      title: "Instance Credentials Used Outside Their Instance",
      description:
        "Detects findings of GuardDuty that credentials of an EC2 instance were used outside AWS or by another account.",
      references: [GUARDDUTY],
      tags: ["attack.credential-access", "attack.t1552.005"],
      falsepositives: ["Traffic of instances that reaches AWS through networks of your own"],
      level: "high",
    },
    {
      product: "aws",
      service: "guardduty",
      definition: "Requirements: findings of GuardDuty, with its names of fields",
    },
    {
      selection: { "type|startswith": "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration" },
      condition: "selection",
    },
  ),
  rule(
    {
      file: "aws_cloudtrail_managed_instance_token_outside",
      title: "Role Token of Managed Instance Requested From Outside",
      description:
        "Detects requests for the role token of a managed node from public addresses: whoever has its registration key is its node.\nFilter out the addresses through which your nodes reach AWS.",
      references: [HYBRID],
      tags: ["attack.credential-access", "attack.t1552.005"],
      falsepositives: ["Nodes that reach AWS through a public address, until it is filtered out"],
      level: "medium",
    },
    { ...CLOUDTRAIL, definition: "Requirements: data events of managed nodes" },
    {
      selection: { eventSource: "ssm.amazonaws.com", eventName: "RequestManagedInstanceRoleToken" },
      filter_main_private: { "sourceIPAddress|startswith": PRIVATE },
      condition: "selection and not filter_main_private",
    },
  ),
];

function unknownCertificate(certificates: readonly string[]): ShippedRule {
  return rule(
    {
      file: "aws_cloudtrail_rolesanywhere_unknown_certificate",
      title: "Roles Anywhere Session of Unlisted Certificate",
      description:
        "Detects calls by sessions of IAM Roles Anywhere whose certificate is not listed.\nThe subject of the certificate is the source identity of the session.",
      references: [MONITORING_ROLES_ANYWHERE],
      tags: ["attack.persistence", "attack.t1098"],
      falsepositives: ["Hosts that were added after the list was written"],
      level: "high",
    },
    CLOUDTRAIL,
    {
      selection: { "userIdentity.sessionContext.sourceIdentity|startswith": "CN=" },
      filter_main_listed: { "userIdentity.sessionContext.sourceIdentity": [...certificates] },
      condition: "selection and not filter_main_listed",
    },
  );
}
