/**
 * Leads what the AWS SDK asks of IMDS through a guard, in programs that cannot change an import: the few modules of the
 * SDK that speak to IMDS are given guarded parts as they are loaded. They are known by their place in a package and not
 * by the request they send, so that a request forged through any library is never mistaken for the SDK's.
 */

type Load = (
  this: unknown,
  request: string,
  parent: { readonly filename?: string | null } | undefined,
  isMain: boolean,
) => unknown;

interface Loader {
  _load: Load;
}

const { apply } = Reflect;

/** The region lookup of SDK clients, whose only use of `node:http` is IMDS. */
const REGION_LOOKUP = /[\\/]@smithy[\\/]core[\\/]dist-cjs[\\/]submodules[\\/]config[\\/][\w.-]+$/;
const CREDENTIAL_PROVIDER =
  /(?:^|[\\/])@(?:smithy|aws-sdk)[\\/]credential-provider-imds(?:$|[\\/]dist-cjs[\\/]index\.js$)/;
const METADATA_CLIENT = /(?:^|[\\/])@aws-sdk[\\/]ec2-metadata-service(?:$|[\\/]dist-cjs[\\/]index\.js$)/;
/** The default chain of every client, and the package from which programs take providers by name. */
const DEFAULT_CHAIN = /(?:^|[\\/])@aws-sdk[\\/]credential-provider-node(?:$|[\\/]dist-cjs[\\/]index\.js$)/;
const PROVIDERS = /(?:^|[\\/])@aws-sdk[\\/]credential-providers(?:$|[\\/]dist-cjs[\\/]index\.js$)/;
/** The SDK's second major version: `require("./metadata_service")` within it. */
const SECOND_MAJOR = /[\\/]aws-sdk[\\/]lib[\\/]/;

type Adapters = typeof import("./adapters.js");

/** Loaded with the first of those modules: most programs have none. */
function adapters(): Adapters {
  return require("./adapters.js") as Adapters;
}

/** Adapts the SDK's modules from now on; those loaded before are as they were, and their requests are refused. */
export function leadSdkThroughGuard(): void {
  // The class of this very module: loading node:module for it would cost a millisecond.
  const { constructor: own } = module as unknown as { constructor: Partial<Loader> };
  const loader =
    typeof own._load === "function" ? (own as Loader) : (process.getBuiltinModule("node:module") as unknown as Loader);
  const { _load: original } = loader;
  const adapted = new WeakSet<object>();
  loader._load = function load(request, parent, isMain) {
    const asker = parent?.filename ?? "";
    const exports = apply(original, this, [request, parent, isMain]);
    if ((request === "node:http" || request === "http") && REGION_LOOKUP.test(asker))
      return adapters().guardedHttp(exports as object);
    if (typeof exports !== "object" && typeof exports !== "function") return exports;
    const name = adapterOf(request, asker);
    if (name !== undefined && exports !== null && !adapted.has(exports)) {
      adapted.add(exports);
      adapters()[name](exports as never);
    }
    return exports;
  };
}

function adapterOf(request: string, asker: string): Exclude<keyof Adapters, "guardedHttp"> | undefined {
  if (!request.includes("metadata") && !request.includes("credential-provider")) return undefined;
  if (CREDENTIAL_PROVIDER.test(request)) return "adaptCredentialProvider";
  if (METADATA_CLIENT.test(request)) return "adaptMetadataClient";
  if (DEFAULT_CHAIN.test(request)) return "adaptDefaultChain";
  if (PROVIDERS.test(request)) return "adaptProviders";
  if (/(?:^|[\\/])metadata_service(?:\.js)?$/.test(request) && (SECOND_MAJOR.test(asker) || SECOND_MAJOR.test(request)))
    return "adaptSecondMajor";
  return undefined;
}
