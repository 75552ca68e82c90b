/** What the errors of AWS mean for whoever has to mend them. */
import { fact, RolesAnywhereError } from "../base/errors.js";
import { printable } from "../base/text.js";
import type { ServiceError } from "./answer.js";

/** Types and statuses that may pass. */
const PASSING: readonly string[] = [
  "ThrottlingException",
  "TooManyRequestsException",
  "ServiceUnavailableException",
  "InternalServerException",
];

/** Whether the same request may be answered in a moment. */
export function isPassing(status: number, { type }: ServiceError): boolean {
  return status === 429 || status >= 500 || PASSING.includes(type);
}

/** Less than this is nobody's mistake. AWS lets five minutes pass. */
export const CLOCK_TOLERANCE_MS = 60_000;

/** "2 minutes 5 seconds behind", or undefined where it is right. */
export function clockInWords(aheadMs: number): string | undefined {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  if (seconds * 1000 < CLOCK_TOLERANCE_MS) return undefined;
  const parts = [
    [Math.floor(seconds / 86_400), "days"],
    [Math.floor(seconds / 3600) % 24, "hours"],
    [Math.floor(seconds / 60) % 60, "minutes"],
    [seconds % 60, "seconds"],
  ] as const;
  const words = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return `${words.slice(0, 2).join(" ")} ${aheadMs > 0 ? "ahead" : "behind"}`;
}

/**
 * The advice for each answer (aws/rolesanywhere-credential-helper issues 19, 108, 128). AWS gives one type for many
 * causes and tells them apart by a message alone, which is for people: all that may be meant is named, the likeliest
 * first.
 */
function adviceFor(status: number, { type }: ServiceError, clock: string | undefined): string {
  if (clock !== undefined) return `The clock of this host is ${clock}: set it right, and keep it so with NTP.`;
  switch (type) {
    case "AccessDeniedException":
      return (
        '"Invalid signature": certificate and key do not belong together, or the clock is wrong. ' +
        '"Untrusted" or "Insufficient certificate": intermediates are missing from the file, it is another trust anchor, or the certificate is revoked. ' +
        '"Not authorized to set roleSessionName": the Roles Anywhere profile does not accept names. ' +
        '"Unable to assume role": the trust policy of the role has to let rolesanywhere.amazonaws.com do sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity, under conditions that this certificate meets.'
      );
    case "ResourceNotFoundException":
      return "There is no such trust anchor or profile in this region, or it is disabled: compare the ARNs.";
    case "ValidationException":
      return "Compare the ARNs, and the duration with what profile and role allow (900 to 43200 seconds).";
    default:
      return status === 407
        ? "The proxy wants other credentials."
        : "Compare trust anchor, profile, role and region with the Roles Anywhere console.";
  }
}

/** AWS refused. */
export function refused(
  source: string,
  status: number,
  error: ServiceError,
  aheadMs: number | undefined,
  advice?: string,
): RolesAnywhereError {
  const clock = aheadMs === undefined ? undefined : clockInWords(aheadMs);
  const said = error.message.length === 0 ? undefined : printable(error.message, 200);
  const type = error.type === "" ? "" : ` ${error.type}`;
  return new RolesAnywhereError(
    "ERR_ROLES_ANYWHERE_REFUSED",
    `AWS refused ${source} (HTTP ${status}${type})${said === undefined ? "" : `: ${said}`}`,
    {
      evidence: [
        fact(source, said === undefined ? "refused" : `says ${said}`, `${status}${type}`),
        ...(clock === undefined ? [] : [fact("Date of the answer", `the clock of this host is ${clock}`)]),
      ],
      advice: clock === undefined ? (advice ?? adviceFor(status, error, clock)) : adviceFor(status, error, clock),
    },
  );
}

/** Nobody there, no answer in time, or one that may pass. */
export function unreachable(source: string, why: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError("ERR_ROLES_ANYWHERE_UNREACHABLE", `No answer to ${source}: ${why}`, {
    evidence: [fact(source, why)],
    advice:
      "It may pass. If it does not: this host needs HTTPS to that endpoint (HTTPS_PROXY, AWS_CA_BUNDLE and a VPC endpoint count).",
    cause,
  });
}
