/** Creates guards: joins settings, host, decision, session, proof, life and events into one. */
import { ImdsGuardError } from "../base/errors.js";
import { loadExtra } from "../base/extra.js";
import { once } from "../base/lazy.js";
import { ownProperties, ownProperty } from "../base/own-properties.js";
import type { System } from "../base/system.js";
import { realSystem } from "../base/system.js";
import type { CertificateLink } from "../roles-anywhere/certificate-link.js";
import { kindsInEnvironment, namesCertificate } from "../settings/certificate-names.js";
import { snapshotOptions } from "../settings/check-options.js";
import { profileIn } from "../settings/environment.js";
import type { ConfigFileLocations } from "../settings/locations.js";
import type { GuardOptions } from "../settings/options.js";
import type { Verifiable } from "./accounts.js";
import type { Acquirer } from "./acquire.js";
import type { Links } from "./certificate-links.js";
import { checkedRegion, noRegion } from "./configured-region.js";
import type { CredentialState } from "./credential-state.js";
import { withCredentialState, withRoleName } from "./credential-state.js";
import type { GuardFamily } from "./family.js";
import { createFamily, sameLife } from "./family.js";
import { reportFinding } from "./findings.js";
import type { Guard, GuardInternals } from "./guard.js";
import { INTERNALS } from "./guard.js";
import { openGuard, trustedKeysOf } from "./open.js";
import { locate, refusalError } from "./locate.js";
import type { Living, Located } from "./stages.js";
import { createStages } from "./stages.js";
import type { StsGateOptions } from "./sts.js";
import { verifyCredentials } from "./verify.js";

/** What only tests and this package's own providers pass. */
export interface GuardDependencies {
  readonly system?: System;
  readonly locations?: ConfigFileLocations;
  readonly sts?: StsGateOptions["sts"];
  /** Whether a refusal is said on stderr, because those who ask keep errors to themselves. */
  readonly speaks?: boolean;
  /** That of the guard for whose other profile this one is. */
  readonly family?: GuardFamily;
  /** The profile that the environment names, where it names another than when the family was founded. */
  readonly environmentProfile?: string;
}

/** The files are where they are by default. */
const USUAL_PLACES: ConfigFileLocations = ownProperties({});

/**
 * Creates a guard. Nothing is read or sent before the first call.
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is unknown or not allowed
 */
export function createGuard(init: GuardOptions = {}, dependencies: GuardDependencies = {}): Guard {
  const options = snapshotOptions(init);
  const keysOfOptions = trustedKeysOf(Object.entries(options.certificates ?? {}));
  const own = ownProperties(dependencies);
  const { system = realSystem, locations = USUAL_PLACES, sts, family = createFamily(), environmentProfile } = own;
  const named = options.profile || environmentProfile;
  /** The profile whose settings are read, or were: the environment may name another by now. */
  let profileRead = named;
  const profileToRead = (): string => profileRead || profileIn(system.env);
  const links: Links = new Map();
  /** Ends what goes on in the background. */
  const ending = once(() => new AbortController());
  const stages = createStages({
    open: () => {
      profileRead = profileToRead();
      return openGuard({ options: { ...options, profile: named }, keysOfOptions, system, locations, sts });
    },
    locate: (opened) => locate(opened, system, () => ending().signal),
    live: (allowed) =>
      family.life(sameLife(allowed), async () => (await import("./live.js")).startLife(allowed, system, family)),
  });

  /** @throws ImdsRefusedError where IMDS may not be asked */
  async function living(speaks = false): Promise<Living & Pick<Located, "reporter" | "decision">> {
    const located = await stages.located();
    const { reporter, decision } = located;
    located.announce();
    if (decision.kind === "contact") return { ...(await stages.living()), reporter, decision };
    if (speaks && own.speaks === true) located.speak();
    located.probe();
    throw refusalError(decision);
  }

  async function ask<T>(question: (acquirer: Acquirer) => Promise<T>, speaks = false): Promise<T> {
    const life = await living(speaks);
    try {
      return await question(life.acquirer);
    } catch (error) {
      if (error instanceof ImdsGuardError) reportFinding(error, life, () => family.noteFinding());
      throw error;
    }
  }

  const identity: Guard["identity"] = async () => (await ask((acquirer) => acquirer.identify())).document;

  /** The link that environment or profile name instead of the instance, or undefined. */
  async function certificateLink(): Promise<CertificateLink | undefined> {
    const { profile, settings, reporter } = await stages.opened();
    if (kindsInEnvironment(system.env).length === 0 && !namesCertificate(profile)) return undefined;
    const { chooseCertificate, findingOfLine, linkFor } = await loadExtra(
      "certificates",
      "a profile or variable of a certificate",
      () => import("./certificate-links.js"),
    );
    const environment = options.profile === undefined ? "all" : "adds";
    const choice = chooseCertificate({ system, profile, environment });
    if (choice === undefined) {
      // A guard runs no helper: what its line's files have is all there is to say.
      const finding = await findingOfLine({ system, profile });
      if (finding !== undefined) throw finding;
      return undefined;
    }
    const verify = (credentials: Verifiable): Promise<unknown> => guard.verify(credentials, "certificate");
    return linkFor(choice, { system, profile }, { links, system, reporter, settings, verify });
  }

  const ofInstance: Guard["credentials"] = async ({ forceRefresh } = {}) => {
    const { lifetime } = await living(true);
    const served = await lifetime.get({ forceRefresh });
    const { accessKeyId, secretAccessKey, sessionToken, expiration, accountId, roleName } = served;
    const credentials = {
      accessKeyId,
      secretAccessKey,
      sessionToken,
      expiration,
      ...(accountId !== undefined && { accountId }),
    };
    const before = family.findings();
    const state = (): CredentialState => {
      if (stages.closed || family.findings() !== before) return "withdrawn";
      return lifetime.isDue(served) ? "due" : "current";
    };
    return withCredentialState(withRoleName(credentials, roleName), state);
  };

  const guard: Guard = {
    async credentials(call) {
      const forceRefresh = ownProperty(call, "forceRefresh");
      const link = await certificateLink();
      return link === undefined ? ofInstance({ forceRefresh }) : { ...(await link.get({ forceRefresh })) };
    },
    async region() {
      const { settings, profile } = await stages.opened();
      if (settings.configuredRegion !== undefined) return checkedRegion(settings.configuredRegion);
      // Where credentials come from elsewhere, IMDS is asked for nothing.
      if (kindsInEnvironment(system.env).length > 0 || namesCertificate(profile)) throw noRegion();
      const { decision, announce } = await stages.located();
      if (decision.kind === "refuse") {
        announce();
        throw noRegion(decision);
      }
      const region = (await identity())?.region;
      if (region === undefined) throw noRegion();
      return region;
    },
    identity,
    async metadata(path) {
      (await import("./metadata.js")).checkMetadataPath(path);
      return (await ask((acquirer) => acquirer.fetch(path), true)).toString("utf8");
    },
    metadataToken: () => ask((acquirer) => acquirer.token(), true),
    verify: async (credentials, link) => verifyCredentials(credentials, link, await stages.opened()),
    async whereAmI() {
      const { host, decision } = await stages.located();
      // Plain values, with everything that is worked out only for those who ask.
      return { host: { ...host }, decision: { ...decision } };
    },
    attestation: () => stages.latest()?.attestation,
    async close() {
      ending().abort();
      for (const link of links.values()) link.drop();
      links.clear();
      const { opened, living: life } = await stages.close();
      life?.lifetime.drop();
      await opened?.reporter.close();
      if (own.family === undefined) await family.close();
    },
  };

  const internals: GuardInternals = {
    services: async () => ({
      ...(await stages.opened()),
      system,
      fetch: (path) => ask((acquirer) => acquirer.fetch(path)),
      acquired: async () => (await living()).lifetime.get({}),
      links,
      certificateLink,
      ofInstance,
    }),
    profileName: () => options.profile || undefined,
    ofProfile(profile, where, byEnvironment) {
      if (stages.closed) return guard;
      const same = !profile || profile === profileToRead();
      if (same && where.filepath === locations.filepath && where.configFilepath === locations.configFilepath)
        return guard;
      const name = JSON.stringify([profile, where.filepath, where.configFilepath, byEnvironment === true]);
      const inCode = byEnvironment !== true && profile ? { profile } : {};
      const inEnvironment = byEnvironment === true && profile ? { environmentProfile: profile } : {};
      return family.member(name, () =>
        createGuard({ ...options, ...inCode }, { ...own, ...inEnvironment, locations: where, family }),
      );
    },
  };
  return Object.assign(guard, { [INTERNALS]: internals });
}
