/** The `guard` key of every provider: options for a guard of the provider's own, or a guard to share. */
import type { Guard } from "../guard/guard.js";
import { createGuard } from "../guard/guard.js";
import type { ConfigFileLocations } from "../settings/config-files.js";
import type { GuardOptions } from "../settings/options.js";

/** What every guarded provider takes besides the SDK's own options. */
export interface GuardKey {
  /** Options of {@link createGuard}, or a guard that several providers share. */
  readonly guard?: GuardOptions | Guard | undefined;
}

/** Options of the SDK's providers that the guard reads too. */
interface SdkInit extends ConfigFileLocations {
  readonly profile?: string | undefined;
  readonly timeout?: number | undefined;
  readonly maxRetries?: number | undefined;
}

/** The guard that a provider's `init` asks for. */
export function guardOf(init: SdkInit & GuardKey): Guard {
  const { guard = {}, profile, filepath, configFilepath } = init;
  if (isGuard(guard)) return guard;
  return createGuard(
    { ...(profile !== undefined && { profile }), ...guard },
    { locations: { filepath, configFilepath } },
  );
}

function isGuard(value: GuardOptions | Guard): value is Guard {
  return typeof (value as Partial<Guard> | null)?.credentials === "function";
}
