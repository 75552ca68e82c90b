/** Makes a plan for sessions of what code, environment and profile say. */
import { fact, RolesAnywhereError } from "../base/errors.js";
import { printable } from "../base/text.js";
import { isRegionName } from "../aws/region.js";
import type { CertificateKind } from "../settings/certificate-names.js";
import { CERTIFICATE_WORDS, keyOf, ownText, variableOf } from "../settings/certificate-names.js";
import { locate } from "../settings/locations.js";
import type { System } from "../base/system.js";
import { readArns, settingsError } from "../roles-anywhere/arns.js";
import type { SessionPlan } from "../roles-anywhere/create-session.js";
import type { CertificateSettings, NamedText } from "../roles-anywhere/certificate-settings.js";
import { FILE_WORDS } from "../roles-anywhere/certificate-settings.js";
import { ownEndpoint, serviceEndpoint } from "../roles-anywhere/endpoint.js";
import type { IotPlan } from "../roles-anywhere/iot.js";
import type { IdentitySources, Source } from "../roles-anywhere/identity.js";

/** What environment or profile say of one kind. */
export function readCertificateSettings(
  kind: CertificateKind,
  keys: Readonly<Record<string, string | undefined>>,
  where: "environment" | "profile",
  system: System,
): CertificateSettings {
  const settings: Record<string, Source | NamedText> = {};
  const { naming, adding } = CERTIFICATE_WORDS[kind];
  for (const word of [...naming, ...adding]) {
    const setting = where === "environment" ? variableOf(kind, word) : keyOf(kind, word);
    const text = ownText(keys, setting)?.trim();
    if (text === undefined) continue;
    settings[word] = FILE_WORDS.includes(word) ? { file: expandHome(text, system), setting } : { text, setting };
  }
  return settings;
}

/** `~/` is the home directory, as for the shared config files. */
function expandHome(path: string, system: System): string {
  return path.startsWith("~/") ? locate("config", system, path) : path;
}

/** A plan for sessions and where the identity is read. */
export interface RolesAnywherePlan {
  readonly plan: SessionPlan;
  readonly sources: IdentitySources;
}

/** What AWS's own settings say that counts here. */
export interface AwsSettings {
  readonly system: System;
  /** Keys of the profile that names the credentials. */
  readonly profile: Readonly<Record<string, string | undefined>>;
}

const ARN_WORDS = ["trust_anchor_arn", "profile_arn", "role_arn"] as const;

/**
 * The plan, or the error that names every setting that is missing.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS`
 */
export function rolesAnywherePlan(settings: CertificateSettings, aws: AwsSettings): RolesAnywherePlan {
  const missing = CERTIFICATE_WORDS["roles-anywhere"].naming.filter(
    (word) => settings[word] === undefined && !(word === "private_key" && settings.sign !== undefined),
  );
  if (missing.length > 0) throw incomplete("IAM Roles Anywhere", "roles-anywhere", missing);
  const [trustAnchor, profile, role] = ARN_WORDS.map((word) => settings[word] as NamedText) as [
    NamedText,
    NamedText,
    NamedText,
  ];
  const arns = { trustAnchorArn: trustAnchor.text, profileArn: profile.text, roleArn: role.text };
  const names = { trustAnchorArn: trustAnchor.setting, profileArn: profile.setting, roleArn: role.setting };
  const anchor = readArns(arns, names).trustAnchor;
  const region = settings.region?.text ?? anchor.region;
  if (!isRegionName(region)) {
    const { setting } = settings.region ?? trustAnchor;
    throw settingsError(`${setting} names the region ${printable(region)}; allowed: a region of AWS`, setting);
  }
  return {
    plan: {
      ...arns,
      names,
      region,
      url: urlFor(settings, region, anchor.partition, aws),
      durationSeconds: durationOf(settings.duration),
      roleSessionName: sessionNameOf(settings.session_name),
      proxy: settings.proxy ?? true,
      ca: authoritiesOf(aws),
    },
    sources: sourcesOf(settings),
  };
}

/** A plan for a role alias of AWS IoT. */
export interface RoleAliasPlan {
  readonly plan: IotPlan;
  readonly sources: IdentitySources;
}

/**
 * The plan, or the error that names every setting that is missing.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS`
 */
export function roleAliasPlan(settings: CertificateSettings, aws: AwsSettings): RoleAliasPlan {
  const missing = CERTIFICATE_WORDS.iot.naming.filter((word) => settings[word] === undefined);
  if (missing.length > 0) throw incomplete("A role alias of AWS IoT", "iot", missing);
  const [endpoint, alias] = [settings.endpoint as NamedText, settings.role_alias as NamedText];
  const thing = settings.thing_name;
  // AWS: IoT API reference, CreateRoleAlias and CreateThing.
  if (!/^[\w=,@-]{1,128}$/.test(alias.text))
    throw settingsError(
      `${alias.setting} is ${printable(alias.text)}; allowed: 1 to 128 letters, digits and _=,@-`,
      alias.setting,
    );
  if (thing !== undefined && !/^[a-zA-Z0-9:_-]{1,128}$/.test(thing.text))
    throw settingsError(
      `${thing.setting} is ${printable(thing.text)}; allowed: 1 to 128 letters, digits and :_-`,
      thing.setting,
    );
  const url = ownEndpoint(endpoint.text.includes("://") ? endpoint.text : `https://${endpoint.text}`, endpoint.setting);
  if (url.protocol !== "https:")
    throw settingsError(
      `${endpoint.setting} is plain HTTP, and the certificate is shown in TLS alone`,
      endpoint.setting,
    );
  return {
    plan: { url, roleAlias: alias.text, thingName: thing?.text, ca: authoritiesOf(aws) },
    sources: sourcesOf(settings),
  };
}

/** Certificate and key of either kind. */
export function sourcesOf(settings: CertificateSettings): IdentitySources {
  return {
    certificate: settings.certificate as Source,
    certificateChain: settings.intermediates,
    privateKey: settings.sign === undefined ? (settings.private_key as Source) : { sign: settings.sign },
    passphrase: settings.passphrase_file,
  };
}

function urlFor(
  { endpoint }: CertificateSettings,
  region: string,
  partition: string,
  { system, profile }: AwsSettings,
): URL {
  if (endpoint !== undefined) return ownEndpoint(endpoint.text, endpoint.setting);
  return serviceEndpoint({
    region,
    partition,
    fips: switchOf("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", system, profile),
    dualStack: switchOf("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", system, profile),
  });
}

function switchOf(variable: string, key: string, { env }: System, profile: AwsSettings["profile"]): boolean {
  const [text, setting] =
    ownText(env, variable) === undefined ? [ownText(profile, key), key] : [ownText(env, variable), variable];
  const word = text?.trim().toLowerCase() ?? "false";
  if (word !== "true" && word !== "false")
    throw settingsError(`${setting} is ${printable(word)}; allowed: true, false`, setting);
  return word === "true";
}

const MAX_BUNDLE = 2 * 1024 * 1024;

/** AWS_CA_BUNDLE stands in the place of the usual authorities, as in the AWS CLI; NODE_EXTRA_CA_CERTS adds to it. */
export function authoritiesOf({ system, profile }: AwsSettings): string | undefined {
  const path = ownText(system.env, "AWS_CA_BUNDLE") ?? ownText(profile, "ca_bundle");
  if (path === undefined) return undefined;
  const read = system.readFile(expandHome(path, system), MAX_BUNDLE);
  if (read.kind !== "content")
    throw settingsError(`AWS_CA_BUNDLE (${printable(path, 200)}) cannot be read: ${read.kind}`, "AWS_CA_BUNDLE");
  const extra = ownText(system.env, "NODE_EXTRA_CA_CERTS");
  const more = extra === undefined ? undefined : system.readFile(extra, MAX_BUNDLE);
  const text = read.bytes.toString("latin1");
  // node:tls takes an empty one for none, and one without a certificate for one that trusts nobody.
  if (!/^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/m.test(text))
    throw settingsError(`AWS_CA_BUNDLE (${printable(path, 200)}) holds no certificate in PEM form`, "AWS_CA_BUNDLE");
  return more?.kind === "content" ? `${text}\n${more.bytes.toString("latin1")}` : text;
}

/** AWS: CreateSession, `durationSeconds`. */
const DEFAULT_DURATION = 3_600;

function durationOf(duration: NamedText | undefined): number {
  if (duration === undefined) return DEFAULT_DURATION;
  const seconds = /^\d{3,5}$/.test(duration.text) ? Number(duration.text) : 0;
  if (seconds < 900 || seconds > 43_200)
    throw settingsError(
      `${duration.setting} is ${printable(duration.text)}; allowed: a whole number from 900 to 43200 (seconds)`,
      duration.setting,
    );
  return seconds;
}

/** AWS: the form of a role session name (STS API reference, AssumeRole). */
function sessionNameOf(name: NamedText | undefined): string | undefined {
  if (name !== undefined && !/^[\w+=,.@-]{2,64}$/.test(name.text))
    throw settingsError(
      `${name.setting} is ${printable(name.text)}; allowed: 2 to 64 letters, digits and _+=,.@-`,
      name.setting,
    );
  return name?.text;
}

/** Some settings of a kind are there and others are not. */
export function incomplete(what: string, kind: CertificateKind, missing: readonly string[]): RolesAnywhereError {
  return new RolesAnywhereError(
    "ERR_ROLES_ANYWHERE_SETTINGS",
    `${what} is named, and not said: ${missing.join(", ")}`,
    {
      evidence: missing.map((word) => fact(keyOf(kind, word), "is not set")),
      advice: `Set in code, in the environment (${missing.map((word) => variableOf(kind, word)).join(", ")}), or in the profile (${missing.map((word) => keyOf(kind, word)).join(", ")}).`,
    },
  );
}
