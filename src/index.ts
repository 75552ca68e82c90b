/**
 * Drop-in for the AWS SDK's credential chain that decides whether this host is EC2 before it asks IMDS, and proves that
 * AWS is answering before it hands out a credential.
 * @module imds-guard
 */
export { fromNodeProviderChain } from "./provider/node-chain.js";
export type { FromNodeProviderChainInit } from "./provider/node-chain.js";
export { fromInstanceMetadata } from "./provider/instance-metadata.js";
export type { FromInstanceMetadataInit } from "./provider/instance-metadata.js";
export { fromIni } from "./provider/ini.js";
export type { FromIniInit } from "./provider/ini.js";
export type { GuardKey } from "./provider/guard-option.js";

export type { Guard, GuardedCredentials, Whereabouts } from "./guard.js";
export type { AttestationReport } from "./acquire.js";
export type { Decision, Contact, Refusal, Proof, Target } from "./decide.js";
export type { AttestationMode, GuardOptions, Mode, OnUnknownAccount } from "./settings/options.js";
export { DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT } from "./settings/options.js";
export type { HostEvidence, HostReport, Verdict } from "./host/report.js";

export {
  ImdsGuardError,
  ImdsGuardSettingsError,
  ImdsImpersonationError,
  ImdsRefusedError,
  ImdsUnavailableError,
  ImdsUntrustedError,
  isImdsGuardError,
} from "./errors.js";
export type {
  Evidence,
  ImdsGuardErrorCode,
  ImdsGuardErrorKind,
  ImpersonationCode,
  RefusalCode,
  SettingsCode,
  UnavailableCode,
  UntrustedCode,
} from "./errors.js";

export { EVENT_CHANNEL } from "./events/sinks.js";
export type { Logger } from "./events/sinks.js";
export { BULLETIN, CATALOGUE } from "./events/catalogue.js";
export type { Action, Claimed, EventCode, EventEndpoint, GuardEvent, Responder, Severity } from "./events/catalogue.js";

import type { Guard } from "./guard.js";
import { createGuard as create } from "./guard.js";
import type { GuardOptions } from "./settings/options.js";

/**
 * Creates a guard: for agents that live long, and to be shared by several providers through their `guard` key.
 * Nothing is read or sent before the first call.
 *
 * @example
 * ```ts
 * import { createGuard } from "imds-guard";
 * const guard = createGuard({ expectedAccounts: ["111122223333"] });
 * const { host, decision } = await guard.whereAmI();
 * console.log(host.verdict, host.reason, decision.kind);
 * await guard.close();
 * ```
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is unknown or not allowed
 */
export function createGuard(options: GuardOptions = {}): Guard {
  return create(options);
}
