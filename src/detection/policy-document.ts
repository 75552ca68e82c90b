/** What the policies that deny have in common: the document, what AWS takes of it, and how ids are checked. */
import { invalidArgument } from "../base/errors.js";

/** One statement of a policy. */
export type Statement = Readonly<Record<string, unknown>>;

/** An IAM policy document. */
export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

/** One policy, ready to be pasted. */
export interface DenyingPolicy<Kind extends string> {
  readonly kind: Kind;
  /** What it is and where it is attached, for people. */
  readonly title: string;
  readonly document: PolicyDocument;
  /** The document without white space, as AWS counts it. */
  readonly json: string;
  /** The most bytes that AWS takes. */
  readonly limit: number;
  /** What it breaks, what it does not stop, and what to check before. */
  readonly caveats: readonly string[];
}

/** Bytes that AWS takes: of a policy of AWS Organizations, a managed policy of IAM, and the policy of a VPC endpoint. */
export const POLICY_LIMITS = { organizations: 5_120, managed: 6_144, endpoint: 20_480 } as const;

/** Services that had resource control policies first. */
export const RESOURCE_SERVICES: readonly string[] = ["s3", "sts", "kms", "sqs", "secretsmanager"];

export const ORGANIZATION_TITLES = {
  service: "Service control policy: attach to the organization, a unit or an account",
  resource: "Resource control policy: attach to the organization, a unit or an account that owns the resources",
} as const;

/** Makes a policy of statements. @throws TypeError with code `ERR_INVALID_ARG_VALUE` where it is longer than AWS takes */
type MakePolicy = <Kind extends string>(
  kind: Kind,
  title: string,
  limit: number,
  statements: readonly Statement[],
  caveats: readonly string[],
) => DenyingPolicy<Kind>;

/** What makes policies of one set of options. `advice` says what is shorter than these `options`. */
export function policyMaker(options: string, advice: string): MakePolicy {
  return (kind, title, limit, statements, caveats) => {
    const document: PolicyDocument = { Version: "2012-10-17", Statement: statements };
    const json = JSON.stringify(document);
    if (json.length > limit)
      throw invalidArgument(options, `${json.length} bytes of ${kind}`, `at most ${limit} bytes; ${advice}`);
    return { kind, title, document, json, limit, caveats };
  };
}

/** @throws TypeError with code `ERR_INVALID_ARG_VALUE` for the first value that is not as `allowed` */
export function eachLike(option: string, values: readonly string[], allowed: RegExp, examples: string): void {
  for (const value of values) if (!allowed.test(value)) throw invalidArgument(option, value, examples);
}

/** IAM takes a single value without brackets, which saves bytes. */
export function single(values: readonly string[]): string | readonly string[] {
  return values.length === 1 ? values[0]! : values;
}
