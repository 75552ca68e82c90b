/**
 * Keys that stand in a shared file, for as long as a process lives: whoever renews them there (amazon-ssm-agent,
 * `aws_signing_helper update`, a sign-on tool) is noticed, and what is being written is waited out.
 */
import { fact } from "../base/errors.js";
import type { AwsCredentialIdentity } from "@smithy/types";
import { ownProperty } from "../base/own-properties.js";
import { maskAccessKeyId, printable } from "../base/text.js";
import type { GuardServices } from "../guard/guard.js";
import type { ConfigFileLocations, Profile } from "../settings/config-files.js";
import { namesCertificate } from "../settings/certificate-names.js";
import { locate } from "../settings/locations.js";
import type { ProfilesRead } from "../settings/shared-profiles.js";
import { createSharedProfiles, SETTLE_MS } from "../settings/shared-profiles.js";
import { endIn } from "./shared-keys-end.js";

/** The keys of one profile, and the files they stand in. */
export interface SharedKeys {
  /** The files as they are, or were at most a second ago. */
  look(now?: boolean): ProfilesRead;
  /**
   * The keys, or undefined where the profile holds none of its own. Those that were whole last serve while a file is
   * being written or is gone; `forced` looks now, and waits for what is being written.
   */
  get(forced?: boolean): Promise<AwsCredentialIdentity | undefined>;
  /** Whether these are the keys that stand in the file. */
  isCurrent(keys: AwsCredentialIdentity): boolean;
  /**
   * Whether the files changed since this was asked last, and still hold the profile and all that it names as sources:
   * what is gone for a while is no news.
   */
  isNews(): boolean;
  /** Tells that renewed keys are used, once. */
  accepted(keys: AwsCredentialIdentity): void;
}

/** Profiles of one guard; more are not kept. */
const MOST = 64;
const kept = new WeakMap<object, Map<string, SharedKeys>>();

/** The keys of the profile `name`: one for all providers of a guard. */
export function sharedKeysOf(
  { reporter, system }: Pick<GuardServices, "reporter" | "system">,
  name: string,
  locations: ConfigFileLocations,
): SharedKeys {
  let ofGuard = kept.get(reporter);
  if (ofGuard === undefined) kept.set(reporter, (ofGuard = new Map<string, SharedKeys>()));
  const { configFilepath, filepath } = locations;
  const key = JSON.stringify([name, locate("config", system, configFilepath), locate("credentials", system, filepath)]);
  let keys = ofGuard.get(key);
  if (keys === undefined) {
    if (ofGuard.size >= MOST) ofGuard.clear();
    ofGuard.set(key, (keys = createSharedKeys({ reporter, system }, name, { configFilepath, filepath })));
  }
  return keys;
}

/** How often a file that is being written is looked at again. */
const LOOKS = 5;

function createSharedKeys(
  { reporter, system }: Pick<GuardServices, "reporter" | "system">,
  name: string,
  locations: ConfigFileLocations,
): SharedKeys {
  const files = createSharedProfiles(name, locations, system);
  let seen: ProfilesRead | undefined;
  let state: "whole" | "half" | "none" = "none";
  let held: AwsCredentialIdentity | undefined;
  let reported: AwsCredentialIdentity | undefined;
  let handed: ProfilesRead | undefined;

  const profileIn = ({ profiles }: ProfilesRead): Profile | undefined => ownProperty(profiles, name);

  function refresh(now: boolean): ProfilesRead {
    const read = files.look(now);
    if (read === seen) return read;
    seen = read;
    const profile = profileIn(read);
    state = stateOf(profile, held);
    if (state === "whole") {
      const found = keysOf(profile as Profile);
      if (held === undefined || !areSame(held, found)) held = found;
    } else if (state === "none" && profile !== undefined && namesAnother(profile)) {
      held = undefined;
    }
    return read;
  }

  /** Whether the keys, or better ones, may be there in a moment. */
  function isComing(read: ProfilesRead, forced: boolean): boolean {
    if (!read.unsettled) return false;
    return state === "half" || (state === "whole" ? forced : profileIn(read) === undefined);
  }

  return {
    look: (now) => refresh(now === true),
    async get(forced = false) {
      const isOver = (): boolean => (held?.expiration?.getTime() ?? Number.POSITIVE_INFINITY) <= system.now();
      let read = refresh(forced);
      for (let look = 0; look < LOOKS && isComing(read, forced); look += 1) {
        if (!forced && held !== undefined && !isOver()) break;
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
        read = refresh(true);
      }
      return held;
    },
    isCurrent(keys) {
      if (keys === held) refresh(false);
      return keys === held;
    },
    isNews() {
      const read = refresh(false);
      if (read === handed || read.profiles === undefined) return false;
      const seenNames = new Set<string>();
      for (let at: string | undefined = name; at !== undefined && !seenNames.has(at);) {
        seenNames.add(at);
        const section: Profile | undefined = ownProperty(read.profiles, at);
        if (section === undefined) return false;
        at = section["source_profile"];
      }
      handed = read;
      return true;
    },
    accepted(keys) {
      const before = reported;
      reported = keys;
      if (before === undefined || before === keys) return;
      reporter.report("credentials.file_renewed", {
        message: `Renewed keys of profile ${printable(name)} are used, which stand in ${printable(locate("credentials", system, locations.filepath), 200)} or the config file`,
        evidence: [
          fact(
            `profile ${printable(name)}`,
            keys.expiration === undefined ? "states no end" : `ends at ${keys.expiration.toISOString()}`,
            maskAccessKeyId(keys.accessKeyId),
          ),
        ],
        advice: "",
      });
    },
  };
}

/** Own keys of a profile that come before everything else that it names, as the SDK goes through it. */
function stateOf(profile: Profile | undefined, held: AwsCredentialIdentity | undefined): "whole" | "half" | "none" {
  const { aws_access_key_id: id, aws_secret_access_key: secret, aws_session_token: token } = profile ?? {};
  const { role_arn: role, source_profile: source, credential_source: origin } = profile ?? {};
  if (role !== undefined && (source === undefined) !== (origin === undefined)) return "none";
  if (id === undefined && secret === undefined && token === undefined) return "none";
  if (id === undefined || secret === undefined) return "half";
  // Only long-term keys have no token. Where others had one, the line is still to come.
  const wantsToken = id.startsWith("ASIA") || (held?.sessionToken !== undefined && !id.startsWith("AKIA"));
  return token === undefined && wantsToken ? "half" : "whole";
}

const OTHER_SOURCES = [
  "role_arn",
  "credential_source",
  "credential_process",
  "web_identity_token_file",
  "sso_start_url",
  "sso_session",
  "login_session",
] as const;

/** Whether the section names something else now, which is for others to read. An empty one is still being written. */
function namesAnother(profile: Profile): boolean {
  return namesCertificate(profile) || OTHER_SOURCES.some((key) => profile[key] !== undefined);
}

function keysOf(profile: Profile): AwsCredentialIdentity {
  const end = endIn(profile);
  const { aws_session_token: token, aws_credential_scope: scope, aws_account_id: account } = profile;
  return {
    accessKeyId: profile["aws_access_key_id"] as string,
    secretAccessKey: profile["aws_secret_access_key"] as string,
    // As the SDK has it: there, and undefined, for long-term keys.
    sessionToken: token as string,
    ...(scope !== undefined && { credentialScope: scope }),
    ...(account !== undefined && { accountId: account }),
    ...(end !== undefined && { expiration: end }),
  };
}

const COMPARED = ["accessKeyId", "secretAccessKey", "sessionToken", "accountId", "credentialScope"] as const;

function areSame(one: AwsCredentialIdentity, other: AwsCredentialIdentity): boolean {
  return (
    COMPARED.every((name) => one[name] === other[name]) && one.expiration?.getTime() === other.expiration?.getTime()
  );
}
