/**
 * The settings that name credentials obtained with a certificate, IAM Roles Anywhere or a role alias of AWS IoT:
 * a word for each, behind `IMDS_GUARD_ROLES_ANYWHERE_`, `imds_guard_roles_anywhere_`, `IMDS_GUARD_IOT_` or
 * `imds_guard_iot_`.
 */
import { ownProperty } from "../base/own-properties.js";
import type { System } from "../base/system.js";

/** Which of the two. */
export type CertificateKind = "roles-anywhere" | "iot";

/** Words of each kind; those in `naming` name it, the others add to it. */
export const CERTIFICATE_WORDS = {
  "roles-anywhere": {
    naming: ["certificate", "private_key", "trust_anchor_arn", "profile_arn", "role_arn"],
    adding: ["intermediates", "passphrase_file", "duration", "session_name", "region", "endpoint"],
  },
  iot: {
    naming: ["endpoint", "role_alias", "certificate", "private_key"],
    adding: ["thing_name", "passphrase_file", "intermediates"],
  },
} as const satisfies Readonly<
  Record<CertificateKind, { readonly naming: readonly string[]; readonly adding: readonly string[] }>
>;

/** How aws_signing_helper lines are treated; `helper` runs them as they are. */
export const HELPER_WORD = { env: "IMDS_GUARD_ROLES_ANYWHERE", key: "imds_guard_roles_anywhere" } as const;
/** What it may be. */
export const HELPER_CHOICES: readonly string[] = ["native", "helper"];

/** The variable of a word. */
export function variableOf(kind: CertificateKind, word: string): string {
  return keyOf(kind, word).toUpperCase();
}

/** The profile key of a word. */
export function keyOf(kind: CertificateKind, word: string): string {
  return `imds_guard_${kind.replace("-", "_")}_${word}`;
}

const KINDS = Object.keys(CERTIFICATE_WORDS) as CertificateKind[];
const wordsOf = (kind: CertificateKind): readonly string[] => [
  ...CERTIFICATE_WORDS[kind].naming,
  ...CERTIFICATE_WORDS[kind].adding,
];

/** Every profile key of this kind of credentials. */
export const CERTIFICATE_KEYS: readonly string[] = [
  HELPER_WORD.key,
  ...KINDS.flatMap((kind) => wordsOf(kind).map((word) => keyOf(kind, word))),
];

/** Every variable of this kind of credentials. */
export const CERTIFICATE_VARIABLES: readonly string[] = CERTIFICATE_KEYS.map((key) => key.toUpperCase());

/** Keys of a profile. */
type Keys = Readonly<Record<string, string | undefined>>;

/** The kinds that these keys name. */
export function kindsInProfile(profile: Keys): CertificateKind[] {
  return KINDS.filter((kind) =>
    CERTIFICATE_WORDS[kind].naming.some((word) => ownText(profile, keyOf(kind, word)) !== undefined),
  );
}

/** The kinds that the environment names. */
export function kindsInEnvironment(env: System["env"]): CertificateKind[] {
  return KINDS.filter((kind) => CERTIFICATE_WORDS[kind].naming.some((word) => ownText(env, variableOf(kind, word))));
}

/**
 * Whether the credentials of a profile come from a line of aws_signing_helper, as the SDK goes through its keys: those
 * that it asks before a process are not there.
 */
export function hasHelperLine(profile: Keys): boolean {
  const line = ownText(profile, "credential_process");
  if (line === undefined || !line.includes("aws_signing_helper")) return false;
  const before = ["role_arn", "web_identity_token_file"].some((key) => ownText(profile, key) !== undefined);
  const keys = ownText(profile, "aws_access_key_id") !== undefined;
  return !before && !(keys && ownText(profile, "aws_secret_access_key") !== undefined);
}

/** Whether a profile names credentials that a certificate gives, with keys of ours or a line of the helper. */
export function namesCertificate(profile: Keys): boolean {
  return kindsInProfile(profile).length > 0 || hasHelperLine(profile);
}

/** An own property that is not empty. */
export function ownText(keys: Keys, name: string): string | undefined {
  const value = ownProperty(keys, name);
  return value === undefined || value.trim() === "" ? undefined : value;
}
