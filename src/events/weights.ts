/** How much each event matters, and what the guard does about what it tells: what a program that reports needs of them. */
import { ownProperty } from "../base/own-properties.js";

/** How much an event matters. `warning` and above reach stderr by default. */
export type Severity = "info" | "notice" | "warning" | "error" | "critical";

/** What the guard did about what it saw. */
export type Action = "blocked" | "refused" | "observed" | "accepted";

interface Weight {
  readonly severity: Severity;
  readonly action: Action;
}

const weight = <S extends Severity, A extends Action>(
  severity: S,
  action: A,
): { readonly severity: S; readonly action: A } => ({ severity, action });

const INFO_ACCEPTED = /* @__PURE__ */ weight("info", "accepted");
const INFO_OBSERVED = /* @__PURE__ */ weight("info", "observed");
const INFO_REFUSED = /* @__PURE__ */ weight("info", "refused");
const NOTICE_ACCEPTED = /* @__PURE__ */ weight("notice", "accepted");
const NOTICE_OBSERVED = /* @__PURE__ */ weight("notice", "observed");
const NOTICE_REFUSED = /* @__PURE__ */ weight("notice", "refused");
const WARNING_ACCEPTED = /* @__PURE__ */ weight("warning", "accepted");
const WARNING_BLOCKED = /* @__PURE__ */ weight("warning", "blocked");
const WARNING_REFUSED = /* @__PURE__ */ weight("warning", "refused");
const ERROR_BLOCKED = /* @__PURE__ */ weight("error", "blocked");
const ERROR_OBSERVED = /* @__PURE__ */ weight("error", "observed");
const ERROR_REFUSED = /* @__PURE__ */ weight("error", "refused");
const CRITICAL_BLOCKED = /* @__PURE__ */ weight("critical", "blocked");
const CRITICAL_OBSERVED = /* @__PURE__ */ weight("critical", "observed");

/** The weight of most events, which the table leaves out: none of them is worth its bytes in every bundle. */
const USUAL = /* @__PURE__ */ weight("warning", "observed");

/** Code -> severity and action, where they are not the usual ones. Codes are stable. */
const UNUSUAL = {
  "imds.refused_not_ec2": NOTICE_REFUSED,
  "imds.refused_unknown_host": NOTICE_REFUSED,
  "imds.refused_disabled": INFO_REFUSED,
  "imds.endpoint_override_refused": WARNING_REFUSED,
  "imds.endpoint_override_accepted": NOTICE_ACCEPTED,
  "imds.unattested_allowed": WARNING_ACCEPTED,
  "imds.emulator_allowed": WARNING_ACCEPTED,
  "imds.impersonation_detected": CRITICAL_OBSERVED,
  "imds.v1_only_responder": ERROR_BLOCKED,
  "imds.redirect_refused": ERROR_BLOCKED,
  "imds.malformed_answer": ERROR_BLOCKED,
  "imds.oversized_answer": ERROR_BLOCKED,
  "imds.peer_mismatch": CRITICAL_BLOCKED,
  "imds.unavailable": NOTICE_OBSERVED,
  "imds.no_role": INFO_OBSERVED,
  "imds.credentials_obtained": INFO_ACCEPTED,
  "imds.static_stability": WARNING_ACCEPTED,
  "imds.attested": INFO_ACCEPTED,
  "imds.attestation_unavailable": WARNING_ACCEPTED,
  "imds.attestation_failed": CRITICAL_BLOCKED,
  "imds.instance_mismatch": CRITICAL_BLOCKED,
  "imds.account_mismatch": CRITICAL_BLOCKED,
  "imds.identity_changed": CRITICAL_BLOCKED,
  "imds.role_changed": NOTICE_OBSERVED,
  "credentials.account_unexpected": CRITICAL_BLOCKED,
  "credentials.foreign_account_signed": CRITICAL_OBSERVED,
  "egress.foreign_account": ERROR_OBSERVED,
  "credentials.account_unknown": ERROR_BLOCKED,
  "credentials.stated_account_dropped": WARNING_ACCEPTED,
  "credentials.container_unproved": WARNING_ACCEPTED,
  "imds.account_not_told": NOTICE_ACCEPTED,
  "credentials.role_unexpected": CRITICAL_BLOCKED,
  "credentials.sts_mismatch": CRITICAL_BLOCKED,
  "firewall.connection_blocked": WARNING_BLOCKED,
  "firewall.unavailable": ERROR_OBSERVED,
  "credentials.sts_unavailable": ERROR_BLOCKED,
  "monitor.responder_appeared": NOTICE_OBSERVED,
  "monitor.responder_changed": ERROR_OBSERVED,
  "monitor.responder_gone": NOTICE_OBSERVED,
  "monitor.route_changed": NOTICE_OBSERVED,
  "roles_anywhere.session_obtained": INFO_ACCEPTED,
  "roles_anywhere.failed": ERROR_OBSERVED,
  "roles_anywhere.certificate_renewed": INFO_ACCEPTED,
  "credentials.file_renewed": INFO_ACCEPTED,
  "gateway.refused": WARNING_REFUSED,
  "gateway.denied": WARNING_REFUSED,
  "gateway.rules_invalid": WARNING_REFUSED,
  "settings.file_unusable": WARNING_REFUSED,
  "settings.invalid": ERROR_REFUSED,
} satisfies Record<string, Weight>;

/** Every event code. */
export type EventCode =
  | keyof typeof UNUSUAL
  | "imds.unverified_responder"
  | "imds.token_timeout"
  | "imds.forbidden"
  | "preload.module_unadapted"
  | "firewall.connection_seen"
  | "monitor.host_route"
  | "monitor.local_address"
  | "monitor.neighbour_appeared"
  | "monitor.connection_seen"
  | "monitor.dns_answer"
  | "roles_anywhere.renewal_failed"
  | "roles_anywhere.certificate_ending"
  | "roles_anywhere.certificate_unusable"
  | "roles_anywhere.key_exposed"
  | "roles_anywhere.passphrase_exposed"
  | "roles_anywhere.clock_off"
  | "gateway.v1_request"
  | "settings.file_passed_over"
  | "settings.profile_missing"
  | "events.file_failing";

/** Severity and action of the events with this code. */
export type WeightOf<Code extends EventCode> = Code extends keyof typeof UNUSUAL
  ? (typeof UNUSUAL)[Code]
  : typeof USUAL;

/** The weight of the event with this code. */
export function weightOf<Code extends EventCode>(code: Code): WeightOf<Code> {
  return (ownProperty<Readonly<Partial<Record<EventCode, Weight>>>, Code>(UNUSUAL, code) ?? USUAL) as WeightOf<Code>;
}

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
  return atLeast(weightOf(code).severity, "error") && !/^(?:settings|roles_anywhere)\./.test(code);
}
