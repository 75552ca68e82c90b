/** Opens the line to IMDS that a decision allows: addresses pinned, session begun, and the proof loaded meanwhile. */
import type { Acquirer } from "./acquire.js";
import type { TrustedKeys } from "../attest/trusted-keys.js";
import type { Contact } from "./decide.js";
import { isLocalOrPrivate } from "../base/addresses.js";
import { fact, ImdsRefusedError } from "../base/errors.js";
import { loadExtra } from "../base/extra.js";
import { addressesInHostsFile } from "../network/hosts-file.js";
import type { Reporter } from "../events/reporter.js";
import type { HostReport } from "../host/report.js";
import type { ImdsSession } from "../imds/session.js";
import { createSession } from "../imds/session.js";
import type { Pin } from "../imds/transport.js";
import { startDeadline } from "../imds/transport.js";
import type { Settings } from "../settings/options.js";
import type { System } from "../base/system.js";

/** What a line is opened with. */
export interface OpenOptions {
  readonly decision: Contact;
  readonly host: HostReport;
  readonly settings: Settings;
  readonly trustedKeys: TrustedKeys;
  readonly reporter: Reporter;
  readonly system: System;
}

/**
 * Opens it for somebody who will ask at once.
 * @throws ImdsUnavailableError `ERR_IMDS_ENDPOINT_UNRESOLVED`
 */
export async function openAcquirer({
  decision,
  host,
  settings,
  trustedKeys,
  reporter,
  system,
}: OpenOptions): Promise<Acquirer> {
  const began = system.monotonic();
  const deadline = startDeadline(settings.timeout, system.monotonic);
  const pin = await pinTarget(decision, settings, system);
  const openSession = (): ImdsSession => createSession({ pin, system, maxRetries: settings.maxRetries });
  const session = openSession();
  await session.begin(deadline);
  const [{ createAcquirer }, { createKeyRing }] = await Promise.all([
    import("./acquire.js"),
    import("../attest/key-ring.js"),
  ]);
  return createAcquirer({
    spentMs: system.monotonic() - began,
    session,
    openSession,
    proof: decision.proof,
    madeUp: decision.emulator === true,
    host,
    settings,
    keyRing: createKeyRing(trustedKeys),
    reporter,
    system,
  });
}

/** A name is resolved once; what it resolved to is all that is ever dialled. The hosts file comes before DNS. */
async function pinTarget({ target, emulator }: Contact, settings: Settings, system: System): Promise<Pin> {
  const { host, port, spare } = target;
  if (target.kind === "address") return { addresses: [host], port, ...(spare !== undefined && { spare }) };
  const named = addressesInHostsFile(host, system);
  const addresses = named.length > 0 ? named : await resolved(host, settings.timeout);
  const stranger = addresses.find((address) => !isLocalOrPrivate(address));
  if (emulator === true && stranger !== undefined) throw noEmulator(host, stranger);
  return { addresses, port };
}

async function resolved(host: string, timeoutMs: number): Promise<readonly string[]> {
  const { resolveHost } = await loadExtra("dns", `endpoint host ${host}`, () => import("../network/dns.js"));
  return resolveHost(host, { timeoutMs });
}

function noEmulator(host: string, address: string): ImdsRefusedError {
  return new ImdsRefusedError(
    "ERR_IMDS_ENDPOINT_OVERRIDE",
    `emulator is on, and ${host} leads to ${address}, which is neither of this machine nor private`,
    {
      evidence: [fact(host, "not where an emulator for development may be", address)],
      advice: "Let the emulator listen on this machine or at a private address, or remove IMDS_GUARD_EMULATOR.",
    },
  );
}
