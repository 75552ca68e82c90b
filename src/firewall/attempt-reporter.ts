/**
 * What is told of attempts, and of a firewall that cannot be: errors that explain themselves, events, and their limits.
 */
import { sep } from "node:path";
import { fact, ImdsRefusedError } from "../base/errors.js";
import { maskArguments } from "../base/text.js";
import { OWN_FOLDER } from "../base/own-folder.js";
import type { EventDetails } from "../events/catalogue.js";
import type { EventCode } from "../events/weights.js";
import { inBackground } from "../events/quietly.js";
import type { MetadataService } from "./classify.js";
import type { ForeignRuntime, AttemptReporter } from "./install.js";
import type { Attempt } from "./refusal.js";

/** Attempts that are reported one by one in each window; the rest is counted. */
export const MAX_REPORTED = 100;
/** Length of that window in milliseconds. */
export const REPORT_WINDOW_MS = 60_000;

/** Frames of a caller's stack that are kept. */
export const MAX_FRAMES = 16;

/** Tells `report` of what is tried. */
export function createAttemptReporter(report: (code: EventCode, details: EventDetails) => void): AttemptReporter {
  const note = recorder(report);
  return {
    attempted(attempt, blocked) {
      const error = blockedError(attempt);
      try {
        note(attempt, error, blocked);
      } catch {
        // The error is there, and says as much.
      }
      return error;
    },
    unavailable: (runtime, preloaded) =>
      inBackground(() => report("firewall.unavailable", unavailability(runtime, preloaded))),
  };
}

const SERVICE_NAMES: Readonly<Record<MetadataService, string>> = {
  imds: "the instance metadata service",
  dns: "Amazon's DNS service",
  ntp: "Amazon's time service",
  ecs: "the ECS credential service",
  eks: "the EKS credential service",
  openstack: "OpenStack's metadata service",
  reserved: "Amazon's reserved addresses",
};

const ADVICE: Readonly<Partial<Record<MetadataService, string>>> = {
  imds:
    "Only the guard of imds-guard talks to IMDS in this process; the stack tells who tried. If that is an AWS SDK or a tracer that is part of the program's own file, " +
    "give its clients clientConfig() of imds-guard, or set IMDS_GUARD_FIREWALL_ANSWERS=credentials (metadata for a tracer). If a user named the address, this was an attack (SSRF). " +
    "On another cloud, allow its own metadata with IMDS_GUARD_FIREWALL_ALLOW=gcp, azure or openstack.",
};

/** Functions by which the SDK's own code for IMDS is known, however it was bundled, unless their names were lost. */
const SDK_FRAMES =
  /\b(?:fromInstanceMetadata|getInstanceMetadata\w+|getMetadataToken|getCredentialsFromProfile|inferPhysicalRegion|MetadataService)\b|[\\/]credential-provider-imds[\\/]/;
const OF_SDK =
  "This is an AWS SDK that imds-guard does not reach, such as one that is bundled into the program's file. Give its clients clientConfig() of imds-guard, " +
  "or set IMDS_GUARD_FIREWALL_ANSWERS=credentials so that the guard answers it; or give it credentials of another kind.";

/** The error that stands behind a refusal, as the `cause` of what the caller sees. */
export function blockedError(attempt: Attempt): ImdsRefusedError {
  const { literal, service, via, stack } = attempt;
  const ofSdk = service === "imds" && stack !== undefined && SDK_FRAMES.test(stack);
  return new ImdsRefusedError("ERR_IMDS_CONNECTION_BLOCKED", `${connectionOf(attempt)} was blocked`, {
    evidence: [fact(via, `the address of ${SERVICE_NAMES[service]}`, literal)],
    advice: ofSdk
      ? OF_SDK
      : (ADVICE[service] ?? `If this process needs it, allow it with IMDS_GUARD_FIREWALL_ALLOW=${service}.`),
  });
}

function connectionOf({ literal, port, service }: Attempt): string {
  return `A connection to ${SERVICE_NAMES[service]} at ${port === undefined ? literal : `${literal} port ${port}`}`;
}

/** The event of an attempt: who tried (pid, command line, JavaScript stack) and where to. */
export function attemptDetails(
  attempt: Attempt,
  error: ImdsRefusedError,
  blocked: boolean,
  unreported: number,
): EventDetails {
  const frames = callers(attempt.stack);
  return {
    message: blocked ? error.message : `${connectionOf(attempt)} was seen and, in mode report, let pass`,
    endpoint: { address: attempt.literal, port: attempt.port ?? 0 },
    evidence: [
      ...error.evidence,
      fact("process", maskArguments(process.argv, 400), `pid ${process.pid}`),
      ...frames.map((frame, index) => fact(`stack ${index + 1}`, index === 0 ? "the caller" : "called by", frame)),
      ...(unreported > 0 ? [fact("imds-guard", `${unreported} earlier attempts were not reported one by one`)] : []),
    ],
    advice: error.advice,
  };
}

/** Where this package is, as stacks name it; in a bundle it is where the program is. */
const HERE = OWN_FOLDER === undefined ? undefined : OWN_FOLDER + sep;

/** The frames of the program in a stack; those of Node itself where there are no others. */
export function callers(stack: string | undefined): string[] {
  if (stack === undefined) return [];
  const frames = stack.split("\n").flatMap((line) => /^\s+at (.+)$/.exec(line)?.[1] ?? []);
  const own = frames.filter(
    (frame) => !(HERE !== undefined && frame.includes(HERE)) && !/\(?node:[\w/.-]+:\d+|<anonymous>\)?$/.test(frame),
  );
  return (own.length > 0 ? own : frames).slice(0, MAX_FRAMES);
}

/** Reports at most so many attempts one by one: whoever makes the process try in a loop must not fill its logs. */
function recorder(
  report: Parameters<typeof createAttemptReporter>[0],
): (attempt: Attempt, error: ReturnType<typeof blockedError>, blocked: boolean) => void {
  let windowEnds = 0;
  let reported = 0;
  let unreported = 0;
  const ended = new Set<string>();
  return (attempt, error, blocked) => {
    const now = performance.now();
    if (now >= windowEnds) {
      windowEnds = now + REPORT_WINDOW_MS;
      reported = 0;
      ended.clear();
    }
    // undici still dials for a request that was ended before; that is one attempt and not two.
    const key = [attempt.literal, ...callers(attempt.stack)].join("\n");
    if (attempt.via === "tcp" && ended.delete(key)) return;
    if (attempt.via === "http" && ended.size < MAX_REPORTED) ended.add(key);
    if (reported >= MAX_REPORTED) {
      unreported++;
      return;
    }
    reported++;
    const details = attemptDetails(attempt, error, blocked, unreported);
    unreported = 0;
    inBackground(() => report(blocked ? "firewall.connection_blocked" : "firewall.connection_seen", details));
  };
}

/** Whoever asks for a firewall and does not read what comes back must hear that there is none. */
function unavailability({ name, version }: ForeignRuntime, preloaded: boolean): EventDetails {
  // Bun loads modules without asking `node:module`, which is where the preload gives the SDK its guarded parts.
  const sdk =
    preloaded && name === "Bun" ? ", and what the AWS SDK asks of IMDS by itself is not led through a guard" : "";
  return {
    message: `There is no firewall in ${name}: connections of this process to metadata services are not stopped${sdk}`,
    evidence: [fact("process.versions", "has no native handles that could be guarded", `${name} ${version}`)],
    advice:
      "Import the credential providers of imds-guard, which work here; check URLs that users name with assertNotMetadataUrl; and block 169.254.169.254 and fd00:ec2::254 " +
      "on the host (imds-guard doctor --fix-plan). Or run the program with Node.js.",
  };
}
