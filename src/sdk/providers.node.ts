/**
 * The form of providers.ts for Node.js: a program that imports the package and never calls it reads none of what is
 * behind these functions, and any other reads it with its first call.
 */
import type * as Providers from "./providers.js";

let loaded: typeof Providers | undefined;
const providers = (): typeof Providers => (loaded ??= require("./providers.js") as typeof Providers);

export const fromNodeProviderChain: typeof Providers.fromNodeProviderChain = (init) =>
  providers().fromNodeProviderChain(init);
export const fromInstanceMetadata: typeof Providers.fromInstanceMetadata = (init) =>
  providers().fromInstanceMetadata(init);
export const fromIni: typeof Providers.fromIni = (init) => providers().fromIni(init);
export const fromRolesAnywhere: typeof Providers.fromRolesAnywhere = (init) => providers().fromRolesAnywhere(init);
export const fromIotRoleAlias: typeof Providers.fromIotRoleAlias = (init) => providers().fromIotRoleAlias(init);
export const fromTemporaryCredentials: typeof Providers.fromTemporaryCredentials = (options) =>
  providers().fromTemporaryCredentials(options);
export const fromGuardedRegion: typeof Providers.fromGuardedRegion = (init) => providers().fromGuardedRegion(init);
export const createGuard: typeof Providers.createGuard = (options) => providers().createGuard(options);
export const guardOf: typeof Providers.guardOf = (init, speaks) => providers().guardOf(init, speaks);
