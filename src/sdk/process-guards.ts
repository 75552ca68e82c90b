/** The guards that a preload works with: their settings come from environment and profile. */
import { shareInProcess } from "../base/process-wide.js";
import { realSystem } from "../base/system.js";
import type { Guard } from "../guard/guard.js";

/** By profile; the empty name is that of the environment. */
type Guards = Map<string, Promise<Guard>>;

const GUARDS = Symbol.for("imds-guard.process-guards.1");

/** One guard for each profile, whose settings come from the environment and that profile, or the one it names by now. */
export async function guardFor(init: { readonly profile?: string | undefined } = {}): Promise<Guard> {
  const profile = Object.hasOwn(init, "profile") ? init.profile : undefined;
  const guard = await guardNamed(profile);
  if (profile) return guard;
  const { guardOfEnvironment } = await import("../guard/guard.js");
  return guardOfEnvironment(guard, realSystem);
}

function guardNamed(profile: string | undefined): Promise<Guard> {
  const guards = shareInProcess(GUARDS, "code", (): Guards => new Map<string, Promise<Guard>>());
  const present = guards.get(profile ?? "");
  if (present !== undefined) return present;
  const guard = import("../guard/create-guard.js").then(({ createGuard }) =>
    createGuard({ profile }, { speaks: true }),
  );
  guards.set(profile ?? "", guard);
  return guard;
}
