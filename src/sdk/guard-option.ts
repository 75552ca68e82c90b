/** The `guard` key of every provider: options for a guard of the provider's own, or a guard to share. */
import { isPlainObject, ownProperties, ownProperty } from "../base/own-properties.js";
import { invalidArgument } from "../base/errors.js";
import type { Guard } from "../guard/guard.js";
import { createGuard } from "../guard/create-guard.js";
import { guardOfEnvironment, guardOfProfile, isGuard, profileNameOf } from "../guard/guard.js";
import { realSystem } from "../base/system.js";
import type { ConfigFileLocations } from "../settings/locations.js";
import type { GuardOptions } from "../settings/options.js";

/** What every guarded provider takes besides the SDK's own options. */
export interface GuardKey {
  /** Options of {@link createGuard}, or a guard that several providers share. */
  readonly guard?: GuardOptions | Guard | undefined;
}

/** Options of the SDK's providers that the guard reads too. */
interface SdkInit extends ConfigFileLocations {
  readonly profile?: string | undefined;
}

/**
 * The guard that a provider's `init` asks for, with the settings of the profile that `init` names, in the files that it
 * names.
 *
 * @param speaks whether refusals are said on stderr, where the guard is made here
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for a `guard` that is neither options nor a guard, and for options that
 * would lose it
 */
export function guardOf(init: SdkInit & GuardKey, speaks = false): Guard {
  requirePlainOptions(init);
  const { guard = {}, profile, filepath, configFilepath } = ownProperties(init);
  if (isGuard(guard))
    return profile === undefined ? guard : guardOfProfile(guard, profile, { filepath, configFilepath });
  // What is no object of options is not looked into, so that it is refused as a whole.
  const options = profile === undefined || !isPlainObject(guard) ? guard : { ...guard, profile };
  return createGuard(options, { locations: { filepath, configFilepath }, speaks });
}

/** Settings of ours whose names mean nothing to a provider. */
const BELONG_TO_GUARD = (
  "expectedAccounts expectedRoles expectedRegions attestation onUnknownAccount verifyWithSts stsCa stsProxy " +
  "emulator silenceMs firewall firewallAllow firewallAnswers"
).split(" ");

/**
 * Options of a provider that are no plain object (a promise, a Map, a class instance, a guard) would lose the guard that
 * is in them, and settings beside its key would do nothing.
 * @throws TypeError `ERR_INVALID_ARG_VALUE`
 */
export function requirePlainOptions(init: object): void {
  if (!isPlainObject(init) || isGuard(init))
    throw invalidArgument("init", init, "a plain object of options, with a guard or its options under the key guard");
  const misplaced = BELONG_TO_GUARD.find((name) => ownProperty(init, name) !== undefined);
  if (misplaced !== undefined)
    throw invalidArgument("init", misplaced, `the options of the provider, and guard: { ${misplaced} }`);
}

/**
 * The profile that a call is about: the one that the provider's `init` names, else the guard's options, else the client
 * that asks. Undefined leaves it to `AWS_PROFILE`.
 */
export function profileOfCall(guard: Guard, init: SdkInit, call: object | undefined): string | undefined {
  return ownProperty(init, "profile") ?? profileNameOf(guard) ?? profileOfCaller(call);
}

/** The guard with the settings of that profile, or of the one that the environment names by now. */
export function guardOfCall(guard: Guard, init: SdkInit, profile: string | undefined): Guard {
  const { filepath, configFilepath } = ownProperties(init);
  const where = { filepath, configFilepath };
  return profile ? guardOfProfile(guard, profile, where) : guardOfEnvironment(guard, realSystem, where);
}

/** The profile of the client that calls a provider, where its version of the SDK passes its configuration on. */
export function profileOfCaller(call: object | undefined): string | undefined {
  const { callerClientConfig: config } = ownProperties(call ?? {}) as { callerClientConfig?: { profile?: unknown } };
  if (typeof config !== "object" || config === null || !Object.hasOwn(config, "profile")) return undefined;
  return typeof config.profile === "string" ? config.profile : undefined;
}
