/** The table of settings: for each its three names, how its text is read, and which words are allowed. */
import { printable } from "../base/text.js";
import { hasOwnKey, isPlainObject, ownProperties } from "../base/own-properties.js";
import { isAccountId } from "../aws/access-key.js";
import { isRegionName } from "../aws/region.js";
import { parseEndpoint, ENDPOINT_FORM } from "./endpoint.js";
import type { GuardOptions } from "./options.js";
import { EVENT_FORMATS } from "../events/catalogue.js";
import { ALLOW_WORDS } from "./options.js";

/** Options that only code can give. */
export type CodeOnlyOption = "profile" | "stsCa" | "stsProxy" | "onEvent" | "logger";

/** The settings that can be written as text, by the name of their option. */
export type SettingName = Exclude<keyof GuardOptions, CodeOnlyOption>;

/** A value that was understood, or the words that would have been. */
export type Parsed = { readonly value: unknown } | { readonly allowed: string };

/** How one setting is written and read. */
export interface SettingSpec {
  readonly name: SettingName;
  /** `IMDS_GUARD_...` */
  readonly env: string;
  /** `imds_guard_...` */
  readonly key: string;
  /** The allowed form in words, for messages and documentation. */
  readonly allowed: string;
  /** Reads text from the environment or a profile. */
  readonly read: (text: string) => unknown;
  /** Accepts a value that `read` gave or that code passed; undefined where it is not allowed. */
  readonly check: (value: unknown) => unknown;
  /** How this setting can be tightened. Without it the nearest source has the only word. */
  readonly tightens?: Tightening | undefined;
}

/**
 * How a setting is tightened, from whichever source.
 * - `words`, from the loosest to the strictest: the strictest wins wherever it stands.
 * - `expected`: a list narrows the others. Nothing in common is an error, because an empty list would expect anything.
 * - `allowed`: a list of exceptions, of which the machine's own file can leave fewer.
 */
export type Tightening =
  | { readonly words: readonly string[]; readonly byDefault: string }
  | { readonly list: "expected" }
  | { readonly list: "allowed" };

const INVALID = undefined;

const trimmed = (text: string): string => text.trim();

function words(allowed: readonly string[]): Pick<SettingSpec, "allowed" | "read" | "check"> {
  return {
    allowed: allowed.join(", "),
    read: trimmed,
    check: (value) => (allowed.includes(value as string) ? value : INVALID),
  };
}

function integer(min: number, max: number, unit: string): Pick<SettingSpec, "allowed" | "read" | "check"> {
  return {
    allowed: `a whole number from ${min} to ${max}${unit}`,
    read: (text) => (/^\s*\d{1,9}\s*$/.test(text) ? Number(text) : text),
    check: (value) =>
      Number.isInteger(value) && (value as number) >= min && (value as number) <= max ? value : INVALID,
  };
}

function list(form: string, isItem: (text: string) => boolean): Pick<SettingSpec, "allowed" | "read" | "check"> {
  return {
    allowed: `${form}, at least one and at most 256, separated by commas`,
    read: (text) => text.split(",").map((part) => part.trim()),
    check: (value) => {
      if (!Array.isArray(value) || value.length === 0 || value.length > 256) return INVALID;
      // Read once, holes with the rest.
      const entries: unknown[] = Array.from(value);
      return entries.every((entry): entry is string => typeof entry === "string" && isItem(entry))
        ? [...new Set(entries)]
        : INVALID;
    },
  };
}

function text(allowed: string, form: RegExp): Pick<SettingSpec, "allowed" | "read" | "check"> {
  return {
    allowed,
    read: trimmed,
    check: (value) => (typeof value === "string" && form.test(value) ? value : INVALID),
  };
}

/** Role and instance profile names: IAM API, `[\w+=,.@-]+`, at most 64 and 128 characters; never a path step. */
export const ROLE_NAME = /^(?!\.{1,2}$)[A-Za-z0-9_+=,.@-]{1,128}$/;
export const ROLE_NAME_FORM = "an instance profile or role name";

const ENDPOINT: Pick<SettingSpec, "allowed" | "read" | "check"> = {
  allowed: ENDPOINT_FORM,
  read: trimmed,
  check: (value) => (typeof value === "string" && hasOwnKey(parseEndpoint(value), "host") ? value : INVALID),
};

/** Code passes region -> PEM text; environment and profiles pass `region=path` pairs, read by the resolver. */
const CERTIFICATES: Pick<SettingSpec, "allowed" | "read" | "check"> = {
  allowed: "region=path pairs separated by commas, each region once (in code: an object of region: PEM text)",
  read: (value) => {
    const pairs = value.split(",").map((pair): readonly [string, string] => {
      const equals = pair.indexOf("=");
      return [pair.slice(0, Math.max(0, equals)).trim(), pair.slice(equals + 1).trim()];
    });
    const once = new Set(pairs.map(([region]) => region)).size === pairs.length;
    return once && pairs.every(([, path]) => path !== "") ? Object.fromEntries(pairs) : value;
  },
  check: (value) => {
    if (!isPlainObject(value)) return INVALID;
    const entries = Object.entries(value);
    return entries.every(([region, pem]) => isRegionName(region) && typeof pem === "string" && pem !== "")
      ? Object.freeze(ownProperties(value))
      : INVALID;
  },
};

const SWITCH = ["on", "off"];

/** Every setting, in the order of the documentation. */
export const SETTINGS: readonly SettingSpec[] = [
  spec("mode", words(["ec2-only", "allow", "deny"]), { words: ["allow", "ec2-only", "deny"], byDefault: "ec2-only" }),
  spec("attestation", words(["auto", "required", "off"]), { words: ["off", "auto", "required"], byDefault: "auto" }),
  spec("expectedAccounts", list("12-digit AWS account ids", isAccountId), { list: "expected" }),
  spec(
    "expectedRoles",
    list("role names", (text) => ROLE_NAME.test(text)),
    { list: "expected" },
  ),
  spec("expectedRegions", list("region names", isRegionName), { list: "expected" }),
  spec("onUnknownAccount", words(["refuse", "allow"]), { words: ["allow", "refuse"], byDefault: "refuse" }),
  spec("verifyWithSts", words(SWITCH), { words: ["off", "on"], byDefault: "off" }),
  spec("certificates", CERTIFICATES),
  spec("endpoint", ENDPOINT),
  spec("emulator", words(SWITCH), { words: ["on", "off"], byDefault: "off" }),
  spec("probe", words(SWITCH)),
  spec("timeout", integer(50, 60_000, " (milliseconds)")),
  spec("maxRetries", integer(0, 2, "")),
  spec("silenceMs", integer(0, 3_600_000, " (milliseconds)")),
  spec("ec2InstanceProfileName", text(ROLE_NAME_FORM, ROLE_NAME)),
  spec("firewall", words(["block", "report", "off"]), { words: ["off", "report", "block"], byDefault: "block" }),
  spec(
    "firewallAllow",
    list(`words out of ${ALLOW_WORDS.join(", ")}`, (word) => (ALLOW_WORDS as readonly string[]).includes(word)),
    { list: "allowed" },
  ),
  spec("firewallAnswers", words(["off", "metadata", "credentials"]), {
    words: ["credentials", "metadata", "off"],
    byDefault: "off",
  }),
  spec("egress", words(["report", "off"]), { words: ["off", "report"], byDefault: "off" }),
  spec("log", words(["info", "notice", "warning", "error", "critical", "off"])),
  spec("eventsFile", text("a file path", /^[^\0]{1,4096}$/)),
  spec("eventFormat", words(EVENT_FORMATS)),
  spec("telemetry", words(["opentelemetry", "off"])),
];

function spec(
  name: SettingName,
  how: Pick<SettingSpec, "allowed" | "read" | "check">,
  tightens?: Tightening,
): SettingSpec {
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return { name, env: `IMDS_GUARD_${snake.toUpperCase()}`, key: `imds_guard_${snake}`, ...how, tightens };
}

/** The spec of a setting. */
export function specOf(name: SettingName): SettingSpec {
  return SETTINGS.find((candidate) => candidate.name === name) as SettingSpec;
}

/** Applies a spec to a value: the value as understood, or the words that would have been allowed. */
export function parseSetting(setting: SettingSpec, value: unknown): Parsed {
  const checked = setting.check(value);
  return checked === INVALID ? { allowed: setting.allowed } : { value: checked };
}

/** "IMDS_GUARD_MODE is "alow"; allowed: ec2-only, allow, deny". */
export function complaint(name: string, value: string, allowed: string): string {
  return `${name} is ${printable(value)}; allowed: ${allowed}`;
}
