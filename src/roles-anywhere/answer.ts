/** Reads what CreateSession and the credential provider of AWS IoT answer, strictly, and holds it against the request. */
import { accountOfAccessKey } from "../aws/access-key.js";
import { isUtcTime } from "../base/utc-time.js";
import { fact, RolesAnywhereError } from "../base/errors.js";
import { maskAccessKeyId, printable } from "../base/text.js";
import type { Arn } from "./arns.js";
import { roleNameOf } from "./arns.js";

/** Temporary credentials of a role. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
  /** Account of the role, where it is known. */
  readonly accountId?: string;
}

/** Farthest end that is believed: a session lasts 12 hours at most, and clocks differ. */
const MAX_LIFETIME_MS = 24 * 60 * 60 * 1000;

/**
 * The one credential set of a 201.
 * AWS: Roles Anywhere User Guide, "The IAM Roles Anywhere CreateSession API".
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_MALFORMED`, `ERR_ROLES_ANYWHERE_ACCOUNT`, `ERR_ROLES_ANYWHERE_ROLE`
 */
export function parseSession(body: Buffer, role: Arn, roleArn: string, now: number): SessionCredentials {
  const sets = objectOf(body, CREATE_SESSION)["credentialSet"];
  if (!Array.isArray(sets) || sets.length !== 1) throw malformed(CREATE_SESSION, "not exactly one credential set");
  const set = record(sets[0], CREATE_SESSION, "credentialSet");
  const credentials = credentialsOf(record(set["credentials"], CREATE_SESSION, "credentials"), CREATE_SESSION, now);
  if (set["roleArn"] !== undefined && set["roleArn"] !== roleArn) throw otherRole(set["roleArn"], roleArn);
  const user = record(set["assumedRoleUser"], CREATE_SESSION, "assumedRoleUser");
  const arn = text(user, "arn", /^[\x21-\x7e]{1,2048}$/, CREATE_SESSION);
  const [, partition, account, name] = /^arn:([a-z-]+):sts::(\d{12}):assumed-role\/([^/]+)\/[^/]+$/.exec(arn) ?? [];
  if (partition === undefined) throw malformed(CREATE_SESSION, "an assumedRoleUser that is no role session");
  if (account !== role.account) throw otherAccount(account, role.account, credentials.accessKeyId);
  if (partition !== role.partition || name !== roleNameOf(role)) throw otherRole(arn, roleArn);
  return { ...ofAccount(credentials, role.account), accountId: role.account };
}

/**
 * The credentials of a role alias.
 * AWS: IoT Core Developer Guide, "Authorizing direct calls to AWS services using AWS IoT Core credential provider".
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_MALFORMED`
 */
export function parseIotCredentials(body: Buffer, now: number): SessionCredentials {
  const fields = record(objectOf(body, IOT)["credentials"], IOT, "credentials");
  const credentials = credentialsOf(fields, IOT, now);
  const key = accountOfAccessKey(credentials.accessKeyId);
  return key.kind === "known" ? { ...credentials, accountId: key.accountId } : credentials;
}

const CREATE_SESSION = "POST /sessions";
const IOT = "GET /role-aliases/";

function credentialsOf(
  fields: Readonly<Record<string, unknown>>,
  source: string,
  now: number,
): Omit<SessionCredentials, "accountId"> {
  const accessKeyId = text(fields, "accessKeyId", /^ASIA[A-Z0-9]{12,124}$/, source);
  const secretAccessKey = text(fields, "secretAccessKey", /^[\x21-\x7e]{1,256}$/, source);
  const sessionToken = text(fields, "sessionToken", /^[\x21-\x7e]{1,16384}$/, source);
  const written = text(fields, "expiration", /^[\x21-\x7e]{1,40}$/, source);
  if (!isUtcTime(written)) throw malformed(source, "an expiration that is no time in UTC");
  const expiration = new Date(written);
  if (expiration.getTime() > now + MAX_LIFETIME_MS) throw malformed(source, "an expiration more than 24 hours ahead");
  if (expiration.getTime() <= now) throw malformed(source, `an expiration that is over (${written})`);
  return { accessKeyId, secretAccessKey, sessionToken, expiration };
}

/** The peer is AWS by TLS, so that what differs here is a mistake somewhere and nobody's forgery. */
function ofAccount<C extends { readonly accessKeyId: string }>(credentials: C, account: string): C {
  const key = accountOfAccessKey(credentials.accessKeyId);
  if (key.kind === "known" && key.accountId !== account)
    throw otherAccount(key.accountId, account, credentials.accessKeyId);
  return credentials;
}

function otherAccount(account: string | undefined, wanted: string, accessKeyId: string): RolesAnywhereError {
  return new RolesAnywhereError(
    "ERR_ROLES_ANYWHERE_ACCOUNT",
    `The session is of account ${account}, and the role of ${wanted}`,
    {
      evidence: [fact(CREATE_SESSION, `is of account ${account}`, maskAccessKeyId(accessKeyId))],
      advice: "Find out who answers at the endpoint that is configured, and whose trust anchor it is.",
    },
  );
}

function otherRole(said: unknown, wanted: string): RolesAnywhereError {
  const value = typeof said === "string" ? printable(said, 200) : typeof said;
  return new RolesAnywhereError(
    "ERR_ROLES_ANYWHERE_ROLE",
    `The session is of another role than ${printable(wanted, 200)}`,
    {
      evidence: [fact(CREATE_SESSION, "is not the role that was asked for", value)],
      advice: "Find out who answers at the endpoint that is configured.",
    },
  );
}

/** A JSON object in UTF-8, without a prototype. */
function objectOf(body: Buffer, source: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    throw malformed(source, "not JSON in UTF-8");
  }
  return record(value, source, "the answer");
}

function record(value: unknown, source: string, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(source, `${name} is no object`);
  return Object.assign(Object.create(null), value) as Record<string, unknown>;
}

/** The value itself is never shown: it may be a secret. */
function text(fields: Readonly<Record<string, unknown>>, name: string, form: RegExp, source: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw malformed(source, `${name} is ${value === undefined ? "missing" : "no string"}`);
  if (!form.test(value)) throw malformed(source, `${name} has another form than AWS gives`);
  return value;
}

/** An answer that AWS does not give. */
export function malformed(source: string, says: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError(
    "ERR_ROLES_ANYWHERE_MALFORMED",
    `The answer to ${source} is not one that AWS gives: ${says}`,
    {
      evidence: [fact(source, says)],
      advice: "Find out who answers at that endpoint: a proxy, a portal or a stand-in does not speak for AWS.",
      cause,
    },
  );
}

/** What an error of AWS's REST-JSON services says of itself. */
export interface ServiceError {
  /** `AccessDeniedException` and its like; empty where nothing names it. */
  readonly type: string;
  /** For people; never compared. */
  readonly message: string;
}

/** Reads type and message of an error, from header and body, whatever the body is. */
export function parseServiceError(header: string | string[] | undefined, body: Buffer): ServiceError {
  let fields: Readonly<Record<string, unknown>> = {};
  try {
    fields = objectOf(body, CREATE_SESSION);
  } catch {
    // A proxy's page: the status says enough.
  }
  const named = [header, fields["__type"], fields["code"]].find((value) => typeof value === "string" && value !== "");
  // "AccessDeniedException:http://internal.amazon.com/coral/..." and "com.amazonaws...#AccessDeniedException".
  const type = /^(?:[\w.]{1,200}#)?(\w{1,64})(?::|$)/.exec((named as string | undefined) ?? "")?.[1] ?? "";
  const message = [fields["message"], fields["Message"]].find((value) => typeof value === "string") as
    string | undefined;
  return { type, message: message ?? "" };
}
