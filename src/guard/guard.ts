/** Wires the rooms together: settings, host, decision, session, proof, life and events of one guard. */
import type { Verifiable } from "./accounts.js";
import { contradictionOf, requireExpectedAccount } from "./accounts.js";
import type { Acquired, Acquirer, AttestationReport } from "./acquire.js";
import type { IdentityDocument } from "../attest/identity-document.js";
import type { KeyRing } from "../attest/key-ring.js";
import { createKeyRing, parseTrustedKeys } from "../attest/key-ring.js";
import { checkedRegion, noRegion } from "./configured-region.js";
import type { Contact, Decision, Refusal, Target } from "./decide.js";
import { decide, reportRefusal } from "./decide.js";
import { noteRoleName } from "./role-name.js";
import { accountOfAccessKey } from "../aws/access-key.js";
import { ImdsGuardError, ImdsRefusedError, ImdsUnavailableError, invalidArgument } from "../base/errors.js";
import { loadExtra } from "../base/extra.js";
import type { Reporter } from "../events/reporter.js";
import { atLeast, CATALOGUE } from "../events/catalogue.js";
import { reportFailure } from "../events/failure-events.js";
import { sayRefusal } from "../events/refusal-line.js";
import { openReporter, plainReporter } from "./reporter.js";
import { detectHost } from "../host/detect.js";
import type { HostReport } from "../host/report.js";
import type { Lifetime } from "../base/lifetime.js";
import type { Links } from "./certificate-links.js";
import type { CertificateLink } from "../roles-anywhere/certificate-link.js";
import { createLifetime } from "../base/lifetime.js";
import { ownProperties, ownProperty } from "../base/own-properties.js";
import { checkMetadataPath } from "./metadata.js";
import { kindsInEnvironment, namesCertificate } from "../settings/certificate-names.js";
import type { ConfigFileLocations } from "../settings/locations.js";
import type { GuardOptions } from "../settings/options.js";
import type { Resolved } from "../settings/resolve.js";
import { snapshotOptions } from "../settings/check-options.js";
import { NOWHERE } from "../settings/endpoint.js";
import { resolveSettings } from "../settings/resolve.js";
import type { StsGate, StsGateOptions } from "./sts.js";
import { createStsGate } from "./sts.js";
import type { System } from "../base/system.js";
import { realSystem } from "../base/system.js";

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

/** What only tests and this package's own providers pass. */
export interface GuardDependencies {
  readonly system?: System;
  readonly locations?: ConfigFileLocations;
  readonly sts?: StsGateOptions["sts"];
  /** Whether a refusal is said on stderr, because those who ask keep errors to themselves. */
  readonly speaks?: boolean;
  /** Guards of one application for several profiles: a finding of one is a finding for all. */
  readonly family?: GuardFamily;
}

/** What guards have in common that only differ in the profile whose settings they follow. */
export interface GuardFamily {
  findings: number;
  readonly members: Map<string, Guard>;
  /** Lets go of the credentials that each member holds. */
  readonly drops: Set<() => void>;
}

interface Opened extends Resolved {
  readonly reporter: Reporter;
  readonly keyRing: KeyRing;
  readonly askSts: StsGate;
}

interface Place extends Whereabouts, Opened {}

interface Line {
  readonly acquirer: Acquirer;
  readonly lifetime: Lifetime<Acquired>;
}

/**
 * Creates a guard. Nothing is read or sent before the first call.
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is unknown or not allowed
 */
export function createGuard(given: GuardOptions = {}, dependencies: GuardDependencies = {}): Guard {
  const options = snapshotOptions(given);
  const givenKeys = keyRingOf(Object.entries(options.certificates ?? {}));
  const own = ownProperties(dependencies);
  const { system = realSystem, locations = {}, sts } = own;
  const isFirst = own.family === undefined;
  const family = own.family ?? { findings: 0, members: new Map<string, Guard>(), drops: new Set() };
  let opening: Promise<Opened> | undefined;
  let placing: Promise<Place> | undefined;
  let living: Promise<Line> | undefined;
  let last: Acquired | undefined;
  let closed = false;
  let watched = false;
  let announced = false;
  /** Ends what goes on in the background. */
  const ending = new AbortController();

  /** Settings that cannot be honoured are not remembered: the next call reads them again. */
  function open(): Promise<Opened> {
    opening ??= openOnce().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  }

  async function openOnce(): Promise<Opened> {
    try {
      const resolved = await resolveSettings(options, system, locations);
      const { sources, certificates } = resolved.settings;
      const keyRing = sources["certificates"] === "option" ? givenKeys : keyRingOf(certificates);
      const connection = { ca: options.stsCa, proxy: options.stsProxy };
      const askSts = createStsGate({ settings: resolved.settings, keyRing, connection, sts });
      const reporter = await openReporter(options, resolved, system);
      for (const warning of resolved.warnings) reporter.report(warning.code, warning);
      return { ...resolved, keyRing, askSts, reporter };
    } catch (error) {
      const fallback = plainReporter(options, system);
      if (error instanceof ImdsGuardError)
        fallback.report("settings.invalid", { message: error.message, evidence: error.evidence, advice: error.advice });
      throw error;
    }
  }

  function place(): Promise<Place> {
    placing ??= findPlace().catch((error: unknown) => {
      placing = undefined;
      throw error;
    });
    return placing;
  }

  async function findPlace(): Promise<Place> {
    const opened = await open();
    const { settings, reporter, problem } = opened;
    if (problem) {
      opening = undefined;
      const event = problem.code === "ERR_IMDS_GUARD_CONFIG_FILE" ? "settings.file_unusable" : "settings.invalid";
      reporter.report(event, { message: problem.message, evidence: problem.evidence, advice: problem.advice });
      throw problem;
    }
    const host = await hostOf(system);
    const decision = decide(settings, host);
    return { ...opened, host, decision };
  }

  /** Told once somebody wants something of IMDS: whoever only asks where this host is has no use for it. */
  function announce({ decision, reporter }: Place): void {
    if (announced) return;
    announced = true;
    if (decision.kind === "refuse") return reportRefusal(reporter, decision);
    for (const notice of decision.notices)
      reporter.report(notice.code, { ...notice, endpoint: endpointOf(decision.target) });
  }

  /** Where the event is printed it says the same; where `exec` shut IMDS, it has said why. */
  function speak({ log }: Place, refusal: Refusal): void {
    const { severity } = CATALOGUE[refusal.event];
    if (log === "off" || atLeast(severity, log)) return;
    if (refusal.code === "ERR_IMDS_DISABLED" && system.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] === NOWHERE) return;
    sayRefusal(refusal, system.now());
  }

  async function live(here: Place & { decision: Contact }): Promise<Line> {
    const { decision, reporter } = here;
    const { openAcquirer } = await import("./open-acquirer.js");
    const acquirer = await openAcquirer({ ...here, system });
    const drop = (): void => lifetime.drop();
    const lifetime: Lifetime<Acquired> = createLifetime<Acquired>({
      system,
      async acquire(forced) {
        try {
          const acquired = await acquirer.acquire(forced);
          const { document } = acquired.attestation;
          const key = accountOfAccessKey(acquired.accessKeyId);
          const account = key.kind === "known" ? key.accountId : document?.accountId;
          // A role of another expected account was assumed by somebody for this process, in a session of any name.
          const own = document === undefined || account === document.accountId;
          await here
            .askSts(acquired, {
              account,
              roleName: acquired.roleName,
              instanceId: own ? (document?.instanceId ?? here.host.instanceId) : undefined,
              region: document?.region,
            })
            .catch((error: unknown) => {
              // What has ended is refused by STS, whoever gave it.
              throw acquired.overdue ?? error;
            });
          return (last = acquired);
        } catch (error) {
          if (error instanceof ImdsGuardError) reportFailure(reporter, error, endpointOf(decision.target));
          if (!(error instanceof ImdsUnavailableError)) noteFinding(drop);
          throw error;
        }
      },
      onExtended(original, until, cause) {
        reporter.report("imds.static_stability", {
          message: `IMDS is out (${cause.code}): credentials that ended at ${original.expiration.toISOString()} are served until ${until.toISOString()}`,
          endpoint: endpointOf(decision.target),
          evidence: cause.evidence,
          advice: cause.advice,
        });
      },
    });
    family.drops.add(drop);
    return { acquirer, lifetime };
  }

  /** What the others hold rests on the same host; whoever found it lets go by itself. */
  function noteFinding(by?: () => void): void {
    family.findings += 1;
    for (const drop of family.drops) if (drop !== by) drop();
  }

  /** The open line to IMDS, or the refusal. */
  async function line(speaks = false): Promise<Line> {
    const here = await whileOpen(place);
    const { decision } = here;
    announce(here);
    if (decision.kind === "refuse") {
      if (speaks && own.speaks === true) speak(here, decision);
      watch(here, decision);
      throw refusalError(decision);
    }
    living ??= live({ ...here, decision }).catch((error: unknown) => {
      living = undefined;
      if (error instanceof ImdsGuardError) reportFailure(here.reporter, error, endpointOf(decision.target));
      throw error;
    });
    return living;
  }

  async function ask<T>(question: (acquirer: Acquirer) => Promise<T>, speaks = false): Promise<T> {
    const { acquirer } = await line(speaks);
    try {
      return await question(acquirer);
    } catch (error) {
      if (error instanceof ImdsGuardError) {
        const { reporter, decision } = await place();
        reportFailure(reporter, error, endpointOf(decision.target));
        if (!(error instanceof ImdsUnavailableError)) noteFinding();
      }
      throw error;
    }
  }

  const identify = async (): Promise<IdentityDocument | undefined> =>
    (await ask((acquirer) => acquirer.identify())).document;

  const links: Links = new Map();

  /** The link that environment or profile name instead of the instance, or undefined. */
  async function certificateLink(): Promise<CertificateLink | undefined> {
    const { profile, settings, reporter } = await whileOpen(open);
    if (kindsInEnvironment(system.env).length === 0 && !namesCertificate(profile)) return undefined;
    const { chooseCertificate, linkFor } = await loadExtra(
      "certificates",
      "a profile or variable of a certificate",
      () => {
        return import("./certificate-links.js");
      },
    );
    const environment = options.profile === undefined ? "all" : "adds";
    const choice = chooseCertificate({ system, profile, environment });
    if (choice === undefined) return undefined;
    const verify = (credentials: Verifiable): Promise<unknown> => guard.verify(credentials, "certificate");
    return linkFor(choice, { system, profile }, { links, system, reporter, settings, verify });
  }

  const ofInstance: Guard["credentials"] = async ({ forceRefresh } = {}) => {
    const { lifetime } = await line(true);
    const served = await lifetime.get({ forceRefresh });
    const { accessKeyId, secretAccessKey, sessionToken, expiration, accountId } = served;
    const credentials = {
      accessKeyId,
      secretAccessKey,
      sessionToken,
      expiration,
      ...(accountId !== undefined && { accountId }),
    };
    const before = family.findings;
    const state = (): CredentialState => {
      if (closed || family.findings !== before) return "withdrawn";
      return lifetime.isDue(served) ? "due" : "current";
    };
    noteRoleName(credentials, served.roleName);
    return withCredentialState(credentials, state);
  };

  const guard: Guard = {
    async credentials(call) {
      const forceRefresh = ownProperty(call, "forceRefresh");
      const link = await certificateLink();
      return link === undefined ? ofInstance({ forceRefresh }) : { ...(await link.get({ forceRefresh })) };
    },
    async region() {
      const { settings, profile } = await whileOpen(open);
      if (settings.configuredRegion !== undefined) return checkedRegion(settings.configuredRegion);
      // Where credentials come from elsewhere, IMDS is asked for nothing.
      if (kindsInEnvironment(system.env).length > 0 || namesCertificate(profile)) throw noRegion();
      const here = await whileOpen(place);
      if (here.decision.kind === "refuse") {
        announce(here);
        throw noRegion(here.decision);
      }
      const region = (await identify())?.region;
      if (region === undefined) throw noRegion();
      return region;
    },
    identity: identify,
    async metadata(path) {
      checkMetadataPath(path);
      return (await ask((acquirer) => acquirer.fetch(path), true)).toString("utf8");
    },
    metadataToken: () => ask((acquirer) => acquirer.token(), true),
    async verify(credentials, link) {
      const { settings, reporter, askSts } = await whileOpen(open);
      try {
        // Where the key tells its account, a wrong one is refused without a packet.
        const told = accountOfAccessKey(credentials.accessKeyId).kind === "known";
        if (told) requireExpectedAccount(credentials, link, settings);
        const stsAccount = await askSts(credentials, {});
        if (!told) requireExpectedAccount(credentials, link, settings, stsAccount);
        const contradiction = contradictionOf(credentials, link, stsAccount);
        if (contradiction === undefined) return credentials;
        reporter.report("credentials.stated_account_dropped", {
          message: `The account stated with the credentials from ${link} is not that of their key; it was dropped`,
          evidence: contradiction,
          advice: "Correct or remove AWS_ACCOUNT_ID, aws_account_id or the AccountId of the process.",
        });
        const { accountId: _, ...rest } = credentials;
        return rest as typeof credentials;
      } catch (error) {
        if (error instanceof ImdsGuardError) reportFailure(reporter, error);
        throw error;
      }
    },
    async whereAmI() {
      const { host, decision } = await whileOpen(place);
      // Plain values, with everything that is worked out only for those who ask.
      return { host: { ...host }, decision: { ...decision } };
    },
    attestation: () => last?.attestation,
    async close() {
      closed = true;
      ending.abort();
      for (const link of links.values()) link.drop();
      links.clear();
      (await living?.catch(() => undefined))?.lifetime.drop();
      last = undefined;
      const opened = await opening?.catch(() => undefined);
      await opened?.reporter.close();
      if (isFirst) await Promise.all(Array.from(family.members.values(), (member) => member.close()));
    },
  };
  const internals: GuardInternals = {
    services: async () => ({
      ...(await whileOpen(open)),
      system,
      fetch: (path) => ask((acquirer) => acquirer.fetch(path)),
      acquired: async () => (await line()).lifetime.get({}),
      links,
      certificateLink,
      ofInstance,
    }),
    profileName: () => options.profile || undefined,
    ofProfile(profile, where) {
      if (closed) return guard;
      const same = !profile || profile === (options.profile || system.env["AWS_PROFILE"] || "default");
      if (same && where.filepath === locations.filepath && where.configFilepath === locations.configFilepath)
        return guard;
      const key = JSON.stringify([profile, where.filepath, where.configFilepath]);
      let member = family.members.get(key);
      if (member === undefined) {
        member = createGuard({ ...options, ...(profile && { profile }) }, { ...own, locations: where, family });
        family.members.set(key, member);
      }
      return member;
    },
  };
  return Object.assign(guard, { [INTERNALS]: internals });

  /** A guard that was closed meanwhile asks nothing any more. */
  async function whileOpen<T>(step: () => Promise<T>): Promise<T> {
    if (closed) throw closedError();
    const result = await step();
    if (closed) throw closedError();
    return result;
  }

  function watch({ settings, host, reporter }: Place, refusal: Refusal): void {
    const offEc2 = refusal.code === "ERR_IMDS_NOT_EC2" || refusal.code === "ERR_IMDS_HOST_UNKNOWN";
    if (watched || !offEc2 || settings.probe === "off") return;
    watched = true;
    const target = { address: refusal.target.host, port: refusal.target.port };
    // In a later turn, so that loading it does not delay the refusal. That can fail: with no file descriptor left, or
    // with the package replaced on disk while the program runs. The next refusal tries again.
    setImmediate(() => {
      loadExtra("probe", "probe on", () => import("./impersonator-probe.js"))
        .then(({ probeOnce }) => probeOnce(target, host.verdict, reporter, system, ending.signal))
        .catch((error: unknown) => {
          watched = error instanceof ImdsGuardError;
          // Not in this bundle: whoever asked for it by name hears so.
          if (error instanceof ImdsGuardError && Object.hasOwn(settings.sources, "probe"))
            reporter.report("settings.invalid", { message: error.message, advice: error.advice });
        });
    });
  }
}

/**
 * How credentials that a guard handed out stand with it now. `withdrawn`: they rest on proof that a later finding of
 * that guard has shaken, or it was closed; `due`: it holds others, or would renew them if it was asked.
 */
export type CredentialState = "current" | "due" | "withdrawn";

/** Registered, so that a chain of one copy of this package asks the guard of another. */
const CREDENTIAL_STATE = Symbol.for("imds-guard.credentials.1");

/** Credentials of any other source are current. */
export function credentialStateOf(credentials: object): CredentialState {
  if (!Object.hasOwn(credentials, CREDENTIAL_STATE)) return "current";
  return (credentials as { readonly [CREDENTIAL_STATE]: () => CredentialState })[CREDENTIAL_STATE]();
}

/** Lets whoever remembers these credentials ask how they stand. */
export function withCredentialState<C extends object>(credentials: C, state: () => CredentialState): C {
  return Object.defineProperty(credentials, CREDENTIAL_STATE, ownProperties({ value: state }));
}

/** What those parts of this package are given that work on a guard's behalf. */
export interface GuardServices extends Pick<
  Opened,
  "settings" | "reporter" | "profile" | "log" | "eventsFile" | "eventFormat" | "telemetry"
> {
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
const INTERNALS = Symbol.for("imds-guard.guard.1");

interface GuardInternals {
  readonly services: () => Promise<GuardServices>;
  readonly profileName: () => string | undefined;
  readonly ofProfile: (profile: string | undefined, where: ConfigFileLocations) => Guard;
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

const hosts = new WeakMap<System, Promise<HostReport>>();

/** A host does not change while a process lives. */
function hostOf(system: System): Promise<HostReport> {
  let host = hosts.get(system);
  if (!host) {
    host = detectHost(system);
    hosts.set(system, host);
  }
  return host;
}

function keyRingOf(certificates: Iterable<readonly [string, string]>): KeyRing {
  return createKeyRing(
    new Map(Array.from(certificates, ([region, pem]) => [region, parseTrustedKeys(region, pem)] as const)),
  );
}

function endpointOf(target: Target): { address: string; port: number } {
  return { address: target.host, port: target.port };
}

function refusalError(refusal: Refusal): ImdsRefusedError {
  const { code, reason, advice } = refusal;
  return new ImdsRefusedError(code, `IMDS was not asked: ${reason}`, { evidence: () => refusal.evidence, advice });
}

function closedError(): ImdsRefusedError {
  return new ImdsRefusedError("ERR_IMDS_GUARD_CLOSED", "IMDS was not asked: this guard is closed", {
    advice: "Create another guard.",
  });
}
