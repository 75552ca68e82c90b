/**
 * Holds what the SDK's own providers hand out against `expectedAccounts`, where no import of the program was changed.
 */
import type { Verifiable } from "../guard/accounts.js";
import type { Guard } from "../guard/guard.js";
import { stockInit } from "./stock-init.js";

type Provider = (...args: unknown[]) => Promise<Verifiable>;
type Factory = (init?: object) => Provider;

/**
 * The same factory, whose providers hand out nothing that the guard refuses. Credentials that were let pass once are
 * not looked at again: the SDK asks its provider for each request, and gets the same object.
 */
export function withExpectedAccounts(
  factory: Factory,
  link: string,
  guardFor: (init: { readonly profile?: string | undefined }) => Promise<Guard>,
): Factory {
  return (init) => {
    const provide = factory(stockInit(init));
    let passed:
      { readonly profile: string | undefined; readonly given: Verifiable; readonly verified: Verifiable } | undefined;
    const held: Provider = async (...args) => {
      const profile = profileInPlay(init, args[0]);
      const judge = (): Promise<Guard> =>
        orProviderError(async () => {
          const { servicesOf } = await import("../guard/guard.js");
          const found = await guardFor({ profile });
          // Files of settings pass the guard's reader before the SDK opens them: some never end.
          await servicesOf(found);
          return found;
        });
      const before = await judge();
      const given = await provide(...args);
      if (passed !== undefined && passed.profile === profile && passed.given === given) return passed.verified;
      // Nobody knows which profile the SDK read where the environment came to name another meanwhile: both have a say.
      const judges = new Set([before, ...(profile === undefined ? [await judge()] : [])]);
      let verified = given;
      for (const guard of judges) verified = await orProviderError(() => guard.verify(verified, link));
      passed = { profile, given, verified };
      return verified;
    };
    // The SDK marks providers that remember for themselves.
    return Object.assign(held, provide);
  };
}

async function orProviderError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { toProviderError } = await import("./provider-error.js");
    throw await toProviderError(error, undefined, false);
  }
}

/**
 * The profile whose settings hold: that of the provider, of its STS client, or of the client that asks, where the SDK's
 * version tells. Only what somebody said of this very provider: a property of every object would choose a profile that
 * expects no account.
 */
export function profileInPlay(init: unknown, call: unknown): string | undefined {
  for (const object of [
    init,
    own(init, "clientConfig"),
    own(init, "parentClientConfig"),
    own(call, "callerClientConfig"),
  ]) {
    const profile = own(object, "profile");
    if (typeof profile === "string") return profile;
  }
  return undefined;
}

function own(object: unknown, key: string): unknown {
  return typeof object === "object" && object !== null && Object.hasOwn(object, key)
    ? (object as Readonly<Record<string, unknown>>)[key]
    : undefined;
}
