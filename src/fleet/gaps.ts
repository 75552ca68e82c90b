/** What could not be seen, and why: a region, an account or a permission. */
import { boundText } from "../base/text.js";
import { numberIn, objectIn, textIn } from "./answers.js";

/** `unsupported`: the endpoint does not know the call, so that there is nothing of the kind to see. */
export type GapReason = "denied" | "throttled" | "unreachable" | "unsupported" | "failed";

/** Something that was asked for and not seen. */
export interface Gap {
  readonly accountId: string;
  /** Absent for what an account has once. */
  readonly region?: string | undefined;
  /** In the words of IAM: `ec2:DescribeInstances`. */
  readonly action: string;
  readonly reason: GapReason;
  /** The code of AWS or of the system. */
  readonly code: string;
  readonly message: string;
}

const DENIED = new Set([
  "AccessDenied",
  "AccessDeniedException",
  "AuthFailure",
  "AuthorizationError",
  "Blocked",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidClientTokenId",
  "InvalidToken",
  "NotAuthorized",
  "OptInRequired",
  "PendingVerification",
  "RegionDisabledException",
  "SignatureDoesNotMatch",
  "UnauthorizedException",
  "UnauthorizedOperation",
  "UnrecognizedClientException",
]);
/** As in the SDK's classification of errors. */
const THROTTLED = new Set([
  "BandwidthLimitExceeded",
  "EC2ThrottledException",
  "LimitExceededException",
  "PriorRequestNotComplete",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "SlowDown",
  "ThrottledException",
  "Throttling",
  "ThrottlingException",
  "TooManyRequestsException",
  "TransactionInProgressException",
]);
const UNSUPPORTED = new Set([
  "InvalidAction",
  "NotImplemented",
  "UnknownOperationException",
  "UnsupportedOperation",
  "UnsupportedOperationException",
]);

/** What an error of the SDK comes to. */
export function reasonOf(error: unknown): GapReason {
  const code = codeOf(error);
  const status = numberIn(objectIn(error, "$metadata"), "httpStatusCode");
  if (DENIED.has(code)) return "denied";
  if (THROTTLED.has(code) || status === 429) return "throttled";
  if (UNSUPPORTED.has(code) || status === 404 || status === 501) return "unsupported";
  if (status === 401 || status === 403) return "denied";
  if (status === undefined) return isOwn(error) ? "failed" : "unreachable";
  // Whatever answered knows the call so little that it has no error of AWS for it.
  return hasCode(error) ? "failed" : "unsupported";
}

/** An error of this room. */
function isOwn(error: unknown): boolean {
  return textIn(error, "code")?.startsWith("ERR_FLEET_") === true;
}

function hasCode(error: unknown): boolean {
  return error instanceof Error && error.name !== "Error" && error.name !== "SyntaxError";
}

/** Calls without which an account or a region was not looked at. */
const ESSENTIAL = new Set(["ec2:DescribeInstances", "ec2:DescribeRegions", "cloudwatch:GetMetricData"]);

/** Whether a region, an account or a permission was missing: what an endpoint does not know cannot be missing. */
export function isMissing({ reason, action }: Gap): boolean {
  return reason !== "unsupported" || ESSENTIAL.has(action);
}

/** The code of AWS (`UnauthorizedOperation`) or of the system (`ENOTFOUND`). */
export function codeOf(error: unknown): string {
  const system = textIn(error, "code");
  const name = error instanceof Error ? error.name : "unknown";
  return name === "Error" || name === "TimeoutError" ? (system ?? textIn(error, "Code") ?? name) : name;
}

/** An error as a gap. */
export function gapOf(error: unknown, accountId: string, region: string | undefined, action: string): Gap {
  const status = numberIn(objectIn(error, "$metadata"), "httpStatusCode");
  const message =
    status !== undefined && !hasCode(error)
      ? "the answer is none of AWS"
      : error instanceof Error
        ? error.message
        : String(error);
  return {
    accountId,
    ...(region !== undefined && { region }),
    action,
    reason: reasonOf(error),
    code: status !== undefined && !hasCode(error) ? `HTTP ${status}` : codeOf(error),
    message: boundText(message, 300),
  };
}

/** A gap as a sentence without its end. */
export function gapText({ accountId, region, action, reason, code, message }: Gap): string {
  const where = region === undefined ? `account ${accountId}` : `account ${accountId}, ${region}`;
  const what = reason === "unsupported" ? "is not known there" : reason === "failed" ? "failed" : reason;
  return `${where}: ${action} ${what} (${code}: ${message})`;
}
