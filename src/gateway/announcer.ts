/** What of the requests is an event: refusals, denials and IMDSv1, each kind once in a while. */
import { printable } from "../base/text.js";
import type { EventCode } from "../events/weights.js";
import type { Reporter } from "../events/reporter.js";
import type { Exchange } from "./responder.js";
import type { Caller } from "./rules.js";

/** The same program, refused for the same reason, is an event once in this time; every request is in the log. */
const QUIET_MS = 10 * 60_000;
const MAX_KINDS = 256;

/** Whether something of this kind is to be said: once in ten minutes. `now` in milliseconds on a clock that never jumps. */
export function seldom(now: () => number): (kind: string) => boolean {
  const said = new Map<string, number>();
  return (kind) => {
    const time = now();
    if (time - (said.get(kind) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return false;
    said.delete(kind);
    said.set(kind, time);
    if (said.size > MAX_KINDS) said.delete(said.keys().next().value ?? "");
    return true;
  };
}

/** Events for those who are on call. `first` tells whether one of this kind is to be said. */
export function createAnnouncer(reporter: Reporter, first: (kind: string) => boolean): (exchange: Exchange) => void {
  return (exchange) => {
    const code = codeOf(exchange);
    if (code === undefined) return;
    const { caller, reason } = exchange;
    const kind = [code, caller.uid, caller.program, caller.container, caller.bridge && caller.address, reason];
    if (!first(JSON.stringify(kind))) return;
    reporter.report(code, {
      message: `${nameOf(caller)} asked for ${printable(exchange.path)} (IMDSv${exchange.version}, answered ${exchange.status}${reason === "" ? "" : `: ${reason}`})`,
      evidence: evidenceOf(caller),
      advice: ADVICE[code],
    });
  };
}

type GatewayEvent = Extract<EventCode, "gateway.refused" | "gateway.denied" | "gateway.v1_request">;

/** A token that has run out is nobody's fault: clients take another. */
function codeOf({ outcome, version, status }: Exchange): GatewayEvent | undefined {
  if (outcome === "refused") return "gateway.refused";
  if (version === 1) return "gateway.v1_request";
  return outcome === "denied" && status === 403 ? "gateway.denied" : undefined;
}

const ADVICE: Readonly<Record<GatewayEvent, string>> = {
  "gateway.refused":
    "Give this program credentials of another kind, or tell it not to ask (AWS_EC2_METADATA_DISABLED=true). Without the gateway it would believe whoever answers.",
  "gateway.denied": "If this program needs it, give its user a rule in the gateway's file and reload.",
  "gateway.v1_request":
    "Update the AWS SDK of this program, or whatever else in it asks without a token; then require IMDSv2.",
};

function nameOf({ program, pid, user, uid, bridge, address }: Caller): string {
  if (bridge !== undefined) return `a client at ${address} on ${bridge}`;
  const who = user ?? (uid === undefined ? "an unknown user" : `user ${uid}`);
  return program === undefined
    ? `a program of ${printable(who)}`
    : `${printable(program)} (pid ${pid ?? 0}) of ${printable(who)}`;
}

function evidenceOf({
  uid,
  user,
  pid,
  program,
  unit,
  container,
  address,
  bridge,
}: Caller): { source: string; value: string; says: string }[] {
  type Fact = readonly [source: string, value: string | number | undefined, says: string];
  const facts: readonly Fact[] = [
    ["program", program, "asked"],
    ["pid", pid, "its process"],
    ["user", user ?? uid, "owns the socket, as the kernel says"],
    ["unit", unit, "the systemd unit of the process"],
    ["container", container, "the container of the process"],
    ...(bridge === undefined ? [] : [["address", address, `where it came from, on ${bridge}`] as const]),
  ];
  return facts.flatMap(([source, value, says]) =>
    value === undefined ? [] : [{ source, value: String(value).slice(0, 100), says }],
  );
}
