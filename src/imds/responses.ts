/** Reads what IMDS answers, strictly: nothing is passed on that a genuine service would not say. */
import { NOT_GENUINE } from "../base/advice.js";
import { MAX_TTL_SECONDS, ROLE_LIST_PATH, TOKEN_PATH } from "../aws/imds-protocol.js";
import { fact, ImdsUnavailableError, ImdsUntrustedError } from "../base/errors.js";
import { ownProperties } from "../base/own-properties.js";
import { printable, textOf } from "../base/text.js";

/** Credentials of an instance role as IMDS gave them. */
export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
  /** Only where IMDS itself stated it. */
  readonly accountId: string | undefined;
}

/** Largest bodies, in bytes. Genuine ones are 56, about 30, and about 1,300. */
export const MAX_TOKEN = 1_024;
export const MAX_ROLE_LIST = 4_096;
export const MAX_CREDENTIALS = 64 * 1_024;
/** Farthest `Expiration` that is believed: role sessions last 12 hours at most, and clocks differ. */
export const MAX_LIFETIME_MS = 24 * 60 * 60 * 1000;

/** What was asked (`source`) was answered as no genuine service does. */
export function malformed(source: string, says: string, value?: string): ImdsUntrustedError {
  const message = `The answer to ${source} is not one that IMDS gives: ${says}`;
  return new ImdsUntrustedError("ERR_IMDS_MALFORMED", message, {
    evidence: [fact(source, says, value)],
    advice: NOT_GENUINE,
  });
}

export function tooLarge(source: string, says: string): ImdsUntrustedError {
  const message = `The answer to ${source} is larger than IMDS ever sends`;
  return new ImdsUntrustedError("ERR_IMDS_TOO_LARGE", message, { evidence: [fact(source, says)], advice: NOT_GENUINE });
}

/** A session token of IMDSv2: opaque, URL-safe or standard base64, 56 characters today. Never shown. */
export function parseToken(body: Buffer): string {
  const token = body.toString("latin1");
  if (!/^[A-Za-z0-9_=+/-]{1,256}$/.test(token))
    throw malformed(`PUT ${TOKEN_PATH}`, "a token of other characters or length than IMDS gives");
  return token;
}

/** Seconds that a token lives, from the answer's header. Absent: what was asked for. */
export function parseTokenTtl(header: string | string[] | undefined, asked: number): number {
  if (header === undefined) return asked;
  const text = String(header);
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > MAX_TTL_SECONDS) {
    // Only a number is shown: a token that stands in the wrong header must not be found in a log.
    throw malformed(
      `PUT ${TOKEN_PATH}`,
      `a token lifetime outside 1 to ${MAX_TTL_SECONDS} seconds`,
      /^-?\d+$/.test(text) ? printable(text, 12) : undefined,
    );
  }
  return Math.min(Number(text), asked);
}

/** The name of the one role of an instance: IAM API `[\w+=,.@-]+`, at most 64 characters, never a path step. */
export function parseRoleName(body: Buffer): string {
  const source = `GET ${ROLE_LIST_PATH}`;
  const name = body.toString("latin1").replace(/\r?\n$/, "");
  if (!/^[A-Za-z0-9_+=,.@-]{1,64}$/.test(name) || name === "." || name === "..") {
    // Not shown: whoever answers credentials or an echo of the token here must not find them in a log.
    throw malformed(source, `not the name of one IAM role, but ${body.length} bytes of something else`);
  }
  return name;
}

/** ISO 8601 in UTC to the second or finer, as IMDS writes it. */
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/;

/**
 * Credentials out of the JSON of `/latest/meta-data/iam/security-credentials/<role>`.
 * Errors come with HTTP 200 and a `Code` other than `Success` (EC2 user guide, "Troubleshoot IAM roles for EC2").
 *
 * They may be past their end: IMDS gives such ones while it cannot renew. Of an emulator (`madeUp`) key and dates may be
 * anything, one that is not ahead, or far ahead, becomes an hour, and `Code` may be missing, which the SDK does not read.
 *
 * @throws ImdsUnavailableError `ERR_IMDS_CREDENTIALS_UNAVAILABLE` for such a `Code`
 * @throws ImdsUntrustedError `ERR_IMDS_MALFORMED`
 */
export function parseCredentials(body: Buffer, now: number, madeUp = false): RoleCredentials {
  const source = "role credentials";
  const fields = parseObject(body, source);
  if (fields["Code"] !== "Success" && !(madeUp && fields["Code"] === undefined)) throw unsuccessful(fields, source);
  if (fields["Type"] !== undefined && fields["Type"] !== "AWS-HMAC")
    throw malformed(source, "a Type other than AWS-HMAC");

  const accessKeyId = text(fields, "AccessKeyId", madeUp ? /^[\x21-\x7e]{1,128}$/ : /^[A-Z0-9]{16,128}$/, source);
  const secretAccessKey = text(fields, "SecretAccessKey", /^[\x21-\x7e]{1,256}$/, source);
  const sessionToken = text(fields, "Token", /^[\x21-\x7e]{1,16384}$/, source);
  const accountId = fields["AccountId"] === undefined ? undefined : text(fields, "AccountId", /^\d{12}$/, source);
  if (madeUp) {
    const stated = Date.parse(typeof fields["Expiration"] === "string" ? fields["Expiration"] : "");
    const kept = stated > now && stated <= now + MAX_LIFETIME_MS ? stated : now + MADE_UP_LIFETIME_MS;
    return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(kept), accountId };
  }
  const expiration = new Date(text(fields, "Expiration", TIMESTAMP, source));
  const time = expiration.getTime();
  if (!Number.isFinite(time)) throw malformed(source, "an Expiration that is no date");
  if (time > now + MAX_LIFETIME_MS) throw malformed(source, "an Expiration more than 24 hours ahead");
  return { accessKeyId, secretAccessKey, sessionToken, expiration, accountId };
}

const MADE_UP_LIFETIME_MS = 60 * 60_000;

/** A JSON object in UTF-8, with no prototype, so that `__proto__` is a key like any other. */
export function parseObject(body: Buffer, source: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(textOf(body, "kept"));
  } catch {
    throw malformed(source, "not JSON in UTF-8");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(source, "not a JSON object");
  return ownProperties(value as Record<string, unknown>);
}

function text(fields: Readonly<Record<string, unknown>>, name: string, form: RegExp, source: string): string {
  const value = fields[name];
  // The value itself is never shown: it may be a secret.
  if (typeof value !== "string") throw malformed(source, `${name} is ${value === undefined ? "missing" : "no string"}`);
  if (!form.test(value)) throw malformed(source, `${name} has another form than IMDS gives`);
  return value;
}

function unsuccessful(
  fields: Readonly<Record<string, unknown>>,
  source: string,
): ImdsUnavailableError | ImdsUntrustedError {
  const code = fields["Code"];
  if (typeof code !== "string" || !/^[A-Za-z0-9.]{1,64}$/.test(code))
    return malformed(source, "no Code that IMDS knows");
  return new ImdsUnavailableError(
    "ERR_IMDS_CREDENTIALS_UNAVAILABLE",
    `IMDS has no credentials for the role of this instance (${code})`,
    {
      evidence: [fact(source, "the service states that it could not obtain credentials", code)],
      advice: "Check that the role exists and that its trust policy lets ec2.amazonaws.com assume it.",
    },
  );
}

/** A clock that differs by less, in milliseconds, explains nothing. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;

/**
 * The error for credentials that were given past their end. `responderTime`, what the `Date` header of the responder
 * said when it was `now`, only words the advice: anybody can write that header.
 */
export function expiredCredentials(
  expiration: Date,
  now: number,
  responderTime: number | undefined,
): ImdsUnavailableError {
  const difference = responderTime === undefined ? 0 : responderTime - now;
  const minutes = Math.round(Math.abs(difference) / 60_000);
  return new ImdsUnavailableError(
    "ERR_IMDS_CREDENTIALS_EXPIRED",
    `IMDS gave credentials that expired at ${expiration.toISOString()}`,
    {
      evidence: [fact("role credentials", "expired when received", expiration.toISOString())],
      advice:
        Math.abs(difference) > CLOCK_TOLERANCE_MS
          ? `The clock of this host is ${minutes} minutes ${difference > 0 ? "behind" : "ahead of"} that of the responder: if it is wrong, correct it. Otherwise IMDS cannot renew at this moment.`
          : "IMDS cannot renew at this moment, or the clock of this host is wrong.",
    },
  );
}
