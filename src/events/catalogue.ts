/** The catalogue of events: every thing imds-guard has to say, as one typed table. */
import type { Evidence } from "../base/errors.js";

/** What a line of the events file can be: the event itself, or a document of one of the two schemas that SIEMs know. */
export const EVENT_FORMATS = ["json", "ecs", "ocsf"] as const;

/** One of {@link EVENT_FORMATS}. */
export type EventFormat = (typeof EVENT_FORMATS)[number];

/** How much an event matters. `warning` and above reach stderr by default. */
export type Severity = "info" | "notice" | "warning" | "error" | "critical";

/** What the guard did about what it saw. */
export type Action = "blocked" | "refused" | "observed" | "accepted";

interface Entry {
  readonly severity: Severity;
  readonly action: Action;
  readonly title: string;
}

/** A table of calls is half as long in a bundle as one of objects. */
const entry = <S extends Severity, A extends Action>(
  severity: S,
  action: A,
  title: string,
): {
  readonly severity: S;
  readonly action: A;
  readonly title: string;
} => ({ severity, action, title });

/**
 * Code -> severity, action and title. Codes are stable; titles are for people.
 *
 * @example
 * ```ts
 * import { CATALOGUE } from "imds-guard";
 * for (const [code, { severity, title }] of Object.entries(CATALOGUE)) console.log(code, severity, title);
 * ```
 */
export const CATALOGUE = {
  "imds.refused_not_ec2": entry("notice", "refused", "IMDS not asked: this host is not EC2"),
  "imds.refused_unknown_host": entry("notice", "refused", "IMDS not asked: this host could not be identified"),
  "imds.refused_disabled": entry("info", "refused", "IMDS not asked: it is disabled by a setting"),
  "imds.endpoint_override_refused": entry("warning", "refused", "IMDS endpoint override refused"),
  "imds.endpoint_override_accepted": entry("notice", "accepted", "IMDS endpoint override on loopback accepted"),
  "imds.unattested_allowed": entry("warning", "accepted", "IMDS allowed off EC2 without expected accounts"),
  "imds.emulator_allowed": entry("warning", "accepted", "Emulator of IMDS allowed"),
  "imds.impersonation_detected": entry("critical", "observed", "Somebody answers as IMDS on a host that is not EC2"),
  "imds.unverified_responder": entry(
    "warning",
    "observed",
    "Somebody answers as IMDS on a host that could not be identified",
  ),
  "imds.v1_only_responder": entry("error", "blocked", "Responder offers IMDSv1 only"),
  "imds.redirect_refused": entry("error", "blocked", "Responder redirects"),
  "imds.malformed_answer": entry("error", "blocked", "Malformed answer refused"),
  "imds.oversized_answer": entry("error", "blocked", "Oversized answer refused"),
  "imds.peer_mismatch": entry("critical", "blocked", "Connected peer is not the pinned address"),
  "imds.unavailable": entry("notice", "observed", "IMDS could not be used"),
  "imds.token_timeout": entry("warning", "observed", "No answer to the token request"),
  "imds.forbidden": entry("warning", "observed", "IMDS is disabled on this instance"),
  "imds.no_role": entry("info", "observed", "No role is attached to this instance"),
  "imds.credentials_obtained": entry("info", "accepted", "Credentials obtained"),
  "imds.static_stability": entry("warning", "accepted", "IMDS outage: earlier credentials extended"),
  "imds.attested": entry("info", "accepted", "AWS identity document verified"),
  "imds.attestation_unavailable": entry(
    "warning",
    "accepted",
    "Identity could not be verified, going on because the host is EC2",
  ),
  "imds.attestation_failed": entry("critical", "blocked", "Identity document does not prove AWS"),
  "imds.instance_mismatch": entry("critical", "blocked", "Identity document belongs to another instance"),
  "imds.account_mismatch": entry("critical", "blocked", "Access key belongs to another account than the instance"),
  "imds.identity_changed": entry("critical", "blocked", "Account or instance changed during the life of the process"),
  "imds.role_changed": entry("notice", "observed", "Role of the instance changed"),
  "credentials.account_unexpected": entry("critical", "blocked", "Credentials of an account that is not expected"),
  "credentials.foreign_account_signed": entry(
    "critical",
    "observed",
    "Request signed with a key of an account that is not expected",
  ),
  "egress.foreign_account": entry(
    "error",
    "observed",
    "Log shows a request signed for an account that is not expected",
  ),
  "credentials.account_unknown": entry("error", "blocked", "Account of the credentials cannot be told"),
  "credentials.stated_account_dropped": entry(
    "warning",
    "accepted",
    "Account stated beside a key is not that of the key",
  ),
  "credentials.container_unproved": entry(
    "warning",
    "accepted",
    "Container credentials from a link-local address on a host that shows no container service",
  ),
  "imds.account_not_told": entry("notice", "accepted", "Access key tells no account in this partition"),
  "credentials.role_unexpected": entry("critical", "blocked", "Role or region that is not expected"),
  "credentials.sts_mismatch": entry("critical", "blocked", "STS names another identity than the one attested"),
  "firewall.connection_blocked": entry("warning", "blocked", "Connection to IMDS blocked"),
  "firewall.unavailable": entry("error", "observed", "The firewall cannot work in this JavaScript runtime"),
  "preload.module_unadapted": entry("warning", "observed", "A module of the AWS SDK is not led through the guard"),
  "firewall.connection_seen": entry("warning", "observed", "Connection to IMDS seen and let pass"),
  "credentials.sts_unavailable": entry("error", "blocked", "STS could not be asked whose credentials these are"),
  "monitor.responder_appeared": entry("notice", "observed", "Somebody answers at the IMDS address, but not as IMDSv2"),
  "monitor.responder_changed": entry("error", "observed", "Responder at the IMDS address changed"),
  "monitor.responder_gone": entry("notice", "observed", "Responder at the IMDS address is gone"),
  "monitor.route_changed": entry("notice", "observed", "Way to the IMDS address changed"),
  "monitor.host_route": entry("warning", "observed", "Route of its own to the IMDS address on a host that is not EC2"),
  "monitor.local_address": entry("warning", "observed", "IMDS address is assigned to an interface of this host"),
  "monitor.neighbour_appeared": entry("warning", "observed", "Somebody on the link has the IMDS address"),
  "monitor.connection_seen": entry("warning", "observed", "Program of this host connects to IMDS where there is none"),
  "monitor.dns_answer": entry("warning", "observed", "DNS leads to the IMDS address on a host that is not EC2"),
  "roles_anywhere.session_obtained": entry("info", "accepted", "Credentials obtained with a certificate"),
  "roles_anywhere.failed": entry("error", "observed", "No credentials could be obtained with the certificate"),
  "roles_anywhere.renewal_failed": entry(
    "warning",
    "observed",
    "Credentials could not be renewed with the certificate, those held are served to their end",
  ),
  "roles_anywhere.certificate_ending": entry("warning", "observed", "Certificate ends soon"),
  "roles_anywhere.certificate_renewed": entry("info", "accepted", "Certificate was renewed"),
  "roles_anywhere.certificate_unusable": entry(
    "warning",
    "observed",
    "Certificate or key cannot be used, the pair read before still serves",
  ),
  "roles_anywhere.key_exposed": entry("warning", "observed", "Private key can be read by others on this host"),
  "roles_anywhere.passphrase_exposed": entry(
    "warning",
    "observed",
    "Passphrase of a private key stands in a shared config file",
  ),
  "roles_anywhere.clock_off": entry("warning", "observed", "Clock of this host is wrong"),
  "credentials.file_renewed": entry("info", "accepted", "Credentials were renewed in a shared file, and are used"),
  "gateway.refused": entry("warning", "refused", "Program of this host asked for IMDS where there is none"),
  "gateway.denied": entry("warning", "refused", "Rules of the gateway deny a request"),
  "gateway.v1_request": entry("warning", "observed", "Program still uses IMDSv1"),
  "gateway.rules_invalid": entry("warning", "refused", "Rules of the gateway cannot be used; the earlier ones stay"),
  "settings.file_unusable": entry("warning", "refused", "Shared config file cannot be used"),
  "settings.file_passed_over": entry("warning", "observed", "Shared config file of another user is passed over"),
  "settings.profile_missing": entry("warning", "observed", "Profile that is named does not exist"),
  "events.file_failing": entry("warning", "observed", "Events file cannot be written"),
  "settings.invalid": entry("error", "refused", "Setting cannot be honoured"),
} satisfies Record<string, Entry>;

/** Every event code. */
export type EventCode = keyof typeof CATALOGUE;

/** An address and port that was, or would have been, asked. */
export interface EventEndpoint {
  readonly address: string;
  readonly port: number;
}

/** What a responder claimed to be, or whose credentials were seen. Never a fact, always a claim. */
export interface Claimed {
  readonly accountId?: string | undefined;
  readonly roleName?: string | undefined;
  readonly region?: string | undefined;
  readonly instanceId?: string | undefined;
  /** The access key id with all but its first and last four characters masked. */
  readonly accessKeyId?: string | undefined;
}

/** What the system knows of whoever answers at an address. */
export interface Responder {
  readonly mac?: string | undefined;
  readonly interface?: string | undefined;
  readonly gateway?: string | undefined;
  readonly route?: string | undefined;
  readonly localAddress?: string | undefined;
}

/** What the place that reports an event supplies. */
export interface EventDetails {
  readonly message?: string | undefined;
  readonly endpoint?: EventEndpoint | undefined;
  readonly evidence?: readonly Evidence[] | undefined;
  readonly claimed?: Claimed | undefined;
  readonly responder?: Responder | undefined;
  readonly advice?: string | undefined;
}

/** One event as every sink receives it. Contains no secret: no secret key, session token or IMDS token. */
export interface GuardEvent {
  /** UUID, random. */
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly code: EventCode;
  readonly severity: Severity;
  readonly action: Action;
  /** One sentence for a person. */
  readonly message: string;
  readonly endpoint?: EventEndpoint;
  readonly evidence: readonly Evidence[];
  readonly claimed?: Claimed;
  readonly responder?: Responder;
  readonly caller: { readonly pid: number; readonly argv0: string };
  readonly advice: string;
  readonly refs: readonly string[];
  /** In the events file only: how many of its kind this line stands for, since the line before. */
  readonly repeats?: number;
}

/**
 * AWS security bulletin on IMDS impersonation, to which events refer.
 *
 * @example
 * ```ts
 * import { BULLETIN, createGuard } from "imds-guard";
 * createGuard({ onEvent: ({ severity, advice }) => severity === "critical" && console.error(advice, BULLETIN) });
 * ```
 */
export const BULLETIN = "https://aws.amazon.com/security/security-bulletins/AWS-2025-021/";

/**
 * Name of the `node:diagnostics_channel` channel that carries every {@link GuardEvent}.
 *
 * @example
 * ```ts
 * import { subscribe } from "node:diagnostics_channel";
 * import { EVENT_CHANNEL, type GuardEvent } from "imds-guard";
 * subscribe(EVENT_CHANNEL, (message) => console.log((message as GuardEvent).code));
 * ```
 */
export const EVENT_CHANNEL = "imds-guard:event";

const RANK: Readonly<Record<Severity, number>> = { info: 0, notice: 1, warning: 2, error: 3, critical: 4 };

/** Whether `severity` is at least `threshold`. */
export function atLeast(severity: Severity, threshold: Severity): boolean {
  return RANK[severity] >= RANK[threshold];
}

/**
 * Whether a code is a verdict on whoever answered (impersonation, failed proof, an answer no genuine service gives), as
 * opposed to a decision or a state of the guard itself. Findings carry the bulletin and become alerts in a SIEM.
 */
export function isFinding(code: EventCode): boolean {
  // A setting or a certificate that cannot be used is an error of the configuration and accuses nobody.
  return atLeast(CATALOGUE[code].severity, "error") && !/^(?:settings|roles_anywhere)\./.test(code);
}
