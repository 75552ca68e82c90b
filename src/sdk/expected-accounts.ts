/**
 * Holds what the SDK's own providers hand out against `expectedAccounts`, where no import of the program was changed.
 */
import type { Verifiable } from "../guard/accounts.js";
import type { Guard } from "../guard/guard.js";

type Provider = (...args: unknown[]) => Promise<Verifiable>;
type Factory = (init?: {
  readonly profile?: string | undefined;
  readonly clientConfig?: { readonly profile?: string | undefined };
}) => Provider;

/**
 * The same factory, whose providers hand out nothing that the guard refuses. Credentials that were let pass once are
 * not looked at again: the SDK asks its provider for each request, and gets the same object.
 */
export function holdingAccounts(
  factory: Factory,
  link: string,
  guardFor: (init: { readonly profile?: string | undefined }) => Promise<Guard>,
): Factory {
  return (init = {}) => {
    const provide = factory(init);
    let passed: Verifiable | undefined;
    const held: Provider = async (...args) => {
      const credentials = await provide(...args);
      if (credentials === passed) return credentials;
      try {
        const guard = await guardFor({ profile: init.profile ?? init.clientConfig?.profile });
        return (passed = await guard.verify(credentials, link));
      } catch (error) {
        const { toProviderError } = await import("./provider-error.js");
        throw await toProviderError(error, undefined, false);
      }
    };
    // The SDK marks providers that remember for themselves.
    return Object.assign(held, provide);
  };
}
