/** Puts the firewall in place, once for a thread: hooks, children, proxies, and the events of what they refuse. */
import { firewallAt } from "../base/own-sockets.js";
import type { AllowWord } from "../settings/options.js";
import { defineLazy } from "../base/lazy.js";
import { rememberCallers } from "./caller-stacks.js";
import { publish } from "./own-connections.js";
import { createClassifier, serviceOf } from "./classify.js";
import { hookConnections } from "./connection-hooks.js";
import type { Inherited } from "./inherit.js";
import { coverChildren, preloadPath } from "./inherit.js";
import type { Answers } from "./redirect.js";
import { createRedirect } from "./redirect.js";
import type { NativePrototypes } from "./native-prototypes.js";
import { nativePrototypes } from "./native-prototypes.js";
import { nodeProcess, ownVariable } from "./node-process.js";
import { keepOffProxies } from "./proxies.js";
import type { Attempt } from "./refusal.js";

/** `block` refuses, `report` lets pass and says so, `off`: there is no firewall. */
export type FirewallMode = "block" | "report" | "off";

const { getOwnPropertyDescriptor, getPrototypeOf } = Object;
/** That of this realm. */
const FUNCTION: unknown = Function.prototype;

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
  /** Variables that say where events go, for children whose environment was emptied. Default: none. */
  readonly reportingVariables?: Inherited | undefined;
  /** Made when there is something to tell, and asked for once: most programs never try. */
  readonly reporter: () => AttemptReporter;
  /** Answers the programs that ask the instance metadata service for themselves; made with the first of them. */
  readonly answers?: (() => Answers) | undefined;
  /** Called where a firewall that was there before goes on reporting attempts in its own way. */
  readonly onReportedElsewhere?: (() => void) | undefined;
}

/** What explains and reports. */
export interface AttemptReporter {
  /** @returns the error that stands behind a refusal; its event is on its way */
  readonly attempted: (attempt: Attempt, blocked: boolean) => Error;
  readonly unavailable: (runtime: ForeignRuntime, preloaded: boolean) => void;
}

/** What an installation leaves for later ones to find, in every version from protocol 1 on. */
interface State {
  /** Strictest mode asked for so far. */
  readonly mode: () => FirewallMode;
  readonly tighten: () => void;
  readonly allow: readonly AllowWord[];
  readonly notClosed: () => readonly string[];
  /**
   * Lets an installation in another realm report what happens from now on: a test runner ends the realms that were
   * before. False where the reporter stays: it is a preload's, which outlives every realm, or one of the same realm.
   */
  readonly reportTo: (reporter: () => AttemptReporter) => boolean;
}

/** Installs the firewall in this thread. It stays for as long as the thread lives. */
export function install(installation: Installation): FirewallReport {
  const { mode, allow, early, onFirstSocket, reportingVariables = {}, reporter, answers } = installation;
  const foreign = foreignRuntime();
  const prototypes = foreign === undefined ? nativePrototypes() : undefined;
  if (prototypes !== undefined && isGuarded(prototypes))
    return join(firewallAt(prototypes.tcp) as Partial<State> | undefined, installation);
  if (mode === "off") {
    const notClosed = ["anything: the firewall is switched off by a setting"];
    return { mode, allow, alreadyInstalled: false, notClosed };
  }
  if (foreign !== undefined || prototypes === undefined) {
    if (foreign !== undefined) reporter().unavailable(foreign, early);
    const notClosed = [`anything: ${foreign?.name} has no native handles that could be guarded`];
    return { mode: "off", allow, alreadyInstalled: false, notClosed };
  }
  let blocking = mode === "block";
  let reporterOf = reporter;
  let reporting: AttemptReporter | undefined;
  const classifier = createClassifier(allow, namedAsContainer);
  const rules = {
    classifier,
    attempted: (attempt: Attempt) => {
      let cause: Error | undefined;
      try {
        cause = (reporting ??= reporterOf()).attempted(attempt, blocking);
      } catch {
        // What cannot be reported is refused all the same.
      }
      return { blocked: blocking, cause };
    },
    redirect: answers && blocking ? createRedirect(prototypes, answers) : undefined,
  };
  rememberCallers(classifier, early ? { prototypes, onFirstSocket } : undefined);
  hookConnections(rules, prototypes);
  keepOffProxies(rules);
  const late = early ? [] : lateness();
  const uncovered = children(mode, allow, reportingVariables);
  const notClosed = (): string[] => [
    ...late,
    ...ffi(),
    ...uncovered,
    "programs that are not Node.js, native addons, and Unix sockets of relays",
  ];
  publish(prototypes, {
    mode: (): FirewallMode => (blocking ? "block" : "report"),
    tighten: (): void => {
      blocking = true;
    },
    allow,
    notClosed,
    reportTo: (other): boolean => {
      if (early || getPrototypeOf(other) === FUNCTION) return false;
      reporterOf = other;
      reporting = undefined;
      return true;
    },
  } satisfies State);
  return defineLazy({ mode, allow, alreadyInstalled: false }, "notClosed", notClosed);
}

/** Whether the handles have hooks that nothing takes away any more. */
function isGuarded({ tcp }: NativePrototypes): boolean {
  return firewallAt(tcp) !== undefined || getOwnPropertyDescriptor(tcp, "connect")?.configurable === false;
}

/** A firewall that was there before, put there by another copy, version or realm: it gets stricter and nothing else. */
function join(present: Partial<State> | undefined, installation: Installation): FirewallReport {
  const { mode, reporter, onReportedElsewhere } = installation;
  if (mode === "block") present?.tighten?.();
  if (mode !== "off" && present?.reportTo?.(reporter) !== true) onReportedElsewhere?.();
  return {
    mode: present?.mode?.() ?? "block",
    allow: present?.allow ?? [],
    alreadyInstalled: true,
    notClosed: present?.notClosed?.() ?? [
      "what the firewall that was there before does not close: it is none that this version of imds-guard knows",
    ],
  };
}

/** A runtime that runs programs for Node.js in a way of its own. */
export interface ForeignRuntime {
  readonly name: "Bun" | "Deno";
  readonly version: string;
}

function foreignRuntime(): ForeignRuntime | undefined {
  const { bun, deno } = nodeProcess.versions as { readonly bun?: string; readonly deno?: string };
  if (bun !== undefined) return { name: "Bun", version: bun };
  return deno === undefined ? undefined : { name: "Deno", version: deno };
}

/**
 * The settings of the SDK and of the ECS agent name an endpoint of the container service. A path alone, and the task
 * metadata, are on port 80 of the ECS address, whatever else the variable holds.
 */
function namedAsContainer(service: "ecs" | "eks", port: number | undefined): boolean {
  const full = /^http(s?):\/\/(?:\[([^\]]*)\]|([^/:?#]*))(?::(\d{1,5}))?(?=[/?#]|$)/i.exec(
    ownVariable("AWS_CONTAINER_CREDENTIALS_FULL_URI") ?? "",
  );
  if (full !== null && serviceOf(full[2] ?? full[3] ?? "") === service) {
    const named = full[4] === undefined ? (full[1] === "" ? 80 : 443) : Number(full[4]);
    if (port === named) return true;
  }
  return service === "ecs" && port === 80 && ECS_VARIABLES.some((name) => (ownVariable(name) ?? "") !== "");
}

/** Set by the ECS agent: role credentials, and the metadata of a task, which one without a role has, too. */
const ECS_VARIABLES = [
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
  "ECS_CONTAINER_METADATA_URI_V4",
  "ECS_CONTAINER_METADATA_URI",
] as const;

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
      nodeProcess as unknown as { _getActiveHandles?: () => readonly { remoteAddress?: unknown }[] }
    )._getActiveHandles?.() ?? [];
  return handles.filter(
    ({ remoteAddress }) => typeof remoteAddress === "string" && serviceOf(remoteAddress) !== undefined,
  ).length;
}

function ffi(): string[] {
  const available = nodeProcess.getBuiltinModule?.("node:module").isBuiltin("node:ffi") ?? false;
  return available ? ["calls into libc through node:ffi: start Node.js with --no-experimental-ffi"] : [];
}

function children(mode: FirewallMode, allow: readonly AllowWord[], reportingVariables: Inherited): string[] {
  const path = preloadPath();
  if (path === undefined)
    return [
      "worker threads and child processes: the preload file was not found beside this one (is imds-guard bundled into the program?)",
    ];
  return coverChildren(path, {
    IMDS_GUARD_FIREWALL: mode,
    ...(allow.length > 0 && { IMDS_GUARD_FIREWALL_ALLOW: allow.join(",") }),
    ...reportingVariables,
  });
}
