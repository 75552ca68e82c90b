/** Puts the firewall in place, once for a thread: hooks, children, proxies, and the events of what they refuse. */
import type { AllowWord } from "../settings/options.js";
import { defineLazy } from "../base/lazy.js";
import { watchCallers } from "./callers.js";
import { installed, publish } from "./capability.js";
import { createClassifier, serviceOf } from "./classify.js";
import { hookHandles } from "./handles.js";
import { passOn, preloadPath } from "./inherit.js";
import { nativePrototypes } from "./native-prototypes.js";
import { keepOffProxies } from "./proxies.js";
import type { Attempt } from "./refusal.js";

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
  /** Called once, when the first socket is made; with `early` only. */
  readonly onFirstSocket?: (() => void) | undefined;
  /** Made when there is something to tell, and asked for once: most programs never try. */
  readonly teller: () => Teller;
}

/** What explains and reports. */
export interface Teller {
  /** @returns the error that stands behind a refusal; its event is on its way */
  readonly attempted: (attempt: Attempt, blocked: boolean) => Error;
  readonly unavailable: (runtime: ForeignRuntime, preloaded: boolean) => void;
}

interface State {
  /** Strictest mode asked for so far. */
  readonly mode: () => FirewallMode;
  readonly tighten: () => void;
  readonly allow: readonly AllowWord[];
  readonly notClosed: () => readonly string[];
}

/** Installs the firewall in this thread. It stays for as long as the thread lives. */
export function install({ mode, allow, early, onFirstSocket, teller }: Installation): FirewallReport {
  const present = installed() as Partial<State> | undefined;
  if (present !== undefined) {
    if (mode === "block") present.tighten?.();
    return {
      mode: present.mode?.() ?? "block",
      allow: present.allow ?? [],
      alreadyInstalled: true,
      notClosed: present.notClosed?.() ?? [],
    };
  }
  if (mode === "off")
    return { mode, allow, alreadyInstalled: false, notClosed: ["anything: the firewall is switched off by a setting"] };
  const foreign = foreignRuntime();
  if (foreign !== undefined) {
    teller().unavailable(foreign, early);
    return {
      mode: "off",
      allow,
      alreadyInstalled: false,
      notClosed: [`anything: ${foreign.name} has no native handles that could be guarded`],
    };
  }
  let blocking = mode === "block";
  const classifier = createClassifier(allow, namedAsContainer);
  let told: Teller | undefined;
  const rules = {
    classifier,
    attempted: (attempt: Attempt) => {
      let cause: Error | undefined;
      try {
        cause = (told ??= teller()).attempted(attempt, blocking);
      } catch {
        // What cannot be told is refused all the same.
      }
      return { blocked: blocking, cause };
    },
  };
  const prototypes = nativePrototypes();
  watchCallers(classifier, early ? { prototypes, onFirstSocket } : undefined);
  hookHandles(rules, prototypes);
  keepOffProxies(rules);
  const late = early ? [] : lateness();
  const uncovered = children(mode, allow);
  const notClosed = (): string[] => [
    ...late,
    ...ffi(),
    ...uncovered,
    "programs that are not Node.js, native addons, and Unix sockets of relays",
  ];
  const tighten = (): void => {
    blocking = true;
  };
  publish({ mode: (): FirewallMode => (blocking ? "block" : "report"), tighten, allow, notClosed } satisfies State);
  return defineLazy({ mode, allow, alreadyInstalled: false }, "notClosed", notClosed);
}

/** A runtime that runs programs for Node.js in a way of its own. */
export interface ForeignRuntime {
  readonly name: "Bun" | "Deno";
  readonly version: string;
}

function foreignRuntime(): ForeignRuntime | undefined {
  const { bun, deno } = process.versions as { readonly bun?: string; readonly deno?: string };
  if (bun !== undefined) return { name: "Bun", version: bun };
  return deno === undefined ? undefined : { name: "Deno", version: deno };
}

/** The SDK's own container settings name the endpoint that it will ask for credentials. */
function namedAsContainer(service: "ecs" | "eks"): boolean {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative, AWS_CONTAINER_CREDENTIALS_FULL_URI: full } = process.env;
  if (service === "ecs" && relative !== undefined && relative !== "") return true;
  const host = /^https?:\/\/(?:\[([^\]]*)\]|([^/:?#]*))/i.exec(full ?? "");
  return host !== null && serviceOf(host[1] ?? host[2] ?? "") === service;
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
  const handles =
    (
      process as unknown as { _getActiveHandles?: () => readonly { remoteAddress?: unknown }[] }
    )._getActiveHandles?.() ?? [];
  return handles.filter(
    ({ remoteAddress }) => typeof remoteAddress === "string" && serviceOf(remoteAddress) !== undefined,
  ).length;
}

function ffi(): string[] {
  const available = process.getBuiltinModule?.("node:module").isBuiltin("node:ffi") ?? false;
  return available ? ["calls into libc through node:ffi: start Node.js with --no-experimental-ffi"] : [];
}

function children(mode: FirewallMode, allow: readonly AllowWord[]): string[] {
  const path = preloadPath();
  if (path === undefined)
    return [
      "worker threads and child processes: the preload file was not found beside this one (is imds-guard bundled into the program?)",
    ];
  return passOn(path, {
    IMDS_GUARD_FIREWALL: mode,
    ...(allow.length > 0 && { IMDS_GUARD_FIREWALL_ALLOW: allow.join(",") }),
  });
}
