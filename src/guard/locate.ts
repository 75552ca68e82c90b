/** Finds out where a guard is, and what follows from it: the verdict on this host, and whether IMDS may be asked. */
import { detailsOf } from "../events/failure-events.js";
import { ImdsRefusedError } from "../base/errors.js";
import { once } from "../base/lazy.js";
import { isLoadedByNode } from "../base/loader.js";
import type { System } from "../base/system.js";
import { sayRefusal } from "../events/refusal-line.js";
import { atLeast, weightOf } from "../events/weights.js";
import { detectHost } from "../host/detect.js";
import type { HostReport } from "../host/report.js";
import { NOWHERE } from "../settings/endpoint.js";
import type { Decision, Refusal, Target } from "./decide.js";
import { decide, reportRefusal } from "./decide.js";
import type { Opened, Located } from "./stages.js";

/**
 * The signal that `ending` gives ends what goes on in the background.
 * @throws ImdsGuardSettingsError for files that cannot be used; that is an event, too
 */
export async function locate(opened: Opened, system: System, ending: () => AbortSignal): Promise<Located> {
  const { settings, reporter, problem } = opened;
  if (problem) {
    const event = problem.code === "ERR_IMDS_GUARD_CONFIG_FILE" ? "settings.file_unusable" : "settings.invalid";
    reporter.report(event, detailsOf(problem));
    throw problem;
  }
  const host = await hostOf(system);
  const decision = decide(settings, host);
  const located = { ...opened, host, decision };
  return {
    ...located,
    announce: once(() => announce(located)),
    speak: () => speak(located, system),
    probe: createProbe(located, system, ending),
  };
}

const hosts = new WeakMap<System, Promise<HostReport>>();

/** A host does not change while a process lives. */
function hostOf(system: System): Promise<HostReport> {
  let host = hosts.get(system);
  if (!host) {
    host = detectHost(system);
    hosts.set(system, host);
  }
  return host;
}

function announce({ decision, reporter }: Pick<Located, "decision" | "reporter">): void {
  if (decision.kind === "refuse") return reportRefusal(reporter, decision);
  for (const notice of decision.notices)
    reporter.report(notice.code, { ...notice, endpoint: endpointOf(decision.target) });
}

type Judged = Omit<Located, "announce" | "speak" | "probe">;

/** Where the event is printed it says the same; where `exec` shut IMDS, it has said why. */
function speak({ decision, log }: Judged, system: System): void {
  if (decision.kind !== "refuse" || log === "off" || atLeast(weightOf(decision.event).severity, log)) return;
  if (decision.code === "ERR_IMDS_DISABLED" && system.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] === NOWHERE) return;
  sayRefusal(decision, system.now());
}

/** Looks, at the first call after a refusal off EC2, whether anybody answers as IMDS; never where it is not to look. */
export function createProbe(
  { decision, settings, host, reporter }: Pick<Located, "decision" | "settings" | "host" | "reporter">,
  system: System,
  ending: () => AbortSignal,
): () => void {
  let begun = false;
  return () => {
    if (begun || !isOffEc2(decision) || settings.probe === "off") return;
    begun = true;
    const target = endpointOf(decision.target);
    // Loading it can fail: with no file descriptor left, or with the package replaced on disk while the program runs.
    // The next refusal tries again.
    const look = (): void => {
      import("./impersonator-probe.js")
        .then(({ probeOnce }) => probeOnce(target, host.verdict, reporter, system, ending()))
        .catch(() => {
          begun = false;
        });
    };
    // In a later turn, so that the refusal does not wait for it; but not where nothing may be loaded later.
    if (isLoadedByNode()) setImmediate(look);
    else look();
  };
}

/** Whether IMDS was refused because of this host. */
export function isOffEc2(decision: Decision): boolean {
  return (
    decision.kind === "refuse" && (decision.code === "ERR_IMDS_NOT_EC2" || decision.code === "ERR_IMDS_HOST_UNKNOWN")
  );
}

/** Where a request would go, as events name it. */
export function endpointOf(target: Target): { readonly address: string; readonly port: number } {
  return { address: target.host, port: target.port };
}

/** A refusal as it is thrown. */
export function refusalError(refusal: Refusal): ImdsRefusedError {
  const { code, reason, advice } = refusal;
  return new ImdsRefusedError(code, `IMDS was not asked: ${reason}`, { evidence: () => refusal.evidence, advice });
}
