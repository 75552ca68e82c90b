/**
 * Drop-in for the AWS SDK's credential chain that decides whether this host is EC2 before it asks IMDS, and proves that
 * AWS is answering before it hands out a credential.
 * @module imds-guard
 */
export { createGuard, fromGuardedRegion, fromInstanceMetadata } from "./sdk/providers.js";
export {
  fromIni,
  fromIotRoleAlias,
  fromNodeProviderChain,
  fromRolesAnywhere,
  fromTemporaryCredentials,
} from "./sdk/link-providers.js";
export type { FromNodeProviderChainInit } from "./sdk/node-chain.js";
export type { FromInstanceMetadataInit } from "./sdk/instance-metadata.js";
export type { FromIniInit } from "./sdk/ini.js";
export type { FromRolesAnywhereInit } from "./sdk/roles-anywhere.js";
export type {
  CertificateOptions,
  IotOptions,
  PemOption,
  RolesAnywhereOptions,
} from "./roles-anywhere/certificate-settings.js";
export type { Signer } from "./roles-anywhere/create-session.js";
export type { SignatureAlgorithm } from "./roles-anywhere/private-key.js";
export type { FromIotRoleAliasInit } from "./sdk/iot-role-alias.js";
export type { FromTemporaryCredentialsOptions } from "./sdk/temporary-credentials.js";
export type { FromGuardedRegionInit } from "./sdk/region.js";
export { MetadataService } from "./sdk/metadata-service.js";
export type { MetadataRequestOptions, MetadataServiceInit } from "./sdk/metadata-service.js";
export type { ApplicationGuard as Guard } from "./sdk/application-guard.js";
export type { Monitor, MonitorOptions, MonitorStatus } from "./monitor/monitor.js";
export type { ClientConfig, ClientConfigInit, ResolvedDefaultsMode } from "./sdk/client-config.js";
export type { GuardKey } from "./sdk/guard-option.js";

export type { Guard as CoreGuard, GuardedCredentials, Whereabouts } from "./guard/guard.js";
export type { Verifiable } from "./guard/accounts.js";
export type { AttestationReport } from "./guard/acquire.js";
export type { BindingSubject, Unbound } from "./attest/bind.js";
export type { IdentityDocument } from "./attest/identity-document.js";
export type { Decision, Contact, Refusal, Proof, Target } from "./guard/decide.js";
export type { AttestationMode, FirewallAnswers, GuardOptions, Mode, OnUnknownAccount } from "./settings/options.js";
export { DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT } from "./settings/options.js";
export type {
  HostEvidence,
  HostEvidenceKind,
  HostEvidenceStatus,
  HostEvidenceWeight,
  HostReport,
  HostRule,
  HostVirtualization,
  Verdict,
} from "./host/report.js";

export {
  ImdsGuardError,
  ImdsGuardSettingsError,
  ImdsImpersonationError,
  ImdsRefusedError,
  ImdsUnavailableError,
  ImdsUntrustedError,
  isImdsGuardError,
  RolesAnywhereError,
} from "./base/errors.js";
export type {
  Evidence,
  ImdsGuardErrorCode,
  ImdsGuardErrorDetails,
  ImdsGuardErrorKind,
  ImpersonationCode,
  RefusalCode,
  RolesAnywhereCode,
  SettingsCode,
  UnavailableCode,
  UntrustedCode,
} from "./base/errors.js";

export { accessKeyPattern, accountOfAccessKey } from "./aws/access-key.js";
export type { AccountOfKey, UnknownAccountReason } from "./aws/access-key.js";

export type { Logger } from "./events/sinks.js";
export { BULLETIN, CATALOGUE, EVENT_CHANNEL } from "./events/catalogue.js";
export type { Claimed, EventEndpoint, GuardEvent, Responder } from "./events/catalogue.js";
export type { Action, EventCode, Severity } from "./events/weights.js";
