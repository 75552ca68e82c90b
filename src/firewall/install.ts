/** Puts the firewall in place, once for a thread: hooks, children, proxies, and the events of what they refuse. */
import type { EventCode, EventDetails } from "../events/catalogue.js";
import { quietly } from "../events/quietly.js";
import type { AllowWord } from "../settings/options.js";
import { watchCallers } from "./callers.js";
import { installed, publish } from "./capability.js";
import { createClassifier, serviceOf } from "./classify.js";
import { hookHandles } from "./handles.js";
import { passOn, preloadPath } from "./inherit.js";
import { keepOffProxies } from "./proxies.js";
import type { Attempt } from "./refusal.js";
import { attemptDetails, blockedError, callers } from "./refusal.js";

/** `block` refuses, `report` lets pass and says so, `off`: there is no firewall. */
export type FirewallMode = "block" | "report" | "off";

/** What an installation came to. */
export interface FirewallReport {
  readonly mode: FirewallMode;
  readonly allow: readonly AllowWord[];
  /** It was there before, installed by the preload or another copy; `block` tightens its mode, nothing loosens it. */
  readonly alreadyInstalled: boolean;
  /** What it cannot close in this process, one sentence each. */
  readonly notClosed: readonly string[];
}

/** What an installation needs. */
export interface Installation {
  readonly mode: FirewallMode;
  readonly allow: readonly AllowWord[];
  /** Before any module of the program was loaded. */
  readonly early: boolean;
  readonly report: (code: EventCode, details: EventDetails) => void;
}

/** Attempts that are reported one by one in each window; the rest is counted. */
export const MAX_REPORTED = 100;
/** Length of that window in milliseconds. */
export const REPORT_WINDOW_MS = 60_000;

interface State {
  /** Strictest mode asked for so far. */
  readonly mode: () => FirewallMode;
  readonly tighten: () => void;
  readonly allow: readonly AllowWord[];
  readonly notClosed: readonly string[];
}

/** Installs the firewall in this thread. It stays for as long as the thread lives. */
export function install({ mode, allow, early, report }: Installation): FirewallReport {
  const present = installed() as Partial<State> | undefined;
  if (present !== undefined) {
    if (mode === "block") present.tighten?.();
    return { mode: present.mode?.() ?? "block", allow: present.allow ?? [], alreadyInstalled: true, notClosed: present.notClosed ?? [] };
  }
  if (mode === "off") return { mode, allow, alreadyInstalled: false, notClosed: ["anything: the firewall is switched off by a setting"] };
  const foreign = foreignRuntime();
  if (foreign !== undefined) {
    void quietly(() => report("firewall.unavailable", unavailability(foreign, early)));
    return { mode: "off", allow, alreadyInstalled: false, notClosed: [`anything: ${foreign.name} has no native handles that could be guarded`] };
  }
  let blocking = mode === "block";
  const classifier = createClassifier(allow, namedAsContainer);
  const note = recorder(report);
  const rules = {
    classifier,
    attempted: (attempt: Attempt) => {
      let cause: Error | undefined;
      try {
        const error = blockedError(attempt);
        cause = error;
        note(attempt, error, blocking);
      } catch {
        // What cannot be told is refused all the same.
      }
      return { blocked: blocking, cause };
    },
  };
  watchCallers(classifier);
  hookHandles(rules);
  keepOffProxies(rules);
  const notClosed = [...(early ? [] : lateness()), ...ffi(), ...children(mode, allow), "programs that are not Node.js, native addons, and Unix sockets of relays"];
  const tighten = (): void => {
    blocking = true;
  };
  publish({ mode: (): FirewallMode => (blocking ? "block" : "report"), tighten, allow, notClosed } satisfies State);
  return { mode, allow, alreadyInstalled: false, notClosed };
}

interface ForeignRuntime {
  readonly name: "Bun" | "Deno";
  readonly version: string;
}

function foreignRuntime(): ForeignRuntime | undefined {
  const { bun, deno } = process.versions as { readonly bun?: string; readonly deno?: string };
  if (bun !== undefined) return { name: "Bun", version: bun };
  return deno === undefined ? undefined : { name: "Deno", version: deno };
}

/** Whoever asks for a firewall and does not read what comes back must hear that there is none. */
function unavailability({ name, version }: ForeignRuntime, preloaded: boolean): EventDetails {
  // Bun loads modules without asking `node:module`, which is where the preload gives the SDK its guarded parts.
  const sdk = preloaded && name === "Bun" ? ", and what the AWS SDK asks of IMDS by itself is not led through a guard" : "";
  return {
    message: `There is no firewall in ${name}: connections of this process to metadata services are not stopped${sdk}`,
    evidence: [{ source: "process.versions", value: `${name} ${version}`, says: "has no native handles that could be guarded" }],
    advice:
      "Import the credential providers of imds-guard, which work here; check URLs that users name with assertNotMetadataUrl; and block 169.254.169.254 and fd00:ec2::254 " +
      "on the host (imds-guard doctor --fix-plan). Or run the program with Node.js.",
  };
}

/** The SDK's own container settings name the endpoint that it will ask for credentials. */
function namedAsContainer(service: "ecs" | "eks"): boolean {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative, AWS_CONTAINER_CREDENTIALS_FULL_URI: full } = process.env;
  if (service === "ecs" && relative !== undefined && relative !== "") return true;
  const host = /^https?:\/\/(?:\[([^\]]*)\]|([^/:?#]*))/i.exec(full ?? "");
  return host !== null && serviceOf(host[1] ?? host[2] ?? "") === service;
}

/** Reports at most so many attempts one by one: whoever makes the process try in a loop must not fill its logs. */
function recorder(report: Installation["report"]): (attempt: Attempt, error: ReturnType<typeof blockedError>, blocked: boolean) => void {
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
    if (attempt.way === "tcp" && ended.delete(key)) return;
    if (attempt.way === "http" && ended.size < MAX_REPORTED) ended.add(key);
    if (reported >= MAX_REPORTED) {
      unreported++;
      return;
    }
    reported++;
    const details = attemptDetails(attempt, error, blocked, unreported);
    unreported = 0;
    void quietly(() => report(blocked ? "firewall.connection_blocked" : "firewall.connection_seen", details));
  };
}

function lateness(): string[] {
  const open = openConnections();
  return [
    open === 0
      ? "idle keep-alive connections that were opened before: load imds-guard/register first (node -r) to have none"
      : `${open} open connection${open === 1 ? "" : "s"} to a metadata service, made before the firewall was installed`,
    "code that took worker_threads.Worker, or a method of a native handle, before",
  ];
}

function openConnections(): number {
  const handles = (process as unknown as { _getActiveHandles?: () => readonly { remoteAddress?: unknown }[] })._getActiveHandles?.() ?? [];
  return handles.filter(({ remoteAddress }) => typeof remoteAddress === "string" && serviceOf(remoteAddress) !== undefined).length;
}

function ffi(): string[] {
  const available = process.getBuiltinModule?.("node:module").isBuiltin("node:ffi") ?? false;
  return available ? ["calls into libc through node:ffi: start Node.js with --no-experimental-ffi"] : [];
}

function children(mode: FirewallMode, allow: readonly AllowWord[]): string[] {
  const path = preloadPath();
  if (path === undefined) return ["worker threads and child processes: the preload file was not found beside this one (is imds-guard bundled into the program?)"];
  return passOn(path, { IMDS_GUARD_FIREWALL: mode, ...(allow.length > 0 && { IMDS_GUARD_FIREWALL_ALLOW: allow.join(",") }) });
}
