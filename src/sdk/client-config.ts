/** Everything an SDK client would otherwise ask IMDS for, from the guard. */
import type { Provider } from "@smithy/types";
import { ImdsUnavailableError } from "../base/errors.js";
import type { Guard } from "../guard/guard.js";
import { loadIniFiles } from "../base/load-sdk.js";
import type { FromNodeProviderChainInit } from "./node-chain.js";
import { fromNodeProviderChain } from "./node-chain.js";
import { fromGuardedRegion } from "./region.js";

/** The defaults modes of SDK clients that `auto` may come to, and those that are taken as they are. */
export type ResolvedDefaultsMode = "standard" | "in-region" | "cross-region" | "mobile" | "legacy";

/** What {@link ApplicationGuard.clientConfig | clientConfig} takes. */
export interface ClientConfigInit extends Omit<FromNodeProviderChainInit, "guard"> {
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
 * defaults mode in which `auto` has been resolved with the attested region.
 */
export function clientConfig(guard: Guard, init: ClientConfigInit = {}): ClientConfig {
  const { defaultsMode, ...chain } = init;
  const region = fromGuardedRegion({ guard });
  return {
    region,
    credentials: fromNodeProviderChain({ ...chain, guard }),
    defaultsMode: async () =>
      resolveDefaultsMode(
        defaultsMode ?? process.env["AWS_DEFAULTS_MODE"] ?? (await profileMode(chain)),
        region,
        guard,
      ),
  };
}

const MODES: readonly string[] = ["standard", "in-region", "cross-region", "mobile", "legacy"];

async function resolveDefaultsMode(
  mode: string | undefined,
  region: Provider<string>,
  guard: Guard,
): Promise<ResolvedDefaultsMode> {
  const wanted = mode?.toLowerCase();
  if (wanted === undefined || wanted === "") return "legacy";
  if (MODES.includes(wanted)) return wanted as ResolvedDefaultsMode;
  if (wanted !== "auto")
    throw new TypeError(`Invalid defaultsMode ${JSON.stringify(mode)}; allowed: auto, ${MODES.join(", ")}`);
  const physical = await physicalRegion(guard);
  if (physical === undefined) return "standard";
  return physical === (await region()) ? "in-region" : "cross-region";
}

async function profileMode(chain: Omit<ClientConfigInit, "defaultsMode">): Promise<string | undefined> {
  const { getProfileName, parseKnownFiles } = await loadIniFiles();
  const profiles = await parseKnownFiles(chain);
  return profiles[getProfileName({ profile: chain.profile })]?.["defaults_mode"];
}

/** Where this host is: Lambda and ECS say so in the environment, EC2 in its signed document. Elsewhere nobody knows. */
async function physicalRegion(guard: Guard): Promise<string | undefined> {
  const { env } = process;
  if (env["AWS_EXECUTION_ENV"]) {
    const stated = env["AWS_REGION"] ?? env["AWS_DEFAULT_REGION"];
    if (stated) return stated;
  }
  const { decision } = await guard.whereAmI();
  if (decision.kind === "refuse") return undefined;
  try {
    return (await guard.identity())?.region;
  } catch (error) {
    // The mode only tunes timeouts: an outage costs the tuning. A finding is not swallowed.
    if (error instanceof ImdsUnavailableError) return undefined;
    throw error;
  }
}
