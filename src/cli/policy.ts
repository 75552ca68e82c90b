/**
 * `imds-guard policy`: IAM policies that make stolen instance credentials and IMDSv1 useless, with what each breaks; and
 * the trust policy that IAM Roles Anywhere needs.
 */
import type { InstanceCredentialPolicy, PolicyOptions } from "../detection/policies.js";
import type { RolesAnywherePolicy, TrustPolicyOptions } from "../roles-anywhere/trust-policy.js";
import type { PerimeterPolicy } from "../detection/perimeter.js";
import { ACCOUNTS_OPTION, accountsOf } from "./account-list.js";
import type { Command, CommandContext, OptionValues } from "./command.js";
import { fromUser, textsOf, UsageError } from "./command.js";
import type { Ui } from "./ui.js";

/** Not among those that are printed without a word: one allows, where they deny, and the other needs accounts. */
const ROLES_ANYWHERE = "roles-anywhere";
const PERIMETER = "perimeter";
const KINDS = { scp: "service-control-policy", rcp: "resource-control-policy", role: "role-policy" } as const;
/** Options that only some of the policies have. */
const FOR_DENYING = ["vpc", "source", "exempt", "service", "no-address", "partition"];
const FOR_ROLES_ANYWHERE = ["trust-anchor", "common-name", "organizational-unit"];
const FOR_PERIMETER = ["accounts", "vpce", "org"];
const PARTITIONS = ["aws", "aws-cn", "aws-us-gov"] as const;

export const command: Command = {
  name: "policy",
  summary: "print IAM policies against use of instance credentials elsewhere",
  usage: "[scp|rcp|role|roles-anywhere|perimeter]",
  words: [...Object.keys(KINDS), ROLES_ANYWHERE, PERIMETER],
  description: [
    "Without a word it prints three, scp, rcp and role, each below its caveats. With one of them, or roles-anywhere, standard output carries the JSON of that policy alone, ready for the AWS CLI, and the caveats go to standard error. The JSON is compact: AWS counts every byte of it but the last newline. Nothing is sent to AWS. Read the caveats: these policies deny.",
    "With roles-anywhere it prints the trust policy of a role for IAM Roles Anywhere, and how trust anchor and profile are made.",
    "With perimeter it prints a policy for VPC endpoints, a service control policy and a resource control policy by which only principals and resources of --accounts, or of --org, meet: a stranger's key is refused at your endpoints. All three are printed, each below its caveats.",
    "With --json: policies (kind, title, document, size, limit, caveats).",
  ],
  options: [
    {
      name: "vpc",
      value: "ID",
      multiple: true,
      summary: "VPC from whose endpoints instance credentials may be used (default: each instance's own)",
    },
    {
      name: "source",
      value: "CIDR",
      multiple: true,
      summary: "public network from which they may be used too; needs --vpc",
    },
    { name: "exempt", value: "ARN", multiple: true, summary: "role or user that is left alone; * and ? are wildcards" },
    { name: "service", value: "NAME", multiple: true, summary: "service that the resource control policy covers" },
    { name: "no-address", summary: "do not bind credentials to the address of their instance" },
    {
      name: "trust-anchor",
      value: "ARN",
      summary: "roles-anywhere: the trust anchor whose certificates may take the role",
    },
    {
      name: "common-name",
      value: "NAME",
      multiple: true,
      summary: "roles-anywhere: common name that the certificate has to have; * and ? are wildcards",
    },
    {
      name: "organizational-unit",
      value: "NAME",
      multiple: true,
      summary: "roles-anywhere: organizational unit that it has to name",
    },
    { ...ACCOUNTS_OPTION, summary: "perimeter: accounts of your own (ids or @FILE)" },
    { name: "vpce", value: "ID", multiple: true, summary: "perimeter: VPC endpoint of your own" },
    { name: "org", value: "ID", summary: "perimeter: your organization, whose accounts are let in" },
    { name: "partition", value: "NAME", words: PARTITIONS, summary: "partition of AWS" },
  ],
  examples: [
    { command: "imds-guard policy", does: "read all of them with their caveats" },
    { command: "imds-guard policy scp --vpc vpc-0123456789abcdef0 > scp.json", does: "a policy for the organisation" },
  ],
  async run(context) {
    const { options, words, json, ui } = context;
    if (words.length > 1) throw new UsageError("policy prints one kind or all of them");
    if (words[0] === PERIMETER) return perimeter(context);
    refuse(options, FOR_PERIMETER, "for policy perimeter");
    if (words[0] === ROLES_ANYWHERE) {
      const { rolesAnywherePolicy } = await import("../roles-anywhere/trust-policy.js");
      const policy = fromUser(() => rolesAnywherePolicy(trustOptionsOf(options)));
      if (json) ui.json({ policies: [asJson(policy)] });
      else printOne(policy, ui);
      return 0;
    }
    refuse(options, FOR_ROLES_ANYWHERE, "for policy roles-anywhere");
    const kind = words[0] === undefined ? undefined : KINDS[words[0] as keyof typeof KINDS];
    const { instanceCredentialPolicies } = await import("../detection/policies.js");
    const policies = fromUser(() => instanceCredentialPolicies(optionsOf(options))).filter(
      (policy) => kind === undefined || policy.kind === kind,
    );
    if (json) ui.json({ policies: policies.map(asJson) });
    else if (kind === undefined) printAll(policies, ui);
    else for (const policy of policies) printOne(policy, ui);
    return 0;
  },
};

async function perimeter({ options, json, ui }: CommandContext): Promise<0> {
  const accounts = accountsOf(options);
  if (accounts === undefined) throw new UsageError("policy perimeter needs --accounts");
  refuse(options, [...FOR_DENYING, ...FOR_ROLES_ANYWHERE], "not for policy perimeter");
  const { perimeterPolicies } = await import("../detection/perimeter.js");
  const policies = fromUser(() =>
    perimeterPolicies({
      accounts,
      vpceIds: textsOf(options, "vpce"),
      organizationId: options["org"] as string | undefined,
    }),
  );
  if (json) ui.json({ policies: policies.map(asJson) });
  else printAll(policies, ui);
  return 0;
}

/** @throws UsageError where one of these options is given */
function refuse(options: OptionValues, names: readonly string[], why: string): void {
  const astray = names.find((name) => options[name] !== undefined);
  if (astray !== undefined) throw new UsageError(`--${astray} is ${why}`);
}

/** The document alone on standard output. */
function printOne({ json, caveats }: { readonly json: string; readonly caveats: readonly string[] }, ui: Ui): void {
  ui.line(json);
  for (const caveat of caveats) ui.note(caveat);
}

function printAll(policies: readonly (InstanceCredentialPolicy | PerimeterPolicy)[], ui: Ui): void {
  for (const [index, { title, caveats, json, limit }] of policies.entries()) {
    if (index > 0) ui.line();
    ui.line(ui.paint(`# ${title}`, "strong"));
    for (const caveat of caveats) ui.table([["#", "-", caveat]]);
    ui.line(`# ${Buffer.byteLength(json)} of ${limit} bytes`);
    ui.line(json);
  }
}

function optionsOf(options: OptionValues): PolicyOptions {
  const option = (name: string): readonly string[] | undefined =>
    textsOf(options, name).length > 0 ? textsOf(options, name) : undefined;
  return {
    vpcIds: option("vpc"),
    sourceCidrs: option("source"),
    exemptPrincipals: option("exempt"),
    resourceServices: option("service"),
    ...(options["no-address"] === true && { bindAddress: false }),
    ...(options["partition"] !== undefined && { partition: options["partition"] as (typeof PARTITIONS)[number] }),
  };
}

function trustOptionsOf(options: OptionValues): TrustPolicyOptions {
  refuse(options, FOR_DENYING, "not for policy roles-anywhere");
  return {
    trustAnchorArn: options["trust-anchor"] as string | undefined,
    commonNames: textsOf(options, "common-name"),
    organizationalUnits: textsOf(options, "organizational-unit"),
  };
}

function asJson({
  kind,
  title,
  document,
  json,
  limit,
  caveats,
}: InstanceCredentialPolicy | RolesAnywherePolicy | PerimeterPolicy): object {
  return { kind, title, document, size: Buffer.byteLength(json), limit, caveats };
}
