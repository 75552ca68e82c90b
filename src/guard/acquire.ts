/** One acquisition: proof and credentials over one session, bound to each other before anything is handed out. */
import { DISTRUST, OTHER_SOURCES } from "../base/advice.js";
import { accountOfAccessKey } from "../aws/access-key.js";
import { partitionOfRegion } from "../aws/partitions.js";
import { maskAccessKeyId } from "../base/text.js";
import type { BindingReport } from "../attest/bind.js";
import { bindIdentity } from "../attest/bind.js";
import type { IdentityDocument } from "../attest/identity-document.js";
import { checkAgainstDocument } from "./metadata.js";
import type { KeyRing } from "../attest/key-ring.js";
import type { Proof } from "./decide.js";
import { fact, ImdsImpersonationError, ImdsUnavailableError, ImdsUntrustedError } from "../base/errors.js";
import type { Reporter } from "../events/reporter.js";
import type { HostReport } from "../host/report.js";
import type { RoleCredentials } from "../imds/responses.js";
import { expiredCredentials, parseCredentials } from "../imds/responses.js";
import type { ImdsSession } from "../imds/session.js";
import type { Deadline } from "../imds/transport.js";
import { startDeadline } from "../imds/transport.js";
import type { Identity } from "./prove.js";
import { findingFirst, createProver, NO_IDENTITY } from "./prove.js";
import type { Settings } from "../settings/options.js";
import { MAX_EXTENSION_MS } from "../base/lifetime.js";
import type { System } from "../base/system.js";

/** What was proved about the responder, and what could not be. */
export interface AttestationReport extends Omit<BindingReport, "failure"> {
  /** The signed document, where one was verified. */
  readonly document?: IdentityDocument;
}

/** Credentials with the role they belong to and the proof they rest on. */
export interface Acquired extends RoleCredentials {
  readonly roleName: string;
  readonly attestation: AttestationReport;
  /** Where a proved service gave them past their end: the error that they would be elsewhere. */
  readonly overdue?: ImdsUnavailableError;
}

/** What an acquirer works with. */
export interface AcquireOptions {
  readonly openSession: () => ImdsSession;
  /** One that is open already, and used first. */
  readonly session?: ImdsSession;
  /** Whether key and dates may be made up. Default false. */
  readonly madeUp?: boolean | undefined;
  readonly proof: Proof;
  readonly host: HostReport;
  readonly settings: Settings;
  readonly keyRing: KeyRing;
  readonly reporter: Reporter;
  readonly system: System;
  /** Milliseconds that the first operation has used before, to find out where to ask. Default 0. */
  readonly spentMs?: number;
}

/** Obtains credentials and metadata, again and again, from what has to stay the same responder. */
export interface Acquirer {
  /** `forced`: asks also where it is remembered that nobody answers. */
  acquire(forced?: boolean): Promise<Acquired>;
  /** Proves the responder without credentials; bound to this host, but to no access key. */
  identify(): Promise<AttestationReport>;
  /** GET of a path below `/latest/` from the proved responder. At most 64 KiB. */
  fetch(path: string): Promise<Buffer>;
  /** A session token of the proved responder, for programs that speak IMDSv2 themselves. A secret. */
  token(): Promise<string>;
}

/** Credentials of a role, unparsed. */
interface Offer {
  readonly role: string;
  readonly body: Buffer;
}

/** Called as the requests for credentials go out: the first of them, and the one for the key itself. */
interface Steps {
  readonly onBegun?: () => void;
  readonly onKeyAsked?: () => void;
}

const NO_STEPS: Steps = {};
const MAX_METADATA = 64 * 1024;
/** Codes of an address at which nobody is. */
const NOBODY: readonly string[] = ["ERR_IMDS_TIMEOUT", "ERR_IMDS_TOKEN_TIMEOUT", "ERR_IMDS_UNREACHABLE"];

/** Makes an acquirer. It remembers the role name and the verified identity; a finding makes it forget both. */
export function createAcquirer(options: AcquireOptions): Acquirer {
  const { proof, settings, host, reporter, system } = options;
  const prove = createProver(options);
  let session = options.session ?? options.openSession();
  /** Who it is before it has proved anything. */
  const unproved = proof === "none" ? NO_IDENTITY : undefined;
  let identity: Identity | undefined = unproved;
  let roleName = settings.roleName;
  let lastRole: string | undefined;
  /** Whose verified documents were shown, where nothing on this host tells which is its own. At most two. */
  const shown = new Set<string>();
  /** Who it has been since the first success; never forgotten, because an instance keeps both for life. */
  let established: { accountId: string | undefined; instanceId: string | undefined } = {
    accountId: undefined,
    instanceId: undefined,
  };

  let silence: { readonly since: number; readonly error: ImdsUnavailableError } | undefined;
  let spent = options.spentMs ?? 0;

  function startOperation(): Deadline {
    const deadline = startDeadline(settings.timeout - spent, system.monotonic);
    spent = 0;
    return deadline;
  }

  async function acquire(forced = false): Promise<Acquired> {
    if (!forced) refuseInSilence();
    const deadline = startOperation();
    try {
      const [offered, proved] = await whileProving(deadline, offer);
      return offered ? accept(offered, proved) : await changeRole(deadline);
    } catch (error) {
      throw judged(error);
    }
  }

  /** A finding makes the responder prove itself again; silence on a host that could not be told is remembered. */
  function judged(error: unknown): unknown {
    if (error instanceof ImdsImpersonationError || error instanceof ImdsUntrustedError) forget();
    const nobody = error instanceof ImdsUnavailableError && NOBODY.includes(error.code);
    const known = host.verdict !== "unknown" || established.instanceId !== undefined;
    if (nobody && !known) silence = { since: system.monotonic(), error };
    return error;
  }

  function refuseInSilence(): void {
    if (silence === undefined) return;
    const { since, error } = silence;
    const ago = system.monotonic() - since;
    if (ago < settings.silenceMs) throw nobodyAnswers(error, ago, settings.silenceMs);
    silence = undefined;
  }

  /** Runs `ask` against the responder once that has proved itself; a finding makes it prove itself again. */
  async function afterProof<T>(ask: (deadline: Deadline, attestation: AttestationReport) => Promise<T>): Promise<T> {
    refuseInSilence();
    const deadline = startOperation();
    try {
      const known = identity ?? (await prove(session, deadline));
      const attestation = bind(undefined, known, undefined);
      if (identity !== known) reportIdentity(attestation);
      identity = known;
      return await ask(deadline, attestation);
    } catch (error) {
      throw judged(error);
    }
  }

  function forget(): void {
    session = options.openSession();
    identity = unproved;
    roleName = settings.roleName;
  }

  /**
   * Credentials are asked for beside the proof, and stay unread until it stands. Each part of the proof begins when a
   * request for them is on its way, so that it takes no time of its own.
   */
  async function whileProving<T>(
    deadline: Deadline,
    ask: (deadline: Deadline, steps: Steps) => Promise<T>,
  ): Promise<[T, Identity]> {
    if (identity) return [await ask(deadline, NO_STEPS), identity];
    const [begun, onBegun] = signal();
    const [keyAsked, onKeyAsked] = signal();
    const offering = ask(deadline, { onBegun, onKeyAsked }).finally(() => {
      onBegun();
      onKeyAsked();
    });
    return findingFirst(offering, prove(session, deadline, { begun, keyAsked }));
  }

  function offer(deadline: Deadline, steps: Steps): Promise<Offer | undefined> {
    return roleName === undefined ? offerOfListedRole(deadline, steps) : offerOfKnownRole(roleName, deadline, steps);
  }

  async function offerOfListedRole(deadline: Deadline, steps: Steps): Promise<Offer> {
    const role = await session.roleName(deadline, steps.onBegun);
    return { role, body: await session.roleCredentials(role, deadline, steps.onKeyAsked) };
  }

  /** Undefined where the remembered role is gone. */
  async function offerOfKnownRole(role: string, deadline: Deadline, steps: Steps): Promise<Offer | undefined> {
    const onSent = (): void => {
      steps.onBegun?.();
      steps.onKeyAsked?.();
    };
    try {
      return { role, body: await session.roleCredentials(role, deadline, onSent) };
    } catch (error) {
      if (!(error instanceof ImdsUnavailableError) || error.code !== "ERR_IMDS_NOT_FOUND") throw error;
      if (settings.roleName !== undefined) throw noSuchRole(role, error);
      return undefined;
    }
  }

  function accept({ role, body }: Offer, proved: Identity): Acquired {
    const now = system.now();
    const credentials = parseCredentials(body, now, options.madeUp);
    const attestation = bind(role, proved, credentials);
    const overdue =
      credentials.expiration.getTime() <= now
        ? expiredCredentials(credentials.expiration, now, session.responderTime)
        : undefined;
    const servable = attestation.level !== "none" && now - credentials.expiration.getTime() < MAX_EXTENSION_MS;
    if (overdue !== undefined && !servable) throw overdue;
    silence = undefined;
    if (identity !== proved || roleName !== role) {
      reportIdentity(attestation);
      reportUntoldAccount(attestation, credentials.accessKeyId);
    }
    if (lastRole !== undefined && lastRole !== role) reportRoleChange(lastRole, role);
    identity = proved;
    roleName = role;
    lastRole = role;
    if (overdue === undefined)
      reporter.report("imds.credentials_obtained", {
        message: "Credentials obtained",
        endpoint: session.pin,
        claimed: { roleName: role, accessKeyId: credentials.accessKeyId, accountId: attestation.document?.accountId },
      });
    return { ...credentials, roleName: role, attestation, ...(overdue && { overdue }) };
  }

  /** The remembered role is gone: whoever names another one has to prove itself again, now or whenever it answers. */
  async function changeRole(deadline: Deadline): Promise<Acquired> {
    roleName = undefined;
    identity = unproved;
    const [offered, proved] = await whileProving(deadline, offerOfListedRole);
    return accept(offered, proved);
  }

  function reportRoleChange(before: string, now: string): void {
    reporter.report("imds.role_changed", {
      message: "Role of the instance changed",
      endpoint: session.pin,
      claimed: { roleName: now },
      evidence: [fact("role listing", "another role is attached now", `${before} -> ${now}`)],
    });
  }

  /** Without `credentials` only the document is held against the host and the expectations. */
  function bind(
    role: string | undefined,
    proved: Identity,
    credentials: RoleCredentials | undefined,
  ): AttestationReport {
    const key = credentials && accountOfAccessKey(credentials.accessKeyId);
    const accountId = key?.kind === "known" ? key.accountId : undefined;
    // Where accounts are expected, what is established is one of them.
    if (!isExpected(accountId)) refuseChange("accountId", accountId);
    refuseChange("accountId", proved.document?.accountId);
    refuseChange("instanceId", proved.document?.instanceId);
    if (proved.document) refuseSecondDocument(proved.document);

    const input = {
      document: proved.document,
      hostInstanceId: host.instanceId,
      hostInstanceIdMissing:
        host.virtualization === "nitro" || host.virtualization === undefined
          ? undefined
          : "Xen instances have no board asset tag",
      accessKeyId: credentials?.accessKeyId,
      accountIdField: credentials?.accountId,
      instanceProfileArn: proved.instanceProfileArn,
      instanceProfileId: proved.instanceProfileId,
      roleName: role,
      requestedRole: credentials && settings.roleName,
      expectedAccounts: settings.expectedAccounts,
      expectedRoles: credentials && settings.expectedRoles,
      expectedRegions: proof === "none" ? [] : settings.expectedRegions,
      onUnknownAccount: settings.onUnknownAccount,
    };
    const report = bindIdentity(input);
    // An unverified document proves nothing, but one that contradicts this host or key gives its author away.
    const failure = report.failure ?? (proved.claim && bindIdentity({ ...input, document: proved.claim }).failure);
    if (failure) throw failure;
    if (credentials && proof !== "none") requireFreshKey(credentials.accessKeyId, proved.document);
    established = {
      accountId: established.accountId ?? proved.document?.accountId ?? accountId,
      instanceId: established.instanceId ?? proved.document?.instanceId,
    };
    const { level, bound, unbound } = report;
    return { level, bound, unbound, ...(proved.document && { document: proved.document }) };
  }

  function isExpected(accountId: string | undefined): boolean {
    return accountId !== undefined && settings.expectedAccounts.includes(accountId);
  }

  /**
   * Documents are public, and where the host does not tell its own instance each one is as good as the next: whoever
   * shows a second one replays one of the two. A document that came with a key of another account counts, too, but pins
   * nothing.
   */
  function refuseSecondDocument({ accountId, instanceId }: IdentityDocument): void {
    if (host.instanceId !== undefined || settings.expectedAccounts.length > 0) return;
    if (shown.size < 2) shown.add(`${accountId} ${instanceId}`);
    if (shown.size < 2) return;
    throw new ImdsImpersonationError(
      "ERR_IMDS_IDENTITY_CHANGED",
      "Documents of two instances were shown to this process, and this host does not tell which of them it is",
      {
        evidence: Array.from(shown, (value) =>
          fact("IMDS", "a signed document is of this account and instance", value),
        ),
        advice:
          "Set expectedAccounts, so that documents of other accounts do not count, and start this process again; find out who shows them.",
      },
    );
  }

  function refuseChange(what: "accountId" | "instanceId", now: string | undefined): void {
    const before = established[what];
    if (before === undefined || now === undefined || before === now) return;
    throw new ImdsImpersonationError(
      "ERR_IMDS_IDENTITY_CHANGED",
      `The ${what} behind IMDS changed from ${before} to ${now} during the life of this process`,
      {
        evidence: [fact("IMDS", `earlier answers were of ${what} ${before}`, now)],
        advice: `An instance keeps both for life. ${DISTRUST}`,
      },
    );
  }

  function reportIdentity(attestation: AttestationReport): void {
    const { document } = attestation;
    if (!document) return;
    reporter.report("imds.attested", {
      message: "AWS identity document verified",
      endpoint: session.pin,
      claimed: document,
      evidence: attestation.unbound.map(({ what, why }) => fact(what, why)),
    });
  }

  function reportUntoldAccount({ document }: AttestationReport, accessKeyId: string): void {
    const key = accountOfAccessKey(accessKeyId);
    if (!document || key.kind === "known") return;
    reporter.report("imds.account_not_told", {
      endpoint: session.pin,
      message: `The access key tells no account, which is not known to be otherwise in ${document.region}; the signed document stands alone`,
      claimed: { ...document, accessKeyId },
      evidence: [fact("AccessKeyId", key.reason, maskAccessKeyId(accessKeyId))],
      advice: "Set verifyWithSts to on, so that STS says whose key it is.",
    });
  }

  return {
    acquire,
    identify: () => afterProof((_, attestation) => Promise.resolve(attestation)),
    fetch: (path) =>
      afterProof(async (deadline, { document }) => {
        const body = await session.get(path, MAX_METADATA, deadline);
        checkAgainstDocument(path, body, document);
        return body;
      }),
    token: () => afterProof((deadline) => session.token(deadline)),
  };
}

/**
 * Keys of IMDS are issued as they are asked for, so they are temporary ones that encode their account. In partitions
 * other than `aws` nobody has shown yet that keys do: there a signed document stands without it.
 */
function requireFreshKey(accessKeyId: string, document: IdentityDocument | undefined): void {
  const evidence = [fact("AccessKeyId", "the access key from IMDS", maskAccessKeyId(accessKeyId))];
  const advice = `IMDS gives a new key of the role every few hours. ${DISTRUST}`;
  if (!/^ASIA[A-Z0-9]{16}$/.test(accessKeyId)) {
    throw new ImdsUntrustedError(
      "ERR_IMDS_MALFORMED",
      "The access key from IMDS is not that of a role session (ASIA and 16 characters)",
      { evidence, advice },
    );
  }
  const key = accountOfAccessKey(accessKeyId);
  if (key.kind === "known" || (document !== undefined && tellsNoAccounts(document))) return;
  throw new ImdsImpersonationError(
    "ERR_IMDS_ACCOUNT_UNKNOWN",
    "The access key from IMDS does not tell its account, as every key issued since 2019 does",
    { evidence, advice },
  );
}

/** Whether no pair of access key and account is known of the partition that a document is of. */
function tellsNoAccounts({ region }: IdentityDocument): boolean {
  return partitionOfRegion(region) !== "aws";
}

function signal(): [reached: Promise<void>, reach: () => void] {
  let reach!: () => void;
  return [new Promise<void>((resolve) => (reach = resolve)), reach];
}

function nobodyAnswers(cause: ImdsUnavailableError, ago: number, silenceMs: number): ImdsUnavailableError {
  const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1_000);
  return new ImdsUnavailableError(
    cause.code,
    `IMDS was not asked again: nobody answered ${seconds(ago)} s ago, and it could not be told whether this host is EC2`,
    {
      evidence: cause.evidence,
      advice:
        `It is asked again in ${seconds(silenceMs - ago)} s, or at once with forceRefresh; silenceMs sets how long this is remembered. ` +
        `If this host is not EC2: ${OTHER_SOURCES}`,
      cause,
    },
  );
}

function noSuchRole(role: string, cause: ImdsUnavailableError): ImdsUnavailableError {
  return new ImdsUnavailableError("ERR_IMDS_NOT_FOUND", `IMDS has no credentials for the configured role ${role}`, {
    evidence: cause.evidence,
    advice:
      "Correct AWS_EC2_INSTANCE_PROFILE_NAME (or its profile key or option), or remove it so that the attached role is used.",
    cause,
  });
}
