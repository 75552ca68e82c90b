/** May IMDS be asked, where, and what must be proved? A pure function over settings and host report. */
import { EXPECT_ACCOUNTS, OTHER_SOURCES } from "../base/advice.js";
import { fact } from "../base/errors.js";
import { IMDS_IPV4, IMDS_IPV6, isLocalOrPrivate, sameAddress } from "../base/addresses.js";
import type { Evidence, RefusalCode } from "../base/errors.js";
import { printable } from "../base/text.js";
import type { EventCode } from "../events/weights.js";
import type { Reporter } from "../events/reporter.js";
import type { HostReport } from "../host/report.js";
import type { EndpointOverride, Settings } from "../settings/options.js";
import { defineLazy } from "../base/lazy.js";

/** Where a request may go: one literal address, or a name that is resolved once and pinned. */
export interface Target {
  readonly kind: "address" | "name";
  readonly host: string;
  readonly port: number;
  /** The address that is tried once where there is no route to `host`. */
  readonly spare?: string;
}

/**
 * What has to be proved before a credential is handed out.
 * - `required`: a valid AWS signature, bound to this instance and account.
 * - `unless-unknown-region`: the same, but a region without a known public key passes with a warning.
 * - `none`: nothing (the account pin still holds).
 */
export type Proof = "required" | "unless-unknown-region" | "none";

/** IMDS may be asked. */
export interface Contact {
  readonly kind: "contact";
  readonly target: Target;
  readonly proof: Proof;
  /** An emulator of a developer: it may have any private address, and made-up keys and dates. */
  readonly emulator?: true;
  /** Events that go with the permission itself. */
  readonly notices: readonly { readonly code: EventCode; readonly message: string; readonly advice: string }[];
}

/** IMDS may not be asked. */
export interface Refusal {
  readonly kind: "refuse";
  readonly code: RefusalCode;
  readonly event: EventCode;
  /** A sentence without the name of the package. */
  readonly reason: string;
  readonly evidence: readonly Evidence[];
  readonly advice: string;
  /** Where a request would have gone. */
  readonly target: Target;
}

/** What settings and verdict come to: IMDS may be asked, or not. */
export type Decision = Contact | Refusal;

/** Reports that IMDS was not asked. */
export function reportRefusal(reporter: Pick<Reporter, "report">, refusal: Refusal): void {
  const { event, reason, advice, target } = refusal;
  reporter.report(event, () => ({
    message: `IMDS was not asked: ${reason}`,
    evidence: refusal.evidence,
    advice,
    endpoint: { address: target.host, port: target.port },
  }));
}

/** The settings a decision rests on. */
export type DecisionSettings = Pick<
  Settings,
  "mode" | "attestation" | "expectedAccounts" | "override" | "endpointMode" | "disabledBy"
> &
  Partial<Pick<Settings, "missingProfile" | "emulator" | "verifyWithSts">>;

/** The decision table. Every row of it is a test. */
export function decide(
  settings: DecisionSettings,
  host: Pick<HostReport, "verdict" | "reason" | "evidence" | "advice">,
): Decision {
  const decision = decideByTable(settings, host);
  const { missingProfile } = settings;
  if (decision.kind !== "refuse" || missingProfile === undefined) return decision;
  // What is missing may be what was meant to answer in place of IMDS.
  const reason = `${decision.reason}; and profile ${printable(missingProfile)}, which is named, does not exist`;
  return Object.assign(decision, { reason });
}

function decideByTable(
  settings: DecisionSettings,
  host: Pick<HostReport, "verdict" | "reason" | "evidence" | "advice">,
): Decision {
  const target = targetOf(settings);
  if (settings.disabledBy !== undefined) return disabled(settings.disabledBy, target);
  if (settings.mode === "deny") return disabled("mode deny", target);

  const { override } = settings;
  if (override && isEmulator(settings, override) && host.verdict !== "ec2") return emulated(override, target);
  if (override && !isPinned(override)) {
    if (override.endpoint.loopback) return loopback(settings, override, target);
    if (override.owner === "guard" && settings.mode === "allow")
      return allowed(settings, target, "it is not the metadata address of EC2");
    return overrideRefused(override, target);
  }
  if (host.verdict === "ec2") return contact(target, PROOF_ON_EC2[settings.attestation]);
  if (settings.mode === "allow") return allowed(settings, target, "this host does not prove to be EC2");
  if (host.verdict === "not-ec2") return notEc2(host, target);
  const provable = settings.attestation !== "off" && settings.expectedAccounts.length > 0;
  return provable ? contact(target, "required") : unknownHost(settings, host, target);
}

const PROOF_ON_EC2: Readonly<Record<Settings["attestation"], Proof>> = {
  auto: "unless-unknown-region",
  required: "required",
  off: "none",
};

function targetOf(settings: DecisionSettings): Target {
  const endpoint = settings.override?.endpoint;
  if (endpoint) {
    const { kind, host, port } = endpoint;
    return { kind, host, port };
  }
  const { endpointMode } = settings;
  const host = endpointMode === "IPv6" ? IMDS_IPV6 : IMDS_IPV4;
  return { kind: "address", host, port: 80, ...(endpointMode === undefined && { spare: IMDS_IPV6 }) };
}

/** Whatever is stricter wins over it. A name is looked up first, and is held to the same when it is known. */
function isEmulator(settings: DecisionSettings, { endpoint }: EndpointOverride): boolean {
  const { emulator, attestation, verifyWithSts, expectedAccounts } = settings;
  const stricter = attestation === "required" || verifyWithSts === "on" || expectedAccounts.length > 0;
  return emulator === "on" && !stricter && (endpoint.kind === "name" || isLocalOrPrivate(endpoint.host));
}

function emulated(override: EndpointOverride, target: Target): Contact {
  const notice = {
    code: "imds.emulator_allowed",
    message: `${override.setting} names ${placeOf(target)}, and emulator is on: whatever answers there is taken for IMDS`,
    advice:
      "This is for development alone. Remove IMDS_GUARD_EMULATOR (emulator, imds_guard_emulator) everywhere else.",
  } as const;
  return { ...contact(target, "none", [notice]), emulator: true };
}

/** An override that names the real address is no override. */
function isPinned({ endpoint }: EndpointOverride): boolean {
  return (
    endpoint.kind === "address" &&
    endpoint.port === 80 &&
    [IMDS_IPV4, IMDS_IPV6].some((address) => sameAddress(endpoint.host, address))
  );
}

function contact(target: Target, proof: Proof, notices: Contact["notices"] = []): Contact {
  return { kind: "contact", target, proof, notices };
}

/**
 * Explicit configuration of this machine itself, such as `aws_signing_helper serve`: it has no signed document to show.
 */
function loopback(settings: DecisionSettings, override: EndpointOverride, target: Target): Contact {
  return contact(target, settings.attestation === "required" ? "required" : "none", [
    {
      code: "imds.endpoint_override_accepted",
      message: `${override.setting} names ${placeOf(target)} on this machine; it is asked without attestation`,
      advice: `Any process of this machine may listen there. ${EXPECT_ACCOUNTS}`,
    },
  ]);
}

/** Off EC2 nothing local vouches for the responder, so an unknown region is no excuse there. */
function allowed(settings: DecisionSettings, target: Target, although: string): Contact {
  const unpinned = settings.expectedAccounts.length === 0;
  return contact(
    target,
    settings.attestation === "off" ? "none" : "required",
    unpinned
      ? [
          {
            code: "imds.unattested_allowed",
            message: `mode allow: ${target.host} is asked although ${although}, and no account is expected`,
            advice: EXPECT_ACCOUNTS,
          },
        ]
      : [],
  );
}

function refuse(
  code: RefusalCode,
  event: EventCode,
  target: Target,
  reason: string,
  evidence: () => readonly Evidence[],
  advice: string,
): Refusal {
  return defineLazy({ kind: "refuse", code, event, reason, advice, target }, "evidence", evidence);
}

function disabled(setting: string, target: Target): Refusal {
  const evidence = [fact(setting, "disables the instance metadata service")];
  return refuse(
    "ERR_IMDS_DISABLED",
    "imds.refused_disabled",
    target,
    `IMDS is disabled by ${setting}`,
    () => evidence,
    `Remove ${setting} if this process is meant to use IMDS.`,
  );
}

function overrideRefused(override: EndpointOverride, target: Target): Refusal {
  const { setting } = override;
  return refuse(
    "ERR_IMDS_ENDPOINT_OVERRIDE",
    "imds.endpoint_override_refused",
    target,
    `${setting} points IMDS at ${placeOf(target)}, which is neither the metadata address nor this machine`,
    () => [fact(setting, "not an endpoint that may be asked", placeOf(target))],
    `Remove ${setting}. If it is meant, this is all it takes: IMDS_GUARD_MODE=allow, IMDS_GUARD_ENDPOINT=${urlOf(target)}, ` +
      "IMDS_GUARD_EXPECTED_ACCOUNTS=<ids of your accounts>, and IMDS_GUARD_ATTESTATION=off where it has no signed document to show. " +
      "An emulator for development needs IMDS_GUARD_EMULATOR=on alone.",
  );
}

function placeOf({ host, port }: Target): string {
  return `${host} port ${port}`;
}

function urlOf({ host, port }: Target): string {
  return `http://${host.includes(":") ? `[${host}]` : host}${port === 80 ? "" : `:${port}`}`;
}

function notEc2(host: Pick<HostReport, "reason" | "evidence">, target: Target): Refusal {
  return refuse(
    "ERR_IMDS_NOT_EC2",
    "imds.refused_not_ec2",
    target,
    `this host is not EC2: ${host.reason}`,
    () => host.evidence,
    `${OTHER_SOURCES} If this really is EC2, set mode allow with expectedAccounts.`,
  );
}

const ATTESTATION_OFF = "attestation is off";

function unknownHost(
  settings: DecisionSettings,
  host: Pick<HostReport, "reason" | "evidence" | "advice">,
  target: Target,
): Refusal {
  const missing = [
    ...(settings.expectedAccounts.length === 0 ? ["expectedAccounts is not set"] : []),
    ...(settings.attestation === "off" ? [ATTESTATION_OFF] : []),
  ].join(" and ");
  return refuse(
    "ERR_IMDS_HOST_UNKNOWN",
    "imds.refused_unknown_host",
    target,
    `it could not be told whether this host is EC2 (${host.reason}), and ${missing}`,
    () => [...host.evidence, fact("settings", `${missing}, so an answer could not be proved`)],
    `${host.advice === undefined ? "" : `${host.advice} `}If this is EC2, ${missing === ATTESTATION_OFF ? "leave attestation on" : "set expectedAccounts to the ids of your accounts"}: ` +
      `that is enough, a signed identity document is then the proof. If it is not: ${OTHER_SOURCES}`,
  );
}
