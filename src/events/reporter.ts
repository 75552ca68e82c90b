/** Turns what a room has to say into one complete, bounded and frozen event, and hands it to every sink. */
import { type Evidence, fact } from "../base/errors.js";
import { ownProperties } from "../base/own-properties.js";
import type { System } from "../base/system.js";
import { boundText, maskAccessKeyId } from "../base/text.js";
import { BULLETIN } from "./catalogue.js";
import { isFinding, weightOf } from "./weights.js";
import type { Claimed, EventDetails, EventEndpoint, GuardEvent, Responder } from "./catalogue.js";
import type { EventCode } from "./weights.js";
import { inBackground, quietly } from "./quietly.js";
import type { Sink } from "./sinks.js";
import { titleOf } from "./title-of.js";

const { freeze } = Object;

/** Characters of a message or an advice. */
export const MAX_MESSAGE = 500;
/** Characters of any other text. */
export const MAX_VALUE = 200;
/** Items of evidence. */
export const MAX_EVIDENCE = 32;
/** Milliseconds that {@link Reporter.close} waits for all sinks together. */
export const CLOSE_DEADLINE_MS = 2_000;

const FINDING_ADVICE =
  "Find out who answers at this address, and treat credentials and data that passed through it as exposed.";

/** What a reporter is made of. */
export interface ReporterOptions {
  /** Supplies the time, the pid and the name of the program. */
  readonly system: System;
  /** Every one gets every event, in this order. */
  readonly sinks: readonly Sink[];
}

/** The one way by which rooms say something. */
export interface Reporter {
  /**
   * Builds the event and gives it to the sinks that want it; details that take time to gather may come as a function,
   * which is called only if there is one. Never throws because of a sink.
   */
  report(code: EventCode, details?: EventDetails | (() => EventDetails)): void;
  /** Flushes the sinks, for at most {@link CLOSE_DEADLINE_MS}. What is reported later is delivered nowhere. */
  close(): Promise<void>;
}

/** A reporter over `sinks`. Severity and action of an event are the catalogue's; details cannot change them. */
export function createReporter(options: ReporterOptions): Reporter {
  const { system } = options;
  const sinks = [...options.sinks];
  const writing = new Set<Sink>();
  let closing: Promise<void> | undefined;

  function deliver(event: GuardEvent, wanting: readonly Sink[]): void {
    for (const sink of wanting) {
      // A sink whose own write makes the guard report again would otherwise call itself without end.
      if (writing.has(sink)) continue;
      writing.add(sink);
      inBackground(() => sink.write(event));
      writing.delete(sink);
    }
  }

  return {
    report(code, details = {}) {
      if (closing !== undefined) return;
      const { severity } = weightOf(code);
      const wanting = sinks.filter((sink) => sink.wants?.(severity) ?? true);
      if (wanting.length > 0)
        deliver(buildEvent(system, code, typeof details === "function" ? details() : details), wanting);
    },
    close() {
      closing ??= closeAll(sinks);
      return closing;
    },
  };
}

async function closeAll(sinks: readonly Sink[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
    timer.unref();
  });
  await Promise.race([Promise.all(sinks.map(async (sink) => quietly(() => sink.close?.()))), deadline]);
  clearTimeout(timer);
}

function buildEvent(system: System, code: EventCode, given: EventDetails): GuardEvent {
  const details = ownProperties(given);
  const { severity, action } = weightOf(code);
  const finding = isFinding(code);
  const claimed = boundClaimed(details.claimed && ownProperties(details.claimed));
  const responder = boundResponder(details.responder && ownProperties(details.responder));
  return freeze({
    id: randomId(system.random),
    time: new Date(system.now()).toISOString(),
    code,
    severity,
    action,
    message: boundText(details.message || titleOf(code), MAX_MESSAGE),
    ...(details.endpoint && { endpoint: boundEndpoint(details.endpoint) }),
    evidence: boundEvidence(details.evidence ?? []),
    ...(claimed && { claimed }),
    ...(responder && { responder }),
    caller: freeze({ pid: system.pid, argv0: boundText(system.argv0, MAX_VALUE) }),
    advice: boundText(details.advice || (finding ? FINDING_ADVICE : ""), MAX_MESSAGE),
    refs: freeze(finding ? [BULLETIN] : []),
  });
}

/**
 * A version 4 UUID. It tells events apart and guards nothing, so it does without `node:crypto`, which would be most of
 * what a refusal costs a process that needs no cryptography.
 */
function randomId(random: () => number): string {
  const digits = Array.from({ length: 32 }, () => Math.floor(random() * 16));
  digits[12] = 4;
  digits[16] = 8 | ((digits[16] ?? 0) & 3);
  return digits
    .map((digit) => digit.toString(16))
    .join("")
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function boundEndpoint({ address, port }: EventEndpoint): EventEndpoint {
  return freeze({ address: boundText(address, MAX_VALUE), port });
}

function boundEvidence(evidence: readonly Evidence[]): readonly Evidence[] {
  const kept = evidence.slice(0, evidence.length > MAX_EVIDENCE ? MAX_EVIDENCE - 1 : MAX_EVIDENCE).map(boundItem);
  if (kept.length < evidence.length) {
    kept.push(freeze(fact("imds-guard", `${evidence.length - kept.length} more left out`)));
  }
  return freeze(kept);
}

function boundItem({ source, value, says }: Evidence): Evidence {
  const shown = value === undefined ? undefined : boundText(value, MAX_VALUE);
  return freeze(fact(boundText(source, MAX_VALUE), boundText(says, MAX_VALUE), shown));
}

function boundClaimed(claimed: Claimed | undefined): Claimed | undefined {
  if (claimed === undefined) return undefined;
  const accessKeyId = claimed.accessKeyId === undefined ? undefined : maskAccessKeyId(claimed.accessKeyId);
  return present(ownProperties({ ...claimed, accessKeyId }), [
    "accountId",
    "roleName",
    "region",
    "instanceId",
    "accessKeyId",
  ]);
}

function boundResponder(responder: Responder | undefined): Responder | undefined {
  return responder && present(responder, ["mac", "interface", "gateway", "route", "localAddress"]);
}

/** The named fields that have a value, bounded; nothing when none has. */
function present<Key extends string>(
  from: Readonly<Partial<Record<Key, string | undefined>>>,
  keys: readonly Key[],
): Readonly<Partial<Record<Key, string>>> | undefined {
  const kept: Partial<Record<Key, string>> = {};
  for (const key of keys) {
    const value = from[key];
    if (value !== undefined) kept[key] = boundText(value, MAX_VALUE);
  }
  return Object.keys(kept).length === 0 ? undefined : freeze(kept);
}
