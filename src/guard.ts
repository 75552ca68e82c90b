/** Wires the rooms together: settings, host, decision, session, proof, life and events of one guard. */
import type { Verifiable } from "./account-gate.js";
import { checkAccount } from "./account-gate.js";
import type { Acquired, AttestationReport } from "./acquire.js";
import type { KeyRing } from "./attest/user-keys.js";
import { createKeyRing, parseTrustedKeys } from "./attest/user-keys.js";
import type { Contact, Decision, Refusal, Target } from "./decide.js";
import { decide } from "./decide.js";
import type { ImdsGuardErrorCode } from "./errors.js";
import { ImdsGuardError, ImdsRefusedError, printable } from "./errors.js";
import type { EventCode } from "./events/catalogue.js";
import type { Reporter } from "./events/reporter.js";
import { createReporter } from "./events/reporter.js";
import type { Sink } from "./events/sinks.js";
import { callbackSink, diagnosticsChannelSink, loggerSink, stderrSink } from "./events/sinks.js";
import type { HostReport } from "./host/report.js";
import type { Lifetime } from "./lifetime.js";
import { createLifetime } from "./lifetime.js";
import type { ConfigFileLocations } from "./settings/config-files.js";
import type { GuardOptions } from "./settings/options.js";
import type { Resolved } from "./settings/resolve.js";
import { checkOptions, resolveSettings } from "./settings/resolve.js";
import type { StsGate, StsGateOptions } from "./sts-gate.js";
import { createStsGate } from "./sts-gate.js";
import type { System } from "./system.js";
import { realSystem } from "./system.js";

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
   * Credentials of the instance role: decided, pinned, attested, bound, then kept and renewed ahead of their end.
   * Concurrent calls share one exchange.
   * @throws ImdsGuardError of any kind; see `code`
   */
  credentials(options?: { readonly forceRefresh?: boolean | undefined }): Promise<GuardedCredentials>;
  /**
   * Holds credentials from elsewhere against `expectedAccounts` and, with `verifyWithSts`, against what STS says of them.
   * `link` names their source in the error. Returns them unchanged.
   */
  verify<C extends Verifiable>(credentials: C, link: string): Promise<C>;
  /** The verdict on this host with all its evidence, and whether IMDS may be asked. Sends nothing. */
  whereAmI(): Promise<Whereabouts>;
  /** What the last credentials rest on, or undefined before any were obtained. */
  attestation(): AttestationReport | undefined;
  /** Flushes events and ends the guard: later calls are refused with `ERR_IMDS_GUARD_CLOSED`. */
  close(): Promise<void>;
}

/** What only tests and this package's own providers pass. */
export interface Surroundings {
  readonly system?: System;
  readonly locations?: ConfigFileLocations;
  readonly sts?: StsGateOptions["sts"];
}

interface Opened extends Resolved {
  readonly reporter: Reporter;
  readonly keyRing: KeyRing;
  readonly askSts: StsGate;
}

interface Place extends Whereabouts, Opened {}

/**
 * Creates a guard. Nothing is read or sent before the first call.
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is unknown or not allowed
 */
export function createGuard(options: GuardOptions = {}, surroundings: Surroundings = {}): Guard {
  checkOptions(options);
  keyRingOf(Object.entries(options.certificates ?? {}));
  const { system = realSystem, locations = {}, sts } = surroundings;
  let opening: Promise<Opened> | undefined;
  let placing: Promise<Place> | undefined;
  let living: Promise<Lifetime<Acquired>> | undefined;
  let last: Acquired | undefined;
  let closed = false;

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
      const keyRing = keyRingOf(resolved.settings.certificates);
      const askSts = createStsGate({ settings: resolved.settings, keyRing, sts });
      return { ...resolved, keyRing, askSts, reporter: await openReporter(options, resolved, system) };
    } catch (error) {
      const fallback = createReporter({ system, sinks: plainSinks(options, options.log ?? "warning") });
      if (error instanceof ImdsGuardError) fallback.report("settings.invalid", { message: error.message, evidence: error.evidence, advice: error.advice });
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
    const { settings, reporter, fileProblem: problem } = opened;
    if (problem) {
      reporter.report("settings.file_unusable", { message: problem.message, evidence: problem.evidence, advice: problem.advice });
      throw problem;
    }
    const host = await hostOf(system);
    const decision = decide(settings, host);
    if (decision.kind === "refuse") {
      const { event: code, reason, evidence, advice, target } = decision;
      reporter.report(code, { message: `IMDS was not asked: ${reason}`, evidence, advice, endpoint: endpointOf(target) });
    } else {
      for (const notice of decision.notices) reporter.report(notice.code, { ...notice, endpoint: endpointOf(decision.target) });
    }
    return { ...opened, host, decision };
  }

  async function live(here: Place & { decision: Contact }): Promise<Lifetime<Acquired>> {
    const { decision, reporter } = here;
    const { openLine } = await import("./line.js");
    const acquirer = await openLine({ ...here, system });
    return createLifetime<Acquired>({
      system,
      async acquire() {
        try {
          const acquired = await acquirer.acquire();
          const document = acquired.attestation.document;
          const instanceId = document?.instanceId ?? here.host.instanceId;
          await here.askSts(acquired, { account: document?.accountId, instanceId, region: document?.region });
          return (last = acquired);
        } catch (error) {
          if (error instanceof ImdsGuardError) reportFailure(reporter, error, decision.target);
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
  }

  return {
    async credentials({ forceRefresh } = {}) {
      if (closed) throw closedError();
      const here = await place();
      const { decision } = here;
      if (decision.kind === "refuse") {
        watch(here, decision);
        throw refusalError(decision);
      }
      living ??= live({ ...here, decision }).catch((error: unknown) => {
        living = undefined;
        if (error instanceof ImdsGuardError) reportFailure(here.reporter, error, decision.target);
        throw error;
      });
      const acquired = await (await living).get({ forceRefresh });
      const { accessKeyId, secretAccessKey, sessionToken, expiration, accountId } = acquired;
      return { accessKeyId, secretAccessKey, sessionToken, expiration, ...(accountId !== undefined && { accountId }) };
    },
    async verify(credentials, link) {
      const { settings, reporter, askSts } = await open();
      try {
        checkAccount(credentials, link, settings);
        await askSts(credentials, {});
        return credentials;
      } catch (error) {
        if (error instanceof ImdsGuardError) reportFailure(reporter, error);
        throw error;
      }
    },
    async whereAmI() {
      const { host, decision } = await place();
      return { host, decision };
    },
    attestation: () => last?.attestation,
    async close() {
      closed = true;
      (await living?.catch(() => undefined))?.drop();
      last = undefined;
      const opened = await opening?.catch(() => undefined);
      await opened?.reporter.close();
    },
  };

  function watch({ settings, host, reporter }: Place, refusal: Refusal): void {
    const offEc2 = refusal.code === "ERR_IMDS_NOT_EC2" || refusal.code === "ERR_IMDS_HOST_UNKNOWN";
    if (!offEc2 || settings.probe === "off") return;
    const target = { address: refusal.target.host, port: refusal.target.port };
    void import("./off-ec2-watch.js").then(({ watchOffEc2 }) => watchOffEc2(target, host.verdict, reporter, system));
  }
}

const hosts = new WeakMap<System, Promise<HostReport>>();

/** A host does not change while a process lives. */
function hostOf(system: System): Promise<HostReport> {
  let host = hosts.get(system);
  if (!host) {
    host = import("./host/detect.js").then(({ detectHost }) => detectHost(system));
    hosts.set(system, host);
  }
  return host;
}

function keyRingOf(certificates: Iterable<readonly [string, string]>): KeyRing {
  return createKeyRing(new Map(Array.from(certificates, ([region, pem]) => [region, parseTrustedKeys(region, pem)] as const)));
}

function plainSinks(options: GuardOptions, log: Resolved["log"]): Sink[] {
  const sinks = [stderrSink({ threshold: log }), diagnosticsChannelSink()];
  if (options.onEvent) sinks.push(callbackSink(options.onEvent));
  if (options.logger) sinks.push(loggerSink(options.logger));
  return sinks;
}

async function openReporter(options: GuardOptions, { log, eventsFile: file }: Resolved, system: System): Promise<Reporter> {
  const sinks = plainSinks(options, log);
  if (file !== undefined) {
    const { fileSink } = await import("./events/file-sink.js");
    const onFailure = (code: string): void => {
      reporter.report("events.file_failing", {
        message: `Events cannot be written to ${printable(file, 200)} (${code}); up to 256 wait for it`,
        advice: "Name a regular file in an existing directory that this process may write.",
      });
    };
    sinks.push(fileSink(file, { onFailure }));
  }
  const reporter = createReporter({ system, sinks });
  return reporter;
}

function endpointOf(target: Target): { address: string; port: number } {
  return { address: target.host, port: target.port };
}

function refusalError({ code, reason, evidence, advice }: Refusal): ImdsRefusedError {
  return new ImdsRefusedError(code, `IMDS was not asked: ${reason}`, { evidence, advice });
}

function closedError(): ImdsRefusedError {
  return new ImdsRefusedError("ERR_IMDS_GUARD_CLOSED", "IMDS was not asked: this guard is closed", { advice: "Create another guard." });
}

/** The event for each error code; codes that are not listed are plain unavailability. */
const EVENT_OF: Partial<Record<ImdsGuardErrorCode, EventCode>> = {
  ERR_IMDS_TOKEN_TIMEOUT: "imds.token_timeout",
  ERR_IMDS_FORBIDDEN: "imds.forbidden",
  ERR_IMDS_NO_ROLE: "imds.no_role",
  ERR_IMDS_PEER_MISMATCH: "imds.peer_mismatch",
  ERR_IMDS_REDIRECT: "imds.redirect_refused",
  ERR_IMDS_V1_ONLY: "imds.v1_only_responder",
  ERR_IMDS_TOO_LARGE: "imds.oversized_answer",
  ERR_IMDS_MALFORMED: "imds.malformed_answer",
  ERR_IMDS_ATTESTATION_MISSING: "imds.attestation_failed",
  ERR_IMDS_ATTESTATION_INVALID: "imds.attestation_failed",
  ERR_IMDS_ATTESTATION_REGION: "imds.attestation_failed",
  ERR_IMDS_INSTANCE_MISMATCH: "imds.instance_mismatch",
  ERR_IMDS_ACCOUNT_MISMATCH: "imds.account_mismatch",
  ERR_IMDS_ROLE_MISMATCH: "imds.account_mismatch",
  ERR_IMDS_IDENTITY_CHANGED: "imds.identity_changed",
  ERR_IMDS_ACCOUNT_UNEXPECTED: "credentials.account_unexpected",
  ERR_IMDS_ACCOUNT_UNKNOWN: "credentials.account_unknown",
  ERR_IMDS_ROLE_UNEXPECTED: "credentials.role_unexpected",
  ERR_IMDS_REGION_UNEXPECTED: "credentials.role_unexpected",
  ERR_IMDS_STS_MISMATCH: "credentials.sts_mismatch",
  ERR_IMDS_STS_UNAVAILABLE: "credentials.sts_unavailable",
};

function reportFailure(reporter: Reporter, error: ImdsGuardError, target?: Target): void {
  const { message, evidence, advice } = error;
  reporter.report(EVENT_OF[error.code] ?? "imds.unavailable", { message, evidence, advice, ...(target && { endpoint: endpointOf(target) }) });
}
