/**
 * Which credentials by certificate environment and profile name, and the links to them: one for each way of asking, so
 * that all callers of a guard share its session.
 */
import { accessSync, closeSync, constants, openSync, readSync } from "node:fs";
import { delimiter, join } from "node:path";
import { printable } from "../base/text.js";
import type { System } from "../base/system.js";
import type { Reporter } from "../events/reporter.js";
import { settingsError } from "../roles-anywhere/arns.js";
import type { CertificateSettings } from "../roles-anywhere/certificate-settings.js";
import { mergeSettings } from "../roles-anywhere/certificate-settings.js";
import type { HelperLine } from "../roles-anywhere/helper-line.js";
import { readHelperLine } from "../roles-anywhere/helper-line.js";
import { createIdentityLoader } from "../roles-anywhere/identity.js";
import type { CertificateLink, LinkDependencies } from "../roles-anywhere/certificate-link.js";
import { askRoleAlias } from "../roles-anywhere/iot.js";
import { createCertificateLink, createRolesAnywhereLink } from "../roles-anywhere/certificate-link.js";
import { MAX_PEM } from "../roles-anywhere/pem.js";
import { needsNewerNode } from "../roles-anywhere/private-key.js";
import { readPem } from "../roles-anywhere/pem.js";
import type { CertificateKind } from "../settings/certificate-names.js";
import { LOOK_INTERVAL_MS } from "../settings/locations.js";
import {
  hasHelperLine,
  HELPER_CHOICES,
  HELPER_WORD,
  kindsInEnvironment,
  kindsInProfile,
  ownText,
} from "../settings/certificate-names.js";
import type { Settings } from "../settings/options.js";
import type { AwsSettings } from "./certificate-plan.js";
import { roleAliasPlan, rolesAnywherePlan, readCertificateSettings } from "./certificate-plan.js";

/** Default of the guard's `timeout` for this kind of link, in milliseconds: one session with its retries. */
export const SESSION_TIMEOUT_MS = 10_000;

/** The bounds that the guard's settings give. */
export function boundsOf(
  settings: Pick<Settings, "timeout" | "maxRetries" | "sources">,
): Pick<LinkDependencies, "timeoutMs" | "maxRetries"> {
  const { timeout, maxRetries, sources } = settings;
  return { timeoutMs: Object.hasOwn(sources, "timeout") ? timeout : SESSION_TIMEOUT_MS, maxRetries };
}

/** Where credentials by certificate are named, and as what. */
export interface CertificateChoice {
  readonly kind: CertificateKind;
  readonly certificateSettings: CertificateSettings;
  /** A passphrase stands on the line of a profile. */
  readonly exposed?: boolean;
}

/** What is looked at. */
export interface ChoiceInput extends AwsSettings {
  /**
   * `all`: the environment may name credentials and adds to those of the profile. `adds`: the profile was asked for by
   * name, so that the environment only adds. `endpoint`: a profile that another one names as its source.
   */
  readonly environment: "all" | "adds" | "endpoint";
}

/**
 * The choice, or undefined where none is named or the helper has to be run.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS` for settings of both kinds
 */
export function chooseCertificate({ system, profile, environment }: ChoiceInput): CertificateChoice | undefined {
  const fromEnvironment = environment === "all" ? kindsInEnvironment(system.env) : [];
  const fromProfile = kindsInProfile(profile);
  for (const kinds of [fromEnvironment, fromProfile])
    if (kinds.length > 1)
      throw settingsError(
        "Both IAM Roles Anywhere and a role alias of AWS IoT are named",
        kinds === fromProfile ? "profile" : "environment",
        "Leave the settings of one of them.",
      );
  const kind = fromEnvironment[0] ?? fromProfile[0];
  if (kind !== undefined) return { kind, certificateSettings: settingsOf(kind, profile, environment, system) };
  return choiceOfHelperLine(profile, system, environment);
}

function settingsOf(
  kind: CertificateKind,
  profile: AwsSettings["profile"],
  environment: ChoiceInput["environment"],
  system: System,
): CertificateSettings {
  const byEnvironment = readCertificateSettings(kind, system.env, "environment", system);
  const { endpoint } = byEnvironment;
  const added =
    environment === "endpoint" ? (endpoint && kind === "roles-anywhere" ? { endpoint } : {}) : byEnvironment;
  return mergeSettings(readCertificateSettings(kind, profile, "profile", system), added);
}

/** The helper's line of a profile, where there is one, and why it is not read natively where it is not. */
export function helperLineOf(
  profile: AwsSettings["profile"],
  system: System,
  obstacle = obstacleTo,
): { readonly line: HelperLine; readonly obstacle?: string } | undefined {
  if (!hasHelperLine(profile)) return undefined;
  const text = ownText(profile, "credential_process") ?? "";
  const line = readHelperLine(text, system.platform === "win32");
  if (line.kind === "process") return line.helper ? { line, obstacle: line.why } : undefined;
  const found = switchedOff(profile, system) ? `${HELPER_WORD.key} = helper` : obstacle(line, system);
  return { line, ...(found !== undefined && { obstacle: found }) };
}

/** What was found of lines, and until when on the system's own clock: they are asked about at every call. */
const seen = new WeakMap<System, Map<string, { readonly until: number; readonly obstacle: string | undefined }>>();
/** Lines that one system remembers; it has a few profiles. */
const MOST_LINES = 64;

/** As {@link obstacleTo}: program, certificate and key are looked at once in a second, as profile files are. */
function obstacleToNow(line: HelperLine & { readonly kind: "native" }, system: System): string | undefined {
  const ofSystem = seen.get(system) ?? new Map<string, { until: number; obstacle: string | undefined }>();
  seen.set(system, ofSystem);
  const key = JSON.stringify([line.program, line.settings.certificate, line.settings.privateKey]);
  const now = system.monotonic();
  const known = ofSystem.get(key);
  if (known !== undefined && now < known.until) return known.obstacle;
  const obstacle = obstacleTo(line, system);
  if (ofSystem.size >= MOST_LINES) ofSystem.clear();
  ofSystem.set(key, { until: now + LOOK_INTERVAL_MS, obstacle });
  return obstacle;
}

function switchedOff(profile: AwsSettings["profile"], { env }: System): boolean {
  const setting = ownText(env, HELPER_WORD.env) === undefined ? HELPER_WORD.key : HELPER_WORD.env;
  const word = (ownText(env, HELPER_WORD.env) ?? ownText(profile, HELPER_WORD.key))?.trim();
  if (word !== undefined && !HELPER_CHOICES.includes(word))
    throw settingsError(`${setting} is ${printable(word)}; allowed: ${HELPER_CHOICES.join(", ")}`, setting);
  return word === "helper";
}

function choiceOfHelperLine(
  profile: AwsSettings["profile"],
  system: System,
  environment: ChoiceInput["environment"],
): CertificateChoice | undefined {
  const read = helperLineOf(profile, system, obstacleToNow);
  if (read === undefined || read.obstacle !== undefined || read.line.kind !== "native") return undefined;
  const { settings, proxy } = read.line;
  const setting = "credential_process";
  const named = (text: string | undefined) => (text === undefined ? undefined : { text, setting });
  const file = (path: string | undefined) => (path === undefined ? undefined : { file: path, setting });
  const lineSettings: CertificateSettings = {
    certificate: file(settings.certificate),
    private_key: file(settings.privateKey),
    intermediates: file(settings.intermediates),
    trust_anchor_arn: named(settings.trustAnchorArn),
    profile_arn: named(settings.profileArn),
    role_arn: named(settings.roleArn),
    duration: named(settings.durationSeconds === undefined ? undefined : String(settings.durationSeconds)),
    session_name: named(settings.roleSessionName),
    region: named(settings.region),
    endpoint: named(settings.endpoint),
    passphrase_file: named(settings.passphrase),
    proxy,
  };
  const { endpoint, ...added } = settingsOf("roles-anywhere", profile, environment, system);
  const definedSettings = Object.fromEntries(
    Object.entries(lineSettings).filter(([, value]) => value !== undefined),
  ) as CertificateSettings;
  return {
    kind: "roles-anywhere",
    certificateSettings: mergeSettings(added, definedSettings, endpoint === undefined ? {} : { endpoint }),
    exposed: settings.passphrase !== undefined,
  };
}

/** Why a line that can be read has to be run nevertheless. */
function obstacleTo(line: HelperLine & { readonly kind: "native" }, system: System): string | undefined {
  if (isScript(line.program, system)) return "the program of that name is a script";
  const { certificate, privateKey } = line.settings;
  const read = system.readFile(certificate, MAX_PEM);
  if (read.kind === "content" && !read.bytes.includes("-----BEGIN CERTIFICATE-----"))
    return "its certificate is not in PEM form";
  const key = system.readFile(privateKey, MAX_PEM);
  if (key.kind !== "content") return undefined;
  const block = readPem(key.bytes.toString("latin1")).blocks.find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (!key.bytes.includes("PRIVATE KEY-----") || block?.label === "TSS2 PRIVATE KEY")
    return "its private key is none that Node.js reads";
  return supportsMlDsa() || block === undefined ? undefined : needsNewerNode(block.der);
}

function supportsMlDsa(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 24 || (major === 24 && minor >= 6);
}

/** A wrapper of the helper's name does what its author wanted besides. */
function isScript(program: string, { env, platform }: System): boolean {
  const paths =
    program.includes("/") || program.includes("\\")
      ? [program]
      : (env["PATH"] ?? "").split(delimiter).map((folder) => join(folder || ".", program));
  const found = paths.slice(0, 256).find((path) => {
    try {
      accessSync(path, platform === "win32" ? constants.F_OK : constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) return false;
  try {
    const fd = openSync(found, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const start = Buffer.alloc(2);
      return readSync(fd, start, 0, 2, 0) === 2 && start.toString("latin1") === "#!";
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

/**
 * A link to Roles Anywhere.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS`
 */
export function openRolesAnywhere(
  certificateSettings: CertificateSettings,
  aws: AwsSettings,
  dependencies: LinkDependencies,
): CertificateLink {
  const { plan, sources } = rolesAnywherePlan(certificateSettings, aws);
  return createRolesAnywhereLink(plan, createIdentityLoader(sources, dependencies), dependencies);
}

/**
 * A link to the credential provider of AWS IoT.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS`
 */
export function openRoleAlias(
  certificateSettings: CertificateSettings,
  aws: AwsSettings,
  dependencies: LinkDependencies,
): CertificateLink {
  const { plan, sources } = roleAliasPlan(certificateSettings, aws);
  return createCertificateLink("AWS IoT", createIdentityLoader(sources, dependencies), dependencies, (identity, clock) =>
    askRoleAlias(identity, plan, { ...dependencies, ...clock }),
  );
}

/** The links of one guard. */
export type Links = Map<string, CertificateLink>;

/** What is needed to open one for a guard. */
export interface LinkOwner {
  readonly links: Links;
  readonly system: System;
  readonly reporter: Pick<Reporter, "report">;
  readonly settings: Pick<Settings, "timeout" | "maxRetries" | "sources">;
  readonly verify: LinkDependencies["verify"];
}

/** Ways of asking that one guard is used for; more are not kept. */
const MOST_LINKS = 64;

/** The link of this choice: the one that is open, or a new one. */
export function linkFor(choice: CertificateChoice, aws: AwsSettings, owner: LinkOwner): CertificateLink {
  const { links, system, reporter, settings, verify } = owner;
  // Everything in it is text: what code gives has links of its own.
  const key = JSON.stringify([choice.kind, choice.certificateSettings]);
  const open = links.get(key);
  if (open !== undefined) return open;
  const dependencies = { system, reporter, verify, ...boundsOf(settings) };
  const create = choice.kind === "iot" ? openRoleAlias : openRolesAnywhere;
  const link = create(choice.certificateSettings, aws, dependencies);
  if (choice.exposed === true)
    reporter.report("roles_anywhere.passphrase_exposed", {
      message: "The line of aws_signing_helper in the shared config file holds the passphrase of its key",
      advice:
        "Put it into a file of mode 0600 and name that with imds_guard_roles_anywhere_passphrase_file: on the line it is in the file, and in the list of processes while the helper runs.",
    });
  if (links.size >= MOST_LINKS) links.clear();
  links.set(key, link);
  return link;
}
