/** The life of credentials that a certificate gives: one session for all callers, renewed ahead, held to its end. */
import { fact, ImdsGuardError, isImdsGuardError } from "../base/errors.js";
import type { Reporter } from "../events/reporter.js";
import { createLifetime } from "../base/lifetime.js";
import type { System } from "../base/system.js";
import type { SessionCredentials } from "./answer.js";
import type { Identity, SessionPlan } from "./create-session.js";
import { createSession } from "./create-session.js";
import { clockInWords } from "./failures.js";
import type { IdentityLoader } from "./identity.js";

/** Credentials for as long as somebody asks. */
export interface CertificateLink {
  get(options?: { readonly forceRefresh?: boolean | undefined }): Promise<SessionCredentials>;
  /** Forgets what is held. */
  drop(): void;
}

/** What every link of this kind works with. */
export interface LinkDependencies {
  readonly system: System;
  readonly reporter: Pick<Reporter, "report">;
  /** Milliseconds for one session with its retries. */
  readonly timeoutMs: number;
  readonly maxRetries: number;
  /** Holds new credentials against what the user expects of them; throws what it finds. */
  readonly verify: (credentials: SessionCredentials) => Promise<unknown>;
}

/** How one session is obtained; `aheadMs` is what is known of this host's clock. */
export type Obtain = (
  identity: Identity,
  clock: { readonly aheadMs: number; readonly onClock: (aheadMs: number) => void },
) => Promise<SessionCredentials>;

/** A link whose sessions come from Roles Anywhere. */
export function createRolesAnywhereLink(
  plan: SessionPlan,
  loader: IdentityLoader,
  dependencies: LinkDependencies,
): CertificateLink {
  const { system, timeoutMs, maxRetries } = dependencies;
  return createCertificateLink("IAM Roles Anywhere", loader, dependencies, (identity, clock) =>
    createSession(identity, plan, { system, timeoutMs, maxRetries, ...clock }),
  );
}

/** A link of either kind. `service` names it in events. */
export function createCertificateLink(
  service: string,
  loader: IdentityLoader,
  { system, reporter, verify }: LinkDependencies,
  obtain: Obtain,
): CertificateLink {
  let aheadMs = 0;
  let until = 0;
  const now = (): number => system.now() - aheadMs;
  const onClock = (seen: number): void => {
    if (Math.abs(seen - aheadMs) < CLOCK_NEWS_MS) return;
    aheadMs = seen;
    const words = clockInWords(seen) ?? "right again";
    reporter.report("roles_anywhere.clock_off", {
      message: `The clock of this host is ${words}, as ${service} shows; requests are signed with AWS's time`,
      evidence: [fact("Date of the answer", `this host is ${words}`, new Date(now()).toISOString())],
      advice: "Set it right, and keep it so with NTP: every other signature for AWS depends on it, too.",
    });
  };

  async function acquire(): Promise<SessionCredentials> {
    try {
      const identity = await loader.load(now());
      const credentials = await obtain(identity, { aheadMs, onClock });
      await verify(credentials);
      until = credentials.expiration.getTime();
      reporter.report("roles_anywhere.session_obtained", {
        message: `Credentials obtained from ${service}, until ${credentials.expiration.toISOString()}`,
        advice: "",
      });
      return credentials;
    } catch (error) {
      if (error instanceof ImdsGuardError && error.kind === "roles-anywhere") report(error);
      throw error;
    }
  }

  function report({ message, evidence, advice, code }: ImdsGuardError): void {
    const facts = [fact(service, "is the code of the error", code), ...evidence];
    if (until > now())
      reporter.report("roles_anywhere.renewal_failed", {
        message: `${message}. Credentials held are served to their end, ${new Date(until).toISOString()}`,
        evidence: facts,
        advice,
      });
    else reporter.report("roles_anywhere.failed", { message, evidence: facts, advice });
  }

  const lifetime = createLifetime<SessionCredentials>({
    system: { now, monotonic: system.monotonic, random: system.random },
    acquire,
    judge: (error) => (isImdsGuardError(error) && !FINDINGS.includes(error.code) ? "keep" : "drop"),
  });
  return {
    get: (options) => lifetime.get(options),
    drop: () => {
      until = 0;
      lifetime.drop();
    },
  };
}

/** A clock that drifts by less is no news. */
const CLOCK_NEWS_MS = 10_000;

/** What says that something is wrong with the credentials, and not with obtaining them. */
const FINDINGS: readonly string[] = [
  "ERR_ROLES_ANYWHERE_ACCOUNT",
  "ERR_ROLES_ANYWHERE_ROLE",
  "ERR_IMDS_ACCOUNT_UNEXPECTED",
  "ERR_IMDS_ACCOUNT_UNKNOWN",
  "ERR_IMDS_STS_MISMATCH",
];
