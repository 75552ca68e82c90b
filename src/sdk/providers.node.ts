/**
 * The form of providers.ts for Node.js: a program that imports the package and never calls it reads none of what is
 * behind these functions, and any other reads it with its first call.
 */
import type * as Providers from "./providers.js";

let loaded: typeof Providers | undefined;
const providers = (): typeof Providers => (loaded ??= require("./providers.js") as typeof Providers);

export const fromInstanceMetadata: typeof Providers.fromInstanceMetadata = (init) =>
  providers().fromInstanceMetadata(init);
export const fromGuardedRegion: typeof Providers.fromGuardedRegion = (init) => providers().fromGuardedRegion(init);
export const createGuard: typeof Providers.createGuard = (options) => providers().createGuard(options);
export const guardOf: typeof Providers.guardOf = (init, speaks) => providers().guardOf(init, speaks);
