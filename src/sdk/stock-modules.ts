/**
 * Leads what the AWS SDK asks of IMDS through a guard, in programs that cannot change an import: the few modules of the
 * SDK that speak to IMDS are given guarded parts as they are loaded. They are known by their place in a package and not
 * by the request they send, so that a request forged through any library is never mistaken for the SDK's.
 */
import { ownProperties } from "../base/own-properties.js";
import * as loadAdapters from "./load-adapters.js";

type Parent = { readonly filename?: string | null } | undefined;
type Load = (this: unknown, request: string, parent: Parent, isMain: boolean) => unknown;

interface CachedModule {
  readonly filename: string;
  readonly loaded: boolean;
  exports: unknown;
}

type Extension = (this: unknown, module: CachedModule, file: string) => unknown;

interface Loader {
  readonly prototype: { readonly require: (this: unknown, id: string) => unknown };
  _load: Load;
  readonly _extensions: { ".js": Extension };
  readonly _resolveFilename: (request: string, parent: Parent) => string;
  readonly _cache: Readonly<Record<string, CachedModule | undefined>>;
}

const { apply } = Reflect;
const ADAPTED = Symbol.for("imds-guard.sdk-adapted.1");

/** The region lookup of SDK clients, whose only use of `node:http` is IMDS. */
const REGION_LOOKUP = /[\\/]@smithy[\\/]core[\\/]dist-cjs[\\/]submodules[\\/]config[\\/][\w.-]+$/;
const CREDENTIAL_PROVIDER =
  /(?:^|[\\/])@(?:smithy|aws-sdk)[\\/]credential-provider-imds(?:$|[\\/]dist-cjs[\\/]index\.js$)/;
const METADATA_CLIENT = /(?:^|[\\/])@aws-sdk[\\/]ec2-metadata-service(?:$|[\\/]dist-cjs[\\/]index\.js$)/;
/** The default chain of every client, and the package from which programs take providers by name. */
const DEFAULT_CHAIN = /(?:^|[\\/])@aws-sdk[\\/]credential-provider-node(?:$|[\\/]dist-cjs[\\/]index\.js$)/;
const PROVIDERS = /(?:^|[\\/])@aws-sdk[\\/]credential-providers(?:$|[\\/]dist-cjs[\\/]index\.js$)/;
/** The SDK's second major version: `require("./metadata_service")` within it. */
const SECOND_MAJOR = /[\\/][^\\/]*aws-sdk[^\\/]*[\\/]lib[\\/]/;

type Adapters = typeof import("./adapters.js");
type Adapter = Exclude<keyof Adapters, "guardedHttp">;

/** What loads the adapters with the first module that is adapted, and which loader adapts itself. */
export interface Loading {
  readonly adapters: () => Adapters;
  /** The class of modules; undefined, or none of Node's: that of `node:module`. */
  readonly moduleClass: () => unknown;
}

const OWN: Loading = { adapters: loadAdapters.adapters, moduleClass: loadAdapters.moduleClass };

/** Told of a module that stays as it is: the file, and why. */
export type Unadapted = (file: string, error: unknown) => void;

/**
 * Adapts the SDK's modules from now on; those loaded before are as they were, and their requests are refused. So are
 * those of a module that cannot be adapted: the program gets it as it is, whatever goes wrong here.
 */
export function adaptSdkModules(unadapted: Unadapted, { adapters, moduleClass }: Loading = OWN): void {
  const ours = moduleClass() as Partial<Loader> | undefined;
  const loader =
    typeof ours?._load === "function"
      ? (ours as Loader)
      : (process.getBuiltinModule("node:module") as unknown as Loader);
  // Another copy of this package was here before: two installed versions, or a test runner's own.
  if (Object.hasOwn(loader, ADAPTED)) return;
  // A test runner ends the realms that it makes, with all their code: those leave it to others to come.
  if (Object.getPrototypeOf(loader) === Function.prototype)
    Object.defineProperty(loader, ADAPTED, ownProperties({ value: true }));
  const { _load: original, _extensions: extensions } = loader;
  /** What a module exports -> what the program gets of it, and those themselves. */
  const adapted = new WeakMap<object, object>();
  const adapt = (exports: object, file: string, adapter: () => object, loaded?: CachedModule): object => {
    try {
      const adaptedExports = adapted.get(exports) ?? adapter();
      if (loaded !== undefined) loaded.exports = adaptedExports;
      adapted.set(exports, adaptedExports).set(adaptedExports, adaptedExports);
      return adaptedExports;
    } catch (error) {
      adapted.set(exports, exports);
      try {
        unadapted(file, error);
      } catch {
        // What cannot be told is refused all the same.
      }
      return exports;
    }
  };

  /** Tracers hand out a copy of `node:http` that they keep, without asking the loader. */
  const requireGuarded = (lookup: CachedModule, file: string): void => {
    const { prototype } = loader;
    const value = (id: string): unknown => {
      const exports = apply(prototype.require, lookup, [id]);
      return isHttp(id) && isObject(exports) ? adapt(exports, file, () => adapters().guardedHttp(exports)) : exports;
    };
    Object.defineProperty(lookup, "require", ownProperties({ value, writable: true, configurable: true }));
  };

  // As soon as the module has run: right after, Node keeps what it exports for whoever imports it.
  const { ".js": run } = extensions;
  extensions[".js"] = function adapting(loaded, file) {
    if (REGION_LOOKUP.test(file)) requireGuarded(loaded, file);
    const result = apply(run, this, [loaded, file]);
    const name = adapterOf(file, file);
    const { exports } = loaded;
    if (name !== undefined && isObject(exports)) adapt(exports, file, () => adapters()[name](exports), loaded);
    return result;
  };
  loader._load = function load(request, parent, isMain) {
    const asker = parent?.filename ?? "";
    const exports = apply(original, this, [request, parent, isMain]);
    if (!isObject(exports)) return exports;
    if (isHttp(request) && REGION_LOOKUP.test(asker))
      return adapt(exports, asker, () => adapters().guardedHttp(exports));
    const name = adapterOf(request, asker);
    if (name === undefined || adapted.has(exports)) return exports;
    // Loaded before the preload. Where not all of its exports are there yet, two modules load each other.
    const entry = cacheEntry(loader, request, parent, exports);
    return entry?.loaded === true ? adapt(exports, entry.filename, () => adapters()[name](exports), entry) : exports;
  };
}

function isHttp(request: string): boolean {
  return request === "node:http" || request === "http";
}

function isObject(exports: unknown): exports is object {
  return (typeof exports === "object" && exports !== null) || typeof exports === "function";
}

/** The module that was just loaded; undefined where something else than Node's own loader found it. */
function cacheEntry(
  { _cache, _resolveFilename }: Loader,
  request: string,
  parent: Parent,
  exports: unknown,
): CachedModule | undefined {
  try {
    const entry = _cache[_resolveFilename(request, parent)];
    return entry?.exports === exports ? entry : undefined;
  } catch {
    return undefined;
  }
}

function adapterOf(request: string, asker: string): Adapter | undefined {
  if (!request.includes("metadata") && !request.includes("credential-provider")) return undefined;
  if (CREDENTIAL_PROVIDER.test(request)) return "adaptCredentialProvider";
  if (METADATA_CLIENT.test(request)) return "adaptMetadataClient";
  if (DEFAULT_CHAIN.test(request)) return "adaptDefaultChain";
  if (PROVIDERS.test(request)) return "adaptProviders";
  if (/[\\/]metadata_service(?:\.js)?$/.test(request) && (SECOND_MAJOR.test(asker) || SECOND_MAJOR.test(request)))
    return "adaptSecondMajor";
  return undefined;
}
