/**
 * Holds what the SDK's own providers hand out against `expectedAccounts`, where no import of the program was changed.
 */
import type { Verifiable } from "../guard/accounts.js";
import type { Guard } from "../guard/guard.js";

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
    const provide = factory(init);
    let judge: { readonly profile: string | undefined; readonly guard: Guard } | undefined;
    let passed: { readonly by: Guard; readonly given: Verifiable; readonly verified: Verifiable } | undefined;
    const held: Provider = async (...args) => {
      const profile = profileInPlay(init, args[0]);
      if (judge?.profile !== profile) judge = undefined;
      const { guard } = (judge ??= await orProviderError(async () => {
        const { servicesOf } = await import("../guard/guard.js");
        const found = await guardFor({ profile });
        // Files of settings pass the guard's reader before the SDK opens them: some never end.
        await servicesOf(found);
        return { profile, guard: found };
      }));
      const given = await provide(...args);
      if (passed?.by === guard && passed.given === given) return passed.verified;
      const verified = await orProviderError(() => guard.verify(given, link));
      passed = { by: guard, given, verified };
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
