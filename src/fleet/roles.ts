/** Roles that instances can have, and whether a policy of theirs refuses credentials that version 1 gave out. */
import type { AwsApi } from "./aws-api.js";
import { listIn, textIn } from "./answers.js";
import type { RoleRecord } from "./records.js";

/**
 * Roles with an instance profile. Service control policies, which may say the same for a whole account, are not seen
 * from within it.
 * @throws the SDK's error
 */
export async function readRoles(api: AwsApi, accountId: string): Promise<readonly RoleRecord[]> {
  const roles: { readonly name: string; readonly inline: boolean; readonly attached: readonly string[] }[] = [];
  const managed = new Set<string>();
  const input = { Filter: ["Role", "LocalManagedPolicy"] };
  for await (const page of api.pages("iam", "GetAccountAuthorizationDetails", input)) {
    for (const policy of listIn(page, "Policies")) {
      const arn = textIn(policy, "Arn");
      const version = listIn(policy, "PolicyVersionList").find(
        (each) => textIn(each, "VersionId") === textIn(policy, "DefaultVersionId"),
      );
      if (arn !== undefined && boundToVersionTwo(textIn(version, "Document"))) managed.add(arn);
    }
    for (const role of listIn(page, "RoleDetailList")) {
      const name = textIn(role, "RoleName");
      if (name === undefined || listIn(role, "InstanceProfileList").length === 0) continue;
      roles.push({
        name,
        inline: listIn(role, "RolePolicyList").some((each) => boundToVersionTwo(textIn(each, "PolicyDocument"))),
        attached: listIn(role, "AttachedManagedPolicies").map((each) => textIn(each, "PolicyArn") ?? ""),
      });
    }
  }
  return roles.map(({ name, inline, attached }) => ({
    kind: "role",
    accountId,
    name,
    roleDelivery: inline || attached.some((arn) => managed.has(arn)),
  }));
}

/**
 * Whether a policy refuses what credentials of version 1 ask for: a denial of everything below 2.0, or allowances that
 * all demand 2.0. `document` is JSON, URI-encoded as IAM sends it, or not.
 */
export function boundToVersionTwo(document: string | undefined): boolean {
  const statements = statementsIn(document);
  const denied = statements.some(
    (each) => textIn(each, "Effect") === "Deny" && covers(each) && delivery(each, /^NumericLessThan$/i),
  );
  const allowed = statements.filter((each) => textIn(each, "Effect") === "Allow");
  const demand = /^Numeric(?:GreaterThanEquals|GreaterThan|Equals)$/i;
  return denied || (allowed.length > 0 && allowed.every((each) => delivery(each, demand)));
}

function statementsIn(document: string | undefined): readonly unknown[] {
  if (document === undefined) return [];
  const text = document.trimStart().startsWith("{") ? document : decoded(document);
  try {
    const statement = (JSON.parse(text) as { Statement?: unknown } | null)?.Statement;
    return Array.isArray(statement) ? (statement as readonly unknown[]) : [statement];
  } catch {
    return [];
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function covers(statement: unknown): boolean {
  const { Action: action } = statement as { Action?: unknown };
  return action === "*" || (Array.isArray(action) && action.includes("*"));
}

/** Whether a condition compares ec2:RoleDelivery with 2.0. Operators and keys have no case. */
function delivery(statement: unknown, operator: RegExp): boolean {
  const condition = (statement as { Condition?: unknown } | null)?.Condition;
  if (typeof condition !== "object" || condition === null) return false;
  return Object.entries(condition).some(
    ([name, keys]) =>
      operator.test(name.replace(/IfExists$/i, "")) &&
      typeof keys === "object" &&
      keys !== null &&
      Object.entries(keys as object).some(
        ([key, value]) => key.toLowerCase() === "ec2:roledelivery" && [value].flat().some((each) => Number(each) >= 2),
      ),
  );
}
