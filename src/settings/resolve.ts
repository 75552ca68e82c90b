/** Brings the settings of one profile together, out of all sources. */
import type { ImdsGuardSettingsError } from "../base/errors.js";
import { fact, settingError } from "../base/errors.js";
import { printable } from "../base/text.js";
import { ownProperties } from "../base/own-properties.js";
import type { System } from "../base/system.js";
import type { EventFormat } from "../events/catalogue.js";
import type { EventCode } from "../events/weights.js";
import { readAwsSettings } from "./aws-settings.js";
import { CERTIFICATE_KEYS, CERTIFICATE_VARIABLES } from "./certificate-names.js";
import type { Sources } from "./choose.js";
import { choose, wrongSetting } from "./choose.js";
import type { ConfigFileLocations, Profile, ProfileRead } from "./config-files.js";
import { readProfile } from "./config-files.js";
import type { Endpoint } from "./endpoint.js";
import { parseEndpoint } from "./endpoint.js";
import type { Environment } from "./environment.js";
import { environmentOf, profileIn } from "./environment.js";
import { readMachineFile } from "./machine-file.js";
import { nearest } from "./nearest.js";
import type { EndpointOverride, GuardOptions, SettingSource, Settings } from "./options.js";
import { DEFAULT_MAX_RETRIES, DEFAULT_SILENCE_MS, DEFAULT_TIMEOUT } from "./options.js";
import type { SettingName } from "./table.js";
import { SETTINGS } from "./table.js";

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
  /** What somebody should know about the settings, though they hold. */
  readonly warnings: readonly SettingsWarning[];
}

/** What is to be reported of settings. */
export interface SettingsWarning {
  readonly code: Extract<EventCode, "settings.profile_missing" | "settings.file_passed_over">;
  readonly message: string;
  readonly evidence: ImdsGuardSettingsError["evidence"];
  readonly advice: string;
}

const MAX_PEM_FILE = 64 * 1024;

/** Every source of settings for one profile, read. */
export interface SourcesRead extends Sources {
  readonly read: ProfileRead;
  /** Whether an option or a variable names the profile. */
  readonly named: boolean;
}

/**
 * Reads every source.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` for a name that is none of this package's;
 * `ERR_IMDS_GUARD_CONFIG_FILE` where settings of this package are lost with a file, or may be
 */
export function readSources(options: GuardOptions, system: System, locations: ConfigFileLocations = {}): SourcesRead {
  const own = ownProperties(options);
  const env = environmentOf(system);
  const name = own.profile || profileIn(env);
  const machine = readMachineFile(system);
  const read = readProfile(name, ownProperties(locations), { ...system, env });
  if (read.problem && read.refusesAll) throw read.problem;
  rejectUnknownNames(env, read);
  return { options: own, env, files: read.own, machine, read, named: Boolean(own.profile || env["AWS_PROFILE"]) };
}

/**
 * Resolves every setting of the profile `options.profile`, else `AWS_PROFILE`, else `default`.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` naming setting, value and allowed words; and
 * `ERR_IMDS_GUARD_CONFIG_FILE` when an unusable file mentions settings of this package, or is endless
 */
// eslint-disable-next-line @typescript-eslint/require-await -- its errors are rejections, to every caller
export async function resolveSettings(
  options: GuardOptions,
  system: System,
  locations: ConfigFileLocations = {},
): Promise<Resolved> {
  const stated = readSources(options, system, locations);
  const { env, read, named } = stated;
  const aws = readAwsSettings(env, read.profile);
  const missingProfile = named && !read.exists ? read.name : undefined;

  const sources = Object.create(null) as Record<string, SettingSource>;
  const pick = <T>(setting: SettingName, fallback: T): T => {
    const chosen = choose(setting, stated);
    if (chosen === undefined) return fallback;
    sources[setting] = chosen.source;
    return chosen.value as T;
  };
  const settings: Settings = {
    profile: read.name,
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
    emulator: pick("emulator", "off"),
    disabledBy: aws.disabledBy,
    roleName: pick("ec2InstanceProfileName", aws.roleName),
    configuredRegion: aws.region,
    defaultsMode: aws.defaultsMode,
    missingProfile,
    firewall: pick("firewall", "block"),
    firewallAllow: pick("firewallAllow", []),
    firewallAnswers: pick("firewallAnswers", "off"),
    egress: pick("egress", "off"),
    probe: pick("probe", "on"),
    timeout: pick("timeout", DEFAULT_TIMEOUT),
    maxRetries: pick("maxRetries", DEFAULT_MAX_RETRIES),
    silenceMs: pick("silenceMs", DEFAULT_SILENCE_MS),
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
    warnings: [...passedOver(read), ...(missingProfile === undefined ? [] : [profileMissing(missingProfile)])],
  };
}

function passedOver({ passedOver: file }: ProfileRead): SettingsWarning[] {
  if (file === undefined) return [];
  return [
    {
      code: "settings.file_passed_over",
      message: `A shared config file in the home of another user is passed over: ${file.evidence[0]?.source} cannot be read`,
      evidence: file.evidence,
      advice:
        "Set HOME to the home of this user, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE to files of its own.",
    },
  ];
}

function profileMissing(name: string): SettingsWarning {
  return {
    code: "settings.profile_missing",
    message: `Profile ${printable(name)} is named, and no shared config file has it`,
    evidence: [fact("profile", "in neither file", name)],
    advice: "Correct the name, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, which tell where the files are.",
  };
}

/** What is written almost like a setting of this package would vanish without a word, and loosen by that. */
function rejectUnknownNames(env: Environment, read: ProfileRead): void {
  reject(
    Object.keys(env).filter((name) => name.slice(0, 11).toUpperCase() === "IMDS_GUARD_"),
    [...SETTINGS.map((setting) => setting.env), ...CERTIFICATE_VARIABLES],
    "environment variable",
  );
  // "s3.imds_guard_mode" is how the loader names a key in the block of another.
  reject(
    read.own.flatMap(({ keys }) => [...keys.keys()]),
    [...SETTINGS.map((setting) => setting.key), ...CERTIFICATE_KEYS],
    `key of profile ${read.name}`,
  );
}

function reject(stated: readonly string[], known: readonly string[], what: string): void {
  const unknown = stated.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, known);
  throw settingError(
    `${printable(unknown)} is no known ${what}${near === undefined ? "" : `; did you mean ${near}?`}`,
    `Remove or correct it. Known: ${known.join(", ")}.`,
    fact(unknown, "not a setting of imds-guard"),
  );
}

function ownEndpoint(text: string | undefined, source: SettingSource | undefined): EndpointOverride | undefined {
  if (text === undefined) return undefined;
  const setting =
    source === "option" ? "guard.endpoint" : source === "environment" ? "IMDS_GUARD_ENDPOINT" : "imds_guard_endpoint";
  return { endpoint: parseEndpoint(text) as Endpoint, owner: "guard", setting };
}

function readCertificates(
  stated: Readonly<Record<string, string>>,
  source: SettingSource | undefined,
  system: System,
): ReadonlyMap<string, string> {
  if (source === undefined || source === "option") return new Map(Object.entries(stated));
  const written = source === "environment" ? "IMDS_GUARD_CERTIFICATES" : "imds_guard_certificates";
  return new Map(
    Object.entries(stated).map(([region, path]) => {
      const read = system.readFile(path, MAX_PEM_FILE);
      if (read.kind !== "content")
        throw wrongSetting(written, path, `readable PEM files of at most 64 KiB (${region}: ${read.kind})`);
      return [region, read.bytes.toString("latin1")];
    }),
  );
}
