/** The guards that a preload works with: their settings come from environment and profile. */
import type { Guard } from "../guard/guard.js";

const guards = new Map<string, Promise<Guard>>();

/** One guard for each profile, whose settings come from the environment and that profile. */
export function guardFor(init: { readonly profile?: string | undefined } = {}): Promise<Guard> {
  const profile = Object.hasOwn(init, "profile") ? init.profile : undefined;
  const key = profile ?? "";
  let guard = guards.get(key);
  if (guard === undefined)
    guards.set(
      key,
      (guard = import("../guard/guard.js").then(({ createGuard }) =>
        createGuard(profile === undefined ? {} : { profile }, { speaks: true }),
      )),
    );
  return guard;
}
