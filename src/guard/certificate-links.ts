/**
 * Which credentials by certificate environment and profile name, and the links to them: one for each way of asking, so
 * that all callers of a guard share its session.
 */
import { accessSync, closeSync, constants, openSync, readSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { RolesAnywhereError } from "../base/errors.js";
import { printable } from "../base/text.js";
import type { System } from "../base/system.js";
import type { Reporter } from "../events/reporter.js";
import { settingsError } from "../roles-anywhere/arns.js";
import { isCertificateLabel } from "../roles-anywhere/certificate.js";
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
import type { PemBlock, PemRead } from "../roles-anywhere/pem.js";
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
  /** They come from a line of aws_signing_helper. */
  readonly helperLine?: boolean;
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

/** What was found of a line, and until when on the system's own clock. */
interface SeenLine {
  readonly until: number;
  readonly obstacle: string | undefined;
}

/** Of the lines of a system: they are asked about at every call. */
const seen = new WeakMap<System, Map<string, SeenLine>>();
/** Lines that one system remembers; it has a few profiles. */
const MOST_LINES = 64;

/**
 * As {@link obstacleTo}: program, certificate and key are looked at once in a second, as profile files are. Where they
 * could be read before, a file without its form is one that is being renewed: what is held outlasts that.
 */
function obstacleToNow(line: HelperLine & { readonly kind: "native" }, system: System): string | undefined {
  const ofSystem = seen.get(system) ?? new Map<string, SeenLine>();
  seen.set(system, ofSystem);
  const { certificate, privateKey, intermediates } = line.settings;
  const key = JSON.stringify([line.program, certificate, privateKey, intermediates]);
  const now = system.monotonic();
  const known = ofSystem.get(key);
  if (known !== undefined && now < known.until) return known.obstacle;
  const wasRead = known !== undefined && known.obstacle === undefined;
  const obstacle = wasRead ? lastingObstacleTo(line, system) : obstacleTo(line, system);
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
  obstacle: typeof obstacleTo = obstacleToNow,
): CertificateChoice | undefined {
  const read = helperLineOf(profile, system, obstacle);
  if (read === undefined || read.obstacle !== undefined || read.line.kind !== "native") return undefined;
  const { settings, proxy } = read.line;
  const setting = (flag: string): string => `--${flag} of credential_process`;
  const named = (flag: string, text: string | undefined) =>
    text === undefined ? undefined : { text, setting: setting(flag) };
  const file = (flag: string, path: string | undefined) =>
    path === undefined ? undefined : { file: path, setting: setting(flag) };
  const { durationSeconds: duration, endpoint: written } = settings;
  const lineSettings: CertificateSettings = {
    certificate: file("certificate", settings.certificate),
    private_key: file("private-key", settings.privateKey),
    intermediates: file("intermediates", settings.intermediates),
    trust_anchor_arn: named("trust-anchor-arn", settings.trustAnchorArn),
    profile_arn: named("profile-arn", settings.profileArn),
    role_arn: named("role-arn", settings.roleArn),
    duration: named("session-duration", duration === undefined ? undefined : String(duration)),
    session_name: named("role-session-name", settings.roleSessionName),
    region: named("region", settings.region),
    // As the helper has it: a host alone is asked over TLS.
    endpoint: named("endpoint", written === undefined || written.includes("://") ? written : `https://${written}`),
    passphrase_file: named("pkcs8-password", settings.passphrase),
    proxy,
  };
  const { endpoint, ...added } = settingsOf("roles-anywhere", profile, environment, system);
  const definedSettings = Object.fromEntries(
    Object.entries(lineSettings).filter(([, value]) => value !== undefined),
  ) as CertificateSettings;
  return {
    kind: "roles-anywhere",
    certificateSettings: mergeSettings(added, definedSettings, endpoint === undefined ? {} : { endpoint }),
    helperLine: true,
    exposed: settings.passphrase !== undefined,
  };
}

/** Why a line that can be read has to be run nevertheless. */
function obstacleTo(line: HelperLine & { readonly kind: "native" }, system: System): string | undefined {
  return lastingObstacleTo(line, system) ?? obstacleOfForm(line, system);
}

/** Of the program, and of keys that are whole and not for node:crypto. */
function lastingObstacleTo(line: HelperLine & { readonly kind: "native" }, system: System): string | undefined {
  if (isScript(line.program, system)) return "the program of that name is a script";
  const [block] = keysOf(pemOf(line.settings.privateKey, system));
  if (block?.label === "TSS2 PRIVATE KEY") return "its private key is one of a TPM";
  return supportsMlDsa() || block === undefined ? undefined : needsNewerNode(block.der);
}

/**
 * The helper takes what it understands of a file and passes over the rest, where this package wants to understand all.
 * What is not there at all is said here in clearer words than the helper has.
 */
function obstacleOfForm(line: HelperLine & { readonly kind: "native" }, system: System): string | undefined {
  const { certificate, privateKey, intermediates } = line.settings;
  const [leaf, key] = [pemOf(certificate, system), pemOf(privateKey, system)];
  if (leaf !== undefined && !isWholeChain(leaf)) return "its certificate is in no form that is read here";
  if (key !== undefined && (key.problem !== undefined || keysOf(key).length !== 1))
    return "its private key is in no form that is read here";
  const more = intermediates === undefined ? undefined : pemOf(intermediates, system);
  return more === undefined || isWholeChain(more) ? undefined : "its intermediates are in no form that is read here";
}

/** Blocks of a file; nothing of one that is absent, unreadable or empty. */
function pemOf(path: string, system: System): PemRead | undefined {
  const read = system.readFile(path, MAX_PEM);
  if (read.kind === "too-large") return { blocks: [], problem: "is too large" };
  const text = read.kind === "content" ? read.bytes.toString("utf8") : "";
  return text.trim() === "" ? undefined : readPem(text);
}

function keysOf(read: PemRead | undefined): readonly PemBlock[] {
  return read?.blocks.filter(({ label }) => label.endsWith("PRIVATE KEY")) ?? [];
}

function isWholeChain({ blocks, problem }: PemRead): boolean {
  return problem === undefined && blocks.some(({ label }) => isCertificateLabel(label));
}

/**
 * What certificate and key of a line have that was run and failed, or nothing: the helper's own words are few.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS`
 */
export async function findingOfLine({ system, profile }: AwsSettings): Promise<RolesAnywhereError | undefined> {
  const choice = choiceOfHelperLine(profile, system, "endpoint", () => undefined);
  if (choice === undefined || switchedOff(profile, system)) return undefined;
  const { sources } = rolesAnywherePlan(choice.certificateSettings, { system, profile });
  const reporter = { report: () => undefined };
  return createIdentityLoader(sources, { system, reporter, timeoutMs: SESSION_TIMEOUT_MS })
    .load(system.now())
    .then(
      () => undefined,
      (error: unknown) => error as RolesAnywhereError,
    );
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
  return createCertificateLink(
    "AWS IoT",
    createIdentityLoader(sources, dependencies),
    dependencies,
    (identity, clock) => askRoleAlias(identity, plan, { ...dependencies, ...clock }),
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
