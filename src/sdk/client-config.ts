/** Everything an SDK client would otherwise ask IMDS for, from the guard. */
import type { Provider } from "@smithy/types";
import { fact, ImdsGuardSettingsError } from "../base/errors.js";
import { ownPropertiesBut, ownProperty } from "../base/own-properties.js";
import { printable } from "../base/text.js";
import type { Guard } from "../guard/guard.js";
import { profileNameOf } from "../guard/guard.js";
import type { ResolvedDefaultsMode } from "./defaults-mode.js";
import { resolvedDefaultsMode } from "./defaults-mode.js";
import { guardOfCall, profileOfCaller, requirePlainOptions } from "./guard-option.js";
import type { FromNodeProviderChainInit, fromNodeProviderChain } from "./node-chain.js";
import { chainOf, profileRead } from "./node-chain.js";
import { toProviderError } from "./provider-error.js";
import { fromGuardedRegion } from "./region.js";

export type { ResolvedDefaultsMode } from "./defaults-mode.js";

/** What {@link Guard.clientConfig | clientConfig} takes. */
export interface ClientConfigInit extends Omit<FromNodeProviderChainInit, "guard"> {
  /** As in an SDK client. Default: as {@link fromGuardedRegion} finds it. */
  readonly region?: string | Provider<string> | undefined;
  /** As in an SDK client. Default: `AWS_DEFAULTS_MODE`, then the profile key `defaults_mode`, else `legacy`. */
  readonly defaultsMode?: ResolvedDefaultsMode | "auto" | undefined;
}

/** What an SDK client takes; to be spread into its configuration. */
export interface ClientConfig {
  readonly region: Provider<string>;
  readonly credentials: ReturnType<typeof fromNodeProviderChain>;
  readonly defaultsMode: Provider<ResolvedDefaultsMode>;
}

/**
 * Configuration with which an SDK client sends no IMDS request of its own: guarded credentials, guarded region, and a
 * defaults mode in which `auto` has been resolved with the attested region. All three are of one profile: that of
 * `init`, else that of the guard's options, else `AWS_PROFILE`.
 */
export function clientConfig(guard: Guard, init: ClientConfigInit = {}): ClientConfig {
  requirePlainOptions(init);
  const wanted = ownProperty(init, "region");
  const chain = ownPropertiesBut(ownPropertiesBut(init, "defaultsMode"), "region");
  const named = chain.profile || profileNameOf(guard);
  const ofProfile = guardOfCall(guard, chain, named);
  const region =
    wanted === undefined
      ? fromGuardedRegion({ guard: ofProfile })
      : typeof wanted === "function"
        ? wanted
        : () => Promise.resolve(wanted);
  // Region and mode are of the profile that was read first: so are credentials, whatever the environment names by then.
  const own = chainOf({ ...chain, profile: named }, ofProfile, () => ofProfile);
  const credentials: ClientConfig["credentials"] = async (call) => {
    const asked = profileOfCaller(call);
    if (asked !== undefined) {
      const mine = await profileRead(ofProfile, chain);
      if (asked !== mine) throw await toProviderError(mixedProfiles(asked, mine), chain.logger);
    }
    return own(call);
  };
  const stated = Object.hasOwn(init, "defaultsMode") ? init.defaultsMode : undefined;
  return {
    region,
    credentials: Object.assign(credentials, own),
    defaultsMode: resolvedDefaultsMode(ofProfile, stated, region),
  };
}

function mixedProfiles(asked: string, mine: string): ImdsGuardSettingsError {
  return new ImdsGuardSettingsError(
    "ERR_IMDS_GUARD_SETTING",
    `The client names profile ${printable(asked)}, and its clientConfig() is of profile ${printable(mine)}`,
    {
      evidence: [fact("profile of the client", "another profile than that of its region", asked)],
      advice: `Use clientConfig({ profile: ${JSON.stringify(asked)} }), so that region and credentials are of one profile.`,
    },
  );
}
