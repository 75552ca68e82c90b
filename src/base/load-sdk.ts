/** The AWS SDK's modules, none of which is loaded before it is needed, and each as cheaply as the process allows. */
import { createRequire } from "node:module";

/** `CredentialsProviderError` and its relatives. */
export const loadSdkConfig = (): Promise<typeof import("@smithy/core/config")> =>
  load("@smithy/core/config", () => import("@smithy/core/config"));

/** The credential providers of the SDK. */
export const loadSdkProviders = (): Promise<typeof import("@aws-sdk/credential-providers")> =>
  load("@aws-sdk/credential-providers", () => import("@aws-sdk/credential-providers"));

/** The reader of shared config files. */
export const loadIniFiles = (): Promise<typeof import("@smithy/shared-ini-file-loader")> =>
  load("@smithy/shared-ini-file-loader", () => import("@smithy/shared-ini-file-loader"));

/**
 * In Node the SDK is CommonJS, and `import()` reads and scans every such file once more, even one that the process has
 * loaded: 5 to 20 ms where `require` takes 0.1. So once the application has brought the SDK with it, the rest of it is
 * required. Otherwise, and in bundles, which know `import()` only, it is imported.
 */
async function load<Module extends object>(name: string, imported: () => Promise<Module>): Promise<Module> {
  const known = loaded.get(name);
  if (known !== undefined) return known as Module;
  const require = requireBesideSdk();
  const module = require === undefined ? membersOf(await imported()) : (require(name) as Module);
  loaded.set(name, module);
  return module;
}

const loaded = new Map<string, unknown>();

let besideSdk: NodeJS.Require | undefined;

/** A `require` whose copy of the SDK this process already uses. */
function requireBesideSdk(): NodeJS.Require | undefined {
  // Some bundles leave it undefined.
  if (besideSdk !== undefined || typeof import.meta.url !== "string") return besideSdk;
  const require = createRequire(import.meta.url);
  try {
    if (Object.hasOwn(require.cache, require.resolve("@smithy/core/config"))) besideSdk = require;
  } catch (error) {
    // A bundle with no node_modules beside it.
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
  }
  return besideSdk;
}

/**
 * The members of a CommonJS package. Node finds their names, and so has a bundle whose own format is CommonJS; bundles
 * of ES modules may put the whole of `module.exports` behind `default` and nothing beside it.
 */
export function membersOf<Module extends object>(namespace: Module): Module {
  const { default: whole } = namespace as { readonly default?: unknown };
  const bare = Object.keys(namespace).every((name) => name === "default" || name === "module.exports");
  return bare && typeof whole === "object" && whole !== null ? (whole as Module) : namespace;
}
