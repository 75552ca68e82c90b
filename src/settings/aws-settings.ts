/** AWS's own settings that decide about IMDS, by variable and by profile key. */
import { ImdsGuardSettingsError } from "../base/errors.js";
import { hasOwnKey } from "../base/own-properties.js";
import { wrongSetting } from "./choose.js";
import type { Profile } from "./config-files.js";
import { ENDPOINT_FORM, parseEndpoint } from "./endpoint.js";
import type { Environment } from "./environment.js";
import type { EndpointOverride } from "./options.js";
import { ROLE_NAME, ROLE_NAME_FORM } from "./table.js";

/** What AWS's settings come to. */
export interface AwsSettings {
  readonly override: EndpointOverride | undefined;
  /** Undefined where nobody said one. */
  readonly endpointMode: "IPv4" | "IPv6" | undefined;
  readonly roleName: string | undefined;
  /** The setting that disables IMDS. */
  readonly disabledBy: string | undefined;
  /** As it stands there. */
  readonly region: string | undefined;
  /** As it stands there. */
  readonly defaultsMode: string | undefined;
  /** One that cannot be understood. It shuts IMDS, and is no business of the other links of a chain. */
  readonly problem: ImdsGuardSettingsError | undefined;
}

/** Environment variable and profile key of each. */
const AWS = {
  endpoint: ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint"],
  mode: ["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode"],
  disabled: ["AWS_EC2_METADATA_DISABLED", "disable_ec2_metadata"],
  roleName: ["AWS_EC2_INSTANCE_PROFILE_NAME", "ec2_instance_profile_name"],
} as const;

/** Reads AWS's settings. `profile` holds the keys as the SDK's loader has them. */
export function readAwsSettings(env: Environment, profile: Profile): AwsSettings {
  const always = {
    disabledBy: disabledBy(env, profile),
    region: env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || profile["region"] || undefined,
    defaultsMode: env["AWS_DEFAULTS_MODE"] ?? profile["defaults_mode"],
  };
  try {
    return {
      ...always,
      override: endpoint(env, profile),
      endpointMode: endpointMode(env, profile),
      roleName: roleName(env, profile),
      problem: undefined,
    };
  } catch (error) {
    if (!(error instanceof ImdsGuardSettingsError)) throw error;
    return { ...always, override: undefined, endpointMode: undefined, roleName: undefined, problem: error };
  }
}

function textOf(
  which: keyof typeof AWS,
  env: Environment,
  profile: Profile,
): { written: string; text: string } | undefined {
  const [variable, key] = AWS[which];
  const fromEnv = env[variable];
  if (fromEnv !== undefined && fromEnv !== "") return { written: variable, text: fromEnv };
  const fromProfile = profile[key];
  return fromProfile === undefined || fromProfile === "" ? undefined : { written: key, text: fromProfile };
}

function endpoint(env: Environment, profile: Profile): EndpointOverride | undefined {
  const aws = textOf("endpoint", env, profile);
  if (!aws) return undefined;
  const parsed = parseEndpoint(aws.text.trim());
  if (hasOwnKey(parsed, "problem")) throw wrongSetting(aws.written, aws.text, `${ENDPOINT_FORM} (${parsed.problem})`);
  return { endpoint: parsed, owner: "aws", setting: aws.written };
}

function endpointMode(env: Environment, profile: Profile): "IPv4" | "IPv6" | undefined {
  const aws = textOf("mode", env, profile);
  if (!aws) return undefined;
  const mode = aws.text.trim().toLowerCase();
  if (mode !== "ipv4" && mode !== "ipv6") throw wrongSetting(aws.written, aws.text, "IPv4, IPv6");
  return mode === "ipv4" ? "IPv4" : "IPv6";
}

/** Anything but `false` disables, as in the JavaScript SDK: a value nobody understands must not open the door. */
function disabledBy(env: Environment, profile: Profile): string | undefined {
  const [variable, key] = AWS.disabled;
  // Either source disables: `false` in the environment does not re-open what the profile has shut.
  const shuts = (text: string | undefined) =>
    text !== undefined && text !== "" && text.trim().toLowerCase() !== "false";
  if (shuts(env[variable])) return variable;
  return shuts(profile[key]) ? key : undefined;
}

function roleName(env: Environment, profile: Profile): string | undefined {
  const aws = textOf("roleName", env, profile);
  if (!aws) return undefined;
  const name = aws.text.trim();
  if (!ROLE_NAME.test(name)) throw wrongSetting(aws.written, aws.text, ROLE_NAME_FORM);
  return name;
}
