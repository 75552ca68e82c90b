/** Where a program would find credentials by itself, told from environment and shared config without asking anybody. */
import { loadIniFiles } from "../base/load-sdk.js";
import type { System } from "../base/system.js";
import { routeToCertificate, routeToImds } from "../sdk/ini.js";
import { CERTIFICATE_KEYS, kindsInEnvironment } from "../settings/certificate-names.js";
import { readAllProfiles } from "../settings/config-files.js";
import { profileIn } from "../settings/environment.js";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Profiles of the shared config, by name. */
export type Profiles = Readonly<Record<string, Readonly<Record<string, string | undefined>> | undefined>>;

/**
 * The link of the default credential chain that would answer.
 * - `profile-of-instance`: a profile whose source credentials come from IMDS
 * - `certificate`: environment or profile name IAM Roles Anywhere or AWS IoT, which the guard obtains itself
 * - `instance`: nothing else is configured, so IMDS is what is left
 */
export type CredentialOrigin =
  "environment" | "certificate" | "profile" | "profile-of-instance" | "web-identity" | "container" | "instance";

/** Keys of a profile that make it a source of credentials. */
export const CREDENTIAL_KEYS: readonly string[] = [
  "aws_access_key_id",
  "aws_secret_access_key",
  "aws_session_token",
  "aws_account_id",
  "credential_process",
  "credential_source",
  "role_arn",
  "source_profile",
  "external_id",
  "mfa_serial",
  "role_session_name",
  "duration_seconds",
  "web_identity_token_file",
  "sso_session",
  "sso_account_id",
  "sso_role_name",
  "sso_start_url",
  "sso_region",
  "login_session",
  ...CERTIFICATE_KEYS,
];

const DECISIVE: readonly string[] = [
  "aws_access_key_id",
  "credential_process",
  "role_arn",
  "web_identity_token_file",
  "sso_session",
  "sso_account_id",
  "sso_start_url",
  "login_session",
];

/**
 * The profiles of both shared files, read on behalf of `profile`. The SDK's loader reads those that this package does
 * not use, because they hold a mistake that is none to the SDK.
 */
export async function readProfiles(system: System, profile = profileIn(system.env)): Promise<Profiles> {
  const { profiles } = readAllProfiles(profile, {}, system);
  return profiles ?? (await (await loadIniFiles()).parseKnownFiles({}));
}

/**
 * Tells the origin in the order of the chain. `profile` is one that was asked for by name; without it `AWS_PROFILE`
 * counts, and then `default`. As in the JavaScript SDK, a profile that is named comes before keys in the environment.
 */
export function credentialOrigin(env: Environment, profiles: Profiles, profile?: string): CredentialOrigin {
  const named = profile ?? (env["AWS_PROFILE"] || undefined);
  if (named === undefined && env["AWS_ACCESS_KEY_ID"] && env["AWS_SECRET_ACCESS_KEY"]) return "environment";
  const name = named ?? "default";
  if (profile === undefined && kindsInEnvironment(env).length > 0) return "certificate";
  if (routeToCertificate(profiles, name) !== undefined) return "certificate";
  if (routeToImds(profiles, name) !== undefined) return "profile-of-instance";
  const keys = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (keys !== undefined && DECISIVE.some((key) => keys[key])) return "profile";
  if (env["AWS_WEB_IDENTITY_TOKEN_FILE"] && env["AWS_ROLE_ARN"]) return "web-identity";
  if (env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] || env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]) return "container";
  return "instance";
}
