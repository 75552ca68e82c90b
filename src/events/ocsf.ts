/**
 * One event in the Open Cybersecurity Schema Framework: a finding for a verdict, network activity for anything else.
 */
import { ipVersion } from "./address.js";
import { attacksOf } from "./attack.js";
import { BULLETIN, CATALOGUE } from "./catalogue.js";
import { atLeast, isFinding } from "./weights.js";
import type { GuardEvent } from "./catalogue.js";
import type { Action, EventCode, Severity } from "./weights.js";
import { programName } from "./program-name.js";

/** Version of the schema that {@link toOcsf} writes. */
export const OCSF_VERSION = "1.8.0";

/** What every event of the schema has, with the `security_control` profile. */
export interface OcsfEvent {
  readonly category_uid: number;
  readonly category_name: string;
  readonly class_uid: number;
  readonly class_name: string;
  readonly activity_id: number;
  readonly activity_name: string;
  /** `class_uid` * 100 + `activity_id`. */
  readonly type_uid: number;
  readonly severity_id: number;
  readonly severity: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly message: string;
  readonly metadata: object;
  readonly action_id: number;
  readonly action: string;
  readonly disposition_id: number;
  readonly disposition: string;
  readonly is_alert: boolean;
  readonly observables?: readonly object[];
}

/** A verdict on whoever answered: class Detection Finding (2004). */
export interface OcsfDetectionFinding extends OcsfEvent {
  readonly class_uid: 2004;
  readonly finding_info: object;
  readonly evidences: readonly object[];
  readonly confidence_id: number;
  readonly confidence: string;
  readonly status_id: number;
  readonly status: string;
  readonly remediation?: object;
}

/** A connection refused, failed or made: class Network Activity (4001). */
export interface OcsfNetworkActivity extends OcsfEvent {
  readonly class_uid: 4001;
  readonly actor: object;
  readonly src_endpoint: object;
  readonly dst_endpoint?: object;
  readonly connection_info?: object;
  readonly unmapped: object;
}

const SEVERITY: Readonly<Record<Severity, readonly [number, string]>> = {
  info: [1, "Informational"],
  notice: [2, "Low"],
  warning: [3, "Medium"],
  error: [4, "High"],
  critical: [5, "Critical"],
};

interface Control {
  readonly action_id: number;
  readonly action: string;
  readonly disposition_id: number;
  readonly disposition: string;
}

const DENIED: Control = { action_id: 2, action: "Denied", disposition_id: 2, disposition: "Blocked" };
const CONTROL: Readonly<Record<Action, Control>> = {
  blocked: DENIED,
  refused: DENIED,
  accepted: { action_id: 1, action: "Allowed", disposition_id: 1, disposition: "Allowed" },
  // Neither allowed nor denied: there was nothing to decide.
  observed: { action_id: 0, action: "Unknown", disposition_id: 17, disposition: "Logged" },
};
const DETECTED: Control = { action_id: 0, action: "Unknown", disposition_id: 15, disposition: "Detected" };

const NO_ANSWER: ReadonlySet<EventCode> = new Set<EventCode>(["imds.unavailable", "imds.token_timeout"]);

/** The event in OCSF {@link OCSF_VERSION}. `packageVersion` is that of imds-guard. */
export function toOcsf(event: GuardEvent, packageVersion: string): OcsfDetectionFinding | OcsfNetworkActivity {
  return isFinding(event.code) ? detectionFinding(event, packageVersion) : networkActivity(event, packageVersion);
}

function detectionFinding(event: GuardEvent, packageVersion: string): OcsfDetectionFinding {
  const { code, claimed, responder, evidence, caller } = event;
  const { title } = CATALOGUE[code];
  const dst = destination(event);
  // A critical finding rests on a proof that failed, an error on an answer that only a broken or hostile responder
  // gives.
  const [confidence_id, confidence] = event.severity === "critical" ? [3, "High"] : [2, "Medium"];
  return {
    category_uid: 2,
    category_name: "Findings",
    class_uid: 2004,
    class_name: "Detection Finding",
    activity_id: 1,
    activity_name: "Create",
    type_uid: 200401,
    ...common(event, packageVersion, ["security_control"]),
    ...(event.action === "observed" ? DETECTED : CONTROL[event.action]),
    is_alert: true,
    confidence_id,
    confidence,
    status_id: 1,
    status: "New",
    finding_info: {
      uid: event.id,
      title,
      desc: event.message,
      types: [code],
      src_url: BULLETIN,
      analytic: { uid: code, name: title, type_id: 1, type: "Rule", version: packageVersion },
      attacks: attacksOf(code),
    },
    evidences: [
      {
        process: callerProcess(event),
        ...(dst && { src_endpoint: source(event), dst_endpoint: dst, connection_info: connection(event) }),
        data: { ...(claimed && { claimed }), ...(responder && { responder }), evidence, argv0: caller.argv0 },
      },
    ],
    ...observables(event, "evidences[0].dst_endpoint"),
    ...(event.advice !== "" && { remediation: { desc: event.advice, references: event.refs } }),
  };
}

function networkActivity(event: GuardEvent, packageVersion: string): OcsfNetworkActivity {
  const { code, action, claimed, responder, evidence, caller, advice } = event;
  const dst = destination(event);
  const [activity_id, activity_name] = activity(code, action);
  return {
    category_uid: 4,
    category_name: "Network Activity",
    class_uid: 4001,
    class_name: "Network Activity",
    activity_id,
    activity_name,
    type_uid: 400100 + activity_id,
    ...common(event, packageVersion, ["host", "security_control"]),
    ...CONTROL[action],
    is_alert: atLeast(event.severity, "warning"),
    actor: { process: callerProcess(event) },
    src_endpoint: source(event),
    ...(dst && { dst_endpoint: dst, connection_info: connection(event) }),
    ...observables(event, "dst_endpoint"),
    unmapped: {
      ...(claimed && { claimed }),
      ...(responder && { responder }),
      evidence,
      argv0: caller.argv0,
      ...(advice !== "" && { advice }),
    },
  };
}

function activity(code: EventCode, action: Action): readonly [number, string] {
  if (action === "blocked" || action === "refused") return [5, "Refuse"];
  return NO_ANSWER.has(code) ? [4, "Fail"] : [6, "Traffic"];
}

function common(event: GuardEvent, packageVersion: string, profiles: readonly string[]) {
  const [severity_id, severity] = SEVERITY[event.severity];
  return {
    severity_id,
    severity,
    time: Date.parse(event.time),
    message: event.message,
    ...(event.repeats !== undefined && { count: event.repeats }),
    metadata: {
      version: OCSF_VERSION,
      uid: event.id,
      event_code: event.code,
      profiles,
      product: { name: "imds-guard", vendor_name: "imds-guard", version: packageVersion },
    },
  };
}

function callerProcess(event: GuardEvent): object {
  const name = programName(event);
  return { pid: event.caller.pid, ...(name !== "" && { name }) };
}

// The schema asks for at least one endpoint, and some refusals happen before there is a destination.
function source(event: GuardEvent): object {
  const { responder } = event;
  return {
    svc_name: programName(event) || "node",
    ...(responder?.localAddress !== undefined &&
      ipVersion(responder.localAddress) !== 0 && { ip: responder.localAddress }),
    ...(responder?.interface !== undefined && { interface_name: responder.interface }),
  };
}

function destination({ endpoint, responder }: GuardEvent): object | undefined {
  if (endpoint === undefined) return undefined;
  const { address, port } = endpoint;
  return {
    ...(ipVersion(address) === 0 ? { hostname: address } : { ip: address }),
    port,
    ...(responder?.mac !== undefined && { mac: responder.mac }),
  };
}

function connection({ endpoint }: GuardEvent): object {
  const version = ipVersion(endpoint?.address ?? "");
  return {
    direction_id: 2,
    direction: "Outbound",
    protocol_num: 6,
    protocol_name: "tcp",
    ...(version !== 0 && { protocol_ver_id: version }),
  };
}

function observables({ endpoint, responder }: GuardEvent, path: string): { readonly observables?: readonly object[] } {
  if (endpoint === undefined) return {};
  const { address } = endpoint;
  const where =
    ipVersion(address) === 0
      ? { name: `${path}.hostname`, type_id: 1, type: "Hostname", value: address }
      : { name: `${path}.ip`, type_id: 2, type: "IP Address", value: address };
  if (responder?.mac === undefined) return { observables: [where] };
  return { observables: [where, { name: `${path}.mac`, type_id: 3, type: "MAC Address", value: responder.mac }] };
}
