/** Watches the metadata addresses for as long as a process lives, and reports what changes, once. */
import { IMDS_IPV4, IMDS_IPV6 } from "../base/addresses.js";
import { invalidArgument } from "../base/errors.js";
import type { EventEndpoint } from "../events/catalogue.js";
import type { EventCode } from "../events/weights.js";
import { inBackground } from "../events/quietly.js";
import type { Reporter } from "../events/reporter.js";
import type { Verdict } from "../host/report.js";
import type { System } from "../base/system.js";
import { createObserver } from "./observe.js";
import { createChangeTracker } from "./change-tracker.js";

/** Options of `guard.monitor()`. */
export interface MonitorOptions {
  /**
   * Milliseconds between looks, 50 to 86,400,000, a tenth more or less so that a fleet does not probe in step. Default
   * 30,000.
   */
  readonly intervalMs?: number | undefined;
  /**
   * Whether the metadata addresses are asked for a token, which holds no secret. Default: the guard's setting `probe`.
   * Without it this host's own tables and DNS are looked at.
   */
  readonly probe?: "on" | "off" | undefined;
  /** Milliseconds for each answer, 10 to 60,000. Default 1,000. */
  readonly probeTimeoutMs?: number | undefined;
  /** Whether the names under which programs look for IMDS are resolved, in every tenth look. Default `on`. */
  readonly dns?: "on" | "off" | undefined;
  /** Whether the monitor keeps the process alive. Default false. */
  readonly holdsProcess?: boolean | undefined;
  /** Called after every look. What it throws is swallowed. */
  readonly onLook?: ((status: MonitorStatus) => void) | undefined;
}

/** Where a monitor stands. */
export interface MonitorStatus {
  /** Looks that were finished. */
  readonly looks: number;
  /** ISO 8601; undefined before the first. */
  readonly lastLook: string | undefined;
  /** Milliseconds that the last one took. */
  readonly lastLookMs: number | undefined;
  /** Looks that could not be finished; what they would have found, the next one finds. */
  readonly failedLooks: number;
  /** Events reported so far, by code. */
  readonly reported: Readonly<Partial<Record<EventCode, number>>>;
  /** Whether somebody answers as IMDSv2 at one of the addresses. */
  readonly responder: boolean;
  /** Things that were not followed because there were too many. */
  readonly overflow: number;
}

/** A monitor that runs. */
export interface Monitor {
  /** Looks now, or joins the look that is under way. */
  look(): Promise<MonitorStatus>;
  /** Where it stands, as of the last look. */
  status(): MonitorStatus;
  /** Stops, once a look that is under way is done. Reported events are flushed by the guard's `close`. */
  close(): Promise<void>;
}

/** What a monitor works with. */
export interface MonitorDependencies {
  readonly system: System;
  readonly reporter: Reporter;
  readonly verdict: Verdict;
  /** What the guard's setting `probe` says. */
  readonly probe: "on" | "off";
  /** Default: both addresses of IMDS. */
  readonly targets?: readonly EventEndpoint[] | undefined;
  readonly dnsServers?: readonly string[] | undefined;
}

/** Default of {@link MonitorOptions.intervalMs}. */
export const DEFAULT_INTERVAL_MS = 30_000;
const DEFAULT_PROBE_TIMEOUT_MS = 1_000;
const NAMES = ["instance-data", "instance-data.ec2.internal"];
const NAMES_EVERY = 10;

/**
 * Starts a monitor. The first look begins at once; what it finds is reported, and afterwards only what changes.
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is unknown or not allowed
 */
export function createMonitor(options: MonitorOptions, dependencies: MonitorDependencies): Monitor {
  checkOptions(options);
  const {
    intervalMs = DEFAULT_INTERVAL_MS,
    probe = dependencies.probe,
    probeTimeoutMs = DEFAULT_PROBE_TIMEOUT_MS,
    dns = "on",
    holdsProcess = false,
    onLook,
  } = options;
  const { system, reporter, verdict } = dependencies;
  const targets = dependencies.targets ?? [IMDS_IPV4, IMDS_IPV6].map((address) => ({ address, port: 80 }));
  const observe = createObserver({
    system,
    verdict,
    targets,
    probe: probe === "on",
    probeTimeoutMs,
    names: dns === "on" ? NAMES : [],
    namesEvery: NAMES_EVERY,
    dnsServers: dependencies.dnsServers,
  });
  const tracker = createChangeTracker();
  const reported: Partial<Record<EventCode, number>> = {};
  let looks = 0;
  let failedLooks = 0;
  let last: { readonly at: string; readonly ms: number } | undefined;
  let looking: Promise<MonitorStatus> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function lookOnce(): Promise<MonitorStatus> {
    const began = system.monotonic();
    try {
      for (const { code, details } of tracker.step(await observe())) {
        reporter.report(code, details);
        reported[code] = (reported[code] ?? 0) + 1;
      }
      looks += 1;
      last = { at: new Date(system.now()).toISOString(), ms: system.monotonic() - began };
    } catch {
      // A watch that ends because one look went wrong would be silent from then on. The number is in the status.
      failedLooks += 1;
    }
    const now = status();
    try {
      onLook?.(now);
    } catch {
      // The observer's mistake is not the watch's.
    }
    return now;
  }

  function look(): Promise<MonitorStatus> {
    looking ??= lookOnce().finally(() => {
      looking = undefined;
      schedule();
    });
    return looking;
  }

  function schedule(): void {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(() => inBackground(look), intervalMs * (0.9 + system.random() * 0.2)).unref();
  }

  function status(): MonitorStatus {
    const responder = tracker.present().some((key) => key.startsWith("imds "));
    return {
      looks,
      lastLook: last?.at,
      lastLookMs: last?.ms,
      failedLooks,
      reported: { ...reported },
      responder,
      overflow: tracker.overflow,
    };
  }

  // The sockets of a look hold nothing, so the time between looks is not all that has to be held.
  const holder = holdsProcess ? setInterval(() => undefined, 2 ** 30) : undefined;
  inBackground(look);
  return {
    look,
    status,
    async close() {
      closed = true;
      clearTimeout(timer);
      await looking;
      clearInterval(holder);
    },
  };
}

const OPTIONS: Readonly<
  Record<keyof MonitorOptions, { readonly allowed: string; readonly check: (value: unknown) => boolean }>
> = {
  intervalMs: { allowed: "a number from 50 to 86400000", check: (value) => inRange(value, 50, 86_400_000) },
  probe: { allowed: "on, off", check: (value) => value === "on" || value === "off" },
  probeTimeoutMs: { allowed: "a number from 10 to 60000", check: (value) => inRange(value, 10, 60_000) },
  dns: { allowed: "on, off", check: (value) => value === "on" || value === "off" },
  holdsProcess: { allowed: "true, false", check: (value) => typeof value === "boolean" },
  onLook: { allowed: "a function", check: (value) => typeof value === "function" },
};

function checkOptions(options: MonitorOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const known = Object.hasOwn(OPTIONS, name) ? OPTIONS[name as keyof MonitorOptions] : undefined;
    if (known === undefined) throw invalidArgument("monitor", name, Object.keys(OPTIONS).join(", "));
    if (!known.check(value)) throw invalidArgument(`monitor.${name}`, value, known.allowed);
  }
}

function inRange(value: unknown, min: number, max: number): boolean {
  return typeof value === "number" && value >= min && value <= max;
}
