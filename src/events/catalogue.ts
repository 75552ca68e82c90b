/** The catalogue of events: every thing imds-guard has to say, as one typed table. */
import type { Evidence } from "../base/errors.js";
import type { Action, EventCode, Severity, WeightOf } from "./weights.js";
import { weightOf } from "./weights.js";

/** What a line of the events file can be: the event itself, or a document of one of the two schemas that SIEMs know. */
export const EVENT_FORMATS = ["json", "ecs", "ocsf"] as const;

/** One of {@link EVENT_FORMATS}. */
export type EventFormat = (typeof EVENT_FORMATS)[number];

const TITLES: Readonly<Record<EventCode, string>> = {
  "imds.refused_not_ec2": "IMDS not asked: this host is not EC2",
  "imds.refused_unknown_host": "IMDS not asked: this host could not be identified",
  "imds.refused_disabled": "IMDS not asked: it is disabled by a setting",
  "imds.endpoint_override_refused": "IMDS endpoint override refused",
  "imds.endpoint_override_accepted": "IMDS endpoint override on loopback accepted",
  "imds.unattested_allowed": "IMDS allowed off EC2 without expected accounts",
  "imds.emulator_allowed": "Emulator of IMDS allowed",
  "imds.impersonation_detected": "Somebody answers as IMDS on a host that is not EC2",
  "imds.unverified_responder": "Somebody answers as IMDS on a host that could not be identified",
  "imds.v1_only_responder": "Responder offers IMDSv1 only",
  "imds.redirect_refused": "Responder redirects",
  "imds.malformed_answer": "Malformed answer refused",
  "imds.oversized_answer": "Oversized answer refused",
  "imds.peer_mismatch": "Connected peer is not the pinned address",
  "imds.unavailable": "IMDS could not be used",
  "imds.token_timeout": "No answer to the token request",
  "imds.forbidden": "IMDS is disabled on this instance",
  "imds.no_role": "No role is attached to this instance",
  "imds.credentials_obtained": "Credentials obtained",
  "imds.static_stability": "IMDS outage: earlier credentials extended",
  "imds.attested": "AWS identity document verified",
  "imds.attestation_unavailable": "Identity could not be verified, going on because the host is EC2",
  "imds.attestation_failed": "Identity document does not prove AWS",
  "imds.instance_mismatch": "Identity document belongs to another instance",
  "imds.account_mismatch": "Access key belongs to another account than the instance",
  "imds.identity_changed": "Account or instance changed during the life of the process",
  "imds.role_changed": "Role of the instance changed",
  "credentials.account_unexpected": "Credentials of an account that is not expected",
  "credentials.foreign_account_signed": "Request signed with a key of an account that is not expected",
  "egress.foreign_account": "Log shows a request signed for an account that is not expected",
  "credentials.account_unknown": "Account of the credentials cannot be told",
  "credentials.stated_account_dropped": "Account stated beside a key is not that of the key",
  "credentials.container_unproved":
    "Container credentials from a link-local address on a host that shows no container service",
  "imds.account_not_told": "Access key tells no account in this partition",
  "credentials.role_unexpected": "Role or region that is not expected",
  "credentials.sts_mismatch": "STS names another identity than the one attested",
  "firewall.connection_blocked": "Connection to IMDS blocked",
  "firewall.unavailable": "The firewall cannot work in this JavaScript runtime",
  "preload.module_unadapted": "A module of the AWS SDK is not led through the guard",
  "firewall.connection_seen": "Connection to IMDS seen and let pass",
  "credentials.sts_unavailable": "STS could not be asked whose credentials these are",
  "monitor.responder_appeared": "Somebody answers at the IMDS address, but not as IMDSv2",
  "monitor.responder_changed": "Responder at the IMDS address changed",
  "monitor.responder_gone": "Responder at the IMDS address is gone",
  "monitor.route_changed": "Way to the IMDS address changed",
  "monitor.host_route": "Route of its own to the IMDS address on a host that is not EC2",
  "monitor.local_address": "IMDS address is assigned to an interface of this host",
  "monitor.neighbour_appeared": "Somebody on the link has the IMDS address",
  "monitor.connection_seen": "Program of this host connects to IMDS where there is none",
  "monitor.dns_answer": "DNS leads to the IMDS address on a host that is not EC2",
  "roles_anywhere.session_obtained": "Credentials obtained with a certificate",
  "roles_anywhere.failed": "No credentials could be obtained with the certificate",
  "roles_anywhere.renewal_failed":
    "Credentials could not be renewed with the certificate, those held are served to their end",
  "roles_anywhere.certificate_ending": "Certificate ends soon",
  "roles_anywhere.certificate_renewed": "Certificate was renewed",
  "roles_anywhere.certificate_unusable": "Certificate or key cannot be used, the pair read before still serves",
  "roles_anywhere.key_exposed": "Private key can be read by others on this host",
  "roles_anywhere.passphrase_exposed": "Passphrase of a private key stands in a shared config file",
  "roles_anywhere.clock_off": "Clock of this host is wrong",
  "credentials.file_renewed": "Credentials were renewed in a shared file, and are used",
  "gateway.refused": "Program of this host asked for IMDS where there is none",
  "gateway.denied": "Rules of the gateway deny a request",
  "gateway.v1_request": "Program still uses IMDSv1",
  "gateway.rules_invalid": "Rules of the gateway cannot be used; the earlier ones stay",
  "settings.file_unusable": "Shared config file cannot be used",
  "settings.file_passed_over": "Shared config file of another user is passed over",
  "settings.profile_missing": "Profile that is named does not exist",
  "events.file_failing": "Events file cannot be written",
  "settings.invalid": "Setting cannot be honoured",
};

type Catalogue = { readonly [Code in EventCode]: WeightOf<Code> & { readonly title: string } };

/**
 * Code -> severity, action and title. Codes are stable; titles are for people.
 *
 * @example
 * ```ts
 * import { CATALOGUE } from "imds-guard";
 * for (const [code, { severity, title }] of Object.entries(CATALOGUE)) console.log(code, severity, title);
 * ```
 */
export const CATALOGUE: Catalogue = /* @__PURE__ */ titled();

/** By a plain loop: every start of a program pays for it. */
function titled(): Catalogue {
  const all: Record<string, object> = {};
  for (const code of Object.keys(TITLES) as EventCode[]) {
    const { severity, action } = weightOf(code);
    all[code] = { severity, action, title: TITLES[code] };
  }
  return all as Catalogue;
}

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
