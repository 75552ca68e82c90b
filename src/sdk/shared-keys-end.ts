/** When the keys of a profile end, as the tools that write them say it beside them. */
import type { Profile } from "../settings/config-files.js";

/**
 * Names that tools give it: saml2aws and its like, aws-azure-login, aws-mfa, awsume, tokendito and others. No SDK reads
 * them.
 */
const NAMES: readonly string[] = [
  "x_security_token_expires",
  "x_security_token_expiration",
  "aws_expiration",
  "aws_expires",
  "aws_credential_expiration",
  "aws_credentials_expiration",
  "aws_session_expiration",
  "aws_session_token_expiration",
  "aws_session_token_expires",
  "expiration",
  "expires",
  "expires_at",
  "token_expiration",
];

/** With an offset, or in UTC where none is written. */
const TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?\s?(Z|UTC|GMT|[+-]\d{2}:?\d{2})?$/i;

/** The earliest end that the section states, or undefined. What is no time of this century is passed over. */
export function endIn(profile: Profile): Date | undefined {
  let earliest: number | undefined;
  for (const [key, value] of Object.entries(profile)) {
    if (value === undefined || !NAMES.includes(key.toLowerCase())) continue;
    const time = timeIn(value.replace(/^(["'])(.*)\1$/, "$2"));
    if (time !== undefined && (earliest === undefined || time < earliest)) earliest = time;
  }
  return earliest === undefined ? undefined : new Date(earliest);
}

const FIRST = Date.UTC(2000, 0, 1);
const LAST = Date.UTC(2100, 0, 1);

function timeIn(text: string): number | undefined {
  const time = /^\d{10}$/.test(text) ? Number(text) * 1_000 : /^\d{13}$/.test(text) ? Number(text) : written(text);
  return time >= FIRST && time < LAST ? time : undefined;
}

function written(text: string): number {
  const [, day, hour, fraction = "", zone = "Z"] = TIME.exec(text) ?? [];
  if (day === undefined) return Number.NaN;
  const offset = /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(-2)}` : "Z";
  return Date.parse(`${day}T${hour}${fraction.slice(0, 4)}${offset}`);
}
