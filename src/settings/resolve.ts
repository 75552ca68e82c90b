/** Brings the settings together: options, then environment, then shared config profile, then defaults. */
import { ImdsGuardSettingsError, invalidArgument } from "../base/errors.js";
import { printable } from "../base/text.js";
import type { EventFormat } from "../events/catalogue.js";
import type { System } from "../base/system.js";
import { CERTIFICATE_KEYS, CERTIFICATE_VARIABLES } from "./certificate-names.js";
import type { ConfigFileLocations, Profile, ProfileRead } from "./config-files.js";
import { readProfile } from "./config-files.js";
import type { Endpoint } from "./endpoint.js";
import { ENDPOINT_FORM, parseEndpoint } from "./endpoint.js";
import { nearest } from "./nearest.js";
import type { EndpointOverride, GuardOptions, SettingSource, Settings } from "./options.js";
import { DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT } from "./options.js";
import type { SettingName, SettingSpec } from "./table.js";
import { complaint, parseSetting, ROLE_NAME, SETTINGS } from "./table.js";

/** The settings and where events go. */
export interface Resolved {
  readonly settings: Settings;
  readonly log: NonNullable<GuardOptions["log"]>;
  readonly eventsFile: string | undefined;
  readonly eventFormat: EventFormat;
  readonly telemetry: "opentelemetry" | "off";
  /** Keys of the profile that was read. */
  readonly profile: Profile;
  /**
   * A shared config file or a setting of AWS's own that cannot be used: IMDS is refused, other links of a chain are not
   * affected.
   */
  readonly problem: ImdsGuardSettingsError | undefined;
}

const MAX_PEM_FILE = 64 * 1024;

/** The words that tighten: they win from whichever source they come, and nothing nearer to the code can loosen them. */
const STRICTEST: Partial<Record<SettingName, string>> = {
  mode: "deny",
  attestation: "required",
  onUnknownAccount: "refuse",
  verifyWithSts: "on",
  firewall: "block",
};
const INTERSECTED: readonly SettingName[] = ["expectedAccounts", "expectedRoles", "expectedRegions"];

const OTHER_OPTIONS = ["profile", "onEvent", "logger"];

/**
 * Checks options given in code.
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for an unknown key or a value that is not allowed.
 */
export function checkOptions(options: GuardOptions): void {
  if (!isRecord(options)) throw invalidArgument("guard", options, "an object of options");
  const names = [...SETTINGS.map((setting) => setting.name), ...OTHER_OPTIONS];
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const setting = SETTINGS.find((candidate) => candidate.name === name);
    if (setting) {
      const parsed = parseSetting(setting, value);
      if ("allowed" in parsed) throw invalidArgument(`guard.${name}`, value, parsed.allowed);
    } else if (!names.includes(name)) {
      const near = nearest(name, names);
      throw invalidArgument("guard", name, `${near === undefined ? "" : `did you mean ${near}? `}${names.join(", ")}`);
    }
  }
  if (options.profile !== undefined && typeof options.profile !== "string")
    throw invalidArgument("guard.profile", options.profile, "a profile name");
  if (options.onEvent !== undefined && typeof options.onEvent !== "function")
    throw invalidArgument("guard.onEvent", options.onEvent, "a function");
  if (options.logger !== undefined && !isRecord(options.logger))
    throw invalidArgument("guard.logger", options.logger, "an object with debug, info, warn and error");
}

function isRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Resolves every setting.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` naming setting, value and allowed words; and
 * `ERR_IMDS_GUARD_CONFIG_FILE` when an unusable file mentions settings of this package.
 */
export async function resolveSettings(
  options: GuardOptions,
  system: System,
  locations: ConfigFileLocations = {},
): Promise<Resolved> {
  const read = await readProfile(options.profile || system.env["AWS_PROFILE"] || "default", locations, system);
  if (read.problem && read.mentionsGuard === true) throw read.problem;
  rejectUnknownNames(system, read);
  const aws = awsSettings(system.env, read.profile);

  const sources: Record<string, SettingSource> = {};
  const pick = <T>(setting: SettingName, fallback: T): T => {
    const found = candidates(setting, options, system.env, read.profile);
    if (found.length === 0) return fallback;
    const chosen = choose(setting, found);
    sources[setting] = chosen.source;
    return chosen.value as T;
  };
  const settings: Settings = {
    mode: pick("mode", "ec2-only"),
    attestation: pick("attestation", "auto"),
    expectedAccounts: pick("expectedAccounts", []),
    expectedRoles: pick("expectedRoles", []),
    expectedRegions: pick("expectedRegions", []),
    onUnknownAccount: pick("onUnknownAccount", "refuse"),
    verifyWithSts: pick("verifyWithSts", "off"),
    certificates: readCertificates(pick("certificates", {}), sources["certificates"], system),
    override: ownEndpoint(pick("endpoint", undefined), sources["endpoint"]) ?? aws.override,
    endpointMode: aws.endpointMode,
    disabledBy: disabledBy(system.env, read.profile),
    roleName: pick("ec2InstanceProfileName", aws.roleName),
    configuredRegion:
      system.env["AWS_REGION"] || system.env["AWS_DEFAULT_REGION"] || read.profile["region"] || undefined,
    firewall: pick("firewall", "block"),
    firewallAllow: pick("firewallAllow", []),
    probe: pick("probe", "on"),
    timeout: pick("timeout", DEFAULT_TIMEOUT),
    maxRetries: pick("maxRetries", DEFAULT_MAX_RETRIES),
    sources,
  };
  return {
    settings,
    log: pick("log", "warning"),
    eventsFile: pick("eventsFile", undefined),
    eventFormat: pick("eventFormat", "json"),
    telemetry: pick("telemetry", "off"),
    profile: read.profile,
    problem: read.problem ?? aws.problem,
  };
}

/**
 * One setting out of options, environment and profile.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` for a word that is not allowed
 */
export function pickSetting(name: SettingName, options: GuardOptions, env: System["env"], profile: Profile): unknown {
  const found = candidates(name, options, env, profile);
  return found.length === 0 ? undefined : choose(name, found).value;
}

interface Candidate {
  readonly source: SettingSource;
  /** The name as the user wrote it. */
  readonly written: string;
  readonly value: unknown;
}

function candidates(name: SettingName, options: GuardOptions, env: System["env"], profile: Profile): Candidate[] {
  const setting = SETTINGS.find((candidate) => candidate.name === name) as SettingSpec;
  const found: Candidate[] = [];
  if (options[name] !== undefined) found.push({ source: "option", written: `guard.${name}`, value: options[name] });
  for (const [source, written, text] of [
    ["environment", setting.env, env[setting.env]],
    ["profile", setting.key, profile[setting.key]],
  ] as const) {
    if (text === undefined || text === "") continue;
    const parsed = parseSetting(setting, setting.read(text));
    if ("allowed" in parsed) throw wrong(written, text, parsed.allowed);
    found.push({ source, written, value: parsed.value });
  }
  return found;
}

function choose(name: SettingName, found: readonly Candidate[]): Candidate {
  const first = found[0] as Candidate;
  const strictest = STRICTEST[name];
  if (strictest !== undefined) return found.find((candidate) => candidate.value === strictest) ?? first;
  if (!INTERSECTED.includes(name)) return first;
  const common = found
    .slice(1)
    .reduce((left, { value }) => left.filter((item) => (value as string[]).includes(item)), first.value as string[]);
  if (common.length === 0) {
    const lists = found
      .map((candidate) => `${candidate.written} = ${(candidate.value as string[]).join(",")}`)
      .join("; ");
    throw new ImdsGuardSettingsError(
      "ERR_IMDS_GUARD_SETTING",
      `Nothing is left of ${name}: its sources have no entry in common (${lists})`,
      {
        advice: "Each source of an expected list can only narrow the others. Make them agree on at least one entry.",
      },
    );
  }
  return { ...first, value: common };
}

/** What is written almost like a setting of this package would vanish without a word, and loosen by that. */
function rejectUnknownNames({ env, platform }: System, read: ProfileRead): void {
  // Windows does not tell the case of variables apart.
  const names = Object.keys(env).map((name) => (platform === "win32" ? name.toUpperCase() : name));
  reject(
    names.filter((name) => name.slice(0, 11).toUpperCase() === "IMDS_GUARD_"),
    [...SETTINGS.map((setting) => setting.env), ...CERTIFICATE_VARIABLES],
    "environment variable",
  );
  // "s3.imds_guard_mode" is how the loader names a key in the block of another.
  const keys = Object.keys(read.profile).filter((name) => /(^|\.)imds[_-]?guard/i.test(name));
  reject(keys, [...SETTINGS.map((setting) => setting.key), ...CERTIFICATE_KEYS], `key of profile ${read.name}`);
}

function reject(given: readonly string[], known: readonly string[], what: string): void {
  const unknown = given.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, known);
  throw new ImdsGuardSettingsError(
    "ERR_IMDS_GUARD_SETTING",
    `${printable(unknown)} is no known ${what}${near === undefined ? "" : `; did you mean ${near}?`}`,
    {
      evidence: [{ source: unknown, says: "not a setting of imds-guard" }],
      advice: `Remove or correct it. Known: ${known.join(", ")}.`,
    },
  );
}

function wrong(written: string, text: string, allowed: string, cause?: unknown): ImdsGuardSettingsError {
  return new ImdsGuardSettingsError("ERR_IMDS_GUARD_SETTING", complaint(written, text, allowed), {
    evidence: [{ source: written, says: `not one of: ${allowed}` }],
    advice: `Set ${written} to one of: ${allowed}; or remove it.`,
    cause,
  });
}

/** AWS's settings: environment variable and profile key of each. */
const AWS = {
  endpoint: ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint"],
  mode: ["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode"],
  disabled: ["AWS_EC2_METADATA_DISABLED", "disable_ec2_metadata"],
  roleName: ["AWS_EC2_INSTANCE_PROFILE_NAME", "ec2_instance_profile_name"],
} as const;

function awsSetting(
  which: keyof typeof AWS,
  env: System["env"],
  profile: Profile,
): { written: string; text: string } | undefined {
  const [variable, key] = AWS[which];
  const fromEnv = env[variable];
  if (fromEnv !== undefined && fromEnv !== "") return { written: variable, text: fromEnv };
  const fromProfile = profile[key];
  return fromProfile === undefined || fromProfile === "" ? undefined : { written: key, text: fromProfile };
}

interface AwsSettings {
  readonly override: EndpointOverride | undefined;
  readonly endpointMode: "IPv4" | "IPv6";
  readonly roleName: string | undefined;
  readonly problem?: ImdsGuardSettingsError;
}

/** AWS's settings are no business of the other links of a chain: a wrong one shuts IMDS and leaves them alone. */
function awsSettings(env: System["env"], profile: Profile): AwsSettings {
  try {
    return {
      override: awsEndpoint(env, profile),
      endpointMode: awsEndpointMode(env, profile),
      roleName: awsRoleName(env, profile),
    };
  } catch (error) {
    if (!(error instanceof ImdsGuardSettingsError)) throw error;
    return { override: undefined, endpointMode: "IPv4", roleName: undefined, problem: error };
  }
}

function ownEndpoint(text: string | undefined, source: SettingSource | undefined): EndpointOverride | undefined {
  if (text === undefined) return undefined;
  const setting =
    source === "option" ? "guard.endpoint" : source === "environment" ? "IMDS_GUARD_ENDPOINT" : "imds_guard_endpoint";
  return { endpoint: parseEndpoint(text) as Endpoint, owner: "guard", setting };
}

function awsEndpoint(env: System["env"], profile: Profile): EndpointOverride | undefined {
  const aws = awsSetting("endpoint", env, profile);
  if (!aws) return undefined;
  const endpoint = parseEndpoint(aws.text.trim());
  if ("problem" in endpoint) throw wrong(aws.written, aws.text, `${ENDPOINT_FORM} (${endpoint.problem})`);
  return { endpoint, owner: "aws", setting: aws.written };
}

function awsEndpointMode(env: System["env"], profile: Profile): "IPv4" | "IPv6" {
  const aws = awsSetting("mode", env, profile);
  if (!aws) return "IPv4";
  const mode = aws.text.trim().toLowerCase();
  if (mode !== "ipv4" && mode !== "ipv6") throw wrong(aws.written, aws.text, "IPv4, IPv6");
  return mode === "ipv4" ? "IPv4" : "IPv6";
}

/** Anything but `false` disables, as in the JavaScript SDK: a value nobody understands must not open the door. */
function disabledBy(env: System["env"], profile: Profile): string | undefined {
  const [variable, key] = AWS.disabled;
  // Either source disables: `false` in the environment does not re-open what the profile has shut.
  const shuts = (text: string | undefined) =>
    text !== undefined && text !== "" && text.trim().toLowerCase() !== "false";
  if (shuts(env[variable])) return variable;
  return shuts(profile[key]) ? key : undefined;
}

function awsRoleName(env: System["env"], profile: Profile): string | undefined {
  const aws = awsSetting("roleName", env, profile);
  if (!aws) return undefined;
  const name = aws.text.trim();
  if (!ROLE_NAME.test(name)) throw wrong(aws.written, aws.text, "an instance profile or role name");
  return name;
}

function readCertificates(
  given: Readonly<Record<string, string>>,
  source: SettingSource | undefined,
  system: System,
): ReadonlyMap<string, string> {
  if (source === undefined || source === "option") return new Map(Object.entries(given));
  const written = source === "environment" ? "IMDS_GUARD_CERTIFICATES" : "imds_guard_certificates";
  return new Map(
    Object.entries(given).map(([region, path]) => {
      const read = system.readFile(path, MAX_PEM_FILE);
      if (read.kind !== "content")
        throw wrong(written, path, `readable PEM files of at most 64 KiB (${region}: ${read.kind})`);
      return [region, read.bytes.toString("latin1")];
    }),
  );
}
