/** What a guard is: to programs its methods, to the rest of this package what is found behind a registered symbol. */
import type { Verifiable } from "./accounts.js";
import type { Acquired, AttestationReport } from "./acquire.js";
import type { Links } from "./certificate-links.js";
import type { Decision } from "./decide.js";
import type { IdentityDocument } from "../attest/identity-document.js";
import { invalidArgument } from "../base/errors.js";
import type { System } from "../base/system.js";
import type { Reporter } from "../events/reporter.js";
import type { HostReport } from "../host/report.js";
import type { CertificateLink } from "../roles-anywhere/certificate-link.js";
import { profileIn } from "../settings/environment.js";
import type { ConfigFileLocations } from "../settings/locations.js";
import type { Resolved } from "../settings/resolve.js";

/** Credentials of the instance role, as the AWS SDK takes them. */
export interface GuardedCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
  /** Only where IMDS itself stated it. */
  readonly accountId?: string;
}

/** What a guard knows of its host and what follows from it. */
export interface Whereabouts {
  readonly host: HostReport;
  readonly decision: Decision;
}

/** A guarded way to IMDS, for as long as a process lives. */
export interface Guard {
  /**
   * Credentials of the instance role, or of the role that environment or profile name with a certificate (IAM Roles
   * Anywhere, AWS IoT): those are never followed by the instance's. Of the instance: decided, pinned, attested, bound, then kept and renewed ahead of their end.
   * Concurrent calls share one exchange.
   * @throws ImdsGuardError of any kind; see `code`
   */
  credentials(options?: { readonly forceRefresh?: boolean | undefined }): Promise<GuardedCredentials>;
  /**
   * Holds credentials from elsewhere against `expectedAccounts` and, with `verifyWithSts`, against what STS says of
   * them. `link` names their source in the error. Returns them; without `accountId` where that is not the account of
   * their key.
   */
  verify<C extends Verifiable>(credentials: C, link: string): Promise<C>;
  /** The verdict on this host with all its evidence, and whether IMDS may be asked. Sends nothing. */
  whereAmI(): Promise<Whereabouts>;
  /**
   * The region: as configured (`AWS_REGION`, profile), else that of the signed identity document. Never one that a
   * responder merely states.
   * @throws ImdsGuardError; `ERR_IMDS_NO_REGION` where nothing vouches for one
   */
  region(): Promise<string>;
  /**
   * The signed identity document, verified and bound to this host. Undefined where attestation is off or not possible.
   */
  identity(): Promise<IdentityDocument | undefined>;
  /**
   * GET of a metadata path, `/latest/...`, from the proved responder: decided, pinned, IMDSv2, at most 64 KiB. Paths
   * that hold credentials are refused: {@link Guard.credentials} checks what it hands out.
   */
  metadata(path: string): Promise<string>;
  /** An IMDSv2 session token of the proved responder, for programs that speak to it themselves. A secret. */
  metadataToken(): Promise<string>;
  /** What the last credentials rest on, or undefined before any were obtained. */
  attestation(): AttestationReport | undefined;
  /** Flushes events and ends the guard: later calls are refused with `ERR_IMDS_GUARD_CLOSED`. */
  close(): Promise<void>;
}

/** What those parts of this package are given that work on a guard's behalf. */
export interface GuardServices extends Pick<
  Resolved,
  "settings" | "profile" | "log" | "eventsFile" | "eventFormat" | "telemetry"
> {
  readonly reporter: Reporter;
  readonly system: System;
  /** GET of any path behind `/latest/` from the proved responder, as bytes. */
  readonly fetch: (path: string) => Promise<Buffer>;
  /** Credentials with the name of their role, held and renewed as {@link Guard.credentials}. */
  readonly acquired: () => Promise<Acquired>;
  /** Links that rest on a certificate; they end with the guard. */
  readonly links: Links;
  /** The link that environment or profile name with a certificate, or undefined. */
  readonly certificateLink: () => Promise<CertificateLink | undefined>;
  /** Credentials of the instance, whatever else the profile names. */
  readonly ofInstance: Guard["credentials"];
}

/** Registered, so that a guard of one copy of this package is one to another. It goes along where a guard is spread. */
export const INTERNALS = Symbol.for("imds-guard.guard.1");

/** What every copy of this package finds at {@link INTERNALS}. Later versions add to it and change nothing that is there. */
export interface GuardInternals {
  readonly services: () => Promise<GuardServices>;
  readonly profileName: () => string | undefined;
  readonly ofProfile: (profile: string | undefined, where: ConfigFileLocations, byEnvironment?: boolean) => Guard;
}

function internalsOf(guard: Guard): GuardInternals {
  if (!isGuard(guard)) throw invalidArgument("guard", guard, "what createGuard returned");
  return (guard as Guard & { readonly [INTERNALS]: GuardInternals })[INTERNALS];
}

/** Whether a value is a guard, of whatever copy of this package. */
export function isGuard(value: unknown): value is Guard {
  return typeof value === "object" && value !== null && Object.hasOwn(value, INTERNALS);
}

/** Credentials of the instance, whatever else the guard's profile names. */
export async function instanceCredentials(guard: Guard, forceRefresh?: boolean): Promise<GuardedCredentials> {
  return (await servicesOf(guard)).ofInstance({ forceRefresh });
}

/** Settings, reporter and system of a guard, for those parts of this package that work on its behalf. */
export async function servicesOf(guard: Guard): Promise<GuardServices> {
  return internalsOf(guard).services();
}

/** The profile that the options of a guard name. */
export function profileNameOf(guard: Guard): string | undefined {
  return internalsOf(guard).profileName();
}

/**
 * The guard with the settings of another profile, or of files at another place. It asks with the same options and
 * reports to the same sinks, is made once, and is closed with the guard.
 */
export function guardOfProfile(guard: Guard, profile: string | undefined, where: ConfigFileLocations = {}): Guard {
  return internalsOf(guard).ofProfile(profile, where);
}

/**
 * The same for whoever names no profile: the guard with the settings of the one that the environment names now. It may
 * have named another when the guard read its settings.
 */
export function guardOfEnvironment(guard: Guard, { env }: Pick<System, "env">, where: ConfigFileLocations = {}): Guard {
  return internalsOf(guard).ofProfile(profileIn(env), where, true);
}
