/** Binds a signed identity to this host and to the credentials: a pure comparison of what each source says. */
import { DISTRUST } from "../base/advice.js";
import { IDENTITY_PATH, INFO_PATH, ROLE_LIST_PATH } from "../aws/imds-protocol.js";
import { fact, ImdsImpersonationError } from "../base/errors.js";
import { maskAccessKeyId, printable } from "../base/text.js";
import type { Evidence, ImpersonationCode } from "../base/errors.js";
import { accountOfAccessKey, accountOfPrincipalId } from "../aws/access-key.js";
import type { AccountOfKey, UnknownAccountReason } from "../aws/access-key.js";
import type { IdentityDocument } from "./identity-document.js";

/**
 * What is known so far. Every field may be left out; a missing one leaves its comparison unmade, and the report says
 * so.
 */
export interface BindingInput {
  /** A document that was verified. An unverified one must never be given. */
  readonly document?: IdentityDocument | undefined;
  /** The instance id that the host itself tells (DMI `board_asset_tag`, Nitro only). */
  readonly hostInstanceId?: string | undefined;
  /** Why the host does not tell its instance id, in words. */
  readonly hostInstanceIdMissing?: string | undefined;
  readonly accessKeyId?: string | undefined;
  /** `AccountId` beside the credentials, where the responder states it. A claim, never a proof. */
  readonly accountIdField?: string | undefined;
  /** `InstanceProfileArn` of `iam/info`. A claim. */
  readonly instanceProfileArn?: string | undefined;
  /** `InstanceProfileId` (`AIPA...`) of `iam/info`. A claim. */
  readonly instanceProfileId?: string | undefined;
  /** The role whose credentials these are, as the responder names it. */
  readonly roleName?: string | undefined;
  /** The role that was asked for by name (`AWS_EC2_INSTANCE_PROFILE_NAME`). */
  readonly requestedRole?: string | undefined;
  /** Accounts that may be used. Left out or empty: any. */
  readonly expectedAccounts?: readonly string[] | undefined;
  /** Role names that may be used. Left out or empty: any. */
  readonly expectedRoles?: readonly string[] | undefined;
  /** Regions the document may name. Left out or empty: any. */
  readonly expectedRegions?: readonly string[] | undefined;
  /** What comes of an access key that does not tell its account while accounts are expected. Default `refuse`. */
  readonly onUnknownAccount?: "refuse" | "allow" | undefined;
}

/** What one comparison is about. */
export type BindingSubject =
  /** Document and host name the same instance. */
  | "instance"
  /** Document and access key name the same account. */
  | "account"
  /** The responder's own `AccountId` agrees. */
  | "account-field"
  | "instance-profile-arn"
  | "instance-profile-id"
  | "requested-role"
  | "expected-account"
  | "expected-role"
  | "expected-region";

/** A comparison that could not be made. */
export interface Unbound {
  readonly what: BindingSubject;
  /** In words, for a person. */
  readonly why: string;
}

/** What the comparisons came to. */
export interface BindingReport {
  /**
   * `bound`: the signed document is that of this host, and the access key is of the document's account.
   * `signed`: a signed document contradicts nothing, but `instance` or `account` is among `unbound`.
   * `none`: there is no signed document, or a comparison failed.
   */
  readonly level: "bound" | "signed" | "none";
  /** The comparisons that agreed. */
  readonly bound: readonly BindingSubject[];
  /** The comparisons that could not be made. Those nobody asked for (no expected roles, say) are not listed. */
  readonly unbound: readonly Unbound[];
  /** The first comparison that failed, in the order of {@link BindingSubject}. */
  readonly failure?: ImdsImpersonationError;
}

type Finding = "bound" | { readonly why: string } | ImdsImpersonationError | undefined;

const CHECKS: readonly (readonly [BindingSubject, (input: BindingInput) => Finding])[] = [
  ["instance", checkInstance],
  ["account", checkKeyAccount],
  ["account-field", checkAccountField],
  ["instance-profile-arn", checkInstanceProfileArn],
  ["instance-profile-id", checkInstanceProfileId],
  ["requested-role", checkRequestedRole],
  ["expected-account", checkExpectedAccount],
  ["expected-role", checkExpectedRole],
  ["expected-region", checkExpectedRegion],
];

/** Compares everything that is known. Never throws: a contradiction is the report's `failure`. */
export function bindIdentity(input: BindingInput): BindingReport {
  const bound: BindingSubject[] = [];
  const unbound: Unbound[] = [];
  let failure: ImdsImpersonationError | undefined;
  for (const [what, check] of CHECKS) {
    const finding = check(input);
    if (finding === undefined) continue;
    if (finding === "bound") bound.push(what);
    else if (finding instanceof ImdsImpersonationError) failure ??= finding;
    else unbound.push({ what, why: finding.why });
  }
  if (failure !== undefined) return { level: "none", bound, unbound, failure };
  if (input.document === undefined) return { level: "none", bound, unbound };
  return { level: bound.includes("instance") && bound.includes("account") ? "bound" : "signed", bound, unbound };
}

function checkInstance({ document, hostInstanceId, hostInstanceIdMissing }: BindingInput): Finding {
  if (document === undefined) return { why: NO_DOCUMENT };
  if (hostInstanceId === undefined) return { why: hostInstanceIdMissing ?? "this host does not tell its instance id" };
  if (document.instanceId === hostInstanceId) return "bound";
  return failed(
    "ERR_IMDS_INSTANCE_MISMATCH",
    `The identity document is of instance ${document.instanceId}, but this host is ${shown(hostInstanceId)}`,
    [
      signedFact(document.instanceId, "the signed document is of this instance"),
      fact("host", "this host is this instance", shown(hostInstanceId)),
    ],
    `Somebody replays the genuine document of another instance. ${DISTRUST}`,
  );
}

function checkKeyAccount({ document, accessKeyId, expectedAccounts = [] }: BindingInput): Finding {
  if (document === undefined) return { why: NO_DOCUMENT };
  if (accessKeyId === undefined) return { why: "no access key was compared" };
  const key = accountOfAccessKey(accessKeyId);
  if (key.kind === "unknown") return { why: WHY_UNKNOWN[key.reason] };
  // Agents that assume roles for pods answer in place of IMDS with keys of other accounts.
  const foreign = document.accountId !== key.accountId;
  if (foreign && [document.accountId, key.accountId].every((account) => expectedAccounts.includes(account)))
    return { why: `the access key is of account ${key.accountId}, another expected one` };
  return agree(document.accountId, key.accountId, "the identity document", "the access key", [
    signedAccount(document),
    keyFact(accessKeyId, key),
  ]);
}

function checkAccountField(input: BindingInput): Finding {
  const claimed = input.accountIdField;
  if (claimed === undefined) return undefined;
  const claim = fact("AccountId", "claimed beside the credentials", shown(claimed));
  const { accessKeyId = "" } = input;
  const key = accountOfAccessKey(accessKeyId);
  if (key.kind === "unknown")
    return checkClaim(input, { kind: "known", accountId: claimed }, "the AccountId field", claim);
  return agree(key.accountId, claimed, "the access key", "the AccountId field", [keyFact(accessKeyId, key), claim]);
}

function checkInstanceProfileArn(input: BindingInput): Finding {
  const arn = input.instanceProfileArn;
  if (arn === undefined) return undefined;
  const accountId = /^arn:aws(?:-[a-z]+)*:iam::(\d{12}):instance-profile\/[\x21-\x7e]+$/.exec(arn)?.[1];
  if (accountId === undefined) return { why: "InstanceProfileArn is not the ARN of an instance profile" };
  const claimed = fact(`GET ${INFO_PATH}`, "claimed instance profile", arn.slice(0, arn.indexOf("/")));
  return checkClaim(input, { kind: "known", accountId }, "the instance profile ARN", claimed);
}

function checkInstanceProfileId(input: BindingInput): Finding {
  const id = input.instanceProfileId;
  if (id === undefined) return undefined;
  const claimed = fact(`GET ${INFO_PATH}`, "claimed instance profile id", printable(id, 32));
  return checkClaim(input, accountOfPrincipalId(id), "the instance profile id", claimed);
}

/** A claim of the responder is held against the signed account, or, without one, against that of the access key. */
function checkClaim(
  { document, accessKeyId }: BindingInput,
  claim: AccountOfKey,
  name: string,
  evidence: Evidence,
): Finding {
  if (claim.kind === "unknown") return { why: WHY_UNKNOWN[claim.reason] };
  if (document !== undefined)
    return agree(document.accountId, claim.accountId, "the identity document", name, [
      signedAccount(document),
      evidence,
    ]);
  const key = accountOfAccessKey(accessKeyId ?? "");
  if (accessKeyId === undefined || key.kind === "unknown") return { why: NO_ACCOUNT };
  return agree(key.accountId, claim.accountId, "the access key", name, [keyFact(accessKeyId, key), evidence]);
}

function checkRequestedRole({ roleName, requestedRole }: BindingInput): Finding {
  if (requestedRole === undefined) return undefined;
  if (roleName === undefined) return { why: "no role was named" };
  if (roleName === requestedRole) return "bound";
  return failed(
    "ERR_IMDS_ROLE_MISMATCH",
    `Credentials of role ${printable(requestedRole)} were asked for, but those of ${printable(roleName)} were offered`,
    [roleFact(roleName)],
    "Correct the name of the role in the settings, or find out who answers at the metadata address.",
  );
}

function checkExpectedAccount(input: BindingInput): Finding {
  const { document, accessKeyId, expectedAccounts = [], onUnknownAccount = "refuse" } = input;
  if (expectedAccounts.length === 0) return undefined;
  const key = accessKeyId === undefined ? undefined : accountOfAccessKey(accessKeyId);
  const known: (readonly [string, Evidence])[] = [];
  if (accessKeyId !== undefined && key?.kind === "known") known.push([key.accountId, keyFact(accessKeyId, key)]);
  if (document !== undefined) known.push([document.accountId, signedAccount(document)]);
  const foreign = known.filter(([accountId]) => !expectedAccounts.includes(accountId));
  if (foreign[0] !== undefined)
    return unexpected(
      "ERR_IMDS_ACCOUNT_UNEXPECTED",
      ["The credentials are", "account", foreign[0][0]],
      expectedAccounts,
      foreign.map(([, evidence]) => evidence),
    );
  if (accessKeyId !== undefined && key?.kind === "unknown") {
    // The account of the instance is not yet that of the credentials, so a signed document does not stand in for the
    // key.
    return onUnknownAccount === "refuse" ? unknownAccount(accessKeyId, key.reason) : { why: WHY_UNKNOWN[key.reason] };
  }
  return known.length > 0 ? "bound" : { why: NO_ACCOUNT };
}

function checkExpectedRole({ roleName, expectedRoles = [] }: BindingInput): Finding {
  if (expectedRoles.length === 0) return undefined;
  if (roleName === undefined) return { why: "no role was named" };
  if (expectedRoles.includes(roleName)) return "bound";
  const found = ["The credentials are", "role", printable(roleName)] as const;
  return unexpected("ERR_IMDS_ROLE_UNEXPECTED", found, expectedRoles, [roleFact(roleName)]);
}

function checkExpectedRegion({ document, expectedRegions = [] }: BindingInput): Finding {
  if (expectedRegions.length === 0) return undefined;
  if (document === undefined) return { why: NO_DOCUMENT };
  if (expectedRegions.includes(document.region)) return "bound";
  const found = ["The identity document is", "region", document.region] as const;
  const evidence = [signedFact(document.region, "the signed document is of this region")];
  return unexpected("ERR_IMDS_REGION_UNEXPECTED", found, expectedRegions, evidence);
}

const NO_DOCUMENT = "there is no signed identity document";
const NO_ACCOUNT = "neither a signed document nor an access key tells an account";

const WHY_UNKNOWN: Readonly<Record<UnknownAccountReason, string>> = {
  documentation: "the id is one of the documentation's, of no account",
  "old-format": "the id has the format from before 2019, which does not tell its account",
  "not-decodable": "the id has the form of one that tells its account, but stands for none",
  "not-an-access-key": "the id is not that of an access key",
  "not-a-principal-id": "the id is not that of a role, user or instance profile",
};

function agree(
  left: string,
  right: string,
  leftName: string,
  rightName: string,
  evidence: readonly Evidence[],
): Finding {
  if (left === right) return "bound";
  return failed(
    "ERR_IMDS_ACCOUNT_MISMATCH",
    `Account ${shown(left)} of ${leftName} is not account ${shown(right)} of ${rightName}`,
    evidence,
    `The credentials were not issued to this instance. ${DISTRUST}`,
  );
}

function unexpected(
  code: ImpersonationCode,
  [subject, property, value]: readonly [subject: string, property: string, value: string],
  expected: readonly string[],
  evidence: readonly Evidence[],
): ImdsImpersonationError {
  return failed(
    code,
    `${subject} of ${property} ${value}, which is not among the expected ${property}s (${listed(expected)})`,
    evidence,
    `If this ${property} is meant, add it to the expected ${property}s. If not: ${DISTRUST}`,
  );
}

function unknownAccount(accessKeyId: string, reason: UnknownAccountReason): ImdsImpersonationError {
  return failed(
    "ERR_IMDS_ACCOUNT_UNKNOWN",
    `Accounts are expected, but the access key does not tell its account: ${WHY_UNKNOWN[reason]}`,
    [fact("AccessKeyId", reason, maskAccessKeyId(accessKeyId))],
    "Replace the access key by a new one, or allow unknown accounts in the settings.",
  );
}

function failed(
  code: ImpersonationCode,
  message: string,
  evidence: readonly Evidence[],
  advice: string,
): ImdsImpersonationError {
  return new ImdsImpersonationError(code, message, { evidence, advice });
}

function signedAccount(document: IdentityDocument): Evidence {
  return signedFact(document.accountId, "the signed document is of this account");
}

function signedFact(value: string, says: string): Evidence {
  return fact(`GET ${IDENTITY_PATH}`, says, value);
}

function keyFact(accessKeyId: string, key: { readonly accountId: string }): Evidence {
  return fact("AccessKeyId", `the access key is of account ${key.accountId}`, maskAccessKeyId(accessKeyId));
}

function roleFact(roleName: string): Evidence {
  return fact(`GET ${ROLE_LIST_PATH}`, "the role offered", printable(roleName));
}

/** Plain ids as they are, anything else quoted and escaped. */
function shown(id: string): string {
  return /^[\w-]{1,40}$/.test(id) ? id : printable(id);
}

function listed(values: readonly string[]): string {
  const more = values.length - 5;
  return `${values.slice(0, 5).map(shown).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
