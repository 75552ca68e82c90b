/** Opens the line to IMDS that a decision allows: addresses pinned, keys loaded, session ready. */
import type { Acquirer } from "./acquire.js";
import { createAcquirer } from "./acquire.js";
import type { KeyRing } from "../attest/key-ring.js";
import type { Contact, Target } from "./decide.js";
import { loadExtra } from "../base/extra.js";
import type { Reporter } from "../events/reporter.js";
import type { HostReport } from "../host/report.js";
import { createSession } from "../imds/session.js";
import type { Pin } from "../imds/transport.js";
import type { Settings } from "../settings/options.js";
import type { System } from "../base/system.js";

/** What a line is opened with. */
export interface OpenOptions {
  readonly decision: Contact;
  readonly host: HostReport;
  readonly settings: Settings;
  readonly keyRing: KeyRing;
  readonly reporter: Reporter;
  readonly system: System;
}

/** @throws ImdsUnavailableError `ERR_IMDS_ENDPOINT_UNRESOLVED` */
export async function openAcquirer({
  decision,
  host,
  settings,
  keyRing,
  reporter,
  system,
}: OpenOptions): Promise<Acquirer> {
  const began = system.monotonic();
  const pin = await pinTarget(decision.target, settings);
  return createAcquirer({
    spentMs: system.monotonic() - began,
    openSession: () => createSession({ pin, system, maxRetries: settings.maxRetries }),
    proof: decision.proof,
    host,
    settings,
    keyRing,
    reporter,
    system,
  });
}

/** A name is resolved once; what it resolved to is all that is ever dialled. */
async function pinTarget(target: Target, settings: Settings): Promise<Pin> {
  if (target.kind === "address") return { addresses: [target.host], port: target.port };
  const { resolveHost } = await loadExtra("dns", `endpoint host ${target.host}`, () => import("../network/dns.js"));
  return { addresses: await resolveHost(target.host, { timeoutMs: settings.timeout }), port: target.port };
}
