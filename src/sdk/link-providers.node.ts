/** The form of link-providers.ts for Node.js, which reads what is behind these functions with the first call. */
import type * as Providers from "./link-providers.js";

let loaded: typeof Providers | undefined;
const providers = (): typeof Providers => (loaded ??= require("./link-providers.js") as typeof Providers);

export const fromNodeProviderChain: typeof Providers.fromNodeProviderChain = (init) =>
  providers().fromNodeProviderChain(init);
export const fromIni: typeof Providers.fromIni = (init) => providers().fromIni(init);
export const fromRolesAnywhere: typeof Providers.fromRolesAnywhere = (init) => providers().fromRolesAnywhere(init);
export const fromIotRoleAlias: typeof Providers.fromIotRoleAlias = (init) => providers().fromIotRoleAlias(init);
export const fromTemporaryCredentials: typeof Providers.fromTemporaryCredentials = (options) =>
  providers().fromTemporaryCredentials(options);
export const clientConfig: typeof Providers.clientConfig = (guard, init) => providers().clientConfig(guard, init);
