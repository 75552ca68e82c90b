/** Off EC2: asks once, in the background and without a secret, whether anybody answers as IMDS. */
import { fact } from "../base/errors.js";
import { TOKEN_PATH } from "../aws/imds-protocol.js";
import type { Evidence } from "../base/errors.js";
import { printable } from "../base/text.js";
import { loadExtra } from "../base/extra.js";
import { shareInProcess } from "../base/process-wide.js";
import { quietly } from "../events/quietly.js";
import type { Reporter } from "../events/reporter.js";
import type { Verdict } from "../host/report.js";
import type { ProbeResult, ProbeTarget } from "../network/probe.js";
import type { System } from "../base/system.js";
import { realSystem } from "../base/system.js";

/** How long the probe waits, in milliseconds. */
export const PROBE_TIMEOUT_MS = 200;

const PROBED = Symbol.for("imds-guard.probed.1");

/** Addresses probed so far on machines of tests. */
const ofOtherSystems = new WeakMap<System, Set<string>>();

/** Addresses probed so far: by process for the real machine, so that two copies of the package probe once. */
function probedAddresses(system: System): Set<string> {
  if (system.env === realSystem.env) return shareInProcess(PROBED, "data", () => new Set<string>());
  const probed = ofOtherSystems.get(system) ?? new Set();
  ofOtherSystems.set(system, probed);
  return probed;
}

/**
 * Probes `target` unless this process already did. The result is an event or nothing: only a token for a request that
 * no other cloud understands counts, since every cloud owns this address. Never throws and never holds the process;
 * after `signal` nothing is sent.
 */
export async function probeOnce(
  target: ProbeTarget,
  verdict: Verdict,
  reporter: Reporter,
  system: System,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted === true) return;
  const probed = probedAddresses(system);
  const key = `${target.address} ${target.port}`;
  if (probed.has(key)) return;
  probed.add(key);
  // Nobody waits for the outcome, so a probe that cannot be made must not become an unhandled rejection.
  await quietly(() => probeAndReport(target, verdict, reporter, system, signal));
}

/** Probes once more, whatever was probed before. Rejects where a probe cannot be made. */
export async function probeAndReport(
  target: ProbeTarget,
  verdict: Verdict,
  reporter: Reporter,
  system: System,
  signal?: AbortSignal,
): Promise<void> {
  // Both at once: Jest loads nothing any more when an answer comes after the end of a test file. Who it is may be out of
  // reach, as in a bundle; that somebody answers is what has to be told.
  const [{ probeImds }, network] = await Promise.all([
    import("../network/probe.js"),
    loadExtra("responder", "a responder", () => import("../network/responder.js")).catch(() => undefined),
  ]);
  const result = await probeImds(target, { timeoutMs: PROBE_TIMEOUT_MS, signal });
  if (result.kind !== "imdsv2") return;
  const responder = await network?.describeResponder(target.address, system).catch(() => undefined);
  const [code, host] =
    verdict === "not-ec2"
      ? (["imds.impersonation_detected", "but this host is not EC2"] as const)
      : (["imds.unverified_responder", "and this host could not be identified"] as const);
  reporter.report(code, {
    message: `${target.address} answers as the EC2 instance metadata service, ${host}`,
    endpoint: target,
    ...(responder && { responder }),
    evidence: probeEvidence(result, responder !== undefined),
    advice:
      "Credentials from there would belong to whoever answers. Trace the address by MAC, interface and route; block 169.254.169.254 and " +
      "fd00:ec2::254 on this network; look for AWS SDK programs on it that do not use this guard.",
  });
}

function probeEvidence(result: Extract<ProbeResult, { kind: "imdsv2" }>, described: boolean): Evidence[] {
  const evidence: Evidence[] = [fact(`PUT ${TOKEN_PATH}`, "an IMDSv2 token was handed out", "200")];
  if (result.server !== undefined)
    evidence.push(fact("Server header", "trivially copied, proves nothing", printable(result.server)));
  if (!described) evidence.push(fact("responder", "its MAC address, interface and route could not be looked up"));
  return evidence;
}
