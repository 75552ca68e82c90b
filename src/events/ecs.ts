/** One event as a document of the Elastic Common Schema. */
import { ipVersion } from "./address.js";
import { attacksOf } from "./attack.js";
import type { Attack, Named } from "./attack.js";
import { CATALOGUE } from "./catalogue.js";
import { isFinding } from "./weights.js";
import type { GuardEvent } from "./catalogue.js";
import type { Action, EventCode, Severity } from "./weights.js";
import { programName } from "./program-name.js";
import { snakeCased } from "./snake-case.js";

/** Version of the schema that {@link toEcs} writes. */
export const ECS_VERSION = "9.4.0";

/** Own root for what the schema has no field for. */
export interface EcsGuardFields {
  readonly code: string;
  readonly action: Action;
  /** What the responder claimed to be; never written to `cloud.*`, which would make a fact of it. */
  readonly claimed?: Readonly<Record<string, string>>;
  readonly responder?: Readonly<Record<string, string>>;
  readonly evidence: GuardEvent["evidence"];
  readonly advice?: string;
  readonly repeats?: number;
}

/** What {@link toEcs} returns; field names are those of the schema. */
export interface EcsDocument {
  readonly "@timestamp": string;
  readonly message: string;
  readonly ecs: { readonly version: string };
  readonly log: { readonly level: Severity };
  readonly event: {
    readonly id: string;
    readonly kind: "alert" | "event";
    readonly category: readonly string[];
    readonly type: readonly string[];
    readonly action: string;
    readonly outcome: "success" | "failure" | "unknown";
    readonly severity: number;
    readonly risk_score: number;
    readonly module: string;
    readonly dataset: string;
    readonly reason: string;
    readonly reference?: string;
  };
  readonly rule: { readonly id: string; readonly name: string; readonly version: string; readonly reference?: string };
  readonly observer: {
    readonly vendor: string;
    readonly product: string;
    readonly type: string;
    readonly version: string;
  };
  readonly process: { readonly pid: number; readonly name?: string };
  readonly threat?: object;
  readonly destination?: {
    readonly address: string;
    readonly port: number;
    readonly ip?: string;
    readonly domain?: string;
    readonly mac?: string;
  };
  readonly source?: { readonly address: string; readonly ip?: string; readonly domain?: string };
  readonly related?: { readonly ip: readonly string[] };
  readonly imds_guard: EcsGuardFields;
}

const LEVEL: Readonly<Record<Severity, { readonly severity: number; readonly risk: number }>> = {
  info: { severity: 1, risk: 0 },
  notice: { severity: 2, risk: 21 },
  warning: { severity: 3, risk: 47 },
  error: { severity: 4, risk: 73 },
  critical: { severity: 5, risk: 99 },
};

// The outcome of what was attempted, not of the guard's work: a refusal is the failure of a request.
const OUTCOME = { blocked: "failure", refused: "failure", accepted: "success", observed: "unknown" } as const;

// A refusal happens before any packet, so it says nothing about the network.
const CATEGORY: Readonly<Record<Action, { readonly category: readonly string[]; readonly type: readonly string[] }>> = {
  blocked: { category: ["network"], type: ["connection", "denied"] },
  refused: { category: ["configuration"], type: ["info"] },
  accepted: { category: ["network"], type: ["allowed"] },
  observed: { category: ["network"], type: ["info"] },
};

/** The technique that fits best: the lists of the schema do not tell which tactic is of which technique. */
function threatOf(code: EventCode): object {
  const [{ tactic, technique, sub_technique }] = attacksOf(code) as readonly [Attack];
  const listed = ({ uid, name }: Named) => ({ id: [uid], name: [name] });
  return {
    framework: "MITRE ATT&CK",
    tactic: listed(tactic),
    technique: { ...listed(technique), ...(sub_technique && { subtechnique: listed(sub_technique) }) },
  };
}

/**
 * The event in ECS {@link ECS_VERSION}; a verdict on a responder is an alert. `packageVersion` is that of imds-guard.
 */
export function toEcs(event: GuardEvent, packageVersion: string): EcsDocument {
  const { code, severity, action, endpoint, claimed, responder } = event;
  const { title } = CATALOGUE[code];
  const finding = isFinding(code);
  const reference = event.refs[0] === undefined ? {} : { reference: event.refs[0] };
  const name = programName(event);
  const ips = [endpoint?.address, responder?.localAddress].filter(
    (address) => address !== undefined && ipVersion(address) !== 0,
  );
  const { category, type } = finding
    ? { category: ["intrusion_detection", "network"], type: [action === "blocked" ? "denied" : "info"] }
    : CATEGORY[action];
  return {
    "@timestamp": event.time,
    message: event.message,
    ecs: { version: ECS_VERSION },
    log: { level: severity },
    event: {
      id: event.id,
      kind: finding ? "alert" : "event",
      category,
      type,
      action: code.replace(/[._]/g, "-"),
      outcome: OUTCOME[action],
      severity: LEVEL[severity].severity,
      risk_score: LEVEL[severity].risk,
      module: "imds_guard",
      dataset: "imds_guard.events",
      reason: title,
      ...reference,
    },
    rule: { id: code, name: title, version: packageVersion, ...reference },
    observer: { vendor: "imds-guard", product: "imds-guard", type: "ids", version: packageVersion },
    process: { pid: event.caller.pid, ...(name !== "" && { name }) },
    ...(finding && { threat: threatOf(code) }),
    ...(endpoint && {
      destination: {
        ...addressed(endpoint.address),
        port: endpoint.port,
        // The schema wants capitals and hyphens.
        ...(responder?.mac !== undefined && { mac: responder.mac.toUpperCase().replaceAll(":", "-") }),
      },
    }),
    ...(responder?.localAddress !== undefined && { source: addressed(responder.localAddress) }),
    ...(ips.length > 0 && { related: { ip: ips as string[] } }),
    imds_guard: {
      code,
      action,
      ...(claimed && { claimed: snakeCased(claimed) }),
      ...(responder && { responder: snakeCased(responder) }),
      evidence: event.evidence,
      ...(event.advice !== "" && { advice: event.advice }),
      ...(event.repeats !== undefined && { repeats: event.repeats }),
    },
  };
}

// A text that is no address must not reach a field of type ip: the whole document would be rejected.
function addressed(address: string): { address: string; ip?: string; domain?: string } {
  return ipVersion(address) === 0 ? { address, domain: address } : { address, ip: address };
}
