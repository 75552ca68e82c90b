/** Every error that imds-guard raises, each with a stable `code`, the evidence it rests on, and advice. */
import { ownProperties } from "./own-properties.js";
import { printable, terminalLine } from "./text.js";

/** One observed fact: where it was read, what it said, and what that means for the decision. */
export interface Evidence {
  /** Where the fact comes from: a file path, a setting name, a request (`PUT /latest/api/token`). */
  readonly source: string;
  /** What was read there, shortened and free of secrets. Absent when nothing could be read. */
  readonly value?: string | undefined;
  /** What the fact says, in words. */
  readonly says: string;
}

/** {@link Evidence} of what was found. */
export function fact(source: string, says: string, value?: string): Evidence {
  return value === undefined ? { source, says } : { source, value, says };
}

/** Codes of decisions made before any packet is sent. */
export type RefusalCode =
  | "ERR_IMDS_NOT_EC2"
  | "ERR_IMDS_HOST_UNKNOWN"
  | "ERR_IMDS_DISABLED"
  | "ERR_IMDS_ENDPOINT_OVERRIDE"
  | "ERR_IMDS_GUARD_CLOSED"
  | "ERR_IMDS_CONNECTION_BLOCKED"
  | "ERR_IMDS_URL_REFUSED";

/** Codes of an instance metadata service that could not be used. */
export type UnavailableCode =
  | "ERR_IMDS_UNREACHABLE"
  | "ERR_IMDS_TIMEOUT"
  | "ERR_IMDS_TOKEN_TIMEOUT"
  | "ERR_IMDS_ENDPOINT_UNRESOLVED"
  | "ERR_IMDS_FORBIDDEN"
  | "ERR_IMDS_UNAUTHORIZED"
  | "ERR_IMDS_NOT_FOUND"
  | "ERR_IMDS_STATUS"
  | "ERR_IMDS_NO_ROLE"
  | "ERR_IMDS_NO_REGION"
  | "ERR_IMDS_CREDENTIALS_UNAVAILABLE"
  | "ERR_IMDS_CREDENTIALS_EXPIRED"
  | "ERR_IMDS_STS_UNAVAILABLE";

/** Codes of answers that no genuine instance metadata service gives. */
export type UntrustedCode =
  "ERR_IMDS_PEER_MISMATCH" | "ERR_IMDS_REDIRECT" | "ERR_IMDS_V1_ONLY" | "ERR_IMDS_TOO_LARGE" | "ERR_IMDS_MALFORMED";

/** Codes of proof that failed: whoever answered is not the instance metadata service of this host and account. */
export type ImpersonationCode =
  | "ERR_IMDS_ATTESTATION_MISSING"
  | "ERR_IMDS_ATTESTATION_INVALID"
  | "ERR_IMDS_ATTESTATION_REGION"
  | "ERR_IMDS_INSTANCE_MISMATCH"
  | "ERR_IMDS_ACCOUNT_MISMATCH"
  | "ERR_IMDS_ACCOUNT_UNEXPECTED"
  | "ERR_IMDS_ACCOUNT_UNKNOWN"
  | "ERR_IMDS_ROLE_MISMATCH"
  | "ERR_IMDS_ROLE_UNEXPECTED"
  | "ERR_IMDS_REGION_UNEXPECTED"
  | "ERR_IMDS_IDENTITY_CHANGED"
  | "ERR_IMDS_STS_MISMATCH";

/** Codes of settings that cannot be honoured as written. */
export type SettingsCode = "ERR_IMDS_GUARD_SETTING" | "ERR_IMDS_GUARD_CONFIG_FILE";

/** Codes of the ways that rest on a certificate: IAM Roles Anywhere, and role aliases of AWS IoT. */
export type RolesAnywhereCode =
  | "ERR_ROLES_ANYWHERE_SETTINGS"
  | "ERR_ROLES_ANYWHERE_CERTIFICATE"
  | "ERR_ROLES_ANYWHERE_KEY"
  | "ERR_ROLES_ANYWHERE_REFUSED"
  | "ERR_ROLES_ANYWHERE_UNREACHABLE"
  | "ERR_ROLES_ANYWHERE_MALFORMED"
  | "ERR_ROLES_ANYWHERE_ACCOUNT"
  | "ERR_ROLES_ANYWHERE_ROLE";

/** Every code an {@link ImdsGuardError} may carry. */
export type ImdsGuardErrorCode =
  RefusalCode | UnavailableCode | UntrustedCode | ImpersonationCode | SettingsCode | RolesAnywhereCode;

/** What an {@link ImdsGuardError} is made of besides its message. */
export interface ImdsGuardErrorDetails {
  /** A function is called when somebody reads the error's `evidence`. */
  readonly evidence?: readonly Evidence[] | (() => readonly Evidence[]);
  /** What the person who reads the error can do about it. */
  readonly advice: string;
  /** Whether a credential chain may ask its next provider. Each subclass has its own default. */
  readonly tryNextLink?: boolean;
  readonly cause?: unknown;
}

const BRAND = Symbol.for("imds-guard.error");

/** Where in this package a code is explained. */
export function sectionOf(code: ImdsGuardErrorCode): string {
  return `docs/errors.md#${code}`;
}

function withSection(message: string, code: ImdsGuardErrorCode): string {
  return `${message}${/[.?!]$/.test(message) ? "" : "."} See ${sectionOf(code)}`;
}

/** The kinds of {@link ImdsGuardError}, as carried by `error.kind`. */
export type ImdsGuardErrorKind =
  "refused" | "unavailable" | "untrusted" | "impersonation" | "settings" | "roles-anywhere";

/**
 * Base of every error raised by imds-guard. `instanceof` works across copies of the package (ESM, CommonJS, nested
 * installs), because it tests a brand registered with `Symbol.for` and not the identity of the class.
 *
 * @example
 * ```ts
 * import { createGuard, ImdsGuardError } from "imds-guard";
 * try {
 *   await createGuard({ mode: "deny" }).credentials();
 * } catch (error) {
 *   if (!(error instanceof ImdsGuardError)) throw error;
 *   console.error(error.code, error.evidence, error.advice); // ERR_IMDS_DISABLED ...
 * }
 * ```
 */
export class ImdsGuardError extends Error {
  /** Stable code; compare this and never the message. */
  readonly code: ImdsGuardErrorCode;
  readonly kind: ImdsGuardErrorKind;
  declare readonly evidence: readonly Evidence[];
  readonly advice: string;
  /** Read by the credential chains of the AWS SDK: `false` stops the chain. */
  readonly tryNextLink: boolean;

  constructor(kind: ImdsGuardErrorKind, code: ImdsGuardErrorCode, message: string, details: ImdsGuardErrorDetails) {
    super(withSection(message, code), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ImdsGuardError";
    this.kind = kind;
    this.code = code;
    carryEvidence(this, details.evidence ?? []);
    this.advice = details.advice;
    this.tryNextLink = details.tryNextLink ?? DEFAULT_TRY_NEXT_LINK[kind];
    Object.defineProperty(this, BRAND, ownProperties({ value: kind }));
  }

  /** Whether `value` is an error of this class, from any copy of the package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // Subclasses test their own kind; the base class accepts every branded error.
    const kind = brandOf(value);
    const wanted = Object.hasOwn(this, "KIND") ? (this as unknown as { KIND: ImdsGuardErrorKind }).KIND : undefined;
    return kind !== undefined && (wanted === undefined || wanted === kind);
  }
}

/**
 * A refused host or a service that is not there lets a chain go on. Answers no genuine service gives, failed proofs and
 * settings that could not be read stop it: silently trying the next provider would hide the finding.
 */
const DEFAULT_TRY_NEXT_LINK: Readonly<Record<ImdsGuardErrorKind, boolean>> = {
  refused: true,
  unavailable: true,
  untrusted: false,
  impersonation: false,
  settings: false,
  // Only what may pass lets a chain go on, and that error says so for itself.
  "roles-anywhere": false,
};

/**
 * IMDS was not asked: the host is not EC2, the service is disabled, or the endpoint is not one that may be asked.
 *
 * @example
 * ```ts
 * import { fromNodeProviderChain, ImdsRefusedError } from "imds-guard";
 * const credentials = await fromNodeProviderChain()().catch((error: unknown) => {
 *   // A laptop without credentials.
 *   if (error instanceof ImdsRefusedError && error.code === "ERR_IMDS_NOT_EC2") return undefined;
 *   throw error;
 * });
 * ```
 */
export class ImdsRefusedError extends ImdsGuardError {
  static readonly KIND = "refused";
  declare readonly code: RefusalCode;
  constructor(code: RefusalCode, message: string, details: ImdsGuardErrorDetails) {
    super("refused", code, message, details);
    this.name = "ImdsRefusedError";
  }
}

/**
 * IMDS was asked and could not serve: nobody there, a timeout, no role attached, throttled to the end.
 *
 * @example
 * ```ts
 * import { createGuard, ImdsUnavailableError } from "imds-guard";
 * const guard = createGuard();
 * const credentials = await guard.credentials().catch((error: unknown) => {
 *   if (error instanceof ImdsUnavailableError) process.exitCode = 75; // may pass: let the supervisor start it again
 *   throw error;
 * });
 * ```
 */
export class ImdsUnavailableError extends ImdsGuardError {
  static readonly KIND = "unavailable";
  declare readonly code: UnavailableCode;
  constructor(code: UnavailableCode, message: string, details: ImdsGuardErrorDetails) {
    super("unavailable", code, message, details);
    this.name = "ImdsUnavailableError";
  }
}

/**
 * Somebody answered, but not as the genuine service does: redirect, IMDSv1 only, oversized or malformed content.
 *
 * @example
 * ```ts
 * import { createGuard, ImdsUntrustedError } from "imds-guard";
 * await createGuard().credentials().catch((error: unknown) => {
 *   if (error instanceof ImdsUntrustedError) console.error("no genuine IMDS:", error.code, error.evidence);
 *   throw error;
 * });
 * ```
 */
export class ImdsUntrustedError extends ImdsGuardError {
  static readonly KIND = "untrusted";
  declare readonly code: UntrustedCode;
  constructor(code: UntrustedCode, message: string, details: ImdsGuardErrorDetails) {
    super("untrusted", code, message, details);
    this.name = "ImdsUntrustedError";
  }
}

/**
 * The proof failed: the responder, the instance, the account or the role is not the one it has to be.
 *
 * @example
 * ```ts
 * import { createGuard, ImdsImpersonationError } from "imds-guard";
 * const guard = createGuard({ expectedAccounts: ["111122223333"] });
 * await guard.credentials().catch((error: unknown) => {
 *   if (error instanceof ImdsImpersonationError) console.error("impersonated:", error.code, error.evidence);
 *   throw error;
 * });
 * ```
 */
export class ImdsImpersonationError extends ImdsGuardError {
  static readonly KIND = "impersonation";
  declare readonly code: ImpersonationCode;
  constructor(code: ImpersonationCode, message: string, details: ImdsGuardErrorDetails) {
    super("impersonation", code, message, details);
    this.name = "ImdsImpersonationError";
  }
}

/**
 * A setting from the environment or the shared config file that cannot be honoured as written.
 *
 * @example
 * ```ts
 * import { createGuard, ImdsGuardSettingsError } from "imds-guard";
 * await createGuard().whereAmI().catch((error: unknown) => {
 *   // IMDS_GUARD_MODE is "alow"; allowed: ...
 *   if (error instanceof ImdsGuardSettingsError) console.error(error.message, error.advice);
 *   throw error;
 * });
 * ```
 */
export class ImdsGuardSettingsError extends ImdsGuardError {
  static readonly KIND = "settings";
  declare readonly code: SettingsCode;
  constructor(code: SettingsCode, message: string, details: ImdsGuardErrorDetails) {
    super("settings", code, message, details);
    this.name = "ImdsGuardSettingsError";
  }
}

/** A setting cannot be honoured as it stands. */
export function settingError(
  message: string,
  advice: string,
  evidence?: Evidence,
  cause?: unknown,
): ImdsGuardSettingsError {
  return new ImdsGuardSettingsError("ERR_IMDS_GUARD_SETTING", message, {
    evidence: evidence === undefined ? [] : [evidence],
    advice,
    cause,
  });
}

/**
 * Credentials could not be had with a certificate, from IAM Roles Anywhere or a role alias of AWS IoT: the settings,
 * the certificate or the key cannot work (nothing was sent), the service refused, could not be reached, or gave what
 * was not asked for. `tryNextLink` is true for `ERR_ROLES_ANYWHERE_UNREACHABLE` alone, which may pass.
 *
 * @example
 * ```ts
 * import { fromRolesAnywhere, RolesAnywhereError } from "imds-guard";
 * await fromRolesAnywhere()().catch((error: unknown) => {
 *   if (error instanceof RolesAnywhereError) console.error(error.code, error.evidence, error.advice);
 *   throw error;
 * });
 * ```
 */
export class RolesAnywhereError extends ImdsGuardError {
  static readonly KIND = "roles-anywhere";
  declare readonly code: RolesAnywhereCode;
  constructor(code: RolesAnywhereCode, message: string, details: ImdsGuardErrorDetails) {
    super("roles-anywhere", code, message, {
      tryNextLink: code === "ERR_ROLES_ANYWHERE_UNREACHABLE",
      ...details,
    });
    this.name = "RolesAnywhereError";
  }
}

/** Whether an error tells of something that may pass: nobody there, no answer in time, throttled. */
export function mayPass(error: unknown): error is ImdsGuardError {
  return isImdsGuardError(error) && (error.kind === "unavailable" || error.code === "ERR_ROLES_ANYWHERE_UNREACHABLE");
}

/**
 * Whether `value` is an error of imds-guard, of any kind and from any copy of the package.
 *
 * @example
 * ```ts
 * import { fromNodeProviderChain, isImdsGuardError } from "imds-guard";
 * await fromNodeProviderChain()().catch((error: unknown) => {
 *   if (isImdsGuardError(error) && error.kind === "impersonation") console.error(error.advice);
 *   throw error;
 * });
 * ```
 */
export function isImdsGuardError(value: unknown): value is ImdsGuardError {
  return brandOf(value) !== undefined;
}

function brandOf(value: unknown): ImdsGuardErrorKind | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as { [BRAND]?: ImdsGuardErrorKind })[BRAND];
}

/**
 * Marks a foreign error (the SDK's `CredentialsProviderError`) as one of ours, so that `instanceof` holds both ways.
 */
export function brandAs(target: Error, kind: ImdsGuardErrorKind): void {
  Object.defineProperty(target, BRAND, ownProperties({ value: kind }));
}

const INSPECT = Symbol.for("nodejs.util.inspect.custom");
/** Evidence and stack frames of a printed error. With name, advice, cause and a line on the rest that is twelve lines. */
const SHOWN = 4;

/**
 * Gives an error its `evidence`, a short form for `console.error` (what, advice, then the rest) and one for JSON. All
 * are properties of its own: loggers copy what is enumerable, and whatever prints it uncaught shows no accessor.
 */
export function carryEvidence(error: Error, evidence: readonly Evidence[] | (() => readonly Evidence[])): void {
  Object.assign(error, { evidence: typeof evidence === "function" ? evidence() : evidence });
  const hide = (name: string | symbol, value: () => unknown): void => {
    Object.defineProperty(error, name, ownProperties({ value, configurable: true, writable: true }));
  };
  hide(INSPECT, () => shown(error as ImdsGuardError));
  hide("toJSON", () => plain(error as ImdsGuardError));
}

function plain({ name, code, kind, message, advice, evidence }: ImdsGuardError): object {
  return { name, code, kind, message, advice, evidence };
}

function shown({ name, code, message, advice, evidence, cause, stack }: ImdsGuardError): string {
  const facts = evidence
    .slice(0, SHOWN)
    .map(({ source, value, says }) => `  evidence: ${source}${value === undefined ? "" : ` = ${value}`}: ${says}`);
  const more = evidence.length - facts.length;
  const because =
    cause instanceof Error && cause.message !== message ? [`  cause: ${cause.name}: ${cause.message}`] : [];
  const frames = (stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return [
    `${name} [${code}]: ${message}`,
    `  advice: ${advice}`,
    ...facts,
    ...(more > 0 ? [`  ${more} more in error.evidence`] : []),
    ...because,
    ...frames.slice(0, SHOWN),
  ]
    .map(terminalLine)
    .join("\n");
}

/** A caller mistake in an option: a `TypeError` with Node's own code names. */
export function invalidArgument(option: string, value: unknown, allowed: string): TypeError {
  const code = "ERR_INVALID_ARG_VALUE";
  return Object.assign(new TypeError(`${option} is ${describe(value)}; allowed: ${allowed} [${code}]`), { code });
}

/** A short, printable form of any value for a message: never longer than 80 characters, control characters escaped. */
export function describe(value: unknown): string {
  if (typeof value === "string") return printable(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return String(value);
}
