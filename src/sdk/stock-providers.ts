/**
 * Leads the SDK's own providers to this package's where the SDK has nothing of its own to offer: profiles and variables
 * that name a certificate, and keys in a shared file that is renewed while the program runs.
 */
import type { Guard } from "../guard/guard.js";
import { memoize } from "./memoize.js";
import type { ProviderCall } from "./memoize.js";
import { profileInPlay } from "./expected-accounts.js";

interface Credentials {
  readonly accessKeyId: string;
  readonly expiration?: Date;
}

type Provider = (call?: ProviderCall) => Promise<Credentials>;
type Factory = (init?: object) => Provider;
type GuardFor = (init: { readonly profile?: string | undefined }) => Promise<Guard>;

/** Which factory it is: of profiles, or of the default chain. */
export type ProviderKind = "profile" | "chain";

/**
 * The same factory, whose providers are this package's for what only this package can give. What they give says that it
 * is remembered already, so that clients ask for it each time.
 */
export function leadingToOwn(factory: Factory, kind: ProviderKind, guardFor: GuardFor): Factory {
  return (init) => {
    // Renewed files are read again; the SDK would go on with what it read first.
    const stock = factory({ ...init, ignoreCache: true } as object);
    // The chain remembers for itself; this package's own providers do, too.
    const remembered = kind === "chain" ? stock : memoize<Credentials, ProviderCall>(stock);
    const ownByProfile = new Map<string, Promise<Provider>>();
    const provider: Provider = async (call) => {
      const profile = profileInPlay(init, call);
      const guard = await guardFor({ profile });
      const { isForOwn } = await import("./own-providers.js");
      if (!(await isForOwn(kind, guard, { init, profile, call })))
        return (call === undefined ? stock : remembered)(call);
      const key = profile ?? "";
      let own = ownByProfile.get(key);
      if (own === undefined) ownByProfile.set(key, (own = ownProvider(kind, init, guard)));
      return (await own)(call);
    };
    return Object.assign(provider, stock, { memoized: true });
  };
}

/** The same factory, whose providers say that they remember for themselves, as those of the chain behind it do. */
export function saysThatItRemembers(factory: Factory): Factory {
  return (init) => {
    const stock = factory(init);
    const provider: Provider = (call) => stock(call);
    return Object.assign(provider, stock, { memoized: true });
  };
}

async function ownProvider(kind: ProviderKind, init: object | undefined, guard: Guard): Promise<Provider> {
  const given = { ...init, guard };
  return (
    kind === "chain"
      ? (await import("./node-chain.js")).fromNodeProviderChain(given)
      : (await import("./ini.js")).fromIni(given)
  ) as Provider;
}
