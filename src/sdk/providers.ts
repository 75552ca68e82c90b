/** What applications call, in one module, so that Node.js can load it with the first call. */
export { fromNodeProviderChain } from "./node-chain.js";
export { fromInstanceMetadata } from "./instance-metadata.js";
export { fromIni } from "./ini.js";
export { fromRolesAnywhere } from "./roles-anywhere.js";
export { fromIotRoleAlias } from "./iot-role-alias.js";
export { fromTemporaryCredentials } from "./temporary-credentials.js";
export { fromGuardedRegion } from "./region.js";
export { createGuard } from "./application-guard.js";
export { guardOf } from "./guard-option.js";
