/** What the user may ask of the guard, and what it comes to once every source has been read. */
import type { EventFormat, GuardEvent } from "../events/catalogue.js";
import type { Severity } from "../events/weights.js";
import type { Logger } from "../events/sinks.js";
import type { Endpoint } from "./endpoint.js";

/**
 * When IMDS may be asked at all.
 * - `ec2-only` (default): only where the host proves to be EC2.
 * - `allow`: also elsewhere. Explicit, and a warning event at each start unless `expectedAccounts` is set.
 * - `deny`: never.
 */
export type Mode = "ec2-only" | "allow" | "deny";

/**
 * Whether AWS's signature on the instance identity document has to be verified.
 * - `auto` (default): verified, except that on EC2 a region without a known public key passes with a warning event if
 *   something else vouches for it: `expectedAccounts`, `expectedRegions`, or the region this host is configured for.
 * - `required`: no credentials without a valid signature.
 * - `off`: not asked for.
 */
export type AttestationMode = "auto" | "required" | "off";

/**
 * What the firewall can be told to let pass: metadata services of other clouds, and Amazon's other link-local services.
 *
 * @example
 * ```ts
 * import { ALLOW_WORDS, type AllowWord, installFirewall } from "imds-guard/firewall";
 * const wanted = (process.env["LET_PASS"] ?? "").split(",");
 * const known: readonly string[] = ALLOW_WORDS;
 * installFirewall({ allow: wanted.filter((word): word is AllowWord => known.includes(word)) });
 * ```
 */
export const ALLOW_WORDS = ["gcp", "azure", "openstack", "ecs", "eks", "dns", "ntp"] as const;

/** What the firewall answers for IMDS, to programs in this process that ask it by themselves. */
export type FirewallAnswers = "off" | "metadata" | "credentials";

/** One of {@link ALLOW_WORDS}. */
export type AllowWord = (typeof ALLOW_WORDS)[number];

/** What to do with credentials whose account cannot be told while `expectedAccounts` is set. */
export type OnUnknownAccount = "refuse" | "allow";

/**
 * Options of {@link createGuard} and of the `guard` key of every provider. Each is also an environment variable and a
 * profile key.
 */
export interface GuardOptions {
  /** `IMDS_GUARD_MODE`, `imds_guard_mode`. Default `ec2-only`. `deny` wins from whichever source it comes. */
  readonly mode?: Mode | undefined;
  /**
   * `IMDS_GUARD_ATTESTATION`, `imds_guard_attestation`. Default `auto`. `required` wins from whichever source it comes.
   */
  readonly attestation?: AttestationMode | undefined;
  /**
   * AWS account ids, 12 digits. Credentials of any other account are refused, from every link of the chain. Default:
   * none expected.
   */
  readonly expectedAccounts?: readonly string[] | undefined;
  /** Names of instance roles that may be used. Default: any. */
  readonly expectedRoles?: readonly string[] | undefined;
  /** Regions this host may be in, as its signed document says. Default: any. */
  readonly expectedRegions?: readonly string[] | undefined;
  /** Default `refuse`. Matters only with `expectedAccounts`. */
  readonly onUnknownAccount?: OnUnknownAccount | undefined;
  /** Ask STS GetCallerIdentity, over TLS, once for each new key. Default `off`. */
  readonly verifyWithSts?: "on" | "off" | undefined;
  /** Roots that vouch for STS, PEM, in place of those that come with Node.js. Only in code. */
  readonly stsCa?: string | undefined;
  /**
   * A proxy through which STS is reached by CONNECT, `http://[user:password@]host[:port]`; TLS is with STS itself. Only
   * in code. Default: none, whatever the environment says.
   */
  readonly stsProxy?: string | undefined;
  /**
   * Region -> PEM certificate or public key, for regions this package has no key of. Environment and profile:
   * `region=path,...`.
   */
  readonly certificates?: Readonly<Record<string, string>> | undefined;
  /** Own endpoint, `http://<literal address or host name>[:port]`. Honoured with `mode: "allow"`, or on loopback. */
  readonly endpoint?: string | undefined;
  /**
   * For development: an emulator of IMDS (amazon-ec2-metadata-mock, Moto) at the endpoint, which has to be on loopback
   * or at a private address. Made-up keys and dates are taken from it, never on a host that is EC2 or at a metadata address.
   * Default `off`, which wins from whichever source it comes, as do `mode: "deny"`, `attestation: "required"`,
   * `verifyWithSts: "on"` and `expectedAccounts`. A warning event at each start.
   */
  readonly emulator?: "on" | "off" | undefined;
  /** One background probe, off EC2, that asks whether anybody answers as IMDS. Default `on`. */
  readonly probe?: "on" | "off" | undefined;
  /** Deadline for one whole exchange with IMDS, in milliseconds, 50 to 60000. Default 3000. */
  readonly timeout?: number | undefined;
  /** Tries after the first for an answer that may be repeated (429, 5xx, reset), 0 to 2. Default 2. */
  readonly maxRetries?: number | undefined;
  /**
   * How long it is remembered that nobody answered on a host that could not be told, in milliseconds, 0 to 3600000.
   * Default 60000. `forceRefresh` asks anew.
   */
  readonly silenceMs?: number | undefined;
  /** Name of the shared config profile to read. Default: `AWS_PROFILE`, else `default`. */
  readonly profile?: string | undefined;
  /** Name of the role to ask for, instead of the one that IMDS lists. AWS: `AWS_EC2_INSTANCE_PROFILE_NAME`. */
  readonly ec2InstanceProfileName?: string | undefined;
  /**
   * What the firewall of this process does with other connections to metadata services. Default `block`, which wins
   * from whichever source it comes. Matters only where the firewall is installed: by the preload, or by code.
   */
  readonly firewall?: "block" | "report" | "off" | undefined;
  /**
   * Link-local services that the firewall lets pass: `gcp`, `azure`, `openstack`, `ecs`, `eks`, `dns`, `ntp`. Default:
   * none.
   */
  readonly firewallAllow?: readonly AllowWord[] | undefined;
  /**
   * Whether programs in this process that ask IMDS by themselves, on port 80 of the metadata address, are answered by
   * the guard: `metadata` without credentials, `credentials` with those of the guard. Default `off`, which wins from
   * whichever source it comes. Matters only where the firewall is installed by the preload or `guard.installFirewall()`.
   */
  readonly firewallAnswers?: FirewallAnswers | undefined;
  /**
   * With `report`, requests of this process to AWS that are signed with a key of an account that is not among
   * `expectedAccounts` are events, wherever the key comes from. No request is changed, and HTTP/2 is not seen. Default
   * `off`. Matters only where the firewall is installed or preloaded, and accounts are expected.
   */
  readonly egress?: "report" | "off" | undefined;
  /** Least severity of events that are printed on stderr. Default `warning`. */
  readonly log?: Severity | "off" | undefined;
  /** File that receives every event as a JSON line. Default: none. */
  readonly eventsFile?: string | undefined;
  /**
   * What a line of `eventsFile` is: `json` (default), the event as `onEvent` gets it; `ecs`, a document of the Elastic
   * Common Schema; `ocsf`, an event of the Open Cybersecurity Schema Framework.
   */
  readonly eventFormat?: EventFormat | undefined;
  /**
   * `opentelemetry` makes every event a log record of the logger provider that the application has registered with
   * `@opentelemetry/api` (1.10 or later) or `@opentelemetry/api-logs`, one of which has to be installed. Default `off`.
   */
  readonly telemetry?: "opentelemetry" | "off" | undefined;
  /** Receives every event. */
  readonly onEvent?: ((event: GuardEvent) => void) | undefined;
  /** Receives every event as a line and an object, at the level of its severity. */
  readonly logger?: Logger | undefined;
}

/** Where the value of a setting came from, for errors and for people. */
export type SettingSource = "option" | "environment" | "profile" | "machine" | "default";

/** An endpoint somebody asked for, and through which setting. */
export interface EndpointOverride {
  readonly endpoint: Endpoint;
  /** `guard`: the package's own setting. `aws`: `AWS_EC2_METADATA_SERVICE_ENDPOINT` or its profile key. */
  readonly owner: "guard" | "aws";
  /** The name of the setting as the user wrote it. */
  readonly setting: string;
}

/** Every setting, resolved. */
export interface Settings {
  /** Name of the profile whose settings these are. */
  readonly profile: string;
  readonly mode: Mode;
  readonly attestation: AttestationMode;
  readonly expectedAccounts: readonly string[];
  readonly expectedRoles: readonly string[];
  readonly expectedRegions: readonly string[];
  readonly onUnknownAccount: OnUnknownAccount;
  readonly verifyWithSts: "on" | "off";
  /** Region -> PEM text. */
  readonly certificates: ReadonlyMap<string, string>;
  readonly override: EndpointOverride | undefined;
  /** Undefined where nobody said one. */
  readonly endpointMode: "IPv4" | "IPv6" | undefined;
  readonly emulator: "on" | "off";
  /** The setting that disables IMDS, such as `AWS_EC2_METADATA_DISABLED`, or undefined. */
  readonly disabledBy: string | undefined;
  readonly roleName: string | undefined;
  /** Region that the environment or the profile states, as it stands there. */
  readonly configuredRegion: string | undefined;
  /** Defaults mode of SDK clients that the environment or the profile states, as it stands there. */
  readonly defaultsMode: string | undefined;
  /** The profile, where it was named and no file has it. */
  readonly missingProfile: string | undefined;
  readonly firewall: "block" | "report" | "off";
  readonly firewallAllow: readonly AllowWord[];
  readonly firewallAnswers: FirewallAnswers;
  readonly egress: "report" | "off";
  readonly probe: "on" | "off";
  readonly timeout: number;
  readonly maxRetries: number;
  readonly silenceMs: number;
  /** Setting -> where it came from; only those that are not at their default. */
  readonly sources: Readonly<Record<string, SettingSource>>;
}

/**
 * Default of {@link GuardOptions.timeout}, in milliseconds.
 *
 * @example
 * ```ts
 * import { createGuard, DEFAULT_TIMEOUT } from "imds-guard";
 * const guard = createGuard({ timeout: 2 * DEFAULT_TIMEOUT });
 * ```
 */
export const DEFAULT_TIMEOUT = 3_000;
/**
 * Default of {@link GuardOptions.maxRetries}: tries after the first.
 *
 * @example
 * ```ts
 * import { createGuard, DEFAULT_MAX_RETRIES } from "imds-guard";
 * const guard = createGuard({ maxRetries: DEFAULT_MAX_RETRIES - 1 });
 * ```
 */
export const DEFAULT_MAX_RETRIES = 2;

/** Default of {@link GuardOptions.silenceMs}, in milliseconds. */
export const DEFAULT_SILENCE_MS = 60_000;
