/** The defaults mode of SDK clients, resolved so that `auto` asks IMDS through the guard and never by itself. */
import type { Provider } from "@smithy/types";
import { isImdsGuardError } from "../base/errors.js";
import { ownProperties } from "../base/own-properties.js";
import { realSystem } from "../base/system.js";
import type { Guard } from "../guard/guard.js";
import { servicesOf } from "../guard/guard.js";

/** The defaults modes of SDK clients that `auto` may come to, and those that are taken as they are. */
export type ResolvedDefaultsMode = "standard" | "in-region" | "cross-region" | "mobile" | "legacy";

const MODES: readonly string[] = ["standard", "in-region", "cross-region", "mobile", "legacy"];

type Stated = string | Provider<string> | undefined;

/**
 * The mode of a client: as `stated`, else `AWS_DEFAULTS_MODE`, else the key `defaults_mode` of the guard's profile, else
 * `legacy`. `auto` is the attested region against `region`; where nothing is attested, for whatever reason, it is
 * `standard`, because a mode only tunes timeouts, and what a responder did wrong is an event by then.
 * @throws TypeError for a word that is no mode
 */
export function resolvedDefaultsMode(
  guard: Guard,
  stated?: Stated,
  region: Provider<string> = () => guard.region(),
): Provider<ResolvedDefaultsMode> {
  return async () => {
    const configured = typeof stated === "function" ? await stated() : stated;
    const mode = configured ?? (await modeOfProfile(guard));
    const wanted = mode?.toLowerCase();
    if (wanted === undefined || wanted === "") return "legacy";
    if (MODES.includes(wanted)) return wanted as ResolvedDefaultsMode;
    if (wanted !== "auto")
      throw new TypeError(`Invalid defaultsMode ${JSON.stringify(mode)}; allowed: auto, ${MODES.join(", ")}`);
    const physical = await physicalRegion(guard);
    if (physical === undefined) return "standard";
    return physical === (await region()) ? "in-region" : "cross-region";
  };
}

/**
 * Options for a client that a provider of the SDK makes for itself (STS, SSO, OIDC): the given ones, with a resolved
 * mode.
 */
export function nestedClientConfig<C extends object>(guard: Guard, configured: C | undefined): C {
  const own = ownProperties(configured ?? {}) as { defaultsMode?: Stated };
  return { ...own, defaultsMode: resolvedDefaultsMode(guard, own.defaultsMode) } as unknown as C;
}

/**
 * The key of the guard's profile; none where the guard is closed or its settings cannot be used. A client asks as it is
 * made, and nobody catches what it is told before the first request; credentials and region tell the same then.
 */
async function modeOfProfile(guard: Guard): Promise<string | undefined> {
  try {
    return (await servicesOf(guard)).settings.defaultsMode;
  } catch (error) {
    if (isImdsGuardError(error)) return undefined;
    throw error;
  }
}

/** Where this host is: Lambda and ECS say so in the environment, EC2 in its signed document. Elsewhere nobody knows. */
async function physicalRegion(guard: Guard): Promise<string | undefined> {
  const { env } = realSystem;
  if (env["AWS_EXECUTION_ENV"]) {
    const stated = env["AWS_REGION"] ?? env["AWS_DEFAULT_REGION"];
    if (stated) return stated;
  }
  try {
    const { decision } = await guard.whereAmI();
    return decision.kind === "refuse" ? undefined : (await guard.identity())?.region;
  } catch (error) {
    if (isImdsGuardError(error)) return undefined;
    throw error;
  }
}
